//! A container that a person works in: made, attached to, resized.

use std::path::PathBuf;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType};
use bollard::query_parameters::ResizeContainerTTYOptionsBuilder;
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::Docker;
use super::create::{create_from, mount};
use super::inspect::timestamp;
use crate::container::{Bind, Created, EngineError, Error, ImageId, Result};

/// A container to work in. It has the engine's usual capabilities, since packages are installed in it, no limits,
/// and a `/tmp` of its own on disk that is no part of an image made of it.
///
/// It carries no labels and no variables: what a container has of them, an image made of it would have too, and
/// each container of that. It is found again by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellSpec {
    /// Unique on the engine.
    pub name: String,
    /// The image by its digest.
    pub image: ImageId,
    /// What the prompt shows as the machine's name.
    pub hostname: String,
    /// Program and arguments; run as root, whatever user the image names.
    pub entrypoint: Vec<String>,
    /// Whether it gets a terminal. Without one it reads its input to the end, and only once.
    pub tty: bool,
    /// Directories of the host seen inside.
    pub binds: Vec<Bind>,
    /// Whether it shares the host's network, for proxies that listen on loopback.
    pub host_network: bool,
}

/// What a container that was left open is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The image it was made from.
    pub image: ImageId,
    /// Whether it runs.
    pub running: bool,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Its entrypoint.
    pub entrypoint: Vec<String>,
    /// Its binds, source and target.
    pub binds: Vec<(PathBuf, String)>,
    /// When it was made.
    pub created: Option<OffsetDateTime>,
}

/// Both ends of a container's streams.
#[derive(Debug)]
pub struct Attached {
    /// What it prints.
    pub output: ShellOutput,
    /// What it reads; shutting it down is the end of the input of one without a terminal.
    pub input: OwnedWriteHalf,
}

/// What an attached container prints.
#[derive(Debug)]
pub struct ShellOutput {
    reader: BufReader<OwnedReadHalf>,
    tty: bool,
}

/// A piece of what a container printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Of stdout, or of the terminal.
    Out(Vec<u8>),
    /// Of stderr, where there is no terminal.
    Err(Vec<u8>),
}

/// A piece is not larger than this, in bytes.
const LARGEST_PIECE: usize = 32 << 10;

impl ShellOutput {
    /// The next piece; `None` when the container has ended or the connection broke.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn next(&mut self) -> std::io::Result<Option<Piece>> {
        if self.tty {
            let mut bytes = vec![0; LARGEST_PIECE];
            let read = self.reader.read(&mut bytes).await?;
            bytes.truncate(read);
            return Ok((read > 0).then_some(Piece::Out(bytes)));
        }
        // Eight bytes before each piece: which stream, three of nothing, the length.
        let mut head = [0; 8];
        match self.reader.read_exact(&mut head).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let [stream, _, _, _, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        (&mut self.reader)
            .take(length as u64)
            .read_to_end(&mut bytes)
            .await?;
        Ok(Some(if stream == 2 {
            Piece::Err(bytes)
        } else {
            Piece::Out(bytes)
        }))
    }
}

