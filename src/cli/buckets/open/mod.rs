//! `buckets open`: a shell in the bucket, a page beside it, and a question at the end.
//!
//! ```text
//! mod.rs       the arguments, and the way of one session
//! name.rs      under which name an image is opened and saved
//! left.rs      what a former session left behind
//! shell.rs     the shell, joined to this terminal
//! terminal.rs  raw mode, keys, signals, questions
//! apt.rs       this machine's way to its packages
//! report.rs    what changed
//! leaving.rs   save, discard, go back, keep
//! version.rs   the version in info.json
//! web/         the page: files, checks, runs
//! ```
//!
//! The container is one of its own until the session ends. It is never removed while what is in it was neither
//! saved nor given up: a terminal that is closed, a machine that goes down leave it for the next `buckets open`.

mod apt;
mod leaving;
mod left;
mod name;
mod report;
mod scratch;
mod shell;
mod terminal;
mod version;
mod web;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::bucket::inside;
use crate::container::{
    Bind, Created, Docker, DockerConfig, Edited, Error, ImageId, Labels, Runtime, ShellSpec, label,
};

use self::apt::HostApt;
use self::leaving::After;
use self::name::Name;
use self::scratch::Scratch;
use self::shell::Parted;
use self::terminal::{Only, Signals, is_terminal, say};

/// The largest file of a bucket that is read whole, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// What was asked for.
#[derive(Args, Debug)]
pub(super) struct Open {
    /// Name or name:tag of an image of this machine
    image: String,
    /// At the end, save what changed without asking
    #[arg(long, conflicts_with = "discard")]
    save: bool,
    /// At the end, drop what changed without asking
    #[arg(long)]
    discard: bool,
    /// Run this instead of a shell for a person, without the page
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// Where the page is, on this machine only; the next free port if it is taken
    #[arg(long, default_value_t = 9090)]
    port: u16,
    /// A further directory whose studies the page may run on; the current one always may
    #[arg(long, value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Where the container engine is
    #[arg(long, env = "MAGICKBOX_DOCKER", default_value = "unix:///var/run/docker.sock")]
    docker: String,
}

/// What becomes of the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Ask,
    Save,
    Discard,
}

/// One session.
struct Session {
    docker: Docker,
    name: Name,
    container: String,
    /// The image it began with.
    base: ImageId,
    tty: bool,
    /// Whether what runs is a person's shell or input, or a command of a script.
    scripted: bool,
    leaving: Leaving,
    page: Option<Arc<web::Page>>,
}

/// Opens a bucket; the exit status is that of the command or of what stdin said, else success.
pub(super) fn open(asked: Open) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let done = runtime.block_on(session(asked));
    // A question nobody answers any more would be waited for.
    runtime.shutdown_background();
    done
}

async fn session(asked: Open) -> Result<ExitCode> {
    let name = Name::parse(&asked.image)?;
    let leaving = match (asked.save, asked.discard) {
        (true, _) => Leaving::Save,
        (_, true) => Leaving::Discard,
        _ => Leaving::Ask,
    };
    if leaving == Leaving::Ask && !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask whether to save what changes: say --save or --discard");
    }
    let mut signals = Signals::mind()?;
    let container = name.container();
    let _only = Only::one(&container, &name.short())?;
    let docker = Docker::connect(DockerConfig {
        endpoint: asked.docker,
        patience: Duration::from_secs(20),
        ..DockerConfig::default()
    })
    .await?;
    let mut session = Session {
        base: docker
            .resolve_image(&name.full())
            .await
            .map_err(|error| match error {
                Error::NoSuchImage { .. } => {
                    anyhow::anyhow!(
                        "no image {} on this machine: make it with `buckets create`",
                        name.short()
                    )
                }
                other => other.into(),
            })?
            .id,
        docker,
        name,
        container,
        tty: is_terminal(),
        scripted: asked.command.is_some() || !std::io::stdin().is_terminal(),
        leaving,
        page: None,
    };
    session.sweep().await?;
    let mut running = false;
    match left::find(&session, &mut signals).await? {
        left::Found::Nothing => session.create(asked.command.as_deref()).await?,
        left::Found::Continue(left) => {
            running = left.running;
            session.base = left.image;
        }
        left::Found::Done(status) => return Ok(status),
    }
    let served = match asked.command {
        Some(_) => None,
        None => Some(session.serve_page(asked.port, &asked.data).await?),
    };
    session.page = served.as_ref().map(|(_, page)| Arc::clone(page));
    session.welcome().await;
    let status = session.attend(running, &mut signals).await;
    if let Some((server, page)) = served {
        server.abort();
        page.close().await;
    }
    status
}

