//! Regular expressions of rules.

use regex::{Regex, RegexBuilder};

/// The longest pattern, in characters.
const LONGEST: usize = 1000;

/// What one pattern may take when it is compiled, in bytes.
const LARGEST: usize = 256 << 10;

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Too long.
    #[error("a pattern has at most {LONGEST} characters")]
    TooLong,
    /// Too large once it is compiled.
    #[error("the pattern is too large: make its repetitions smaller")]
    TooLarge,
    /// Something of another dialect.
    #[error("no regular expression of this node: {0}")]
    Syntax(String),
}

/// A pattern that is searched without regard to case.
///
/// # Errors
/// [`PatternError`]
pub fn pattern(text: &str) -> Result<Regex, PatternError> {
    if text.chars().count() > LONGEST {
        return Err(PatternError::TooLong);
    }
    let built = RegexBuilder::new(text)
        .case_insensitive(true)
        .size_limit(LARGEST)
        .dfa_size_limit(LARGEST)
        .nest_limit(100)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
        // Its last line says what is wrong, those before draw where.
        other => {
            let text = other.to_string();
            let why = text.lines().last().unwrap_or_default();
            PatternError::Syntax(why.trim_start_matches("error: ").to_owned())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_searched_without_regard_to_case_and_bounded() {
        assert!(pattern("proc").unwrap().is_match("MyProcT1"));
        assert!(!pattern("^proc").unwrap().is_match("MyProcT1"));
        assert_eq!(pattern(&"a".repeat(1001)).unwrap_err(), PatternError::TooLong);
        assert_eq!(
            pattern("((a{100}){100}){100}").unwrap_err(),
            PatternError::TooLarge
        );
        let error = pattern("(?=x)").unwrap_err().to_string();
        assert!(error.contains("look-around") && !error.contains('\n'), "{error}");
    }
}
