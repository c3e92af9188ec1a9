//! What the node itself makes of a bucket's measures.

/// `report` of an info.json.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Report {
    /// Nothing.
    #[default]
    None,
    /// A DICOM Structured Report: TID 1500 Measurement Report (PS3.16).
    Sr,
}

impl Report {
    /// Every one there is.
    pub const ALL: [Self; 2] = [Self::None, Self::Sr];

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sr => "sr",
        }
    }
}
