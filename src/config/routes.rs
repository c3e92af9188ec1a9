//! `[[remote_ae]]` and `[[route]]`: where results go.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::require;
use crate::model::{AeTitle, Direction, Reader, RemoteAe, Route};

pub(super) fn read_remote_ae(r: &Reader<'_>, own: &AeTitle) -> Option<RemoteAe> {
    let host_port = |text: &str| match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0) => {
            Ok(text.to_owned())
        }
        _ => Err("a host and port, like \"pacs.example:104\""),
    };
    let (ae_title, address) = (r.text("ae_title", AeTitle::parse), r.text("address", host_port));
    let calling = r
        .text("calling_ae_title", AeTitle::parse)
        .unwrap_or_else(|| own.clone());
    r.deny_unknown();
    require(r, &["ae_title", "address"]);
    Some(RemoteAe {
        ae_title: ae_title?,
        address: address?,
        calling,
    })
}

pub(super) fn read_route(r: &Reader<'_>, remote_aes: &[RemoteAe]) -> Option<Route> {
    let name = r.text("name", |t| Ok::<_, String>(t.to_owned()));
    let route = Route {
        name: name.clone().unwrap_or_default(),
        called: r.text("called", pattern),
        calling: r.text("calling", pattern),
        outcome: r.text("outcome", pattern),
        send: r
            .word(
                "send",
                &[("output", Direction::Output), ("input", Direction::Input)],
            )
            .unwrap_or_default(),
        to: r
            .get("to", |value| destinations(value, remote_aes))
            .unwrap_or_default(),
    };
    r.deny_unknown();
    require(r, &["name", "to"]);
    name.map(|_| route)
}

fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).case_insensitive(true).build()
}

fn destinations(value: &Value, remote_aes: &[RemoteAe]) -> Result<Vec<AeTitle>, String> {
    let how = || "a list of AE titles of remote AEs, like [\"PACS\"]".to_owned();
    let titles = value.as_array().filter(|l| !l.is_empty()).ok_or_else(how)?;
    titles
        .iter()
        .map(|title| {
            let title = AeTitle::parse(title.as_str().ok_or_else(how)?).map_err(|e| e.to_string())?;
            let known = remote_aes.iter().any(|r| r.ae_title == title);
            if known {
                Ok(title)
            } else {
                Err(format!("{title} is no [[remote_ae]] of this file"))
            }
        })
        .collect()
}
