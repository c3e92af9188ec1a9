//! A PACS that misbehaves once, as a test tells it: towards its first association, or towards the second object of it. After
//! that it takes everything, so that what follows is the node's doing. Only what it does always it does always.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::parrot::Heard;
use super::parrot::acceptor::{accept, read_pdu, response, text};
use super::parrot::command::{
    COMMENT, Command, DATA_SET_TYPE, FIELD, RESPONDED_TO, SOP_CLASS, SOP_INSTANCE, STATUS,
};
use super::parrot::pdu::{self, ABORT, COMMAND, LAST, Pdv, RELEASE_RP, RELEASE_RQ, p_data};

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    // To the association.
    /// Answers A-ASSOCIATE-RJ: result, source, reason.
    Rejects(u8, u8, u8),
    /// Accepts, and refuses every presentation context with that result (PS3.8 §9.3.3.2).
    RefusesContexts(u8),
    /// Answers nothing to A-ASSOCIATE-RQ.
    SaysNothing,
    /// Says a half of its answer to A-ASSOCIATE-RQ.
    SaysHalf,
    /// Hangs up when it has read A-ASSOCIATE-RQ.
    HangsUp,
    /// Says something that is no PDU of the upper layer.
    Babbles,
    /// Never answers A-RELEASE-RQ.
    NeverReleases,
    /// Resets the connection at A-RELEASE-RQ.
    ResetsAtRelease,

    // To an object, in place of Success.
    /// Answers that status, and says why in Error Comment.
    Answers(u16),
    /// Answers Success to a message that was never sent.
    AnswersOtherMessage,
    /// The same with Message ID 0, to every object of every association.
    AlwaysAnswersNobody,
    /// Answers Success for another object.
    AnswersOtherInstance,
    /// Answers Success in another of the association's contexts.
    AnswersInOtherContext,
    /// Answers as if it had been asked for C-ECHO.
    AnswersOtherOperation,
    /// Answers without a status.
    AnswersNoStatus,
    /// Answers with the announcement of a data set.
    AnnouncesDataSet,
    /// Answers twice.
    AnswersTwice,
    /// Answers nothing.
    AnswersNothing,
    /// Says a half of its answer, and nothing more.
    AnswersHalf,
    /// Says its answer a byte at a time, each after such a pause.
    Dribbles(Duration),
    /// Closes the connection instead of answering.
    Closes,
    /// Closes it in the middle of its answer.
    ClosesInAnswer,
    /// Closes it when it has the command, before the data set.
    ClosesInObject,
    /// Resets it instead of answering.
    Resets,
    /// Resets it in the middle of its answer.
    ResetsInAnswer,
    /// Answers A-ABORT.
    Aborts,
    /// Asks for release instead of answering.
    AsksForRelease,
}

/// What it was sent: SOP Instance UIDs by association, as it has them whole.
type Taken = Arc<Mutex<Vec<Vec<String>>>>;

/// A PACS; it listens until the test program ends.
pub struct BadPacs {
    pub port: u16,
    taken: Taken,
}

impl BadPacs {
    /// One that serves.
    pub fn start(deed: Deed) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let pacs = Self {
            port: listener.local_addr().unwrap().port(),
            taken: Taken::default(),
        };
        let taken = pacs.taken.clone();
        thread::spawn(move || {
            for (number, socket) in listener.incoming().flatten().enumerate() {
                taken.lock().unwrap().push(Vec::new());
                let one = Conversation {
                    deed: (number == 0 || deed == Deed::AlwaysAnswersNobody).then_some(deed),
                    number,
                    taken: taken.clone(),
                };
                // A node that goes away ends its association, not the PACS.
                thread::spawn(move || one.hold(socket));
            }
        });
        pacs
    }

    /// What it was sent.
    pub fn taken(&self) -> Vec<Vec<String>> {
        self.taken.lock().unwrap().clone()
    }
}

/// One association.
struct Conversation {
    deed: Option<Deed>,
    number: usize,
    taken: Taken,
}