impl Session {
    /// Makes the container: the image as it is, this directory at `/local`, this machine's way to its packages.
    async fn create(&self, command: Option<&str>) -> Result<()> {
        let here = std::env::current_dir().context("see the current directory")?;
        let files = self.docker.open_image(&self.base, &self.labels()).await?;
        let release = files.read_file("/etc/os-release", LARGEST_FILE).await;
        let info = files.stat(inside::INFO_JSON).await;
        files.close().await?;
        let release = release?.map(|f| f.bytes).unwrap_or_default();
        if info?.is_none() {
            say(format_args!(
                "{} has no {}: it is no bucket yet",
                self.name.short(),
                inside::INFO_JSON
            ));
        }
        let release = String::from_utf8_lossy(&release).into_owned();
        let apt = tokio::task::spawn_blocking(move || HostApt::of_this_machine(&release)).await?;
        let apt = apt.unwrap_or_else(|error| {
            say(format_args!("{error:#}: apt in the shell goes its own way"));
            HostApt::default()
        });
        let mut variables = apt.variables;
        // What was typed is there when one comes back to it, and no part of a saved image.
        variables.push(("HISTFILE".to_owned(), "/tmp/.history".to_owned()));
        let spec = ShellSpec {
            name: self.container.clone(),
            image: self.base.clone(),
            hostname: self.name.hostname(),
            entrypoint: shell::entrypoint(&variables, command),
            tty: self.tty,
            binds: vec![Bind::writable(&here, "/local")],
            host_network: apt.needs_host_network,
        };
        if self.docker.create_shell(&spec).await? == Created::Exists {
            bail!("container {} was made by somebody else just now", self.container);
        }
        let files: Vec<Edited<'_>> = apt
            .files
            .iter()
            .map(|(path, bytes)| Edited {
                path,
                mode: 0o644,
                uid: 0,
                gid: 0,
                bytes,
            })
            .collect();
        Ok(self.docker.write_open(&self.container, &files).await?)
    }

    /// Of containers that only serve to read the image; by them what a killed session left of these is found.
    fn labels(&self) -> Labels {
        Labels::from([
            (label::NODE.to_owned(), "buckets-open".to_owned()),
            (label::JOB.to_owned(), self.container.clone()),
        ])
    }

    /// Removes what a session of this image left that was killed, but not what was done in it.
    async fn sweep(&self) -> Result<()> {
        for container in self.docker.list(&self.labels()).await? {
            self.docker.remove(&container.name, true).await?;
        }
        Ok(web::sweep(&self.docker, &self.container).await?)
    }

    async fn serve_page(
        &self,
        port: u16,
        data: &[PathBuf],
    ) -> Result<(tokio::task::JoinHandle<()>, Arc<web::Page>)> {
        let left = self.docker.find_shell(&self.container).await?;
        let local = left
            .iter()
            .flat_map(|l| &l.binds)
            .find(|(_, target)| target == "/local")
            .map(|(source, _)| source.clone());
        let mut roots: Vec<PathBuf> = local.into_iter().collect();
        for directory in data {
            let root = std::fs::canonicalize(directory)
                .with_context(|| format!("--data {}", directory.display()))?;
            roots.push(root);
        }
        web::serve(
            web::Opened {
                docker: self.docker.clone(),
                name: self.name.short(),
                container: self.container.clone(),
                base: self.base.clone(),
                roots,
            },
            port,
        )
        .await
    }

    async fn welcome(&self) {
        let info = self
            .docker
            .read_open(&self.container, inside::INFO_JSON, LARGEST_FILE)
            .await;
        let version = info
            .ok()
            .flatten()
            .map(|f| version::of(&f.bytes))
            .unwrap_or_default();
        let Some(page) = &self.page else { return };
        say(format_args!("{} {version}", self.name.short()));
        say(format_args!("  edit and try it  {}", page.url()));
        if let Some(root) = page.roots().first() {
            say(format_args!("  /local           {}", root.display()));
        }
        if self.tty {
            say("  Leave with exit or Ctrl-D. What changed is shown then, and whether to save it is asked.");
        }
        say("");
    }

    /// The shell, and again if that is wanted, until it is decided what becomes of the changes.
    async fn attend(&self, mut running: bool, signals: &mut Signals) -> Result<ExitCode> {
        loop {
            let parted = shell::attend(&self.docker, &self.container, self.tty, running, signals).await?;
            match parted {
                Parted::Left(status) => match self.leave(status, signals).await? {
                    After::Back => running = false,
                    After::Over(status) => return Ok(status),
                },
                Parted::Interrupted(why) => return self.interrupted(why).await,
                Parted::Broken => bail!(
                    "the connection to the container engine broke; nothing is lost: `buckets open {}` goes on \
                     once it is back",
                    self.name.short()
                ),
            }
        }
    }

    /// What was begun is kept, unless it was said before that nothing is.
    async fn interrupted(&self, why: terminal::Interruption) -> Result<ExitCode> {
        if self.leaving == Leaving::Discard {
            self.docker.remove(&self.container, true).await?;
            say("\ninterrupted; nothing is kept");
        } else {
            if self.scripted {
                self.docker.kill(&self.container).await?;
            }
            self.say_kept();
        }
        Ok(ExitCode::from(why.status()))
    }

    fn say_kept(&self) {
        say(format_args!(
            "\nNothing is lost: `buckets open {}` goes on where this ended, or saves it, or discards it.",
            self.name.short()
        ));
    }
}
