//! info.json held against its rules while it is typed: those of `buckets check`.

use axum::Json;
use serde_json::{Value, json};

use crate::bucket::inside;
use crate::bucket::lint::{Seen, Subject, lint};

/// `POST /api/check`: what `buckets check` finds in this text, each with its place.
pub(super) async fn check(text: String) -> Json<Vec<Value>> {
    Json(findings(text))
}

/// Only what is about info.json: the scripts have their own tabs, the image is not made yet.
fn findings(text: String) -> Vec<Value> {
    let seen = Seen {
        subject: Subject::Directory,
        info: Some(text.into_bytes()),
        work: None,
        plugin: None,
        root_mode: None,
        has_sh: None,
        architecture: None,
        size: None,
    };
    lint(&seen, None)
        .into_iter()
        .filter_map(|finding| {
            let place = finding.place.filter(|p| p.file == inside::INFO_JSON)?;
            Some(json!({
                "severity": finding.severity,
                "line": place.line.unwrap_or(1),
                "column": place.column.unwrap_or(1),
                "length": place.length,
                "message": finding.message,
                "help": finding.help,
            }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_its_place_and_what_to_do() {
        let text =
            "{\n  \"AETitle\": \"A\",\n  \"resources\": {\n    \"cpus\": -1\n  },\n  \"parallel\": 0\n}\n";
        let found = findings(text.to_owned());
        let at = |word: &str| {
            let finding = found
                .iter()
                .find(|f| f["message"].as_str().unwrap().contains(word));
            finding.unwrap()["line"].as_u64().unwrap()
        };
        assert_eq!((at("cpus"), at("parallel")), (4, 6), "{found:?}");
    }

    #[test]
    fn broken_json_has_its_place_and_good_json_no_error() {
        assert_eq!(findings("{\n \"a\" 1 }".to_owned())[0]["line"], 2);
        let good = findings("{ \"AETitle\": \"ProcA\", \"version\": \"1.0.0\" }".to_owned());
        assert!(good.iter().all(|f| f["severity"] == "warning"), "{good:?}");
    }
}
