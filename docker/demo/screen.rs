//! One screen: a line for each step, drawn again in place on a terminal; elsewhere a line when a step is over.

use std::io::{Write, stdout};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::interrupt::Interrupt;
use crate::style::Style;
use crate::support::wait::wait_until;

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME: Duration = Duration::from_millis(80);

/// One step as it stands.
pub struct Step {
    pub title: String,
    pub detail: String,
    pub took: Duration,
    mark: String,
}

/// What a step under way tells.
pub struct Progress {
    detail: Mutex<String>,
    interrupt: Interrupt,
}

impl Progress {
    /// Puts a text beside the step's title.
    pub fn say(&self, text: impl Into<String>) {
        *self.detail.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    /// Looks until there is something to see, the deadline passes, or somebody interrupts.
    pub fn wait<T>(
        &self,
        deadline: Duration,
        what: &str,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        wait_until(deadline, what, || {
            self.interrupt.check().and_then(|()| look()).transpose()
        })
        .flatten()
    }

    fn detail(&self) -> String {
        self.detail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The screen; dropping it gives the cursor back.
pub struct Screen {
    pub style: Style,
    pub steps: Vec<Step>,
    interrupt: Interrupt,
    drawn: usize,
}

impl Screen {
    pub fn new(style: Style, interrupt: Interrupt) -> Self {
        let screen = Self {
            style,
            steps: Vec::new(),
            interrupt,
            drawn: 0,
        };
        screen.control("\x1b[?25l");
        screen
    }

    /// Runs one step to its end and shows meanwhile what it says.
    pub fn step<T: Send>(
        &mut self,
        title: &str,
        work: impl FnOnce(&Progress) -> Result<T> + Send,
    ) -> Result<T> {
        self.interrupt.check()?;
        let began = Instant::now();
        let progress = Progress {
            detail: Mutex::default(),
            interrupt: self.interrupt.clone(),
        };
        let result = thread::scope(|scope| {
            let worker = scope.spawn(|| work(&progress));
            let before = self.steps.len();
            while !worker.is_finished() {
                let frame = began.elapsed().as_millis() / FRAME.as_millis();
                let mark = FRAMES
                    .iter()
                    .cycle()
                    .nth((frame % 10) as usize)
                    .copied()
                    .unwrap_or_default();
                self.put(before, title, &progress, began, self.style.busy(mark));
                thread::sleep(FRAME);
            }
            let result = worker
                .join()
                .unwrap_or_else(|_| Err(anyhow!("{title}: a fault of the demonstration")));
            let mark = if result.is_ok() {
                self.style.good("✓")
            } else {
                self.style.bad("✗")
            };
            self.put(before, title, &progress, began, mark);
            result
        });
        if !self.style.terminal {
            self.steps
                .last()
                .into_iter()
                .for_each(|step| println!("{}", self.line(step)));
        }
        result
    }

    /// Puts a step's line where it belongs and draws all.
    fn put(&mut self, at: usize, title: &str, progress: &Progress, began: Instant, mark: String) {
        self.steps.truncate(at);
        self.steps.push(Step {
            title: title.to_owned(),
            detail: progress.detail(),
            took: began.elapsed(),
            mark,
        });
        if self.style.terminal {
            // Back to the first line; no wrapping, so that a step takes one line on a narrow terminal too.
            let up = if self.drawn > 0 {
                format!("\x1b[{}A", self.drawn)
            } else {
                String::new()
            };
            let lines: Vec<_> = self
                .steps
                .iter()
                .map(|s| format!("\x1b[2K{}\n", self.line(s)))
                .collect();
            self.control(&format!("{up}\r\x1b[?7l{}\x1b[?7h", lines.concat()));
            self.drawn = self.steps.len();
        }
    }

    fn line(&self, step: &Step) -> String {
        let took = format!("{:6.1} s", step.took.as_secs_f64());
        format!(
            "{} {} {:<27} {}",
            step.mark,
            self.style.dim(&took),
            step.title,
            step.detail
        )
    }

    fn control(&self, text: &str) {
        if self.style.terminal {
            let mut out = stdout().lock();
            // Nobody is there to be told that the screen is gone.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.control("\x1b[?25h");
    }
}
