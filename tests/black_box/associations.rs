//! Who may call, how many at once, and what is told of associations that do not end well.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::part10::{self, Object};
use crate::support::senders;
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const MR_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.4";
const ABORT: [u8; 10] = [7, 0, 0, 0, 0, 4, 0, 0, 0, 0];
const RELEASE: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// A connection that says what a test tells it.
struct Peer(TcpStream);

impl Peer {
    fn connect(from: Ipv4Addr, port: u16) -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddrV4::new(from, 0)).unwrap();
        rustix::net::connect(&socket, &SocketAddrV4::new(HERE, port)).unwrap();
        let socket = TcpStream::from(socket);
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// A PDU's type and body; `None` when the node closed.
    #[track_caller]
    fn hears(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 6];
        match self.0.read_exact(&mut header) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                return None;
            }
            Err(e) => panic!("{e}"),
        }
        let length = u32::from_be_bytes(header[2..].try_into().unwrap());
        let mut body = vec![0; length as usize];
        self.0.read_exact(&mut body).unwrap();
        Some((header[0], body))
    }

    /// Asks for an association; answers the type of the answer and, of a rejection, result, source and reason.
    #[track_caller]
    fn calls(&mut self, calling: &str, called: &str) -> Answer {
        self.0.write_all(&request(calling, called)).unwrap();
        match self.hears() {
            Some((2, _)) => Answer::Accepted,
            Some((3, body)) => Answer::Rejected(body[1], body[2], body[3]),
            other => panic!("neither accepted nor rejected: {other:?}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepted,
    Rejected(u8, u8, u8),
}

use Answer::{Accepted, Rejected};

/// One connection that asks once.
#[track_caller]
fn call(from: Ipv4Addr, node: &TestNode, calling: &str, called: &str) -> Answer {
    Peer::connect(from, node.dicom_port()).calls(calling, called)
}

/// An A-ASSOCIATE-RQ (PS3.8 §9.3.2) for MR Image Storage in implicit VR little endian.
fn request(calling: &str, called: &str) -> Vec<u8> {
    let item = |kind: u8, value: &[u8]| {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[kind, 0], &length[..], value].concat()
    };
    let context = [
        &[1, 0, 0, 0][..],
        &item(0x30, MR_IMAGE.as_bytes()),
        &item(0x40, b"1.2.840.10008.1.2"),
    ];
    let body = [
        &[0, 1, 0, 0][..],
        format!("{called:16}{calling:16}").as_bytes(),
        &[0; 32],
        &item(0x10, b"1.2.840.10008.3.1.1.1"),
        &item(0x20, &context.concat()),
        &item(0x50, &item(0x51, &65536_u32.to_be_bytes())),
    ]
    .concat();
    pdu(1, &body)
}

fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 0], &length[..], body].concat()
}

/// P-DATA-TF with one value on context 1; control: bit 0 command, bit 1 last (PS3.8 §E.2).
fn p_data(control: u8, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len() + 2).unwrap().to_be_bytes();
    pdu(4, &[&length[..], &[1, control], data].concat())
}

/// The command set of a C-STORE-RQ (PS3.7 §9.3.1.1).
fn c_store(sop_instance: &str) -> Vec<u8> {
    let element = |tag: u16, value: &[u8]| {
        let length = u32::try_from(value.len()).unwrap().to_le_bytes();
        [&[0, 0][..], &tag.to_le_bytes(), &length, value].concat()
    };
    let uid = |text: &str| {
        let mut value = text.as_bytes().to_vec();
        value.resize(value.len().next_multiple_of(2), 0);
        value
    };
    let elements = [
        element(0x0002, &uid(MR_IMAGE)),
        element(0x0100, &[1, 0]),
        element(0x0110, &[1, 0]),
        element(0x0700, &[0, 0]),
        element(0x0800, &[0, 0]),
        element(0x1000, &uid(sop_instance)),
    ]
    .concat();
    let length = u32::try_from(elements.len()).unwrap().to_le_bytes();
    [element(0x0000, &length), elements].concat()
}

/// The events of associations, newest first, once there are as many as wanted.
#[track_caller]
fn events(node: &TestNode, wanted: usize) -> Vec<Value> {
    let look = || {
        let page: Value = node.api().get("/api/v1/associations?limit=1000").unwrap();
        let rows = page["associations"].as_array().unwrap().clone();
        (rows.len() >= wanted).then_some(rows)
    };
    let rows = wait_until(PATIENCE, &format!("{wanted} events of associations"), look).unwrap();
    assert_eq!(rows.len(), wanted, "{rows:#?}");
    rows
}

