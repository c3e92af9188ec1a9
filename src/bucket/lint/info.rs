//! The rules of info.json.

use serde_json::{Map, Value};

use super::place::Places;
use super::{LintFinding, Place, Seen, Severity};
use crate::bucket::inside;
use crate::bucket::manifest::{Manifest, ManifestError};
use crate::bucket::schema::{KEYS, Key, Kind};
use crate::model::{DeclaredMeasure, Finding, Report};

const KEPT_AS_TEXT: &str = "until it is right, this declares nothing, and such measures are kept as text";

/// How alike two words are that may be meant for each other, 0 to 1.
const ALIKE: f64 = 0.84;

/// Judges the description, and answers it where a node takes it.
pub(super) fn judge(seen: &Seen, found: &mut Vec<LintFinding>) -> Option<Manifest> {
    let whole = || Place::whole(inside::INFO_JSON);
    let Some(bytes) = &seen.info else {
        found.push(
            LintFinding::error("info-missing", "there is no info.json")
                .help("it says what the bucket is called and what it needs; buckets create writes one")
                .at(whole()),
        );
        return None;
    };
    let text = String::from_utf8_lossy(bytes);
    let manifest = match Manifest::parse(bytes) {
        Ok(manifest) => Some(manifest),
        Err(ManifestError::NotJson {
            line,
            column,
            message,
        }) => {
            found.push(
                LintFinding::error("info-json", format!("not JSON: {message}"))
                    .at(by_line(&text, line, column)),
            );
            return None;
        }
        Err(ManifestError::Findings(_)) => None,
    };
    let places = Places::new(inside::INFO_JSON, &text);
    let info: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let empty = Map::new();
    let map = info.as_object().unwrap_or(&empty);
    if let Err(ManifestError::Findings(refused)) = Manifest::parse(bytes) {
        found.extend(refused.iter().map(|f| refusal(&f.path, &f.message, &places, map)));
    }
    unknown(map, &places, found);
    for (name, place) in places.repeated() {
        found.push(
            LintFinding::warning(
                "info-twice",
                format!("{name} is given twice: the last one counts"),
            )
            .at(place),
        );
    }
    worth_saying(map, &places, found);
    measures(map, &places, found);
    manifest
}

fn by_line(text: &str, line: usize, column: usize) -> Place {
    let written = text.lines().nth(line.saturating_sub(1));
    Place {
        file: inside::INFO_JSON,
        line: Some(line),
        column: Some(column.max(1)),
        length: 1,
        text: written.map(str::to_owned),
    }
}

/// What a node says, with the place and what was perhaps meant.
fn refusal(path: &str, message: &str, places: &Places<'_>, map: &Map<String, Value>) -> LintFinding {
    if path.starts_with("measures") {
        return of_measures(path, message, places);
    }
    if let Some((_, allowed)) = message.split_once("unknown key; allowed here: ") {
        let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
        let finding = LintFinding::error("info-key", format!("{path}: no such key"))
            .at(places.of_name(path))
            .help(format!("allowed in {table}: {allowed}"));
        return match nearest(name, allowed.split(", ")) {
            Some(meant) => finding.help(format!("did you mean {meant}?")),
            None => finding,
        };
    }
    let finding = LintFinding::error("info-value", format!("{path}: {message}")).at(places.of_value(path));
    if path == "AETitle" && !map.contains_key(path) {
        let like = map.keys().find(|name| alike(name, path));
        return match like {
            Some(name) => finding
                .at(places.of_name(name))
                .help(format!("{name} is no key of info.json: did you mean AETitle?")),
            None => finding.help("such as \"AETitle\": \"ProcT1\""),
        };
    }
    // `capabilities[1]` is described at `capabilities`.
    let (name, index) = path.split_once('[').unwrap_or((path, ""));
    let Some(key) = KEYS.iter().find(|key| key.path == name) else {
        return finding;
    };
    let value = match index.trim_end_matches(']').parse::<usize>() {
        Ok(index) => pointed(map, name).and_then(|list| list.get(index)),
        Err(_) => pointed(map, name),
    };
    let written = value.and_then(Value::as_str).unwrap_or_default();
    match key.kind {
        // The word is a right one: something else is wrong, and the message says what to do.
        Kind::Words(words) if words.contains(&written) => finding.help(key.doc),
        Kind::Words(words) | Kind::List(words) => match nearest(written, words.iter().copied()) {
            Some(meant) => finding.help(format!("did you mean \"{meant}\"?")),
            None => finding.help(key.doc),
        },
        _ if key.example.is_empty() => finding.help(key.doc),
        _ => finding.help(format!("{} Such as {}.", key.doc, key.example)),
    }
}

