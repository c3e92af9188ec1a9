//! Signs and colours: colours on a terminal only, and not where NO_COLOR asks for none.

use std::io::IsTerminal;

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(pub bool);

impl Paint {
    pub(super) fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self(wanted && std::io::stdout().is_terminal())
    }

    fn with(self, colour: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// What holds.
    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What does not.
    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What somebody should look at.
    pub(super) fn warning(self, text: &str) -> String {
        self.with("33", text)
    }

    /// A title.
    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What matters less.
    pub(super) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }
}
