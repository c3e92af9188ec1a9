//! A TOML document as JSON values, with the line of every key.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::Finding;

/// A parsed file. Its findings so far are errors of syntax.
pub struct TomlFile {
    /// The document.
    pub document: Map<String, Value>,
    /// What is no TOML; the path of such a finding is `line N`.
    pub findings: Vec<Finding>,
    lines: HashMap<String, usize>,
}

impl TomlFile {
    /// Parses with recovery: every error of syntax is found.
    pub fn parse(text: &str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let line_at = |offset: usize| text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1;
        let mut lines = HashMap::new();
        let mut findings = Vec::new();
        for error in errors {
            let line = line_at(error.span().map_or(0, |s| s.start));
            let path = format!("line {line}");
            lines.insert(path.clone(), line);
            findings.push(Finding {
                path,
                message: error.message().to_owned(),
            });
        }
        let mut walk = Walk {
            lines: &mut lines,
            line_at: &line_at,
        };
        let document = walk.table(table.get_ref(), "");
        Self {
            document,
            findings,
            lines,
        }
    }

    /// The line of a key; of the nearest table above it when the key is not there.
    pub fn line_of(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return *line;
            }
            match path.rfind(['.', '[']) {
                Some(at) => path = path.get(..at).unwrap_or_default(),
                None => return 1,
            }
        }
    }
}

struct Walk<'a> {
    lines: &'a mut HashMap<String, usize>,
    line_at: &'a dyn Fn(usize) -> usize,
}

impl Walk<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let below = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            self.lines.insert(below.clone(), (self.line_at)(key.span().start));
            map.insert(name.to_owned(), self.value(value, &below));
        }
        map
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &str) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.as_ref().to_owned()),
            DeValue::Integer(i) => {
                i64::from_str_radix(i.as_str(), i.radix()).map_or(Value::Null, Value::from)
            }
            DeValue::Float(f) => f
                .as_str()
                .parse()
                .ok()
                .and_then(Number::from_f64)
                .map_or(Value::Null, Value::Number),
            DeValue::Boolean(b) => Value::Bool(*b),
            DeValue::Datetime(at) => Value::String(at.to_string()),
            DeValue::Table(table) => Value::Object(self.table(table, path)),
            DeValue::Array(list) => {
                let item = |(i, item): (usize, &Spanned<DeValue<'_>>)| {
                    let below = format!("{path}[{i}]");
                    self.lines
                        .insert(below.clone(), (self.line_at)(item.span().start));
                    self.value(item, &below)
                };
                Value::Array(list.iter().enumerate().map(item).collect())
            }
        }
    }
}
