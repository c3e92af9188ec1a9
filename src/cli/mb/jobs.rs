//! The jobs of machines as `getScratch.php` lists them, and which of them are meant.

use anyhow::{Result, anyhow, bail};
use regex::Regex;
use serde_json::{Map, Value};

use super::machines::Machine;

/// The longest name of a job that becomes part of a file's name.
const LONGEST_NAME: usize = 100;

/// A job of a machine.
pub(super) struct Job<'m> {
    /// Where it is.
    pub machine: &'m Machine,
    /// What the machine says of it.
    pub fields: Map<String, Value>,
}

/// A pattern of people, with what is wrong with it.
///
/// # Errors
/// It is none.
pub(super) fn regex(pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|error| anyhow!("{pattern:?} is no regular expression: {error}"))
}

/// All jobs of a machine, newest first.
///
/// # Errors
/// What the machine says, naming it.
pub(super) fn jobs(machine: &Machine) -> Result<Vec<Job<'_>>> {
    let Value::Array(jobs) = machine.question("getScratch.php")? else {
        bail!("{} gave no list of jobs: is that a MagickBox?", machine.title());
    };
    let read = |job: Value| match job {
        Value::Object(fields) => Some(Job { machine, fields }),
        _ => None,
    };
    Ok(jobs.into_iter().filter_map(read).collect())
}

/// Those that match.
///
/// # Errors
/// As [`jobs`].
pub(super) fn matching<'m>(machine: &'m Machine, regex: &Regex) -> Result<Vec<Job<'m>>> {
    let mut jobs = jobs(machine)?;
    jobs.retain(|job| job.matches(regex));
    Ok(jobs)
}

impl Job<'_> {
    /// Whether a text of it matches; what lies deeper does not count.
    pub fn matches(&self, regex: &Regex) -> bool {
        let texts = self.fields.values().filter_map(Value::as_str);
        texts.into_iter().any(|text| regex.is_match(text))
    }

    /// A text of it.
    pub fn text(&self, key: &str) -> &str {
        self.fields.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The name of its directory, fit for a URL and for the name of a file.
    ///
    /// # Errors
    /// It has none, or one that could lead elsewhere.
    pub fn scratchdir(&self) -> Result<&str> {
        self.name("scratchdir")
    }

    /// Its number, fit for a URL and for the name of a file.
    ///
    /// # Errors
    /// As [`Job::scratchdir`].
    pub fn pid(&self) -> Result<&str> {
        self.name("pid")
    }

    fn name(&self, key: &str) -> Result<&str> {
        let name = self.text(key);
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty()
            || name.len() > LONGEST_NAME
            || name.starts_with(['.', '-'])
            || !name.chars().all(fits)
        {
            bail!(
                "{} lists a job with {key} {name:?}, which is no name",
                self.machine.title()
            );
        }
        Ok(name)
    }

    /// As it is printed: what the machine says, and which machine.
    pub fn printed(&self) -> Value {
        let mut fields = self.fields.clone();
        fields.insert("Machine".to_owned(), self.machine.name.clone().into());
        fields.insert("Port".to_owned(), self.machine.port.clone().into());
        Value::Object(fields)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::node_client::NodeClient;
    use serde_json::json;

    pub fn machine() -> Machine {
        Machine {
            name: "m".to_owned(),
            port: "1".to_owned(),
            node: NodeClient::new("http://m:1"),
            time: std::time::Duration::from_secs(1),
        }
    }

    fn job(machine: &Machine, fields: Value) -> Job<'_> {
        let fields = fields.as_object().cloned().unwrap();
        Job { machine, fields }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_no_name() {
        let machine = machine();
        for name in ["../x", "a/b", "", ".hidden", "-rf", "a b", "a\u{1b}[m", "ä"] {
            let job = job(&machine, json!({ "scratchdir": name, "pid": name }));
            assert!(job.scratchdir().is_err() && job.pid().is_err(), "{name:?}");
        }
        let job = job(&machine, json!({ "scratchdir": "tmp.aB3", "pid": "tmp.12" }));
        assert_eq!(
            (job.scratchdir().unwrap(), job.pid().unwrap()),
            ("tmp.aB3", "tmp.12")
        );
    }

    #[test]
    fn texts_of_the_first_level_are_matched_and_nothing_else() {
        let machine = machine();
        let job = job(
            &machine,
            json!({ "a": "Sep 1", "n": 42, "measures": { "x": "deep" } }),
        );
        assert!(job.matches(&regex("^Sep").unwrap()));
        assert!(!job.matches(&regex("42|deep").unwrap()));
    }
}
