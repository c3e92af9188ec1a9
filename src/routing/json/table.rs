//! A table of a JSON text that is read key by key; every key knows its place.

use std::cell::RefCell;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use regex::Regex;

use super::{Finding, MOST_PATTERNS};
use crate::model::pattern;

/// How alike a key has to be to one that is known to be taken for it.
const ALIKE: f64 = 0.8;

/// What was found so far.
#[derive(Default)]
pub(super) struct Notes {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
    patterns: usize,
}

/// An object, its path below its rule, and what was asked of it.
pub(super) struct Table<'a> {
    text: &'a str,
    object: &'a Object<'a>,
    path: String,
    rule: Option<String>,
    /// What is wrong in a rule that is off does not matter.
    lenient: bool,
    known: RefCell<Vec<&'static str>>,
    notes: &'a RefCell<Notes>,
}

/// Line and column in characters, both from 1.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// A text, or a number as it is written.
pub(super) fn word<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::StringLit(text) => Some(text.value.as_ref()),
        Value::NumberLit(number) => Some(number.value),
        Value::BooleanLit(boolean) => Some(if boolean.value { "1" } else { "0" }),
        _ => None,
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "f" | "false" => Ok(false),
        "t" | "true" => Ok(true),
        number => number
            .parse::<i64>()
            .map(|n| n != 0)
            .map_err(|_| "0 or 1".to_owned()),
    }
}

impl<'a> Table<'a> {
    /// The whole file.
    pub(super) fn of(text: &'a str, value: &'a Value<'a>, notes: &'a RefCell<Notes>) -> Option<Self> {
        let table = |object| Table {
            text,
            object,
            path: String::new(),
            rule: None,
            lenient: false,
            known: RefCell::default(),
            notes,
        };
        if let Value::Object(object) = value {
            return Some(table(object));
        }
        let (line, column) = place(text, value.start());
        notes.borrow_mut().errors.push(Finding {
            line,
            column,
            rule: None,
            key: String::new(),
            message: "has to be an object, {\"routing\": [ … ]}".to_owned(),
        });
        None
    }

    /// A table below this one.
    pub(super) fn below(&self, path: &str, object: &'a Object<'a>) -> Self {
        Self {
            text: self.text,
            object,
            path: self.path_of(path),
            rule: self.rule.clone(),
            lenient: self.lenient,
            known: RefCell::default(),
            notes: self.notes,
        }
    }

    /// The same table as a rule of that name; its paths begin here.
    pub(super) fn as_rule(&self, name: String, lenient: bool) -> Self {
        Self {
            path: String::new(),
            rule: Some(name),
            lenient,
            ..self.below("", self.object)
        }
    }

    fn path_of(&self, key: &str) -> String {
        match (self.path.is_empty(), key.is_empty()) {
            (_, true) => self.path.clone(),
            (true, _) => key.to_owned(),
            (false, _) => format!("{}.{key}", self.path),
        }
    }

    fn finding(&self, key: &str, message: &str) -> Finding {
        let property = self.object.properties.iter().rfind(|p| p.name.as_str() == key);
        let at = property.map_or(self.object.start(), |p| p.value.start());
        self.finding_at(at, key, message)
    }

    fn finding_at(&self, at: usize, key: &str, message: &str) -> Finding {
        let (line, column) = place(self.text, at);
        Finding {
            line,
            column,
            rule: self.rule.clone(),
            key: self.path_of(key),
            message: message.to_owned(),
        }
    }

    /// Keeps what cannot be understood.
    pub(super) fn error(&self, key: &str, message: &str) {
        self.keep(self.finding(key, message));
    }

    fn keep(&self, mut finding: Finding) {
        let mut notes = self.notes.borrow_mut();
        if self.lenient {
            finding.message.push_str("; the rule is off");
            notes.warnings.push(finding);
        } else {
            notes.errors.push(finding);
        }
    }

    /// Keeps what has no effect.
    pub(super) fn warn(&self, key: &str, message: &str) {
        let finding = self.finding(key, message);
        self.notes.borrow_mut().warnings.push(finding);
    }

