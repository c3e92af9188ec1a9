//! File meta information (§7.1), by our own eyes and by those of dcmtk and pydicom.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::needs;
use crate::subject::{CALLED, stored, subject};
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::Request;
use crate::support::part10::{
    DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, JPEG_BASELINE, MR, Object, data_set,
};
use crate::support::peers::python;
use crate::support::under_test::TestNode;

const SYNTAXES: [&str; 5] = [
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    EXPLICIT_BIG,
    DEFLATED,
    JPEG_BASELINE,
];

/// A node that has stored an object in each of the syntaxes, and the file of each.
#[track_caller]
fn files() -> (TestNode, Vec<(Object, PathBuf)>) {
    let node = subject("");
    let ids = (1..).step_by(2).zip(SYNTAXES);
    let request = ids
        .clone()
        .fold(Request::new(CALLED), |r, (id, s)| r.context(id, MR, &[s]));
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    let mut sent = Vec::new();
    for (id, transfer_syntax) in ids {
        let object = Object {
            transfer_syntax,
            ..Object::new()
        };
        assert_eq!(parrot.store(id, &object), 0x0000, "{transfer_syntax}");
        sent.push(object);
    }
    parrot.release();
    let all = stored(&node);
    let file_of = |object: Object| {
        let named = |p: &&PathBuf| {
            p.to_string_lossy()
                .contains(&format!("/{}-", object.sop_instance))
        };
        let file = all.iter().find(named).unwrap().clone();
        (object, file)
    };
    (node, sent.into_iter().map(file_of).collect())
}

/// The elements of group 0002: element number and value.
fn meta(file: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let end = file.len() - data_set(file).len();
    let (mut at, mut elements) = (132, Vec::new());
    while at < end {
        let header = &file[at..];
        assert_eq!(header[..2], [2, 0]);
        let tag = u16::from_le_bytes([header[2], header[3]]);
        let (start, length) = if &header[4..6] == b"OB" {
            (12, u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize)
        } else {
            (8, usize::from(u16::from_le_bytes([header[6], header[7]])))
        };
        elements.push((tag, header[start..start + length].to_vec()));
        at += start + length;
    }
    elements
}

#[test]
fn the_file_meta_information_is_complete_and_in_order() {
    needs!(Docker);
    let (_node, files) = files();
    for (object, path) in &files {
        let file = fs::read(path).unwrap();
        assert_eq!(file[..128], [0; 128], "the preamble");
        assert_eq!(&file[128..132], b"DICM");
        let meta = meta(&file);
        let tags: Vec<_> = meta.iter().map(|(tag, _)| *tag).collect();
        assert!(tags.is_sorted() && tags.iter().all(|t| tags.iter().filter(|o| *o == t).count() == 1));
        assert!(meta.iter().all(|(_, value)| value.len() % 2 == 0));
        let value = |tag: u16| {
            let found = meta.iter().find(|(t, _)| *t == tag);
            found
                .unwrap_or_else(|| panic!("no (0002,{tag:04x})"))
                .1
                .as_slice()
        };
        let text = |tag| String::from_utf8(value(tag).to_vec()).unwrap();
        let uid = |tag| text(tag).trim_end_matches('\0').to_owned();
        let length = u32::from_le_bytes(value(0x0000).try_into().unwrap()) as usize;
        let behind = file.len() - data_set(&file).len() - 132 - 12;
        assert_eq!(length, behind, "the group length");
        assert_eq!(value(0x0001), [0, 1], "the version");
        assert_eq!(uid(0x0002), MR);
        assert_eq!(uid(0x0003), object.sop_instance);
        assert_eq!(uid(0x0010), object.transfer_syntax);
        assert!(uid(0x0012).starts_with("2.25."), "{}", uid(0x0012));
        assert!((1..=16).contains(&text(0x0013).trim().len()));
        assert_eq!(text(0x0016).trim(), "PARROT", "who sent it");
        assert!(data_set(&file) == object.data_set(), "the data set");
    }
}

#[test]
fn dcmtk_and_pydicom_read_what_is_stored() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let (_node, files) = files();
    let script = "import sys, json, pydicom\n\
        d = [pydicom.dcmread(f) for f in sys.argv[1:]]\n\
        print(json.dumps([[str(x.file_meta.TransferSyntaxUID), str(x.SOPInstanceUID), str(x.PatientName), \
        int(x.file_meta.FileMetaInformationGroupLength)] for x in d]))\n";
    let paths = files.iter().map(|(_, path)| path);
    let read = Command::new(python())
        .args(["-c", script])
        .args(paths.clone())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&read.stderr);
    let seen: Vec<Value> = serde_json::from_slice(&read.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"));
    for ((object, _), seen) in files.iter().zip(&seen) {
        assert_eq!(seen[0], object.transfer_syntax);
        assert_eq!(seen[1], object.sop_instance.as_str());
        assert_eq!(seen[2], "Test^Object");
    }
    for (object, path) in &files {
        let dump = Command::new("dcmdump")
            .args(["-q", "-Un"])
            .arg(path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&dump.stdout);
        let complaints = String::from_utf8_lossy(&dump.stderr);
        assert!(dump.status.success() && complaints.is_empty(), "{complaints}");
        for word in [
            &object.sop_instance,
            object.transfer_syntax,
            "PARROT",
            "Test^Object",
        ] {
            assert!(text.contains(word), "{word} is missing:\n{text}");
        }
    }
}
