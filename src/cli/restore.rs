//! `magickbox restore`: a backup becomes the store of a node that does not run.
//!
//! What happened after the backup is on the disk, but not in the store that comes back. Sets of objects that nobody
//! knows any more are noted in it, so that the next start takes them in; jobs that nobody knows are told: their files
//! stay where they are.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use super::backup::{self as copies, CONFIG, ROUTES, STORE};
use crate::dicom::header::HeaderScanner;
use crate::dicom::{part10, transfer_syntax};
use crate::files;
use crate::model::{AeTitle, JobId, Layout, Place, Timestamp};
use crate::node;
use crate::store::{NewJob, backup};

/// Bytes of a data set that are read for its study: the UIDs come first, in groups 0008 and 0020.
const BEGINNING: u64 = 1 << 20;

/// Bring the job store of a backup back; the node may not be running
#[derive(Args, Debug)]
pub struct Restore {
    /// Directory that `magickbox backup` made
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Configuration file of the node: the backup's is written there if there is none
    #[arg(long, env = "MAGICKBOX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory of the node [default: that of the configuration, /data]
    #[arg(long, env = "MAGICKBOX_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Take the place of a store and a configuration that are there; they are kept beside
    #[arg(long)]
    force: bool,
}

impl Restore {
    /// Restores, and tells what is on the disk but not in the backup.
    ///
    /// # Errors
    /// That the backup is not whole or of a newer version, that a node runs, that a store is there.
    pub fn run(self) -> Result<()> {
        let manifest = copies::open(&self.from)?;
        backup::inspect(&self.from.join(STORE))?;
        let read = match &self.config {
            Some(config) if config.exists() && !self.force => Some(config.clone()),
            Some(_) => Some(self.from.join(CONFIG)).filter(|c| c.exists()),
            None => None,
        };
        let layout = Layout::new(copies::data(read.as_deref(), self.data.clone())?);
        let _held = node::lock(&layout)?;
        let store = layout.path(Place::Store);
        ensure!(
            self.force || !store.exists(),
            "there is a job store {} already: --force puts the backup in its place and keeps it beside",
            store.display()
        );
        let beside = store.with_file_name(format!(".{STORE}.new"));
        for leftover in ["", "-wal", "-shm", "-journal"] {
            files::remove_file(&with_end(&beside, leftover))?;
        }
        fs::copy(self.from.join(STORE), &beside).context("copy the store")?;
        backup::migrate(&beside)?;
        let unknown = Unknown::find(&layout, &beside)?;
        backup::restored(&beside, &manifest.made_at).context("write to the audit trail")?;
        fs::File::open(&beside)?.sync_all()?;
        let at = Timestamp::now();
        put_in_place(&beside, &store, at)?;
        let rules = self.from.join(ROUTES);
        if rules.exists() {
            files::replace_file(&layout.path(Place::RoutesKept), &fs::read(rules)?)
                .context("write the routing rules that were in force")?;
            println!("routing rules: those in force then, until the node finds a routing.json");
        }
        println!(
            "{}: as it was at {}, {} jobs",
            store.display(),
            manifest.made_at,
            manifest.jobs
        );
        unknown.tell();
        self.restore_config(at)
    }

