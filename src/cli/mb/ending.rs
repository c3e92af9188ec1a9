//! How a run of `mb` ends: the exit status, and errors as people read them.

use std::process::ExitCode;

use crate::cli::node_client::NotReached;
use crate::cli::text::plain;
use crate::dicom::scu::ScuError;

/// What the exit status tells; the worst of what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// All of it was done.
    Done = 0,
    /// No job matched.
    NothingMatched = 6,
    /// A job that was waited for did not end well.
    JobFailed = 5,
    /// A file was refused or not sent.
    FileRefused = 4,
    /// A machine did not answer; the others did.
    NoAnswer = 3,
    /// Something else went wrong.
    Failed = 1,
}

/// What `--help` says of it.
pub(super) const EXIT_STATUS: &str = "\
Exit status:
  0  all of it was done
  1  something went wrong; stderr says what and on which machine
  2  the command line is wrong
  3  a machine did not answer in time; stderr names it, the others have been asked
  4  push --dicom: a file was refused or not sent; stderr has the table
  5  push --wait, watch: a job did not end well
  6  pull, pull-input, remove, watch, log -f: no job matches";

impl Ending {
    /// The worse of two.
    pub fn and(self, other: Self) -> Self {
        // Declared from good to bad.
        let rank = |ending: Self| match ending {
            Self::Done => 0,
            Self::NothingMatched => 1,
            Self::JobFailed => 2,
            Self::FileRefused => 3,
            Self::NoAnswer => 4,
            Self::Failed => 5,
        };
        if rank(other) > rank(self) { other } else { self }
    }

    /// What an error comes to.
    pub fn of(error: &anyhow::Error) -> Self {
        let silent = |cause: &(dyn std::error::Error + 'static)| {
            cause.is::<NotReached>() || matches!(cause.downcast_ref(), Some(ScuError::Connect { .. }))
        };
        if error.chain().any(silent) {
            Self::NoAnswer
        } else {
            Self::Failed
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending as u8)
    }
}

/// Prints an error: a node's words are in it, so nothing that steers a terminal.
pub(super) fn complain(error: &anyhow::Error) {
    warn(&format!("{error:#}"));
}

/// Prints a line of ours on stderr, whoever had a hand in it.
pub(super) fn warn(text: &str) {
    for line in text.lines() {
        eprintln!("mb: {}", plain(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_what_happened_counts() {
        assert_eq!(Ending::Done.and(Ending::JobFailed), Ending::JobFailed);
        assert_eq!(Ending::NoAnswer.and(Ending::JobFailed), Ending::NoAnswer);
        assert_eq!(Ending::NoAnswer.and(Ending::Failed), Ending::Failed);
        assert_eq!(Ending::NothingMatched.and(Ending::Done), Ending::NothingMatched);
    }

    #[test]
    fn help_tells_every_exit_status() {
        for ending in [
            Ending::Done,
            Ending::Failed,
            Ending::NoAnswer,
            Ending::FileRefused,
            Ending::JobFailed,
            Ending::NothingMatched,
        ] {
            assert!(EXIT_STATUS.contains(&format!("\n  {}  ", ending as u8)));
        }
    }
}
