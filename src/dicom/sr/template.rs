//! TID 1500 Measurement Report and what it includes (PS3.16): TID 1204 language, TID 1001 and 1004 the observer, which is
//! a device, TID 1600 the images (see [`library`](super::library)), TID 1501 a group of measurements with TID 4019, the algorithm that made them, and TID 300, each of them.
//!
//! What a bucket declares, and what holds to it, is a number with its unit. Everything else is text: nothing in a
//! report looks like a measurement that nobody answers for.

use super::content::{Concept, Item, Relationship, Value};
use super::document::Instance;
use super::library::library;
use crate::dicom::composite::Attribute;
use crate::model::{Code, DeclaredMeasure, Measure, Uid};

/// The coding scheme of measures that are declared without a code, or not at all (PS3.3 §8.2).
pub const PRIVATE_SCHEME: &str = "99MAGICKBOX";

/// What a report is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Report<'a> {
    /// The bucket.
    pub algorithm: Algorithm<'a>,
    /// The device that observed: this node, for this bucket.
    pub device: Uid,
    /// Items of the study's Procedure Code Sequence (0008,1032); none: an imaging procedure.
    pub procedures: Vec<Vec<Attribute>>,
    /// What was looked at.
    pub images: &'a [Instance],
    /// What was measured.
    pub groups: Vec<Group<'a>>,
}

/// The bucket that measured (TID 4019).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm<'a> {
    /// Its AE title.
    pub ae_title: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its image, `sha256:…`.
    pub image: &'a str,
}

/// The measures of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Group<'a> {
    /// What people know it by.
    pub identifier: String,
    /// What programs know it by.
    pub uid: Uid,
    /// In the order of the file.
    pub measures: Vec<Measured<'a>>,
}

/// A measure, with its declaration if it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured<'a> {
    /// What was measured.
    pub measure: &'a Measure,
    /// What was declared.
    pub declared: Option<&'a DeclaredMeasure>,
}

impl Report<'_> {
    /// The content of the report.
    #[must_use]
    pub fn tree(&self) -> Item {
        let mut children = vec![Item::new(
            Relationship::HasConceptMod,
            dcm("121049", "Language of Content Item and Descendants"),
            Value::Code(Concept::Code(Code::new("en", "RFC5646", "English"))),
        )];
        children.extend(self.observer());
        children.extend(self.procedures());
        children.extend(library(self.images));
        let groups = self.groups.iter().map(|group| self.group(group)).collect();
        let measurements = dcm("126010", "Imaging Measurements");
        children.push(Item::new(Relationship::Contains, measurements, Value::Container(None)).with(groups));
        Item {
            relationship: None,
            name: Some(dcm("126000", "Imaging Measurement Report")),
            value: Value::Container(Some("1500")),
            children,
        }
    }

    /// TID 1001, TID 1002, TID 1004.
    fn observer(&self) -> [Item; 5] {
        let of = |name, value| Item::new(Relationship::HasObsContext, name, value);
        let text = |text: &str| Value::Text(text.to_owned());
        [
            of(
                dcm("121005", "Observer Type"),
                Value::Code(Concept::Code(dcm("121007", "Device"))),
            ),
            of(
                dcm("121012", "Device Observer UID"),
                Value::UidRef(self.device.clone()),
            ),
            of(
                dcm("121013", "Device Observer Name"),
                text(self.algorithm.ae_title),
            ),
            of(dcm("121014", "Device Observer Manufacturer"), text("MagickBox")),
            of(dcm("121015", "Device Observer Model Name"), text("magickbox")),
        ]
    }

    fn procedures(&self) -> Vec<Item> {
        let reported = |concept| {
            let name = dcm("121058", "Procedure reported");
            Item::new(Relationship::HasConceptMod, name, Value::Code(concept))
        };
        if self.procedures.is_empty() {
            let any = Code::new("363679005", "SCT", "Imaging procedure");
            return vec![reported(Concept::Code(any))];
        }
        let copied = self.procedures.iter().cloned().map(Concept::Copied);
        copied.map(reported).collect()
    }

    /// TID 1501 Measurement and Qualitative Evaluation Group.
    fn group(&self, group: &Group<'_>) -> Item {
        let text = |relationship, name, text: String| Item::new(relationship, name, Value::Text(text));
        let algorithm = &self.algorithm;
        let name = if algorithm.name.trim().is_empty() {
            algorithm.ae_title
        } else {
            algorithm.name
        };
        let version = if algorithm.version.trim().is_empty() {
            "unknown"
        } else {
            algorithm.version
        };
        let modifier = Relationship::HasConceptMod;
        let mut children = vec![
            text(
                Relationship::HasObsContext,
                dcm("112039", "Tracking Identifier"),
                group.identifier.clone(),
            ),
            Item::new(
                Relationship::HasObsContext,
                dcm("112040", "Tracking Unique Identifier"),
                Value::UidRef(group.uid.clone()),
            ),
            text(modifier, dcm("111001", "Algorithm Name"), name.to_owned()),
            text(modifier, dcm("111003", "Algorithm Version"), version.to_owned()),
            text(
                modifier,
                dcm("111002", "Algorithm Parameters"),
                format!("image {}", algorithm.image),
            ),
        ];
        children.extend(group.measures.iter().map(|measured| self.measured(measured)));
        Item::new(
            Relationship::Contains,
            dcm("125007", "Measurement Group"),
            Value::Container(Some("1501")),
        )
        .with(children)
    }

    /// TID 300, or a text.
    fn measured(&self, measured: &Measured<'_>) -> Item {
        let Measured { measure, declared } = measured;
        let name = declared
            .and_then(|d| d.code.clone())
            .unwrap_or_else(|| private(self.algorithm.ae_title, &measure.name));
        let sound = declared.filter(|_| measure.problem.is_none());
        let value = match (sound, measure.value.as_f64()) {
            (Some(declared), Some(value)) => Value::Num {
                value,
                unit: declared.unit.clone(),
            },
            _ => Value::Text(text(measure)),
        };
        let site = declared.and_then(|d| d.site.clone()).map(|site| {
            let name = Code::new("363698007", "SCT", "Finding Site");
            Item::new(
                Relationship::HasConceptMod,
                name,
                Value::Code(Concept::Code(site)),
            )
        });
        Item::new(Relationship::Contains, name, value).with(site.into_iter().collect())
    }
}

/// A measure as a text that says everything.
fn text(measure: &Measure) -> String {
    let mut text = measure.text();
    if text.trim().is_empty() {
        // A text has to say something (PS3.3 §C.18.3).
        text = "(empty)".to_owned();
    }
    if let Some(unit) = &measure.unit {
        text = format!("{text} {unit}");
    }
    match &measure.problem {
        Some(problem) => format!("{text} ({problem})"),
        None => text,
    }
}

/// A code of DCM (PS3.16 Annex D).
pub(super) fn dcm(value: &str, meaning: &str) -> Code {
    Code::new(value, "DCM", meaning)
}

/// The concept of a measure that nobody gave a code: its bucket and its name.
fn private(ae_title: &str, name: &str) -> Code {
    // Neither may have a backslash, which begins another value.
    let name: String = name.chars().map(|c| if c == '\\' { '/' } else { c }).collect();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let meaning: String = name.chars().take(64).collect();
    let meaning = if meaning.trim().is_empty() {
        "Measure".to_owned()
    } else {
        meaning
    };
    Code::new(&format!("{ae_title}/{name}"), PRIVATE_SCHEME, &meaning)
}
