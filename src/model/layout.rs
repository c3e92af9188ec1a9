//! Every path of the data directory, from one enum: nothing a peer sent becomes part of a path unparsed.

use std::path::{Path, PathBuf};

use super::{AeTitle, JobId, UploadId};

/// A place in the data directory (spec folder, bucket.md, "On the node").
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The job store.
    Store,
    /// The routing.json that was in force last.
    RoutesKept,
    /// Held by the node that runs on this directory.
    Lock,
    /// Who that is and where it listens.
    NodeFile,
    /// What the node did when it called a bucket.
    BucketLog(&'a AeTitle),
    /// The older half of it.
    BucketLogBefore(&'a AeTitle),
    /// What clients upload.
    Uploads,
    /// What has come of an upload so far.
    Upload(&'a UploadId),
    /// What an upload is to be.
    UploadInfo(&'a UploadId),
    /// Pushes on their way in.
    Spool,
    /// Everything of one stream.
    Stream(&'a AeTitle),
    /// The installed bucket's self-description.
    BucketInfo(&'a AeTitle),
    /// What the bucket sees as `/memory`.
    Memory(&'a AeTitle),
    /// Objects of which the end has not come yet: `*.part`.
    Parts(&'a AeTitle),
    /// The objects of a set that is not complete, and later versions' earlier ones.
    Set(&'a AeTitle, &'a JobId),
    /// Files of a pushed set that are no objects, until it is laid out.
    Others(&'a AeTitle, &'a JobId),
    /// Everything of one job.
    Job(&'a AeTitle, &'a JobId),
    /// What it received, as the bucket sees it.
    Input(&'a AeTitle, &'a JobId),
    /// Objects that were replaced by a later one of the same SOP Instance UID.
    Replaced(&'a AeTitle, &'a JobId),
    /// Objects of series that its bucket does not accept.
    LeftOut(&'a AeTitle, &'a JobId),
    /// What its series are: one file each.
    Series(&'a AeTitle, &'a JobId),
    /// The end of its log as images, where a route asks for it.
    Report(&'a AeTitle, &'a JobId),
    /// What the bucket left behind.
    Output(&'a AeTitle, &'a JobId),
    /// Copies of results with the gate's repairs: what is sent. Made again where they are gone.
    Outgoing(&'a AeTitle, &'a JobId),
    /// Who sent what.
    JobInfo(&'a AeTitle, &'a JobId),
    /// How it ended, as the original wrote it.
    ProcJson(&'a AeTitle, &'a JobId),
    /// stdout and stderr of the bucket.
    ProcessingLog(&'a AeTitle, &'a JobId),
    /// What reproduces the run.
    Record(&'a AeTitle, &'a JobId),
    /// What the bucket measured.
    Measures(&'a AeTitle, &'a JobId),
}

/// The data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout(PathBuf);

impl Layout {
    /// The layout below a root; absolute, since the container engine needs absolute paths.
    #[must_use]
    pub const fn new(root: PathBuf) -> Self {
        Self(root)
    }

    /// The root itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Where a place is.
    #[must_use]
    pub fn path(&self, place: Place<'_>) -> PathBuf {
        let stream = |title: &AeTitle| self.0.join("streams").join(format!("bucket{}", title.encoded()));
        let job = |title: &AeTitle, id: &JobId| stream(title).join("jobs").join(id.as_str());
        match place {
            Place::Store => self.0.join("store/magickbox.sqlite"),
            Place::RoutesKept => self.0.join("store/routing.json"),
            Place::Lock => self.0.join("run/lock"),
            Place::NodeFile => self.0.join("run/node.json"),
            Place::BucketLog(title) => self.0.join("logs").join(format!("bucket{}.log", title.encoded())),
            Place::BucketLogBefore(title) => self
                .0
                .join("logs")
                .join(format!("bucket{}.log.1", title.encoded())),
            Place::Uploads => self.0.join("uploads"),
            Place::Upload(id) => self.0.join("uploads").join(format!("{id}.part")),
            Place::UploadInfo(id) => self.0.join("uploads").join(format!("{id}.json")),
            Place::Spool => self.0.join("spool"),
            Place::Stream(title) => stream(title),
            Place::BucketInfo(title) => stream(title).join("info.json"),
            Place::Memory(title) => stream(title).join("memory"),
            Place::Parts(title) => stream(title).join("incoming/.parts"),
            Place::Set(title, id) => stream(title).join("incoming").join(id.as_str()),
            Place::Others(title, id) => stream(title).join("incoming").join(id.as_str()).join("others"),
            Place::Job(title, id) => job(title, id),
            Place::Input(title, id) => job(title, id).join("INPUT"),
            Place::Replaced(title, id) => job(title, id).join("replaced"),
            Place::LeftOut(title, id) => job(title, id).join("left-out"),
            Place::Series(title, id) => job(title, id).join("series"),
            Place::Report(title, id) => job(title, id).join("report"),
            Place::Output(title, id) => job(title, id).join("OUTPUT"),
            Place::Outgoing(title, id) => job(title, id).join("outgoing"),
            Place::JobInfo(title, id) => job(title, id).join("info.json"),
            Place::ProcJson(title, id) => job(title, id).join("proc.json"),
            Place::ProcessingLog(title, id) => job(title, id).join("processing.log"),
            Place::Record(title, id) => job(title, id).join("record.json"),
            Place::Measures(title, id) => job(title, id).join("measures.json"),
        }
    }
}
