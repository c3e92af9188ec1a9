//! An archive that takes every object and misbehaves when it is to say that it keeps them (storage commitment).

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use super::commitment::{PUSH, answer, asked, n_event_report};
use super::parrot::acceptor::{accept, read_pdu, response, short, text};
use super::parrot::command::{Command, FIELD, RESPONDED_TO, SOP_CLASS, SOP_INSTANCE, STATUS};
use super::parrot::pdu::{self, COMMAND, LAST, Pdv, RELEASE_RP, Request, message, p_data, title};
use super::parrot::{Heard, Parrot};
use super::part10::{EXPLICIT_LITTLE, MR, uid};

/// N-ACTION-RQ
const N_ACTION: u16 = 0x0130;

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Keeps everything, and says so over the association that asked.
    Keeps,
    /// The same over one of its own.
    KeepsOverItsOwn,
    /// Answers the first request when it is asked a second time.
    KeepsLate,
    /// Never answers.
    SaysNothing,
    /// Says "all of it", and leaves one object out; asked again, it has that too.
    LeavesOneOut,
    /// Leaves one out whenever it is asked.
    AlwaysLeavesOneOut,
    /// Says that it keeps objects that it was not asked about.
    KeepsOthers,
    /// Has lost one object, for that Failure Reason.
    Loses(u16),
    /// The same, in an event that says that there are no failures.
    LosesInSuccess,
    /// Says of one object that it is kept and that it is not.
    KeepsAndLoses,
    /// Answers with a Transaction UID that nobody gave.
    AnswersNobody,
    /// Answers with a data set that cannot be read.
    AnswersNonsense,
    /// Says the same twice.
    SaysTwice,
    /// Says that it keeps everything, and then that it does not.
    TakesBack,
    /// Answers by the AE title of another archive.
    CallsAsAnother,
    /// Answers by an AE title that nobody knows.
    CallsAsStranger,
    /// Answers the first request with that status.
    RefusesOnce(u16),
    /// Responds to the first request as if it had been another one.
    RespondsToOtherMessage,
    /// Hangs up at the first request.
    HangsUp,
    /// Does not accept the presentation context.
    KnowsNothing,
}

#[derive(Default)]
struct Book {
    /// Transaction UID and objects of each request.
    requests: Vec<(String, Vec<String>)>,
    /// What the node answered to each report.
    heard: Vec<String>,
}

/// An archive; it listens until the test program ends.
#[derive(Clone)]
pub struct BadArchive {
    pub port: u16,
    promise: Promise,
    /// Where the node listens, and the AE title by which it asks.
    node: Arc<OnceLock<u16>>,
    title: String,
    another: String,
    book: Arc<Mutex<Book>>,
}

