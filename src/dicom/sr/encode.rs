//! A tree of content items as a data set (PS3.3 §C.17.3, §C.18).

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::content::{Concept, Item, Value};
use super::decimal::decimal;
use crate::dicom::composite::{self, Charset, put, put_items, put_text};
use crate::model::{Code, Uid};

/// Values that fit into Code Value (0008,0100), in characters; longer ones have an element of their own.
const SHORT: usize = 16;

/// Puts an item and all below it.
pub fn put_item(object: &mut InMemDicomObject, item: &Item, charset: &Charset) {
    if let Some(relationship) = item.relationship {
        put(
            object,
            tags::RELATIONSHIP_TYPE,
            VR::CS,
            relationship.word().as_bytes(),
        );
    }
    if let Some(name) = &item.name {
        put_items(
            object,
            tags::CONCEPT_NAME_CODE_SEQUENCE,
            vec![code(name, charset)],
        );
    }
    let value_type = match &item.value {
        Value::Container(template) => {
            put(object, tags::CONTINUITY_OF_CONTENT, VR::CS, b"SEPARATE");
            if let Some(template) = template {
                put_items(
                    object,
                    tags::CONTENT_TEMPLATE_SEQUENCE,
                    vec![template_of(template)],
                );
            }
            "CONTAINER"
        }
        Value::Code(concept) => {
            let concept = match concept {
                Concept::Code(ours) => code(ours, charset),
                Concept::Copied(attributes) => composite::object(attributes),
            };
            put_items(object, tags::CONCEPT_CODE_SEQUENCE, vec![concept]);
            "CODE"
        }
        Value::Text(text) => {
            put_text(object, tags::TEXT_VALUE, VR::UT, text, charset);
            "TEXT"
        }
        Value::UidRef(uid) => {
            put_uid(object, tags::UID, uid);
            "UIDREF"
        }
        Value::Image {
            sop_class_uid,
            sop_instance_uid,
        } => {
            let image = reference(sop_class_uid, sop_instance_uid);
            put_items(object, tags::REFERENCED_SOP_SEQUENCE, vec![image]);
            "IMAGE"
        }
        Value::Num { value, unit } => {
            put_items(
                object,
                tags::MEASURED_VALUE_SEQUENCE,
                vec![measured(*value, unit, charset)],
            );
            "NUM"
        }
    };
    put(object, tags::VALUE_TYPE, VR::CS, value_type.as_bytes());
    if !item.children.is_empty() {
        let below = item.children.iter().map(|child| {
            let mut object = InMemDicomObject::new_empty();
            put_item(&mut object, child, charset);
            object
        });
        put_items(object, tags::CONTENT_SEQUENCE, below.collect());
    }
}

/// A reference to an object (PS3.3 §10.8).
pub fn reference(sop_class_uid: &Uid, sop_instance_uid: &Uid) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    put_uid(&mut object, tags::REFERENCED_SOP_CLASS_UID, sop_class_uid);
    put_uid(&mut object, tags::REFERENCED_SOP_INSTANCE_UID, sop_instance_uid);
    object
}

/// Puts a UID.
pub fn put_uid(object: &mut InMemDicomObject, tag: Tag, uid: &Uid) {
    put(object, tag, VR::UI, uid.as_str().as_bytes());
}

/// An item of a code sequence (PS3.3 §8.1).
fn code(code: &Code, charset: &Charset) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    if code.value.chars().count() <= SHORT {
        put_text(&mut object, tags::CODE_VALUE, VR::SH, &code.value, charset);
    } else {
        put_text(&mut object, tags::LONG_CODE_VALUE, VR::UC, &code.value, charset);
    }
    put_text(
        &mut object,
        tags::CODING_SCHEME_DESIGNATOR,
        VR::SH,
        &code.scheme,
        charset,
    );
    put_text(&mut object, tags::CODE_MEANING, VR::LO, &code.meaning, charset);
    object
}

/// A number and its unit (PS3.3 §C.18.1).
fn measured(value: f64, unit: &str, charset: &Charset) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    let (text, exact) = decimal(value);
    put(&mut object, tags::NUMERIC_VALUE, VR::DS, text.as_bytes());
    if !exact {
        let double = DataElement::new(tags::FLOATING_POINT_VALUE, VR::FD, PrimitiveValue::from(value));
        object.put(double);
    }
    let meaning = if unit == "1" { "no units" } else { unit };
    let unit = Code::new(unit, "UCUM", meaning);
    put_items(
        &mut object,
        tags::MEASUREMENT_UNITS_CODE_SEQUENCE,
        vec![code(&unit, charset)],
    );
    object
}

fn template_of(identifier: &str) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    put(&mut object, tags::MAPPING_RESOURCE, VR::CS, b"DCMR");
    put(
        &mut object,
        tags::TEMPLATE_IDENTIFIER,
        VR::CS,
        identifier.as_bytes(),
    );
    object
}
