//! What containers print.

use std::path::Path;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::time::{sleep, timeout};

use super::Docker;
use super::call::{Away, Pauses};
use super::inspect::inspect;
use super::seam::Seam;
use crate::container::log_file::{LogFile, Tail};
use crate::container::{Error, LogCopy, Output, Result};

/// How many pieces (lines, mostly) that have come already are written in one go.
const BATCH: usize = 256;

/// How long a silent log is trusted to be followed still.
const RECHECK: Duration = Duration::from_secs(30);

/// Stands where the engine dropped what was not yet read.
const GAP: &str = "\n[some of the log may be missing here: it was printed faster than it was read]\n";

pub(super) async fn follow(docker: &Docker, name: &str, file: &Path, max_bytes: u64) -> Result<LogCopy> {
    let mut log = LogFile::create(file, max_bytes).await?;
    let mut seam = Seam::default();
    let mut away = Away::new(docker.config.patience);
    let mut pauses = Pauses::default();
    let broken = loop {
        match read_on(docker, name, &mut seam, &mut log, &mut away).await {
            Ok(ReadTo::End) => break None,
            Ok(ReadTo::Silence { printed }) => {
                if printed {
                    pauses = Pauses::default();
                }
                sleep(pauses.next()).await;
            }
            Err(error @ Error::File { .. }) => return Err(error),
            Err(error) if error.is_engine_down() => match away.next_pause(error) {
                Ok(pause) => sleep(pause).await,
                Err(error) => break Some(error),
            },
            Err(error) => break Some(error),
        }
    };
    let written = log.finish().await?;
    Ok(LogCopy {
        printed: written.printed,
        dropped: written.dropped,
        broken,
    })
}

/// How far a log was read.
enum ReadTo {
    /// To the end: the container had ended before reading began.
    End,
    /// To where nothing more came; `printed` if something new came before.
    Silence { printed: bool },
}

/// Reads a log from where the last reading broke off. The engine is back when the log is, not when it answers.
async fn read_on(
    docker: &Docker,
    name: &str,
    seam: &mut Seam,
    log: &mut LogFile,
    away: &mut Away,
) -> Result<ReadTo> {
    let has_ended = !is_active(docker, name).await?;
    let what = Read {
        follow: !has_ended,
        timestamps: true,
        since: seam.open(),
    };
    let mut batches = std::pin::pin!(pieces(docker, name, what).ready_chunks(BATCH));
    let mut printed = false;
    loop {
        match timeout(RECHECK, batches.next()).await {
            Ok(Some(batch)) => {
                let mut bytes = Vec::new();
                let complete = batch.into_iter().try_for_each(|piece| {
                    bytes.extend_from_slice(seam.take(piece?.as_ref()).unwrap_or_default());
                    Ok(())
                });
                if seam.take_gap() {
                    log.append(GAP.as_bytes()).await?;
                }
                // What came before an error is kept.
                log.append(&bytes).await?;
                log.flush().await?;
                printed |= !bytes.is_empty();
                away.is_back();
                complete?;
            }
            Ok(None) if has_ended => return Ok(ReadTo::End),
            Err(_) if !has_ended && is_active(docker, name).await? => away.is_back(),
            Ok(None) | Err(_) => return Ok(ReadTo::Silence { printed }),
        }
    }
}

async fn is_active(docker: &Docker, name: &str) -> Result<bool> {
    match inspect(docker, name).await? {
        Some(state) => Ok(state.status.is_active()),
        None => Err(Error::NoSuchContainer {
            name: name.to_owned(),
        }),
    }
}

pub(super) async fn fetch(docker: &Docker, name: &str, file: &Path, max_bytes: u64) -> Result<LogCopy> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let fetched = match fetch_to(docker, name, part, max_bytes).await {
        Ok(copy) => tokio::fs::rename(part, file)
            .await
            .map(|()| copy)
            .map_err(|source| Error::File {
                path: file.to_owned(),
                source,
            }),
        Err(error) => Err(error),
    };
    if fetched.is_err() {
        // It may never have been made; the error at hand says more than one about this.
        let _ = tokio::fs::remove_file(part).await;
    }
    fetched
}

async fn fetch_to(docker: &Docker, name: &str, file: &Path, max_bytes: u64) -> Result<LogCopy> {
    let mut log = LogFile::create(file, max_bytes).await?;
    let mut pieces = std::pin::pin!(pieces(docker, name, Read::default()));
    while let Some(piece) = next(docker, &mut pieces).await? {
        log.append(piece.as_ref()).await?;
    }
    let written = log.finish().await?;
    Ok(LogCopy {
        printed: written.printed,
        dropped: written.dropped,
        broken: None,
    })
}

pub(super) async fn output(
    docker: &Docker,
    name: &str,
    stdout_limit: usize,
    stderr_limit: usize,
) -> Result<Output> {
    let mut output = Output::default();
    let mut stderr = Tail::new(stderr_limit);
    let mut pieces = std::pin::pin!(pieces(docker, name, Read::default()));
    while let Some(piece) = next(docker, &mut pieces).await? {
        match piece {
            LogOutput::StdErr { message } => stderr.push(&message),
            other => {
                let message = other.as_ref();
                let (kept, dropped) = message.split_at(
                    message
                        .len()
                        .min(stdout_limit.saturating_sub(output.stdout.len())),
                );
                output.stdout.extend_from_slice(kept);
                output.stdout_dropped += dropped.len() as u64;
            }
        }
    }
    output.stderr_tail = stderr.into_bytes();
    Ok(output)
}

async fn next(
    docker: &Docker,
    pieces: &mut (impl Stream<Item = Result<LogOutput>> + Unpin),
) -> Result<Option<LogOutput>> {
    let limit = docker.config.call_timeout;
    let late = |_| Error::TimedOut {
        action: "send the log of a container".to_owned(),
        limit,
    };
    timeout(limit, pieces.try_next()).await.map_err(late)?
}

/// What to read of a log; by default all there is now.
#[derive(Default)]
struct Read {
    follow: bool,
    /// Whether each piece begins with its time.
    timestamps: bool,
    /// Unix time of the first second, 0 for all.
    since: i32,
}

/// The log as the engine has it, piece by piece in the order they were printed.
fn pieces(docker: &Docker, name: &str, what: Read) -> impl Stream<Item = Result<LogOutput>> + Send {
    let options = LogsOptionsBuilder::new()
        .stdout(true)
        .stderr(true)
        .follow(what.follow);
    let options = options.timestamps(what.timestamps).since(what.since).build();
    docker
        .client
        .logs(name, Some(options))
        .map(move |piece| match piece {
            // Containers here have no terminal: what is on neither stream is the engine's own word that its
            // log broke off.
            Ok(LogOutput::Console { .. }) => Err(Error::LogCutShort {
                name: name.to_owned(),
            }),
            Ok(piece) => Ok(piece),
            Err(error) => Err(
                match docker.error(&format!("read the log of container {name:?}"), error) {
                    Error::Refused { status: 404, .. } => Error::NoSuchContainer {
                        name: name.to_owned(),
                    },
                    other => other,
                },
            ),
        })
}
