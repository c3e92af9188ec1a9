//! Statuses of C-STORE (§9.3.1.1.9, §C.5, PS3.4 §B.2.3): each says what was wrong, none ends the association.

use std::fs;
use std::path::Path;

use crate::needs;
use crate::subject::{CALLED, ECHO, STORE, associate, leaves_no_part, stored, subject};
use crate::support::parrot::Parrot;
use crate::support::parrot::command::{Command, Response, SOP_CLASS, SOP_INSTANCE};
use crate::support::parrot::pdu::message;
use crate::support::part10::{CT, MR, Object, uid};

#[track_caller]
fn store(parrot: &mut Parrot, context: u8, command: &Command, data_set: &[u8]) -> Response {
    parrot.say(message(context, command, Some(data_set)));
    parrot.response()
}

#[test]
fn a_class_that_is_not_the_contexts_is_0122() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let object = Object::new();
    let ct = Object {
        sop_class: CT,
        ..Object::new()
    };
    for (context, class, set) in [
        (STORE, CT, ct.data_set()),
        (STORE, "1.2.3", object.data_set()),
        (STORE, "no uid", object.data_set()),
        (STORE, "1.2.840.10008.5.1.4.1.1.4.", object.data_set()),
        (ECHO, MR, object.data_set()),
        (ECHO, "1.2.840.10008.1.1", object.data_set()),
    ] {
        let command = Command::store(1, class, &object.sop_instance);
        let response = store(&mut parrot, context, &command, &set);
        assert_eq!(
            response.status, 0x0122,
            "{class} on context {context}: {response:?}"
        );
    }
    assert_eq!(stored(&node).len(), 0);
    assert_eq!(parrot.store(STORE, &object), 0x0000);
    parrot.release();
}

#[test]
fn an_instance_uid_that_is_none_is_0117() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let good = Object::new();
    let long = format!("1.2.{}", "3".repeat(61));
    for bad in [
        "1..2",
        "1.2.",
        ".1.2",
        "1.2.x",
        "../../x",
        "1.2/3",
        "1.2\u{0}3",
        "1.2 3",
        "1.2\n",
        &long,
    ] {
        let object = Object {
            sop_instance: bad.to_owned(),
            ..good.clone()
        };
        let command = Command::store(1, MR, bad);
        let response = store(&mut parrot, STORE, &command, &object.data_set());
        assert_eq!(response.status, 0x0117, "{bad:?}: {response:?}");
    }
    assert_eq!(stored(&node).len(), 0);
    assert_eq!(named_x(&node.scratch("")), Vec::<String>::new());
    assert_eq!(parrot.store(STORE, &good), 0x0000);
    parrot.release();
}

/// Files below a directory whose name begins with `x`, as the path above does.
fn named_x(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
    entries
        .flat_map(|path| match path.file_name().unwrap().to_str().unwrap() {
            name if name.starts_with('x') => vec![path.display().to_string()],
            _ if path.is_dir() => named_x(&path),
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn a_data_set_of_another_class_or_instance_is_a900() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let object = Object::new();
    let of_ct = Object {
        sop_class: CT,
        ..object.clone()
    };
    assert_eq!(parrot.store_set(STORE, &object, &of_ct.data_set()), 0xa900);
    let of_another = Object {
        sop_instance: uid(),
        ..object.clone()
    };
    assert_eq!(parrot.store_set(STORE, &object, &of_another.data_set()), 0xa900);
    leaves_no_part(&node);
    assert_eq!(stored(&node).len(), 0);
    assert_eq!(parrot.store(STORE, &object), 0x0000);
    parrot.release();
}

#[test]
fn a_data_set_that_is_none_is_c000() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let object = Object::new();
    for garbage in [vec![0xff; 10_000], b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0; 3]] {
        assert_eq!(
            parrot.store_set(STORE, &object, &garbage),
            0xc000,
            "{:02x?}",
            &garbage[..3]
        );
    }
    leaves_no_part(&node);
    assert_eq!(parrot.store(STORE, &object), 0x0000);
    parrot.release();
}

#[test]
fn an_object_for_which_there_is_no_room_is_a700_until_there_is() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    // Nothing can be written where large objects go while they arrive.
    let parts = node.bucket(CALLED).join("incoming/.parts");
    let _ = fs::remove_dir_all(&parts);
    fs::create_dir_all(parts.parent().unwrap()).unwrap();
    fs::write(&parts, "in the way").unwrap();
    let object = Object {
        pixels: 2_000_000,
        ..Object::new()
    };
    let command = Command::store(1, MR, &object.sop_instance);
    let response = store(&mut parrot, STORE, &command, &object.data_set());
    assert_eq!(response.status, 0xa700, "{response:?}");
    let told = response.comment.unwrap_or_default();
    assert!(!told.contains('/'), "a path of ours: {told}");
    fs::remove_file(&parts).unwrap();
    assert_eq!(parrot.store(STORE, &object), 0x0000);
    parrot.release();
}

#[test]
fn a_response_names_what_it_answers_and_a_failure_says_why() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let object = Object::new();
    let command = Command::store(5, MR, &object.sop_instance);
    let response = store(&mut parrot, STORE, &command, &object.data_set());
    assert_eq!(response.status, 0x0000);
    assert_eq!(response.sop_class.as_deref(), Some(MR));
    assert_eq!(
        response.sop_instance.as_deref(),
        Some(object.sop_instance.as_str())
    );
    let bad = command.uid(SOP_INSTANCE, "x").uid(SOP_CLASS, MR);
    let response = store(&mut parrot, STORE, &bad, &object.data_set());
    let told = response.comment.unwrap_or_default();
    assert!((1..=64).contains(&told.len()), "{told:?}");
    parrot.release();
}
