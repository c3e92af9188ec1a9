//! What a bucket asks for in its info.json and what a site overrides (spec folder, bucket.md).

use std::time::Duration;

use serde_json::Value;

use super::bucket::{Complete, Level, Network, Resources, Root};
use super::classify::Accept;
use super::deviation::Capability;
use super::keep::Keep;
use super::priority::Priority;
use super::reader::Reader;
use super::report::Report;

/// How a bucket is run: info.json's optional keys, overridden by the site's.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `resources`
    pub resources: Resources,
    /// `parallel`: runs of this bucket at once, 1 to 1000. Default 1.
    pub parallel: u32,
    /// `timeout`: wall clock of one run. Default 6 h.
    pub timeout: Duration,
    /// `network`
    pub network: Network,
    /// `user`: `uid:gid`; absent: the image's root.
    pub user: Option<String>,
    /// `root`: what it may do with its root file system. Default `writable`.
    pub root: Root,
    /// `capabilities`: what its root may do beyond writing what is not its own and giving files away. Default: nothing.
    pub capabilities: Vec<Capability>,
    /// `complete`
    pub complete: Complete,
    /// `priority`: how soon its jobs are wanted. Default `normal`.
    pub priority: Priority,
    /// `arguments`: default for the arguments of a submission.
    pub arguments: Option<String>,
    /// `keep`: how long the files of its jobs are kept after their end, `"30d"` or `"forever"`; absent: as the node's
    /// `[storage] keep` says. With `forever`, they are not removed to make room either.
    pub keep: Option<Keep>,
    /// `accept`: which series belong in its input; absent: all.
    pub accept: Option<Accept>,
    /// `report`: what the node makes of the declared measures. Default nothing.
    pub report: Report,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resources: Resources::default(),
            parallel: 1,
            timeout: Duration::from_secs(6 * 3600),
            network: Network::None,
            user: None,
            root: Root::Writable,
            capabilities: Vec::new(),
            complete: Complete::default(),
            priority: Priority::Normal,
            arguments: None,
            keep: None,
            accept: None,
            report: Report::None,
        }
    }
}

impl Settings {
    /// Reads the settings' keys of a table; what is absent keeps its default.
    #[must_use]
    pub fn read(reader: &Reader<'_>) -> Self {
        let default = Self::default();
        let resources = reader.table("resources");
        let complete = reader.table("complete");
        let settings = Self {
            resources: read_resources(&resources),
            parallel: reader
                .whole("parallel", 1..=1000)
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(default.parallel),
            timeout: reader.duration("timeout").unwrap_or(default.timeout),
            network: reader
                .word(
                    "network",
                    &[Network::None, Network::Bridge].map(|n| (n.word(), n)),
                )
                .unwrap_or(default.network),
            user: reader.text("user", parse_user),
            root: reader
                .word("root", &[Root::Writable, Root::ReadOnly].map(|r| (r.word(), r)))
                .unwrap_or(default.root),
            capabilities: reader
                .list("capabilities", Capability::parse)
                .unwrap_or(default.capabilities),
            complete: read_complete(&complete),
            priority: reader
                .word("priority", &Priority::ALL.map(|p| (p.word(), p)))
                .unwrap_or(default.priority),
            arguments: reader.text("arguments", |text| {
                if text.contains('\0') {
                    Err("must not hold a NUL")
                } else {
                    Ok(text.to_owned())
                }
            }),
            keep: reader.text("keep", Keep::parse),
            accept: Accept::read(reader),
            report: reader
                .word("report", &Report::ALL.map(|r| (r.word(), r)))
                .unwrap_or(default.report),
        };
        resources.deny_unknown();
        complete.deny_unknown();
        settings
    }
}

