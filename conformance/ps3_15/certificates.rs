//! The node's own certificate: on disk, in force, and until when.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use time::{Duration, OffsetDateTime};

use super::node::Secure;
use crate::needs;
use crate::support::PATIENCE;
use crate::support::tls::{Authority, probe};
use crate::support::under_test::{MAGICKBOX, run, scratch};
use crate::support::wait::wait_until;

/// The common name that is served now.
fn served(secure: &Secure) -> String {
    probe(secure.port(), Some(&secure.sender), "1.3").name
}

#[test]
fn a_certificate_that_is_renewed_on_disk_is_served_without_a_restart() {
    needs!(Docker, Pynetdicom);
    let secure = Secure::start();
    assert_eq!(served(&secure), "NODE");
    let renewed = secure
        .authority
        .issue_until("RENEWED", secure.home(), Duration::DAY * 700);
    fs::copy(&renewed.certificate, &secure.files.certificate).unwrap();
    fs::copy(&renewed.key, &secure.files.key).unwrap();
    wait_until(PATIENCE, "the new certificate", || {
        (served(&secure) == "RENEWED").then_some(())
    })
    .unwrap();

    // A broken one is told of, once, and the one before it is served on.
    fs::write(&secure.files.certificate, "broken").unwrap();
    let told = || secure.node.log().matches("the new TLS files are not fit").count();
    wait_until(PATIENCE, "a word about the broken file", || {
        (told() == 1).then_some(())
    })
    .unwrap();
    assert_eq!(served(&secure), "RENEWED");
    let log = secure.node.log();
    assert!(log.contains(secure.files.certificate.to_str().unwrap()), "{log}");

    // And a good one after it is taken again.
    let last = secure.authority.issue("LAST", secure.home());
    fs::copy(&last.key, &secure.files.key).unwrap();
    fs::copy(&last.certificate, &secure.files.certificate).unwrap();
    wait_until(PATIENCE, "the good certificate", || {
        (served(&secure) == "LAST").then_some(())
    })
    .unwrap();
    assert_eq!(told(), 1);
}

#[test]
fn a_ca_that_is_taken_off_the_list_lets_nobody_in_any_more() {
    needs!(Docker, Pynetdicom);
    let secure = Secure::start();
    let elsewhere = scratch();
    let other = Authority::new("OTHER", elsewhere.path());
    let newcomer = other.issue("NEWCOMER", elsewhere.path());
    let error = |client| probe(secure.port(), Some(client), "1.3").error;
    assert_eq!(error(&secure.sender), "");
    assert_ne!(error(&newcomer), "");
    fs::copy(&other.certificate, &secure.authority.certificate).unwrap();
    // To be at it at once; above all it does not end the node.
    let node = Pid::from_raw(secure.node.ready().pid.cast_signed()).unwrap();
    kill_process(node, Signal::HUP).unwrap();
    wait_until(PATIENCE, "the new CA", || {
        error(&newcomer).is_empty().then_some(())
    })
    .unwrap();
    assert_ne!(error(&secure.sender), "");
}

#[test]
fn the_day_it_expires_is_in_the_metrics_and_a_near_one_in_the_log() {
    needs!(Docker);
    let expiry = |secure: &Secure| secure.metric("tls_certificate_expiry_seconds");
    let expected = |left: Duration| (OffsetDateTime::now_utc() + left).unix_timestamp();
    for (left, word) in [
        (Duration::DAY * 365, "TLS certificate in force"),
        (Duration::DAY * 20, "the TLS certificate expires soon"),
        // It starts all the same.
        (-Duration::DAY, "the TLS certificate has expired"),
    ] {
        let secure = Secure::with("", "", |authority, at| authority.issue_until("NODE", at, left));
        assert!((expiry(&secure) - expected(left)).abs() < 300, "{left:?}");
        assert!(
            secure.node.log().contains(word),
            "{word} not in\n{}",
            secure.node.log()
        );
    }
}

#[test]
fn a_node_does_not_start_without_the_files_it_was_told_of() {
    let home = scratch();
    let file = home.path().join("node.toml");
    let missing = home.path().join("missing.pem");
    let text = format!(
        "[dicom.tls]\ncertificate = {missing:?}\nkey = {missing:?}\nclient_certificate = \"none\"\n\
         [dicom]\naddress = \"127.0.0.1:0\"\n[http]\naddress = \"127.0.0.1:0\"\n"
    );
    fs::write(&file, text).unwrap();
    let data = home.path().join("data");
    let [file, data] = [&file, &data].map(|p| p.to_str().unwrap());
    let ran = run(MAGICKBOX, &["serve", "--config", file, "--data", data]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains(missing.to_str().unwrap()), "{}", ran.stderr);
}