impl Docker {
    /// Creates a container to work in, not yet running.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`]; [`Error::Refused`].
    pub async fn create_shell(&self, spec: &ShellSpec) -> Result<Created> {
        let image = self.image_config(&spec.image).await?;
        let mut mounts: Vec<Mount> = spec.binds.iter().map(mount).collect();
        mounts.push(Mount {
            typ: Some(MountType::VOLUME),
            target: Some("/tmp".to_owned()),
            ..Mount::default()
        });
        let body = ContainerCreateBody {
            image: Some(spec.image.to_string()),
            hostname: Some(spec.hostname.clone()),
            entrypoint: Some(spec.entrypoint.clone()),
            user: image.user.filter(|u| !u.is_empty()).map(|_| "0:0".to_owned()),
            tty: Some(spec.tty),
            open_stdin: Some(true),
            stdin_once: Some(!spec.tty),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            host_config: Some(HostConfig {
                mounts: Some(mounts),
                network_mode: spec.host_network.then(|| "host".to_owned()),
                // No init process: the place where the engine binds it would be a file of the image.
                // What is typed and shown in a shell is nobody's log.
                log_config: Some(HostConfigLogConfig {
                    typ: Some("none".to_owned()),
                    config: None,
                }),
                auto_remove: Some(false),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        create_from(self, &spec.name, body).await
    }

    /// What is known of a container to work in; `None` if there is none by that name.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn find_shell(&self, name: &str) -> Result<Option<Left>> {
        let action = format!("inspect container {name:?}");
        let found = match self.ask(&action, self.client.inspect_container(name, None)).await {
            Ok(found) => found,
            Err(Error::Refused { status: 404, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let config = found.config.unwrap_or_default();
        let mounts = found.mounts.unwrap_or_default().into_iter();
        Ok(Some(Left {
            image: found.image.unwrap_or_default().parse()?,
            running: found.state.and_then(|s| s.running).unwrap_or(false),
            tty: config.tty.unwrap_or(false),
            entrypoint: config.entrypoint.unwrap_or_default(),
            binds: mounts
                .filter(|m| m.typ.as_deref() == Some("bind"))
                .filter_map(|m| Some((m.source?.into(), m.destination?)))
                .collect(),
            created: found.created.as_ref().and_then(|d| timestamp(d)),
        }))
    }

    /// Starts a container that was made or has ended.
    ///
    /// # Errors
    /// [`Error::Refused`], such as when a directory it saw is gone.
    pub async fn start_again(&self, name: &str) -> Result<()> {
        let action = format!("start container {name:?}");
        self.ask(&action, self.client.start_container(name, None)).await
    }

    /// Attaches to a container's streams; before its start, so that nothing is missed.
    ///
    /// The client's own call takes a terminal's bytes for frames when they begin with 0, 1 or 2, so this is asked
    /// on a connection of our own.
    ///
    /// # Errors
    /// [`Error::NoSuchContainer`], [`Error::Unreachable`], [`Error::TimedOut`].
    pub async fn attach(&self, name: &str, tty: bool) -> Result<Attached> {
        let action = format!("attach to container {name:?}");
        let limit = self.config.call_timeout;
        match tokio::time::timeout(limit, self.upgrade(name, &action, tty)).await {
            Ok(attached) => attached,
            Err(_) => Err(Error::TimedOut { action, limit }),
        }
    }

    async fn upgrade(&self, name: &str, action: &str, tty: bool) -> Result<Attached> {
        let broken = |source: std::io::Error| Error::Unreachable {
            endpoint: self.config.endpoint.clone(),
            waited: Duration::ZERO,
            source: EngineError(Box::new(source)),
        };
        let socket = self.config.endpoint.trim_start_matches("unix://");
        let (read, mut input) = UnixStream::connect(socket).await.map_err(broken)?.into_split();
        // The engine leaves a terminal at a sequence of keys; the usual one, Ctrl-P Ctrl-Q, is in everybody's way.
        let request = format!(
            "POST /containers/{name}/attach?stream=1&stdin=1&stdout=1&stderr=1&detachKeys={NO_DETACH} HTTP/1.1\r\n\
             Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
        );
        input.write_all(request.as_bytes()).await.map_err(broken)?;
        let mut reader = BufReader::new(read);
        let status = answer_line(&mut reader).await.map_err(broken)?;
        while !answer_line(&mut reader).await.map_err(broken)?.is_empty() {}
        let code = status.split(' ').nth(1).unwrap_or_default();
        match code {
            "101" | "200" => Ok(Attached {
                output: ShellOutput { reader, tty },
                input,
            }),
            "404" => Err(Error::NoSuchContainer {
                name: name.to_owned(),
            }),
            _ => Err(Error::Failed {
                action: action.to_owned(),
                message: status,
            }),
        }
    }

    /// Tells a container's terminal its size in characters.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn resize(&self, name: &str, rows: u16, columns: u16) -> Result<()> {
        let options = ResizeContainerTTYOptionsBuilder::new()
            .h(i32::from(rows))
            .w(i32::from(columns))
            .build();
        let action = format!("resize the terminal of container {name:?}");
        self.ask(&action, self.client.resize_container_tty(name, options))
            .await
    }
}

/// Keys that nobody presses in this order.
const NO_DETACH: &str = "ctrl-%5E,ctrl-%5E,ctrl-%5D,ctrl-%5D,ctrl-%5E,ctrl-%5D,ctrl-%5E";

/// A line of the answer's head, without its end; at most 4096 bytes.
async fn answer_line(reader: &mut BufReader<OwnedReadHalf>) -> std::io::Result<String> {
    let mut line = Vec::new();
    reader.take(4096).read_until(b'\n', &mut line).await?;
    match line.pop() {
        Some(b'\n') => Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
        _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}
