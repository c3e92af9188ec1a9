//! A job's objects as its bucket sees them.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::files;
use crate::model::{Job, Layout, Place};
use crate::store::Store;

use super::{StageError, io, others};

/// Lays a frozen set out: `INPUT/<SOP Instance UID>.dcm` for the current objects, `replaced/` for those that a later
/// one took the place of. Hard links, no copies. May be repeated after a crash at any point.
///
/// # Errors
/// [`StageError::Missing`] when objects of the store are not on the disk: the job is not whole. [`StageError`] when disk or
/// store do not answer; what was laid out so far stays.
pub fn lay_out(layout: &Layout, store: &Store, job: &Job) -> Result<(), StageError> {
    let set = layout.path(Place::Set(&job.stream, &job.id));
    let input = layout.path(Place::Input(&job.stream, &job.id));
    let replaced = layout.path(Place::Replaced(&job.stream, &job.id));
    files::make_directory(&input).map_err(io("make INPUT"))?;
    let instances = store.instances(&job.id)?;
    let mut missing = 0_usize;
    for instance in &instances {
        let source = set.join(&instance.file);
        let there = if instance.current {
            link(&source, &input.join(format!("{}.dcm", instance.sop_instance_uid)))?
        } else {
            files::make_directory(&replaced).map_err(io("make replaced"))?;
            link(&source, &replaced.join(&instance.file))?
        };
        missing += usize::from(!there);
    }
    if missing > 0 {
        // A part of a study must not pass for all of it.
        let of = instances.len();
        return Err(StageError::Missing { missing, of });
    }
    others::lay_out(layout, job)?;
    files::sync_directory(&input).map_err(io("sync INPUT"))?;
    crate::failpoint::reach("objects-linked");
    // From here on INPUT is where the objects are. A file that is not ours, of an object that came while the set froze,
    // is on its way to another set: the directory then stays for the next start to sweep.
    for instance in &instances {
        files::remove_file(&set.join(&instance.file)).map_err(io("remove an object that is laid out"))?;
    }
    others::remove(layout, job)?;
    if let Err(error) = fs::remove_dir(&set) {
        tracing::debug!(%error, "remove the directory of a set");
    }
    Ok(())
}

/// Links, unless an earlier try has done it; answers whether the object is there now.
fn link(source: &Path, target: &Path) -> Result<bool, StageError> {
    match fs::hard_link(source, target) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(target.exists()),
        Err(error) => Err(io("link an object into INPUT")(error)),
    }
}

/// Makes an empty `OUTPUT/`: what an attempt that was lost left there is no result.
///
/// # Errors
/// [`StageError::Io`].
pub fn clear_output(layout: &Layout, job: &Job) -> Result<(), StageError> {
    let output = layout.path(Place::Output(&job.stream, &job.id));
    files::remove_directory(&output).map_err(io("empty OUTPUT"))?;
    files::make_directory(&output).map_err(io("make OUTPUT"))
}
