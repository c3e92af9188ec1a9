//! Reading settings key by key, with every finding kept: a person mends a file once, not once per mistake.

use std::cell::RefCell;
use std::fmt::Display;
use std::time::Duration;

use serde_json::{Map, Value};

/// One thing wrong with a file of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key it is about, `a.b.c`; `a[0].b` inside lists.
    pub path: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The longest time anything may be told to wait.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A table of settings that is read key by key.
///
/// A key that is absent or wrong reads as `None`; if wrong, a [`Finding`] is kept. [`Reader::deny_unknown`] finds
/// what nobody asked for.
pub struct Reader<'a> {
    map: Option<&'a Map<String, Value>>,
    path: String,
    known: RefCell<Vec<&'static str>>,
    findings: &'a RefCell<Vec<Finding>>,
}

impl<'a> Reader<'a> {
    /// A reader of a whole document.
    #[must_use]
    pub fn new(map: &'a Map<String, Value>, findings: &'a RefCell<Vec<Finding>>) -> Self {
        Self {
            map: Some(map),
            path: String::new(),
            known: RefCell::default(),
            findings,
        }
    }

    /// A reader of one value that has to be a table.
    #[must_use]
    pub fn of(value: &'a Value, path: String, findings: &'a RefCell<Vec<Finding>>) -> Self {
        let map = value.as_object();
        if map.is_none() {
            findings.borrow_mut().push(Finding {
                path: path.clone(),
                message: "has to be a table".into(),
            });
        }
        Self {
            map,
            path,
            known: RefCell::default(),
            findings,
        }
    }

    /// A key as it is written.
    pub fn raw(&self, key: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().push(key);
        self.map?.get(key)
    }

    fn join(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Keeps a finding about one of this table's keys.
    pub fn find(&self, key: &str, message: impl Into<String>) {
        self.findings.borrow_mut().push(Finding {
            path: self.join(key),
            message: message.into(),
        });
    }

    /// Reads a key with a parser of its own.
    pub fn get<T, E: Display>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, E>,
    ) -> Option<T> {
        parse(self.raw(key)?)
            .map_err(|error| self.find(key, error.to_string()))
            .ok()
    }

