//! `buckets open` on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;

use crate::support::PATIENCE;
use crate::support::under_test::BUCKETS;
use crate::support::wait::wait_until;

/// `buckets open` on a terminal of its own.
pub struct Terminal {
    pub child: Child,
    pub master: Option<File>,
    pub slave: OwnedFd,
    pub shown: Arc<Mutex<String>>,
    /// How much of it was waited for already.
    pub seen: usize,
    /// The directory it was opened in, where that goes with it.
    home: Option<TempDir>,
}

impl Terminal {
    /// In a directory that goes with the terminal.
    pub fn open(image: &str, home: TempDir) -> Self {
        let opened = Self::open_in(image, home.path());
        Self {
            home: Some(home),
            ..opened
        }
    }

    /// In a directory.
    pub fn open_in(image: &str, home: &Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        set_size(&master, 30, 90);
        // Its own session, and the terminal its own: what closing it means is then as with a person's.
        let child = Command::new("setsid")
            .args(["--ctty", BUCKETS, "open", image])
            .current_dir(home)
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave.try_clone().unwrap())
            .spawn()
            .unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut reader, into) = (File::from(master.try_clone().unwrap()), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                into.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&piece[..read]));
            }
        });
        Self {
            child,
            master: Some(File::from(master)),
            slave: slave.into(),
            shown,
            seen: 0,
            home: None,
        }
    }

    pub fn types(&mut self, text: &str) {
        self.master.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// The directory it was opened in.
    pub fn home(&self) -> &Path {
        self.home.as_ref().unwrap().path()
    }

    /// Waits until it shows that, behind what was waited for before; returns what came until then.
    pub fn shows(&mut self, text: &str) -> String {
        self.shows_within(PATIENCE, text)
    }

    /// The same, with a deadline of its own.
    pub fn shows_within(&mut self, deadline: Duration, text: &str) -> String {
        let found = wait_until(deadline, text, || {
            let shown = self.shown.lock().unwrap();
            let at = shown.get(self.seen..)?.find(text)?;
            Some((
                self.seen + at + text.len(),
                shown[self.seen..self.seen + at].to_owned(),
            ))
        });
        let (seen, before) =
            found.unwrap_or_else(|e| panic!("{e}; it shows:\n{}", self.shown.lock().unwrap()));
        self.seen = seen;
        before
    }

    pub fn ends(&mut self) -> Option<i32> {
        wait_until(PATIENCE, "the end of buckets open", || {
            self.child.try_wait().unwrap()
        })
        .unwrap_or_else(|e| panic!("{e}; it shows:\n{}", self.shown.lock().unwrap()))
        .code()
    }

    /// Nobody has the terminal any more.
    pub fn closes(mut self) -> TempDir {
        let pid = Pid::from_child(&self.child);
        self.master = None;
        // The reading thread holds the terminal too: what the kernel sends then is sent here.
        kill_process(pid, Signal::HUP).unwrap();
        assert_eq!(self.ends(), Some(129));
        self.home.take().unwrap()
    }
}

pub fn set_size(terminal: impl std::os::fd::AsFd, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}
