//! info.json held against its rules while it is typed: a node's own.

use axum::Json;
use serde_json::{Value, json};

use crate::bucket::{Manifest, ManifestError};

/// `POST /api/check`: what a node would find in this text, each with its line.
pub(super) async fn check(text: String) -> Json<Vec<Value>> {
    Json(findings(&text))
}

fn findings(text: &str) -> Vec<Value> {
    match Manifest::parse(text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(ManifestError::NotJson {
            line,
            column,
            message,
        }) => {
            vec![json!({ "line": line, "column": column, "message": message })]
        }
        Err(ManifestError::Findings(findings)) => findings
            .into_iter()
            .map(|finding| {
                let (line, column) = position(text, &finding.path);
                json!({ "line": line, "column": column, "key": finding.path, "message": finding.message })
            })
            .collect(),
    }
}

/// Line and column, from 1, of the key that `a.b[0].c` names; of the first part that is not there, its place above.
fn position(text: &str, path: &str) -> (usize, usize) {
    let mut at = 0;
    for part in path.split('.') {
        let key = part.split('[').next().unwrap_or_default();
        let quoted = format!("\"{key}\"");
        let rest = text.get(at..).unwrap_or_default();
        let found = rest.match_indices(&quoted).find(|(i, _)| {
            rest.get(i + quoted.len()..)
                .is_some_and(|after| after.trim_start().starts_with(':'))
        });
        match found {
            Some((i, _)) => at += i,
            None => break,
        }
    }
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_the_line_of_its_key() {
        let text = "{\n  \"AETitle\": \"A\",\n  \"resources\": {\n    \"cpus\": -1\n  },\n  \"parallel\": 0\n}\n";
        let found = findings(text);
        let lines: Vec<_> = found
            .iter()
            .map(|f| (f["key"].as_str().unwrap(), f["line"].as_u64().unwrap()))
            .collect();
        assert!(lines.contains(&("resources.cpus", 4)), "{found:?}");
        assert!(lines.contains(&("parallel", 6)), "{found:?}");
    }

    #[test]
    fn broken_json_has_its_place_and_good_json_no_finding() {
        assert_eq!(findings("{\n \"a\" 1 }")[0]["line"], 2);
        assert_eq!(findings("{ \"AETitle\": \"A\" }"), Vec::<Value>::new());
    }
}
