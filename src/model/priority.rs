//! How soon a job is wanted.

/// The classes of the queue. A job that waits moves up a class each 4 h, so that none waits for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before all others.
    Urgent,
    /// In turn.
    #[default]
    Normal,
    /// When nothing else waits.
    OffPeak,
}

impl Priority {
    /// All of them, most urgent first.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::OffPeak];

    /// The word for it in configurations, in the store and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::OffPeak => "off-peak",
        }
    }

    /// The priority of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.word() == word)
    }
}
