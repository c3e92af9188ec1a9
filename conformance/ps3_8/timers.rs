//! ARTIM (§9.1.5) and our own limits of time: nobody holds a place by being slow.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::needs;
use crate::subject::{
    ARTIM, ECHO, STORE, associate, associate_from, gives_its_place_back, has_begun, has_warned_since,
    large_object, leaves_no_part, request, subject,
};
use crate::support::parrot::command::Command;
use crate::support::parrot::pdu::{COMMAND, LAST, Pdv, RELEASE_RQ, Request, message, p_data, pdu, title};
use crate::support::parrot::{Heard, Parrot};

const PACE: Duration = Duration::from_millis(200);

/// A P-DATA-TF, which is ignored in Sta13 and takes longer than any ARTIM here: it does not put the end off.
const ENDLESS: &[u8] = b"\x04\0\0\0\x40\0--------------------------------------------------------";

#[test]
fn a_peer_that_connects_and_is_silent_is_left_after_artim() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\n");
    let log = node.log().len();
    let mut parrot = Parrot::connect(node.dicom_port());
    // AA-2: the connection is closed without a word.
    parrot.ends_within(ARTIM);
    assert!(parrot.age() >= Duration::from_millis(900), "{:?}", parrot.age());
    has_warned_since(&node, log);
}

#[test]
fn connections_that_say_nothing_take_no_place() {
    needs!(Docker);
    let node = subject("[dicom]\nassociations = 1\nassociations_per_address = 1\n");
    let connect = |bytes: &[u8]| {
        let mut parrot = Parrot::connect(node.dicom_port());
        parrot.say(bytes);
        parrot
    };
    let half = request().encode();
    let mut silent: Vec<_> = (0..20).map(|n| connect(&half[..n])).collect();
    let mut parrot = associate(&node);
    parrot.echo(ECHO);
    parrot.release();
    // However many one address opens, another is served.
    silent.extend((0..60).map(|_| connect(&half[..1])));
    let mut parrot = associate_from(&node, Ipv4Addr::new(127, 0, 0, 2));
    parrot.echo(ECHO);
    parrot.release();
    drop(silent);
}

#[test]
fn artim_is_one_deadline_over_the_whole_first_pdu() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"2s\"\n");
    let mut parrot = Parrot::connect(node.dicom_port());
    let bytes = request().encode();
    let heard = parrot.dribble_slowly(&bytes, PACE);
    assert_eq!(heard, Heard::Closed);
    assert!(
        parrot.age() < ARTIM && parrot.age() >= Duration::from_millis(1900),
        "{:?}",
        parrot.age()
    );
}

#[test]
fn a_peer_that_does_not_close_after_our_last_word_is_left_after_artim() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\nassociations = 1\n");
    for (what, bytes, expected) in [
        ("release", RELEASE_RQ.to_vec(), Heard::Released),
        ("abort", pdu(0x99, &[]), Heard::Aborted(2, 1)),
    ] {
        let mut parrot = associate(&node);
        parrot.say(bytes);
        assert_eq!(parrot.hear(), expected, "{what}");
        let heard = parrot.dribble_slowly(ENDLESS, PACE);
        assert_eq!(heard, Heard::Closed, "{what}");
        assert!(parrot.age() < ARTIM, "{what}: {:?}", parrot.age());
        gives_its_place_back(&node);
    }
    let nobody = Request {
        called: title(b"NOBODY"),
        ..request()
    };
    for (what, bytes, expected) in [
        ("rejection", nobody.encode(), Heard::Rejected(1, 1, 7)),
        (
            "abort without an association",
            RELEASE_RQ.to_vec(),
            Heard::Aborted(0, 0),
        ),
    ] {
        let mut parrot = Parrot::connect(node.dicom_port());
        parrot.say(bytes);
        assert_eq!(parrot.hear(), expected, "{what}");
        assert_eq!(parrot.dribble_slowly(ENDLESS, PACE), Heard::Closed, "{what}");
        assert!(parrot.age() < ARTIM, "{what}: {:?}", parrot.age());
    }
}

#[test]
fn an_idle_association_is_aborted() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\nidle = \"1s\"\nassociations = 1\n");
    let log = node.log().len();
    let mut parrot = associate(&node);
    parrot.echo(ECHO);
    let heard = parrot.hear_within(ARTIM);
    assert!(matches!(heard, Heard::Aborted(0 | 2, _)), "{heard:?}");
    parrot.ends_within(ARTIM);
    has_warned_since(&node, log);
    gives_its_place_back(&node);

    // In mid-object too.
    let mut parrot = associate(&node);
    let object = large_object();
    let command = Command::store(1, object.sop_class, &object.sop_instance);
    let bytes = message(STORE, &command, Some(&object.data_set()));
    parrot.say(&bytes[..bytes.len() - 100]);
    has_begun(&node);
    let heard = parrot.hear_within(ARTIM);
    assert!(matches!(heard, Heard::Aborted(0 | 2, _)), "{heard:?}");
    leaves_no_part(&node);
}

#[test]
fn an_association_that_says_something_is_not_idle() {
    needs!(Docker);
    let node = subject("[dicom]\nidle = \"2s\"\n");
    let mut parrot = associate(&node);
    // One command set byte by byte: slow, but alive; it takes longer than the idle time.
    let echo = Command::echo(1).encode();
    let (start, end) = echo.split_at(14);
    for byte in start {
        parrot.say(p_data(&[Pdv::new(ECHO, COMMAND, [*byte])]));
        assert_eq!(parrot.hear_within(PACE), Heard::Silence);
    }
    parrot.say(p_data(&[Pdv::new(ECHO, COMMAND | LAST, end)]));
    assert_eq!(parrot.response().status, 0x0000);
    assert!(parrot.age() > Duration::from_secs(2));
    parrot.release();
}

#[test]
fn an_object_that_takes_too_long_is_aborted() {
    needs!(Docker);
    let node = subject("[dicom]\nartim = \"1s\"\nobject_time = \"2s\"\nassociations = 1\n");
    let log = node.log().len();
    let mut parrot = associate(&node);
    let object = large_object();
    let command = Command::store(1, object.sop_class, &object.sop_instance);
    let bytes = message(STORE, &command, Some(&object.data_set()));
    let (start, rest) = bytes.split_at(bytes.len() - 200);
    parrot.say(start);
    has_begun(&node);
    let heard = parrot.dribble_slowly(rest, PACE);
    assert!(matches!(heard, Heard::Aborted(0 | 2, _)), "{heard:?}");
    assert!(parrot.age() < Duration::from_secs(12), "{:?}", parrot.age());
    parrot.ends_within(ARTIM);
    leaves_no_part(&node);
    has_warned_since(&node, log);
    gives_its_place_back(&node);
}