#[test]
fn each_association_that_does_not_end_well_leaves_one_event_with_its_reason() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let port = node.dicom_port();

    // These leave none: one that goes well, and a port that is looked at.
    assert!(senders::echoscu(port, "Count").success);
    drop(Peer::connect(HERE, port));

    let mut garbage = Peer::connect(HERE, port);
    garbage.0.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(garbage.hears().unwrap().0, 7);
    drop(garbage);
    let row = events(&node, 1).remove(0);
    assert_eq!(
        (&row["outcome"], &row["address"]),
        (&"protocol_error".into(), &"127.0.0.1".into())
    );
    assert_eq!(
        (&row["calling_ae_title"], &row["called_ae_title"]),
        (&Value::Null, &Value::Null)
    );
    assert!(row["reason"].as_str().unwrap().contains("type 47"), "{row}");

    assert_eq!(call(HERE, &node, "MR\\1", "Count"), Rejected(1, 1, 3));
    assert_eq!(events(&node, 2)[0]["calling_ae_title"], "MR\\1");
    assert_eq!(call(ELSEWHERE, &node, "MR1", "COUNT"), Rejected(1, 1, 7));
    let row = events(&node, 3).remove(0);
    assert_eq!(
        (&row["outcome"], &row["address"]),
        (&"rejected".into(), &"127.0.0.2".into())
    );
    assert_eq!(
        (&row["calling_ae_title"], &row["called_ae_title"]),
        (&"MR1".into(), &"COUNT".into())
    );
    assert!(row["reason"].as_str().unwrap().contains("(1/1/7)"), "{row}");
    assert_eq!((&row["tls"], &row["unrecorded"]), (&false.into(), &0.into()));

    let object = Object::new();
    let file = object.write(&node.scratch("sent"));
    let mut bytes = std::fs::read(&file).unwrap();
    let meta = bytes.len() - part10::data_set(&bytes).len();
    let other = object.sop_instance.replacen("1.2.826", "1.2.827", 1);
    part10::replace(
        &mut bytes[..meta],
        object.sop_instance.as_bytes(),
        other.as_bytes(),
    );
    std::fs::write(&file, bytes).unwrap();
    let sent = [file, object.write(&node.scratch("sent"))];
    assert_eq!(
        senders::pynetdicom(port, "Count", &sent).statuses(),
        ["A900", "0000"]
    );
    let row = events(&node, 4).remove(0);
    assert_eq!(
        (&row["outcome"], &row["calling_ae_title"]),
        (&"objects_refused".into(), &"PYTHON".into())
    );
    assert_eq!((&row["stored"], &row["refused"]), (&1.into(), &1.into()));
    assert_eq!(row["last_refusal"]["status"], "A900");
    let reason = row["last_refusal"]["reason"].as_str().unwrap();
    assert!(reason.contains("SOP Instance UID"), "{row}");
    assert!(row["bytes"].as_u64().unwrap() > 0, "{row}");

    let mut aborts = Peer::connect(HERE, port);
    assert_eq!(aborts.calls("MR1", "Count"), Accepted);
    aborts.0.write_all(&p_data(3, &c_store("1.2.3.4"))).unwrap();
    aborts.0.write_all(&p_data(0, &[8, 0, 5, 0])).unwrap();
    aborts.0.write_all(&ABORT).unwrap();
    assert_eq!(aborts.hears(), None);
    let row = events(&node, 5).remove(0);
    assert_eq!(
        (&row["outcome"], &row["called_ae_title"]),
        (&"aborted".into(), &"Count".into())
    );
    assert!(
        row["reason"].as_str().unwrap().contains("the peer aborted"),
        "{row}"
    );
    assert_eq!(
        (&row["stored"], &row["refused"], &row["last_refusal"]),
        (&0.into(), &0.into(), &Value::Null)
    );
    let parts = node.bucket("Count").join("incoming/.parts");
    let left = std::fs::read_dir(&parts).map_or(0, |entries| entries.count());
    assert_eq!(left, 0, "files in {}", parts.display());
}

#[test]
fn a_flood_of_rejected_connections_leaves_the_node_answering() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    const EACH: u64 = 500;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    assert_eq!(call(ELSEWHERE, &node, "FLOOD", "NOBODY"), Rejected(1, 1, 7));
                }
            });
        }
    });
    assert!(senders::echoscu(node.dicom_port(), "Count").success);
    // Every one of them is a row, or counted in one.
    let look = || {
        let page: Value = node.api().get("/api/v1/associations?limit=10000").unwrap();
        let rows = page["associations"].as_array().unwrap();
        let counted: u64 = rows.iter().map(|r| r["unrecorded"].as_u64().unwrap()).sum();
        (rows.len() as u64 + counted == 4 * EACH).then_some(())
    };
    wait_until(PATIENCE, "the events of the flood", look).unwrap();
    let refusals = node.log().matches("association refused").count();
    assert!((1..=30).contains(&refusals), "{refusals} lines in the log");
}

