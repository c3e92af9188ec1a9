//! A run on a terminal, or in a file: the bucket's log as it comes, and below it, on a terminal, how far it is.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytesize::ByteSize;

use super::observer::{Observer, Progress};

/// Back to the first column, and the line is empty.
const CLEAR: &str = "\r\x1b[2K";

/// The log on stdout, what `buckets run` says on stderr; the line of progress is there on a terminal only.
pub(super) struct Terminal {
    live: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The line of progress that stands there now; empty: none.
    drawn: String,
    /// Whether the log stands in the midst of a line: nothing is drawn into it.
    open_line: bool,
}

impl Terminal {
    pub fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            live: !dumb && std::io::stdout().is_terminal() && std::io::stderr().is_terminal(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the line of progress away, for what stays.
    pub fn clear(&self) {
        let mut state = self.state();
        state.clear();
        if std::mem::take(&mut state.open_line) {
            write(&mut std::io::stdout(), "\n");
        }
    }

    /// Draws the line of progress, unless it stands there already.
    pub fn draw(&self, line: &str) {
        let mut state = self.state();
        if !self.live || state.open_line || state.drawn == line {
            return;
        }
        line.clone_into(&mut state.drawn);
        write(&mut std::io::stderr(), &format!("{CLEAR}{line}"));
    }
}

impl State {
    fn clear(&mut self) {
        if !std::mem::take(&mut self.drawn).is_empty() {
            write(&mut std::io::stderr(), CLEAR);
        }
    }
}

impl Observer for Terminal {
    fn says(&self, line: &str) {
        self.clear();
        write(&mut std::io::stderr(), &format!("{line}\n"));
    }

    fn printed(&self, text: &str) {
        let mut state = self.state();
        state.clear();
        state.open_line = !text.ends_with('\n');
        write(&mut std::io::stdout(), text);
    }

    fn progress(&self, progress: &Progress) {
        self.draw(&format!("  {}", line(progress)));
    }
}

/// A terminal that is gone stops nothing.
fn write(to: &mut impl Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// `0:12 of 15:00 · memory 412 MiB of 2 GiB · output 1.2 MiB in 3 files`
pub(super) fn line(progress: &Progress) -> String {
    let sample = &progress.sample;
    let memory = match sample.memory {
        0 => String::new(),
        peak => format!(" · memory {} of {}", size(peak), size(progress.memory_limit)),
    };
    let output = match sample.output.entries {
        0 => String::new(),
        entries => format!(" · output {} in {entries} files", size(sample.output.bytes)),
    };
    format!(
        "{} of {}{memory}{output}",
        clock(progress.elapsed),
        clock(progress.limit)
    )
}

fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// `0:07`, `1:02:03`
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::output_size::Usage;
    use crate::engine::watching::Sample;

    #[test]
    fn a_line_says_time_memory_and_output_once_they_are_known() {
        let mut progress = Progress {
            elapsed: Duration::from_secs(12),
            limit: Duration::from_secs(6 * 3600),
            memory_limit: 2 << 30,
            sample: Sample::default(),
        };
        assert_eq!(line(&progress), "0:12 of 6:00:00");
        progress.sample = Sample {
            memory: 412 << 20,
            output: Usage {
                bytes: 1 << 20,
                entries: 3,
                too_deep: false,
            },
        };
        assert_eq!(
            line(&progress),
            "0:12 of 6:00:00 · memory 412.0 MiB of 2.0 GiB · output 1.0 MiB in 3 files"
        );
    }
}
