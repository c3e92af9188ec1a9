//! What is in a data directory of the original. Reading only: nothing in it is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::engine::output;
use crate::files;
use crate::model::{AeTitle, Ended, JobId, Timestamp, Verdict};

use super::image::image_of;

/// The largest info.json, proc.json or work.sh that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Streams that the original's own machinery has.
const MACHINERY: [&str; 2] = ["bucket01", "bucket02"];

/// A data directory of the original.
#[derive(Debug)]
pub struct Tree {
    /// Its installed buckets.
    pub streams: Vec<Stream>,
    /// Directories of buckets that have no AE title to be called by.
    pub nameless: Vec<String>,
    /// Its routing rules.
    pub routing: Option<PathBuf>,
    /// Its classification rules.
    pub rules: Option<PathBuf>,
    /// Its jobs that are over, oldest first.
    pub jobs: Vec<FoundJob>,
    /// Jobs that are not over, or whose papers cannot be read.
    pub without_end: usize,
}

/// An installed bucket of the original.
#[derive(Debug)]
pub struct Stream {
    /// The AE title.
    pub ae_title: AeTitle,
    /// Whether its info.json has it enabled.
    pub enabled: bool,
    /// The image, as its work.sh names it.
    pub image: Option<String>,
    /// What it has kept between runs.
    pub memory: Option<PathBuf>,
    /// Its measures plugin, which that node ran itself.
    pub plugin: Option<PathBuf>,
}

/// A job that is over.
#[derive(Debug)]
pub struct FoundJob {
    /// Its directory.
    pub directory: PathBuf,
    /// The name it gets.
    pub id: JobId,
    /// The AE title it was sent to.
    pub stream: AeTitle,
    /// Who sent it.
    pub calling: String,
    /// From where.
    pub address: String,
    /// When it came.
    pub received_at: Timestamp,
    /// When it was over.
    pub ended_at: Timestamp,
    /// How.
    pub verdict: Verdict,
}

impl Tree {
    /// Reads what is there.
    ///
    /// # Errors
    /// That the directory is none of the original, or cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        let streams = root.join("streams");
        ensure!(
            streams.is_dir() && root.join("scratch").is_dir(),
            "{} is no data directory of the original: it has no streams/ and scratch/",
            root.display()
        );
        let code = root.join("code");
        let mut tree = Self {
            streams: Vec::new(),
            nameless: Vec::new(),
            routing: first_file(&[code.join("bin/routing.json"), root.join("routing.json")]),
            rules: first_file(&[code.join("bin/classifyRules.json")]),
            jobs: Vec::new(),
            without_end: 0,
        };
        for directory in sorted(&streams)? {
            let Some(of_name) = name(&directory)
                .strip_prefix("bucket")
                .filter(|_| directory.is_dir())
            else {
                continue;
            };
            if MACHINERY.contains(&name(&directory)) {
                continue;
            }
            match stream(&directory, of_name, &code) {
                Some(stream) => tree.streams.push(stream),
                None => tree.nameless.push(name(&directory).to_owned()),
            }
        }
        for directory in sorted(&root.join("scratch"))? {
            let name = name(&directory);
            // One without its paper was a job too.
            let is_job =
                directory.join("info.json").is_file() || (name.starts_with("tmp.") && directory.is_dir());
            if !is_job {
                continue;
            }
            match job(&directory, name) {
                Some(job) => tree.jobs.push(job),
                None => tree.without_end += 1,
            }
        }
        tree.jobs.sort_by_key(|job| (job.received_at, job.id.clone()));
        Ok(tree)
    }
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = files::entries(directory).with_context(|| format!("read {}", directory.display()))?;
    entries.sort();
    Ok(entries)
}

fn first_file(candidates: &[PathBuf]) -> Option<PathBuf> {
    candidates.iter().find(|path| path.is_file()).cloned()
}

