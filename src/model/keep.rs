//! How long the files of a job are kept once it is over.

use std::fmt;
use std::time::Duration;

/// An age, or no end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Until somebody decides otherwise.
    #[default]
    Forever,
    /// So long after the job's end.
    For(Duration),
}

impl Keep {
    /// Reads `"forever"` or an age such as `"30d"`, `"2years"`, up to a hundred years.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let how = "an age is written like \"30d\", \"12h\", \"2years\"; or \"forever\"";
        let age = humantime::parse_duration(text).map_err(|_| how)?;
        match age {
            Duration::ZERO => Err("has to be longer than nothing"),
            age if age > Duration::from_secs(100 * 366 * 24 * 3600) => {
                Err("has to be shorter than 100 years")
            }
            age => Ok(Self::For(age)),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::For(age) => humantime::format_duration(*age).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_reads_back_and_nonsense_is_refused() {
        for text in ["forever", "30days", "12h", "2years"] {
            assert_eq!(Keep::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "0s", "soon", "-1d", "200years"] {
            assert!(Keep::parse(bad).is_err(), "{bad}");
        }
    }
}
