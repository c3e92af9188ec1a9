//! The receivers: each is started as a process with a directory of its own, and stopped after its round.

mod dcmtk;
mod node;
mod orthanc;
mod pynetdicom;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::limits::Limit;
use super::sender::Association;
use super::support::node::Node;
use super::support::orthanc::free_port;
use super::support::process::Process;
use super::support::wait::wait_until;

pub use node::Template;

/// Every receiver serves within this after its start, on a busy machine too.
const START: Duration = Duration::from_secs(30);

/// Who takes part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Peer {
    None,
    Instance,
    Unclassified,
    Best,
    Stock,
    Orthanc,
    Pynetdicom,
    Sink,
    Copy,
    Write,
    Fsync,
}

impl Peer {
    /// Everyone, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::None,
        Self::Instance,
        Self::Unclassified,
        Self::Best,
        Self::Stock,
        Self::Orthanc,
        Self::Pynetdicom,
        Self::Sink,
        Self::Copy,
        Self::Write,
        Self::Fsync,
    ];

    /// Its name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Instance => "instance",
            Self::Unclassified => "unclassified",
            Self::Best => "best",
            Self::Stock => "stock",
            Self::Orthanc => "orthanc",
            Self::Pynetdicom => "pynetdicom",
            Self::Sink => "sink",
            Self::Copy => "copy",
            Self::Write => "write",
            Self::Fsync => "fsync",
        }
    }

    /// Its name in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::None => "ours, not durable",
            Self::Instance => "ours, durable",
            Self::Unclassified => "ours, without rules",
            Self::Best => "dcmtk at its best",
            Self::Stock => "dcmtk as shipped",
            Self::Orthanc => "Orthanc (durable)",
            Self::Pynetdicom => "pynetdicom",
            Self::Sink => "raw TCP to file",
            Self::Copy => "copy of files",
            Self::Write => "plain write",
            Self::Fsync => "plain write + fsync",
        }
    }

    /// Those that a word of the command line means.
    pub fn named(word: &str) -> Option<Vec<Self>> {
        match word {
            "ours" => Some(vec![Self::None, Self::Instance]),
            "dcmtk" => Some(vec![Self::Best, Self::Stock]),
            "dcmtk-best" => Some(vec![Self::Best]),
            "dcmtk-stock" => Some(vec![Self::Stock]),
            "limits" => Some(vec![Self::Sink, Self::Copy, Self::Write, Self::Fsync]),
            _ => Self::ALL.into_iter().find(|p| p.name() == word).map(|p| vec![p]),
        }
    }

    /// What it is when it is no receiver.
    pub fn limit(self) -> Option<Limit> {
        match self {
            Self::Copy => Some(Limit::Copy),
            Self::Write => Some(Limit::Write),
            Self::Fsync => Some(Limit::WriteFsync),
            _ => None,
        }
    }

    /// Why it cannot take part on this machine.
    pub fn missing(self) -> Option<&'static str> {
        let there = match self {
            Self::None | Self::Instance | Self::Unclassified => {
                succeeds("docker", &["version", "--format", "{{.Server.Version}}"])
                    && succeeds("busybox", &["true"])
            }
            Self::Best | Self::Stock => succeeds("storescp", &["--version"]),
            Self::Orthanc => super::support::orthanc::program().is_some(),
            Self::Pynetdicom => pynetdicom::is_there(),
            Self::Sink | Self::Copy | Self::Write | Self::Fsync => true,
        };
        let why = match self {
            Self::None | Self::Instance | Self::Unclassified => "no Docker or no busybox",
            Self::Best | Self::Stock => "no storescp",
            Self::Orthanc => "no Orthanc",
            _ => "no pynetdicom in target/venv",
        };
        (!there).then_some(why)
    }

    /// Starts it with `home` for everything it writes, and waits until it serves. `several` associations at once are
    /// to be expected, and objects of `size` bytes.
    ///
    /// # Errors
    /// Its log, when it does not serve within 30 seconds.
    pub fn start(self, home: &Path, template: &Template, several: bool, size: usize) -> Result<Receiver> {
        let port = free_port();
        let process = match self {
            Self::None => return node::start(home, template, "none", true),
            Self::Instance => return node::start(home, template, "instance", true),
            Self::Unclassified => return node::start(home, template, "none", false),
            Self::Best => dcmtk::best(home, port, several)?,
            Self::Stock => dcmtk::stock(home, port)?,
            Self::Orthanc => orthanc::start(home, port)?,
            Self::Pynetdicom => pynetdicom::start(home, port)?,
            Self::Sink => sink(home, port, size)?,
            Self::Copy | Self::Write | Self::Fsync => bail!("{} is no receiver", self.name()),
        };
        let mut receiver = Receiver {
            port,
            called: if self == Self::Orthanc {
                orthanc::AE_TITLE
            } else {
                "STORESCP"
            },
            forks: self == Self::Best && several,
            program: Program::Process(process),
        };
        receiver.wait(self == Self::Sink)?;
        Ok(receiver)
    }
}

/// Starts dcmtk as shipped, but with a process for each association.
///
/// # Errors
/// As [`Peer::start`].
pub fn start_stock_forking(home: &Path) -> Result<Receiver> {
    let port = free_port();
    let mut receiver = Receiver {
        port,
        called: "STORESCP",
        forks: true,
        program: Program::Process(dcmtk::stock_forking(home, port)?),
    };
    receiver.wait(false)?;
    Ok(receiver)
}

/// A running receiver; it is killed when this is dropped: what it has left to do at its end is not measured.
pub struct Receiver {
    pub port: u16,
    pub called: &'static str,
    /// One process per association.
    pub forks: bool,
    program: Program,
}

enum Program {
    Node(Node),
    Process(Process),
}

impl Receiver {
    /// Its process id.
    pub fn id(&self) -> u32 {
        match &self.program {
            Program::Node(node) => node.ready().pid,
            Program::Process(process) => process.id(),
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        match &self.program {
            Program::Node(node) => node.log(),
            Program::Process(process) => process.log(),
        }
    }

    fn wait(&mut self, raw: bool) -> Result<()> {
        let (port, called) = (self.port, self.called);
        let Program::Process(process) = &mut self.program else {
            return Ok(());
        };
        let up = wait_until(START, "an answer", || match process.ended() {
            Some(status) => Some(Err(anyhow::anyhow!("it ended at its start: {status}"))),
            None if raw => std::net::TcpStream::connect(("127.0.0.1", port))
                .ok()
                .map(|_| Ok(())),
            None => Association::open(port, called)
                .and_then(Association::release)
                .ok()
                .map(Ok),
        });
        up.flatten()
            .with_context(|| format!("log of the receiver:\n{}", process.log()))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = match &mut self.program {
            Program::Node(node) => node.kill(),
            Program::Process(process) => process.kill(),
        };
    }
}

/// The sink is this program again, so that it is measured like the others.
fn sink(home: &Path, port: u16, size: usize) -> Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--sink").arg(home);
    command.args(["--sink-port", &port.to_string(), "--sink-size", &size.to_string()]);
    Process::start("the sink", &mut command, &home.join("sink.log"))
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
