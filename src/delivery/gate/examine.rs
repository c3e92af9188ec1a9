//! The decision about one result: pure, from what its input says, what it says itself, and what is known of its UIDs. The
//! same question has the same answer, after a crash too.
//!
//! # The rules, from the side of who reads the study
//! - **Whose it is.** Patient ID, issuer, name, birth date and sex are the input's. A measurement in the wrong patient's folder
//!   is worse than none, and nobody sees it there: so whatever contradicts the input is held, never put right by us, for
//!   whoever wrote another patient's ID may have measured another patient's image. What is not said at all is filled in: a
//!   bucket that writes pixels and no patient worked on what it was given, and it was given one patient.
//! - **Input of two patients.** Nobody can tell of which of them a result is. Everything the bucket made is held.
//! - **Where it is filed.** Study Instance UID, Study ID, accession number, study date and referring physician are the input's,
//!   or the PACS opens a second study that the reading list does not show. A Study ID that the input has not is left: some
//!   PACS need one, and it names nobody. Where the objects of one study disagree among themselves (two orders of one visit)
//!   any of their values is right and none is filled in.
//! - **What it is called.** A SOP Instance UID that another object has makes the PACS throw away one of the two, or both be
//!   shown in turn: held. So is a result in a series of the input: it would lie between the images it was made of. A missing
//!   Series Instance UID is made up, the same whenever it is asked for.
//! - **A copy of an input object** is none the bucket made: see the module above.

use super::attribute::{
    self, Attribute, Kind, SERIES_INSTANCE, SOP_CLASS, SOP_INSTANCE, STUDY_ID, STUDY_INSTANCE,
};
use super::characters;
use super::encode::Encoder;
use super::input::Input;
use super::object::Object;
use super::provenance::{self, CONTRIBUTING_EQUIPMENT, Equipment, MOST_SOURCES};
use super::rewrite::{Edit, Edits};
use super::text::CharacterSet;
use super::value::{Sameness, Value};
use crate::model::{GateAction, GateFinding, GateMode, Job, Uid};

/// What all results of a delivery are held against.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub mode: GateMode,
    pub job: &'a Job,
    pub input: &'a Input,
    pub equipment: &'a Equipment,
}

/// What the store knows of the UIDs of a result, beside this job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Another object has its SOP Instance UID.
    pub instance: bool,
    /// Objects of another job have its Series Instance UID.
    pub series: bool,
}

/// What was found, and what is to be changed; nothing is changed where anything is held.
#[derive(Debug, Default)]
pub(super) struct Examined {
    pub findings: Vec<GateFinding>,
    pub edits: Edits,
}

impl Examined {
    /// Whether it may not go.
    pub fn is_held(&self) -> bool {
        self.findings.iter().any(|f| f.action == GateAction::Held)
    }

    fn find(&mut self, action: GateAction, attribute: String, values: [Option<String>; 2], why: &str) {
        let [result, input] = values.map(|value| value.filter(|v| !v.is_empty()));
        let why = why.to_owned();
        self.findings.push(GateFinding {
            action,
            attribute,
            result,
            input,
            why,
        });
    }

    pub fn hold(&mut self, attribute: String, values: [Option<String>; 2], why: &str) {
        self.find(GateAction::Held, attribute, values, why);
    }

    /// What is missing is filled in, or held in the strict mode.
    pub fn missing(&mut self, mode: GateMode, attribute: String, values: [Option<String>; 2], why: &str) {
        match mode {
            // What would be done about it stands behind the colon.
            GateMode::Strict => {
                let missing = why.split(':').next().unwrap_or(why);
                self.find(GateAction::Held, attribute, values, missing);
            }
            GateMode::Repair | GateMode::Off => self.find(GateAction::Filled, attribute, values, why),
        }
    }

    pub fn note(&mut self, attribute: String, why: &str) {
        self.find(GateAction::Noted, attribute, [None, None], why);
    }
}

/// A result that cannot be read.
pub(super) fn unreadable(why: String) -> Examined {
    let mut examined = Examined::default();
    examined.hold("The object".to_owned(), [None, None], &why);
    examined
}

/// Decides about one result.
pub(super) fn examine(case: &Case<'_>, object: &Object, known: Known) -> Examined {
    let mut examined = Examined::default();
    legible(object, &mut examined);
    class_and_instance(case, object, known, &mut examined);
    series(case, object, known, &mut examined);
    identity(case, object, &mut examined);
    if !examined.is_held() {
        origin(case, object, &mut examined);
    }
    examined
}

/// What says whose an object is has to be text: one that is there as anything else, or longer than any lawful one, is not
/// missing. Another reader may see another patient in it.
fn legible(object: &Object, examined: &mut Examined) {
    let unread = |tag| !object.facts.is_known(tag);
    for element in object
        .elements
        .iter()
        .filter(|e| e.end > e.value && unread(e.tag))
    {
        if let Some(shown) = attribute::looked_at(element.tag) {
            let why = "its value cannot be read: it is not of the kind that this attribute has";
            examined.hold(shown, [None, None], why);
        }
    }
}

