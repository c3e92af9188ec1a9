//! The version in info.json, one step on.

use serde_json::Value;

/// `info.json` with the next patch version, `0.0.1` → `0.0.2`, and that version; the rest stays as it was typed.
/// `None` where the developer gave it another version than `before` has, or where there is none of three numbers.
pub(super) fn next(before: &[u8], now: &[u8]) -> Option<(Vec<u8>, String)> {
    let was: Value = serde_json::from_slice(before).ok()?;
    let is: Value = serde_json::from_slice(now).ok()?;
    let version = is.get("version")?.as_str()?;
    if was.get("version")?.as_str()? != version {
        return None;
    }
    let next = step(version)?;
    let text = std::str::from_utf8(now).ok()?;
    let mut wanted = is.clone();
    *wanted.get_mut("version")? = next.as_str().into();
    // The right one of several places is the one that gives what is wanted.
    text.match_indices(&format!("\"{version}\""))
        .find_map(|(at, found)| {
            let (head, tail) = (text.get(..at)?, text.get(at + found.len()..)?);
            let edited = format!("{head}\"{next}\"{tail}");
            let right = serde_json::from_str::<Value>(&edited).ok()? == wanted;
            right.then(|| (edited.into_bytes(), next.clone()))
        })
}

/// The version that a text gives; empty if it gives none.
pub(super) fn of(info: &[u8]) -> String {
    let info: Value = serde_json::from_slice(info).unwrap_or_default();
    let version = info.get("version").and_then(Value::as_str);
    version.unwrap_or_default().to_owned()
}

fn step(version: &str) -> Option<String> {
    let (head, patch) = version.rsplit_once('.')?;
    let numbers = head.split('.').chain([patch]);
    let plain = |n: &str| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit());
    if numbers.clone().count() != 3 || !numbers.clone().all(plain) {
        return None;
    }
    Some(format!("{head}.{}", patch.parse::<u64>().ok()?.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_goes_on_and_nothing_else_changes() {
        let info = b"{ \"needs\": \"0.0.9\",\n\t\"version\" : \"0.0.9\", \"AETitle\":\"A\" }\n";
        let (text, version) = next(info, info).unwrap();
        assert_eq!(version, "0.0.10");
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{ \"needs\": \"0.0.9\",\n\t\"version\" : \"0.0.10\", \"AETitle\":\"A\" }\n"
        );
    }

    #[test]
    fn a_version_of_the_developers_own_stays() {
        let with = |v: &str| format!("{{\"version\":{v}}}").into_bytes();
        for (before, now) in [
            (r#""0.0.1""#, r#""0.1.0""#),
            (r#""2026-a""#, r#""2026-a""#),
            ("7", "7"),
            (r#""1.2""#, r#""1.2""#),
        ] {
            assert_eq!(next(&with(before), &with(now)), None, "{before} {now}");
        }
        assert_eq!(next(b"{}", b"not json"), None);
    }
}
