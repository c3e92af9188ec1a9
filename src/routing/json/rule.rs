//! One rule, its destinations, and what of the files goes there.

use std::cell::Cell;

use super::Site;
use super::table::Table;
use crate::model::{
    AeTitle, AttributeSet, AttributeTag, Destination, Direction, Endpoint, GateMode, Peer, RemoteAe, Route,
    RouteSource,
};

/// What stands for the site's default PACS.
const ME: &str = "$me";
const PORT: &str = "$port";

pub(super) fn read(index: usize, table: &Table<'_>, site: &Site) -> Option<Route> {
    let named = table.get("name").and_then(super::table::word);
    let name = named.map_or_else(|| format!("rule {}", index + 1), printable);
    let off = [table.switch_quiet("status"), table.switch_quiet("enabled")].contains(&Some(false));
    let rule = table.as_rule(name.clone(), off);
    // Asked again under the rule's name: what is wrong with them is told with it.
    rule.text("name", |_| Ok(()));
    rule.switch("status");
    rule.switch("enabled");
    let (called, calling) = (rule.pattern("AETitleIn"), rule.pattern("AETitleFrom"));
    let send = rule.text("RouteDirectory", |text| {
        match text.trim().to_ascii_uppercase().as_str() {
            "OUTPUT" | "" => Ok(Direction::Output),
            "INPUT" => Ok(Direction::Input),
            _ => Err("OUTPUT or INPUT".to_owned()),
        }
    });
    let last = rule.switch("break").unwrap_or_default();
    let mut to = Vec::new();
    match rule.tables("send") {
        None => rule.warn("send", "is missing: the rule sends nothing"),
        Some(sends) => {
            for send in &sends {
                destinations(send, site, &mut to);
            }
        }
    }
    rule.warn_unknown();
    Some(Route {
        name,
        source: RouteSource::RoutingJson,
        enabled: !off,
        called,
        calling,
        send: send.unwrap_or_default(),
        to,
        last,
        // The original has no gate, and no key for one.
        gate: GateMode::default(),
    })
}

/// A name on one line, not too long.
fn printable(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(200).collect::<String>().trim().to_owned()
}

/// One object of `send`: each key is a pattern, each value a destination.
fn destinations<'a>(send: &Table<'a>, site: &Site, to: &mut Vec<Destination>) {
    for (word, value) in send.entries() {
        let Some(object) = value.as_object() else {
            send.error(word, "has to be an object: a destination");
            continue;
        };
        let outcome = send.compiled(word, word);
        let table = send.below(word, object);
        to.extend(destination(&table, site).map(|d| Destination { outcome, ..d }));
    }
}

fn destination(table: &Table<'_>, site: &Site) -> Option<Destination> {
    let meant = Cell::new(false);
    let pacs = || {
        meant.set(true);
        site.default_pacs
            .as_ref()
            .ok_or("stands for the site's default PACS: name a [[remote_ae]] as default_pacs in [routing]")
            .map_err(str::to_owned)
    };
    let host = table.text("IP", |text| match text.trim() {
        ME => Ok(split(&pacs()?.address).0.to_owned()),
        host => host_name(host),
    });
    let port = table.text("PORT", |text| match text.trim() {
        PORT => Ok(split(&pacs()?.address).1.to_owned()),
        port => match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port.to_string()),
            _ => Err("a port from 1 to 65535, or $port".to_owned()),
        },
    });
    let title = |text: &str| AeTitle::parse(text).map_err(|error| error.to_string());
    let (calling, ae_title) = (table.text("AETitleSender", title), table.text("AETitleTo", title));
    for key in ["IP", "PORT", "AETitleSender", "AETitleTo"] {
        if table.get(key).is_none() {
            table.error(key, "is missing");
        }
    }
    let known = match (&host, &port, &ae_title) {
        (Some(host), Some(port), Some(ae_title)) => {
            known(table, site, meant.get(), &format!("{host}:{port}"), ae_title)
        }
        _ => None,
    };
    let stops = table.switch("break").unwrap_or_default();
    let which = which(table);
    let error_report = table.switch("sendErrorAsDcm").unwrap_or_default();
    table.warn_unknown();
    Some(Destination {
        outcome: None,
        peer: match known {
            Some(remote) => Peer::Named(remote.ae_title.clone()),
            None => Peer::Given(RemoteAe::plain(
                ae_title?,
                format!("{}:{}", host?, port?),
                calling?,
            )),
        },
        which,
        stops,
        error_report,
    })
}

/// The remote AE of the configuration that a destination means, where that is called over TLS: it is not called without by a
/// rule that says less.
fn known<'s>(
    table: &Table<'_>,
    site: &'s Site,
    default: bool,
    address: &str,
    ae_title: &AeTitle,
) -> Option<&'s RemoteAe> {
    let place = Endpoint::of(address);
    let there = |remote: &&RemoteAe| remote.tls.is_some() && Endpoint::of(&remote.address) == place;
    let default = site.default_pacs.iter().filter(|_| default);
    let all: Vec<_> = default.chain(&site.remote_aes).filter(there).collect();
    let meant = all.iter().find(|remote| remote.ae_title == *ae_title);
    if let (None, Some(other)) = (meant, all.first()) {
        table.error(
            "AETitleTo",
            &format!(
                "{address} is called over TLS: it has to be its AE title, {}",
                other.ae_title
            ),
        );
    }
    meant.copied()
}

/// Host and port of an address that the configuration checked.
fn split(address: &str) -> (&str, &str) {
    address.rsplit_once(':').unwrap_or((address, ""))
}

fn host_name(host: &str) -> Result<String, String> {
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(format!("[{host}]"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
        return Err("a host's name or address, or $me".to_owned());
    }
    Ok(host.to_owned())
}

/// The attribute sets; absent: every file goes.
fn which(table: &Table<'_>) -> Option<Vec<AttributeSet>> {
    let sets = table.tables("which")?;
    if sets.is_empty() {
        table.warn("which", "is empty: no file goes there");
    }
    let read = sets.iter().map(|set| {
        let mut patterns = Vec::new();
        for (key, value) in set.entries() {
            match AttributeTag::parse(key) {
                Ok(tag) => patterns.extend(set.pattern_of(key, value).map(|pattern| (tag, pattern))),
                Err(error) => set.error(key, &error.to_string()),
            }
        }
        AttributeSet(patterns)
    });
    Some(read.collect())
}
