//! The shell in the bucket: what it is started with, and this terminal joined to it.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::container::{Docker, Piece, Runtime, WaitEnd};

use super::terminal::{Interruption, Keys, Raw, Signals, size};

/// What the container starts: variables first, then the shell a run of the bucket has (a login shell, bash where
/// there is one). As arguments, and not as variables of the container, since an image made of it would keep those.
const START: &str = r#"while [ "$1" != -- ]; do export "$1"; shift; done; shift
cd /local || exit
if [ -x /bin/bash ]; then exec /bin/bash -l "$@"; fi
exec /bin/sh -l "$@""#;

/// The container's program: a shell, or a command in one.
pub(super) fn entrypoint(variables: &[(String, String)], command: Option<&str>) -> Vec<String> {
    let mut words = ["/bin/sh", "-c", START, "sh"].map(str::to_owned).to_vec();
    words.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
    words.push("--".to_owned());
    if let Some(command) = command {
        words.extend(["-c".to_owned(), command.to_owned()]);
    }
    words
}

/// Whether a container's program is a shell for a person, to which one can come back.
pub(super) fn is_for_a_person(entrypoint: &[String]) -> bool {
    entrypoint.last().is_some_and(|word| word == "--")
}

/// How this terminal and the shell came apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parted {
    /// The shell ended, with that status.
    Left(i64),
    /// The person is gone; the shell runs on.
    Interrupted(Interruption),
    /// The engine is gone, or the connection to it; perhaps the shell runs on.
    Broken,
}

/// Starts the container's shell, unless it runs, and joins this terminal to it.
pub(super) async fn attend(
    docker: &Docker,
    container: &str,
    tty: bool,
    running: bool,
    signals: &mut Signals,
) -> Result<Parted> {
    let attached = docker.attach(container, tty).await?;
    if !running {
        docker.start_again(container).await.context("start the shell")?;
    }
    let mut keys = Keys::listen()?;
    let raw = tty.then(Raw::enter).transpose()?;
    if tty && let Some((rows, columns)) = size() {
        if running {
            // What is on the screen there is drawn anew when the size changes.
            let _ = docker.resize(container, rows, columns.saturating_add(1)).await;
        }
        // A shell that has ended by now has no size.
        let _ = docker.resize(container, rows, columns).await;
    }
    let (mut output, mut input) = (attached.output, attached.input);
    // Apart from the output: a shell that does not read has to be able to print.
    let pass_on = async {
        while let Some(piece) = keys.pieces.recv().await {
            if input.write_all(&piece).await.is_err() {
                break;
            }
        }
        if tty {
            return true;
        }
        // The end of what it reads; what it prints goes on.
        let _ = input.shutdown().await;
        std::future::pending().await
    };
    tokio::pin!(pass_on);
    let parted = loop {
        tokio::select! {
            piece = output.next() => match piece {
                Ok(Some(piece)) => if show(&piece).is_err() {
                    break Some(Interruption::Hangup);
                },
                Ok(None) | Err(_) => break None,
            },
            _ = &mut pass_on => break Some(Interruption::Hangup),
            signal = signals.next() => match signal {
                Some(interruption) => break Some(interruption),
                None => if tty && let Some((rows, columns)) = size() {
                    let _ = docker.resize(container, rows, columns).await;
                },
            },
        }
    };
    drop(raw);
    match parted {
        // The end of a terminal's input may be that of the shell too.
        Some(interruption) => Ok(Parted::Interrupted(interruption)),
        None => end(docker, container).await,
    }
}

fn show(piece: &Piece) -> std::io::Result<()> {
    // A terminal that takes its time is waited for; the page has a thread of its own.
    tokio::task::block_in_place(|| match piece {
        Piece::Out(bytes) => {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes)?;
            out.flush()
        }
        Piece::Err(bytes) => std::io::stderr().write_all(bytes),
    })
}

async fn end(docker: &Docker, container: &str) -> Result<Parted> {
    let deadline = Instant::now() + Duration::from_secs(10);
    match docker.wait(container, deadline).await {
        Ok(WaitEnd::Exited(state)) => Ok(Parted::Left(state.exit_status.unwrap_or(1))),
        Ok(WaitEnd::Gone | WaitEnd::DeadlineReached) => Ok(Parted::Broken),
        Err(error) if error.is_engine_down() => Ok(Parted::Broken),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_reach_the_shell_whatever_is_in_them() {
        let variables = [("A".to_owned(), "a b'\"$(c)".to_owned())];
        let words = entrypoint(&variables, Some("printf %s \"$A\""));
        let script = words[2].replace("cd /local || exit", "");
        let ran = std::process::Command::new(&words[0])
            .arg(&words[1])
            .arg(script)
            .args(&words[3..])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&ran.stdout), "a b'\"$(c)");
    }

    #[test]
    fn one_comes_back_to_a_shell_and_not_to_a_command() {
        assert!(is_for_a_person(&entrypoint(&[], None)));
        assert!(!is_for_a_person(&entrypoint(&[], Some("ls --"))));
    }
}
