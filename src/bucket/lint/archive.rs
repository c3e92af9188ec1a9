//! What `docker save` and `docker export` write: read in one pass, nothing unpacked to a disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;

use super::seen::{LARGEST_SCRIPT, Seen, Subject};
use super::tar::{self, Entry};
use super::tree::{Node, NodeKind, Tree};

/// The most files of all layers together: 1,000,000 take some 200 MB of memory.
const MOST_FILES: usize = 1_000_000;

/// The longest path.
const LONGEST_PATH: usize = 4096;

/// The most bytes that are unpacked on the way, an image of a terabyte is none.
const MOST_BYTES: u64 = 256 << 30;

/// The longest description within a saved file, and of all together.
const LONGEST_JSON: u64 = 8 << 20;
const MOST_JSON: usize = 64 << 20;

/// The most layers; engines stop at 127.
const MOST_LAYERS: usize = 512;

/// The files of an image whose content is looked at.
const READ: [&str; 3] = [
    "root/work.sh",
    "root/storage/info.json",
    "root/storage/db-plugin.code",
];

/// Why a file cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be opened.
    #[error("{}", .0.display())]
    Open(PathBuf, #[source] io::Error),
    /// It is no tar, or a hostile one.
    #[error("{} is not a tar of files", .0.display())]
    Tar(PathBuf, #[source] io::Error),
    /// It was saved, but is not whole or not one image.
    #[error("{}: {words}", .0.display(), words = .1)]
    Saved(PathBuf, String),
}

/// `manifest.json` of a saved file.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    layers: Vec<String>,
}

/// A layer, or why it cannot be read.
type Layer = Result<Tree, String>;

#[derive(Default)]
struct Contents {
    /// All entries as if they were the files of a container.
    flat: Tree,
    flat_bytes: u64,
    layers: HashMap<String, Layer>,
    layer_bytes: u64,
    /// Names within a saved file that stand for others.
    links: HashMap<String, String>,
    json: HashMap<String, Vec<u8>>,
    files: usize,
}

/// Reads what an engine saved or exported, plain or gzip.
///
/// # Errors
/// [`ArchiveError`]
pub fn read_archive(path: &Path) -> Result<Seen, ArchiveError> {
    let file = File::open(path).map_err(|error| ArchiveError::Open(path.to_owned(), error))?;
    let mut contents = Contents::default();
    read(BufReader::new(file), &mut contents).map_err(|error| ArchiveError::Tar(path.to_owned(), error))?;
    let saved = contents.json.get("manifest.json");
    match saved.and_then(|bytes| serde_json::from_slice::<Vec<SavedImage>>(bytes).ok()) {
        Some(images) => {
            let [image] = images.as_slice() else {
                let words = format!("it holds {} images: save one", images.len());
                return Err(ArchiveError::Saved(path.to_owned(), words));
            };
            contents
                .image(image)
                .map_err(|words| ArchiveError::Saved(path.to_owned(), words))
        }
        None => Ok(Seen::in_tree(
            Subject::Exported,
            &contents.flat,
            None,
            contents.flat_bytes,
        )),
    }
}

fn read(mut reader: impl BufRead, contents: &mut Contents) -> io::Result<()> {
    let is_gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut plain: Box<dyn Read> = if is_gzip {
        Box::new(MultiGzDecoder::new(reader))
    } else {
        Box::new(reader)
    };
    tar::walk(&mut Bounded::new(&mut plain), &mut |entry, content| {
        contents.visit(entry, content)
    })
}

impl Contents {
    fn visit(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        let name = entry.path.clone();
        if entry.kind.is_symlink() && name.ends_with("layer.tar") {
            self.links.insert(name.clone(), sibling(&name, &entry.link));
        }
        let is_file = entry.kind.is_file();
        let may_be_layer = is_file && (name.ends_with("/layer.tar") || name.starts_with("blobs/"));
        if is_file && (may_be_layer || !name.contains('/')) {
            let mut content = BufReader::new(content);
            let begin = content.fill_buf()?;
            if begin.starts_with(b"{") || begin.starts_with(b"[") {
                self.keep_json(entry, &mut content)?;
            } else if may_be_layer && self.layers.len() < MOST_LAYERS {
                let layer = self.layer(content);
                self.layers.insert(name, layer);
            }
            return count(&mut self.files).map(|()| self.flat_bytes += entry.size);
        }
        self.flat_bytes += entry.size;
        count(&mut self.files)?;
        add(&mut self.flat, entry, content)
    }

