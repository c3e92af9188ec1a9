//! `magickbox backup`: store and configuration, as they are at one moment, while the node runs.
//!
//! A backup is a directory: `magickbox.sqlite`, `magickbox.toml` where there is a configuration file, `routing.json` where
//! rules of one were in force, and `manifest.json`, which says what they are. It does not have the objects of jobs, nor keys and certificates that the
//! configuration names: those are files, and the site's own backup of files has them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::files;
use crate::model::{Layout, Place, Timestamp};
use crate::store::backup;

/// Copy job store and configuration into a new directory, while the node runs or not
#[derive(Args, Debug)]
pub struct Backup {
    /// Directory to be made for the copy; it may not exist yet
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// Configuration file of the node
    #[arg(long, env = "MAGICKBOX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory of the node [default: that of the configuration, /data]
    #[arg(long, env = "MAGICKBOX_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

/// The store in a backup.
pub(super) const STORE: &str = "magickbox.sqlite";
/// The configuration in a backup.
pub(super) const CONFIG: &str = "magickbox.toml";
/// The routing rules in a backup.
pub(super) const ROUTES: &str = "routing.json";
/// What says of a backup what it is.
const MANIFEST: &str = "manifest.json";

/// What a backup is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Version of the program that made it.
    pub version: String,
    /// When, RFC 3339.
    pub made_at: String,
    /// Version of the store's schema.
    pub schema: i64,
    /// Jobs in the store.
    pub jobs: u64,
    /// Objects in the store.
    pub instances: u64,
    /// SHA-256 of each file, by its name.
    pub sha256: BTreeMap<String, String>,
}

impl Backup {
    /// Makes the backup: whole, under its name, or not at all.
    ///
    /// # Errors
    /// That `DIR` exists, that there is no store, what the store or the disk says.
    pub fn run(self) -> Result<()> {
        let data = data(self.config.as_deref(), self.data)?;
        let layout = Layout::new(data);
        let store = layout.path(Place::Store);
        ensure!(
            store.exists(),
            "there is no job store {}: --data or --config says where the node has it",
            store.display()
        );
        let to = std::path::absolute(&self.to)?;
        ensure!(
            !to.exists(),
            "{} exists already: give a backup a directory of its own",
            to.display()
        );
        let parent = to.parent().unwrap_or(Path::new("/"));
        files::make_directory(parent).with_context(|| format!("make {}", parent.display()))?;
        // Removed with all that is in it, unless it gets its name.
        let beside = Beside::new(&to)?;
        let manifest = fill(&beside.0, &layout, self.config.as_deref())?;
        sync(&beside.0).context("sync the backup")?;
        fs::rename(&beside.0, &to).with_context(|| format!("name the backup {}", to.display()))?;
        files::sync_directory(parent)?;
        println!(
            "{}: {} jobs, {} objects, schema {}",
            to.display(),
            manifest.jobs,
            manifest.instances,
            manifest.schema
        );
        Ok(())
    }
}

/// The data directory, from the command line or else from the configuration.
pub(super) fn data(config: Option<&Path>, data: Option<PathBuf>) -> Result<PathBuf> {
    let data = match data {
        Some(data) => data,
        None => Config::load(config)?.data,
    };
    Ok(std::path::absolute(data)?)
}

/// A directory beside the one to be, on the same file system.
struct Beside(PathBuf);

impl Beside {
    fn new(to: &Path) -> Result<Self> {
        let name = to.file_name().context("a backup has a name")?.to_string_lossy();
        let path = to.with_file_name(format!(".{name}.{}.new", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Gone once it was renamed.
        let _ = files::remove_directory(&self.0);
    }
}

fn fill(directory: &Path, layout: &Layout, config: Option<&Path>) -> Result<Manifest> {
    let copy = directory.join(STORE);
    let copied = backup::copy(&layout.path(Place::Store), &copy)?;
    let mut sha256 = BTreeMap::from([(STORE.to_owned(), hash(&copy)?)]);
    let rules = Some(layout.path(Place::RoutesKept)).filter(|rules| rules.exists());
    for (name, from) in [(CONFIG, config), (ROUTES, rules.as_deref())] {
        let Some(from) = from else { continue };
        let copy = directory.join(name);
        fs::copy(from, &copy).with_context(|| format!("copy {}", from.display()))?;
        sha256.insert(name.to_owned(), hash(&copy)?);
    }
    let manifest = Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: serde_json::to_value(Timestamp::now())?
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        schema: copied.schema,
        jobs: copied.jobs,
        instances: copied.instances,
        sha256,
    };
    fs::write(directory.join(MANIFEST), serde_json::to_vec_pretty(&manifest)?)?;
    Ok(manifest)
}

fn sync(directory: &Path) -> std::io::Result<()> {
    for file in files::entries(directory)? {
        File::open(file)?.sync_all()?;
    }
    files::sync_directory(directory)
}

fn hash(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("read {}", path.display()))?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut HashWriter(&mut hash))?;
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads a backup's manifest and holds every file against it.
///
/// # Errors
/// That there is none, or which file is not what was backed up.
pub(super) fn open(directory: &Path) -> Result<Manifest> {
    let path = directory.join(MANIFEST);
    let text = fs::read(&path).with_context(|| format!("read {}: is it a backup?", path.display()))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))?;
    for (name, expected) in &manifest.sha256 {
        // A name, never a path: the manifest may have come from anywhere.
        if ![STORE, CONFIG, ROUTES].contains(&name.as_str()) {
            bail!("{} names {name:?}, which no backup has", path.display());
        }
        ensure!(
            hash(&directory.join(name))? == *expected,
            "{} is not what was backed up: its hash differs",
            directory.join(name).display()
        );
    }
    ensure!(
        manifest.sha256.contains_key(STORE),
        "{} names no store",
        path.display()
    );
    Ok(manifest)
}
