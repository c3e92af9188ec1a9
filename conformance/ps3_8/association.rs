//! A-ASSOCIATE-RQ and -AC (§9.3.2, §9.3.3): what is accepted, and how.

use crate::needs;
use crate::subject::{CALLED, ECHO, associate, request, subject};
use crate::support::parrot::pdu::{Accepted, Request, VERIFICATION, context_item, item, title};
use crate::support::parrot::{Heard, Parrot};
use crate::support::part10::{CT, EXPLICIT_LITTLE, IMPLICIT_LITTLE, MR, uid_of_length};
use crate::support::under_test::TestNode;

#[track_caller]
fn ask(node: &TestNode, request: &Request) -> Accepted {
    let mut parrot = Parrot::connect(node.dicom_port());
    parrot.say(request.encode());
    let accepted = parrot.accepted();
    parrot.release();
    accepted
}

fn results(accepted: &Accepted) -> Vec<(u8, u8)> {
    accepted.contexts.iter().map(|c| (c.id, c.result)).collect()
}

#[test]
fn each_proposed_context_has_its_result_under_its_id() {
    needs!(Docker);
    let node = subject("");
    let request = Request::new(CALLED)
        .context(255, MR, &[IMPLICIT_LITTLE])
        .context(3, "1.2.3", &[IMPLICIT_LITTLE])
        .context(5, MR, &["1.2.3"])
        .context(7, "1.2.3", &["1.2.3"])
        .context(9, VERIFICATION, &[EXPLICIT_LITTLE])
        .context(11, MR, &["1.2.3", EXPLICIT_LITTLE])
        // The same class again is another context.
        .context(13, MR, &[EXPLICIT_LITTLE]);
    let accepted = ask(&node, &request);
    let mut found = results(&accepted);
    found.sort_unstable();
    // 3: abstract-syntax-not-supported, 4: transfer-syntaxes-not-supported.
    assert_eq!(
        found,
        [(3, 3), (5, 4), (7, 3), (9, 0), (11, 0), (13, 0), (255, 0)],
        "{accepted:?}"
    );
    let of = |id| {
        accepted
            .contexts
            .iter()
            .find(|c| c.id == id)
            .unwrap()
            .transfer_syntax
            .as_str()
    };
    assert_eq!((of(255), of(11)), (IMPLICIT_LITTLE, EXPLICIT_LITTLE));
}

#[test]
fn the_acceptance_says_who_we_are_and_how_much_we_take() {
    needs!(Docker);
    let node = subject("");
    let accepted = ask(&node, &request());
    assert_eq!(accepted.version & 1, 1);
    assert_eq!(accepted.application_context, "1.2.840.10008.3.1.1.1");
    assert_eq!(accepted.user(0x51), [131_072_u32.to_be_bytes()]);
    let class = accepted.user(0x52);
    assert!(class.len() == 1 && class[0].starts_with(b"2.25."), "{class:?}");
    let version = accepted.user(0x55);
    assert!(
        version.len() == 1 && (1..=16).contains(&version[0].len()),
        "{version:?}"
    );
    // Nothing is answered that was not asked.
    let kinds: Vec<_> = accepted.user.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [0x51, 0x52, 0x55]);
}

#[test]
fn the_maximum_length_offered_is_the_configured_one() {
    needs!(Docker);
    let node = subject("[dicom]\nmaximum_pdu = \"16KiB\"\n");
    assert_eq!(ask(&node, &request()).user(0x51), [16_384_u32.to_be_bytes()]);
}

#[test]
fn of_the_protocol_version_only_bit_0_counts() {
    needs!(Docker);
    let node = subject("");
    for version in [1, 3, 0xffff] {
        let request = Request { version, ..request() };
        assert_eq!(
            ask(&node, &request).version & 1,
            1,
            "asked with version {version}"
        );
    }
}

#[test]
fn uids_may_be_padded_with_a_nul() {
    needs!(Docker);
    let node = subject("");
    let padded = |uid: &str| format!("{uid}\0");
    let mut request = Request::new(CALLED).context(1, &padded(MR), &[&padded(EXPLICIT_LITTLE)]);
    request.application_context.push(0);
    assert_eq!(results(&ask(&node, &request)), [(1, 0)]);
}

