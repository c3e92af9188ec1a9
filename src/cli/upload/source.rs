//! What is sent.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::hex;
use crate::container::{Docker, DockerConfig, ImageInfo, Runtime};

/// Pieces that wait to be sent.
const WAITING: usize = 16;

/// Something that can be read again from its beginning.
pub trait Source {
    /// What people call it.
    fn name(&self) -> &str;
    /// The same for the same content, as well as that is known without reading it.
    fn key(&self) -> String;
    /// How large it is, about.
    fn bytes(&self) -> Option<u64>;
    /// How large it is, where that is known for sure.
    fn exact_bytes(&self) -> Option<u64>;
    /// How far along [`Source::bytes`] it is once so many bytes were sent.
    fn reached(&self, sent: u64) -> u64 {
        sent
    }
    /// Begins to read it.
    ///
    /// # Errors
    /// What disk or engine say.
    fn open(&self) -> Result<Box<dyn Read>>;
}

/// A file.
pub struct FileSource {
    path: PathBuf,
    name: String,
    bytes: u64,
    key: String,
}

impl FileSource {
    /// Looks at a file.
    ///
    /// # Errors
    /// What the disk says, naming the file.
    pub fn new(path: &Path) -> Result<Self> {
        let reading = || format!("read {}", path.display());
        let about = std::fs::metadata(path).with_context(reading)?;
        let modified = about.modified().with_context(reading)?;
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let whole = std::path::absolute(path).with_context(reading)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let key = format!("{}\n{}\n{modified}", whole.display(), about.len());
        Ok(Self {
            path: path.to_owned(),
            name: name.chars().filter(|c| !c.is_control()).take(60).collect(),
            bytes: about.len(),
            key: hex(Sha256::new_with_prefix(key)),
        })
    }
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn key(&self) -> String {
        format!("file {}", self.key)
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.bytes)
    }

    fn exact_bytes(&self) -> Option<u64> {
        Some(self.bytes)
    }

    fn open(&self) -> Result<Box<dyn Read>> {
        let file = File::open(&self.path).with_context(|| format!("read {}", self.path.display()))?;
        Ok(Box::new(file))
    }
}

/// An image of the engine of this machine.
pub struct ImageSource {
    docker: DockerConfig,
    name: String,
    image: ImageInfo,
}

impl ImageSource {
    /// Looks an image up in an engine.
    ///
    /// # Errors
    /// The engine's; that it has no such image.
    pub fn find(endpoint: &str, reference: &str) -> crate::container::Result<Self> {
        let docker = DockerConfig {
            endpoint: endpoint.to_owned(),
            ..DockerConfig::default()
        };
        let image = runtime()
            .map_err(|source| crate::container::Error::File {
                path: PathBuf::from("a thread"),
                source,
            })?
            .block_on(async {
                let engine = Docker::connect(docker.clone()).await?;
                engine.resolve_image(reference).await
            })?;
        Ok(Self {
            docker,
            name: reference.to_owned(),
            image,
        })
    }

    /// The image's id.
    pub fn id(&self) -> &str {
        self.image.id.as_str()
    }
}

impl Source for ImageSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn key(&self) -> String {
        format!("image {}", self.image.id)
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.image.size_bytes)
    }

    fn exact_bytes(&self) -> Option<u64> {
        None
    }

    fn open(&self) -> Result<Box<dyn Read>> {
        let (pieces, reader) = Pieces::channel();
        let (docker, image) = (self.docker.clone(), self.image.id.clone());
        std::thread::Builder::new()
            .name("image".to_owned())
            .spawn(move || {
                let saved = runtime().map(|runtime| {
                    runtime.block_on(async {
                        let engine = Docker::connect(docker).await?;
                        let mut saved = std::pin::pin!(engine.images().save(&image));
                        while let Some(piece) = saved.next().await {
                            // Nobody reads any more: so nothing is saved any more.
                            if pieces.send(piece.map_err(io::Error::other)).is_err() {
                                break;
                            }
                        }
                        Ok::<_, crate::container::Error>(())
                    })
                });
                let failed = match saved {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => io::Error::other(error),
                    Err(error) => error,
                };
                // Nobody reads any more: so nobody has to know.
                let _ = pieces.send(Err(failed));
            })?;
        Ok(Box::new(reader))
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Pieces that another thread sends, as one stream.
pub struct Pieces {
    pieces: Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl Pieces {
    /// What is sent into the first comes out of the second; few wait between.
    pub fn channel() -> (SyncSender<io::Result<Bytes>>, Self) {
        let (sender, pieces) = sync_channel(WAITING);
        let rest = Bytes::new();
        (sender, Self { pieces, rest })
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.recv() {
                Ok(piece) => self.rest = piece?,
                Err(_) => return Ok(0),
            }
        }
        let n = self.rest.len().min(buffer.len());
        let piece = self.rest.split_to(n);
        if let Some(begin) = buffer.get_mut(..n) {
            begin.copy_from_slice(&piece);
        }
        Ok(n)
    }
}
