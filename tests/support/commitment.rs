//! Peers that ask for storage commitment, or are asked: pynetdicom through `peers/commit.py`, and bytes for the parrot.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::part10::Object;
use super::peers::python;
use super::process::Process;
use super::tls::Identity;
use super::wait::wait_until;
use super::{PATIENCE, parrot};

/// Storage Commitment Push Model.
pub const PUSH: &str = "1.2.840.10008.1.20.1";
/// Its only instance.
pub const PUSH_INSTANCE: &str = "1.2.840.10008.1.20.1.1";

/// A certificate to be shown, and the CA whose certificates are trusted.
pub type Tls<'t> = Option<(&'t Identity, &'t Path)>;

fn script(tls: Tls<'_>) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/commit.py");
    let mut command = Command::new(python());
    command.arg(script);
    if let Some((own, ca)) = tls {
        let variables = [("CERTIFICATE", &*own.certificate), ("KEY", &own.key), ("CA", ca)];
        command.envs(variables);
    }
    command
}

/// A question of pynetdicom that is under way.
pub struct Asking(Child);

impl Asking {
    /// What was answered in the end.
    #[track_caller]
    pub fn answer(self) -> Value {
        let output = self.0.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = said.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {said}{errors}"))
    }
}

/// pynetdicom asks, in that directory; see `commit.py` for the modes.
#[track_caller]
pub fn ask(port: u16, called: &str, listen: u16, mode: &str, objects: &[Object], directory: &Path) -> Asking {
    ask_over(None, port, called, listen, mode, objects, directory)
}

/// The same, over TLS.
#[track_caller]
pub fn ask_over(
    tls: Tls<'_>,
    port: u16,
    called: &str,
    listen: u16,
    mode: &str,
    objects: &[Object],
    directory: &Path,
) -> Asking {
    std::fs::create_dir_all(directory).unwrap();
    let mut command = script(tls);
    command.args(["ask", &port.to_string(), called, &listen.to_string(), mode]);
    for object in objects {
        command.args([object.sop_class, &object.sop_instance]);
    }
    command.current_dir(directory);
    Asking(
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    )
}

/// An archive of pynetdicom that is asked: `ARCHIVE`.
pub struct Archive(Process);

impl Archive {
    /// Listens there; see `commit.py` for the modes.
    #[track_caller]
    pub fn start(listen: u16, mode: &str, node: u16, title: &str, directory: &Path) -> Self {
        Self::start_over(None, listen, mode, node, title, directory)
    }

    /// The same, over TLS.
    #[track_caller]
    pub fn start_over(
        tls: Tls<'_>,
        listen: u16,
        mode: &str,
        node: u16,
        title: &str,
        directory: &Path,
    ) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let mut command = script(tls);
        command.args(["archive", &listen.to_string(), mode, &node.to_string(), title]);
        let process = Process::start("the archive", &mut command, &directory.join("archive.log")).unwrap();
        let archive = Self(process);
        archive.said("listening");
        archive
    }

    /// The values it has said under that key.
    pub fn all(&self, key: &str) -> Vec<Value> {
        let log = self.0.log();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|line| line.get(key).cloned()).collect()
    }

    /// Waits until it has said something under that key; answers the first.
    #[track_caller]
    pub fn said(&self, key: &str) -> Value {
        wait_until(PATIENCE, &format!("{key} of the archive"), || {
            self.all(key).into_iter().next()
        })
        .unwrap_or_else(|e| panic!("{e}: {}", self.0.log()))
    }
}

/// The data set of a request in explicit VR little endian, with lengths as most peers write them.
pub fn request(transaction: &str, objects: &[Object]) -> Vec<u8> {
    let items: Vec<u8> = objects
        .iter()
        .flat_map(|o| item(o.sop_class, &o.sop_instance, None))
        .collect();
    [uid_element(0x1195, transaction), sequence(0x1199, &items)].concat()
}

/// The data set of an answer, of objects of one class: those that are kept, and those that are not with the reason.
pub fn answer(transaction: &str, sop_class: &str, kept: &[String], lost: &[(String, u16)]) -> Vec<u8> {
    let lost: Vec<u8> = lost
        .iter()
        .flat_map(|(uid, reason)| item(sop_class, uid, Some(*reason)))
        .collect();
    let kept: Vec<u8> = kept.iter().flat_map(|uid| item(sop_class, uid, None)).collect();
    let mut bytes = uid_element(0x1195, transaction);
    for (tag, items) in [(0x1198, lost), (0x1199, kept)] {
        if !items.is_empty() {
            bytes.extend(sequence(tag, &items));
        }
    }
    bytes
}

/// The UIDs of the objects that a request is about, as they stand in it.
pub fn asked(request: &[u8]) -> (String, Vec<String>) {
    let find = |element: u16| {
        let [e0, e1] = element.to_le_bytes();
        let start = [8, 0, e0, e1, b'U', b'I'];
        let at = request.windows(6).enumerate().filter(move |(_, w)| *w == start);
        at.map(|(at, _)| {
            let length = usize::from(u16::from_le_bytes([request[at + 6], request[at + 7]]));
            let text = String::from_utf8_lossy(&request[at + 8..at + 8 + length]).into_owned();
            text.trim_end_matches('\0').to_owned()
        })
        .collect::<Vec<_>>()
    };
    (find(0x1195).remove(0), find(0x1155))
}

fn item(sop_class: &str, sop_instance: &str, reason: Option<u16>) -> Vec<u8> {
    let reason = reason.map(|reason| {
        let [r0, r1] = reason.to_le_bytes();
        vec![8, 0, 0x97, 0x11, b'U', b'S', 2, 0, r0, r1]
    });
    let item = [
        uid_element(0x1150, sop_class),
        uid_element(0x1155, sop_instance),
        reason.unwrap_or_default(),
    ]
    .concat();
    let length = u32::try_from(item.len()).unwrap().to_le_bytes();
    [&[0xFE, 0xFF, 0x00, 0xE0], &length[..], &item].concat()
}

fn sequence(element: u16, items: &[u8]) -> Vec<u8> {
    let [e0, e1] = element.to_le_bytes();
    let length = u32::try_from(items.len()).unwrap().to_le_bytes();
    [&[8, 0, e0, e1, b'S', b'Q', 0, 0], &length[..], items].concat()
}

/// A UI element of group 0008.
pub fn uid_element(element: u16, uid: &str) -> Vec<u8> {
    let mut value = uid.as_bytes().to_vec();
    value.resize(value.len().next_multiple_of(2), 0);
    let length = u16::try_from(value.len()).unwrap().to_le_bytes();
    let [e0, e1] = element.to_le_bytes();
    [&[8, 0, e0, e1, b'U', b'I'], &length[..], &value].concat()
}

/// N-ACTION-RQ of that action type.
pub fn n_action(id: u16, action: u16) -> parrot::command::Command {
    use parrot::command::{Command, DATA_SET_TYPE};
    Command::request(0x0130, id)
        .short(DATA_SET_TYPE, 0)
        .uid(0x0003, PUSH)
        .uid(0x1001, PUSH_INSTANCE)
        .short(0x1008, action)
}

/// N-EVENT-REPORT-RQ of that event type.
pub fn n_event_report(id: u16, event: u16) -> parrot::command::Command {
    use parrot::command::{Command, DATA_SET_TYPE, SOP_CLASS, SOP_INSTANCE};
    Command::request(0x0100, id)
        .short(DATA_SET_TYPE, 0)
        .uid(SOP_CLASS, PUSH)
        .uid(SOP_INSTANCE, PUSH_INSTANCE)
        .short(0x1002, event)
}
