//! Eight senders: dcmtk's as they are, one that holds back nothing, and scanners, which send as they make their images.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::account::digest;
use super::super::chance::Chance;
use super::super::study::{self, Sent};
use super::site::{Acknowledged, Live, STREAMS, Site};
use crate::support::PATIENCE;
use crate::support::senders::dcmtk_nodelay;
use crate::support::wait::wait_until;

/// What sends.
#[derive(Clone, Copy, Debug)]
pub enum Sender {
    Storescu,
    Dcmsend,
    Own,
    Scanner,
}

/// The eight.
pub const SENDERS: [Sender; 8] = [
    Sender::Storescu,
    Sender::Storescu,
    Sender::Storescu,
    Sender::Dcmsend,
    Sender::Dcmsend,
    Sender::Own,
    Sender::Scanner,
    Sender::Scanner,
];

/// Between two images of a scanner.
const IMAGE: Duration = Duration::from_millis(60);

/// Nobody waits longer for a node that is killed every few seconds.
const WHOLE_STUDY: Duration = PATIENCE.saturating_mul(5);

impl Sender {
    /// Sends study after study until all is over.
    pub fn work(self, site: &Site, chance: &mut Chance, scratch: &Path) {
        while self.waits(site) {
            let (stream, _) = STREAMS[chance.within(0..STREAMS.len() as u64) as usize];
            let pixels = 1 << chance.within(11..17);
            let study = study::study(chance.within(1..41) as usize, pixels);
            site.sent.fetch_add(study.len() as u64, Ordering::SeqCst);
            let files = self.files(&study, scratch);
            self.brings(site, stream, &study, &files);
            if let Some(directory) = files.first().and_then(|f| f.parent()) {
                fs::remove_dir_all(directory).unwrap();
            }
            site.busy.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Waits until a study may begin; false when all is over.
    fn waits(self, site: &Site) -> bool {
        let look = || {
            if site.is_over() {
                return Some(false);
            }
            // Counted first, so that whoever pauses all and sees nobody busy is right.
            site.busy.fetch_add(1, Ordering::SeqCst);
            if site.takes_more() {
                return Some(true);
            }
            site.busy.fetch_sub(1, Ordering::SeqCst);
            None
        };
        wait_until(Duration::from_secs(3600), "another study", look).unwrap_or(false)
    }

    /// Only dcmtk sends files.
    fn files(self, study: &[Sent], scratch: &Path) -> Vec<PathBuf> {
        if matches!(self, Self::Own | Self::Scanner) {
            return Vec::new();
        }
        let directory = scratch.join(&study[0].object.study);
        let write = |sent: &Sent| {
            let path = sent.object.write(&directory);
            let mut file = fs::read(&path).unwrap();
            let begin = file.len() - sent.data_set.len();
            file[begin..].copy_from_slice(&sent.data_set);
            fs::write(&path, file).unwrap();
            path
        };
        study.iter().map(write).collect()
    }

    /// Sends a study, as often as it takes until each object was answered with Success.
    fn brings(self, site: &Site, stream: &'static str, study: &[Sent], files: &[PathBuf]) {
        let mut last = String::new();
        let mut acknowledged = BTreeSet::new();
        let brought = wait_until(WHOLE_STUDY, "a study", || {
            if site.is_over() {
                return Some(());
            }
            let live = site.live()?;
            site.sending.fetch_add(1, Ordering::SeqCst);
            let sent = self.sends(&live, stream, study, files, &mut acknowledged);
            site.sending.fetch_sub(1, Ordering::SeqCst);
            note(site, stream, study, &acknowledged);
            if let Err(failure) = sent {
                site.broken_off.fetch_add(1, Ordering::SeqCst);
                if site.is_still(&live) {
                    site.found(format!(
                        "{self:?} was broken off though the node lived: {}",
                        failure.trim()
                    ));
                }
                last = failure;
            }
            (acknowledged.len() == study.len()).then_some(())
        });
        if brought.is_err() || acknowledged.len() < study.len() {
            let (uid, have, all) = (&study[0].object.study, acknowledged.len(), study.len());
            site.found(format!(
                "study {uid} to {stream}: {have} of {all} answered with Success in the end: {last}"
            ));
        }
    }

    /// Sends all of it over one association.
    fn sends(
        self,
        live: &Live,
        stream: &str,
        study: &[Sent],
        files: &[PathBuf],
        acknowledged: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        let said = match self {
            Self::Own => return study::send(live.port, stream, study, acknowledged),
            Self::Scanner => return study::send_as_made(live.port, stream, study, acknowledged, IMAGE),
            Self::Storescu => dcmtk_nodelay("storescu", live.port, stream, &[], &files),
            Self::Dcmsend => dcmtk_nodelay("dcmsend", live.port, stream, &["--decompress-never"], &files),
        };
        let stored = stored(&said.text);
        acknowledged.extend(stored.iter().map(|i| study[*i].object.sop_instance.clone()));
        if said.success && stored.len() == study.len() {
            Ok(())
        } else {
            Err(said.text)
        }
    }
}

/// Which files dcmtk had answered with Success: it numbers its messages from 1, in the order of its command line.
fn stored(text: &str) -> Vec<usize> {
    let mut asked = None;
    let mut stored = Vec::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once(" Request (MsgID ") {
            asked = rest.split(',').next().and_then(|id| id.parse::<usize>().ok());
        } else if line.ends_with("Response (Success)")
            && let Some(id) = asked.take()
        {
            stored.push(id - 1);
        }
    }
    stored
}

/// What was promised of a study.
fn note(site: &Site, stream: &'static str, study: &[Sent], acknowledged: &BTreeSet<String>) {
    let mut promised = site.acknowledged.lock().unwrap();
    for sent in study {
        let uid = &sent.object.sop_instance;
        if acknowledged.contains(uid) && !promised.contains_key(uid) {
            let digest = digest(&sent.data_set);
            promised.insert(uid.clone(), Acknowledged { stream, digest });
        }
    }
}
