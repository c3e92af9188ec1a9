//! A limit of bytes a second, shared by everything that goes to one destination.

use std::io::{IoSlice, Read, Result, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::dicom::upper_layer::Transport;

/// Pieces a second that a limited stream is cut into: so long are the waits between them, and so even is the flow.
const PIECES: u64 = 20;

/// The smallest piece, in bytes.
const SMALLEST: u64 = 4 * 1024;

/// A limit of bytes a second; its clones share it.
#[derive(Clone, Debug)]
pub struct Pace {
    bytes_a_second: u64,
    /// When the next byte may go.
    next: Arc<Mutex<Instant>>,
}

impl Pace {
    /// So many bytes a second; at least one.
    #[must_use]
    pub fn new(bytes_a_second: u64) -> Self {
        Self {
            bytes_a_second: bytes_a_second.max(1),
            next: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// The most that goes at once, in bytes.
    #[must_use]
    pub fn piece(&self) -> usize {
        usize::try_from((self.bytes_a_second / PIECES).max(SMALLEST)).unwrap_or(usize::MAX)
    }

    /// Waits until so many bytes may go.
    pub fn wait_for(&self, bytes: usize) {
        std::thread::sleep(self.claim(bytes, Instant::now()));
    }

    /// Takes the next free time for so many bytes; answers how far away its beginning is. What was not used is lost: after
    /// a pause nothing goes faster.
    fn claim(&self, bytes: usize, now: Instant) -> Duration {
        let nanos = u128::from(bytes as u64) * 1_000_000_000 / u128::from(self.bytes_a_second);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = (*next).max(now);
        *next = begins.checked_add(takes).unwrap_or(begins);
        begins.saturating_duration_since(now)
    }
}

/// A transport that sends no faster than its pace.
#[derive(Debug)]
pub(super) struct Paced {
    inner: Box<dyn Transport>,
    pace: Pace,
}

impl Paced {
    pub fn new(inner: Box<dyn Transport>, pace: Pace) -> Self {
        Self { inner, pace }
    }
}

impl Read for Paced {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.inner.read(buffer)
    }
}

impl Write for Paced {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let piece = bytes.get(..self.pace.piece()).unwrap_or(bytes);
        self.pace.wait_for(piece.len());
        self.inner.write(piece)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<usize> {
        let most = self.pace.piece();
        let mut whole = 0;
        let mut bytes = 0;
        for part in parts {
            if bytes + part.len() > most {
                break;
            }
            bytes += part.len();
            whole += 1;
        }
        if bytes == 0 {
            let first = parts.iter().find(|part| !part.is_empty());
            return self.write(first.map(|part| &**part).unwrap_or_default());
        }
        self.pace.wait_for(bytes);
        self.inner.write_vectored(parts.get(..whole).unwrap_or_default())
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }
}

impl Transport for Paced {
    fn socket(&self) -> &TcpStream {
        self.inner.socket()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_one_after_the_other_and_a_pause_saves_nothing() {
        let pace = Pace::new(1000);
        let now = Instant::now() + Duration::from_secs(1);
        assert_eq!(pace.claim(500, now), Duration::ZERO);
        assert_eq!(pace.clone().claim(1000, now), Duration::from_millis(500));
        assert_eq!(pace.claim(1, now), Duration::from_millis(1500));
        let later = now + Duration::from_secs(60);
        assert_eq!(pace.claim(1000, later), Duration::ZERO);
        assert_eq!(pace.claim(1, later), Duration::from_secs(1));
    }

    #[test]
    fn a_write_of_many_parts_is_cut_to_the_pace_and_loses_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let mut paced = Paced::new(Box::new(socket), Pace::new(10_000_000));
        let big = vec![7; 600_000];
        let mut parts = [IoSlice::new(b"head"), IoSlice::new(&[]), IoSlice::new(&big)];
        let mut left = &mut parts[..];
        let begun = Instant::now();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        while !left.is_empty() {
            let sent = paced.write_vectored(left).unwrap();
            assert!(sent > 0 && sent <= 500_000);
            IoSlice::advance_slices(&mut left, sent);
        }
        drop(paced);
        let all = reader.join().unwrap();
        assert_eq!((all.len(), &all[..5]), (600_004, &b"head\x07"[..]));
        assert!(begun.elapsed() >= Duration::from_millis(45));
    }
}
