//! Peers × SOP classes × transfer syntaxes: whatever is sent arrives, byte for byte, in the syntax it was sent in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_dictionary_std::{tags, uids};
use serde::Deserialize;

use crate::needs;
use crate::subject::{CALLED, stored, subject};
use crate::support::part10::{
    self, DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, JPEG_BASELINE, MR, Object, data_set,
    files, identity,
};
use crate::support::peers::python;
use crate::support::under_test::TestNode;
use crate::support::{peers, senders};

/// Presentation contexts of one association, and so files with a context each.
const CONTEXTS: usize = 128;

/// Non-Patient Object Storage (PS3.4 §GG.3): such objects belong to no study, so that no bucket could be called for them.
const NON_PATIENT: [&str; 9] = [
    uids::CT_DEFINED_PROCEDURE_PROTOCOL_STORAGE,
    uids::PROTOCOL_APPROVAL_STORAGE,
    uids::XA_DEFINED_PROCEDURE_PROTOCOL_STORAGE,
    uids::INVENTORY_STORAGE,
    uids::HANGING_PROTOCOL_STORAGE,
    uids::COLOR_PALETTE_STORAGE,
    uids::GENERIC_IMPLANT_TEMPLATE_STORAGE,
    uids::IMPLANT_ASSEMBLY_TEMPLATE_STORAGE,
    uids::IMPLANT_TEMPLATE_GROUP_STORAGE,
];

/// What the peer knows: more than the node's own table would say of itself.
#[derive(Deserialize)]
struct Registry {
    storage: Vec<String>,
    syntaxes: Vec<String>,
}

