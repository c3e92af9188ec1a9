//! One upload on the disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::UploadError;

/// As long as nothing may come from a client.
const SILENCE: Duration = Duration::from_secs(60);

/// Time for who is at it to give way.
const GIVE_WAY: Duration = Duration::from_secs(20);

/// What is gathered before it is written, in bytes.
const WRITE: usize = 1 << 20;

/// A part of a file to be.
pub(super) struct Part {
    state: Arc<Mutex<State>>,
    /// How often somebody came to send.
    senders: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    file: Arc<File>,
    offset: u64,
    /// Of what is there; read from the disk when it is first asked for.
    hash: Option<Sha256>,
}

/// Nobody writes while this lives.
#[derive(Debug)]
pub(super) struct Alone(#[expect(dead_code, reason = "held")] OwnedMutexGuard<State>);

impl Part {
    pub fn open(path: &Path) -> io::Result<Arc<Self>> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        let offset = file.metadata()?.len();
        Ok(Arc::new(Self {
            state: Arc::new(Mutex::new(State {
                file: Arc::new(file),
                offset,
                hash: None,
            })),
            senders: watch::channel(0).0,
        }))
    }

    async fn alone(&self) -> Result<OwnedMutexGuard<State>, UploadError> {
        let state = tokio::time::timeout(GIVE_WAY, self.state.clone().lock_owned()).await;
        state.map_err(|_| UploadError::Busy)
    }

    pub async fn progress(&self) -> Result<(u64, String), UploadError> {
        // Who asks wants to send: whoever is at it on a connection that may be dead, gives way.
        self.senders.send_modify(|n| *n += 1);
        let mut state = self.alone().await?;
        let hash = state.hash().await?;
        Ok((state.offset, hex(&hash.finalize())))
    }

    pub async fn append(
        &self,
        offset: u64,
        body: impl Stream<Item = io::Result<Bytes>> + Send,
        may_take: impl Fn((u64, u64)) -> Result<(), UploadError> + Send,
    ) -> Result<u64, UploadError> {
        self.senders.send_modify(|n| *n += 1);
        let mut others = self.senders.subscribe();
        let mut state = self.alone().await?;
        if offset != state.offset {
            return Err(UploadError::Offset {
                offset,
                expected: state.offset,
            });
        }
        state.hash().await?;
        let mut body = std::pin::pin!(body);
        let mut gathered = Vec::with_capacity(WRITE);
        loop {
            let piece = tokio::select! {
                piece = tokio::time::timeout(SILENCE, body.next()) => piece,
                _ = others.changed() => {
                    state.write(&mut gathered).await?;
                    return Err(UploadError::TakenOver);
                }
            };
            let end = match piece {
                Ok(Some(Ok(piece))) => {
                    may_take((state.offset, (gathered.len() + piece.len()) as u64))?;
                    gathered.extend_from_slice(&piece);
                    if gathered.len() >= WRITE {
                        state.write(&mut gathered).await?;
                    }
                    continue;
                }
                Ok(None) => Ok(()),
                Ok(Some(Err(error))) => Err(UploadError::Broken(error)),
                Err(_) => Err(UploadError::Silent(SILENCE.as_secs())),
            };
            state.write(&mut gathered).await?;
            return end.map(|()| state.offset);
        }
    }

    pub async fn whole(&self, bytes: u64, sha256: &str) -> Result<Alone, UploadError> {
        let mut state = self.alone().await?;
        if state.offset != bytes {
            return Err(UploadError::Incomplete {
                there: state.offset,
                expected: bytes,
            });
        }
        // What is on the disk counts, not what went there.
        state.hash = None;
        let found = hex(&state.hash().await?.finalize());
        if found != sha256.to_ascii_lowercase() {
            return Err(UploadError::Differs {
                found,
                expected: sha256
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .take(64)
                    .collect(),
            });
        }
        Ok(Alone(state))
    }
}

impl State {
    /// The hash of what is there.
    async fn hash(&mut self) -> io::Result<Sha256> {
        if let Some(hash) = &self.hash {
            return Ok(hash.clone());
        }
        let (file, length) = (self.file.clone(), self.offset);
        let hash = tokio::task::spawn_blocking(move || hash_of(&file, length))
            .await
            .map_err(io::Error::other)??;
        self.hash = Some(hash.clone());
        Ok(hash)
    }

    async fn write(&mut self, gathered: &mut Vec<u8>) -> io::Result<()> {
        let (file, offset, bytes) = (self.file.clone(), self.offset, std::mem::take(gathered));
        let length = bytes.len() as u64;
        let hash = self.hash.take();
        let written = tokio::task::spawn_blocking(move || {
            file.write_all_at(&bytes, offset)?;
            Ok::<_, io::Error>(hash.map(|hash| hash.chain_update(&bytes)))
        });
        self.hash = written.await.map_err(io::Error::other)??;
        self.offset += length;
        gathered.reserve(WRITE);
        crate::failpoint::reach("upload-written");
        Ok(())
    }
}

fn hash_of(file: &File, length: u64) -> io::Result<Sha256> {
    let (mut hash, mut at, mut buffer) = (Sha256::new(), 0, vec![0; WRITE]);
    while at < length {
        let want = usize::try_from(length - at).unwrap_or(WRITE).min(WRITE);
        let piece = buffer.get_mut(..want).unwrap_or_default();
        file.read_exact_at(piece, at)?;
        hash.update(piece);
        at += want as u64;
    }
    Ok(hash)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
