//! A syslog collector of a test's own (RFC 5425): it takes, hangs or vanishes as it is told.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::tls::Identity;

/// What it does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Reads everything, keeps it, closes.
    Takes,
    /// Shakes hands and reads nothing.
    Hangs,
    /// Reads a little and is gone.
    Vanishes,
}

/// A collector; it is gone when this is dropped.
pub struct Collector {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    mood: Mutex<Mood>,
    changed: Condvar,
    /// Whole messages of connections that ended in order.
    messages: Mutex<Vec<String>>,
    /// Connections that came.
    connections: Mutex<usize>,
}

/// The longest that it hangs.
const LONGEST: Duration = Duration::from_secs(60);

impl Collector {
    /// One that shows `own` and wants to see a certificate of `ca`.
    pub fn start(own: &Identity, ca: &Path) -> Self {
        let config = Arc::new(config(own, ca));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            mood: Mutex::new(Mood::Takes),
            changed: Condvar::new(),
            messages: Mutex::default(),
            connections: Mutex::default(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (config, state) = (config.clone(), shared.clone());
                *state.connections.lock().unwrap() += 1;
                thread::spawn(move || serve(socket.unwrap(), config, &state));
            }
        });
        Self { port, state }
    }

    /// From now on it does that.
    pub fn turn(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
        self.state.changed.notify_all();
    }

    /// What came so far.
    pub fn messages(&self) -> Vec<String> {
        self.state.messages.lock().unwrap().clone()
    }

    /// How many connections came.
    pub fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }
}

fn config(own: &Identity, ca: &Path) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&own.certificate).unwrap().collect();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.unwrap(), PrivateKeyDer::from_pem_file(&own.key).unwrap())
        .unwrap()
}

fn serve(socket: TcpStream, config: Arc<ServerConfig>, state: &State) {
    socket.set_read_timeout(Some(LONGEST)).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    if stream.flush().is_err() || stream.conn.complete_io(&mut stream.sock).is_err() {
        return;
    }
    let mood = *state.mood.lock().unwrap();
    match mood {
        Mood::Hangs => {
            let hangs = state.mood.lock().unwrap();
            let _ended = state
                .changed
                .wait_timeout_while(hangs, LONGEST, |mood| *mood == Mood::Hangs)
                .unwrap();
        }
        Mood::Vanishes => {
            let _ = stream.read(&mut [0; 16]);
            let _ = stream.sock.shutdown(Shutdown::Both);
        }
        Mood::Takes => {
            let mut bytes = Vec::new();
            let ended = stream.read_to_end(&mut bytes);
            if ended.is_ok() {
                stream.conn.send_close_notify();
                let _ = stream.flush();
                state.messages.lock().unwrap().extend(messages(&bytes));
            }
        }
    }
}

/// The messages of a connection, each behind its length in octets.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|b| *b == b' ').unwrap();
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let message = &bytes[space + 1..space + 1 + length];
        found.push(String::from_utf8(message.to_vec()).unwrap());
        bytes = &bytes[space + 1 + length..];
    }
    found
}
