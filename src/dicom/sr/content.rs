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
    /// It says how that was acquired.
    HasAcqContext,
}

impl Relationship {
    /// (0040,A010) Relationship Type
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Contains => "CONTAINS",
            Self::HasObsContext => "HAS OBS CONTEXT",
            Self::HasConceptMod => "HAS CONCEPT MOD",
            Self::HasAcqContext => "HAS ACQ CONTEXT",
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
    /// An image.
    Image {
        /// What it is.
        sop_class_uid: Uid,
        /// Which one.
        sop_instance_uid: Uid,
    },
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
    /// What it is about; an image of a library is what it is.
    pub name: Option<Code>,
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
            name: Some(name),
            value,
            children: Vec::new(),
        }
    }

    /// An image that is part of what is above it.
    #[must_use]
    pub const fn image(sop_class_uid: Uid, sop_instance_uid: Uid) -> Self {
        Self {
            relationship: Some(Relationship::Contains),
            name: None,
            value: Value::Image {
                sop_class_uid,
                sop_instance_uid,
            },
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
            Value::Image { sop_instance_uid, .. } => format!("image {sop_instance_uid}"),
            Value::Num { value, unit } => format!("{value} {unit}"),
        };
        let relationship = self.relationship.map_or("", Relationship::word).to_lowercase();
        let name = self.name.as_ref().map(|name| format!("{}: ", name.meaning));
        let own = format!("{relationship} {}{value}", name.unwrap_or_default());
        let below = self
            .children
            .iter()
            .flat_map(Self::lines)
            .map(|line| format!("  {line}"));
        std::iter::once(own.trim().to_owned()).chain(below).collect()
    }
}
