//! What the series of a job are, written down beside its input: `series/<Series Instance UID>.json`.

use std::fs;
use std::io::{ErrorKind, Read};

use crate::files;
use crate::model::{Job, Layout, Place, Uid};

use super::super::{StageError, io};
use super::SeriesView;

/// The largest such file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Writes one file a series.
pub(super) fn write(layout: &Layout, job: &Job, series: &[SeriesView]) -> Result<(), StageError> {
    let directory = layout.path(Place::Series(&job.stream, &job.id));
    files::make_directory(&directory).map_err(io("make the directory of the series' files"))?;
    for (place, one) in series.iter().enumerate() {
        // It was parsed before it was stored; nothing becomes part of a path unparsed.
        let Ok(uid) = Uid::parse(one.uid().as_bytes()) else {
            tracing::warn!(job.id = %job.id, place, "a series has no UID to name its file by");
            continue;
        };
        let mut text = serde_json::to_vec_pretty(one).unwrap_or_default();
        text.push(b'\n');
        files::replace_file(&directory.join(format!("{uid}.json")), &text)
            .map_err(io("write what a series is"))?;
    }
    Ok(())
}

/// Reads what was written, by UID; `None` where nothing was.
pub(super) fn read(layout: &Layout, job: &Job) -> Result<Option<Vec<SeriesView>>, StageError> {
    let directory = layout.path(Place::Series(&job.stream, &job.id));
    let mut paths = files::entries(&directory).map_err(io("read the directory of the series' files"))?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    let mut series = Vec::new();
    for path in paths {
        let mut text = Vec::new();
        match fs::File::open(&path).and_then(|file| file.take(LARGEST).read_to_end(&mut text)) {
            Ok(_) => series.extend(serde_json::from_slice(&text).ok().and_then(SeriesView::from_json)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io("read what a series is")(error)),
        }
    }
    Ok((!series.is_empty()).then_some(series))
}

/// The series of a job that its bucket did not accept.
///
/// # Errors
/// What the disk says.
pub fn left_out(layout: &Layout, job: &Job) -> Result<Vec<SeriesView>, StageError> {
    let mut series = read(layout, job)?.unwrap_or_default();
    series.retain(SeriesView::is_left_out);
    Ok(series)
}
