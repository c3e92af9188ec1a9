//! `[routing]` and `[[route]]`: where results go.

use std::path::PathBuf;

use serde_json::Value;

use super::require;
use crate::model::{
    AeTitle, AttributeSet, AttributeTag, Destination, Direction, GateMode, Peer, Reader, Remote, RemoteAe,
    Route, RouteSource, SENDER, pattern,
};

/// `[routing]`: the rules of a `routing.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingConfig {
    /// The file, below the data directory unless it is absolute; it has to be there. Default: `routing.json`, if it is there.
    pub file: Option<PathBuf>,
    /// What `$me` and `$port` stand for. Default: nothing.
    pub default_pacs: Option<RemoteAe>,
}

pub(super) fn read_routing(r: &Reader<'_>, remote_aes: &[RemoteAe]) -> RoutingConfig {
    let config = RoutingConfig {
        file: r.text("file", |text| match text {
            "" => Err("the name of a file"),
            name => Ok(PathBuf::from(name)),
        }),
        default_pacs: r.text("default_pacs", |text| {
            let known = remote_aes.iter().find(|remote| remote.ae_title.as_str() == text);
            known.cloned().ok_or("is no [[remote_ae]] of this file")
        }),
    };
    r.deny_unknown();
    config
}

pub(super) fn read_route(r: &Reader<'_>, remotes: &[Remote]) -> Option<Route> {
    let name = r.text("name", |t| Ok::<_, String>(t.to_owned()));
    let (called, calling) = (r.text("called", pattern), r.text("calling", pattern));
    let outcome = r.text("outcome", pattern);
    let send = r.word(
        "send",
        &[("output", Direction::Output), ("input", Direction::Input)],
    );
    let titles = r.get("to", |value| destinations(value, remotes));
    let which = r.get("which", which);
    let gate = r.word("gate", &GateMode::ALL.map(|mode| (mode.word(), mode)));
    let flag = |key| r.flag(key);
    let (enabled, last, fallback) = (flag("enabled"), flag("last"), flag("fallback"));
    r.deny_unknown();
    require(r, &["name", "to"]);
    let to = titles.unwrap_or_default().into_iter().map(|title| Destination {
        outcome: outcome.clone(),
        peer: Peer::Named(title),
        which: which.clone(),
        stops: fallback.unwrap_or(false),
        error_report: false,
    });
    Some(Route {
        name: name?,
        source: RouteSource::Configuration,
        enabled: enabled.unwrap_or(true),
        called,
        calling,
        send: send.unwrap_or_default(),
        to: to.collect(),
        last: last.unwrap_or(false),
        gate: gate.unwrap_or_default(),
    })
}

fn destinations(value: &Value, remotes: &[Remote]) -> Result<Vec<AeTitle>, String> {
    let how = || "a list of names of destinations, like [\"PACS\"]".to_owned();
    let titles = value.as_array().filter(|l| !l.is_empty()).ok_or_else(how)?;
    titles
        .iter()
        .map(|title| {
            let title = AeTitle::parse(title.as_str().ok_or_else(how)?).map_err(|e| e.to_string())?;
            let known = remotes.iter().any(|r| *r.name() == title);
            if known || title.as_str() == SENDER {
                Ok(title)
            } else {
                Err(format!(
                    "{title} is no [[remote_ae]], [[folder]] or [[dicomweb]] of this file, nor {SENDER}"
                ))
            }
        })
        .collect()
}

fn which(value: &Value) -> Result<Vec<AttributeSet>, String> {
    let how = || "a list of tables of attributes and patterns, like [{ \"0008,0060\" = \"MR\" }]".to_owned();
    let sets = value.as_array().filter(|l| !l.is_empty()).ok_or_else(how)?;
    let set = |set: &Value| {
        let table = set.as_object().filter(|t| !t.is_empty()).ok_or_else(how)?;
        let one = |(tag, wanted): (&String, &Value)| {
            let tag = AttributeTag::parse(tag).map_err(|error| format!("{tag:?}: {error}"))?;
            let wanted = wanted.as_str().ok_or_else(how)?;
            let pattern = pattern(wanted).map_err(|error| format!("{wanted:?}: {error}"))?;
            Ok((tag, pattern))
        };
        table
            .iter()
            .map(one)
            .collect::<Result<_, String>>()
            .map(AttributeSet)
    };
    sets.iter().map(set).collect()
}
