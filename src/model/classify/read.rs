//! Reading a rule file: every finding with its place, so that it is mended once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::rule_set::MOST_BYTES;
use super::{Check, Clause, Condition, RuleSet, RulesError, Subject, Test, TypeRule};
use crate::model::{Finding, Reader};

/// The most types of a file, and rules of a type.
const MOST_TYPES: usize = 1000;
const MOST_RULES: usize = 100;

/// The longest chain of types that include each other: what is deeper says nothing a person could follow.
const DEEPEST: usize = 20;

/// The most rules that a type stands for with all that it includes.
const MOST_INCLUDED: usize = 10_000;

impl RuleSet {
    /// Reads a rule file. Comments are allowed, as they are found in the files of sites.
    ///
    /// # Errors
    /// [`RulesError`] with every finding.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        if text.len() > MOST_BYTES {
            return Err(RulesError::TooLong);
        }
        // Some editors begin a file with this mark.
        Self::read(&json(text.strip_prefix('\u{feff}').unwrap_or(text))?)
    }

    fn read(file: &Value) -> Result<Self, RulesError> {
        let findings = RefCell::default();
        let types = read_types(file, &findings);
        let found = findings.into_inner();
        if !found.is_empty() {
            return Err(RulesError::Findings(
                found.iter().map(ToString::to_string).collect(),
            ));
        }
        let set = Self { types };
        let found = endless(&set);
        if found.is_empty() {
            Ok(set)
        } else {
            Err(RulesError::Findings(found))
        }
    }
}

/// Parses JSON with comments.
fn json(text: &str) -> Result<Value, RulesError> {
    match serde_json::from_str(&without_comments(text)) {
        Ok(value) => Ok(value),
        Err(error) => Err(RulesError::NotJson {
            line: error.line(),
            column: error.column(),
            message: error
                .to_string()
                .split(" at line ")
                .next()
                .unwrap_or_default()
                .to_owned(),
        }),
    }
}

/// The text with blanks in place of comments, so that every other character stays where it was.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut in_text = false;
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some(_)) if in_text => {
                out.push(c);
                out.extend(rest.next());
            }
            ('"', _) => {
                in_text = !in_text;
                out.push(c);
            }
            ('/', Some('/')) if !in_text => {
                while rest.peek().is_some_and(|c| *c != '\n') {
                    rest.next();
                }
            }
            ('/', Some('*')) if !in_text => {
                rest.next();
                let mut before = ' ';
                for c in rest.by_ref() {
                    if c == '\n' {
                        out.push(c);
                    }
                    if (before, c) == ('*', '/') {
                        break;
                    }
                    before = c;
                }
                out.push(' ');
            }
            _ => out.push(c),
        }
    }
    out
}

fn read_types(file: &Value, findings: &RefCell<Vec<Finding>>) -> Vec<TypeRule> {
    let find = |path: String, message: String| findings.borrow_mut().push(Finding { path, message });
    let Some(list) = file.as_array() else {
        find(
            "the file".into(),
            "has to be a list of types, [ { \"type\": … } ]".into(),
        );
        return Vec::new();
    };
    if list.len() > MOST_TYPES {
        find(
            "the file".into(),
            format!("{} types: at most {MOST_TYPES}", list.len()),
        );
        return Vec::new();
    }
    let mut ids = BTreeMap::new();
    for (i, entry) in list.iter().enumerate() {
        if let Some(id) = entry.get("id").and_then(Value::as_str)
            && let Some(first) = ids.insert(id, i)
        {
            find(
                format!("[{i}].id"),
                format!("{id:?} is the id of [{first}] already"),
            );
        }
    }
    let read = |(i, entry)| read_type(&Reader::of(entry, format!("[{i}]"), findings), &ids);
    list.iter().enumerate().filter_map(read).collect()
}

