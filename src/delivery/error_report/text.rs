//! What a report tells, as lines.

use super::names::Words;
use super::page::{COLUMNS, LINES};
use super::{ErrorReport, MOST_PAGES};

/// Lines of the log that are told, at most.
const OF_LOG: usize = 200;

/// The lines of a report, each of a page's width at most; as many as fit on its pages.
pub(super) fn lines(report: &ErrorReport<'_>) -> Vec<String> {
    let words = Words::of(report.beside);
    let said = |text: &str| told(&words, text);
    let name = if report.bucket.trim().is_empty() {
        report.ae_title
    } else {
        report.bucket
    };
    let mut lines = Vec::new();
    for text in [
        "ERROR REPORT".to_owned(),
        String::new(),
        "This study was not processed. There is no result of it.".to_owned(),
        String::new(),
        format!("Bucket   {} ({})", said(name), report.ae_title),
        format!("Version  {}", said(report.version)),
        format!("Time     {}", report.at.to_rfc3339()),
        format!("Job      {}, run {}", report.job, report.attempt),
        format!("Reason   {}", said(report.reason)),
        String::new(),
        "The last lines of its log:".to_owned(),
        String::new(),
    ] {
        lines.extend(wrapped(&text));
    }
    let room = (MOST_PAGES * LINES).saturating_sub(lines.len());
    let log: Vec<_> = log(report.log, &words)
        .iter()
        .flat_map(|line| wrapped(line))
        .collect();
    let skipped = log.len().saturating_sub(room.min(OF_LOG));
    lines.extend(log.into_iter().skip(skipped));
    lines
}

/// A text that is not the patient's.
fn told(words: &Words, text: &str) -> String {
    if words.are_in(text) {
        "(left out: it names the patient)".to_owned()
    } else {
        text.to_owned()
    }
}

/// The lines of a log; those that name the patient are replaced by how many they were.
fn log(bytes: &[u8], words: &Words) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = Vec::new();
    let mut left_out = 0;
    for line in text.lines().map(plain) {
        if words.are_in(&line) {
            left_out += 1;
            continue;
        }
        lines.extend(note(left_out));
        left_out = 0;
        lines.push(line);
    }
    lines.extend(note(left_out));
    if lines.is_empty() {
        lines.push("(it said nothing)".to_owned());
    }
    lines
}

fn note(left_out: usize) -> Option<String> {
    match left_out {
        0 => None,
        1 => Some("(one line left out: it names the patient)".to_owned()),
        many => Some(format!("({many} lines left out: they name the patient)")),
    }
}

/// A line without what steers a terminal: colours, tabs, the bars of programs that count.
fn plain(line: &str) -> String {
    // What was written over is not seen on a terminal either.
    let line = line.trim_end_matches('\r');
    let line = line.rsplit('\r').next().unwrap_or_default();
    let mut plain = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                // ESC [ parameters letter; any other sequence loses its ESC.
                let mut ahead = characters.clone();
                if ahead.next() == Some('[') {
                    characters = ahead;
                    let _ = characters.find(|c| ('@'..='~').contains(c));
                }
            }
            '\t' => plain.push_str("    "),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain.trim_end().to_owned()
}

/// A text as lines of a page's width, broken at spaces where there are any.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_inclusive(' ') {
        let long = word.trim_end().chars().count();
        if length > 0 && length + long > COLUMNS {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            length = 0;
        }
        for character in word.chars() {
            if length == COLUMNS {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                length = 0;
            }
            line.push(character);
            length += 1;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_at_spaces_and_loses_nothing() {
        let long = "word ".repeat(50);
        let lines = wrapped(&long);
        assert!(
            lines.iter().all(|l| l.chars().count() <= COLUMNS) && lines.len() == 3,
            "{lines:?}"
        );
        assert_eq!(lines.join(" "), long.trim_end());
        let unbroken = "ü".repeat(COLUMNS + 1);
        assert_eq!(wrapped(&unbroken).concat(), unbroken);
        assert_eq!(wrapped(""), [""]);
    }

    #[test]
    fn a_line_is_what_a_terminal_would_have_shown_last() {
        for (line, shown) in [
            ("\u{1b}[31merror\u{1b}[0m: bad", "error: bad"),
            (" 10 %\r 50 %\r100 %\r", "100 %"),
            ("a\tb\u{7}", "a    b"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(plain(line), shown, "{line:?}");
        }
    }
}
