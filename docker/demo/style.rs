//! Colours, where they are wanted: on a terminal, and not with `NO_COLOR` (no-color.org).

use std::io::IsTerminal;

/// How text may look.
#[derive(Clone, Copy)]
pub struct Style {
    /// Whether lines may be drawn again in place.
    pub terminal: bool,
    colour: bool,
}

impl Style {
    /// What standard output can show.
    pub fn of_stdout() -> Self {
        let terminal =
            std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { terminal, colour }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A heading.
    pub fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Beside the point.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// As it should be.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Not as it should be.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Under way.
    pub fn busy(self, text: &str) -> String {
        self.paint("36", text)
    }
}
