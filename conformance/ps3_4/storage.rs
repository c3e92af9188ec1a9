//! Storage as SCP (§B.2.2, §B.4.1): Success means stored, whole, as it was, once.

use serde_json::Value;

use crate::needs;
use crate::subject::{STORE, associate, stored, stored_object, subject};
use crate::support::api::Job;
use crate::support::part10::{MR, Object, data_set, uid};
use crate::support::under_test::TestNode;

/// The one set that is open.
#[track_caller]
fn set(node: &TestNode) -> Job {
    let jobs = node.api().jobs().unwrap();
    assert_eq!(jobs.len(), 1, "{jobs:#?}");
    node.api().job(&jobs[0].id).unwrap()
}

fn texts(job: &Job) -> Vec<&str> {
    job.events
        .iter()
        .filter_map(|e| e.get("text").and_then(Value::as_str))
        .collect()
}

#[test]
fn the_same_object_again_is_success_and_stored_once() {
    needs!(Docker);
    let node = subject("");
    let object = Object::new();
    let mut parrot = associate(&node);
    for _ in 0..3 {
        assert_eq!(parrot.store(STORE, &object), 0x0000);
    }
    parrot.release();
    // On another association too.
    let mut parrot = associate(&node);
    assert_eq!(parrot.store(STORE, &object), 0x0000);
    parrot.release();
    assert_eq!(set(&node).instances, 1);
    assert_eq!(stored(&node).len(), 1);
    assert_eq!(
        data_set(&stored_object(&node, &object.sop_instance)),
        object.data_set()
    );
}

#[test]
fn other_bytes_under_the_same_uid_are_both_kept_and_an_event_says_so() {
    needs!(Docker);
    let node = subject("");
    let first = Object::new();
    let second = Object {
        pixels: 2048,
        ..first.clone()
    };
    let mut parrot = associate(&node);
    assert_eq!(parrot.store(STORE, &first), 0x0000);
    let events = set(&node).events.len();
    assert_eq!(parrot.store(STORE, &second), 0x0000);
    parrot.release();

    let job = set(&node);
    assert_eq!(job.instances, 1, "one of them is current");
    let news = &texts(&job)[events..];
    assert!(!news.is_empty(), "no event: {:?}", job.events);
    let files: Vec<_> = stored(&node).iter().map(|f| std::fs::read(f).unwrap()).collect();
    assert_eq!(files.len(), 2);
    for object in [&first, &second] {
        let set = object.data_set();
        assert!(
            files.iter().any(|f| data_set(f) == set),
            "one of the two is not kept"
        );
    }
}

#[test]
fn objects_of_one_study_are_one_set_and_of_another_study_another() {
    needs!(Docker);
    let node = subject("");
    let first = Object::new();
    let mut parrot = associate(&node);
    for _ in 0..2 {
        let of_series = Object {
            sop_instance: uid(),
            ..first.clone()
        };
        let of_study = Object {
            series: uid(),
            sop_instance: uid(),
            ..first.clone()
        };
        assert_eq!(parrot.store(STORE, &of_series), 0x0000);
        assert_eq!(parrot.store(STORE, &of_study), 0x0000);
    }
    assert_eq!(parrot.store(STORE, &Object::new()), 0x0000);
    parrot.release();
    let mut instances: Vec<_> = node.api().jobs().unwrap().iter().map(|j| j.instances).collect();
    instances.sort_unstable();
    assert_eq!(instances, [1, 4]);
}

#[test]
fn an_object_is_there_when_it_is_answered() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    for number in 1..=10 {
        let object = Object::new();
        assert_eq!(parrot.store(STORE, &object), 0x0000);
        // The association is open still.
        assert_eq!(
            data_set(&stored_object(&node, &object.sop_instance)),
            object.data_set()
        );
        assert_eq!(node.api().jobs().unwrap().len(), number);
    }
    parrot.release();
}

#[test]
fn nothing_is_coerced() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let object = Object::new();
    let mut set = object.attributes();
    // What others correct: a lower-case CS, an overlong SH, a date that is none, an IS with spaces inside.
    set.extend(object.text(0x0040, 0x0001, "CS", "lower case"));
    set.extend(object.text(0x0040, 0x0002, "DA", "29.2.2023"));
    set.extend(object.text(0x0040, 0x0010, "SH", &"long ".repeat(20)));
    set.extend(object.text(0x0040, 0x0440, "IS", "1 2 3"));
    // No warning either: a coerced object would be B000.
    assert_eq!(parrot.store_set(STORE, &object, &set), 0x0000);
    assert_eq!(data_set(&stored_object(&node, &object.sop_instance)), set);
    parrot.release();
}

#[test]
fn an_object_of_another_class_than_its_context_is_not_stored() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    let ct = Object {
        sop_class: crate::support::part10::CT,
        ..Object::new()
    };
    // The command tells the truth, the context is another's.
    assert_eq!(parrot.store(STORE, &ct), 0x0122);
    // The command tells the context's class, the data set the truth.
    let lies = Object {
        sop_class: MR,
        ..ct.clone()
    };
    assert_eq!(parrot.store_set(STORE, &lies, &ct.data_set()), 0xa900);
    assert_eq!(stored(&node).len(), 0);
    assert_eq!(node.api().jobs().unwrap().len(), 0);
    parrot.release();
}
