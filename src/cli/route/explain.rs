//! Rule by rule, why a result would or would not go where.

use std::fmt::Write;

use serde_json::Value;

use super::list::{list, text};
use super::paint::Paint;
use crate::model::AttributeTag;
use crate::routing::keyword;

/// What is printed of the answer to `POST /api/v1/routes/explain`.
pub(super) fn lines(answer: &Value, paint: Paint) -> String {
    let mut out = String::new();
    let said = |key: &str| text(answer, key).unwrap_or_default();
    let from = match said("calling") {
        calling if calling.is_empty() => "an unnamed sender (--calling AET)".to_owned(),
        calling => calling,
    };
    // Writing to a String does not fail.
    let _ = writeln!(
        out,
        "{}",
        paint.strong(&format!(
            "A result of {}, sent by {from}, that ended with {:?}",
            said("called"),
            said("outcome")
        ))
    );
    for note in list(answer, "notes") {
        let note = note.as_str().unwrap_or_default();
        let _ = writeln!(out, "{} {}", paint.warning("!"), crate::cli::text::plain(note));
    }
    let rules = list(answer, "rules");
    if rules.is_empty() {
        let _ = writeln!(out, "\nThere are no rules.");
    }
    for rule in rules {
        let _ = writeln!(out);
        one(&mut out, rule, paint);
    }
    let _ = writeln!(out, "\n{}", conclusion(answer));
    let became = list(answer, "became");
    if !became.is_empty() {
        let _ = writeln!(out, "What became of the job:");
    }
    for delivery in became {
        let said = |key: &str| text(delivery, key).unwrap_or_default();
        let error = said("error");
        let error = if error.is_empty() {
            error
        } else {
            format!(": {error}")
        };
        let _ = writeln!(
            out,
            "  {}, by {:?}: {}{error}",
            said("destination"),
            said("route"),
            said("state")
        );
    }
    out
}

fn one(out: &mut String, rule: &Value, paint: Paint) {
    let is = |key: &str| rule.get(key) == Some(&Value::Bool(true));
    let said = |key: &str| text(rule, key).unwrap_or_default();
    let sign = match (is("matches"), is("enabled"), text(rule, "not_reached")) {
        (true, ..) => paint.good("✓"),
        (false, true, None) => paint.bad("✗"),
        _ => paint.faint("·"),
    };
    let _ = writeln!(
        out,
        "{sign} {}  {}",
        paint.strong(&said("name")),
        paint.faint(&said("source"))
    );
    if !is("enabled") {
        let _ = writeln!(out, "    is off");
        return;
    }
    if let Some(last) = text(rule, "not_reached") {
        let _ = writeln!(out, "    is not looked at: {last:?} matched and ends the search");
        return;
    }
    for check in list(rule, "checks")
        .iter()
        .filter(|c| text(c, "pattern").is_some())
    {
        let _ = writeln!(out, "    {}", checked(check, paint));
    }
    for to in list(rule, "to") {
        destination(out, to, &said("sends"), paint);
    }
    if is("matches") && is("last") {
        let _ = writeln!(out, "    and ends the search: no later rule is looked at");
    }
}

fn checked(check: &Value, paint: Paint) -> String {
    let holds = check.get("holds") == Some(&Value::Bool(true));
    let said = |key: &str| text(check, key).unwrap_or_default();
    let (sign, word) = if holds {
        (paint.good("✓"), "is found in")
    } else {
        (paint.bad("✗"), "is not found in")
    };
    format!(
        "{sign} {} {:?} {word} {:?}",
        said("key"),
        said("pattern"),
        said("value")
    )
}

fn destination(out: &mut String, to: &Value, sends: &str, paint: Paint) {
    let said = |key: &str| text(to, key).unwrap_or_default();
    let number = |key: &str| to.get(key).and_then(Value::as_u64).unwrap_or(0);
    let title = match text(to, "address") {
        Some(address) => format!("{} at {address}", said("to")),
        None => said("to"),
    };
    let files = format!("{} of {} files of {sends}", number("files"), number("of"));
    let (sign, why) = match said("verdict").as_str() {
        "sends" => (paint.good("✓"), files),
        "stands-by" => (paint.good("✓"), format!("{files}, if {} fails", said("after"))),
        "already" => (
            paint.faint("·"),
            "an earlier rule sends the same files there".to_owned(),
        ),
        "no-files" if number("of") == 0 => (paint.bad("✗"), format!("there is no DICOM file in {sends}")),
        "no-files" => (
            paint.bad("✗"),
            format!("none of {} files of {sends}", number("of")),
        ),
        _ => (paint.bad("✗"), otherwise(to)),
    };
    let _ = writeln!(out, "    {sign} → {title}: {why}");
    if to.get("error_report") == Some(&Value::Bool(true)) {
        let _ = writeln!(
            out,
            "        and the end of processing.log, as the series \"Error Report\""
        );
    }
    let left_out = list(to, "left_out");
    for file in left_out {
        let _ = writeln!(out, "        {} {}", paint.bad("✗"), missed(file));
    }
    let more = number("of")
        .saturating_sub(number("files"))
        .saturating_sub(left_out.len() as u64);
    if more > 0 && !left_out.is_empty() {
        let _ = writeln!(out, "        and {more} more that do not go");
    }
}

fn otherwise(to: &Value) -> String {
    let check = to.get("outcome").cloned().unwrap_or_default();
    let value = text(&check, "value").unwrap_or_default();
    match text(&check, "pattern") {
        Some(pattern) => format!("{pattern:?} is not found in {value:?}"),
        None => format!("only for \"success\", not for {value:?}"),
    }
}

fn missed(file: &Value) -> String {
    let name = text(file, "file").unwrap_or_default();
    if let Some(why) = text(file, "unreadable") {
        return format!("{name}: {why}");
    }
    let misses: Vec<_> = list(file, "misses")
        .iter()
        .map(|miss| {
            let said = |key: &str| text(miss, key).unwrap_or_default();
            let attribute = attribute(&said("key"));
            match text(miss, "value") {
                Some(value) => format!("{attribute} {value:?} has no {:?}", said("pattern")),
                None => format!("{attribute} is not there"),
            }
        })
        .collect();
    if misses.is_empty() {
        return format!("{name}: which is empty");
    }
    format!("{name}: {}", misses.join("; "))
}

/// A tag with the name of its attribute.
pub(super) fn attribute(tag: &str) -> String {
    let name = AttributeTag::parse(tag).ok().and_then(keyword);
    name.map_or_else(|| tag.to_owned(), |name| format!("{name} ({tag})"))
}

fn conclusion(answer: &Value) -> String {
    let plan = list(answer, "plan");
    let to: Vec<_> = plan
        .iter()
        .map(|planned| {
            let title = text(planned, "to").unwrap_or_default();
            let files = list(planned, "files").len();
            let s = if files == 1 { "" } else { "s" };
            let after = planned
                .get("after")
                .and_then(Value::as_u64)
                .and_then(|place| plan.get(usize::try_from(place).ok()?))
                .and_then(|before| text(before, "to"));
            let after = after.map_or(String::new(), |before| format!(" if {before} fails"));
            format!("{title} ({files} file{s}){after}")
        })
        .collect();
    if to.is_empty() {
        "So it goes nowhere.".to_owned()
    } else {
        format!("So it goes to {}.", to.join(", "))
    }
}