impl BadArchive {
    /// One that serves; `another` is the AE title of an archive that the node knows too.
    pub fn start(promise: Promise, own: &str, another: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let archive = Self {
            port: listener.local_addr().unwrap().port(),
            promise,
            node: Arc::default(),
            title: own.to_owned(),
            another: another.to_owned(),
            book: Arc::default(),
        };
        let serving = archive.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let one = serving.clone();
                thread::spawn(move || one.hold(socket));
            }
        });
        archive
    }

    /// Where the node is.
    pub fn knows(&self, node: u16) {
        self.node.set(node).unwrap();
    }

    /// How many objects each request was about.
    pub fn requests(&self) -> Vec<usize> {
        self.book
            .lock()
            .unwrap()
            .requests
            .iter()
            .map(|(_, o)| o.len())
            .collect()
    }

    /// What the node answered to each report, in order.
    pub fn heard(&self) -> Vec<String> {
        self.book.lock().unwrap().heard.clone()
    }

    fn hold(&self, mut socket: TcpStream) -> Option<()> {
        let request = read_pdu(&mut socket)?;
        let refused = |syntax: &str| match self.promise {
            Promise::KnowsNothing if syntax == PUSH => 3,
            _ => 0,
        };
        socket.write_all(&accept(&request[6..], refused)).ok()?;
        loop {
            let (context, command, data_set) = self.next_request(&mut socket)?;
            if short(&command, FIELD) != N_ACTION {
                let success = response(&command, 0)
                    .uid(SOP_CLASS, &text(&command, SOP_CLASS))
                    .uid(SOP_INSTANCE, &text(&command, SOP_INSTANCE));
                say(&mut socket, context, &success, None)?;
                continue;
            }
            let number = {
                let mut book = self.book.lock().unwrap();
                book.requests.push(asked(&data_set));
                book.requests.len()
            };
            let responds = match self.promise {
                Promise::RefusesOnce(status) if number == 1 => response(&command, status),
                Promise::RespondsToOtherMessage if number == 1 => {
                    response(&command, 0).short(RESPONDED_TO, 4711)
                }
                Promise::HangsUp if number == 1 => return None,
                _ => response(&command, 0),
            };
            say(&mut socket, context, &responds, None)?;
            if responds.0 == response(&command, 0).0 {
                self.report(number, &mut socket, context)?;
            }
        }
    }

    /// A message with its data set, if it has one: `None` at the end, with an answer to a release.
    fn next_request(&self, socket: &mut TcpStream) -> Option<(u8, Vec<u8>, Vec<u8>)> {
        let (mut command, mut data_set) = (Vec::new(), Vec::new());
        loop {
            let values = match pdu::heard(&read_pdu(socket)?) {
                Heard::Data(values) => values,
                Heard::ReleaseAsked => {
                    let _ = socket.write_all(&RELEASE_RP);
                    return None;
                }
                _ => return None,
            };
            for value in values {
                let last = value.control & LAST != 0;
                if value.control & COMMAND == 0 {
                    data_set.extend(value.data);
                    if last {
                        return Some((value.context, command, data_set));
                    }
                    continue;
                }
                command.extend(value.data);
                // A response to a report has no data set.
                if last && short(&command, FIELD) & 0x8000 != 0 {
                    return Some((value.context, command, data_set));
                }
            }
        }
    }

    /// What it says of a request; `None`: it hangs up, as it does once it has called back.
    fn report(&self, number: usize, socket: &mut TcpStream, context: u8) -> Option<()> {
        let (transaction, objects) = self.book.lock().unwrap().requests[number - 1].clone();
        let (first, rest) = objects.split_first()?;
        let one_lost = |reason| [(first.clone(), reason)];
        let with = |kept: &[String], lost: &[(String, u16)]| answer(&transaction, MR, kept, lost);
        let all = with(&objects, &[]);
        let own = |event, data_set: &[u8]| self.over_its_own(&self.title, event, data_set);
        match self.promise {
            Promise::Keeps => return self.over_the_same(socket, context, 1, &all),
            Promise::SaysTwice => (0..2).for_each(|_| own(1, &all)),
            Promise::TakesBack => {
                own(1, &all);
                own(2, &with(rest, &one_lost(0x0112)));
            }
            Promise::SaysNothing => {}
            Promise::KeepsLate if number == 1 => {}
            Promise::KeepsLate => {
                let (transaction, objects) = self.book.lock().unwrap().requests[0].clone();
                own(1, &answer(&transaction, MR, &objects, &[]));
            }
            Promise::LeavesOneOut if number == 1 => own(1, &with(rest, &[])),
            Promise::AlwaysLeavesOneOut => own(1, &with(rest, &[])),
            Promise::KeepsOthers => own(1, &with(&[uid(), uid()], &[])),
            Promise::Loses(reason) => own(2, &with(rest, &one_lost(reason))),
            Promise::LosesInSuccess => own(1, &with(rest, &one_lost(0x0112))),
            Promise::KeepsAndLoses => own(2, &with(&objects, &one_lost(0x0110))),
            Promise::AnswersNobody => own(1, &answer(&uid(), MR, &objects, &[])),
            Promise::AnswersNonsense => own(1, &all[..all.len() - 3]),
            Promise::CallsAsAnother => self.over_its_own(&self.another, 1, &all),
            Promise::CallsAsStranger => self.over_its_own("STRANGER", 1, &all),
            _ => own(1, &all),
        }
        None
    }

    fn over_the_same(&self, socket: &mut TcpStream, context: u8, event: u16, data_set: &[u8]) -> Option<()> {
        say(socket, context, &n_event_report(7, event), Some(data_set))?;
        let (_, command, _) = self.next_request(socket)?;
        self.note(format!("{:04X}", short(&command, STATUS)));
        Some(())
    }

    fn over_its_own(&self, calling: &str, event: u16, data_set: &[u8]) {
        let request = Request {
            calling: title(calling.as_bytes()),
            ..Request::new("NODE").context(1, PUSH, &[EXPLICIT_LITTLE])
        };
        let mut parrot = Parrot::connect(*self.node.wait());
        parrot.say(request.encode());
        match parrot.hear() {
            Heard::Accepted(_) => {}
            Heard::Rejected(result, source, reason) => {
                return self.note(format!("rejected {result}/{source}/{reason}"));
            }
            other => return self.note(format!("{other:?}")),
        }
        parrot.say(message(1, &n_event_report(7, event), Some(data_set)));
        match parrot.answer() {
            Ok(response) => self.note(format!("{:04X}", response.status)),
            Err(other) => self.note(format!("{other:?}")),
        }
        parrot.release();
    }

    fn note(&self, heard: String) {
        self.book.lock().unwrap().heard.push(heard);
    }
}

fn say(socket: &mut TcpStream, context: u8, command: &Command, data_set: Option<&[u8]>) -> Option<()> {
    let mut bytes = p_data(&[Pdv::new(context, COMMAND | LAST, command.encode())]);
    if let Some(data_set) = data_set {
        bytes.extend(p_data(&[Pdv::new(context, LAST, data_set)]));
    }
    socket.write_all(&bytes).ok()
}