impl Registry {
    #[track_caller]
    fn of_pynetdicom() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/registry.py");
        let output = Command::new(python()).arg(script).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

#[test]
fn pynetdicom_sends_every_storage_class() {
    needs!(Docker, Pynetdicom);
    let node = subject("");
    let mut classes = Registry::of_pynetdicom().storage;
    classes.retain(|class| !NON_PATIENT.contains(&class.as_str()));
    assert!(classes.len() > 150);
    let syntaxes = [
        EXPLICIT_LITTLE,
        IMPLICIT_LITTLE,
        JPEG_BASELINE,
        DEFLATED,
        EXPLICIT_BIG,
    ];
    let mut sent = Vec::new();
    for (number, class) in classes.into_iter().enumerate() {
        let sop_class: &'static str = class.leak();
        // Each class plain, and in one of the others in turn.
        for transfer_syntax in [syntaxes[0], syntaxes[1 + number % 4]] {
            sent.push(object(sop_class, transfer_syntax).write(&node.scratch("sent")));
        }
    }
    send_and_compare(&node, &sent);
}

#[test]
fn objects_of_no_patient_are_not_taken() {
    needs!(Docker, Pynetdicom);
    let node = subject("");
    let of = |class| object(class, EXPLICIT_LITTLE).write(&node.scratch("sent"));
    let mut sent = NON_PATIENT.map(of).to_vec();
    // Without one that is taken there would be no association worth having.
    sent.push(of(MR));
    let statuses = senders::pynetdicom(node.dicom_port(), CALLED, &sent).statuses();
    let (last, others) = statuses.split_last().unwrap();
    assert!(others.iter().all(|status| status == "----"), "{others:?}");
    assert_eq!(last, "0000");
}

#[test]
fn pynetdicom_sends_every_transfer_syntax() {
    needs!(Docker, Pynetdicom);
    let node = subject("");
    // SMPTE ST 2110 flows in real time: nothing in it is stored (PS3.5 §A.4.11).
    let live = |syntax: &String| syntax.starts_with("1.2.840.10008.1.2.7.");
    let mut syntaxes = Registry::of_pynetdicom().syntaxes;
    syntaxes.retain(|s| !live(s));
    // Known to the standard and not to this peer: JPIP, JPEG XL, encapsulated uncompressed, deflated frames.
    for other in [
        "1.2.840.10008.1.2.1.98",
        "1.2.840.10008.1.2.4.94",
        "1.2.840.10008.1.2.4.95",
        "1.2.840.10008.1.2.4.110",
        "1.2.840.10008.1.2.4.111",
        "1.2.840.10008.1.2.4.112",
        "1.2.840.10008.1.2.8.1",
    ] {
        if !syntaxes.iter().any(|s| s == other) {
            syntaxes.push(other.to_owned());
        }
    }
    assert!(syntaxes.len() >= 40, "{syntaxes:?}");
    let write = |syntax: String| object(MR, syntax.leak()).write(&node.scratch("sent"));
    let sent: Vec<_> = syntaxes.into_iter().map(write).collect();
    send_and_compare(&node, &sent);
}

#[test]
fn dcmtk_sends_what_it_can() {
    needs!(Docker, Dcmtk);
    let node = subject("");
    let folder = node.scratch("sent");
    let write = |syntax| object(MR, syntax).write(&folder);
    let sent = [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, JPEG_BASELINE].map(write);
    let said = senders::dcmsend(node.dicom_port(), CALLED, &sent);
    assert!(said.success, "{}", said.text);
    let kept = stored(&node);
    assert_eq!(kept.len(), sent.len());
    // It may change the syntax of what is not compressed, never that of what is.
    let (uid, syntax) = identity(&sent[3]);
    let of = |file: &&PathBuf| identity(file).0 == uid;
    assert_eq!(identity(kept.iter().find(of).unwrap()).1, syntax);

    let folder = node.scratch("more");
    let more = part10::write_all(&Object::series(3), &folder);
    let said = senders::storescu(node.dicom_port(), CALLED, &folder);
    assert!(said.success && said.stored() == 3, "{}", said.text);
    compare(&node, &more);
}

#[test]
fn real_files_arrive_byte_for_byte() {
    needs!(Docker, Pynetdicom);
    let Some(data) = real_data() else {
        peers::skip(module_path!(), "no real data; name its folder in MAGICKBOX_DATA");
        return;
    };
    let node = subject("");
    let folders = ["transfer-syntaxes", "enhanced-mr", "character-sets"].map(|f| files(&data.join(f)));
    // One ends within its pixel data, on purpose.
    let (short, whole): (Vec<_>, Vec<_>) = folders
        .concat()
        .into_iter()
        .partition(|f| f.to_string_lossy().contains("too_short"));
    let statuses = senders::pynetdicom(node.dicom_port(), CALLED, &short).statuses();
    assert_eq!(statuses, ["C000"]);
    let sent: Vec<_> = whole
        .iter()
        .filter_map(|f| with_own_uid(f, &node.scratch("sent")))
        .collect();
    assert!(sent.len() >= 29, "{} files in {}", sent.len(), data.display());
    send_and_compare(&node, &sent);
}

fn object(sop_class: &'static str, transfer_syntax: &'static str) -> Object {
    Object {
        sop_class,
        transfer_syntax,
        pixels: 512,
        ..Object::new()
    }
}

/// pynetdicom sends the files, as many over one association as have room; each is stored as it was.
#[track_caller]
fn send_and_compare(node: &TestNode, sent: &[PathBuf]) {
    for files in sent.chunks(CONTEXTS) {
        let statuses = senders::pynetdicom(node.dicom_port(), CALLED, files).statuses();
        let refused: Vec<_> = files
            .iter()
            .zip(&statuses)
            .filter(|(_, status)| *status != "0000")
            .map(|(file, status)| (status, identity(file)))
            .collect();
        assert_eq!(refused, [], "not stored");
    }
    compare(node, sent);
}

#[track_caller]
fn compare(node: &TestNode, sent: &[PathBuf]) {
    let kept: BTreeMap<_, _> = stored(node).into_iter().map(|f| (identity(&f).0, f)).collect();
    for file in sent {
        let (uid, transfer_syntax) = identity(file);
        let copy = kept.get(&uid).unwrap_or_else(|| panic!("{uid} is not stored"));
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