    fn keep_json(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        let kept: usize = self.json.values().map(Vec::len).sum();
        if entry.size <= LONGEST_JSON && kept + (entry.size as usize) < MOST_JSON {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            self.json.insert(entry.path.clone(), bytes);
        }
        Ok(())
    }

    /// Reads a layer; what is wrong with it matters only if the image has it.
    fn layer(&mut self, mut content: impl BufRead) -> Layer {
        let begin = content.fill_buf().map_err(|error| error.to_string())?;
        if begin.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Err("it is packed with zstd: load it, and check the image by its name".to_owned());
        }
        let is_gzip = begin.starts_with(&[0x1f, 0x8b]);
        let mut plain: Box<dyn Read + '_> = if is_gzip {
            Box::new(MultiGzDecoder::new(content))
        } else {
            Box::new(content)
        };
        let mut tree = Tree::default();
        let (files, bytes) = (&mut self.files, &mut self.layer_bytes);
        tar::walk(&mut Bounded::new(&mut plain), &mut |entry, content| {
            *bytes += entry.size;
            count(files)?;
            add(&mut tree, entry, content)
        })
        .map_err(|error| error.to_string())?;
        Ok(tree)
    }

    fn image(&self, image: &SavedImage) -> Result<Seen, String> {
        let mut tree = Tree::default();
        for name in &image.layers {
            let name = self.links.get(name).unwrap_or(name);
            match self.layers.get(name) {
                Some(Ok(layer)) => tree.lay(layer),
                Some(Err(words)) => return Err(format!("layer {name:?}: {words}")),
                None => {
                    return Err(format!(
                        "layer {name:?} is missing: it is cut short, or no file of docker save"
                    ));
                }
            }
        }
        let config = self.json.get(&image.config);
        let config: serde_json::Value = config
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
            .unwrap_or_default();
        let architecture = config.get("architecture").and_then(|a| a.as_str());
        Ok(Seen::in_tree(
            Subject::Saved,
            &tree,
            architecture.map(str::to_owned),
            self.layer_bytes,
        ))
    }
}

/// Counts one more file.
fn count(files: &mut usize) -> io::Result<()> {
    *files += 1;
    if *files > MOST_FILES {
        let words = format!("it holds more than {MOST_FILES} files");
        return Err(io::Error::new(io::ErrorKind::InvalidData, words));
    }
    Ok(())
}

fn add(tree: &mut Tree, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
    if entry.path.len() > LONGEST_PATH || entry.link.len() > LONGEST_PATH {
        let words = format!("a path of more than {LONGEST_PATH} characters");
        return Err(io::Error::new(io::ErrorKind::InvalidData, words));
    }
    let kind = match entry.kind {
        kind if kind.is_hard_link() => {
            tree.add_hard_link(entry.path.clone(), entry.link.trim_start_matches(['.', '/']));
            return Ok(());
        }
        kind if kind.is_file() => NodeKind::File,
        kind if kind.is_dir() => NodeKind::Directory,
        kind if kind.is_symlink() => NodeKind::Link(entry.link.clone()),
        _ => NodeKind::Other,
    };
    let mut node = Node {
        kind,
        mode: entry.mode,
        content: None,
    };
    if node.is_file() && READ.contains(&entry.path.as_str()) && entry.size <= LARGEST_SCRIPT {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        node.content = Some(bytes);
    }
    tree.add(entry.path.clone(), node);
    Ok(())
}

/// `../x/layer.tar` beside `y/layer.tar` is `x/layer.tar`.
fn sibling(name: &str, link: &str) -> String {
    let mut parts: Vec<_> = name.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A reader that ends with an error when more comes out of it than any image has.
struct Bounded<'a> {
    inner: &'a mut dyn Read,
    left: u64,
}

impl<'a> Bounded<'a> {
    fn new(inner: &'a mut dyn Read) -> Self {
        Self {
            inner,
            left: MOST_BYTES,
        }
    }
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it unpacks to more than {} GiB", MOST_BYTES >> 30),
            )
        })?;
        Ok(read)
    }
}
