//! Every Storage SOP class and every transfer syntax is kept as it was sent, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;

use crate::needs;
use crate::support::images::Bucket;
use crate::support::part10::{self, Object, data_set, files, identity};
use crate::support::under_test::TestNode;
use crate::support::{PATIENCE, peers, senders};

#[test]
fn classes_and_encodings_made_by_hand_arrive_byte_for_byte() {
    needs!(Docker, Pynetdicom);
    let first = Object::new();
    let mut sent = Vec::new();
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let (mr, ct) = (part10::MR, part10::CT);
    for sop_class in [
        mr,
        ct,
        part10::SECONDARY_CAPTURE,
        part10::ENCAPSULATED_PDF,
        part10::BASIC_TEXT_SR,
    ] {
        for transfer_syntax in [
            part10::EXPLICIT_LITTLE,
            part10::IMPLICIT_LITTLE,
            part10::EXPLICIT_BIG,
            part10::DEFLATED,
            part10::JPEG_BASELINE,
        ] {
            let object = Object {
                sop_class,
                transfer_syntax,
                sop_instance: part10::uid(),
                ..first.clone()
            };
            sent.push(object.write(&node.scratch("sent")));
        }
    }
    send_and_compare(&node, &sent);
}

#[test]
fn real_files_in_every_encoding_arrive_byte_for_byte() {
    needs!(Docker, Pynetdicom);
    let Some(data) = real_data() else {
        peers::skip(module_path!(), "no real data; name its folder in MAGICKBOX_DATA");
        return;
    };
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let folders = ["transfer-syntaxes", "enhanced-mr", "character-sets"].map(|f| files(&data.join(f)));
    let sent: Vec<_> = folders
        .concat()
        .iter()
        .filter_map(|f| with_own_uid(f, &node.scratch("sent")))
        .collect();
    assert!(sent.len() >= 30, "{} files in {}", sent.len(), data.display());
    send_and_compare(&node, &sent);
}

#[test]
fn dcmsend_may_leave_compressed_images_compressed() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let object = Object {
        transfer_syntax: part10::JPEG_BASELINE,
        ..Object::new()
    };
    let said = senders::dcmsend(node.dicom_port(), "Count", &[object.write(&node.scratch("sent"))]);
    assert!(said.success, "{}", said.text);
    let kept = files(&Path::new(&node.wait_for_end("Count").directory).join("INPUT"));
    assert_eq!(
        identity(&kept[0]),
        (object.sop_instance, object.transfer_syntax.to_owned())
    );
}

/// Sends the files over one association and compares what the jobs' INPUT directories hold.
#[track_caller]
fn send_and_compare(node: &TestNode, sent: &[PathBuf]) {
    let statuses = senders::pynetdicom(node.dicom_port(), "Count", sent).statuses();
    assert_eq!(statuses, vec!["0000"; sent.len()]);

    node.api()
        .wait_for_job(PATIENCE, "all objects in jobs that are done", |_| {
            let jobs = node.api().jobs().unwrap_or_default();
            jobs.iter()
                .filter(|j| j.state == "done")
                .map(|j| j.instances)
                .sum::<u64>()
                == sent.len() as u64
        })
        .unwrap();
    let mut kept = BTreeMap::new();
    for job in node.api().jobs().unwrap() {
        for file in files(&Path::new(&job.directory).join("INPUT")) {
            kept.insert(file.file_stem().unwrap().to_str().unwrap().to_owned(), file);
        }
    }
    for file in sent {
        let (uid, transfer_syntax) = identity(file);
        let copy = kept.get(&uid).unwrap_or_else(|| panic!("{uid} is in no job"));
        assert_eq!(identity(copy), (uid, transfer_syntax), "{}", copy.display());
        let (before, after) = (fs::read(file).unwrap(), fs::read(copy).unwrap());
        assert!(
            data_set(&before) == data_set(&after),
            "{} was changed on its way",
            file.display()
        );
    }
}

fn real_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = std::env::var_os("MAGICKBOX_DATA").map_or_else(beside, PathBuf::from);
    data.is_dir().then_some(data)
}

/// A copy under a SOP Instance UID of its own, of the same length: some of these files share theirs, and a node
/// keeps an instance once. `None` for a data set that names no instance and so is no object to be stored.
fn with_own_uid(file: &Path, directory: &Path) -> Option<PathBuf> {
    let head = dicom_object::OpenFileOptions::new()
        .read_until(tags::STUDY_DATE)
        .open_file(file)
        .unwrap();
    let of_set = head
        .element(tags::SOP_INSTANCE_UID)
        .ok()?
        .to_str()
        .unwrap()
        .trim_end_matches('\0')
        .to_owned();
    let (of_meta, _) = identity(file);
    let new = part10::uid_of_length(of_set.len());
    let mut bytes = fs::read(file).unwrap();
    for old in [of_meta, of_set] {
        part10::replace(&mut bytes, old.as_bytes(), new.as_bytes());
    }
    fs::create_dir_all(directory).unwrap();
    let copy = directory.join(format!("{new}.dcm"));
    fs::write(&copy, bytes).unwrap();
    Some(copy)
}
