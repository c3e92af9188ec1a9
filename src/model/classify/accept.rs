//! `accept` of info.json: which series belong in a bucket's input (spec folder, bucket.md).

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::read::{read_clause, read_clauses};
use super::{Check, Clause, Condition, TypeRule};
use crate::model::Reader;

/// The most entries.
const MOST_ENTRIES: usize = 100;

/// How an entry is written.
const HOW: &str = "the name of a type, such as \"T1\", a rule, { \"tag\": [\"0x08\", \"0x60\"], \"value\": \"^MR$\" }, or \
                   several that all have to hold, { \"rules\": [ … ] }";

/// A list of which one has to fit for a series to be accepted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accept(Vec<Entry>);

#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Type(String),
    Rules(Vec<Clause>),
}

impl Accept {
    /// Reads the list of a table, if it has one; every wrong entry is found.
    #[must_use]
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let value = reader.raw("accept")?;
        let Some(list) = value
            .as_array()
            .filter(|list| (1..=MOST_ENTRIES).contains(&list.len()))
        else {
            reader.find(
                "accept",
                format!("a list of 1 to {MOST_ENTRIES} entries, each {HOW}"),
            );
            return None;
        };
        let ids = BTreeMap::new();
        let mut entries = Vec::new();
        for (i, entry) in list.iter().enumerate() {
            let path = format!("accept[{i}]");
            match entry {
                Value::String(name) if !name.trim().is_empty() => {
                    entries.push(Entry::Type(name.trim().to_owned()));
                }
                Value::Object(map) => {
                    let reader = reader.below(&path, entry);
                    if map.contains_key("rules") {
                        entries.push(Entry::Rules(read_clauses(&reader, &ids)));
                    } else if let Some(clause) = read_clause(&reader, &ids) {
                        entries.push(Entry::Rules(vec![clause]));
                    }
                }
                _ => reader.find(&path, HOW),
            }
        }
        Some(Self(entries))
    }

    /// What the rules of its entries are as types without a name, to be judged with each object like any other; where
    /// they begin behind the types of a file is up to the caller.
    #[must_use]
    pub fn types(&self) -> Vec<TypeRule> {
        let rules = self.0.iter().filter_map(|entry| match entry {
            Entry::Rules(clauses) => Some(clauses.clone()),
            Entry::Type(_) => None,
        });
        rules
            .map(|clauses| TypeRule {
                name: String::new(),
                // What is said of the types is true when the last object has come.
                check: if clauses.iter().any(is_of_the_series) {
                    Check::EachObject
                } else {
                    Check::UntilFound
                },
                clauses,
            })
            .collect()
    }

    /// Whether it takes a series of these types, for which some of its own rules hold.
    #[must_use]
    pub fn takes(&self, types: &[&str], own_holds: impl Fn(usize) -> bool) -> bool {
        let mut own = 0;
        self.0.iter().any(|entry| match entry {
            Entry::Type(name) => types.contains(&name.as_str()),
            Entry::Rules(_) => {
                own += 1;
                own_holds(own - 1)
            }
        })
    }
}

const fn is_of_the_series(clause: &Clause) -> bool {
    matches!(
        clause.condition,
        Condition::Attribute(super::Subject::NumFiles | super::Subject::ClassifyType, _)
    )
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.0.iter().map(|entry| match entry {
            Entry::Type(name) => name.clone(),
            Entry::Rules(_) => "a rule of its own".to_owned(),
        });
        f.write_str(&said.collect::<Vec<_>>().join(", "))
    }
}
