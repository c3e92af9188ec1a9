//! The node's memory does not grow with the objects it receives and sends.

use std::fs;

use crate::needs;
use crate::support::images::Bucket;
use crate::support::pacs::Pacs;
use crate::support::part10::{self, Object};
use crate::support::senders;
use crate::support::under_test::{TestNode, scratch};

const OBJECT: u32 = 300_000_000;
const LIMIT: u64 = 64 << 20;

#[test]
fn an_object_of_300_mb_leaves_the_node_under_64_mib() {
    needs!(Docker, Pynetdicom);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let object = Object {
        sop_class: part10::SECONDARY_CAPTURE,
        pixels: OBJECT,
        ..Object::new()
    };
    let file = object.write(&node.scratch("sent"));
    assert_eq!(
        senders::pynetdicom(node.dicom_port(), "Count", &[file]).statuses(),
        ["0000"]
    );
    let received = peak_memory(node.ready().pid);

    // The whole way of it: hashing for the record included.
    let job = node.wait_for_end("Count");
    let file_size = job
        .measures
        .iter()
        .find(|m| m.name == "bytes")
        .and_then(|m| m.value.as_u64());
    assert!(file_size > Some(u64::from(OBJECT)), "{job:#?}");
    let done = peak_memory(node.ready().pid);
    println!(
        "peak resident memory: {} KiB after receiving {OBJECT} bytes, {} KiB after the job",
        received >> 10,
        done >> 10
    );
    assert!(done < LIMIT, "{} MiB", done >> 20);
}

#[test]
fn an_object_that_is_inflated_to_300_mb_on_its_way_out_leaves_the_node_under_64_mib() {
    needs!(Docker, Pynetdicom);
    let home = scratch();
    let explicit = "1.2.840.10008.1.2.1";
    let pacs = Pacs::start("PACS", &home.path().join("pacs.log"), &["--syntaxes", explicit]);
    let config = format!(
        "[[remote_ae]]\nae_title = \"PACS\"\naddress = \"127.0.0.1:{}\"\n\n\
         [[route]]\nname = \"as it came\"\nsend = \"input\"\nto = [\"PACS\"]\n",
        pacs.port
    );
    let node = TestNode::with(&Bucket::fixture("count"), &config);
    let object = Object {
        sop_class: part10::SECONDARY_CAPTURE,
        transfer_syntax: "1.2.840.10008.1.2.1.99",
        pixels: OBJECT,
        ..Object::new()
    };
    let file = object.write(&node.scratch("sent"));
    assert!(fs::metadata(&file).unwrap().len() < u64::from(OBJECT) / 100);
    assert_eq!(
        senders::pynetdicom(node.dicom_port(), "Count", &[file]).statuses(),
        ["0000"]
    );
    let job = node.wait_for_end("Count");
    assert_eq!(job.deliveries[0].instances[0].state, "sent", "{job:#?}");
    assert_eq!(pacs.stored()[0].transfer_syntax, explicit);
    let peak = peak_memory(node.ready().pid);
    println!("peak resident memory: {} KiB", peak >> 10);
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
}

/// The most memory that a process has had resident so far, in bytes (VmHWM of proc(5)).
fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