    /// Reads a text with a parser of its own.
    pub fn text<T, E: Display>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.get(key, |value| {
            let text = value
                .as_str()
                .ok_or_else(|| "has to be a text in quotes".to_owned())?;
            parse(text).map_err(|error| format!("{text:?}: {error}"))
        })
    }

    /// Reads one of a closed list of words.
    pub fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.text(key, |text| {
            let allowed = || words.iter().map(|(w, _)| *w).collect::<Vec<_>>().join(", ");
            let found = words.iter().find(|(word, _)| *word == text);
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| format!("one of: {}", allowed()))
        })
    }

    /// `true` or `false`.
    #[must_use]
    pub fn flag(&self, key: &'static str) -> Option<bool> {
        self.get(key, |value| value.as_bool().ok_or("true or false"))
    }

    /// Reads a length of time such as `15s`, `90m`, `1h 30m`; more than zero.
    pub fn duration(&self, key: &'static str) -> Option<Duration> {
        self.text(key, |text| {
            let how = "a length of time is written like \"15s\", \"90m\", \"6h\"";
            let time = humantime::parse_duration(text).map_err(|_| how)?;
            match time {
                Duration::ZERO => Err("has to be longer than nothing"),
                time if time > LONGEST => Err("has to be shorter than a year"),
                time => Ok(time),
            }
        })
    }

    /// Reads a number of bytes: a whole number, or a text such as `4GiB`; more than zero.
    pub fn bytes(&self, key: &'static str) -> Option<u64> {
        self.get(key, |value| {
            let parsed = match value {
                Value::Number(n) => n.as_u64(),
                Value::String(text) => text.parse::<bytesize::ByteSize>().ok().map(|b| b.0),
                _ => None,
            };
            parsed
                .filter(|b| *b > 0)
                .ok_or("an amount of memory is written like \"512MiB\", \"4GiB\"")
        })
    }

    /// Reads a number of bytes within bounds.
    pub fn bytes_within(&self, key: &'static str, allowed: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let bytes = self.bytes(key)?;
        if allowed.contains(&bytes) {
            return Some(bytes);
        }
        let [from, to] = [allowed.start(), allowed.end()].map(|b| bytesize::ByteSize(*b).to_string());
        self.find(key, format!("from {from} to {to}"));
        None
    }

    /// Reads a list of texts with a parser of its own; every wrong one is found.
    pub fn list<T, E: Display>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let value = self.raw(key)?;
        let Some(list) = value.as_array() else {
            self.find(key, "has to be a list of texts, written [\"a\", \"b\"]");
            return None;
        };
        let mut parsed = Vec::new();
        for (i, item) in list.iter().enumerate() {
            match item.as_str().map(|text| (text, parse(text))) {
                Some((_, Ok(value))) => parsed.push(value),
                Some((text, Err(error))) => self.find(&format!("{key}[{i}]"), format!("{text:?}: {error}")),
                None => self.find(&format!("{key}[{i}]"), "has to be a text in quotes"),
            }
        }
        Some(parsed)
    }

    /// Reads a whole number within bounds.
    pub fn whole(&self, key: &'static str, allowed: std::ops::RangeInclusive<u64>) -> Option<u64> {
        self.get(key, |value| {
            let number = value.as_u64().filter(|n| allowed.contains(n));
            number.ok_or_else(|| format!("a whole number from {} to {}", allowed.start(), allowed.end()))
        })
    }

    /// Reads a positive number.
    pub fn number(&self, key: &'static str) -> Option<f64> {
        self.get(key, |value| {
            value
                .as_f64()
                .filter(|n| *n > 0.0 && n.is_finite())
                .ok_or("a number greater than 0")
        })
    }

    /// A reader of a value that stands below this table, at a path such as `list[2]`.
    #[must_use]
    pub fn below(&self, path: &str, value: &'a Value) -> Self {
        Self::of(value, self.join(path), self.findings)
    }

    /// Reads a table below this one; an absent one reads as empty.
    #[must_use]
    pub fn table(&self, key: &'static str) -> Reader<'a> {
        let path = self.join(key);
        match self.raw(key) {
            Some(value) => Reader::of(value, path, self.findings),
            None => Reader {
                map: None,
                path,
                known: RefCell::default(),
                findings: self.findings,
            },
        }
    }

    /// Reads a list of tables (`[[key]]`).
    #[must_use]
    pub fn tables(&self, key: &'static str) -> Vec<Reader<'a>> {
        let Some(value) = self.raw(key) else {
            return Vec::new();
        };
        let Some(list) = value.as_array() else {
            self.find(key, format!("has to be a list of tables, written [[{key}]]"));
            return Vec::new();
        };
        let path = self.join(key);
        list.iter()
            .enumerate()
            .map(|(i, v)| Reader::of(v, format!("{path}[{i}]"), self.findings))
            .collect()
    }

    /// Reads a table whose keys are names chosen by the site.
    #[must_use]
    pub fn named_tables(&self, key: &'static str) -> Vec<(&'a str, Reader<'a>)> {
        let path = self.join(key);
        let Some(map) = self.table(key).map else {
            return Vec::new();
        };
        map.iter()
            .map(|(k, v)| (k.as_str(), Reader::of(v, format!("{path}.{k}"), self.findings)))
            .collect()
    }

    /// The table itself, where there is one.
    #[must_use]
    pub const fn map(&self) -> Option<&'a Map<String, Value>> {
        self.map
    }

    /// Keeps a finding for every key that was not asked for.
    pub fn deny_unknown(&self) {
        let known = self.known.borrow();
        for key in self.map.into_iter().flat_map(Map::keys) {
            if !known.contains(&key.as_str()) {
                self.find(key, format!("unknown key; allowed here: {}", known.join(", ")));
            }
        }
    }
}