    /// The keys in order. Of one that is given twice the last counts, as it did.
    pub(super) fn entries(&self) -> Vec<(&'a str, &'a Value<'a>)> {
        let mut entries: Vec<(&str, &Value<'_>)> = Vec::new();
        for property in &self.object.properties {
            let name = property.name.as_str();
            if let Some(known) = entries.iter_mut().find(|(known, _)| *known == name) {
                self.warn(name, "is there twice: the last counts");
                known.1 = &property.value;
            } else {
                entries.push((name, &property.value));
            }
        }
        entries
    }

    /// The value of a key; null counts as absent.
    pub(super) fn get(&self, key: &'static str) -> Option<&'a Value<'a>> {
        self.known.borrow_mut().push(key);
        let property = self.object.properties.iter().rfind(|p| p.name.as_str() == key)?;
        (!matches!(property.value, Value::NullKeyword(_))).then_some(&property.value)
    }

    /// Reads a text or a number with a parser of its own.
    pub(super) fn text<T>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.get(key)?;
        let parsed = match word(value) {
            Some(text) => parse(text).map_err(|why| format!("{text:?}: {why}")),
            None => Err("has to be a text".to_owned()),
        };
        parsed.map_err(|why| self.error(key, &why)).ok()
    }

    /// Reads a pattern.
    pub(super) fn pattern(&self, key: &'static str) -> Option<Regex> {
        let value = self.get(key)?;
        self.pattern_of(key, value)
    }

    /// A value as a pattern.
    pub(super) fn pattern_of(&self, key: &str, value: &Value<'_>) -> Option<Regex> {
        let Some(text) = word(value) else {
            self.error(key, "has to be a text: a regular expression");
            return None;
        };
        self.compiled(key, text)
    }

    /// A text as a pattern.
    pub(super) fn compiled(&self, key: &str, text: &str) -> Option<Regex> {
        let patterns = {
            let mut notes = self.notes.borrow_mut();
            notes.patterns += 1;
            notes.patterns
        };
        if patterns > MOST_PATTERNS {
            if patterns == MOST_PATTERNS + 1 {
                self.error(key, &format!("the file has more than {MOST_PATTERNS} patterns"));
            }
            return None;
        }
        let compiled = pattern(text).map_err(|error| format!("{text:?}: {error}"));
        compiled.map_err(|why| self.error(key, &why)).ok()
    }

    /// A switch whose errors are told later.
    pub(super) fn switch_quiet(&self, key: &'static str) -> Option<bool> {
        self.get(key).and_then(word).and_then(|text| switch(text).ok())
    }

    /// Reads a switch: 0 and 1, `"F"` and `"T"`, false and true; any other whole number is on.
    pub(super) fn switch(&self, key: &'static str) -> Option<bool> {
        self.text(key, switch)
    }

    /// Reads a list of tables, or one table alone.
    pub(super) fn tables(&self, key: &'static str) -> Option<Vec<Self>> {
        let value = self.get(key)?;
        let elements: Vec<_> = match value {
            Value::Array(array) => array.elements.iter().collect(),
            Value::Object(_) => vec![value],
            _ => {
                self.error(key, "has to be a list of objects");
                return Some(Vec::new());
            }
        };
        let mut tables = Vec::new();
        for (index, element) in elements.into_iter().enumerate() {
            let path = format!("{key}[{index}]");
            match element {
                Value::Object(object) => tables.push(self.below(&path, object)),
                other => {
                    let finding = self.finding_at(other.start(), &path, "has to be an object");
                    self.keep(finding);
                }
            }
        }
        Some(tables)
    }

    /// Keeps a warning for every key that nobody asked for.
    pub(super) fn warn_unknown(&self) {
        let known = self.known.borrow();
        for property in &self.object.properties {
            let name = property.name.as_str();
            if known.contains(&name) {
                continue;
            }
            let lower = name.to_lowercase();
            let alike = |k: &str| strsim::jaro_winkler(&lower, &k.to_lowercase());
            let meant = known
                .iter()
                .filter(|k| alike(k) >= ALIKE)
                .max_by(|a, b| alike(a).total_cmp(&alike(b)));
            let hint = match meant {
                Some(meant) => format!("unknown key, it has no effect; did you mean {meant:?}?"),
                None => format!("unknown key, it has no effect; known here: {}", known.join(", ")),
            };
            let finding = self.finding_at(property.start(), name, &hint);
            self.notes.borrow_mut().warnings.push(finding);
        }
    }
}
