//! A small disk of a test's own: a tmpfs, which only root may mount.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted disk; it goes away with the value.
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one with these options (`size=64m`, `nr_inodes=200`); `None` where that is not allowed.
    pub fn mount(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        mount(options, at).then(|| Self(at.to_owned()))
    }

    /// Gives it other options while it is used.
    #[track_caller]
    pub fn remount(&self, options: &str) {
        assert!(mount(&format!("remount,{options}"), &self.0), "{options}");
    }

    /// Bytes that are free.
    pub fn free(&self) -> u64 {
        let disk = rustix::fs::statvfs(&self.0).unwrap();
        disk.f_bavail * disk.f_frsize
    }

    /// Takes room away, in one file, until so many bytes are free.
    pub fn fill(&self, leave: u64) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .unwrap();
        let block = [1_u8; 4096];
        while self.free() > leave {
            let piece = usize::try_from(self.free() - leave).unwrap_or(4096).min(4096);
            match file.write_all(&block[..piece]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Gives the room back.
    pub fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("in-the-way")
    }
}

fn mount(options: &str, at: &Path) -> bool {
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(at)
        .output();
    mount.is_ok_and(|o| o.status.success())
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: the container engine may hold it a moment longer.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