    fn restore_config(&self, at: Timestamp) -> Result<()> {
        let (from, Some(to)) = (self.from.join(CONFIG), &self.config) else {
            return Ok(());
        };
        if !from.exists() || to.exists() && (!self.force || fs::read(&from)? == fs::read(to)?) {
            return Ok(());
        }
        if to.exists() {
            fs::rename(to, with_end(to, &before(at)))?;
        }
        files::replace_file(to, &fs::read(from)?).with_context(|| format!("write {}", to.display()))?;
        println!("{}: as it was", to.display());
        Ok(())
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The end of the name of what was there.
fn before(at: Timestamp) -> String {
    format!(".before-{}", at.0)
}

/// The store that is there gets a second name, with the log that belongs to it, before its own goes to the backup. Cut
/// off in between, its whole self is there under that name, and the same can be done again with `--force`.
fn put_in_place(beside: &Path, store: &Path, at: Timestamp) -> Result<()> {
    let directory = store.parent().unwrap_or(Path::new("/"));
    let kept = with_end(store, &before(at));
    for end in ["", "-wal"] {
        let from = with_end(store, end);
        if from.exists() {
            fs::hard_link(&from, with_end(&kept, end)).context("keep the store that is there")?;
        }
    }
    files::sync_directory(directory)?;
    // A log that is not its own would be read into the new store.
    for end in ["-wal", "-shm"] {
        files::remove_file(&with_end(store, end))?;
    }
    files::sync_directory(directory)?;
    fs::rename(beside, store).context("put the store into its place")?;
    files::sync_directory(directory)?;
    if kept.exists() {
        println!("{}: the store that was there", kept.display());
    }
    Ok(())
}

/// What is on the disk of jobs that the backup does not know.
#[derive(Default)]
struct Unknown {
    /// Sets that the next start takes in.
    sets: usize,
    /// Jobs that had begun to run, or had ended: their directories.
    jobs: Vec<PathBuf>,
}

impl Unknown {
    /// Finds it, and notes the sets in the copy.
    fn find(layout: &Layout, copy: &Path) -> Result<Self> {
        let mut unknown = Self::default();
        for stream in files::entries(&layout.root().join("streams"))? {
            let Some(title) = stream_of(&stream) else { continue };
            for set in files::entries(&stream.join("incoming"))? {
                let Some(id) = job_of(&set) else { continue };
                let Some(study) = study_of(&set)? else { continue };
                if backup::knows(copy, &id)? {
                    continue;
                }
                let new = NewJob {
                    stream: title.clone(),
                    // A group of its own: several sets of one study may be among them.
                    group_key: format!("restored {id}"),
                    calling_ae_title: "UNKNOWN".to_owned(),
                    caller_address: "unknown".to_owned(),
                    study_instance_uid: study,
                    priority: crate::model::Priority::Normal,
                };
                backup::adopt(copy, &id, &new, Timestamp::now())?;
                unknown.sets += 1;
            }
            for job in files::entries(&stream.join("jobs"))? {
                let Some(id) = job_of(&job) else { continue };
                if !backup::knows(copy, &id)? {
                    unknown.jobs.push(job);
                }
            }
        }
        Ok(unknown)
    }

    fn tell(&self) {
        if self.sets > 0 {
            println!(
                "{} sets of objects came after the backup: the next start takes them in",
                self.sets
            );
        }
        if !self.jobs.is_empty() {
            println!(
                "{} jobs began after the backup; it does not know them, their files are there:",
                self.jobs.len()
            );
        }
        for job in &self.jobs {
            println!("  {}", job.display());
        }
    }
}

fn stream_of(directory: &Path) -> Option<AeTitle> {
    let encoded = directory.file_name()?.to_str()?.strip_prefix("bucket")?;
    let title = percent_encoding::percent_decode_str(encoded).decode_utf8().ok()?;
    AeTitle::parse(&title).ok()
}

fn job_of(directory: &Path) -> Option<JobId> {
    JobId::parse(directory.file_name()?.to_str()?).ok()
}

/// The Study Instance UID of the first object in a set that has one.
fn study_of(set: &Path) -> Result<Option<String>> {
    for file in files::entries(set)? {
        let Some((meta, offset)) = part10::read_head(&file)? else {
            continue;
        };
        let Some(encoding) = transfer_syntax::encoding(meta.transfer_syntax_uid.as_str()) else {
            continue;
        };
        let mut scanner = HeaderScanner::new(encoding);
        scanner.push(&beginning(&file, offset)?);
        if let Ok(header) = scanner.finish() {
            return Ok(Some(header.study_instance_uid.as_str().to_owned()));
        }
    }
    Ok(None)
}

/// What the UIDs of an object stand in.
fn beginning(file: &Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = fs::File::open(file)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(BEGINNING).read_to_end(&mut bytes)?;
    Ok(bytes)
}
