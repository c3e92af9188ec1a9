//! After the shell: what changed, and what becomes of it.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::bucket::{Manifest, inside};
use crate::container::{Change, Edited, Error, ImageId, Labels, Runtime};

use super::name::is_tag;
use super::terminal::{Interruption, Signals, say};
use super::{LARGEST_FILE, Leaving, Session, report, version};

/// What comes after leaving.
pub(super) enum After {
    /// The shell again.
    Back,
    /// Nothing; the exit status.
    Over(ExitCode),
}

impl Session {
    /// Shows what changed, asks, and does it. `status` is the shell's.
    pub(super) async fn leave(&self, status: i64, signals: &mut Signals) -> Result<After> {
        let over = After::Over(match u8::try_from(status) {
            _ if !self.scripted => ExitCode::SUCCESS,
            Ok(status) => ExitCode::from(status),
            Err(_) => ExitCode::FAILURE,
        });
        if self.leaving == Leaving::Ask
            && let Some(after) = self.ask_for_drafts(signals).await
        {
            return Ok(after);
        }
        let changes = report::meant(self.docker.changes(&self.container).await?);
        if changes.is_empty() {
            self.docker.remove(&self.container, true).await?;
            say(format_args!("{} is as it was.", self.name.short()));
            return Ok(over);
        }
        self.show(&changes).await?;
        match self.leaving {
            Leaving::Discard => self.discard().await?,
            Leaving::Save if self.scripted && status != 0 => {
                say(format_args!("Ended with status {status}: not saved."));
                self.say_kept();
            }
            Leaving::Save => self.save().await?,
            Leaving::Ask => return self.ask(over, signals).await,
        }
        Ok(over)
    }

    /// What the page has and the bucket does not; the end only if the person says so.
    async fn ask_for_drafts(&self, signals: &mut Signals) -> Option<After> {
        loop {
            let drafts = self.page.as_ref().map(|p| p.drafts()).unwrap_or_default();
            if drafts.is_empty() {
                return None;
            }
            let question = format!(
                "The page has edits of {} that are not saved there. Save them there and press Enter;\n\
                 [w] leave without them, [b] back to the shell:",
                drafts.join(" and ")
            );
            match signals.ask(&question).await {
                Ok(answer) if answer.starts_with('w') => return None,
                Ok(answer) if answer.starts_with('b') => return Some(After::Back),
                Ok(_) => {}
                Err(why) => return Some(self.gone(why)),
            }
        }
    }

    fn gone(&self, why: Interruption) -> After {
        self.say_kept();
        After::Over(ExitCode::from(why.status()))
    }

    pub(super) async fn show(&self, changes: &[Change]) -> Result<()> {
        let was = self.original_info().await?;
        let since = match version::of(&was) {
            version if version.is_empty() => String::new(),
            version => format!(" since version {version}"),
        };
        say(format_args!("\nChanged in {}{since}:", self.name.short()));
        report::lines(changes).iter().for_each(say);
        if report::has_package_caches(changes) {
            say(
                "  Package lists and caches are among it: `apt-get clean; rm -rf /var/lib/apt/lists/*` makes it smaller.",
            );
        }
        say("");
        Ok(())
    }

    async fn ask(&self, over: After, signals: &mut Signals) -> Result<After> {
        let name = self.name.short();
        let question = format!(
            "Save as a new version of {name}? [s]ave, [d]iscard, [b]ack to the shell, [k]eep it open for later:"
        );
        loop {
            match signals.ask(&question).await {
                Err(why) => return Ok(self.gone(why)),
                Ok(answer) => match answer.as_str() {
                    "s" | "save" | "y" | "yes" => match self.save().await {
                        Ok(()) => return Ok(over),
                        // The work is still there, and the person too.
                        Err(error) => say(format_args!("not saved: {error:#}")),
                    },
                    "d" | "discard" => {
                        self.discard().await?;
                        return Ok(over);
                    }
                    "b" | "back" => return Ok(After::Back),
                    "k" | "keep" => {
                        self.say_kept();
                        return Ok(over);
                    }
                    _ => {}
                },
            }
        }
    }