fn pointed<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = map.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// Keys that a node keeps and shows and nothing acts on.
fn unknown(map: &Map<String, Value>, places: &Places<'_>, found: &mut Vec<LintFinding>) {
    let known = || {
        let top = KEYS.iter().map(|key| key.path);
        top.filter(|path| !path.contains(['.', '[']))
    };
    for name in map.keys().filter(|name| !known().any(|known| known == *name)) {
        let finding = LintFinding::warning("info-unknown", format!("{name}: no key that anything acts on"))
            .at(places.of_name(name));
        match nearest(name, known()) {
            // Then the error says it.
            Some("AETitle") if !map.contains_key("AETitle") => {}
            Some(meant) => found.push(finding.help(format!("did you mean {meant}?"))),
            None => found.push(finding.help("a node keeps it and shows it")),
        }
    }
}

/// What a node takes but people will miss.
fn worth_saying(map: &Map<String, Value>, places: &Places<'_>, found: &mut Vec<LintFinding>) {
    let is_text = |key: &&Key| key.kind == Kind::Text && !key.path.contains('.') && key.path != "arguments";
    for key in KEYS.iter().filter(is_text) {
        match map.get(key.path) {
            Some(Value::String(text)) if !text.trim().is_empty() => {}
            Some(Value::String(_)) | None if key.path == "license" => {}
            // Said already, where it stands.
            None if map.keys().any(|name| alike(name, key.path)) => {}
            Some(Value::String(_)) | None => found.push(
                LintFinding::warning("info-silent", format!("{} is missing", key.path))
                    .help(format!("{} Such as {}.", key.doc, key.example))
                    .at(places.of_value(key.path)),
            ),
            Some(_) => found.push(
                LintFinding::warning("info-text", format!("{} is not a text in quotes", key.path))
                    .at(places.of_value(key.path)),
            ),
        }
    }
    if matches!(map.get("enabled"), Some(value) if *value == 0 || *value == false) {
        found.push(
            LintFinding::warning(
                "info-disabled",
                "it is not enabled: installed, its AE title takes no studies",
            )
            .at(places.of_value("enabled")),
        );
    }
}

/// Measures that are not declared as they have to be: a node takes what they are measures of as text.
fn measures(map: &Map<String, Value>, places: &Places<'_>, found: &mut Vec<LintFinding>) {
    // A node that is to make a report of them refuses the bucket, and has said so.
    if map.get("report").and_then(Value::as_str) == Some(Report::Sr.word()) {
        return;
    }
    let (_, unclear) = DeclaredMeasure::read_all(map);
    found.extend(unclear.iter().map(|Finding { path, message }| LintFinding {
        severity: Severity::Warning,
        ..of_measures(path, message, places)
    }));
}

fn of_measures(path: &str, message: &str, places: &Places<'_>) -> LintFinding {
    let finding = |text: &str| LintFinding::error("info-measures", format!("{path}: {text}"));
    let (table, name) = path.rsplit_once('.').unwrap_or((path, path));
    if let Some((_, allowed)) = message.split_once("unknown key; allowed here: ") {
        let finding = finding("no such key").at(places.of_name(path));
        return match nearest(name, allowed.split(", ")) {
            Some(meant) => finding.help(format!("did you mean {meant}?")),
            None => finding.help(format!("allowed there: {allowed}")),
        };
    }
    // What is missing is missed where its table stands.
    let at = if message.starts_with("is missing") {
        table
    } else {
        path
    };
    let (text, help) = match message.split_once(": did you mean ") {
        Some((text, meant)) => (text, format!("did you mean {meant}")),
        None => (message, KEPT_AS_TEXT.to_owned()),
    };
    finding(text).at(places.of_value(at)).help(help)
}

/// Whether one may be meant for the other, whatever its capitals.
fn alike(written: &str, meant: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    strsim::jaro_winkler(&plain(written), &plain(meant)) >= ALIKE
}

fn nearest<'a>(written: &str, allowed: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let near = |word: &&str| strsim::jaro_winkler(&plain(written), &plain(word));
    allowed
        .filter(|word| alike(written, word))
        .max_by(|a, b| near(a).total_cmp(&near(b)))
}
