//! Why an upload does not go on.

use std::io;

use crate::model::UploadId;

/// Why an upload does not go on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    // The client's.
    /// There is none of that name.
    #[error("there is no upload {0} (any more): begin again")]
    NoSuch(UploadId),
    /// It is somewhere else.
    #[error("the upload goes on at {expected}, not at {offset}")]
    Offset {
        /// Where the client wanted to go on.
        offset: u64,
        /// Where it goes on.
        expected: u64,
    },
    /// It is larger than may be.
    #[error("an upload has at most {limit} bytes here: raise [http] largest_upload")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// It is shorter or longer than it should be.
    #[error("{there} bytes are there, {expected} should be: send the rest, or begin again")]
    Incomplete {
        /// So many.
        there: u64,
        /// Of so many.
        expected: u64,
    },
    /// It is not what was sent.
    #[error("its sha256 is {found}, not {expected}: begin again")]
    Differs {
        /// Of what is on the disk.
        found: String,
        /// What the client says.
        expected: String,
    },
    /// Somebody else sends it.
    #[error("another client sends this upload")]
    TakenOver,
    /// Somebody works on it.
    #[error("this upload is being worked on: try again in a moment")]
    Busy,
    /// There are too many.
    #[error("{most} uploads are under way already: try again later")]
    TooMany {
        /// So many.
        most: usize,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// Nothing came for too long.
    #[error("nothing came for {0} s")]
    Silent(u64),

    // Ours.
    /// The disk has to stay free for studies.
    #[error(
        "the node's disk has room for {room} more bytes beside what it keeps free for studies, {bytes} are needed"
    )]
    NoRoom {
        /// Needed.
        bytes: u64,
        /// There is.
        room: u64,
    },
    /// The disk did not take it.
    #[error("write the upload: {0}")]
    Io(#[from] io::Error),
}