fn class_and_instance(case: &Case<'_>, object: &Object, known: Known, examined: &mut Examined) {
    let named = [
        (SOP_CLASS, "SOP Class UID", &object.meta.sop_class_uid),
        (SOP_INSTANCE, "SOP Instance UID", &object.meta.sop_instance_uid),
    ];
    for (tag, name, head) in named {
        let shown = attribute::shown(name, tag);
        let own = object.facts.uid(tag);
        let both = [Some(own.clone()), Some(head.to_string())];
        if own.is_empty() {
            let why = "missing: filled in from the head of the file (PS3.10)";
            examined.missing(case.mode, shown, both, why);
            examined.set(tag, *b"UI", head.as_str().into());
        } else if own != head.as_str() {
            let why = "data set and head of the file name different objects";
            examined.hold(shown, both, why);
        }
    }
    let class = &object.meta.sop_class_uid;
    if provenance::storage_class(class.as_str()).is_none() {
        let why =
            "no class of objects that the standard knows (PS3.6 table A-1): most PACS drop such an object";
        examined.hold(
            attribute::shown("SOP Class UID", SOP_CLASS),
            [Some(class.to_string()), None],
            why,
        );
    }
    let instance = &object.meta.sop_instance_uid;
    let shown = || attribute::shown("SOP Instance UID", SOP_INSTANCE);
    let values = [Some(instance.to_string()), None];
    if !is_valid(instance.as_str()) {
        examined.hold(shown(), values, NOT_VALID);
    } else if case.input.objects.contains_key(instance.as_str()) {
        let why = "the UID of an object of the input, and not the same object: a PACS keeps one of the two";
        examined.hold(shown(), values, why);
    } else if known.instance {
        let why = "another object has this UID already: a PACS keeps one of the two";
        examined.hold(shown(), values, why);
    }
}

/// A result that a destination has already, and that comes to another object when its copy is made anew.
pub(super) fn copied_otherwise(instance: &str) -> Examined {
    let mut examined = Examined::default();
    let why = "made anew, what would be sent is not the object any more that a destination has under this UID: restart the \
               job for results under new ones, or release it to send what the bucket made";
    let shown = attribute::shown("SOP Instance UID", SOP_INSTANCE);
    examined.hold(shown, [Some(instance.to_owned()), None], why);
    examined
}

const NOT_VALID: &str = "no valid UID (PS3.5 §9.1)";

/// Without leading zeros too: who makes a UID can do that.
fn is_valid(uid: &str) -> bool {
    let no_zeros = |component: &str| component == "0" || !component.starts_with('0');
    Uid::parse(uid.as_bytes()).is_ok() && uid.split('.').all(no_zeros)
}

fn series(case: &Case<'_>, object: &Object, known: Known, examined: &mut Examined) {
    let shown = attribute::shown("Series Instance UID", SERIES_INSTANCE);
    let own = object.facts.uid(SERIES_INSTANCE);
    let values = [Some(own.clone()), None];
    if own.is_empty() {
        let made = case
            .equipment
            .series_uid(case.job, object.meta.sop_class_uid.as_str());
        examined.missing(case.mode, shown, values, "missing: a new one");
        examined.set(SERIES_INSTANCE, *b"UI", made.into_bytes());
    } else if !is_valid(&own) {
        examined.hold(shown, values, NOT_VALID);
    } else if case.input.series.contains(&own) {
        let why = "a series of the input: the result would lie between the images it was made of";
        examined.hold(shown, values, why);
    } else if known.series {
        let why = "a series of another job: the result would lie between its objects";
        examined.hold(shown, values, why);
    }
}

