//! The terminal: raw while the shell has it, its keys, its size.

use std::io::{IsTerminal, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Writes a line for the person; that nobody is there to read it any more stops nothing.
pub(super) fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether a shell here has a terminal of its own.
pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Every key goes to the shell as it is, Ctrl-C too, until this is dropped.
pub(super) struct Raw(Termios);

impl Raw {
    pub fn enter() -> Result<Self> {
        let was = tcgetattr(std::io::stdin()).context("read the terminal's settings")?;
        let mut raw = was.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).context("change the terminal's settings")?;
        Ok(Self(was))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone has no settings.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Rows and columns; `None` where the terminal does not say.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// What comes in on stdin, until this is dropped; what is typed after that is left for whoever reads next.
pub(super) struct Keys {
    /// Pieces of the input; closed at its end.
    pub pieces: mpsc::Receiver<Vec<u8>>,
    stop: Option<std::io::PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Keys {
    pub fn listen() -> Result<Self> {
        let (send, pieces) = mpsc::channel(16);
        let (stopped, stop) = std::io::pipe()?;
        let thread = std::thread::spawn(move || read_keys(&send, &stopped));
        Ok(Self {
            pieces,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.pieces.close();
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A blocking read could not be ended, so stdin is read only when there is something.
fn read_keys(send: &mpsc::Sender<Vec<u8>>, stopped: &std::io::PipeReader) {
    let stdin = std::io::stdin();
    loop {
        let mut waiting = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(stopped, PollFlags::IN),
        ];
        match poll(&mut waiting, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        let [keys, stop] = waiting;
        if !stop.revents().is_empty() {
            return;
        }
        if keys.revents().is_empty() {
            continue;
        }
        let mut bytes = vec![0; 4096];
        match rustix::io::read(&stdin, &mut bytes) {
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) | Ok(0) => return,
            Ok(read) => {
                bytes.truncate(read);
                if send.blocking_send(bytes).is_err() {
                    return;
                }
            }
        }
    }
}

/// Why the person is gone or wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The terminal was closed.
    Hangup,
    /// This program was told to end.
    Terminated,
    /// Ctrl-C, where it does not go to the shell.
    CtrlC,
}

impl Interruption {
    /// The exit status that shells give a program that such a signal ended.
    pub const fn status(self) -> u8 {
        match self {
            Self::Hangup => 129,
            Self::CtrlC => 130,
            Self::Terminated => 143,
        }
    }
}

/// The signals this program minds; from the first of these on none of them ends it.
pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    resized: Signal,
}

impl Signals {
    pub fn mind() -> Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            resized: signal(SignalKind::window_change())?,
        })
    }

    /// The next wish to end.
    pub async fn interruption(&mut self) -> Interruption {
        tokio::select! {
            _ = self.hangup.recv() => Interruption::Hangup,
            _ = self.terminate.recv() => Interruption::Terminated,
            _ = self.interrupt.recv() => Interruption::CtrlC,
        }
    }

    /// The next wish to end, or `None` when the terminal has another size.
    pub async fn next(&mut self) -> Option<Interruption> {
        tokio::select! {
            _ = self.hangup.recv() => Some(Interruption::Hangup),
            _ = self.terminate.recv() => Some(Interruption::Terminated),
            _ = self.interrupt.recv() => Some(Interruption::CtrlC),
            _ = self.resized.recv() => None,
        }
    }

    /// Asks and returns the line that was typed; `Err` when the person is gone or wants to be.
    pub async fn ask(&mut self, question: &str) -> Result<String, Interruption> {
        let _ = write!(std::io::stderr(), "{question} ");
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            let read = std::io::stdin().read_line(&mut line);
            read.ok().filter(|n| *n > 0).map(|_| line)
        });
        tokio::select! {
            line = line => match line {
                Ok(Some(line)) => Ok(line.trim().to_lowercase()),
                _ => Err(Interruption::Hangup),
            },
            interruption = self.interruption() => Err(interruption),
        }
    }
}

/// That an image is open here. It ends with the process, however that ends.
pub(super) struct Only(#[expect(dead_code, reason = "held until dropped")] UnixListener);

impl Only {
    /// Refuses an image that is open in another terminal of this machine.
    pub fn one(container: &str, name: &str) -> Result<Self> {
        // A socket in the abstract namespace: no file that could be left behind.
        let address = SocketAddr::from_abstract_name(container.as_bytes())?;
        match UnixListener::bind_addr(&address) {
            Ok(socket) => Ok(Self(socket)),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                bail!("{name} is open in another terminal: leave the shell there first")
            }
            Err(error) => Err(error).context("see whether it is open elsewhere"),
        }
    }
}
