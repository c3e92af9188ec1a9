//! One request: its deadline, its errors, and trying again while the engine is away.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bollard::errors::Error as ClientError;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};

use super::{Docker, DockerConfig};
use crate::container::{EngineError, Error, Result};

impl Docker {
    /// Sends one request under the deadline of one answer. `action` completes "failed to …".
    pub(super) async fn ask<T>(
        &self,
        action: &str,
        request: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T> {
        self.ask_within(self.config.call_timeout, action, request).await
    }

    /// Sends one request under a deadline of its own.
    pub(super) async fn ask_within<T>(
        &self,
        limit: Duration,
        action: &str,
        request: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T> {
        match timeout(limit, request).await {
            Ok(answer) => answer.map_err(|e| engine_error(&self.config, action, e)),
            Err(_) => Err(Error::TimedOut {
                action: action.to_owned(),
                limit,
            }),
        }
    }

    /// What an error of the client means.
    pub(super) fn error(&self, action: &str, error: ClientError) -> Error {
        engine_error(&self.config, action, error)
    }

    /// Repeats a call that may be repeated until the engine is back or its time is over.
    pub(super) async fn patiently<T, C, F>(&self, call: C) -> Result<T>
    where
        C: Fn() -> F,
        F: Future<Output = Result<T>>,
    {
        let mut away = Away::new(self.config.patience);
        loop {
            match call().await {
                Err(error) if error.is_engine_down() => sleep(away.next_pause(error)?).await,
                answer => return answer,
            }
        }
    }
}

/// When an engine last did not answer, in seconds since 1970; 0: never. A process has one engine.
static LAST_AWAY: AtomicI64 = AtomicI64::new(0);

/// Whether the engine was away at some moment since then.
pub(super) fn was_away_since(start: OffsetDateTime) -> bool {
    LAST_AWAY.load(Ordering::Relaxed) >= start.unix_timestamp()
}

/// How long the engine has been away, and how long to pause before it is asked again.
pub(super) struct Away {
    patience: Duration,
    since: Option<Instant>,
    pauses: Pauses,
}

impl Away {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            since: None,
            pauses: Pauses::default(),
        }
    }

    /// The engine answered.
    pub(super) fn is_back(&mut self) {
        *self = Self::new(self.patience);
    }

    /// The engine did not answer: the pause before the next attempt, or the error once patience is over.
    pub(super) fn next_pause(&mut self, error: Error) -> Result<Duration> {
        LAST_AWAY.store(OffsetDateTime::now_utc().unix_timestamp(), Ordering::Relaxed);
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        match self.patience.checked_sub(waited).filter(|left| !left.is_zero()) {
            Some(left) => Ok(self.pauses.next().min(left)),
            None => Err(match error {
                Error::Unreachable { endpoint, source, .. } => Error::Unreachable {
                    endpoint,
                    waited,
                    source,
                },
                other => other,
            }),
        }
    }
}

/// Pauses that double from 50 ms to 2 s.
#[derive(Default)]
pub(super) struct Pauses(u32);

impl Pauses {
    pub(super) fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(50 << self.0.min(6)).min(Duration::from_secs(2));
        self.0 += 1;
        pause
    }
}

/// Sorts an error of the client by whose fault it is.
pub(super) fn engine_error(config: &DockerConfig, action: &str, error: ClientError) -> Error {
    let action = action.to_owned();
    match error {
        ClientError::DockerResponseServerError {
            status_code: status,
            message,
        } => {
            let message = match message.trim() {
                "" => format!("status {status}"), // The answer to a HEAD has no body.
                words => words.to_owned(),
            };
            match status {
                ..500 => Error::Refused {
                    action,
                    status,
                    message,
                },
                _ => Error::Failed { action, message },
            }
        }
        ClientError::RequestTimeoutError => Error::TimedOut {
            action,
            limit: config.call_timeout,
        },
        error if io_kind(&error) == Some(io::ErrorKind::PermissionDenied) => Error::Denied {
            endpoint: config.endpoint.clone(),
        },
        error if is_broken_connection(&error) => Error::Unreachable {
            endpoint: config.endpoint.clone(),
            waited: Duration::ZERO,
            source: EngineError(Box::new(error)),
        },
        error => Error::Failed {
            action,
            message: error.to_string(),
        },
    }
}

fn is_broken_connection(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::SocketNotFoundError(_)
            | ClientError::IOError { .. }
            | ClientError::HyperResponseError { .. }
            | ClientError::HyperLegacyError { .. }
    )
}

/// The kind of the I/O error at the bottom of an error, if there is one.
fn io_kind(error: &ClientError) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}
