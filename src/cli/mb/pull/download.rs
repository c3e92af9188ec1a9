//! One zip of a machine, into one file.
//!
//! `NAME.part` is what came, `NAME.part.etag` what it is a part of: both stay when it breaks, and the same command goes
//! on from there. `NAME` is there once all of it came and every file in it has its checksum, never before.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use indicatif::MultiProgress;
use ureq::http::{Response, header};

use crate::cli::mb::ending::warn;
use crate::cli::mb::machines::Machine;
use crate::cli::upload::Progress;
use crate::files::{remove_file, replace_file, sync_directory};

/// Until a zip begins to come, and between two pieces of it: a node may have to make it first.
const PATIENCE: Duration = Duration::from_secs(120);

/// As long as nothing comes, this long it is tried again.
const GIVE_UP: Duration = Duration::from_secs(600);

/// Between two tries, at most; it begins with a fraction.
const PAUSE: Duration = Duration::from_secs(10);

/// The longest ETag that is kept, in bytes.
const LONGEST_ETAG: usize = 256;

/// Bytes of one read.
const READ: usize = 1 << 20;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    New,
    /// It was there, as large as the machine's.
    There,
}

/// Fetches `path` of a machine into `file`.
///
/// # Errors
/// What machine or disk say; that what came is no whole zip.
pub(super) fn fetch(machine: &Machine, path: &str, file: &Path, bars: &MultiProgress) -> Result<Fetched> {
    let download = Download::new(machine, path, file);
    let there = fs::metadata(file).ok().map(|about| about.len());
    let (mut since, mut pause) = (Instant::now(), Duration::from_millis(250));
    loop {
        let before = download.at();
        match download.go_on(there, bars) {
            Ok(Step::Same) => {
                bars.suspend(|| warn(&format!("file {} exists, skip download...", download.name)));
                return Ok(Fetched::There);
            }
            Ok(Step::Whole) => break,
            Ok(Step::Again(why)) => {
                if download.at() > before {
                    (since, pause) = (Instant::now(), Duration::from_millis(250));
                }
                if since.elapsed() > GIVE_UP {
                    return Err(why.context("nothing came for long; the same command goes on from here"));
                }
                bars.suspend(|| warn(&format!("{why:#}; trying again")));
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    download.keep(file)?;
    Ok(Fetched::New)
}

/// What one request came to.
enum Step {
    /// The file that is there is as large as what the machine has.
    Same,
    /// All of it is in the part.
    Whole,
    /// It broke; what came is kept.
    Again(anyhow::Error),
}

struct Download<'a> {
    machine: &'a Machine,
    path: &'a str,
    name: String,
    part: PathBuf,
    etag: PathBuf,
}

impl<'a> Download<'a> {
    fn new(machine: &'a Machine, path: &'a str, file: &Path) -> Self {
        let beside = |end: &str| {
            let mut name = file.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        Self {
            machine,
            path,
            name: file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            part: beside(".part"),
            etag: beside(".part.etag"),
        }
    }

    /// Bytes that came.
    fn at(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |about| about.len())
    }

    /// Of what they are a part.
    fn known(&self) -> Option<String> {
        let etag = fs::read_to_string(&self.etag).ok()?;
        is_strong(&etag).then_some(etag)
    }

    fn go_on(&self, there: Option<u64>, bars: &MultiProgress) -> Result<Step> {
        let (at, etag) = (self.at(), self.known());
        let range = format!("bytes={at}-");
        let resumed = etag.as_deref().filter(|_| at > 0 && there.is_none());
        let headers: Vec<(&str, &str)> = match resumed {
            Some(etag) => vec![("Range", &range), ("If-Range", etag)],
            None => Vec::new(),
        };
        let response = match self.machine.node.fetch(self.path, &headers, PATIENCE) {
            Ok(response) => response,
            // Nothing came yet, ever: a machine that is not there is said at once.
            Err(failed) if at == 0 => return Err(failed.into()),
            Err(failed) => return Ok(Step::Again(failed.into())),
        };
        match response.status().as_u16() {
            200 => {
                if let Some(there) = there {
                    // Who cannot tell how large it is, as the original, has nothing newer.
                    if response
                        .body()
                        .content_length()
                        .is_none_or(|length| length == there)
                    {
                        return Ok(Step::Same);
                    }
                }
                self.begin(&response)?;
                self.receive(response, 0, bars)
            }
            206 if resumed.is_some() && begins_at(&response, at) => self.receive(response, at, bars),
            206 | 416 => {
                // A part of something else, or more than there is.
                remove_file(&self.part)?;
                remove_file(&self.etag)?;
                Ok(Step::Again(anyhow!(
                    "{}: the part that was here is of no use",
                    self.name
                )))
            }
            status => {
                let mut text = String::new();
                let body = response.into_body();
                // Only words; without them the status has to do.
                let _ = body.into_reader().take(1 << 16).read_to_string(&mut text);
                let refused = self.machine.refused(status, &text);
                match status {
                    429 | 500.. if at > 0 => Ok(Step::Again(refused)),
                    _ => Err(refused),
                }
            }
        }
    }

    /// A part anew: first what it is a part of, so that never a part of one thing is gone on with as another.
    fn begin(&self, response: &Response<ureq::Body>) -> Result<()> {
        let writing = || format!("write {}", self.part.display());
        remove_file(&self.part).with_context(writing)?;
        remove_file(&self.etag).with_context(writing)?;
        let etag = response.headers().get(header::ETAG).and_then(|e| e.to_str().ok());
        if let Some(etag) = etag.filter(|etag| is_strong(etag)) {
            replace_file(&self.etag, etag.as_bytes()).with_context(writing)?;
        }
        Ok(())
    }

    fn receive(&self, response: Response<ureq::Body>, at: u64, bars: &MultiProgress) -> Result<Step> {
        let writing = || format!("write {}", self.part.display());
        let length = response.body().content_length().map(|length| at + length);
        let mut part = File::options()
            .create(true)
            .append(true)
            .open(&self.part)
            .with_context(writing)?;
        if part.metadata().with_context(writing)?.len() != at {
            bail!("{} is written by somebody else too", self.part.display());
        }
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let progress = Progress::begin_among(bars, &format!("fetching {}", self.name), length, at);
        let (mut at, mut buffer) = (at, vec![0; READ]);
        loop {
            let n = match body.read(&mut buffer) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let broke = format!(
                        "{} broke off {} after {at} bytes",
                        self.machine.title(),
                        self.name
                    );
                    return Ok(Step::Again(anyhow::Error::new(error).context(broke)));
                }
            };
            if n == 0 {
                break;
            }
            part.write_all(buffer.get(..n).unwrap_or_default())
                .with_context(writing)?;
            at += n as u64;
            progress.at(at);
        }
        if length.is_some_and(|length| at < length) {
            let broke = format!(
                "{} broke off {} after {at} bytes",
                self.machine.title(),
                self.name
            );
            return Ok(Step::Again(anyhow!(broke)));
        }
        part.sync_all().with_context(writing)?;
        progress.end();
        Ok(Step::Whole)
    }

    /// The part becomes the file, once every entry of it has its checksum.
    fn keep(&self, file: &Path) -> Result<()> {
        if let Err(error) = verify(&self.part) {
            remove_file(&self.part)?;
            remove_file(&self.etag)?;
            return Err(error.context(format!("{} is no whole zip and was not kept", self.name)));
        }
        fs::rename(&self.part, file).with_context(|| format!("write {}", file.display()))?;
        remove_file(&self.etag)?;
        let directory = file.parent().filter(|d| !d.as_os_str().is_empty());
        sync_directory(directory.unwrap_or(Path::new(".")))?;
        Ok(())
    }
}

