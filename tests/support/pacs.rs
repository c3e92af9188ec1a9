//! A PACS that answers as a test tells it (`peers/pacs.py`).

use std::path::Path;
use std::process::Command;

use super::peers::python;
use super::process::Process;
use super::tls::Identity;
use super::wait::wait_until;

/// A running PACS; it is stopped when this is dropped.
pub struct Pacs {
    pub port: u16,
    process: Process,
}

/// An object that it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub sop_instance: String,
    pub transfer_syntax: String,
    pub status: String,
}

impl Pacs {
    /// Starts one of that AE title; `options` as `peers/pacs.py` says.
    #[track_caller]
    pub fn start(title: &str, log: &Path, options: &[&str]) -> Self {
        Self::start_at(0, title, log, options)
    }

    /// The same on a port that was known before; 0 is any.
    #[track_caller]
    pub fn start_at(port: u16, title: &str, log: &Path, options: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/pacs.py");
        let mut command = Command::new(python());
        command.arg(script).args([&port.to_string(), title]).args(options);
        // A PACS before it may have the same log.
        let before = std::fs::read_to_string(log).unwrap_or_default().len();
        let mut process = Process::start("the PACS", &mut command, log).unwrap();
        let port = wait_until(super::PATIENCE, "the PACS", || {
            assert!(process.ended().is_none(), "{}", process.log());
            let log = process.log();
            let (_, said) = log.get(before..)?.split_once("ready ")?;
            let (port, _) = said.split_once('\n')?;
            port.parse().ok()
        })
        .unwrap();
        Self { port, process }
    }

    /// One that shows `own` and wants to see a certificate of `ca`.
    #[track_caller]
    pub fn start_tls(title: &str, log: &Path, own: &Identity, ca: &Path) -> Self {
        let files = [&own.certificate, &own.key].map(|path| path.to_str().unwrap());
        Self::start(title, log, &["--tls", files[0], files[1], ca.to_str().unwrap()])
    }

    /// What it was sent so far, with what it answered.
    pub fn stored(&self) -> Vec<Stored> {
        let log = self.process.log();
        let stored = log.lines().filter_map(|line| {
            let [uid, syntax, status] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
            Some(Stored {
                sop_instance: uid.to_owned(),
                transfer_syntax: syntax.to_owned(),
                status: status.to_owned(),
            })
        });
        stored.collect()
    }
}
