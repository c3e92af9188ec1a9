//! A peer scripted as bytes: it says what a test tells it, in the TCP writes it is told, and tells what came back.
//!
//! Every read has a deadline. When a test fails, what was said and heard is printed with its times.

pub mod acceptor;
pub mod command;
pub mod pdu;

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use self::command::{Command, Response};
use self::pdu::{Accepted, Pdv, Request};
use super::part10::Object;

/// Whoever answers does so well within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came from the node.
#[derive(Clone, PartialEq, Eq)]
pub enum Heard {
    /// A-ASSOCIATE-AC
    Accepted(Accepted),
    /// A-ASSOCIATE-RJ: result, source, reason.
    Rejected(u8, u8, u8),
    /// P-DATA-TF
    Data(Vec<Pdv>),
    /// A-RELEASE-RQ
    ReleaseAsked,
    /// A-RELEASE-RP
    Released,
    /// A-ABORT: source, reason.
    Aborted(u8, u8),
    /// A PDU that is none of these, or malformed.
    Other(Vec<u8>),
    /// The node closed or reset the connection.
    Closed,
    /// Nothing until the deadline.
    Silence,
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(accepted) => write!(f, "A-ASSOCIATE-AC {:?}", accepted.contexts),
            Self::Rejected(result, source, reason) => write!(f, "A-ASSOCIATE-RJ {result}/{source}/{reason}"),
            Self::Data(values) => write!(f, "P-DATA-TF {values:?}"),
            Self::ReleaseAsked => f.write_str("A-RELEASE-RQ"),
            Self::Released => f.write_str("A-RELEASE-RP"),
            Self::Aborted(source, reason) => write!(f, "A-ABORT of source {source}, reason {reason}"),
            Self::Other(bytes) => write!(f, "other bytes {}", excerpt(bytes)),
            Self::Closed => f.write_str("the connection closed"),
            Self::Silence => f.write_str("silence"),
        }
    }
}

/// One connection to the node.
pub struct Parrot {
    socket: TcpStream,
    /// What came and is no whole PDU yet.
    buffer: Vec<u8>,
    /// Values of a P-DATA-TF that no response was read from yet.
    values: Vec<Pdv>,
    story: Vec<String>,
    begun: Instant,
    message_id: u16,
}

