//! What a rule asks of what it looks at: `operator`, `value`, `approxLevel`.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::Subject;
use super::attributes::number;

/// How close `approx` wants values to be where the rule does not say.
const APPROX: f64 = 1e-4;

/// The most a compiled pattern may take, in bytes.
const LARGEST_PATTERN: usize = 256 << 10;

/// A regular expression, searched for, in which case matters.
#[derive(Clone, Debug)]
pub struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it, or that it is too large.
    pub fn parse(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text)
            .size_limit(LARGEST_PATTERN)
            .dfa_size_limit(LARGEST_PATTERN)
            .build();
        built.map(Self).map_err(|error| {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            format!("no regular expression: {}", last.trim_start_matches("error: "))
        })
    }
}

/// What a rule compares with.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Texts as written, one or several.
    Texts(Vec<String>),
    /// Another attribute of the same object; where that is not there, the texts as written.
    Other(Subject, Vec<String>),
}

/// What a rule asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `==`
    Equal(Target),
    /// `!=`
    NotEqual(Target),
    /// `<`: less than the target.
    Less(Target),
    /// `>`
    Greater(Target),
    /// `exist`: it is there, empty or not.
    Exist,
    /// `notexist`
    NotExist,
    /// `contains`
    Contains(Target),
    /// `approx`, and how close.
    Approx(Target, f64),
    /// `regexp`, which is what a rule without an operator asks.
    Search(Pattern),
}

/// The words of `operator`.
pub(super) const OPERATORS: [&str; 9] = [
    "==", "!=", "<", ">", "exist", "notexist", "contains", "approx", "regexp",
];

impl Test {
    /// Reads what a rule asks.
    ///
    /// # Errors
    /// The key and what it may be.
    pub(super) fn read(
        operator: &str,
        value: Option<&Value>,
        level: Option<&Value>,
    ) -> Result<Self, (&'static str, String)> {
        match operator {
            "exist" => return Ok(Self::Exist),
            "notexist" => return Ok(Self::NotExist),
            _ if !OPERATORS.contains(&operator) => {
                let words = OPERATORS.join(", ");
                return Err(("operator", format!("{operator:?}: one of: {words}")));
            }
            _ => {}
        }
        let value = value.ok_or_else(|| ("value", format!("is missing: {operator} compares with it")))?;
        let target = || Target::read(value).map_err(|why| ("value", why));
        match operator {
            "==" => target().map(Self::Equal),
            "!=" => target().map(Self::NotEqual),
            "<" | ">" => {
                let target = target()?;
                if let Target::Texts(texts) = &target
                    && !matches!(texts.as_slice(), [one] if number(one).is_some())
                {
                    return Err(("value", format!("{operator} compares with a number")));
                }
                Ok(if operator == "<" {
                    Self::Less(target)
                } else {
                    Self::Greater(target)
                })
            }
            "contains" => target().map(Self::Contains),
            "approx" => {
                let target = target()?;
                if let Target::Texts(texts) = &target
                    && !texts.iter().all(|t| number(t).is_some())
                {
                    return Err((
                        "value",
                        "approx compares with a number or a list of numbers".to_owned(),
                    ));
                }
                let level = level.map_or(Some(APPROX), |level| scalar(level).as_deref().and_then(number));
                let level = level
                    .filter(|l| *l >= 0.0)
                    .ok_or_else(|| ("approxLevel", "a number, 0 or more".to_owned()))?;
                Ok(Self::Approx(target, level))
            }
            _ => match target()? {
                Target::Texts(texts) => match texts.as_slice() {
                    [one] => Pattern::parse(one)
                        .map(Self::Search)
                        .map_err(|why| ("value", format!("{one:?}: {why}"))),
                    _ => Err(("value", "a regular expression is one text".to_owned())),
                },
                // A pattern out of a peer's object is compared as a text: it compiles nothing.
                Target::Other(..) => Err((
                    "value",
                    "regexp takes its pattern from the rule only, not from an attribute".to_owned(),
                )),
            },
        }
    }
}

impl Target {
    fn read(value: &Value) -> Result<Self, String> {
        let how = || "a text, a number, or a list of them".to_owned();
        let Some(list) = value.as_array() else {
            return scalar(value).map(|text| Self::Texts(vec![text])).ok_or_else(how);
        };
        let texts: Option<Vec<String>> = list.iter().map(scalar).collect();
        let texts = texts.ok_or_else(how)?;
        // `["0x18", "0x81"]` is an attribute to compare with; a list of numbers is one.
        let is_tag = matches!(list.len(), 2 | 3)
            && list
                .iter()
                .take(2)
                .all(|v| v.as_str().is_some_and(|t| t.trim().starts_with("0x")));
        Ok(match Subject::read(value) {
            Ok(subject) if is_tag => Self::Other(subject, texts),
            _ => Self::Texts(texts),
        })
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
