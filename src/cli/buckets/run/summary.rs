//! What became of many studies, in lines and a table.

use std::collections::BTreeSet;

use super::many::Done;

/// Measures that get a column of their own; what is beyond stands in the studies' `measures.json`.
const COLUMNS: usize = 6;

/// The longest text of a cell, in characters.
const LONGEST: usize = 32;

/// A text for a cell: no control characters, not too long.
pub(super) fn short(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    match plain.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", plain.get(..end).unwrap_or_default()),
        None => plain,
    }
}

/// One study that is over: ` 3 of 12  case03  failed: exit status 3 (0.4 s)`.
pub(super) fn line(done: &Done, number: usize, count: usize) -> String {
    let width = count.to_string().len();
    let end = match &done.end {
        Ok(report) => format!(
            "{}{} ({:.1} s)",
            report.verdict.outcome,
            why(done),
            report.elapsed.as_secs_f64()
        ),
        Err(error) => format!("not run: {error:#}"),
    };
    format!("{number:>width$} of {count}  {}  {end}", short(&done.name))
}

fn why(done: &Done) -> String {
    let reason = done.end.as_ref().ok().and_then(|r| r.verdict.reason.clone());
    reason.map(|r| format!(": {r}")).unwrap_or_default()
}

/// One row a study, one column a measure.
pub(super) fn table(done: &[Done]) -> String {
    let measured = done
        .iter()
        .filter_map(|d| d.end.as_ref().ok())
        .flat_map(|r| &r.measures);
    let mut seen = BTreeSet::new();
    let names: Vec<_> = measured
        .filter(|m| seen.insert(m.name.as_str()))
        .map(|m| (m.name.clone(), m.unit.clone()))
        .take(COLUMNS)
        .collect();
    let head = ["STUDY", "OBJECTS", "OUTCOME", "SECONDS"]
        .map(str::to_owned)
        .into_iter();
    let head = head.chain(names.iter().map(|(name, unit)| match unit {
        Some(unit) if unit != "1" => short(&format!("{name} [{unit}]")),
        _ => short(name),
    }));
    let rows = done.iter().map(|d| row(d, &names));
    aligned(&std::iter::once(head.collect()).chain(rows).collect::<Vec<_>>())
}

fn row(done: &Done, measures: &[(String, Option<String>)]) -> Vec<String> {
    let mut cells = vec![short(&done.name)];
    let Ok(report) = &done.end else {
        cells.extend(["", "not run"].map(str::to_owned));
        return cells;
    };
    cells.push(report.objects.to_string());
    cells.push(short(report.verdict.outcome.word()));
    cells.push(format!("{:.1}", report.elapsed.as_secs_f64()));
    cells.extend(measures.iter().map(|(name, _)| {
        let values: Vec<_> = report.measures.iter().filter(|m| m.name == *name).collect();
        match values.as_slice() {
            [] => String::new(),
            [one] => short(
                &one.value
                    .as_str()
                    .map_or_else(|| one.value.to_string(), str::to_owned),
            ),
            several => format!("{} values", several.len()),
        }
    }));
    cells
}

/// Columns as wide as their widest cell; numbers to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, i: usize| row.get(i).cloned().unwrap_or_default();
    let widths: Vec<_> = (0..columns)
        .map(|i| rows.iter().map(|r| cell(r, i).chars().count()).max().unwrap_or(0))
        .collect();
    let numeric: Vec<_> = (0..columns)
        .map(|i| {
            rows.iter()
                .skip(1)
                .map(|r| cell(r, i))
                .all(|c| c.is_empty() || c.parse::<f64>().is_ok())
        })
        .collect();
    let line = |row: &Vec<String>| {
        let cells = widths
            .iter()
            .zip(&numeric)
            .enumerate()
            .map(|(i, (&width, &numeric))| {
                let text = cell(row, i);
                if numeric {
                    format!("{text:>width$}")
                } else {
                    format!("{text:<width$}")
                }
            });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::buckets::run::Report;
    use crate::model::{AeTitle, Ended, Measure, Outcome, Verdict};
    use serde_json::json;

    fn done(
        name: &str,
        outcome: Outcome,
        reason: Option<&str>,
        measures: &[(&str, serde_json::Value)],
    ) -> Done {
        let measures = measures
            .iter()
            .map(|(name, value)| Measure::new("a", "db-plugin", name, value.clone(), Some("mL")));
        let report = Report {
            ae_title: AeTitle::parse("A").unwrap(),
            objects: 12,
            verdict: Verdict {
                outcome,
                reason: reason.map(str::to_owned),
            },
            ended: Ended::default(),
            measures: measures.collect(),
            problems: Vec::new(),
            elapsed: std::time::Duration::from_millis(1500),
            peak_memory: None,
            directory: "/out".into(),
            kept: None,
        };
        Done {
            name: name.into(),
            end: Ok(report),
        }
    }

    #[test]
    fn a_table_has_a_row_a_study_and_a_column_a_measure() {
        let table = table(&[
            done(
                "case1",
                Outcome::Success,
                None,
                &[("brain", json!(1200.5)), ("side", json!("left"))],
            ),
            done("case10", Outcome::Failed, Some("why"), &[]),
            done(
                "two",
                Outcome::Success,
                None,
                &[("brain", json!(1)), ("brain", json!(2))],
            ),
            Done {
                name: "none".into(),
                end: Err(anyhow::anyhow!("there is no DICOM file in it")),
            },
        ]);
        let expected = "\
STUDY   OBJECTS  OUTCOME  SECONDS  brain [mL]  side [mL]
case1        12  success      1.5  1200.5      left
case10       12  failed       1.5
two          12  success      1.5  2 values
none             not run";
        assert_eq!(table, expected);
    }

    #[test]
    fn a_line_says_which_it_was_and_why_it_failed() {
        let failed = done("a\x1b[2Jb", Outcome::Failed, Some("exit status 3"), &[]);
        assert_eq!(
            line(&failed, 3, 12),
            " 3 of 12  a[2Jb  failed: exit status 3 (1.5 s)"
        );
        let none = Done {
            name: "none".into(),
            end: Err(anyhow::anyhow!("no DICOM")),
        };
        assert_eq!(line(&none, 12, 12), "12 of 12  none  not run: no DICOM");
    }
}