fn read_type(reader: &Reader<'_>, ids: &BTreeMap<&str, usize>) -> Option<TypeRule> {
    let map = reader.map()?;
    let name = map.get("type").and_then(Value::as_str).filter(|n| !n.is_empty());
    if name.is_none() {
        reader.find("type", "is missing: the name of the type");
    }
    let check = match map.get("check") {
        None => Check::UntilFound,
        Some(Value::String(word)) if word == "SeriesLevel" => Check::EachObject,
        // The original took every other word for none.
        Some(Value::String(_)) => Check::UntilFound,
        Some(_) => {
            reader.find("check", "\"SeriesLevel\", or nothing");
            return None;
        }
    };
    if !map.contains_key("rules") {
        reader.find("rules", "is missing: the list of what has to hold");
    }
    Some(TypeRule {
        name: name?.to_owned(),
        check,
        clauses: read_clauses(reader, ids),
    })
}

/// Reads a list `rules`.
pub(super) fn read_clauses(reader: &Reader<'_>, ids: &BTreeMap<&str, usize>) -> Vec<Clause> {
    let rules = reader.tables("rules");
    if rules.len() > MOST_RULES {
        reader.find("rules", format!("{} rules: at most {MOST_RULES}", rules.len()));
        return Vec::new();
    }
    rules.iter().filter_map(|rule| read_clause(rule, ids)).collect()
}

/// Reads one rule.
pub(super) fn read_clause(reader: &Reader<'_>, ids: &BTreeMap<&str, usize>) -> Option<Clause> {
    let map = reader.map()?;
    let negate = negated(reader, map)?;
    for (key, turned) in [("rule", false), ("notrule", true)] {
        let Some(id) = map.get(key) else { continue };
        let Some(place) = id.as_str().and_then(|id| ids.get(id)) else {
            reader.find(key, format!("{id} is the id of no type in this file"));
            return None;
        };
        return Some(Clause {
            condition: Condition::Type(*place),
            negate: negate != turned,
        });
    }
    let Some(tag) = map.get("tag") else {
        reader.find(
            "tag",
            "is missing: what the rule looks at, or \"rule\": the id of a type",
        );
        return None;
    };
    let subject = Subject::read(tag).map_err(|why| reader.find("tag", why)).ok()?;
    let operator = match map.get("operator") {
        None => "regexp",
        Some(word) => word.as_str().unwrap_or("?"),
    };
    let test = Test::read(operator, map.get("value"), map.get("approxLevel"))
        .map_err(|(key, why)| reader.find(key, why))
        .ok()?;
    Some(Clause {
        condition: Condition::Attribute(subject, test),
        negate,
    })
}

fn negated(reader: &Reader<'_>, map: &Map<String, Value>) -> Option<bool> {
    match map.get("negate") {
        None | Some(Value::Bool(false)) => Some(false),
        Some(Value::Bool(true)) => Some(true),
        Some(Value::String(word)) => match word.as_str() {
            "yes" => Some(true),
            // The original took every other word for no.
            _ => Some(false),
        },
        Some(_) => {
            reader.find("negate", "\"yes\" or \"no\"");
            None
        }
    }
}

/// Types that include themselves, or more than can be meant.
fn endless(set: &RuleSet) -> Vec<String> {
    let mut sizes = BTreeMap::new();
    let mut found = Vec::new();
    for (place, rule) in set.types.iter().enumerate() {
        if let Err(why) = size(set, place, 0, &mut sizes) {
            found.push(format!("[{place}].rules: type {:?} {why}", rule.name));
        }
    }
    found
}

/// How many rules a type stands for.
fn size(
    set: &RuleSet,
    place: usize,
    depth: usize,
    sizes: &mut BTreeMap<usize, usize>,
) -> Result<usize, &'static str> {
    if depth > DEEPEST {
        return Err("includes itself, or types that include types more than 20 deep");
    }
    if let Some(known) = sizes.get(&place) {
        return Ok(*known);
    }
    let mut total = 1_usize;
    for clause in set.types.get(place).into_iter().flat_map(|t| &t.clauses) {
        total = total.saturating_add(match clause.condition {
            Condition::Attribute(..) => 1,
            Condition::Type(other) => size(set, other, depth + 1, sizes)?,
        });
    }
    if total > MOST_INCLUDED {
        return Err("stands for more than 10000 rules with the types it includes");
    }
    sizes.insert(place, total);
    Ok(total)
}