fn read_resources(reader: &Reader<'_>) -> Resources {
    let default = Resources::default();
    Resources {
        cpus: reader.number("cpus").unwrap_or(default.cpus),
        memory: reader.bytes("memory").unwrap_or(default.memory),
        gpus: reader
            .whole("gpus", 0..=64)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(default.gpus),
        shm: reader.bytes("shm").unwrap_or(default.shm),
        output: reader.bytes("output").unwrap_or(default.output),
        files: reader.whole("files", 1..=1_000_000).unwrap_or(default.files),
        scratch: reader.bytes("scratch").unwrap_or(default.scratch),
    }
}

fn read_complete(reader: &Reader<'_>) -> Complete {
    let default = Complete::default();
    let levels = [
        ("series", Level::Series),
        ("study", Level::Study),
        ("patient", Level::Patient),
    ];
    Complete {
        level: reader.word("level", &levels).unwrap_or(default.level),
        quiet: reader.duration("quiet").unwrap_or(default.quiet),
        cap: reader.duration("cap").unwrap_or(default.cap),
    }
}

fn parse_user(text: &str) -> Result<String, &'static str> {
    let numeric =
        |part: &str| !part.is_empty() && part.len() < 10 && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once(':') {
        Some((uid, gid)) if numeric(uid) && numeric(gid) => Ok(text.to_owned()),
        _ => Err("a user is written as two numbers, \"uid:gid\""),
    }
}

/// Lays a site's keys over a bucket's, table by table: the site wins.
#[must_use]
pub fn overlay(bucket: &Value, site: &Value) -> Value {
    match (bucket, site) {
        (Value::Object(bucket), Value::Object(site)) => {
            let mut merged = bucket.clone();
            for (key, value) in site {
                let below = merged
                    .get(key)
                    .map_or_else(|| value.clone(), |b| overlay(b, value));
                merged.insert(key.clone(), below);
            }
            Value::Object(merged)
        }
        (_, site) => site.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> (Settings, Vec<String>) {
        let findings = RefCell::default();
        let settings = Settings::read(&Reader::new(value.as_object().unwrap(), &findings));
        (
            settings,
            findings.into_inner().iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn absent_keys_have_the_contracts_defaults() {
        let (settings, findings) = read(&json!({ "name": "anything else is left alone" }));
        assert_eq!(settings, Settings::default());
        assert_eq!(findings, Vec::<String>::new());
    }

    #[test]
    fn every_wrong_key_is_found_at_once_with_what_is_allowed() {
        let (_, findings) = read(&json!({
            "resources": { "cpus": 0, "memory": "much", "gpu": 1 }, "parallel": 0, "timeout": "soon",
            "network": "host", "user": "root", "root": "none", "capabilities": ["SYS_ADMIN"], "complete": { "level": "image" }
        }));
        let all = findings.join("\n");
        for expected in [
            "resources.cpus: a number greater than 0",
            "resources.memory: an amount of memory",
            "resources.gpu: unknown key; allowed here: cpus, memory, gpus, shm, output, files, scratch",
            "parallel: a whole number from 1 to 1000",
            "timeout: \"soon\": a length of time",
            "network: \"host\": one of: none, bridge",
            "user: \"root\": a user is written",
            "root: \"none\": one of: writable, read-only",
            "capabilities[0]: \"SYS_ADMIN\": one of: FSETID, IPC_LOCK, KILL",
            "complete.level: \"image\": one of: series, study, patient",
        ] {
            assert!(all.contains(expected), "{expected} not in\n{all}");
        }
    }

    #[test]
    fn the_site_wins_key_by_key() {
        let bucket = json!({ "resources": { "cpus": 2, "memory": "1GiB" }, "timeout": "1h" });
        let (settings, _) = read(&overlay(
            &bucket,
            &json!({ "resources": { "memory": "2GiB" }, "parallel": 3 }),
        ));
        assert_eq!(settings.resources.memory, 2 << 30);
        assert!((settings.resources.cpus - 2.0).abs() < f64::EPSILON);
        assert_eq!(settings.parallel, 3);
        assert_eq!(settings.timeout, Duration::from_secs(3600));
    }
}
