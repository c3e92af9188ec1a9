//! What a former session left behind: nothing of it goes without a question.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::container::{Error, Left, Runtime};

use super::terminal::{Signals, say};
use super::{Leaving, Session, report, shell};

/// What is to be done first.
pub(super) enum Found {
    /// There is none, or none any more: begin anew.
    Nothing,
    /// Go on in it.
    Continue(Left),
    /// It was what the person came for; the exit status.
    Done(ExitCode),
}

/// Looks for a container of this image that was left open, and asks what becomes of it.
pub(super) async fn find(session: &Session, signals: &mut Signals) -> Result<Found> {
    let Some(left) = session.docker.find_shell(&session.container).await? else {
        return Ok(Found::Nothing);
    };
    let changes = report::meant(session.docker.changes(&session.container).await?);
    if (changes.is_empty() && !left.running) || session.leaving == Leaving::Discard {
        session.docker.remove(&session.container, true).await?;
        return Ok(Found::Nothing);
    }
    let name = session.name.short();
    if session.scripted {
        bail!(
            "{name} was left open with changes that are not saved: `buckets open {name}` on a terminal asks what \
             becomes of them; with --discard they are dropped"
        );
    }
    let session = &Session {
        docker: session.docker.clone(),
        name: session.name.clone(),
        container: session.container.clone(),
        base: left.image.clone(),
        page: None,
        ..*session
    };
    let since = left
        .created
        .map(|t| format!(" on {} at {:02}:{:02} UTC", t.date(), t.hour(), t.minute()))
        .unwrap_or_default();
    say(format_args!("{name} was opened{since} and never left."));
    let image_is_there = match session.docker.resolve_image(&left.image.to_string()).await {
        Ok(_) => true,
        Err(Error::NoSuchImage { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    if changes.is_empty() {
        say("Nothing is changed in it, but its shell still runs.");
    } else if image_is_there {
        session.show(&changes).await?;
    } else {
        say("\nChanged in it:");
        report::lines(&changes).iter().for_each(say);
        say("");
    }
    // The engine makes a version only of an image that it still has.
    if !image_is_there {
        say(format_args!(
            "The image it began with is gone from this machine, so no version can be made of it; its files are \
             there still: `docker cp {}:/root .`",
            session.container
        ));
    }
    let again = image_is_there && left.tty == session.tty && shell::is_for_a_person(&left.entrypoint);
    let go_on = if again { "[c]ontinue there, " } else { "" };
    let save = if image_is_there { "[s]ave it now, " } else { "" };
    let question = format!("{go_on}{save}[d]iscard it, [q]uit:");
    loop {
        let Ok(answer) = signals.ask(&question).await else {
            return Ok(Found::Done(ExitCode::FAILURE));
        };
        match answer.as_str() {
            "c" | "continue" if again => return Ok(Found::Continue(left)),
            "s" | "save" if image_is_there => {
                session.docker.kill(&session.container).await?;
                session.save().await?;
                return Ok(Found::Done(ExitCode::SUCCESS));
            }
            "d" | "discard" => {
                session.discard().await?;
                return Ok(Found::Nothing);
            }
            "q" | "quit" => return Ok(Found::Done(ExitCode::SUCCESS)),
            _ => {}
        }
    }
}
