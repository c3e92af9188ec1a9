//! Files of a pushed set that are no objects: from their place in the set's directory into INPUT, and into a job that is
//! made from it. Links, no copies.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::files;
use crate::model::{Job, JobId, Layout, Place};
use crate::store::{Store, StoreError};

use super::{StageError, io};

/// The name of their directory in the one of their set.
const NAME: &str = "others";

/// Whether an entry of a set's directory is the one of these files.
pub(super) fn is_directory_of_others(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == NAME)
}

/// Links them into INPUT. May be repeated.
pub(super) fn lay_out(layout: &Layout, job: &Job) -> Result<(), StageError> {
    let from = layout.path(Place::Others(&job.stream, &job.id));
    let input = layout.path(Place::Input(&job.stream, &job.id));
    for file in below(&from).map_err(io("read the files of a push"))? {
        link(&from.join(&file), &input.join(&file))?;
    }
    Ok(())
}

/// Removes them from where they were before they were laid out.
pub(super) fn remove(layout: &Layout, job: &Job) -> Result<(), StageError> {
    files::remove_directory(&layout.path(Place::Others(&job.stream, &job.id)))
        .map_err(io("remove files of a push that are laid out"))
}

/// Links those of a job into the set of a later one, wherever they are; `objects`: names in INPUT of what is none of them.
pub(super) fn inherit(
    layout: &Layout,
    from: &Job,
    to: &JobId,
    objects: &HashSet<String>,
) -> Result<(), StageError> {
    let target = layout.path(Place::Others(&from.stream, to));
    let sources = [
        layout.path(Place::Others(&from.stream, &from.id)),
        layout.path(Place::Input(&from.stream, &from.id)),
    ];
    for source in &sources {
        for file in below(source).map_err(io("read the files of a push"))? {
            if file.to_str().is_some_and(|name| objects.contains(name)) {
                continue;
            }
            link(&source.join(&file), &target.join(&file))?;
        }
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> Result<(), StageError> {
    files::make_directory(to.parent().unwrap_or(Path::new("/"))).map_err(io("make a directory of a push"))?;
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io("link a file of a push")(error)),
        _ => files::sync_directory(to.parent().unwrap_or(Path::new("/")))
            .map_err(io("sync a directory of a push")),
    }
}

/// The regular files below a directory, relative to it; none where there is no such directory.
fn below(root: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut directories) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(directory) = directories.pop() {
        for path in files::entries(&root.join(&directory))? {
            let Some(name) = path.file_name() else { continue };
            let (kind, relative) = (path.symlink_metadata()?.file_type(), directory.join(name));
            if kind.is_dir() {
                directories.push(relative);
            } else if kind.is_file() {
                found.push(relative);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file of a job's input, wherever it is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Laid {
    /// Its name below INPUT.
    pub name: String,
    /// Where it is, or was when this was asked.
    pub path: PathBuf,
}

/// What a job has or will have in INPUT, by name.
///
/// # Errors
/// What store and disk say.
pub fn inputs(layout: &Layout, store: &Store, job: &Job) -> Result<Vec<Laid>, StoreError> {
    let set = layout.path(Place::Set(&job.stream, &job.id));
    let input = layout.path(Place::Input(&job.stream, &job.id));
    let beside = layout.path(Place::LeftOut(&job.stream, &job.id));
    let mut found: Vec<Laid> = Vec::new();
    for row in store.instances(&job.id)?.into_iter().filter(|row| row.current) {
        let name = format!("{}.dcm", row.sop_instance_uid);
        if beside.join(&name).exists() {
            continue;
        }
        let (laid_out, before) = (input.join(&name), set.join(&row.file));
        let path = if laid_out.exists() { laid_out } else { before };
        found.push(Laid { name, path });
    }
    let known: HashSet<String> = found.iter().map(|laid| laid.name.clone()).collect();
    for root in [input, layout.path(Place::Others(&job.stream, &job.id))] {
        let files = below(&root).map_err(|error| StoreError::State(format!("read INPUT: {error}")))?;
        for file in files {
            let Some(name) = file.to_str().filter(|name| !known.contains(*name)) else {
                continue;
            };
            found.push(Laid {
                name: name.to_owned(),
                path: root.join(&file),
            });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.name == b.name);
    Ok(found)
}
