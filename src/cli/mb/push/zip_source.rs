//! A directory as a zip that is made while it is sent: the same bytes each time, so that an upload can be gone on with.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use anyhow::Result;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::directory::{Directory, Entry};
use crate::cli::upload::{Pieces, Source, hex};

/// Bytes of one piece between the thread that zips and the one that sends.
const PIECE: usize = 256 * 1024;

/// Bytes read of a file at once.
const READ: usize = 256 * 1024;

/// The fastest: an image gets hardly smaller by more, and the line would wait.
const LEVEL: i64 = 1;

/// A file that may need it gets the long form of its sizes, in bytes.
const LARGE: u64 = u32::MAX as u64 - (1 << 20);

/// A directory as one zip.
pub(super) struct ZipSource {
    directory: Arc<Directory>,
    name: String,
    key: String,
    /// Bytes of files that the thread which zips has read.
    read: Arc<AtomicU64>,
}

impl ZipSource {
    /// A zip of a directory for `to`, which tells apart what else goes the same way.
    pub fn new(directory: Arc<Directory>, to: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(format!("{to}\n{}\n", directory.root.display()));
        for entry in &directory.entries {
            let (modified, changed) = entry.times;
            let line = format!("{}\0{}\0{modified}\0{changed}\n", entry.shown, entry.size);
            hash.update(line);
        }
        Self {
            name: directory.name(),
            key: format!("zip {}", hex(hash)),
            directory,
            read: Arc::default(),
        }
    }
}

impl Source for ZipSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn key(&self) -> String {
        self.key.clone()
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.directory.bytes())
    }

    fn exact_bytes(&self) -> Option<u64> {
        None
    }

    fn reached(&self, _sent: u64) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn open(&self) -> Result<Box<dyn Read>> {
        self.read.store(0, Ordering::Relaxed);
        let (pieces, reader) = Pieces::channel();
        let (directory, read) = (self.directory.clone(), self.read.clone());
        std::thread::Builder::new()
            .name("zip".to_owned())
            .spawn(move || {
                let writer = PieceWriter {
                    pieces: pieces.clone(),
                    buffer: Vec::with_capacity(PIECE),
                    given_up: false,
                };
                if let Err(error) = write_zip(&directory, writer, &read) {
                    // Nobody reads any more: so nobody has to know.
                    let _ = pieces.send(Err(error));
                }
            })?;
        Ok(Box::new(reader))
    }
}

/// Writes all files, one after another; memory does not grow with them but for their names.
fn write_zip(directory: &Directory, writer: PieceWriter, read: &AtomicU64) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(writer);
    let mut buffer = vec![0; READ];
    for (number, entry) in (1..).zip(&directory.entries) {
        add(&mut zip, number, entry, &mut buffer, read).map_err(|error| {
            let path = directory.root.join(&entry.shown);
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
    }
    zip.finish()?.into_inner().flush()
}

fn add(
    zip: &mut ZipWriter<zip::write::StreamWriter<PieceWriter>>,
    number: usize,
    entry: &Entry,
    buffer: &mut [u8],
    read: &AtomicU64,
) -> io::Result<()> {
    let mut file = entry.open()?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        // Not the file's: the zip has to be the same whoever makes it.
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644)
        .large_file(entry.size >= LARGE);
    zip.start_file(entry.zip_name(number, &mut file)?, options)?;
    let mut left = entry.size;
    loop {
        let n = file.read(buffer)?;
        if n == 0 {
            break;
        }
        let Some(rest) = left.checked_sub(n as u64) else {
            return Err(changed());
        };
        left = rest;
        zip.write_all(buffer.get(..n).unwrap_or_default())?;
        read.fetch_add(n as u64, Ordering::Relaxed);
    }
    if left > 0 { Err(changed()) } else { Ok(()) }
}

fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "its size changed while it was sent; send again once nothing writes there",
    )
}

/// Collects what is written into pieces and hands them to the thread that sends.
struct PieceWriter {
    pieces: SyncSender<io::Result<Bytes>>,
    buffer: Vec<u8>,
    /// Nobody reads any more, which was said once: a zip that is given up still writes its end.
    given_up: bool,
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.given_up {
            return Ok(bytes.len());
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() || self.given_up {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        let sent = self.pieces.send(Ok(piece.into()));
        sent.map_err(|_| {
            self.given_up = true;
            io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the zip any more")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, ZipSource) {
        let place = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(place.path().join(name), content).unwrap();
        }
        let directory = Arc::new(Directory::read(place.path()).unwrap());
        (place, ZipSource::new(directory, "node\nTITLE"))
    }

    fn bytes(source: &ZipSource) -> Vec<u8> {
        let mut bytes = Vec::new();
        source.open().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_zip_is_the_same_each_time_and_has_everything() {
        let large: Vec<u8> = (0..3_000_000u32)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect();
        let (_place, source) = source(&[("a", large.clone()), ("b.dcm", b"b".to_vec()), ("c", Vec::new())]);
        let zip = bytes(&source);
        assert_eq!(zip, bytes(&source));
        let mut archive = zip::ZipArchive::new(io::Cursor::new(zip)).unwrap();
        let mut content = Vec::new();
        archive
            .by_name("file00001_a")
            .unwrap()
            .read_to_end(&mut content)
            .unwrap();
        assert!(content == large);
        assert!(archive.by_name("b_file00002_.dcm").is_ok() && archive.by_name("file00003_c").is_ok());
        assert_eq!(source.reached(0), 3_000_001);
    }

    #[test]
    fn the_key_tells_destinations_and_changes() {
        let (place, one) = source(&[("a", b"1".to_vec())]);
        let directory = || Arc::new(Directory::read(place.path()).unwrap());
        assert_eq!(one.key(), ZipSource::new(directory(), "node\nTITLE").key());
        assert_ne!(one.key(), ZipSource::new(directory(), "node\nOTHER").key());
        std::fs::write(place.path().join("a"), "22").unwrap();
        assert_ne!(one.key(), ZipSource::new(directory(), "node\nTITLE").key());
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_an_error_by_name() {
        let (place, source) = source(&[("a", b"1".to_vec())]);
        std::fs::write(place.path().join("a"), "22").unwrap();
        let error = source
            .open()
            .unwrap()
            .read_to_end(&mut Vec::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains("/a: its size changed"), "{error}");
    }
}
