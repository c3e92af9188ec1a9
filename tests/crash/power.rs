//! The power is cut: an ext4 file system of its own on a loop device holds the data directory and is shut down with
//! everything in it that was not synced dropped, its journal too (EXT4_IOC_SHUTDOWN without a flush of the log).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use super::account::{data_sets, objects_of, sent};
use super::scene::{TITLE, node};
use super::study::{Sent, send, study};
use super::{is_full, showed};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::peers::skip;
use crate::support::under_test::{TestNode, scratch};
use crate::support::wait::wait_until;

const SENDERS: usize = 3;
const OBJECTS: usize = 400;

/// Sets stay open: what is looked at is what was received.
const CONFIG: &str = "[storage]\ndurability = \"instance\"\nreserve = \"1MiB\"\n\
                      [bucket.Copy]\ncomplete = { level = \"study\", quiet = \"30m\", cap = \"90m\" }\n";

/// A file system in a file.
struct Disk {
    device: String,
    mount: PathBuf,
}

impl Disk {
    fn make(image: &Path, mount: &Path) -> Result<Self, String> {
        File::create(image)
            .and_then(|file| file.set_len(512 << 20))
            .map_err(|e| e.to_string())?;
        fs::create_dir_all(mount).map_err(|e| e.to_string())?;
        said("mkfs.ext4", &["-q", text(image)])?;
        let device = said("losetup", &["-f", "--show", text(image)])?;
        let disk = Self {
            device: device.trim().to_owned(),
            mount: mount.to_owned(),
        };
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<String, String> {
        said("mount", &[&self.device, text(&self.mount)])
    }

    /// Nothing that is not on the disk by now gets there any more.
    fn cut(&self) -> Result<String, String> {
        said("xfs_io", &["-x", "-c", "shutdown", text(&self.mount)])
    }

    /// Mounts it anew, its journal replayed. A container of another test that is just being made may still hold the mount
    /// that was cut: then what is mounted is that one again.
    fn comes_back(&self) {
        wait_until(PATIENCE, "the disk to be free", || self.unmount().ok()).unwrap();
        wait_until(PATIENCE, "the disk to be well again", || {
            self.mount().ok()?;
            let probe = File::create(self.mount.join("probe")).ok();
            if probe.is_none() {
                self.unmount().ok()?;
            }
            probe
        })
        .unwrap();
    }

    fn unmount(&self) -> Result<String, String> {
        said("umount", &[text(&self.mount)])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = said("umount", &["-l", text(&self.mount)]);
        let _ = said("losetup", &["-d", &self.device]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(program: &str, arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|e| format!("{program}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if ran.status.success() {
        Ok(text(&ran.stdout))
    } else {
        Err(format!("{program} {arguments:?}: {}", text(&ran.stderr)))
    }
}

#[test]
fn what_was_answered_is_there_byte_for_byte_after_the_power_was_cut() {
    needs!(Docker);
    for round in 0..if is_full() { 5 } else { 1 } {
        let home = scratch();
        let disk = match Disk::make(&home.path().join("disk.img"), &home.path().join("data")) {
            Ok(disk) => disk,
            Err(why) => return skip(module_path!(), &why),
        };
        cut_under_load(node(home, CONFIG, &[]), &disk, 20 + 150 * round);
    }
}

/// Cuts the power as soon as that many objects were answered.
fn cut_under_load(mut node: TestNode, disk: &Disk, after: usize) {
    let studies: Vec<_> = (0..SENDERS).map(|_| study(OBJECTS, 32 << 10)).collect();
    let acknowledged = Mutex::new(BTreeSet::new());
    let port = node.dicom_port();
    let before = thread::scope(|scope| {
        for study in &studies {
            let acknowledged = &acknowledged;
            scope.spawn(move || {
                // One by one, so that the count is right at every moment.
                let _ = each(port, study, acknowledged);
            });
        }
        wait_until(PATIENCE, "enough answers", || {
            (acknowledged.lock().unwrap().len() >= after).then_some(())
        })
        .unwrap();
        // What is answered while it is cut proves nothing: here the processor runs on, and an fsync that finds its transaction
        // ended by the abort of the journal says Success (about one object in six cuts; a second fsync of the same file says
        // EIO, so it is no name that is missing).
        let before = acknowledged.lock().unwrap().clone();
        disk.cut().unwrap();
        node.kill().unwrap();
        before
    });
    disk.comes_back();
    node.restart().unwrap();
    let stored = data_sets(&node.bucket(TITLE).join("incoming"));
    let all = studies
        .iter()
        .flat_map(|study| sent(study))
        .collect::<std::collections::BTreeMap<_, _>>();
    let is_lost = |uid: &&String| stored.get(*uid) != all.get(*uid);
    let lost: Vec<_> = before.iter().filter(is_lost).collect();
    assert!(
        lost.is_empty(),
        "answered before the cut and lost, or another: {lost:?}"
    );
    assert!(
        stored.iter().all(|(uid, bytes)| all[uid] == *bytes),
        "an object is torn"
    );
    assert_eq!(objects_of(&node.data()), stored.len() as u64, "rows of objects");
    let (answered, stored) = (before.len(), stored.len());
    showed(
        "power cut under load",
        &format!("{answered} answered before, all of them there, {stored} whole, store whole, rows for all"),
    );
    node.terminate().unwrap();
    drop(node);
}

/// Sends a study, noting each answer where others see it at once.
fn each(port: u16, study: &[Sent], acknowledged: &Mutex<BTreeSet<String>>) -> Result<(), String> {
    for few in study.chunks(5) {
        let mut own = BTreeSet::new();
        let end = send(port, TITLE, few, &mut own);
        acknowledged.lock().unwrap().extend(own);
        end?;
    }
    Ok(())
}
