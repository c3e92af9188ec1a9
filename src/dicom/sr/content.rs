//! Content items (PS3.3 §C.17.3): what a report says, as a tree.

use crate::dicom::composite::Attribute;
use crate::model::{Code, Uid};

/// How an item relates to the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relationship {
    /// It is part of it.
    Contains,
    /// It says in which context that was observed.
    HasObsContext,
    /// It says more of the concept.
    HasConceptMod,
}

impl Relationship {
    /// (0040,A010) Relationship Type
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Contains => "CONTAINS",
            Self::HasObsContext => "HAS OBS CONTEXT",
            Self::HasConceptMod => "HAS CONCEPT MOD",
        }
    }
}

/// A concept as a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Concept {
    /// One of ours or of the bucket's.
    Code(Code),
    /// An item of a code sequence of the study, as it stands there.
    Copied(Vec<Attribute>),
}

/// What an item holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Other items; the root of a template names it (PS3.3 §C.18.8).
    Container(Option<&'static str>),
    /// A coded concept.
    Code(Concept),
    /// A text.
    Text(String),
    /// A UID.
    UidRef(Uid),
    /// A number with its unit in UCUM.
    Num {
        /// The number.
        value: f64,
        /// The unit, such as `mL`.
        unit: String,
    },
}

/// One item, and what is below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// To the item above; the root has none.
    pub relationship: Option<Relationship>,
    /// What it is about.
    pub name: Code,
    /// What it holds.
    pub value: Value,
    /// In their order.
    pub children: Vec<Item>,
}

impl Item {
    /// An item without others below it.
    #[must_use]
    pub const fn new(relationship: Relationship, name: Code, value: Value) -> Self {
        Self {
            relationship: Some(relationship),
            name,
            value,
            children: Vec::new(),
        }
    }

    /// The item with others below it.
    #[must_use]
    pub fn with(self, children: Vec<Self>) -> Self {
        Self { children, ..self }
    }

    /// The tree as lines, for people and tests: depth by indentation.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let value = match &self.value {
            Value::Container(template) => template.map(|t| format!("TID {t}")).unwrap_or_default(),
            Value::Code(Concept::Code(code)) => code.to_string(),
            Value::Code(Concept::Copied(_)) => "of the study".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::UidRef(uid) => uid.to_string(),
            Value::Num { value, unit } => format!("{value} {unit}"),
        };
        let relationship = self.relationship.map_or("", Relationship::word).to_lowercase();
        let own = format!("{relationship} {}: {value}", self.name.meaning);
        let below = self
            .children
            .iter()
            .flat_map(Self::lines)
            .map(|line| format!("  {line}"));
        std::iter::once(own.trim().to_owned()).chain(below).collect()
    }
}