#[test]
fn whoever_is_not_named_is_refused_and_learns_nothing() {
    needs!(Docker, Pynetdicom);
    let config = "[dicom]\nnetworks = [\"192.0.2.0/24\"]\n\
                  [[caller]]\nae_title = \"PYTHON\"\n\
                  [[caller]]\nae_title = \"MR1\"\naddresses = [\"127.0.0.2\"]\nbuckets = [\"Count\", \"Gone\"]\n";
    let node = TestNode::with(&Bucket::fixture("count"), config);
    node.install(&Bucket::fixture("copy").called("Copy"));
    for (from, calling, called, answer) in [
        // A list that is given replaces loopback.
        (HERE, "MR1", "Count", Rejected(1, 1, 3)),
        (HERE, "MR1", "NOBODY", Rejected(1, 1, 3)),
        (ELSEWHERE, "mr1", "Count", Rejected(1, 1, 3)),
        (ELSEWHERE, "MR1", "Count", Accepted),
        (ELSEWHERE, "MR1", "Copy", Rejected(1, 1, 3)),
        (ELSEWHERE, "MR1", "NOBODY", Rejected(1, 1, 7)),
    ] {
        assert_eq!(
            call(from, &node, calling, called),
            answer,
            "{calling} from {from} calls {called}"
        );
    }
    let sent = [Object::new().write(&node.scratch("sent"))];
    assert_eq!(
        senders::pynetdicom(node.dicom_port(), "Copy", &sent).statuses(),
        ["0000"]
    );

    let log = node.log();
    for said in [
        "a [[caller]] names a bucket that is not installed ae_title=Gone",
        "add a [[caller]] with ae_title = \"MR1\" and addresses = [\"127.0.0.1\"]",
        "add \"Copy\" to the buckets of its [[caller]]",
    ] {
        assert!(log.contains(said), "`{said}` is missing");
    }
}

#[test]
fn one_address_has_its_share_of_the_port_and_no_more() {
    needs!(Docker);
    let config = "[dicom]\nassociations = 4\nassociations_per_address = 2\n";
    let node = TestNode::with(&Bucket::fixture("count"), config);
    let port = node.dicom_port();
    // Two that may be associations and 32 beyond; who comes later is closed at once.
    let silent: Vec<_> = (0..34).map(|_| Peer::connect(HERE, port)).collect();
    for _ in 0..6 {
        assert_eq!(Peer::connect(HERE, port).hears(), None);
    }
    let told = node.log().matches("connection closed without an answer").count();
    assert_eq!(told, 1, "one line a minute");

    // Others have room, for associations as many as an address may have.
    let mut open: Vec<_> = (0..3).map(|_| Peer::connect(ELSEWHERE, port)).collect();
    let answers: Vec<_> = open.iter_mut().map(|p| p.calls("MR1", "Count")).collect();
    assert_eq!(answers, [Accepted, Accepted, Rejected(2, 3, 2)]);
    // And in all.
    let third = Ipv4Addr::new(127, 0, 0, 3);
    let mut more: Vec<_> = (0..2).map(|_| Peer::connect(third, port)).collect();
    assert!(more.iter_mut().all(|p| p.calls("MR1", "Count") == Accepted));
    let fourth = Ipv4Addr::new(127, 0, 0, 4);
    assert_eq!(call(fourth, &node, "MR1", "Count"), Rejected(2, 3, 2));

    // An association that is over leaves its place to the next.
    let mut first = open.remove(0);
    first.0.write_all(&RELEASE).unwrap();
    assert_eq!(first.hears().unwrap().0, 6);
    let look = || (call(fourth, &node, "MR1", "Count") == Accepted).then_some(());
    wait_until(
        Duration::from_secs(20),
        "the place of a released association",
        look,
    )
    .unwrap();
    drop(silent);
}

#[test]
fn a_node_that_stops_refuses_for_now_and_remembers_whom() {
    needs!(Docker);
    let mut node = TestNode::with(&Bucket::fixture("count"), "");
    let mut open = Peer::connect(HERE, node.dicom_port());
    assert_eq!(open.calls("MR1", "Count"), Accepted);
    let pid = Pid::from_raw(node.ready().pid.cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    // It refuses as long as it waits for the association that is open.
    let look = || (call(HERE, &node, "MR2", "Count") == Rejected(2, 3, 1)).then_some(());
    wait_until(PATIENCE, "a refusal by a node that stops", look).unwrap();
    open.0.write_all(&RELEASE).unwrap();
    assert_eq!(open.hears().unwrap().0, 6);
    drop(open);
    assert!(node.terminate().unwrap().success());

    node.restart().unwrap();
    let page: Value = node.api().get("/api/v1/associations").unwrap();
    let rows = page["associations"].as_array().unwrap();
    let refused = rows.iter().find(|r| r["outcome"] == "rejected").unwrap();
    assert_eq!(refused["calling_ae_title"], "MR2");
    assert!(
        refused["reason"].as_str().unwrap().contains("stopping"),
        "{refused}"
    );
}

#[test]
fn a_disk_down_to_its_reserve_refuses_callers_for_now_and_tells_strangers_nothing() {
    needs!(Docker);
    let config = "[storage]\nreserve = \"1000TiB\"\n[dicom]\nnetworks = [\"127.0.0.1\"]\n";
    let node = TestNode::with(&Bucket::fixture("count"), config);
    assert_eq!(call(HERE, &node, "MR1", "Count"), Rejected(2, 3, 1));
    let row = events(&node, 1).remove(0);
    assert_eq!(call(ELSEWHERE, &node, "MR1", "Count"), Rejected(1, 1, 3));
    assert!(row["reason"].as_str().unwrap().contains("disk"), "{row}");
}