    pub(super) async fn discard(&self) -> Result<()> {
        self.docker.remove(&self.container, true).await?;
        say(format_args!("Discarded; {} is as it was.", self.name.short()));
        Ok(())
    }

    /// Makes the new version: the name moves to it, the former one keeps a tag of its own.
    pub(super) async fn save(&self) -> Result<()> {
        let before = self.original_info().await?;
        let former = self.keep_former(&version::of(&before)).await?;
        let version = self.step_version(&before).await?;
        let comment = format!("buckets open {}: saved {version}", self.name.short());
        let tag = (self.name.repository.as_str(), self.name.tag.as_str());
        let made = self
            .docker
            .commit(
                &self.container,
                &self.base,
                Some(tag),
                comment.trim_end(),
                &Labels::new(),
            )
            .await
            .map_err(|error| match error {
                Error::Failed { message, .. } if message.contains("max depth") => anyhow::anyhow!(
                    "the image has too many layers: `docker export {} | docker import - {}` makes them one",
                    self.container,
                    self.name.full()
                ),
                other => other.into(),
            })?;
        self.docker.remove(&self.container, true).await?;
        let grown = self.grown(&made).await?;
        let spoken = if version.is_empty() {
            String::new()
        } else {
            format!(" {version}")
        };
        say(format_args!(
            "Saved as {}{spoken}{grown}; what it was before is {}:{former}.",
            self.name.short(),
            self.name.repository
        ));
        Ok(())
    }

    /// info.json of the image the session began with; empty if there is none.
    async fn original_info(&self) -> Result<Vec<u8>> {
        let files = self.docker.open_image(&self.base, &self.labels()).await?;
        let info = files.read_file(inside::INFO_JSON, LARGEST_FILE).await;
        files.close().await?;
        Ok(info?.map(|f| f.bytes).unwrap_or_default())
    }

    /// A tag for the image that has the name now, by its version if no other image has that tag.
    async fn keep_former(&self, version: &str) -> Result<String> {
        let current = match self.docker.resolve_image(&self.name.full()).await {
            Ok(image) => image.id,
            Err(Error::NoSuchImage { .. }) => self.base.clone(),
            Err(error) => return Err(error.into()),
        };
        let mut tag = "previous".to_owned();
        if current == self.base && is_tag(version) && version != self.name.tag {
            let named = format!("{}:{version}", self.name.repository);
            match self.docker.resolve_image(&named).await {
                Ok(image) if image.id != current => {}
                Ok(_) | Err(Error::NoSuchImage { .. }) => tag = version.to_owned(),
                Err(error) => return Err(error.into()),
            }
        } else if current != self.base {
            say(format_args!(
                "{} became another image while it was open here.",
                self.name.short()
            ));
        }
        if tag == self.name.tag {
            bail!(
                "{} is kept for former versions: open another tag",
                self.name.full()
            );
        }
        self.docker
            .images()
            .tag(&current, &self.name.repository, &tag)
            .await?;
        Ok(tag)
    }

    /// The version of what is saved; one that the developer left alone goes a step on.
    async fn step_version(&self, before: &[u8]) -> Result<String> {
        let Some(info) = self
            .docker
            .read_open(&self.container, inside::INFO_JSON, LARGEST_FILE)
            .await?
        else {
            return Ok(String::new());
        };
        if let Err(error) = Manifest::parse(&info.bytes) {
            say(format_args!("A node would not take it as it is: {error}."));
        }
        let Some((text, version)) = version::next(before, &info.bytes) else {
            return Ok(version::of(&info.bytes));
        };
        let edited = Edited {
            path: &info.path,
            mode: info.mode,
            uid: info.uid,
            gid: info.gid,
            bytes: &text,
        };
        self.docker.write_open(&self.container, &[edited]).await?;
        Ok(version)
    }

    async fn grown(&self, made: &ImageId) -> Result<String> {
        let size = |image: &ImageId| {
            let reference = image.to_string();
            async move { self.docker.resolve_image(&reference).await.map(|i| i.size_bytes) }
        };
        let more = size(made).await?.saturating_sub(size(&self.base).await?);
        Ok(format!(", {} more", bytesize::ByteSize::b(more).display().si()))
    }
}
