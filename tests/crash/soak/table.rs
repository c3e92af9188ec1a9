//! The account as it is printed.

/// What was wanted and what was found.
pub struct Row {
    pub what: &'static str,
    pub wanted: String,
    pub found: String,
    pub is_met: bool,
}

impl Row {
    /// Found has to be what was wanted.
    pub fn equal(what: &'static str, wanted: usize, found: usize) -> Self {
        Self {
            what,
            wanted: wanted.to_string(),
            found: found.to_string(),
            is_met: wanted == found,
        }
    }

    /// Found has to be at most that, in this unit.
    pub fn at_most(what: &'static str, most: f64, found: f64, unit: &str) -> Self {
        let decimals = usize::from(!unit.is_empty());
        let text = |value: f64| format!("{value:.decimals$} {unit}").trim_end().to_owned();
        Self {
            what,
            wanted: format!("<= {}", text(most)),
            found: text(found),
            is_met: found <= most,
        }
    }

    /// Found is told, whatever it is.
    pub fn told(what: &'static str, found: impl ToString) -> Self {
        Self {
            what,
            wanted: String::new(),
            found: found.to_string(),
            is_met: true,
        }
    }
}

/// Rows that belong together.
pub struct Part {
    pub title: &'static str,
    pub rows: Vec<Row>,
}

/// So many findings are told; who reads more is not helped.
const FINDINGS: usize = 30;

/// Prints the table, and below it what is missing, by name.
pub fn print(title: &str, parts: &[Part], findings: &[String]) {
    println!("\n{title}");
    for part in parts {
        println!("\n  {:<60}{:>12}{:>12}", part.title, "wanted", "found");
        for row in &part.rows {
            let verdict = match (row.is_met, row.wanted.is_empty()) {
                (true, true) => "",
                (true, false) => "met",
                (false, _) => "MISSED",
            };
            let line = format!(
                "    {:<58}{:>12}{:>12}  {verdict}",
                row.what, row.wanted, row.found
            );
            println!("{}", line.trim_end());
        }
    }
    if !findings.is_empty() {
        println!("\n  findings: {}", findings.len());
    }
    for finding in findings.iter().take(FINDINGS) {
        println!("    {finding}");
    }
    println!();
}
