//! The rules in force.

use std::fmt::Write;

use serde_json::Value;

use super::paint::Paint;
use crate::cli::text::plain;

/// What is printed of `GET /api/v1/routes`.
pub(super) fn lines(answer: &Value, paint: Paint) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let file = text(answer, "file").unwrap_or_default();
    let _ = match text(answer, "loaded_at") {
        Some(at) => writeln!(out, "{}", paint.faint(&format!("{file}, read at {at}"))),
        None => writeln!(out, "{}", paint.faint(&format!("{file} is not there"))),
    };
    if let Some(refused) = answer.get("refused").filter(|r| !r.is_null()) {
        let why = text(refused, "why").unwrap_or_default();
        let at = text(refused, "at").unwrap_or_default();
        let _ = writeln!(out, "{} {}", paint.bad("✗ not in force:"), at);
        for line in refused_lines(refused, &why) {
            let _ = writeln!(out, "    {line}");
        }
    }
    for warning in list(answer, "warnings") {
        let _ = writeln!(out, "{} {}", paint.warning("!"), finding(warning));
    }
    let rules = list(answer, "rules");
    if rules.is_empty() {
        let _ = writeln!(out, "no rules: results go nowhere");
    }
    for (number, rule) in rules.iter().enumerate() {
        let _ = writeln!(out);
        one(&mut out, number + 1, rule, paint);
    }
    out
}

fn refused_lines(refused: &Value, why: &str) -> Vec<String> {
    let findings: Vec<_> = list(refused, "findings").iter().map(finding).collect();
    if findings.is_empty() {
        vec![why.to_owned()]
    } else {
        findings
    }
}

fn finding(finding: &Value) -> String {
    let number = |key: &str| finding.get(key).and_then(Value::as_u64).unwrap_or(0);
    let rule = text(finding, "rule").map_or(String::new(), |rule| format!("rule \"{rule}\": "));
    let key = text(finding, "key").filter(|key| !key.is_empty());
    let key = key.map_or(String::new(), |key| format!("{key}: "));
    let message = text(finding, "message").unwrap_or_default();
    format!("{}:{}: {rule}{key}{message}", number("line"), number("column"))
}

fn one(out: &mut String, number: usize, rule: &Value, paint: Paint) {
    let is = |key: &str| rule.get(key) == Some(&Value::Bool(true));
    let name = text(rule, "name").unwrap_or_default();
    let source = text(rule, "source").unwrap_or_default();
    let off = if is("enabled") { "" } else { "  off" };
    let _ = writeln!(
        out,
        "{number:>3}  {}  {}{}",
        paint.strong(&name),
        paint.faint(&source),
        paint.warning(off)
    );
    for (key, what) in [("called", "called AE title"), ("calling", "calling AE title")] {
        if let Some(pattern) = text(rule, key) {
            let _ = writeln!(out, "     {what} has {pattern:?}");
        }
    }
    let sends = text(rule, "sends").unwrap_or_default();
    for to in list(rule, "to") {
        let title = text(to, "ae_title").unwrap_or_default();
        let at = text(to, "address").map_or(String::new(), |address| format!(" at {address}"));
        let outcome = text(to, "outcome").unwrap_or_default();
        let _ = writeln!(
            out,
            "     {} {title}{at}  {sends} of jobs that end with {outcome:?}",
            paint.good("→")
        );
        for set in list(to, "which") {
            let all: Vec<_> = set.as_object().into_iter().flatten().collect();
            let all: Vec<_> = all
                .iter()
                .map(|(tag, p)| format!("{} has {p}", super::explain::attribute(tag)))
                .collect();
            let _ = writeln!(out, "         files whose {}", plain(&all.join(" and ")));
        }
        if to.get("stops") == Some(&Value::Bool(true)) {
            let _ = writeln!(out, "         what follows goes only if this one fails");
        }
    }
    if is("last") {
        let _ = writeln!(out, "     no later rule is looked at once this one matched");
    }
}

/// A text of an answer, fit for a terminal.
pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(plain)
}

/// A list of an answer.
pub(super) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}
