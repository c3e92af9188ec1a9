//! From a plan to bytes.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use tokio::task::spawn_blocking;

use super::format::end;
use super::plan::Plan;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// Entries of the directory that are sent at once.
const DIRECTORY_PIECE: usize = 256;

/// The bytes of a zip from `skip` on. Files that became shorter since the plan end it with an error: what was announced
/// cannot be sent.
pub fn stream(plan: Plan, skip: u64) -> impl Stream<Item = io::Result<Bytes>> {
    let writer = Writer {
        sums: vec![0; plan.entries.len()],
        plan: Arc::new(plan),
        at: At::Entry(0),
        skip,
        directory: 0,
    };
    futures_util::stream::try_unfold(writer, |mut writer| async move {
        loop {
            let Some(mut piece) = writer.next().await? else {
                return Ok(None);
            };
            let skipped = usize::try_from(writer.skip)
                .unwrap_or(usize::MAX)
                .min(piece.len());
            writer.skip -= skipped as u64;
            let piece = piece.split_off(skipped);
            if !piece.is_empty() {
                return Ok(Some((piece, writer)));
            }
        }
    })
}

struct Writer {
    plan: Arc<Plan>,
    at: At,
    /// The sums of the entries that were read.
    sums: Vec<u32>,
    /// Bytes that are not sent.
    skip: u64,
    /// Bytes of the directory so far.
    directory: u64,
}

enum At {
    Entry(usize),
    Content(usize, Open),
    Directory(usize),
    End,
}

/// An entry that is being read.
struct Open {
    file: File,
    left: u64,
    sum: flate2::Crc,
}

impl Writer {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match std::mem::replace(&mut self.at, At::End) {
            At::Entry(index) => self.begin(index).await.map(Some),
            At::Content(index, open) => self.content(index, open).await.map(Some),
            At::Directory(index) => Ok(Some(self.directory(index))),
            At::End if self.directory == u64::MAX => Ok(None),
            At::End => {
                let entries = self.plan.entries.len() as u64;
                let ending = end(entries, self.directory, self.plan.directory);
                self.directory = u64::MAX;
                Ok(Some(ending.into()))
            }
        }
    }

    async fn begin(&mut self, index: usize) -> io::Result<Bytes> {
        let Some(planned) = self.plan.entries.get(index) else {
            self.at = At::Directory(0);
            return Ok(Bytes::new());
        };
        let (source, left) = (planned.source.clone(), planned.entry.bytes);
        let local = planned.entry.local();
        let file = spawn_blocking(move || source.open())
            .await
            .map_err(io::Error::other)??;
        self.at = match file {
            None => At::Entry(index + 1),
            Some(file) => At::Content(
                index,
                Open {
                    file,
                    left,
                    sum: flate2::Crc::new(),
                },
            ),
        };
        Ok(local.into())
    }

    async fn content(&mut self, index: usize, mut open: Open) -> io::Result<Bytes> {
        if open.left == 0 {
            let sum = open.sum.sum();
            if let Some(kept) = self.sums.get_mut(index) {
                *kept = sum;
            }
            self.at = At::Entry(index + 1);
            let planned = self.plan.entries.get(index);
            return Ok(planned.map(|p| p.entry.behind(sum)).unwrap_or_default().into());
        }
        let read = spawn_blocking(move || {
            let want = usize::try_from(open.left).unwrap_or(PIECE).min(PIECE);
            let mut piece = vec![0; want];
            open.file.read_exact(&mut piece)?;
            open.sum.update(&piece);
            open.left -= want as u64;
            Ok::<_, io::Error>((open, Bytes::from(piece)))
        });
        let (open, piece) = read.await.map_err(io::Error::other)??;
        self.at = At::Content(index, open);
        Ok(piece)
    }

    fn directory(&mut self, index: usize) -> Bytes {
        let mut piece = Vec::new();
        let planned = self.plan.entries.iter().zip(&self.sums).skip(index);
        for (planned, sum) in planned.take(DIRECTORY_PIECE) {
            piece.extend(planned.entry.central(*sum, planned.offset));
        }
        self.directory += piece.len() as u64;
        let next = index + DIRECTORY_PIECE;
        self.at = if next < self.plan.entries.len() {
            At::Directory(next)
        } else {
            At::End
        };
        piece.into()
    }
}
