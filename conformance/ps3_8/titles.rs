//! AE titles (§9.3.2, PS3.5 §6.2): leading and trailing spaces are not significant, everything else is.

use crate::needs;
use crate::subject::{request, subject};
use crate::support::parrot::pdu::{Request, title};
use crate::support::parrot::{Heard, Parrot};
use crate::support::under_test::TestNode;

fn call(node: &TestNode, request: &Request) -> Heard {
    let mut parrot = Parrot::connect(node.dicom_port());
    parrot.say(request.encode());
    parrot.hear()
}

#[test]
fn spaces_and_nuls_around_a_called_title_are_not_significant() {
    needs!(Docker);
    let node = subject("");
    for text in [
        b"Count".as_slice(),
        b"     Count",
        b"           Count",
        b"Count\0\0\0\0\0\0\0\0\0\0\0",
        b"Count\0",
        b"  Count \0\0",
    ] {
        let called = title(text);
        let heard = call(&node, &Request { called, ..request() });
        let shown = String::from_utf8_lossy(text);
        assert!(matches!(heard, Heard::Accepted(_)), "{shown:?}: {heard:?}");
    }
}

#[test]
fn case_and_inner_spaces_of_a_called_title_are_significant() {
    needs!(Docker);
    let node = subject("");
    for text in [b"COUNT".as_slice(), b"count", b"Co unt", b"Count2", b"Cou\0nt"] {
        let called = title(text);
        let heard = call(&node, &Request { called, ..request() });
        let shown = String::from_utf8_lossy(text);
        assert_eq!(heard, Heard::Rejected(1, 1, 7), "{shown:?}");
    }
}

#[test]
fn spaces_and_nuls_around_a_calling_title_are_not_significant() {
    needs!(Docker);
    let node = subject("");
    for text in [b"   PARROT".as_slice(), b"PARROT\0\0", b"SIXTEEN CHARS 16", b"A"] {
        let calling = title(text);
        let heard = call(&node, &Request { calling, ..request() });
        let shown = String::from_utf8_lossy(text);
        assert!(matches!(heard, Heard::Accepted(_)), "{shown:?}: {heard:?}");
    }
}
