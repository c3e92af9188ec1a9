//! How a run ended: one total mapping from what is known to a word and a reason.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// The word for how a job ended: the `success` word of proc.json (spec folder, bucket.md).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `success`
    Success,
    /// `partial`
    Partial,
    /// `failed`
    Failed,
    /// `not accepted`: none of its series is what the bucket accepts; it was not run.
    NotAccepted,
    /// Any other word a bucket chose.
    Other(String),
}

impl Outcome {
    /// The outcome of that word; words are kept as written.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "success" => Self::Success,
            "partial" => Self::Partial,
            "failed" => Self::Failed,
            "not accepted" => Self::NotAccepted,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The word.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::NotAccepted => "not accepted",
            Self::Other(word) => word,
        }
    }

    /// The word as it may stand in a log: a bucket's own words may name a patient.
    #[must_use]
    pub const fn logged(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::NotAccepted => "not accepted",
            Self::Other(_) => "a word of the bucket's own",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What the engine knows about the end of a container.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ended {
    /// Exit status; `None` when the engine never told.
    pub exit_status: Option<i64>,
    /// The kernel killed a process of it for memory; possible with exit status 0.
    pub oom_killed: bool,
    /// Stopped by its time limit.
    pub timed_out: Option<Duration>,
    /// Why the node stopped it else: it wrote too much.
    pub stopped: Option<String>,
}

/// Outcome and reason of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The word.
    pub outcome: Outcome,
    /// Why, when it is not plain success.
    pub reason: Option<String>,
}

/// The longest word and message taken from a bucket, in characters.
const LONGEST_WORD: usize = 64;
const LONGEST_MESSAGE: usize = 1000;

impl Verdict {
    /// Decides from the end of the container, the memory limit in bytes, and proc.json if there was one.
    ///
    /// A container killed by the clock or by memory is `failed` whatever it wrote; otherwise proc.json's first
    /// entry counts; without one, exit status 0 is `success` and any other `failed`.
    #[must_use]
    pub fn decide(ended: &Ended, memory: u64, proc_json: Option<&Value>) -> Self {
        if let Some(limit) = ended.timed_out {
            return Self::failed(format!(
                "stopped by its time limit of {}",
                humantime::format_duration(limit)
            ));
        }
        if let Some(why) = &ended.stopped {
            return Self::failed(why.clone());
        }
        if ended.oom_killed {
            let limit = bytesize::ByteSize::b(memory).display().iec();
            return Self::failed(format!(
                "out of memory: a process was killed at the limit of {limit}"
            ));
        }
        if let Some((word, message)) = proc_json.and_then(first_entry) {
            let reason = if word == "success" { None } else { message };
            return Self {
                outcome: Outcome::from_word(&word),
                reason,
            };
        }
        match ended.exit_status {
            Some(0) => Self {
                outcome: Outcome::Success,
                reason: None,
            },
            Some(126 | 127) => Self::failed(format!(
                "exit status {}: /root/work.sh or what it calls is missing or not executable for this user",
                ended.exit_status.unwrap_or_default()
            )),
            Some(status) => Self::failed(format!("exit status {status}")),
            None => Self::failed("the container engine never told the exit status".to_owned()),
        }
    }

    const fn failed(reason: String) -> Self {
        Self {
            outcome: Outcome::Failed,
            reason: Some(reason),
        }
    }
}

/// `success` and `message` of the first entry, cut to what is sane.
fn first_entry(proc_json: &Value) -> Option<(String, Option<String>)> {
    let entry = proc_json
        .as_array()
        .map_or(Some(proc_json), |list| list.first())?;
    let word = printable(entry.get("success")?.as_str()?, LONGEST_WORD);
    let message = entry
        .get("message")
        .and_then(Value::as_str)
        .map(|m| printable(m, LONGEST_MESSAGE));
    (!word.is_empty()).then_some((word, message.filter(|m| !m.is_empty())))
}

fn printable(text: &str, longest: usize) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(longest)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ended(exit_status: i64) -> Ended {
        Ended {
            exit_status: Some(exit_status),
            ..Ended::default()
        }
    }

    #[test]
    fn without_proc_json_the_exit_status_decides() {
        assert_eq!(Verdict::decide(&ended(0), 0, None).outcome, Outcome::Success);
        let failed = Verdict::decide(&ended(3), 0, None);
        assert_eq!(failed.outcome, Outcome::Failed);
        assert_eq!(failed.reason.as_deref(), Some("exit status 3"));
        assert_eq!(
            Verdict::decide(&Ended::default(), 0, None).outcome,
            Outcome::Failed
        );
    }

    #[test]
    fn the_first_entry_of_proc_json_counts() {
        let proc = json!([{ "success": "partial", "message": "half\n of it" }, { "success": "success" }]);
        let verdict = Verdict::decide(&ended(0), 0, Some(&proc));
        assert_eq!(verdict.outcome, Outcome::Partial);
        assert_eq!(verdict.reason.as_deref(), Some("half of it"));
        let own = Verdict::decide(&ended(0), 0, Some(&json!([{ "success": "no lesion" }])));
        assert_eq!(own.outcome.word(), "no lesion");
    }

    #[test]
    fn what_was_killed_is_failed_whatever_it_wrote() {
        let proc = json!([{ "success": "success" }]);
        let clock = Ended {
            timed_out: Some(Duration::from_secs(5)),
            ..ended(0)
        };
        let verdict = Verdict::decide(&clock, 0, Some(&proc));
        assert_eq!(verdict.outcome, Outcome::Failed);
        assert!(verdict.reason.unwrap().contains("time limit of 5s"));
        let memory = Ended {
            oom_killed: true,
            ..ended(0)
        };
        let verdict = Verdict::decide(&memory, 64 << 20, Some(&proc));
        assert_eq!(verdict.outcome, Outcome::Failed);
        assert!(verdict.reason.unwrap().contains("out of memory"));
    }

    #[test]
    fn a_proc_json_of_another_shape_is_as_good_as_none() {
        for odd in [
            json!([]),
            json!({}),
            json!("success"),
            json!([{ "success": 1 }]),
            json!([{ "success": " " }]),
        ] {
            assert_eq!(
                Verdict::decide(&ended(0), 0, Some(&odd)).outcome,
                Outcome::Success,
                "{odd}"
            );
            assert_eq!(
                Verdict::decide(&ended(1), 0, Some(&odd)).outcome,
                Outcome::Failed,
                "{odd}"
            );
        }
    }
}
