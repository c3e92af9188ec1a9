//! The gate before results leave: what it may do, what it found, where a delivery stands with it.

/// The program that makes copies with the gate's repairs, as it names itself in them.
pub const COPIES_BY: &str = concat!("MagickBox ", env!("CARGO_PKG_VERSION"));

/// How results of a route are held against their input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum GateMode {
    /// Any deviation holds a delivery.
    Strict,
    /// What is missing is filled in from the input; what contradicts it holds a delivery.
    #[default]
    Repair,
    /// Results are sent as the bucket made them.
    Off,
}

impl GateMode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Repair, Self::Off];

    /// Its word in the configuration, in the store and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Repair => "repair",
            Self::Off => "off",
        }
    }

    /// The mode of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.word() == word)
    }
}

/// Where a delivery stands with the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum GateState {
    /// Not looked at yet.
    #[default]
    Open,
    /// It may go.
    Passed,
    /// A person has to look at it. Looked at again when it is tried again.
    Held,
    /// A person has looked at it: it goes as the bucket made it.
    Released,
}

impl GateState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Open, Self::Passed, Self::Held, Self::Released];

    /// Its word in the store and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Passed => "passed",
            Self::Held => "held",
            Self::Released => "released",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }
}

/// What a finding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GateAction {
    /// The delivery is held.
    Held,
    /// A missing value is filled in.
    Filled,
    /// Something is left as it is, and a person should know.
    Noted,
    /// Where the object comes from is added.
    Added,
}

impl GateAction {
    /// All actions.
    pub const ALL: [Self; 4] = [Self::Held, Self::Filled, Self::Noted, Self::Added];

    /// Its word in the store and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Filled => "filled",
            Self::Noted => "noted",
            Self::Added => "added",
        }
    }

    /// The action of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.word() == word)
    }
}

/// One thing the gate found. Its values are a patient's: they are for the store and the API, never for a log, a metric or
/// the text of an error. So it cannot be printed with them: `Debug` leaves them out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GateFinding {
    /// What it leads to.
    pub action: GateAction,
    /// Name and tag of the attribute; what it is about, where that is no attribute.
    pub attribute: String,
    /// What the result says.
    pub result: Option<String>,
    /// What the input says.
    pub input: Option<String>,
    /// What is wrong, or was done; without values.
    pub why: String,
}

impl std::fmt::Debug for GateFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            action,
            attribute,
            why,
            ..
        } = self;
        write!(f, "{} {attribute}: {why}", action.word())
    }
}

/// A finding with the objects it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateFindings {
    /// What was found.
    pub finding: GateFinding,
    /// In how many objects.
    pub objects: u32,
    /// The first of them, as the delivery names it. May name a patient: as a value.
    pub file: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for mode in GateMode::ALL {
            assert_eq!(GateMode::from_word(mode.word()), Some(mode));
        }
        for state in GateState::ALL {
            assert_eq!(GateState::from_word(state.word()), Some(state));
        }
        for action in GateAction::ALL {
            assert_eq!(GateAction::from_word(action.word()), Some(action));
        }
        assert_eq!(GateMode::from_word("on"), None);
    }

    #[test]
    fn a_finding_does_not_print_its_values() {
        let finding = GateFinding {
            action: GateAction::Held,
            attribute: "Patient ID (0010,0020)".into(),
            result: Some("secret-1".into()),
            input: Some("secret-2".into()),
            why: "contradicts the input".into(),
        };
        let shown = format!("{finding:?}");
        assert!(
            !shown.contains("secret") && shown.contains("0010,0020"),
            "{shown}"
        );
    }
}
