//! One job: its objects wherever they are now, its results by its record.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;

use crate::engine::output;
use crate::files;
use crate::model::{JobState, Layout, Place};
use crate::stage::{hash_in, hash_of};
use crate::store::{KeptJob, KeptObject, StoreReader};

use super::{Finding, Problem};

/// What one look at a job saw.
#[derive(Default)]
pub(super) struct Seen {
    pub objects: u64,
    pub outputs: u64,
    pub bytes: u64,
    pub findings: Vec<Finding>,
    job: String,
}

impl Seen {
    fn find(&mut self, file: impl Into<String>, problem: Problem, text: &'static str) {
        self.findings.push(Finding {
            job: self.job.clone(),
            file: file.into(),
            problem,
            text,
        });
    }
}

pub(super) fn check(layout: &Layout, store: &StoreReader, job: &KeptJob) -> Result<Seen> {
    let mut seen = Seen {
        job: job.id.to_string(),
        ..Seen::default()
    };
    if job.removed {
        still_there(layout, job, &mut seen);
        return Ok(seen);
    }
    objects(layout, store.objects(job)?, job, &mut seen);
    if matches!(job.state, JobState::Delivering | JobState::Done) {
        outputs(layout, job, &mut seen);
    }
    Ok(seen)
}

/// A removal that was cut off is finished by the running node.
fn still_there(layout: &Layout, job: &KeptJob, seen: &mut Seen) {
    let (stream, id) = (&job.stream, &job.id);
    for (file, place) in [("", Place::Job(stream, id)), ("set/", Place::Set(stream, id))] {
        if layout.path(place).exists() {
            let text = "files of a job that was removed; the running node removes them";
            seen.find(file, Problem::Unknown, text);
        }
    }
}

/// Before it is laid out an object is in the set's directory, then in INPUT, in left-out if its bucket does not accept it,
/// or, if a later one took its place, in replaced; in between it has both names.
fn objects(layout: &Layout, rows: Vec<KeptObject>, job: &KeptJob, seen: &mut Seen) {
    let (stream, id) = (&job.stream, &job.id);
    let set = layout.path(Place::Set(stream, id));
    let input = layout.path(Place::Input(stream, id));
    let beside = layout.path(Place::LeftOut(stream, id));
    let replaced = layout.path(Place::Replaced(stream, id));
    let mut known: HashSet<String> = HashSet::new();
    for row in &rows {
        let name = format!("{}.dcm", row.sop_instance_uid);
        let laid_out = if row.current {
            vec![
                (beside.join(&name), format!("left-out/{name}")),
                (input.join(&name), format!("INPUT/{name}")),
            ]
        } else {
            vec![(replaced.join(&row.file), format!("replaced/{}", row.file))]
        };
        let before = (set.join(&row.file), format!("set/{}", row.file));
        let names: Vec<_> = std::iter::once(before).chain(laid_out).collect();
        let mut is_there = false;
        for (path, name) in &names {
            // Both names are of one file: it is read once.
            is_there = is_there || object(path, name, row, seen);
        }
        if !is_there {
            let name = names.last().map(|(_, name)| name.as_str()).unwrap_or_default();
            seen.find(name, Problem::Missing, "an object that was stored is not there");
        }
        seen.objects += 1;
        known.extend(names.into_iter().map(|(_, name)| name));
    }
    let pushed = others(&set, &input, &known);
    let (there, pushed) = (pushed.len() as u64, job.others);
    if pushed > there {
        let text = "files that were pushed with the objects are not there";
        seen.find("INPUT/", Problem::Missing, text);
    } else if pushed > 0 && pushed < there {
        let text = "more files beside the objects than were pushed";
        seen.find("INPUT/", Problem::Unknown, text);
    }
    // What was pushed beside the objects has no row each: it is counted.
    for (directory, prefix, takes_others) in [
        (&set, "set", true),
        (&input, "INPUT", true),
        (&beside, "left-out", false),
        (&replaced, "replaced", false),
    ] {
        if job.others == 0 || !takes_others {
            strangers(directory, prefix, &known, seen);
        }
    }
}

/// The names of the files of a push that are no objects, before it is laid out or after.
fn others(set: &Path, input: &Path, known: &HashSet<String>) -> HashSet<PathBuf> {
    let mut found = HashSet::new();
    for root in [set.join("others").as_path(), input] {
        let mut directories = vec![root.to_path_buf()];
        while let Some(directory) = directories.pop() {
            for path in files::entries(&directory).unwrap_or_default() {
                let Ok(name) = path.strip_prefix(root) else {
                    continue;
                };
                if path.is_dir() && !path.is_symlink() {
                    directories.push(path);
                } else if !known.contains(&format!("INPUT/{}", name.display())) {
                    found.insert(name.to_owned());
                }
            }
        }
    }
    found
}

