//! An object that is a file: what it says of itself, and where its elements lie.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use super::attribute::{self, Attribute, LAST};
use super::text::CharacterSet;
use super::value::Value;
use super::vr::has_character_set;
use super::walk::{self, CHARACTER_SET, Element, Extent, Leaf, WalkError};
use crate::dicom::deflated::{InflateError, inflate};
use crate::dicom::part10::{self, FileMeta};
use crate::dicom::transfer_syntax::{self, Encoding};

/// What a deflated data set may be inflated to, in bytes.
const LARGEST_INFLATED: u64 = 16 << 30;

/// What is inflated of an object of the input: its identity is at its beginning.
const BEGINNING: u64 = 4 << 20;

/// Texts beyond ASCII that are kept of one object.
const MOST_TEXTS: usize = 1000;

/// The identity of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    values: BTreeMap<u32, Vec<u8>>,
    /// Its Specific Character Set.
    pub set: CharacterSet,
}

impl Facts {
    fn take(&mut self, leaf: &Leaf<'_>) {
        let Some(value) = leaf.value.filter(|_| leaf.depth == 0) else {
            return;
        };
        if leaf.tag == CHARACTER_SET {
            self.set = CharacterSet::parse(value);
        } else if attribute::is_looked_at(leaf.tag) {
            self.values.insert(leaf.tag, value.to_vec());
        }
    }

    /// Whether an attribute was there as text.
    pub fn is_known(&self, tag: u32) -> bool {
        self.values.contains_key(&tag)
    }

    /// The value of an attribute; an empty one where there is none.
    pub fn value(&self, attribute: Attribute) -> Value {
        Value::new(
            self.values.get(&attribute.tag).map_or(&[], Vec::as_slice),
            &self.set,
        )
    }

    /// The text of a UID, without padding; empty where there is none.
    pub fn uid(&self, tag: u32) -> String {
        self.value(Attribute { tag }).shown()
    }
}

/// Text beyond ASCII, which means what the character set says.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub tag: u32,
    pub vr: [u8; 2],
    pub depth: usize,
    pub bytes: Vec<u8>,
}

/// A result, read to its end.
#[derive(Debug)]
pub(super) struct Object {
    pub meta: FileMeta,
    pub facts: Facts,
    pub elements: Vec<Element>,
    /// Its texts beyond ASCII.
    pub texts: Vec<Text>,
    /// There are more of them.
    pub more_texts: bool,
    /// Bytes of an unknown kind, which may be text.
    pub unknown_bytes: bool,
    /// The data set, not deflated.
    pub source: File,
    pub extent: Extent,
}

/// Why an object cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObjectError {
    /// The disk, not the object.
    #[error(transparent)]
    Io(io::Error),
    /// The object, without anything of its content.
    #[error("{0}")]
    Object(String),
}

impl From<WalkError> for ObjectError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Io(error) => Self::Io(error),
            WalkError::Malformed(why) => Self::Object(why.to_owned()),
        }
    }
}

impl From<io::Error> for ObjectError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Object("the file is not there any more".to_owned()),
            _ => Self::Io(error),
        }
    }
}

/// Where the data set of a file begins, and how it is written.
pub(super) fn head(path: &Path) -> Result<(FileMeta, u64, Encoding), ObjectError> {
    let no_head = || ObjectError::Object("it is no DICOM file (PS3.10)".to_owned());
    let (meta, begin) = part10::read_head(path)?.ok_or_else(no_head)?;
    let encoding = transfer_syntax::encoding(meta.transfer_syntax_uid.as_str()).ok_or_else(|| {
        ObjectError::Object(format!(
            "its transfer syntax {} is none that data sets are exchanged in",
            meta.transfer_syntax_uid
        ))
    })?;
    Ok((meta, begin, encoding))
}

