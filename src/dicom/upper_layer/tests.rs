//! Both sides of an association over a real socket pair, and a peer scripted as bytes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::model::AeTitle;

const LIMITS: Limits = Limits {
    artim: Duration::from_secs(5),
    idle: Duration::from_secs(5),
    object: Duration::from_secs(5),
    maximum_pdu: 128 * 1024,
    associate_request: 128 * 1024,
    asynchronous_operations: 16,
};
const MR: &str = "1.2.840.10008.5.1.4.1.1.4";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, client)
}

fn connection(socket: TcpStream) -> Connection {
    Connection::new(Box::new(socket), Stop::default()).unwrap()
}

fn take_all(request: &AssociateRq) -> Result<Vec<Acceptance>, Rejection> {
    Ok(request
        .contexts
        .iter()
        .map(|c| Acceptance {
            id: c.id,
            abstract_syntax: c.abstract_syntax.clone(),
            result: ContextResult::Accepted,
            transfer_syntax: c.transfer_syntaxes[0].clone(),
        })
        .collect())
}

fn proposal() -> Proposal {
    Proposal {
        calling: AeTitle::parse("ME").unwrap(),
        called: AeTitle::parse("YOU").unwrap(),
        contexts: vec![ProposedContext {
            id: 1,
            abstract_syntax: MR.into(),
            transfer_syntaxes: vec![EXPLICIT.into()],
        }],
        roles: Vec::new(),
    }
}

/// The messages an acceptor was sent, command sets marked; or what ended it.
type Served = Result<Vec<(bool, Vec<u8>)>, Error>;

/// Accepts on one thread what `peer` does on the other; answers what the acceptor ended with.
fn with_acceptor(peer: impl FnOnce(TcpStream)) -> Served {
    let (server, client) = pair();
    let acceptor = std::thread::spawn(move || {
        let artim = Deadline::after(LIMITS.artim, "ask");
        let mut association = accept(connection(server), LIMITS, &artim, take_all)?;
        let mut messages = Vec::new();
        let mut current = Vec::new();
        loop {
            match association.next_event() {
                Ok(Event::Fragment(fragment)) => {
                    current.extend(fragment.data);
                    if fragment.ends {
                        messages.push((fragment.command, std::mem::take(&mut current)));
                    }
                }
                Ok(Event::ReleaseRequested) => {
                    association.answer_release().wait();
                    return Ok(messages);
                }
                Err(error) => {
                    association.abort(&error).wait();
                    return Err(error);
                }
            }
        }
    });
    peer(client);
    acceptor.join().unwrap()
}

fn requestor(client: TcpStream) -> Association {
    request(connection(client), LIMITS, &proposal()).unwrap()
}

#[test]
fn a_large_data_set_arrives_whole_and_release_is_orderly() {
    let data: Vec<u8> = (0..1_000_001u32).map(|i| (i % 251) as u8).collect();
    let sent = data.clone();
    let messages = with_acceptor(move |client| {
        let mut association = requestor(client);
        let (ahead, mut rest) = sent.split_at(sent.len() / 3);
        let left = rest.len() as u64;
        association
            .send_message(1, b"command", ahead, &mut rest, left)
            .unwrap();
        association.release().unwrap();
    })
    .unwrap();
    assert_eq!(messages, [(true, b"command".to_vec()), (false, data)]);
}

/// A request as bytes, by the encoder that the requestor uses.
fn request_bytes(proposal: &Proposal) -> Vec<u8> {
    let (server, client) = pair();
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; 4096];
        let read = (&server).read(&mut bytes).unwrap();
        bytes.truncate(read);
        bytes
    });
    let asked = request(connection(client), LIMITS, proposal);
    assert!(asked.is_err());
    reader.join().unwrap()
}

fn scripted(script: impl FnOnce(&mut TcpStream) + Send) -> (Served, Vec<u8>) {
    let mut answer = Vec::new();
    let result = with_acceptor(|mut client| {
        script(&mut client);
        client.shutdown(std::net::Shutdown::Write).unwrap();
        client.read_to_end(&mut answer).unwrap();
    });
    (result, answer)
}

