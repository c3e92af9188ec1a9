//! Objects that a PACS does not take in their transfer syntax.

use std::fs;
use std::process::Command;

use crate::destinations::{node, remote_ae, route, states};
use crate::needs;
use crate::support::pacs::Pacs;
use crate::support::part10::{Object, identity, write_all};
use crate::support::phantom;
use crate::support::senders;
use crate::support::under_test::scratch;

#[test]
fn what_a_pacs_does_not_take_as_it_is_goes_without_loss_or_not_at_all() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let home = scratch();
    let directory = home.path().join("stored");
    fs::create_dir(&directory).unwrap();
    let explicit = "1.2.840.10008.1.2.1";
    let options = ["--syntaxes", explicit, "--store", directory.to_str().unwrap()];
    let pacs = Pacs::start("PACS", &home.path().join("pacs.log"), &options);
    let node = node(&(remote_ae("PACS", pacs.port, "") + &route(&["PACS"])));
    let deflated = Object {
        transfer_syntax: "1.2.840.10008.1.2.1.99",
        ..Object::new()
    };
    let of_study = |transfer_syntax| Object {
        transfer_syntax,
        study: deflated.study.clone(),
        ..Object::new()
    };
    // What calls itself lossless and has no pixels, and what is lossy.
    let (empty, lossy) = (
        of_study("1.2.840.10008.1.2.4.70"),
        of_study("1.2.840.10008.1.2.4.50"),
    );
    let written = write_all(
        &[deflated.clone(), empty.clone(), lossy.clone()],
        &node.scratch("mixed"),
    );
    let sent = senders::pynetdicom(node.dicom_port(), "Copy", &written);
    assert_eq!(sent.statuses(), ["0000"; 3]);
    let job = node.wait_for_end("Copy");
    let delivery = &job.deliveries[0];
    let of = |object: &Object| {
        let mut all = delivery.instances.iter();
        all.find(|i| i.sop_instance_uid == object.sop_instance).unwrap()
    };
    assert_eq!(of(&deflated).state, "sent", "{job:#?}");
    let native = Object {
        transfer_syntax: explicit,
        ..deflated.clone()
    };
    let stored = fs::read(directory.join(&deflated.sop_instance)).unwrap();
    assert!(stored.starts_with(&native.data_set()));
    assert_eq!(pacs.stored()[0].transfer_syntax, explicit);
    for (object, why) in [
        (&empty, "it cannot be decoded"),
        (&lossy, "no such SOP class in this transfer syntax"),
    ] {
        let instance = of(object);
        assert_eq!(instance.state, "refused", "{job:#?}");
        assert!(instance.reason.clone().unwrap().contains(why), "{instance:?}");
    }
}

#[test]
fn pixels_that_were_compressed_without_loss_arrive_as_they_were() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let home = scratch();
    let directory = home.path().join("stored");
    fs::create_dir(&directory).unwrap();
    let options = [
        "--syntaxes",
        "1.2.840.10008.1.2.1",
        "--store",
        directory.to_str().unwrap(),
    ];
    let pacs = Pacs::start("PACS", &home.path().join("pacs.log"), &options);
    let as_it_came = "[[route]]\nname = \"input\"\nsend = \"input\"\nto = [\"PACS\"]\n";
    let node = node(&(remote_ae("PACS", pacs.port, "") + as_it_came));
    let slices = phantom::write(&home.path().join("slices"), 3);
    let programs = [
        ("dcmcrle", &[][..]),
        ("dcmcjpeg", &["+e1"]),
        ("dcmcjpeg", &["+el"]),
    ];
    let compressed: Vec<_> = std::iter::zip(&slices, programs)
        .map(|(slice, (program, options))| {
            let to = slice.with_extension(program);
            let ran = Command::new(program)
                .args(options)
                .args([slice, &to])
                .output()
                .unwrap();
            assert!(ran.status.success(), "{ran:?}");
            assert!(fs::metadata(&to).unwrap().len() < fs::metadata(slice).unwrap().len());
            to
        })
        .collect();
    let sent = senders::pynetdicom(node.dicom_port(), "Copy", &compressed);
    assert_eq!(sent.statuses(), ["0000"; 3]);
    let job = node.wait_for_end("Copy");
    assert_eq!(states(&job), [("sent", Some("0000")); 3], "{job:#?}");
    for slice in &slices {
        let original = fs::read(slice).unwrap();
        let stored = fs::read(directory.join(identity(slice).0)).unwrap();
        let pixels = |bytes: &[u8]| {
            let at = bytes
                .windows(6)
                .rposition(|w| w == b"\xe0\x7f\x10\x00OW")
                .unwrap();
            bytes[at..].to_vec()
        };
        assert!(
            pixels(&original).len() > 1000 && pixels(&stored) == pixels(&original),
            "{slice:?}"
        );
    }
}
