//! The store's file is damaged or gone: the node says so by name and begins nothing anew.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use super::pacs::{Mood, Pacs};
use super::scene::{TITLE, config, node};
use super::showed;
use super::study::{send, study};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::process::Process;
use crate::support::under_test::{MAGICKBOX, scratch};
use crate::support::wait::wait_until;

#[test]
fn a_store_that_is_damaged_or_gone_is_refused_by_name_and_not_made_anew() {
    needs!(Docker);
    let pacs = Pacs::start("PACS", Mood::Well);
    let mut node = node(scratch(), &config(&[&pacs], "1s"), &[]);
    send(node.dicom_port(), TITLE, &study(2, 4096), &mut BTreeSet::new()).unwrap();
    node.wait_for_end(TITLE);
    node.terminate().unwrap();
    let store = node.data().join("store/magickbox.sqlite");
    let whole = fs::read(&store).unwrap();
    let mut garbage = whole.clone();
    garbage
        .iter_mut()
        .for_each(|byte| *byte = byte.wrapping_mul(167) ^ 0x5a);
    let half = &whole[..whole.len() / 2 / 4096 * 4096];
    for (case, content) in [
        ("store file of garbage", Some(&garbage[..])),
        ("store file cut to half", Some(half)),
        ("store file cut to a half page", Some(&whole[..2000])),
        ("store file empty", Some(&[][..])),
        ("store file missing", None),
    ] {
        for name in ["magickbox.sqlite-wal", "magickbox.sqlite-shm"] {
            let _ = fs::remove_file(store.with_file_name(name));
        }
        match content {
            Some(content) => fs::write(&store, content).unwrap(),
            None => fs::remove_file(&store).unwrap(),
        }
        let said = refusal(&node.data());
        assert!(
            said.contains(store.to_str().unwrap()) && said.contains("backup"),
            "{case}: {said}"
        );
        let now = fs::read(&store).ok();
        assert_eq!(now.as_deref(), content, "{case}: the file was touched");
        showed(
            case,
            &format!(
                "refused: {}",
                said.trim().replace(node.data().to_str().unwrap(), "DATA")
            ),
        );
    }
    fs::write(&store, &whole).unwrap();
    File::open(&store).unwrap().sync_all().unwrap();
    node.restart().unwrap();
    assert_eq!(
        node.wait_for_end(TITLE).state,
        "done",
        "with the file in its place all is there again"
    );
}

/// What a node says that does not start.
#[track_caller]
fn refusal(data: &Path) -> String {
    let home = scratch();
    let log = home.path().join("node.log");
    let mut command = Command::new(MAGICKBOX);
    command
        .args([
            "serve",
            "--dicom",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--data",
        ])
        .arg(data);
    let mut node = Process::start("a node without its store", &mut command, &log).unwrap();
    let ended = wait_until(PATIENCE, "the node to refuse to start", || node.ended());
    assert_eq!(ended.unwrap().code(), Some(1), "{}", node.log());
    node.log()
}

#[test]
fn a_failpoint_that_does_not_exist_is_refused_at_the_start() {
    let mut node = std::process::Command::new(MAGICKBOX);
    let home = scratch();
    node.env("MAGICKBOX_FAILPOINT", "nowhere")
        .args(["serve", "--data", home.path().to_str().unwrap()])
        .args(["--dicom", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let ended = node.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("\"nowhere\""), "{said}");
}