#[test]
fn many_fragments_in_one_pdu_and_dribbled_bytes_are_one_message() {
    let request = request_bytes(&proposal());
    let mut pdu = Vec::new();
    for (i, byte) in b"abcdef".iter().enumerate() {
        let control = if i == 5 { 0b11 } else { 0b01 };
        pdu.extend([0, 0, 0, 3, 1, control, *byte]);
    }
    pdu.extend([0, 0, 0, 3, 1, 0b00, b'x']);
    pdu.extend([0, 0, 0, 2, 1, 0b10]); // an empty last fragment
    let (result, answer) = scripted(|client| {
        client.write_all(&request).unwrap();
        let mut bytes = vec![4, 0];
        bytes.extend((pdu.len() as u32).to_be_bytes());
        bytes.extend(&pdu);
        bytes.extend([5, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
        for byte in bytes {
            client.write_all(&[byte]).unwrap();
        }
    });
    assert_eq!(
        result.unwrap(),
        [(true, b"abcdef".to_vec()), (false, b"x".to_vec())]
    );
    assert_eq!(answer[answer.len() - 10..], pdu::RELEASE_RP);
}

#[test]
fn broken_pdus_are_answered_by_abort_with_the_reason() {
    let request = request_bytes(&proposal());
    for (bytes, reason) in [
        (&[9u8, 0, 0, 0, 0, 0][..], AbortReason::UnrecognizedPdu),
        (&[2, 0, 0, 0, 0, 0][..], AbortReason::UnexpectedPdu),
        (&[4, 0, 0xFF, 0xFF, 0xFF, 0xFF][..], AbortReason::InvalidParameter),
        (
            &[4, 0, 0, 0, 0, 7, 0, 0, 0, 3, 3, 3, 0][..],
            AbortReason::InvalidParameter,
        ), // context 3 was not accepted
        (
            &[4, 0, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 0][..],
            AbortReason::InvalidParameter,
        ), // a value over the end
        (
            &[4, 0, 0, 0, 0, 7, 0, 0, 0, 1, 1, 3, 0][..],
            AbortReason::InvalidParameter,
        ), // a value shorter than its header
    ] {
        let (result, answer) = scripted(|client| {
            client.write_all(&request).unwrap();
            client.write_all(bytes).unwrap();
        });
        assert!(
            matches!(result, Err(Error::Protocol { .. })),
            "{bytes:?}: {result:?}"
        );
        assert_eq!(answer[answer.len() - 10..], pdu::abort(Some(reason)), "{bytes:?}");
    }
}

#[test]
fn what_is_no_request_is_aborted_and_what_is_a_bad_one_rejected() {
    let (result, answer) = scripted(|client| client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap());
    assert!(matches!(result, Err(Error::Protocol { .. })), "{result:?}");
    assert_eq!(answer, pdu::abort(None));

    let mut version_2 = request_bytes(&proposal());
    version_2[7] = 2;
    let (result, answer) = scripted(|client| client.write_all(&version_2).unwrap());
    assert!(matches!(result, Err(Error::Refused(Rejection::PROTOCOL_VERSION))));
    assert_eq!(answer, [3, 0, 0, 0, 0, 4, 0, 1, 2, 2]);
    let mut version_3 = request_bytes(&proposal());
    version_3[7] = 3; // only bit 0 counts
    let (result, _) = scripted(|client| client.write_all(&version_3).unwrap());
    assert!(matches!(result, Err(Error::Closed)), "{result:?}");
}

#[test]
fn padding_and_unknown_items_of_a_request_are_tolerated() {
    let mut body = vec![0, 1, 0, 0];
    body.extend(b"YOU\0\0\0\0\0\0\0\0\0\0\0\0\0");
    body.extend(b"ME              ");
    body.extend([0; 32]);
    let item = |kind: u8, value: &[u8]| {
        let mut item = vec![kind, 0];
        item.extend((value.len() as u16).to_be_bytes());
        item.extend(value);
        item
    };
    body.extend(item(0x10, b"1.2.840.10008.3.1.1.1\0"));
    body.extend(item(0x77, b"who knows"));
    let mut context = vec![1, 0, 0, 0];
    context.extend(item(0x30, b"1.2.840.10008.1.1\0"));
    context.extend(item(0x66, b"?"));
    context.extend(item(0x40, b"1.2.840.10008.1.2"));
    body.extend(item(0x20, &context));
    body.extend(item(
        0x50,
        &[item(0x51, &[0, 0, 64, 0]), item(0x7E, b"new")].concat(),
    ));
    let request = AssociateRq::parse(&body).unwrap();
    assert_eq!(request.application_context, APPLICATION_CONTEXT);
    assert_eq!(request.called.trim(), "YOU");
    assert_eq!(request.user.maximum_length, 16384);
    assert_eq!(request.contexts[0].abstract_syntax, "1.2.840.10008.1.1");
    for (position, value) in [(1, 2u8), (1, 0)] {
        let mut even = body.clone();
        let at = even
            .windows(4)
            .position(|w| w == [0x20, 0, 0, context.len() as u8])
            .unwrap()
            + 3
            + position;
        even[at] = value;
        assert!(AssociateRq::parse(&even).is_err(), "context id {value}");
    }
    assert!(AssociateRq::parse(&body[..body.len() - 3]).is_err());
    assert!(AssociateRq::parse(&[0; 10]).is_err());
}

#[test]
fn after_a_release_a_new_request_is_answered_by_abort_and_the_rest_ignored() {
    let request = request_bytes(&proposal());
    let release = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    let (result, answer) = scripted(|client| {
        let ignored = [4, 0, 0, 0, 0, 6, 0, 0, 0, 2, 1, 3];
        client
            .write_all(&[&request[..], &release, &ignored, &request].concat())
            .unwrap();
    });
    assert!(result.unwrap().is_empty());
    let expected = [pdu::RELEASE_RP, pdu::abort(Some(AbortReason::UnexpectedPdu))].concat();
    assert!(answer.ends_with(&expected), "{answer:02X?}");
}

#[test]
fn a_release_collision_and_late_data_are_lived_through() {
    let (mut server, client) = pair();
    let peer = std::thread::spawn(move || {
        let mut heard = Vec::new();
        let mut hear = |server: &mut TcpStream, until: &[u8]| {
            let mut bytes = [0; 4096];
            while !heard.ends_with(until) {
                let read = server.read(&mut bytes).unwrap();
                assert!(read > 0);
                heard.extend(&bytes[..read]);
            }
            heard.clear();
        };
        let request = request_bytes(&proposal());
        hear(&mut server, &request);
        let item =
            |kind: u8, value: &[u8]| [&[kind, 0][..], &(value.len() as u16).to_be_bytes(), value].concat();
        let context = [&[1, 0, 0, 0][..], &item(0x40, EXPLICIT.as_bytes())].concat();
        let body = [vec![0; 68], item(0x21, &context)].concat();
        server
            .write_all(&[&[2, 0][..], &(body.len() as u32).to_be_bytes(), &body].concat())
            .unwrap();
        hear(&mut server, &pdu::RELEASE_RQ);
        // Data that was under way (AR-6), then our own request for release (AR-8): the requestor answers first (AR-9).
        server.write_all(&[4, 0, 0, 0, 0, 6, 0, 0, 0, 2, 1, 0]).unwrap();
        server.write_all(&pdu::RELEASE_RQ).unwrap();
        hear(&mut server, &pdu::RELEASE_RP);
        server.write_all(&pdu::RELEASE_RP).unwrap();
    });
    requestor(client).release().unwrap();
    peer.join().unwrap();
}

#[test]
fn an_acceptance_with_oddities_is_read_all_the_same() {
    let (server, client) = pair();
    let peer = std::thread::spawn(move || {
        let mut server = server;
        let mut request = [0; 4096];
        assert!(server.read(&mut request).unwrap() > 0);
        let item =
            |kind: u8, value: &[u8]| [&[kind, 0][..], &(value.len() as u16).to_be_bytes(), value].concat();
        let accepted = [&[1, 0, 0, 0][..], &item(0x40, EXPLICIT.as_bytes())].concat();
        let mut body = vec![0; 68];
        body.extend(item(0x21, &[3, 0, 4, 0])); // refused, without a transfer syntax
        body.extend(item(0x21, &accepted));
        body.extend(item(0x99, b"?"));
        body.extend(item(
            0x50,
            &[item(0x51, &[0, 0, 32, 0]), item(0x7E, b"new")].concat(),
        ));
        server
            .write_all(&[&[2, 0][..], &(body.len() as u32).to_be_bytes(), &body].concat())
            .unwrap();
        server
    });
    let association = request(connection(client), LIMITS, &proposal()).unwrap();
    assert_eq!(association.contexts().len(), 1);
    assert_eq!(association.contexts()[0].transfer_syntax, EXPLICIT);
    drop(peer.join().unwrap());
}

proptest::proptest! {
    #[test]
    fn no_request_is_too_strange(tail in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let mut body = vec![0; 68];
        body.extend(tail);
        let _ = AssociateRq::parse(&body);
    }
}
