//! How far a build is: one line on a terminal, nothing elsewhere; the log when it fails.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};

use crate::cli::text::plain;
use crate::container::Progress;

/// How much of the log is shown when a build fails, in lines.
const TAIL: usize = 30;

pub(super) struct Show {
    subject: String,
    step: String,
    said: VecDeque<String>,
    terminal: bool,
    began: std::time::Instant,
}

impl Show {
    pub(super) fn new(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            step: String::new(),
            said: VecDeque::new(),
            terminal: std::io::stderr().is_terminal(),
            began: std::time::Instant::now(),
        }
    }

    pub(super) fn progress(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Step(number, of, what) => {
                self.step = format!("[{number}/{of}] {}", plain(what));
                self.keep(self.step.clone());
                self.draw("");
            }
            Progress::Said(line) => self.said(line),
        }
    }

    /// A line of what is going on.
    pub(super) fn said(&mut self, line: &str) {
        let line = plain(line.trim());
        if !line.is_empty() && self.said.back() != Some(&line) {
            self.draw(&line);
            self.keep(line);
        }
    }

    fn keep(&mut self, line: String) {
        if self.said.len() == TAIL {
            self.said.pop_front();
        }
        self.said.push_back(line);
    }

    /// A line that stays.
    pub(super) fn note(&mut self, text: &str) {
        self.clear();
        eprintln!("{}: {text}", self.subject);
    }

    fn draw(&self, said: &str) {
        if !self.terminal {
            return;
        }
        // Half of the line for the step, however long its command is: what moves is what it says.
        let width = width();
        let head = short(&format!("{} {}", self.subject, self.step), width / 2);
        let line = short(&format!("{head}  {said}"), width.saturating_sub(1));
        // A terminal that is gone stops nothing.
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    /// Shows the end of the log.
    pub(super) fn failed(&self) {
        self.clear();
        for line in &self.said {
            eprintln!("  {line}");
        }
    }

    /// Seconds since it began.
    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// A text of at most so many characters, with a sign where it was cut.
fn short(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut + "…"
}

fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr())
        .map(|size| usize::from(size.ws_col))
        .ok()
        .filter(|columns| *columns > 0)
        .unwrap_or(80)
}
