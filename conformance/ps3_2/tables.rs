//! The tables of `STATEMENT.md`, read back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the statement for the defaults lies.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/STATEMENT.md")
}

/// What the statement says of presentation contexts.
pub struct Statement {
    /// SOP Class UID to the numeral of its order.
    pub classes: BTreeMap<String, String>,
    /// Numeral to transfer syntaxes, the preferred first.
    pub orders: BTreeMap<String, Vec<String>>,
}

impl Statement {
    /// Reads the file.
    pub fn read() -> Self {
        let text = fs::read_to_string(path()).unwrap();
        let classes = rows(&text, "SOP Classes").into_iter();
        let classes = classes.map(|row| (row[1].clone(), row[3].clone())).collect();
        let orders = rows(&text, "Orders of Transfer Syntaxes").into_iter().map(|row| {
            let families = row[2].split(", ");
            let syntaxes =
                families.flat_map(|f| rows(&text, &format!("Transfer Syntaxes, {f}, the first preferred")));
            (row[0].clone(), syntaxes.map(|s| s[1].clone()).collect())
        });
        Self {
            classes,
            orders: orders.collect(),
        }
    }

    /// The transfer syntaxes of a class, the preferred first.
    pub fn order(&self, class: &str) -> &[String] {
        &self.orders[&self.classes[class]]
    }
}

/// The rows of the table with that caption, without head and rule.
pub fn rows(text: &str, caption: &str) -> Vec<Vec<String>> {
    let end = format!(": {caption}**");
    let table = text
        .lines()
        .skip_while(|line| !(line.starts_with("**Table ") && line.ends_with(&end)))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        line.trim_matches('|')
            .split('|')
            .map(|c| c.trim().to_owned())
            .collect()
    };
    let rows: Vec<Vec<String>> = table.skip(2).map(cells).collect();
    assert!(!rows.is_empty(), "no table «{caption}»");
    rows
}
