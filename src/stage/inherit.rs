//! A later job gets the objects of an earlier one: hard links, no copies, and the earlier one's files stay as they are.
//!
//! First the links, then the rows. Cut off in between, the links are found by the next start and removed, since their
//! names are no proof (see [`file_name`](super::file_name)): nothing is lost, the objects are where they came from.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::files;
use crate::model::{Job, JobId, Layout, Place};
use crate::store::{InheritedRow, Store};

use super::file_name::inherited_name;
use super::input::places_of;
use super::{StageError, io, others};

/// Which objects of an earlier job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// The current one of each SOP Instance UID.
    Current,
    /// Those that were replaced too: everything it received.
    All,
}

/// Links the objects of an earlier job into the set directory of a later one, but for those whose SOP Instance UIDs are in
/// `without`, and makes the links last. Both jobs are of one stream. Answers the rows to insert.
///
/// The earlier job may be laid out at this very moment. An object that is nowhere is answered all the same: its row
/// without a file is found when the later job is laid out, and then that job says so. May be repeated.
///
/// # Errors
/// [`StageError`] when disk or store do not answer; links that were made are removed by [`disinherit`] or the next start.
pub fn inherit(
    layout: &Layout,
    store: &Store,
    from: &Job,
    to: &JobId,
    versions: Versions,
    without: &HashSet<String>,
) -> Result<Vec<InheritedRow>, StageError> {
    let mut rows = store.inheritance(&from.id, inherited_name)?;
    rows.retain(|row| (row.current || versions == Versions::All) && !without.contains(&row.sop_instance_uid));
    let target = layout.path(Place::Set(&from.stream, to));
    files::make_directory(&target).map_err(io("make the directory of a set"))?;
    let mut missing = 0_usize;
    for row in &rows {
        let sources = places_of(layout, from, &row.from_file, &row.sop_instance_uid, row.current);
        if !link_one_of(&sources, &target.join(&row.file))? {
            missing += 1;
        }
    }
    if versions == Versions::All {
        let laid_out = rows.iter().map(|row| format!("{}.dcm", row.sop_instance_uid));
        others::inherit(layout, from, to, &laid_out.collect())?;
    }
    files::sync_directory(&target).map_err(io("sync the directory of a set"))?;
    if missing > 0 {
        tracing::error!(job.id = %from.id, missing, "objects of an earlier job are not on the disk");
    }
    Ok(rows)
}

/// Links the first that is there; it may go from one place to a later one meanwhile.
fn link_one_of(sources: &[PathBuf], target: &PathBuf) -> Result<bool, StageError> {
    for source in sources {
        match fs::hard_link(source, target) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io("link an object of an earlier job")(error)),
        }
    }
    Ok(false)
}

/// Removes links of [`inherit`] that got no row; `with_row`: those that did. The directory stays.
///
/// # Errors
/// [`StageError::Io`]; the next start removes what is left.
pub fn disinherit(
    layout: &Layout,
    from: &Job,
    to: &JobId,
    rows: &[InheritedRow],
    with_row: &HashSet<String>,
) -> Result<(), StageError> {
    let set = layout.path(Place::Set(&from.stream, to));
    for row in rows.iter().filter(|row| !with_row.contains(&row.file)) {
        files::remove_file(&set.join(&row.file)).map_err(io("remove a link to an object"))?;
    }
    Ok(())
}