impl Parrot {
    /// Connects and says nothing.
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        Self::over(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap())
    }

    /// Connects and says nothing, if somebody listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_connect(port: u16) -> std::io::Result<Self> {
        Ok(Self::over(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?))
    }

    /// Connects from another loopback address.
    #[track_caller]
    pub fn connect_from(address: Ipv4Addr, port: u16) -> Self {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddrV4::new(address, 0)).unwrap();
        connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
        Self::over(socket.into())
    }

    fn over(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            buffer: Vec::new(),
            values: Vec::new(),
            story: Vec::new(),
            begun: Instant::now(),
            message_id: 0,
        }
    }

    /// Connects and asks for an association, which has to be accepted with all its contexts.
    #[track_caller]
    pub fn associate(port: u16, request: &Request) -> Self {
        let mut parrot = Self::connect(port);
        parrot.say(request.encode());
        let accepted = parrot.accepted();
        for context in &accepted.contexts {
            assert_eq!(context.result, 0, "{context:?}");
        }
        parrot
    }

    /// Sends bytes in one write. The node may have hung up: what comes of that is heard, not said.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let outcome = self.socket.write_all(bytes);
        let failure = outcome.err().map(|e| format!(": {e}")).unwrap_or_default();
        self.note(format!("said {}{failure}", excerpt(bytes)));
    }

    /// Sends bytes in writes of so many each.
    pub fn dribble(&mut self, bytes: impl AsRef<[u8]>, at_once: usize) {
        let mut outcome = Ok(());
        for piece in bytes.as_ref().chunks(at_once) {
            outcome = outcome.and_then(|()| self.socket.write_all(piece));
        }
        let failure = outcome.err().map(|e| format!(": {e}")).unwrap_or_default();
        self.note(format!(
            "said, {at_once} at once, {}{failure}",
            excerpt(bytes.as_ref())
        ));
    }

    /// Sends a byte each `pace` until the node says something, hangs up, or all is said; answers what came.
    pub fn dribble_slowly(&mut self, bytes: impl AsRef<[u8]>, pace: Duration) -> Heard {
        for byte in bytes.as_ref() {
            if self.socket.write_all(&[*byte]).is_err() {
                break;
            }
            match self.look(pace) {
                Heard::Silence => {}
                heard => {
                    self.note(format!("heard {heard:?}, dribbling"));
                    return heard;
                }
            }
        }
        self.hear()
    }

    /// The next PDU, or why none came.
    pub fn hear(&mut self) -> Heard {
        self.hear_within(PATIENCE)
    }

    /// The next PDU within a time, or why none came.
    pub fn hear_within(&mut self, limit: Duration) -> Heard {
        let heard = self.look(limit);
        self.note(format!("heard {heard:?}"));
        heard
    }

    fn look(&mut self, limit: Duration) -> Heard {
        let end = Instant::now() + limit;
        loop {
            if let Some(bytes) = self.whole_pdu() {
                return pdu::heard(&bytes);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Heard::Silence;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut piece = [0; 8192];
            match self.socket.read(&mut piece) {
                Ok(0) => return Heard::Closed,
                Ok(read) => self.buffer.extend_from_slice(&piece[..read]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Heard::Closed,
            }
        }
    }

    fn whole_pdu(&mut self) -> Option<Vec<u8>> {
        let length = u32::from_be_bytes(self.buffer.get(2..6)?.try_into().unwrap()) as usize;
        (self.buffer.len() >= 6 + length).then(|| self.buffer.drain(..6 + length).collect())
    }

    /// The association is accepted.
    #[track_caller]
    pub fn accepted(&mut self) -> Accepted {
        match self.hear() {
            Heard::Accepted(accepted) => accepted,
            other => panic!("an A-ASSOCIATE-AC was expected: {other:?}"),
        }
    }

    /// The next response, however it is cut into fragments and PDUs.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.answer()
            .unwrap_or_else(|other| panic!("a response was expected: {other:?}"))
    }

    /// The next response, or what came in its place.
    ///
    /// # Errors
    /// Whatever is no P-DATA-TF.
    #[track_caller]
    pub fn answer(&mut self) -> Result<Response, Heard> {
        let mut bytes = Vec::new();
        loop {
            if self.values.is_empty() {
                match self.hear() {
                    Heard::Data(values) => self.values = values,
                    other => return Err(other),
                }
                continue;
            }
            let value = self.values.remove(0);
            assert!(value.control & 1 == 1, "a data set was not expected: {value:?}");
            bytes.extend(value.data);
            if value.control & 2 == 2 {
                let response = Response::parse(value.context, &bytes);
                self.note(format!("that is {response:?}"));
                return Ok(response);
            }
        }
    }

    /// The next request of the node with its data set: its presentation context, the bytes of both.
    #[track_caller]
    pub fn request(&mut self) -> (u8, Vec<u8>, Vec<u8>) {
        let mut parts = [Vec::new(), Vec::new()];
        loop {
            if self.values.is_empty() {
                match self.hear() {
                    Heard::Data(values) => self.values = values,
                    other => panic!("a request was expected: {other:?}"),
                }
                continue;
            }
            let value = self.values.remove(0);
            let is_data = value.control & 1 == 0;
            parts[usize::from(is_data)].extend(value.data);
            if is_data && value.control & 2 == 2 {
                let [command, data_set] = parts;
                return (value.context, command, data_set);
            }
        }
    }

    /// A C-ECHO, which has to succeed: the association lives.
    #[track_caller]
    pub fn echo(&mut self, context: u8) {
        let id = self.next_id();
        self.say(pdu::message(context, &Command::echo(id), None));
        let response = self.response();
        assert_eq!(
            (response.command_field, response.message_id, response.status),
            (0x8030, id, 0x0000),
            "{response:?}"
        );
    }

    /// Sends an object and answers the status of the response to it.
    #[track_caller]
    pub fn store(&mut self, context: u8, object: &Object) -> u16 {
        self.store_set(context, object, &object.data_set())
    }

    /// Sends a data set as if it were an object's and answers the status.
    #[track_caller]
    pub fn store_set(&mut self, context: u8, object: &Object, data_set: &[u8]) -> u16 {
        let id = self.next_id();
        let command = Command::store(id, object.sop_class, &object.sop_instance);
        self.say(pdu::message(context, &command, Some(data_set)));
        let response = self.response();
        assert_eq!(
            (response.context, response.command_field, response.message_id),
            (context, 0x8001, id),
            "{response:?}"
        );
        response.status
    }

    /// Sends an object but for the last fragment of its data set.
    pub fn begin(&mut self, context: u8, object: &Object, data_set: &[u8]) {
        let id = self.next_id();
        let command = Command::store(id, object.sop_class, &object.sop_instance);
        self.say(pdu::message(context, &command, None));
        self.say(pdu::p_data(&[Pdv::new(context, pdu::DATA, data_set)]));
    }

    /// Asks for release, which has to be answered.
    #[track_caller]
    pub fn release(mut self) {
        self.say(pdu::RELEASE_RQ);
        assert_eq!(self.hear(), Heard::Released);
    }

    /// The node ends the connection within a time and says nothing more.
    #[track_caller]
    pub fn ends_within(&mut self, limit: Duration) {
        assert_eq!(self.hear_within(limit), Heard::Closed);
    }

    /// The connection is lost: a reset instead of an orderly end.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO)).unwrap();
    }

    /// How long the connection has been there.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    fn next_id(&mut self) -> u16 {
        self.message_id += 1;
        self.message_id
    }

    fn note(&mut self, what: String) {
        let ms = self.begun.elapsed().as_millis();
        self.story.push(format!("{ms:6} ms  {what}"));
    }
}

impl Drop for Parrot {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "---- what the peer said and heard\n{}\n----",
                self.story.join("\n")
            );
        }
    }
}

fn excerpt(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().take(24).map(|b| format!("{b:02x}")).collect();
    let more = if bytes.len() > 24 { " …" } else { "" };
    format!("{} bytes: {}{more}", bytes.len(), shown.join(" "))
}