impl Conversation {
    fn hold(self, mut socket: TcpStream) -> Option<()> {
        let request = read_pdu(&mut socket)?;
        let refused = match self.deed {
            Some(Deed::RefusesContexts(result)) => result,
            _ => 0,
        };
        let accepted = accept(&request[6..], |_| refused);
        match self.deed {
            Some(Deed::Rejects(result, source, reason)) => {
                socket
                    .write_all(&pdu::pdu(3, &[0, result, source, reason]))
                    .ok()?;
                return wait_for_the_end(&mut socket);
            }
            Some(Deed::SaysNothing) => return wait_for_the_end(&mut socket),
            Some(Deed::SaysHalf) => {
                socket.write_all(&accepted[..accepted.len() / 2]).ok()?;
                return wait_for_the_end(&mut socket);
            }
            Some(Deed::HangsUp) => return None,
            Some(Deed::Babbles) => {
                socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").ok()?;
                return wait_for_the_end(&mut socket);
            }
            _ => socket.write_all(&accepted).ok()?,
        }
        let mut command = Vec::new();
        loop {
            let values = match pdu::heard(&read_pdu(&mut socket)?) {
                Heard::Data(values) => values,
                Heard::ReleaseAsked => return self.release(socket),
                _ => return None,
            };
            for value in values {
                let is_due = |deed: &Deed| *deed == Deed::AlwaysAnswersNobody || self.so_far() == 1;
                let deed = self.deed.filter(is_due);
                if value.control & COMMAND != 0 {
                    command.extend(value.data);
                    if deed == Some(Deed::ClosesInObject) {
                        return None;
                    }
                } else if value.control & LAST != 0 {
                    let asked = std::mem::take(&mut command);
                    let uid = text(&asked, SOP_INSTANCE);
                    self.taken.lock().unwrap()[self.number].push(uid);
                    answer(&mut socket, &asked, value.context, deed)?;
                }
            }
        }
    }

    fn so_far(&self) -> usize {
        self.taken.lock().unwrap()[self.number].len()
    }

    fn release(&self, mut socket: TcpStream) -> Option<()> {
        match self.deed {
            Some(Deed::NeverReleases) => wait_for_the_end(&mut socket),
            Some(Deed::ResetsAtRelease) => reset(&socket),
            _ => socket.write_all(&RELEASE_RP).ok(),
        }
    }
}

/// Answers an object; `None`: the conversation is over.
fn answer(socket: &mut TcpStream, asked: &[u8], context: u8, deed: Option<Deed>) -> Option<()> {
    let class = text(asked, SOP_CLASS);
    let good = |status: u16| {
        response(asked, status)
            .uid(SOP_CLASS, &class)
            .uid(SOP_INSTANCE, &text(asked, SOP_INSTANCE))
    };
    let said = |context: u8, command: Command| p_data(&[Pdv::new(context, COMMAND | LAST, command.encode())]);
    let success = said(context, good(0));
    let half = &success[..success.len() / 2];
    let bytes = match deed {
        None => success.clone(),
        Some(Deed::Answers(0)) => success.clone(),
        Some(Deed::Answers(status)) => said(context, good(status).set(COMMENT, b"so it is")),
        Some(Deed::AnswersOtherMessage) => said(context, good(0).short(RESPONDED_TO, 4711)),
        Some(Deed::AlwaysAnswersNobody) => said(context, good(0).short(RESPONDED_TO, 0)),
        Some(Deed::AnswersOtherInstance) => said(context, good(0).uid(SOP_INSTANCE, "1.2.3.4")),
        Some(Deed::AnswersInOtherContext) => said(if context == 1 { 3 } else { 1 }, good(0)),
        Some(Deed::AnswersOtherOperation) => said(context, good(0).short(FIELD, 0x8030)),
        Some(Deed::AnswersNoStatus) => said(context, good(0).without(STATUS)),
        Some(Deed::AnnouncesDataSet) => said(context, good(0).short(DATA_SET_TYPE, 0)),
        Some(Deed::AnswersTwice) => [&success[..], &success[..]].concat(),
        Some(Deed::AnswersNothing) => Vec::new(),
        Some(Deed::AnswersHalf | Deed::ClosesInAnswer | Deed::ResetsInAnswer) => half.to_vec(),
        Some(Deed::Dribbles(pause)) => {
            for byte in &success {
                socket.write_all(&[*byte]).ok()?;
                thread::park_timeout(pause);
            }
            Vec::new()
        }
        Some(Deed::Closes) => return None,
        Some(Deed::Resets) => return reset(socket),
        Some(Deed::Aborts) => ABORT.to_vec(),
        Some(Deed::AsksForRelease) => RELEASE_RQ.to_vec(),
        // What is done to the association.
        Some(_) => success.clone(),
    };
    socket.write_all(&bytes).ok()?;
    match deed {
        Some(Deed::AnswersNothing | Deed::AnswersHalf) => wait_for_the_end(socket),
        Some(Deed::ClosesInAnswer | Deed::Aborts) => None,
        Some(Deed::ResetsInAnswer) => reset(socket),
        _ => Some(()),
    }
}

/// Until the node has had enough.
fn wait_for_the_end(socket: &mut TcpStream) -> Option<()> {
    while read_pdu(socket).is_some() {}
    let _ = socket.shutdown(Shutdown::Both);
    None
}

/// The connection is lost: a reset instead of an orderly end.
fn reset(socket: &TcpStream) -> Option<()> {
    rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO)).unwrap();
    None
}
