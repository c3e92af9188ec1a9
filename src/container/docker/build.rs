//! Building and pulling images through the engine's API.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bollard::body_try_stream;
use bollard::query_parameters::{BuildImageOptions, CreateImageOptionsBuilder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use super::Docker;
use crate::container::build::{ContextFile, Progress, Recipe};
use crate::container::{Error, ImageId, Result};

/// How long one step may say nothing: a package that is compiled, a layer of gigabytes.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// How long a pull may say nothing before the registry is taken to be out of reach.
const PULL_SILENCE: Duration = Duration::from_secs(90);

/// Pieces of the context that wait for the engine, of at most 64 KiB each.
const PIECES: usize = 16;

impl Docker {
    pub(in crate::container) async fn build(
        &self,
        recipe: &Recipe,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<ImageId> {
        let action = format!("build image {:?}", recipe.name);
        let options = BuildImageOptions {
            t: Some(recipe.name.clone()),
            rm: true,
            forcerm: true,
            buildargs: Some(recipe.arguments.clone()),
            labels: Some(recipe.labels.clone()),
            networkmode: Some("host".to_owned()),
            ..BuildImageOptions::default()
        };
        let body = body_try_stream(context(recipe.files.clone()));
        let mut answers = std::pin::pin!(self.client.build_image(options, None, Some(body)));
        let mut built = None;
        while let Some(answer) = self
            .ask_within(SILENCE, &action, async { answers.next().await.transpose() })
            .await?
        {
            if let Some(error) = answer.error_detail.and_then(|e| e.message) {
                return Err(Error::Failed {
                    action,
                    message: error,
                });
            }
            for line in answer.stream.iter().flat_map(|text| text.lines()) {
                progress(step(line).unwrap_or(Progress::Said(line)));
            }
            for line in answer.status.iter().flat_map(|text| text.lines()) {
                progress(Progress::Said(line));
            }
            built = answer.aux.and_then(|aux| aux.id).or(built);
        }
        match built {
            Some(id) => id.parse(),
            None => Ok(super::machine::resolve_image(self, &recipe.name).await?.id),
        }
    }

    pub(in crate::container) async fn pull(
        &self,
        reference: &str,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<()> {
        let action = format!("pull image {reference:?}");
        // Without a tag the engine would fetch every one there is.
        let last = reference.rsplit('/').next().unwrap_or_default();
        let whole = if last.contains([':', '@']) {
            reference.to_owned()
        } else {
            format!("{reference}:latest")
        };
        let options = CreateImageOptionsBuilder::new().from_image(&whole).build();
        let mut answers = std::pin::pin!(self.client.create_image(Some(options), None, None));
        while let Some(answer) = self
            .ask_within(PULL_SILENCE, &action, async { answers.next().await.transpose() })
            .await?
        {
            let words = [answer.id, answer.status].map(Option::unwrap_or_default);
            progress(Progress::Said(words.join(" ").trim()));
        }
        Ok(())
    }

    pub(in crate::container) async fn architecture(&self) -> Result<String> {
        let version = self.ask("tell its version", self.client.version()).await?;
        Ok(version.arch.unwrap_or_default())
    }
}

/// `Step 3/7 : RUN apt-get update`
fn step(line: &str) -> Option<Progress<'_>> {
    let (numbers, what) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (number, of) = numbers.split_once('/')?;
    Some(Progress::Step(number.parse().ok()?, of.parse().ok()?, what))
}

/// The context as a tar, made while it is sent.
fn context(files: Vec<ContextFile>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut builder = tar::Builder::new(Pieces(sender.clone()));
        let written = files
            .iter()
            .try_for_each(|file| append(&mut builder, file))
            .and_then(|()| builder.finish());
        if let Err(error) = written {
            // Nobody listens any more when the engine broke off: it has said why.
            let _ = sender.blocking_send(Err(error));
        }
    });
    stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    })
}

/// Owner and times are left out: they are this machine's and no part of the bucket.
fn append(builder: &mut tar::Builder<Pieces>, file: &ContextFile) -> io::Result<()> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.source.display()));
    let metadata = fs::symlink_metadata(&file.source).map_err(named)?;
    let mut header = tar::Header::new_gnu();
    header.set_mode(metadata.permissions().mode() & 0o7777);
    if metadata.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(
            &mut header,
            &file.name,
            fs::read_link(&file.source).map_err(named)?,
        )
    } else if metadata.is_dir() {
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        builder.append_data(&mut header, &file.name, io::empty())
    } else {
        header.set_size(metadata.len());
        let content = io::Read::take(File::open(&file.source).map_err(named)?, metadata.len());
        builder.append_data(&mut header, &file.name, content)
    }
}

/// Passes on what is written, and waits while the engine is slower.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes.get(..64 << 10).unwrap_or(bytes));
        let length = piece.len();
        self.0
            .blocking_send(Ok(piece))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_from_what_it_says() {
        assert_eq!(
            step("Step 2/5 : COPY a : /b"),
            Some(Progress::Step(2, 5, "COPY a : /b"))
        );
        for said in ["Step by step", "Reading package lists...", "Step 2 : x", ""] {
            assert_eq!(step(said), None, "{said}");
        }
    }
}
