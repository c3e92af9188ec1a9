//! Why a push is refused: hostile and damaged zips by name.

use std::io;

use super::super::StageError;
use super::name::NameError;

/// Why a push did not become a job. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    // The sender's.
    /// It is not a zip, or a damaged one.
    #[error("the file is no zip that can be read: {0}")]
    NoZip(&'static str),
    /// It needs a password.
    #[error("the zip is encrypted: send it without a password")]
    Encrypted,
    /// It is packed in another way.
    #[error("the zip is packed by method {0}: only stored (0) and deflate (8) are read")]
    Method(u16),
    /// A name could act in a path.
    #[error("the entry {entry}: {why}")]
    Name {
        /// Its name, made harmless.
        entry: String,
        /// What is wrong with it.
        why: NameError,
    },
    /// A link, a device, a pipe.
    #[error("the entry {entry} is neither a file nor a directory")]
    Kind {
        /// Its name, made harmless.
        entry: String,
    },
    /// A name is there twice, or two would be one file.
    #[error("the entry {entry} is there twice, or two entries would be one file")]
    Duplicate {
        /// Its name, made harmless.
        entry: String,
    },
    /// What comes out is not what went in.
    #[error("the entry {entry} is damaged: {why}")]
    Damaged {
        /// Its name, made harmless.
        entry: String,
        /// How that shows.
        why: String,
    },
    /// No file at all.
    #[error("there is no file in the zip")]
    Empty,
    /// More entries than may be.
    #[error("the zip has more than {most} entries")]
    TooMany {
        /// So many may be.
        most: u64,
    },
    /// More comes out than may.
    #[error("what is in the zip has more than {limit} bytes: raise [http] largest_unpacked")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// A few bytes that become many.
    #[error("what is in the zip is more than {most} times as large as the zip: it is taken for a bomb")]
    Ratio {
        /// So many times.
        most: u64,
    },
    /// Its bucket is gone.
    #[error("no bucket is installed for this AE title any more")]
    NoBucket,

    // Ours.
    /// The disk has to stay free for studies.
    #[error("the node's disk has room for {room} more bytes beside what it keeps free, {bytes} are needed")]
    NoRoom {
        /// Needed.
        bytes: u64,
        /// There is.
        room: u64,
    },
    /// Disk, store, queue.
    #[error(transparent)]
    Stage(#[from] StageError),
}

impl PushError {
    pub(super) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Stage(StageError::Io { action, source })
    }
}

impl From<crate::store::StoreError> for PushError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Stage(error.into())
    }
}
