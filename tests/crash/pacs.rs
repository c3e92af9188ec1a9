//! A PACS that counts what it is sent, and can be sick.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::account::{Digest, digest};
use crate::support::orthanc::free_port;
use crate::support::parrot::Heard;
use crate::support::parrot::acceptor::{accept, read_pdu, response, text};
use crate::support::parrot::command::{Command, SOP_CLASS, SOP_INSTANCE};
use crate::support::parrot::pdu::{self, COMMAND, LAST, Pdv, RELEASE_RP, p_data};

/// How it behaves towards the next association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Takes everything.
    Well,
    /// Thinks that long about each object.
    Slow(Duration),
    /// A-ASSOCIATE-RJ, transient.
    Full,
    /// A-ASSOCIATE-RJ, permanent: it does not know the calling AE title.
    Stranger,
    /// Accepts, then says nothing more.
    Hangs,
    /// Closes the connection in the middle of each object.
    HangsUp,
}

/// The digest of every data set it took, by SOP Instance UID, as often as it came.
type Taken = BTreeMap<String, Vec<Digest>>;

/// A PACS; it listens until the test program ends.
pub struct Pacs {
    pub title: String,
    pub port: u16,
    mood: Arc<Mutex<Mood>>,
    taken: Arc<Mutex<Taken>>,
}

impl Pacs {
    /// One that is not there yet.
    pub fn reserve(title: &str) -> Self {
        Self::at(free_port(), title)
    }

    fn at(port: u16, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            port,
            mood: Arc::new(Mutex::new(Mood::Well)),
            taken: Arc::default(),
        }
    }

    /// One that serves.
    pub fn start(title: &str, mood: Mood) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let pacs = Self::at(listener.local_addr().unwrap().port(), title);
        pacs.becomes(mood);
        pacs.serve_on(listener);
        pacs
    }

    /// Begins to listen.
    pub fn serve(&self) {
        self.serve_on(TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).unwrap());
    }

    fn serve_on(&self, listener: TcpListener) {
        let (mood, taken) = (self.mood.clone(), self.taken.clone());
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (mood, taken) = (*mood.lock().unwrap(), taken.clone());
                // A peer that goes away ends its association, not the PACS.
                thread::spawn(move || associate(socket, mood, &taken));
            }
        });
    }

    /// Changes how the next association is treated.
    pub fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// What it has taken.
    pub fn taken(&self) -> Taken {
        self.taken.lock().unwrap().clone()
    }

    /// The table of the configuration that makes it known.
    pub fn remote_ae(&self) -> String {
        format!(
            "[[remote_ae]]\nae_title = \"{}\"\naddress = \"127.0.0.1:{}\"\n",
            self.title, self.port
        )
    }
}

fn associate(mut socket: TcpStream, mood: Mood, taken: &Mutex<Taken>) -> Option<()> {
    let request = read_pdu(&mut socket)?;
    let answer = match mood {
        Mood::Full => pdu::pdu(3, &[0, 2, 3, 2]),
        Mood::Stranger => pdu::pdu(3, &[0, 1, 1, 3]),
        _ => accept(&request[6..], |_| 0),
    };
    socket.write_all(&answer).ok()?;
    let (mut command, mut data_set) = (Vec::new(), Vec::new());
    loop {
        let values = match pdu::heard(&read_pdu(&mut socket)?) {
            Heard::Data(values) => values,
            Heard::ReleaseAsked => return socket.write_all(&RELEASE_RP).ok(),
            _ => return None,
        };
        if mood == Mood::Hangs {
            continue;
        }
        for value in values {
            let last = value.control & LAST != 0;
            if value.control & COMMAND != 0 {
                command.extend(value.data);
                continue;
            }
            data_set.extend(value.data);
            match mood {
                Mood::HangsUp => return None,
                Mood::Slow(pause) if last => thread::park_timeout(pause),
                _ => {}
            }
            if last {
                let (asked, instance) = (std::mem::take(&mut command), std::mem::take(&mut data_set));
                let uid = text(&asked, SOP_INSTANCE);
                taken
                    .lock()
                    .unwrap()
                    .entry(uid)
                    .or_default()
                    .push(digest(&instance));
                let answer = Pdv::new(value.context, COMMAND | LAST, success(&asked).encode());
                socket.write_all(&p_data(&[answer])).ok()?;
            }
        }
    }
}

/// C-STORE-RSP, Success (PS3.7 §9.3.1.2).
fn success(request: &[u8]) -> Command {
    response(request, 0)
        .uid(SOP_CLASS, &text(request, SOP_CLASS))
        .uid(SOP_INSTANCE, &text(request, SOP_INSTANCE))
}
