//! PS3.15 §B.12, the BCP 195 TLS Secure Transport Connection Profile: versions, cipher suites, who comes in.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::node::Secure;
use crate::needs;
use crate::support::part10::{Object, data_set};
use crate::support::tls::{Authority, probe};
use crate::support::under_test::scratch;
use crate::support::wait::wait_until;
use crate::support::{PATIENCE, senders};

/// An A-ASSOCIATE-RQ begins like this.
const DICOM: &[u8] = b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00Count           SENDER          ";

#[test]
fn objects_come_in_over_tls_1_2_and_1_3_byte_for_byte() {
    needs!(Docker, Pynetdicom);
    let secure = Secure::start();
    for version in ["1.2", "1.3"] {
        // More than fits in one record, or in what is read at once.
        let object = Object {
            pixels: 1_000_000,
            ..Object::new()
        };
        let file = object.write(&secure.node.scratch(version));
        let before = secure.stored();
        let statuses = senders::pynetdicom_tls(
            secure.port(),
            "Count",
            std::slice::from_ref(&file),
            &secure.sender,
            &secure.authority.certificate,
            version,
        )
        .statuses();
        assert_eq!(statuses, ["0000"], "TLS {version}");
        let new: Vec<_> = secure
            .stored()
            .into_iter()
            .filter(|p| !before.contains(p))
            .collect();
        let [stored] = new.as_slice() else {
            panic!("TLS {version}: {new:?}");
        };
        let (sent, stored) = (fs::read(file).unwrap(), fs::read(stored).unwrap());
        assert!(data_set(&sent) == data_set(&stored), "TLS {version}: other bytes");
    }
    assert!(
        secure.node.log().contains("SCANNER-3"),
        "the sender's certificate is not in the log"
    );
    assert_eq!(secure.metric("objects_stored_total"), 2);
}

#[test]
fn dcmtk_in_each_of_its_profiles_is_served_by_rsa_and_elliptic_certificates() {
    needs!(Docker, Dcmtk, Openssl);
    let elliptic = Secure::start();
    let rsa = Secure::with("", "", |authority, at| authority.issue_rsa("NODE", at));
    for (kind, secure) in [("elliptic", &elliptic), ("RSA", &rsa)] {
        let client = match kind {
            "RSA" => secure.authority.issue_rsa("RSA-SCANNER", secure.home()),
            _ => secure.sender.clone(),
        };
        for profile in ["+py", "+px", "+pz"] {
            let sent = secure.node.scratch(profile);
            Object::new().write(&sent);
            let ca = &secure.authority.certificate;
            let said = senders::storescu_tls(secure.port(), "Count", &sent, Some(&client), ca, &[profile]);
            assert!(
                said.success && said.stored() == 1,
                "{kind} {profile}: {}",
                said.text
            );
        }
        assert_eq!(secure.metric("objects_stored_total"), 3, "{kind}");
    }
}

#[test]
fn tls_1_3_is_preferred_and_what_is_older_than_1_2_is_refused() {
    needs!(Docker, Pynetdicom);
    let secure = Secure::start();
    let offered = |versions| probe(secure.port(), Some(&secure.sender), versions);
    let both = offered("1.2-1.3");
    assert_eq!((both.version.as_str(), both.error.as_str()), ("TLSv1.3", ""));
    assert_eq!(offered("1.2").version, "TLSv1.2");
    for old in ["1.0", "1.1", "1.0-1.1"] {
        let refused = offered(old);
        // A client that is older than signature algorithms (RFC 5246 §7.4.1.4.1) is refused for having none.
        let alert = ["alert protocol version", "alert handshake failure"];
        assert!(
            alert.iter().any(|a| refused.error.to_lowercase().contains(a)),
            "{old}: {refused:?}"
        );
    }
    // The same client is served by 1.2 as soon as it has that.
    assert_eq!(offered("1.0-1.2").version, "TLSv1.2");
    // Where the site says so, 1.2 is too old as well.
    let secure = Secure::with("", "minimum = \"1.3\"", |authority, at| {
        authority.issue("NODE", at)
    });
    let refused = probe(secure.port(), Some(&secure.sender), "1.2");
    assert!(
        refused.error.to_lowercase().contains("alert protocol version"),
        "{refused:?}"
    );
    assert_eq!(probe(secure.port(), Some(&secure.sender), "1.3").error, "");
}