/// Checks one name of an object; answers whether there is such a file.
fn object(path: &Path, name: &str, row: &KeptObject, seen: &mut Seen) -> bool {
    match hash_of(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return false,
        Err(_) => seen.find(name, Problem::Unreadable, "it cannot be read"),
        Ok(None) => seen.find(name, Problem::Changed, "it is no DICOM file any more"),
        Ok(Some((hash, bytes))) => {
            seen.bytes += bytes;
            // Of two objects with one hash the later one has a row of its own hash; its name has the true one.
            let told = hash_in(&row.file).is_some_and(|named| named == hash);
            if bytes != row.bytes {
                seen.find(
                    name,
                    Problem::Changed,
                    "its length is not the one it was stored with",
                );
            } else if row.hash != hash && !told {
                seen.find(name, Problem::Changed, "its content is not what was stored");
            }
        }
    }
    true
}

/// Files that no row knows.
fn strangers(directory: &Path, prefix: &str, known: &HashSet<String>, seen: &mut Seen) {
    let Ok(entries) = files::entries(directory) else {
        seen.find(format!("{prefix}/"), Problem::Unreadable, "it cannot be read");
        return;
    };
    // Names that nobody here gave may say anything: they are counted.
    let mut nameless = 0;
    for entry in entries {
        let name = entry.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        // The copy of a result that is being written, or that is written again by the running node.
        let is_begun = prefix == "outgoing" && name.ends_with(".part");
        if is_begun || known.contains(&format!("{prefix}/{name}")) {
            continue;
        }
        let plain = name.strip_suffix(".dcm").unwrap_or(name);
        let is_ours = plain
            .chars()
            .all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | '-'));
        let shown = if is_ours {
            format!("{prefix}/{name}")
        } else {
            nameless += 1;
            format!("{prefix}/(unknown name {nameless})")
        };
        seen.find(shown, Problem::Unknown, "a file that has no row in the store");
    }
}

/// What record.json says of a run, as far as it is held against the disk.
#[derive(Deserialize)]
struct Record {
    attempt: u32,
    output: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    sop_instance_uid: Option<String>,
    file: String,
    bytes: u64,
    sha256: String,
}

impl Listed {
    /// Names of results may be a patient's.
    fn shown(&self, place: usize) -> String {
        let uid = self.sop_instance_uid.as_ref();
        let uid = uid.map(|uid| format!(" ({uid})")).unwrap_or_default();
        format!("OUTPUT, record.json output[{place}]{uid}")
    }
}

fn outputs(layout: &Layout, job: &KeptJob, seen: &mut Seen) {
    let (stream, id) = (&job.stream, &job.id);
    let record = match std::fs::read(layout.path(Place::Record(stream, id))) {
        Ok(text) => {
            serde_json::from_slice::<Record>(&text).map_err(|_| (Problem::Changed, "it is no record"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err((Problem::Missing, "the record of the run is not there"))
        }
        Err(_) => Err((Problem::Unreadable, "it cannot be read")),
    };
    let record = match record {
        Ok(record) if record.attempt == job.attempt => record,
        // It is being run again.
        Ok(_) => return,
        Err((problem, text)) => return seen.find("record.json", problem, text),
    };
    let listing = match output::files(&layout.path(Place::Output(stream, id))) {
        Ok(listing) => listing.files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(_) => return seen.find("OUTPUT/", Problem::Unreadable, "it cannot be read"),
    };
    let mut there: HashMap<_, _> = listing.iter().map(|f| (f.path.as_str(), f)).collect();
    for (place, listed) in record.output.iter().enumerate() {
        seen.outputs += 1;
        match there.remove(listed.file.as_str()) {
            None => seen.find(
                listed.shown(place),
                Problem::Missing,
                "a result that was recorded is not there",
            ),
            Some(file) => {
                seen.bytes += file.bytes;
                if (file.bytes, &file.sha256) != (listed.bytes, &listed.sha256) {
                    let text = "its content is not what was recorded";
                    seen.find(listed.shown(place), Problem::Changed, text);
                }
            }
        }
    }
    let known = record
        .output
        .iter()
        .filter_map(|listed| listed.sop_instance_uid.as_ref());
    let known = known.map(|uid| format!("outgoing/{uid}.dcm")).collect();
    strangers(
        &layout.path(Place::Outgoing(stream, id)),
        "outgoing",
        &known,
        seen,
    );
    for number in 1..=there.len() {
        let file = format!("OUTPUT/(unknown name {number})");
        seen.find(file, Problem::Unknown, "a result that record.json does not have");
    }
}