/// Reads a result to its end. A deflated one is inflated into a file without a name below `scratch`.
pub(super) fn read(path: &Path, scratch: &Path) -> Result<Object, ObjectError> {
    let (meta, begin, encoding) = head(path)?;
    let mut source = File::open(path)?;
    let mut extent = Extent {
        begin,
        end: source.metadata()?.len(),
        encoding,
    };
    if encoding == Encoding::Deflated {
        source.seek(SeekFrom::Start(begin))?;
        source = inflated(source, scratch)?;
        extent = Extent {
            begin: 0,
            end: source.metadata()?.len(),
            encoding: Encoding::ExplicitLittle,
        };
    }
    let mut facts = Facts::default();
    let (mut texts, mut more_texts, mut unknown_bytes) = (Vec::new(), false, false);
    let mut reader = BufReader::with_capacity(64 << 10, source);
    let elements = walk::walk(&mut reader, extent, None, &mut |leaf| {
        facts.take(leaf);
        let left_out = keep_text(leaf, &mut texts);
        match &leaf.vr {
            b"UN" => unknown_bytes |= left_out,
            _ => more_texts |= left_out,
        }
    })?;
    Ok(Object {
        meta,
        facts,
        elements,
        texts,
        more_texts,
        unknown_bytes,
        source: reader.into_inner(),
        extent,
    })
}

/// Keeps a text beyond ASCII; answers whether there is one that is not kept.
fn keep_text(leaf: &Leaf<'_>, texts: &mut Vec<Text>) -> bool {
    let is_text = has_character_set(leaf.vr);
    if leaf.own_character_set || !(is_text || leaf.vr == *b"UN") {
        return false;
    }
    let Some(value) = leaf.value else {
        return true;
    };
    if value.iter().all(|b| b.is_ascii() && *b != 0x1b) {
        return false;
    }
    if !is_text || texts.len() == MOST_TEXTS {
        return true;
    }
    texts.push(Text {
        tag: leaf.tag,
        vr: leaf.vr,
        depth: leaf.depth,
        bytes: value.to_vec(),
    });
    false
}

fn inflated(packed: File, scratch: &Path) -> Result<File, ObjectError> {
    let mut plain = scratch_file(scratch)?;
    match inflate(packed, &mut plain, LARGEST_INFLATED) {
        Ok(()) => Ok(plain),
        Err(InflateError::Io(error)) => Err(ObjectError::Io(error)),
        Err(why) => Err(ObjectError::Object(why.to_string())),
    }
}

/// A file that is gone when it is closed, whatever happens.
fn scratch_file(directory: &Path) -> Result<File, ObjectError> {
    let name = directory.join(format!(".{}.inflated", uuid::Uuid::new_v4().simple()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&name)
        .map_err(ObjectError::Io)?;
    std::fs::remove_file(&name).map_err(ObjectError::Io)?;
    Ok(file)
}

/// The identity of an object of the input, from its beginning.
pub(super) fn identity(path: &Path) -> Result<(FileMeta, Facts), ObjectError> {
    let (meta, begin, encoding) = head(path)?;
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut facts = Facts::default();
    let mut take = |leaf: &Leaf<'_>| facts.take(leaf);
    if encoding == Encoding::Deflated {
        file.seek(SeekFrom::Start(begin))?;
        let mut plain = Vec::new();
        flate2::read::DeflateDecoder::new(file)
            .take(BEGINNING)
            .read_to_end(&mut plain)?;
        let extent = Extent {
            begin: 0,
            end: u64::try_from(plain.len()).unwrap_or(u64::MAX),
            encoding: Encoding::ExplicitLittle,
        };
        walk::walk(
            &mut BufReader::new(Cursor::new(plain)),
            extent,
            Some(LAST),
            &mut take,
        )?;
    } else {
        let extent = Extent { begin, end, encoding };
        walk::walk(&mut BufReader::new(file), extent, Some(LAST), &mut take)?;
    }
    Ok((meta, facts))
}
