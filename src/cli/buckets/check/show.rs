//! Findings as a person reads them.

use std::io::{IsTerminal, Write};

use crate::bucket::Manifest;
use crate::bucket::lint::{LintFinding, Place, Seen, Severity};
use crate::cli::text::plain;

/// The most of a line that is shown, in characters.
const LONGEST_LINE: usize = 100;

/// Colours, where they are wanted.
struct Ink(bool);

impl Ink {
    fn new() -> Self {
        Self(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()))
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn severity(&self, severity: Severity) -> String {
        match severity {
            Severity::Error => self.paint("1;31", "error"),
            Severity::Warning => self.paint("1;33", "warning"),
        }
    }
}

/// What was checked, what was found, what that means.
pub(super) fn print(target: &str, seen: &Seen, found: &[LintFinding]) {
    let ink = Ink::new();
    let size = seen
        .size
        .map(|size| format!("{} MB", (size + 500_000) / 1_000_000));
    let about = [
        Some(super::kind(seen.subject).to_owned()),
        seen.architecture.as_deref().map(plain),
        size,
    ];
    let about: Vec<_> = about.into_iter().flatten().collect();
    let mut head = format!("{}  {}", ink.paint("1", target), about.join(", "));
    if let Some(manifest) = seen.info.as_ref().and_then(|info| Manifest::parse(info).ok()) {
        head += &format!(", AE title {}", manifest.ae_title);
        if !manifest.version.is_empty() {
            head += &format!(", version {}", plain(&manifest.version));
        }
    }
    say(&head);
    print_findings(found);
    let count = |severity, one: &str| match super::count(found, severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {one}s")),
    };
    let errors = count(Severity::Error, "error");
    let counts: Vec<_> = [errors.clone(), count(Severity::Warning, "warning")]
        .into_iter()
        .flatten()
        .collect();
    let verdict = match (errors.is_some(), counts.is_empty()) {
        (true, _) => "it cannot be installed or no run of it can succeed",
        (false, false) => "it can be installed",
        (false, true) => "nothing to find fault with",
    };
    let lead = if counts.is_empty() {
        String::new()
    } else {
        format!("{}: ", counts.join(", "))
    };
    say(&format!("\n{lead}{verdict}"));
}

pub(super) fn print_findings(found: &[LintFinding]) {
    let ink = Ink::new();
    for finding in found {
        say(&format!(
            "\n{}: {} {}",
            ink.severity(finding.severity),
            ink.paint("1", &plain(&finding.message)),
            ink.paint("2", &format!("[{}]", finding.code))
        ));
        if let Some(place) = &finding.place {
            print_place(place, &ink, finding.severity);
        }
        if let Some(help) = &finding.help {
            say(&format!("  {}", plain(help)));
        }
    }
}

/// The line, and what of it is meant.
fn print_place(place: &Place, ink: &Ink, severity: Severity) {
    let (Some(line), Some(column)) = (place.line, place.column) else {
        say(&format!("  {}", ink.paint("36", place.file)));
        return;
    };
    say(&format!(
        "  {}",
        ink.paint("36", &format!("{}:{line}:{column}", place.file))
    ));
    let Some(text) = &place.text else { return };
    // Cut by characters before anything is dropped, so that the mark stands below what it means.
    let before: String = text.chars().take(column.saturating_sub(1)).collect();
    let (indent, shown) = (plain(&before).chars().count(), plain(text));
    if indent >= LONGEST_LINE {
        return;
    }
    let short: String = shown.chars().take(LONGEST_LINE).collect();
    let number = line.to_string();
    let colour = if severity == Severity::Error { "31" } else { "33" };
    let marks = "^".repeat(place.length.min(LONGEST_LINE - indent));
    say(&format!(
        "  {} {} {short}",
        ink.paint("2", &number),
        ink.paint("2", "|")
    ));
    say(&format!(
        "  {} {} {}{}",
        " ".repeat(number.len()),
        ink.paint("2", "|"),
        " ".repeat(indent),
        ink.paint(colour, &marks)
    ));
}

fn say(line: &str) {
    // Whoever reads may have enough: `buckets check x | head`.
    let _ = writeln!(std::io::stdout(), "{line}");
}
