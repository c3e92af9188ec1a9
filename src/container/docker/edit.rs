//! Files of a container that somebody works in, read and written while it runs or rests.

use std::io::Read;

use bollard::query_parameters::UploadToContainerOptionsBuilder;

use super::Docker;
use super::files::DockerFiles;
use crate::container::{Error, FileKind, Result};

/// A regular file of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFile {
    /// Where it is, links followed.
    pub path: String,
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    /// Its owner.
    pub uid: u64,
    /// Its group.
    pub gid: u64,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited<'a> {
    /// Absolute path; its directory has to be there.
    pub path: &'a str,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Content.
    pub bytes: &'a [u8],
}

impl Docker {
    /// Reads a file of at most `limit` bytes from a container; `None` if there is none at `path`.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::WrongKind`] when something else is there, those of the engine.
    pub async fn read_open(&self, container: &str, path: &str, limit: u64) -> Result<Option<OpenFile>> {
        let files = DockerFiles::of_container(self, container);
        let Some((place, stat)) = files.find(path).await? else {
            return Ok(None);
        };
        if stat.kind != FileKind::File {
            return Err(Error::WrongKind {
                path: path.to_owned(),
                expected: "regular file",
            });
        }
        let tar = files.tar_of_file(path, &place, &stat, limit).await?;
        let unreadable = |source: std::io::Error| Error::Failed {
            action: format!("read {path}"),
            message: source.to_string(),
        };
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut entries = archive.entries().map_err(unreadable)?;
        let mut entry = match entries.next() {
            Some(entry) => entry.map_err(unreadable)?,
            None => return Ok(None),
        };
        let header = entry.header();
        let mut file = OpenFile {
            path: place,
            mode: stat.mode,
            uid: header.uid().map_err(unreadable)?,
            gid: header.gid().map_err(unreadable)?,
            bytes: Vec::new(),
        };
        entry.read_to_end(&mut file.bytes).map_err(unreadable)?;
        Ok(Some(file))
    }

    /// Writes files into a container, each in the place of what was there.
    ///
    /// # Errors
    /// [`Error::Refused`] with status 404 when a directory is missing, those of the engine.
    pub async fn write_open(&self, container: &str, files: &[Edited<'_>]) -> Result<()> {
        let unwritable = |source: std::io::Error| Error::Failed {
            action: "pack the files to write".to_owned(),
            message: source.to_string(),
        };
        let mut by_directory = std::collections::BTreeMap::<&str, Vec<(&str, &Edited<'_>)>>::new();
        for file in files {
            let (directory, name) = file.path.rsplit_once('/').unwrap_or(("", file.path));
            by_directory.entry(directory).or_default().push((name, file));
        }
        for (directory, files) in by_directory {
            let mut tar = tar::Builder::new(Vec::new());
            for (name, file) in files {
                let mut header = tar::Header::new_gnu();
                header.set_size(file.bytes.len() as u64);
                header.set_mode(file.mode);
                header.set_uid(file.uid);
                header.set_gid(file.gid);
                header
                    .set_mtime(u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0));
                tar.append_data(&mut header, name, file.bytes)
                    .map_err(unwritable)?;
            }
            let options = UploadToContainerOptionsBuilder::new()
                .path(if directory.is_empty() { "/" } else { directory })
                .build();
            let body = bollard::body_full(tar.into_inner().map_err(unwritable)?.into());
            let action = format!("write to {directory} of container {container:?}");
            self.ask(
                &action,
                self.client.upload_to_container(container, Some(options), body),
            )
            .await?;
        }
        Ok(())
    }
}