#[test]
fn unknown_items_and_sub_items_are_ignored() {
    needs!(Docker);
    let node = subject("");
    // A sub-item that nobody knows, within a presentation context.
    let mut context = vec![5, 0, 0, 0];
    context.extend(item(0x30, MR.as_bytes()));
    context.extend(item(0x4f, b"whatever"));
    context.extend(item(0x40, EXPLICIT_LITTLE.as_bytes()));
    let request = request()
        .item(item(0x99, b"unknown"))
        .item(item(0x11, b""))
        .item(item(0x20, &context))
        .user(0x5f, b"unknown")
        .user(0xff, &[0; 300])
        .user(0x50, b"");
    assert_eq!(results(&ask(&node, &request)), [(1, 0), (3, 0), (5, 0)]);
}

#[test]
fn reserved_bytes_are_not_tested() {
    needs!(Docker);
    let node = subject("");
    let mut bytes = request().encode();
    bytes[1] = 0xff;
    bytes[8..10].fill(0xff);
    bytes[42..74].fill(0xff);
    // The reserved bytes of the application context item and of the first presentation context.
    bytes[75] = 0xff;
    let context = 74 + 4 + 21;
    assert_eq!(bytes[context], 0x20);
    for at in [1, 5, 6, 7] {
        bytes[context + at] = 0xff;
    }
    let mut parrot = Parrot::connect(node.dicom_port());
    parrot.say(bytes);
    assert_eq!(results(&parrot.accepted()), [(1, 0), (3, 0)]);
    parrot.echo(ECHO);
}

#[test]
fn the_titles_and_what_is_reserved_behind_them_come_back_as_they_were() {
    needs!(Docker);
    let node = subject("");
    let request = Request {
        called: title(b"  Count \0"),
        calling: title(b" PARROT"),
        ..request()
    };
    let mut bytes = request.encode();
    bytes[42..74].fill(0xa5);
    let mut parrot = Parrot::connect(node.dicom_port());
    parrot.say(&bytes);
    assert_eq!(parrot.accepted().reserved, bytes[10..74]);
}

#[test]
fn items_may_come_in_any_order() {
    needs!(Docker);
    let node = subject("");
    let mut body = request().body()[..68].to_vec();
    body.extend(item(0x50, &request().user.concat()));
    body.extend(context_item(9, MR, &[EXPLICIT_LITTLE]));
    body.extend(context_item(1, CT, &[EXPLICIT_LITTLE]));
    body.extend(item(0x10, &request().application_context));
    let mut parrot = Parrot::connect(node.dicom_port());
    parrot.say(crate::support::parrot::pdu::pdu(1, &body));
    let mut found = results(&parrot.accepted());
    found.sort_unstable();
    assert_eq!(found, [(1, 0), (9, 0)]);
}

#[test]
fn as_many_contexts_as_there_are_ids_are_judged() {
    needs!(Docker);
    let node = subject("");
    let unknown: Vec<_> = (0..14).map(|_| uid_of_length(50)).collect();
    let mut syntaxes: Vec<_> = unknown.iter().map(String::as_str).collect();
    syntaxes.push(IMPLICIT_LITTLE);
    let ids = (1..=255).step_by(2);
    let request = ids
        .clone()
        .fold(Request::new(CALLED), |r, id| r.context(id, MR, &syntaxes));
    let accepted = ask(&node, &request);
    assert_eq!(results(&accepted), ids.map(|id| (id, 0)).collect::<Vec<_>>());
}

#[test]
fn a_request_may_come_in_pieces_of_any_size() {
    needs!(Docker);
    let node = subject("");
    for at_once in [1, 5, 6, 7, 73, 4096] {
        let mut parrot = Parrot::connect(node.dicom_port());
        parrot.dribble(request().encode(), at_once);
        assert!(matches!(parrot.hear(), Heard::Accepted(_)), "{at_once} at once");
        parrot.echo(ECHO);
        parrot.release();
    }
}

#[test]
fn messages_find_their_context_by_its_id() {
    needs!(Docker);
    let node = subject("");
    let mut parrot = associate(&node);
    for _ in 0..3 {
        parrot.echo(ECHO);
    }
    parrot.release();
}