/// Patient and study.
fn identity(case: &Case<'_>, object: &Object, examined: &mut Examined) {
    if let Some((attribute, one, other)) = case.input.two_patients() {
        let why = "the input is of two patients: of which of them the result is nobody can tell";
        let both = format!("{} and {}", one.shown(), other.shown());
        let own = object.facts.value(attribute).shown();
        examined.hold(attribute.shown(), [Some(own), Some(both)], why);
        return;
    }
    let mut wanted: Vec<(Attribute, &[Value])> = Vec::new();
    for attribute in Attribute::PATIENT {
        wanted.push((
            attribute,
            case.input.patient.get(&attribute).map_or(&[], Vec::as_slice),
        ));
    }
    let mut fills = Vec::new();
    let own = object.facts.uid(STUDY_INSTANCE.tag);
    match case.input.study(&own) {
        Some((uid, study)) => {
            if own.is_empty() && !uid.is_empty() {
                let values = [None, Some(uid.clone())];
                examined.missing(case.mode, STUDY_INSTANCE.shown(), values, FROM_INPUT);
                fills.push((
                    STUDY_INSTANCE,
                    Value::new(uid.as_bytes(), &CharacterSet::default()),
                ));
            }
            for attribute in Attribute::STUDY {
                wanted.push((attribute, study.get(&attribute).map_or(&[], Vec::as_slice)));
            }
        }
        None => {
            let known: Vec<_> = case.input.studies.keys().take(5).map(String::as_str).collect();
            let why = match own.is_empty() {
                true => {
                    "missing, and the input is of several studies: of which of them the result is nobody can tell"
                }
                false => "no study of the input",
            };
            examined.hold(STUDY_INSTANCE.shown(), [Some(own), Some(known.join(", "))], why);
        }
    }
    let set = characters::read_with(object, &wanted, case.mode, examined);
    characters::readable(object, &set, case.mode, examined);
    for (attribute, right) in wanted {
        let own = Value {
            set: set.clone(),
            ..object.facts.value(attribute)
        };
        if let Some(value) = compare(case.mode, attribute, &own, right, examined) {
            fills.push((attribute, value));
        }
    }
    characters::fill(object, set, &fills, case.mode, examined);
}

const FROM_INPUT: &str = "missing: filled in from the input";

/// Holds a value against those of the input; answers what is to be filled in.
fn compare(
    mode: GateMode,
    attribute: Attribute,
    own: &Value,
    right: &[Value],
    examined: &mut Examined,
) -> Option<Value> {
    let sameness: Vec<_> = right.iter().map(|right| own.against(right, attribute)).collect();
    let is_empty = own.is_empty(attribute.kind());
    let shown = || [Some(own.shown()), right.first().map(Value::shown)];
    if sameness.contains(&Sameness::Same) || (right.is_empty() && (is_empty || attribute == STUDY_ID)) {
        return None;
    }
    if sameness.contains(&Sameness::Missing) {
        let [only] = right else {
            let why = "missing, and not filled in: the objects of the input do not agree";
            examined.note(attribute.shown(), why);
            return None;
        };
        let why = match (is_empty, attribute.kind()) {
            (false, Kind::Name) => "a group of the name is missing: filled in from the input",
            _ => FROM_INPUT,
        };
        examined.missing(mode, attribute.shown(), shown(), why);
        return Some(only.clone());
    }
    let why = if sameness.contains(&Sameness::Unreadable) {
        "one of both cannot be read in its character set: whether they say the same nobody can tell"
    } else {
        "contradicts the input"
    };
    examined.hold(attribute.shown(), shown(), why);
    None
}

/// Adds what made the object, and of what.
fn origin(case: &Case<'_>, object: &Object, examined: &mut Examined) {
    let encoder = Encoder(object.extent.encoding);
    let has = |tag: u32| object.elements.iter().find(|e| e.tag == tag);
    let shown = attribute::shown("Contributing Equipment Sequence", CONTRIBUTING_EQUIPMENT);
    // A sequence that was written as bytes without a name takes no item.
    let takes_items = has(CONTRIBUTING_EQUIPMENT).is_none_or(|there| there.vr == *b"SQ");
    match case.equipment.item(encoder).filter(|_| takes_items) {
        Some(item) => {
            examined.edits.insert(CONTRIBUTING_EQUIPMENT, Edit::Append(item));
            let why = "node, bucket, version and image are named";
            examined.find(GateAction::Added, shown, [None, None], why);
        }
        None => examined.note(shown, "not added: it cannot be written into this object"),
    }
    let class = object.meta.sop_class_uid.as_str();
    // Whatever names a source: in the object, by frame, by series.
    let references = [
        0x0008_2112,
        0x0008_1115,
        0x0008_1140,
        0x0042_0013,
        0x5200_9229,
        0x5200_9230,
    ];
    let Some(sequence) = provenance::sequence_of(class) else {
        return;
    };
    if references
        .into_iter()
        .any(|tag| has(tag).is_some_and(|e| e.end > e.value))
    {
        return;
    }
    let shown = attribute::shown("Source references", sequence);
    match provenance::sources(class, case.input, encoder) {
        Some((tag, items)) => {
            examined.set(tag, *b"SQ", items);
            examined.find(
                GateAction::Added,
                shown,
                [None, None],
                "the objects of the input are named",
            );
        }
        None => {
            let why = format!("not added: the input has no image, or more than {MOST_SOURCES} objects");
            examined.note(shown, &why);
        }
    }
}

impl Examined {
    pub fn set(&mut self, tag: u32, vr: [u8; 2], value: Vec<u8>) {
        self.edits.insert(tag, Edit::Set(vr, value));
    }
}

#[cfg(test)]
mod tests;
