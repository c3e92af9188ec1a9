//! A job's objects as its bucket sees them.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::files;
use crate::model::{Job, Layout, Place};
use crate::store::{InstanceRow, Store};

use super::{StageError, io, others};

/// Lays a frozen set out: `INPUT/<SOP Instance UID>.dcm` for the current objects, `left-out/` for those of series that are
/// in `left_out`, `replaced/` for those that a later one took the place of. Hard links, no copies. May be repeated after a
/// crash at any point, and with another word on what is left out.
///
/// # Errors
/// [`StageError::Missing`] when objects of the store are not on the disk: the job is not whole. [`StageError`] when disk or
/// store do not answer; what was laid out so far stays.
pub fn lay_out(
    layout: &Layout,
    store: &Store,
    job: &Job,
    left_out: &HashSet<String>,
) -> Result<(), StageError> {
    let set = layout.path(Place::Set(&job.stream, &job.id));
    let input = layout.path(Place::Input(&job.stream, &job.id));
    let beside = layout.path(Place::LeftOut(&job.stream, &job.id));
    let replaced = layout.path(Place::Replaced(&job.stream, &job.id));
    files::make_directory(&input).map_err(io("make INPUT"))?;
    let instances = store.instances(&job.id)?;
    let mut missing = 0_usize;
    // Only where some were left out is there anything that another word could bring back.
    let was_sorted = !left_out.is_empty() || beside.exists();
    for instance in &instances {
        let source = set.join(&instance.file);
        let name = format!("{}.dcm", instance.sop_instance_uid);
        let there = match (instance.current, left_out.contains(&instance.series_instance_uid)) {
            (false, _) => link_into(&replaced, &[&source], &instance.file)?,
            (true, true) => link_into(&beside, &[&source, &input.join(&name)], &name)?,
            (true, false) => link_into(&input, &[&source, &beside.join(&name)], &name)?,
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
    if beside.exists() {
        files::sync_directory(&beside).map_err(io("sync left-out"))?;
    }
    crate::failpoint::reach("objects-linked");
    for instance in instances.iter().filter(|i| i.current && was_sorted) {
        let other = if left_out.contains(&instance.series_instance_uid) {
            &input
        } else {
            &beside
        };
        let former = other.join(format!("{}.dcm", instance.sop_instance_uid));
        files::remove_file(&former).map_err(io("remove an object from where it was sorted to before"))?;
    }
    // From here on this is where the objects are. A file that is not ours, of an object that came while the set froze,
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

/// Where an object may be, in the order in which it goes from one place to the next.
pub(super) fn places(layout: &Layout, job: &Job, instance: &InstanceRow) -> Vec<PathBuf> {
    places_of(
        layout,
        job,
        &instance.file,
        &instance.sop_instance_uid,
        instance.current,
    )
}

/// The same, by the name of its file in the set's directory.
pub(super) fn places_of(
    layout: &Layout,
    job: &Job,
    file: &str,
    sop_instance_uid: &str,
    current: bool,
) -> Vec<PathBuf> {
    let at = |place| layout.path(place);
    let set = at(Place::Set(&job.stream, &job.id)).join(file);
    if !current {
        return vec![set, at(Place::Replaced(&job.stream, &job.id)).join(file)];
    }
    let name = format!("{sop_instance_uid}.dcm");
    let input = at(Place::Input(&job.stream, &job.id)).join(&name);
    // Laid out anew it may go from either to the other.
    let beside = at(Place::LeftOut(&job.stream, &job.id)).join(name);
    vec![set, input.clone(), beside, input]
}

/// Links the first source that is there, unless an earlier try has done it; answers whether the object is there now.
fn link_into(directory: &Path, sources: &[&Path], name: &str) -> Result<bool, StageError> {
    let target = directory.join(name);
    for source in sources {
        match fs::hard_link(source, &target) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound && source.exists() => {
                files::make_directory(directory).map_err(io("make a directory of the job"))?;
                fs::hard_link(source, &target).map_err(io("link an object of a job"))?;
                return Ok(true);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io("link an object of a job")(error)),
        }
    }
    Ok(target.exists())
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
