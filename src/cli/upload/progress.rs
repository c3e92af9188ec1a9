//! How far an upload is: a bar on a terminal, a line now and then elsewhere.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What a bar says before itself, in characters: a narrow terminal has a line of eighty.
const LONGEST_NAME: usize = 28;

/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// What people see of an upload.
pub struct Progress {
    bar: ProgressBar,
    /// The bars beside this one.
    among: Option<MultiProgress>,
    /// When the last line was printed, where there is no terminal.
    line: Option<Cell<Instant>>,
    name: String,
}

impl Progress {
    /// Shows that something is sent, or comes; `bytes` as well as they are known, of which `there` are there already.
    pub fn begin(name: &str, bytes: Option<u64>, there: u64) -> Self {
        Self::begin_in(None, name, bytes, there)
    }

    /// The same where others have their bars at the same time.
    pub fn begin_among(among: &MultiProgress, name: &str, bytes: Option<u64>, there: u64) -> Self {
        Self::begin_in(Some(among.clone()), name, bytes, there)
    }

    fn begin_in(among: Option<MultiProgress>, name: &str, bytes: Option<u64>, there: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        if there > 0 {
            say(
                among.as_ref(),
                &format!("{name}: going on after {}", HumanBytes(there)),
            );
        } else if !is_terminal {
            let size = bytes.map_or(String::new(), |bytes| format!(", {}", HumanBytes(bytes)));
            eprintln!("{name}{size}");
        }
        let bar = bytes.map_or_else(ProgressBar::no_length, |bytes| ProgressBar::new(bytes.max(there)));
        let bar = match &among {
            Some(among) if is_terminal => among.add(bar),
            _ => {
                bar.set_draw_target(if is_terminal {
                    ProgressDrawTarget::stderr()
                } else {
                    ProgressDrawTarget::hidden()
                });
                bar
            }
        };
        let template = if bytes.is_some() {
            "{msg} [{wide_bar}] {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left"
        } else {
            "{msg} {spinner} {bytes}, {binary_bytes_per_sec}"
        };
        // The templates above are ones.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(shortened(name));
        bar.set_position(there);
        bar.reset_eta();
        Self {
            bar,
            among,
            line: (!is_terminal).then(|| Cell::new(Instant::now())),
            name: name.to_owned(),
        }
    }

    /// So many bytes are there.
    pub fn at(&self, bytes: u64) {
        self.bar.set_position(bytes);
        if let Some(last) = &self.line
            && last.get().elapsed() >= LINES
        {
            last.set(Instant::now());
            let of = self
                .bar
                .length()
                .map_or(String::new(), |all| format!(" of {}", HumanBytes(all)));
            eprintln!("{}: {}{of}", self.name, HumanBytes(bytes));
        }
    }

    /// Nothing goes on, and why.
    pub fn broken(&self, why: &anyhow::Error) {
        let text = format!("{why:#}; trying again");
        if self.line.is_some() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    /// All of it is there.
    pub fn end(&self) {
        let bytes = self.bar.position();
        let seconds = self.bar.elapsed().as_secs_f64();
        self.bar.finish_and_clear();
        let text = format!("{}: {} in {seconds:.1} s", self.name, HumanBytes(bytes));
        say(self.among.as_ref(), &text);
    }
}

/// A name that leaves room on its line.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        None => name.to_owned(),
        Some(_) => name.chars().take(LONGEST_NAME - 1).chain(['…']).collect(),
    }
}

/// A line above the bars that there are.
fn say(among: Option<&MultiProgress>, text: &str) {
    match among {
        Some(among) => among.suspend(|| eprintln!("{text}")),
        None => eprintln!("{text}"),
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // One that broke off leaves no bar above the error.
        if !self.bar.is_finished() {
            self.bar.finish_and_clear();
        }
    }
}