#[test]
fn without_a_certificate_of_a_known_ca_nobody_comes_in_where_one_is_required() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let secure = Secure::start();
    let elsewhere = scratch();
    let stranger = Authority::new("OTHER", elsewhere.path()).issue("STRANGER", elsewhere.path());
    let expired = secure
        .authority
        .issue_until("EXPIRED", secure.home(), -time::Duration::HOUR);
    for version in ["1.2", "1.3"] {
        let refused = |client, alert: &str| {
            let probe = probe(secure.port(), client, version);
            assert!(probe.error.to_lowercase().contains(alert), "{version}: {probe:?}");
        };
        refused(None, "certificate required");
        refused(Some(&stranger), "unknown ca");
        refused(Some(&expired), "certificate expired");
    }
    let sent = secure.node.scratch("sent");
    Object::new().write(&sent);
    let ca = &secure.authority.certificate;
    for client in [None, Some(&stranger)] {
        let said = senders::storescu_tls(secure.port(), "Count", &sent, client, ca, &["+px"]);
        assert!(!said.success && said.stored() == 0, "{}", said.text);
    }
    assert_eq!(secure.stored().len(), 0);
    assert!(
        !secure.node.log().contains("STRANGER"),
        "a certificate that was not verified is in the log"
    );
    // Who may come in comes in.
    let said = senders::storescu_tls(secure.port(), "Count", &sent, Some(&secure.sender), ca, &[]);
    assert!(said.success, "{}", said.text);
    assert_eq!(secure.metric("associations_total{result=\"failed\"}"), 8);
    assert_eq!(secure.metric("associations_total{result=\"accepted\"}"), 1);
}

#[test]
fn a_certificate_is_optional_or_not_asked_for_where_the_site_says_so() {
    needs!(Docker, Dcmtk, Pynetdicom);
    for choice in ["optional", "none"] {
        let tls = format!("client_certificate = \"{choice}\"");
        let secure = Secure::with("", &tls, |authority, at| authority.issue("NODE", at));
        let sent = secure.node.scratch("sent");
        Object::new().write(&sent);
        let ca = &secure.authority.certificate;
        for client in [None, Some(&secure.sender)] {
            let said = senders::storescu_tls(secure.port(), "Count", &sent, client, ca, &[]);
            assert!(said.success, "{choice}: {}", said.text);
        }
        // One that is shown has to be good, where it is asked for.
        let elsewhere = scratch();
        let stranger = Authority::new("OTHER", elsewhere.path()).issue("STRANGER", elsewhere.path());
        let error = probe(secure.port(), Some(&stranger), "1.3").error.to_lowercase();
        assert_eq!(
            error.contains("unknown ca"),
            choice == "optional",
            "{choice}: {error}"
        );
    }
}

#[test]
fn a_sender_without_tls_is_hung_up_on_and_leaves_nothing() {
    needs!(Docker, Dcmtk);
    let secure = Secure::start();
    for garbage in [DICOM, &[0; 1000], &[0xff; 1000], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut plain = TcpStream::connect(("127.0.0.1", secure.port())).unwrap();
        plain.set_read_timeout(Some(PATIENCE)).unwrap();
        plain.write_all(garbage).unwrap();
        let mut answer = Vec::new();
        // A reset is an end too.
        let _ = plain.read_to_end(&mut answer);
        // An alert (RFC 8446 §6) or nothing, but no DICOM.
        assert!(matches!(answer.first(), None | Some(0x15)), "{answer:?}");
    }
    let said = senders::echoscu(secure.port(), "Count");
    assert!(!said.success, "{}", said.text);
    wait_until(PATIENCE, "the end of all connections", || {
        (secure.metric("connections_open") == 0).then_some(())
    })
    .unwrap();
    assert!(
        secure.node.log().contains("no TLS"),
        "the log does not say what was wrong"
    );
    let told: Value = secure.node.api().get("/api/v1/associations").unwrap();
    assert_eq!(told["associations"][0]["tls"], true, "{told}");
    // The port without TLS is another's matter.
    assert!(senders::echoscu(secure.node.dicom_port(), "Count").success);
}

#[test]
fn a_handshake_that_stalls_or_dribbles_is_ended_by_artim() {
    needs!(Docker);
    let secure = Secure::with("artim = \"1s\"", "", |authority, at| authority.issue("NODE", at));
    // The header of a record that never comes, and one byte of it at a time.
    for dribbles in [false, true] {
        let mut peer = TcpStream::connect(("127.0.0.1", secure.port())).unwrap();
        peer.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        peer.write_all(b"\x16\x03\x01\x10\x00").unwrap();
        let begun = Instant::now();
        wait_until(PATIENCE, "ARTIM", || {
            if dribbles {
                // The node may have hung up.
                let _ = peer.write_all(b"\x01");
            }
            let mut answer = [0; 64];
            match peer.read(&mut answer) {
                Ok(0) => Some(()),
                Ok(_) => None,
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => Some(()),
                Err(_) => None,
            }
        })
        .unwrap();
        let took = begun.elapsed();
        assert!(
            took > Duration::from_millis(700) && took < Duration::from_secs(20),
            "{took:?}"
        );
    }
    wait_until(PATIENCE, "the end of all connections", || {
        (secure.metric("connections_open") == 0).then_some(())
    })
    .unwrap();
}
