//! Jobs: one study through one stream.

use std::fmt;

use super::{AeTitle, JobState, Outcome, Priority, Timestamp};

/// A job's name: letters, digits, `.`, `_`, `-`; at most 64; the name of its directory and of its container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(String);

/// Why a text is no job name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job name is 1 to 64 of letters, digits, '.', '_', '-' and begins with a letter or digit")]
pub struct JobIdError;

impl JobId {
    /// A new name: the time of day it was given in UTC, then 32 random bits: `20261122-211814-9f3a61c0`.
    #[must_use]
    pub fn generate(at: Timestamp) -> Self {
        let t = at.to_date_time();
        let (random, ..) = uuid::Uuid::new_v4().as_fields();
        Self(format!(
            "{:04}{:02}{:02}-{:02}{:02}{:02}-{random:08x}",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        ))
    }

    /// Parses a name that came from outside.
    ///
    /// # Errors
    /// [`JobIdError`] when it is not a job name; whether such a job exists is another question.
    pub fn parse(text: &str) -> Result<Self, JobIdError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if starts && text.len() <= 64 && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(JobIdError)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job as it stands in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// The stream it runs through.
    pub stream: AeTitle,
    /// What its objects have in common: a study, series or (hashed) patient.
    pub group_key: String,
    /// Where it stands.
    pub state: JobState,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
    /// Why it did not succeed, for people; never a patient's attribute.
    pub reason: Option<String>,
    /// The calling AE title of its first object, as given.
    pub calling_ae_title: String,
    /// The address of that peer.
    pub caller_address: String,
    /// Study Instance UID of its first object.
    pub study_instance_uid: String,
    /// Objects in it.
    pub instances: u64,
    /// Their data sets in bytes.
    pub bytes: u64,
    /// First object.
    pub received_at: Timestamp,
    /// Last object.
    pub last_object_at: Timestamp,
    /// When it was complete.
    pub queued_at: Option<Timestamp>,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When the container of that attempt ended.
    pub run_ended_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Runs begun: 0 before the first.
    pub attempt: u32,
    /// The image of its last attempt, `sha256:…`.
    pub image: Option<String>,
    /// Exit status of the container.
    pub exit_status: Option<i64>,
    /// Whether the kernel killed a process of it for memory.
    pub oom_killed: bool,
    /// Whether its time limit stopped it.
    pub timed_out: bool,
    /// Highest memory use seen, in bytes.
    pub peak_memory: Option<u64>,
    /// `arguments` of the submission.
    pub arguments: Option<String>,
    /// How soon it is wanted.
    pub priority: Priority,
    /// The job that has its objects, and more of them or once more.
    pub superseded_by: Option<String>,
    /// The job whose objects it began with.
    pub made_from: Option<String>,
    /// Why the node stopped its container, but for the time limit.
    pub stopped_why: Option<String>,
    /// When its files were removed.
    pub removed_at: Option<Timestamp>,
    /// Why they were.
    pub removed_why: Option<String>,
}

impl Job {
    /// A study that comes from a peer on this machine, before its first object.
    #[must_use]
    pub fn of_study(
        id: JobId,
        stream: AeTitle,
        study_instance_uid: &str,
        calling: &str,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            stream,
            group_key: study_instance_uid.to_owned(),
            state: JobState::Receiving,
            outcome: None,
            reason: None,
            calling_ae_title: calling.to_owned(),
            caller_address: "127.0.0.1".to_owned(),
            study_instance_uid: study_instance_uid.to_owned(),
            instances: 0,
            bytes: 0,
            received_at: at,
            last_object_at: at,
            queued_at: None,
            started_at: None,
            run_ended_at: None,
            ended_at: None,
            attempt: 0,
            image: None,
            exit_status: None,
            oom_killed: false,
            timed_out: false,
            peak_memory: None,
            arguments: None,
            priority: Priority::default(),
            superseded_by: None,
            made_from: None,
            stopped_why: None,
            removed_at: None,
            removed_why: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_name_parses_and_two_differ() {
        let (a, b) = (
            JobId::generate(Timestamp::now()),
            JobId::generate(Timestamp::now()),
        );
        assert_eq!(JobId::parse(a.as_str()), Ok(a.clone()));
        assert_ne!(a, b);
    }

    #[test]
    fn names_that_could_act_in_a_path_are_refused() {
        for bad in ["", ".", "..", "a/b", "a b", "-rf", "ä", "a%2f"] {
            assert_eq!(JobId::parse(bad), Err(JobIdError), "{bad}");
        }
    }
}
