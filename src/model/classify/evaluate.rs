//! One object against the rules.

use std::borrow::Cow;

use super::attributes::number;
use super::{Attributes, Check, Clause, Condition, RuleSet, Subject, Target, Test};

/// Which entries of a rule file hold for a series, in the file's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found(Vec<bool>);

impl Found {
    /// Whether an entry holds.
    #[must_use]
    pub fn holds(&self, place: usize) -> bool {
        self.0.get(place).copied().unwrap_or(false)
    }

    /// The names of the types that were found, in the file's order, each once.
    #[must_use]
    pub fn names<'a>(&self, rules: &'a RuleSet) -> Vec<&'a str> {
        let mut names = Vec::new();
        for (place, rule) in rules.types.iter().enumerate() {
            if self.holds(place) && !names.contains(&rule.name.as_str()) {
                names.push(rule.name.as_str());
            }
        }
        names
    }

    fn set(&mut self, place: usize, holds: bool) {
        if self.0.len() <= place {
            self.0.resize(place + 1, false);
        }
        if let Some(slot) = self.0.get_mut(place) {
            *slot = holds;
        }
    }
}

/// What rules see of a series besides the object at hand.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The object at hand.
    pub object: &'a Attributes,
    /// Objects of its series so far, with this one.
    pub files: u64,
}

/// Judges one more object of a series.
pub fn evaluate(rules: &RuleSet, seen: Seen<'_>, found: &mut Found) {
    for (place, rule) in rules.types.iter().enumerate() {
        if rule.check == Check::UntilFound && found.holds(place) {
            continue;
        }
        let look = Look { rules, seen, found };
        let holds = look.all(&rule.clauses);
        found.set(place, holds);
    }
}

struct Look<'a> {
    rules: &'a RuleSet,
    seen: Seen<'a>,
    found: &'a Found,
}

impl Look<'_> {
    fn all(&self, clauses: &[Clause]) -> bool {
        clauses.iter().all(|clause| self.clause(clause) != clause.negate)
    }

    /// A chain of types that include types is short: the file was read with that in mind.
    fn clause(&self, clause: &Clause) -> bool {
        match &clause.condition {
            Condition::Type(place) => self.rules.types.get(*place).is_some_and(|t| self.all(&t.clauses)),
            Condition::Attribute(subject, test) => holds(test, self.values(subject).as_deref(), |other| {
                self.values(other).map(Cow::into_owned)
            }),
        }
    }

    /// What a rule looks at; `None` where it is not there.
    fn values(&self, subject: &Subject) -> Option<Cow<'_, [String]>> {
        match subject {
            Subject::NumFiles => Some(Cow::Owned(vec![self.seen.files.to_string()])),
            Subject::ClassifyType => {
                let names = self.found.names(self.rules);
                Some(Cow::Owned(names.into_iter().map(str::to_owned).collect()))
            }
            Subject::Element { tag, index: None } => self
                .seen
                .object
                .get(*tag)
                .map(|value| Cow::Borrowed(value.texts())),
            Subject::Element {
                tag,
                index: Some(index),
            } => {
                let value = self.seen.object.get(*tag)?.texts().get(*index)?;
                Some(Cow::Borrowed(std::slice::from_ref(value)))
            }
        }
    }
}

fn holds(test: &Test, values: Option<&[String]>, other: impl Fn(&Subject) -> Option<Vec<String>>) -> bool {
    let target = |target: &Target| match target {
        Target::Texts(texts) => texts.clone(),
        Target::Other(subject, texts) => other(subject).unwrap_or_else(|| texts.clone()),
    };
    let Some(values) = values else {
        return matches!(test, Test::NotExist | Test::NotEqual(_));
    };
    match test {
        Test::Exist => true,
        Test::NotExist => false,
        Test::Equal(to) => equal(values, &target(to)),
        Test::NotEqual(to) => !equal(values, &target(to)),
        Test::Less(to) => both(values, &target(to)).is_some_and(|(a, b)| a < b),
        Test::Greater(to) => both(values, &target(to)).is_some_and(|(a, b)| a > b),
        Test::Contains(to) => target(to).iter().all(|wanted| match values {
            [one] => one.contains(wanted.as_str()),
            several => several.contains(wanted),
        }),
        Test::Approx(to, level) => {
            let target = target(to);
            let near = |(a, b): (&String, &String)| {
                number(a)
                    .zip(number(b))
                    .is_some_and(|(a, b)| (a - b).abs() <= *level)
            };
            !values.is_empty() && values.len() == target.len() && values.iter().zip(&target).all(near)
        }
        Test::Search(pattern) => match values {
            [] => pattern.0.is_match(""),
            [one] => pattern.0.is_match(one),
            several => {
                several.iter().any(|one| pattern.0.is_match(one)) || pattern.0.is_match(&several.join("\\"))
            }
        },
    }
}

fn equal(values: &[String], target: &[String]) -> bool {
    let same = |(a, b): (&String, &String)| match number(a).zip(number(b)) {
        #[expect(
            clippy::float_cmp,
            reason = "`==` of a rule means equal; close is what `approx` is for"
        )]
        Some((a, b)) => a == b,
        None => a.trim() == b.trim(),
    };
    match (values, target) {
        ([], [one]) => one.is_empty(),
        _ => values.len() == target.len() && values.iter().zip(target).all(same),
    }
}

/// Both as one number each.
fn both(values: &[String], target: &[String]) -> Option<(f64, f64)> {
    match (values, target) {
        ([a], [b]) => number(a).zip(number(b)),
        _ => None,
    }
}