/// An ETag that vouches for every byte, fit to be sent back.
fn is_strong(etag: &str) -> bool {
    etag.len() >= 2
        && etag.len() <= LONGEST_ETAG
        && etag.starts_with('"')
        && etag.ends_with('"')
        && etag.chars().all(|c| c.is_ascii_graphic())
}

/// Whether a part begins where ours ends.
fn begins_at(response: &Response<ureq::Body>, at: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE);
    range
        .and_then(|range| range.to_str().ok())
        .is_some_and(|range| range.starts_with(&format!("bytes {at}-")))
}

/// Reads every file of a zip: its end and its checksums are as they say.
fn verify(path: &Path) -> Result<()> {
    let mut file = File::open(path)?;
    file.rewind()?;
    let mut zip = zip::ZipArchive::new(io::BufReader::with_capacity(READ, file))?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index)?;
        io::copy(&mut entry, &mut io::sink())
            .with_context(|| format!("file {} of it is damaged", index + 1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_etag_that_vouches_for_every_byte_is_gone_on_with() {
        assert!(is_strong("\"a-1\""));
        for etag in ["W/\"a\"", "a", "\"a", "\"a\r\nX: y\"", "\"", ""] {
            assert!(!is_strong(etag), "{etag:?}");
        }
    }

    #[test]
    fn a_zip_with_one_wrong_byte_is_not_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        let stored =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file("x/OUTPUT/a", stored).unwrap();
        zip.write_all(b"content").unwrap();
        zip.finish().unwrap();
        verify(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(7).position(|w| w == b"content").unwrap();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(verify(&path).is_err());
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(verify(&path).is_err());
    }
}