fn json(path: &Path) -> Option<Value> {
    let bytes = output::read_small(path, LARGEST).ok()??;
    serde_json::from_slice(&bytes).ok()
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn stream(directory: &Path, of_name: &str, code: &Path) -> Option<Stream> {
    let info = json(&directory.join("info.json")).unwrap_or_default();
    let told = info.get("AETitle").and_then(Value::as_str).unwrap_or(of_name);
    let work = output::read_small(&directory.join("work.sh"), LARGEST)
        .ok()
        .flatten();
    let memory = directory.join("memory");
    Some(Stream {
        ae_title: AeTitle::parse(told).ok()?,
        enabled: !matches!(info.get("enabled"), Some(Value::Bool(false))) && !is_zero(info.get("enabled")),
        image: work.and_then(|script| image_of(&String::from_utf8_lossy(&script))),
        memory: memory.is_dir().then_some(memory),
        plugin: files::entries(&code.join("php/db-plugins").join(of_name))
            .ok()
            .and_then(|found| found.into_iter().find(|path| path.is_file())),
    })
}

fn is_zero(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.as_f64() == Some(0.0) || value.as_str() == Some("0"))
}

/// A job is over once proc.json is there: it was that system's last word.
fn job(directory: &Path, name: &str) -> Option<FoundJob> {
    let info_path = directory.join("info.json");
    let info = json(&info_path)?;
    let text = |key: &str| {
        let told = info.get(key).and_then(Value::as_str).unwrap_or_default();
        let plain = told.trim().trim_matches('"').trim();
        plain
            .chars()
            .filter(|c| !c.is_control())
            .take(64)
            .collect::<String>()
    };
    let proc_path = directory.join("proc.json");
    let proc = json(&proc_path)?;
    let changed = changed(&info_path)?;
    let received_at = received(&text("received"), changed);
    let ended = Ended {
        exit_status: Some(0),
        ..Ended::default()
    };
    Some(FoundJob {
        // The rest of `tmp.XXXXXXXXXX`, so that its old name leads to it.
        id: JobId::parse(name.strip_prefix("tmp.").unwrap_or(name)).ok()?,
        stream: AeTitle::parse(&text("AETitleCalled")).ok()?,
        calling: text("AETitleCaller"),
        address: text("CallerIP"),
        received_at,
        ended_at: changed_after(&proc_path, received_at, changed),
        verdict: Verdict::decide(&ended, 0, Some(&proc)),
        directory: directory.to_owned(),
    })
}

fn changed(path: &Path) -> Option<Timestamp> {
    Some(OffsetDateTime::from(fs::metadata(path).ok()?.modified().ok()?).into())
}

/// How far a zone may put a clock off, with some to spare.
const ZONES: Duration = Duration::from_secs(26 * 3600);

/// When a job came: the file that says so was written then. Where the file's own time was lost in a copy, what it says
/// counts, as if it were UTC: names of zones are ambiguous.
fn received(told: &str, changed: Timestamp) -> Timestamp {
    let words: Vec<_> = told.split_whitespace().collect();
    // `Mon Jan  5 10:11:12 PST 2015`
    let [_, month, day, clock, .., year] = words.as_slice() else {
        return changed;
    };
    let format = format_description!(
        "[year]-[month repr:short]-[day padding:none] [hour padding:none]:[minute]:[second]"
    );
    match PrimitiveDateTime::parse(&format!("{year}-{month}-{day} {clock}"), format) {
        Ok(at) if is_far(at.assume_utc().into(), changed) => at.assume_utc().into(),
        _ => changed,
    }
}

fn is_far(a: Timestamp, b: Timestamp) -> bool {
    a.since(b).max(b.since(a)) > ZONES
}

/// When a job was over, by the time of its last file; if those times were lost, when it came.
fn changed_after(last: &Path, received_at: Timestamp, info_changed: Timestamp) -> Timestamp {
    match changed(last) {
        Some(at) if !is_far(info_changed, received_at) => at.max(received_at),
        _ => received_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_came_when_its_file_was_written_or_else_when_it_says() {
        let at = |text: &str| {
            let parsed = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339);
            Timestamp::from(parsed.unwrap())
        };
        let written = at("2015-01-05T18:11:12Z");
        for (told, expected) in [
            ("Mon Jan  5 10:11:12 PST 2015", written),
            ("Mon Jan  5 18:11:12 UTC 2015", written),
            ("Mon Jan  5 10:11:12 PST 2014", at("2014-01-05T10:11:12Z")),
            ("Sun Feb 30 10:11:12 PST 2014", written),
            ("yesterday", written),
            ("", written),
        ] {
            assert_eq!(received(told, written), expected, "{told}");
        }
    }
}
