//! What there is to judge.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::bucket::inside;
use crate::container::{self, FileKind, ImageFiles, ImageInfo};

use super::tree::Tree;

/// The largest script that is read, in bytes; of larger ones only mode and kind are judged.
pub(super) const LARGEST_SCRIPT: u64 = 1 << 20;

/// Where a name without a path is looked for.
const PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// What a bucket is seen as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An image of an engine.
    Image,
    /// A file that an engine saved.
    Saved,
    /// The files of a container.
    Exported,
    /// A directory that an image is made of.
    Directory,
}

/// A script of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Permission bits.
    pub mode: u32,
    /// Whether it is a regular file, links followed.
    pub is_file: bool,
    /// Its content, where it could be had.
    pub bytes: Option<Vec<u8>>,
    /// Whether what its first line names is there; none: nobody knows.
    pub interpreter_is_there: Option<bool>,
}

impl Script {
    /// Its text; none for a program.
    pub(super) fn text(&self) -> Option<String> {
        let bytes = self.bytes.as_ref().filter(|bytes| !bytes.contains(&0))?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// What was found of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it was found in.
    pub subject: Subject,
    /// The text of info.json.
    pub info: Option<Vec<u8>>,
    /// work.sh
    pub work: Option<Script>,
    /// db-plugin.code
    pub plugin: Option<Script>,
    /// Permission bits of `/root`; none: nobody knows.
    pub root_mode: Option<u32>,
    /// Whether there is a `/bin/sh`; none: nobody knows.
    pub has_sh: Option<bool>,
    /// As images name it, such as `amd64`.
    pub architecture: Option<String>,
    /// Bytes of the image.
    pub size: Option<u64>,
}

impl Seen {
    /// An image of an engine.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn in_image(image: &ImageInfo, files: &dyn ImageFiles) -> container::Result<Self> {
        let info = read(files, inside::INFO_JSON).await?;
        Ok(Self {
            subject: Subject::Image,
            info,
            work: script(files, inside::WORK_SH).await?,
            plugin: script(files, inside::PLUGIN).await?,
            root_mode: files.stat("/root").await?.map(|stat| stat.mode),
            has_sh: Some(is_executable(files, "/bin/sh").await?),
            architecture: Some(image.architecture.clone()).filter(|a| !a.is_empty()),
            size: Some(image.size_bytes),
        })
    }

    /// The files of an image, read from a tar.
    pub(super) fn in_tree(subject: Subject, tree: &Tree, architecture: Option<String>, size: u64) -> Self {
        let script = |path: &str| {
            let node = tree.at(path)?;
            let there = node.content.as_deref().and_then(interpreters).map(|candidates| {
                candidates
                    .iter()
                    .any(|path| tree.at(path).is_some_and(|node| node.is_file()))
            });
            Some(Script {
                mode: node.mode,
                is_file: node.is_file(),
                bytes: node.content.clone(),
                interpreter_is_there: there,
            })
        };
        Self {
            subject,
            info: tree.at(inside::INFO_JSON).and_then(|node| node.content.clone()),
            work: script(inside::WORK_SH),
            plugin: script(inside::PLUGIN),
            root_mode: tree.at("/root").map(|node| node.mode),
            has_sh: Some(tree.at("/bin/sh").is_some_and(|node| node.is_file())),
            architecture,
            size: Some(size),
        }
    }

    /// A directory that an image is made of, as `buckets create` lays it out or with the image's own `root/`.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn in_directory(directory: &Path) -> std::io::Result<Self> {
        let place = |path: &str| -> PathBuf {
            let name = path.rsplit('/').next().unwrap_or(path);
            let plain = directory.join(name);
            let whole = directory.join(path.trim_start_matches('/'));
            if whole.exists() { whole } else { plain }
        };
        Ok(Self {
            subject: Subject::Directory,
            info: small_file(&place(inside::INFO_JSON))?.and_then(|(_, bytes)| bytes),
            work: script_here(&place(inside::WORK_SH))?,
            plugin: script_here(&place(inside::PLUGIN))?,
            root_mode: None,
            has_sh: None,
            architecture: None,
            size: None,
        })
    }
}

async fn read(files: &dyn ImageFiles, path: &str) -> container::Result<Option<Vec<u8>>> {
    match files.read_file(path, LARGEST_SCRIPT).await {
        Ok(found) => Ok(found.map(|file| file.bytes)),
        Err(container::Error::TooLarge { .. } | container::Error::WrongKind { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn is_executable(files: &dyn ImageFiles, path: &str) -> container::Result<bool> {
    Ok(files.stat(path).await?.is_some_and(|stat| stat.is_executable()))
}

async fn script(files: &dyn ImageFiles, path: &str) -> container::Result<Option<Script>> {
    let Some(stat) = files.stat(path).await? else {
        return Ok(None);
    };
    let is_file = stat.kind == FileKind::File;
    let bytes = if is_file { read(files, path).await? } else { None };
    let mut there = None;
    for candidate in bytes.as_deref().and_then(interpreters).unwrap_or_default() {
        there = Some(there == Some(true) || is_executable(files, &candidate).await?);
    }
    Ok(Some(Script {
        mode: stat.mode,
        is_file,
        bytes,
        interpreter_is_there: there,
    }))
}

/// Where what the first line names may be: one path, or with `env` several. None where it names nothing.
fn interpreters(script: &[u8]) -> Option<Vec<String>> {
    let first = script.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = String::from_utf8_lossy(first).trim().to_owned();
    let mut words = line.split_whitespace();
    let program = words.next()?;
    if !program.starts_with('/') {
        return None;
    }
    if program.ends_with("/env") {
        let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
        return Some(PATH.iter().map(|folder| format!("{folder}/{name}")).collect());
    }
    Some(vec![program.to_owned()])
}

/// Mode and, unless it is large, content of a regular file.
fn small_file(path: &Path) -> std::io::Result<Option<(u32, Option<Vec<u8>>)>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = if metadata.len() <= LARGEST_SCRIPT {
        Some(fs::read(path)?)
    } else {
        None
    };
    Ok(Some((metadata.permissions().mode() & 0o7777, bytes)))
}

fn script_here(path: &Path) -> std::io::Result<Option<Script>> {
    let found = small_file(path)?.map(|(mode, bytes)| Script {
        mode,
        is_file: true,
        bytes,
        interpreter_is_there: None,
    });
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_what_runs_a_script() {
        assert_eq!(interpreters(b"#!/bin/sh -e\nx").unwrap(), ["/bin/sh"]);
        assert_eq!(interpreters(b"#! /bin/bash\r\n").unwrap(), ["/bin/bash"]);
        let env = interpreters(b"#!/usr/bin/env -S python3 -u\n").unwrap();
        assert!(env.contains(&"/usr/bin/python3".to_owned()), "{env:?}");
        for none in [&b"echo"[..], b"#!", b"#!sh\n", b""] {
            assert_eq!(interpreters(none), None);
        }
    }
}
