//! A copy of an object with other elements. Everything that is not changed is copied as it is, byte by byte, from file to
//! file: pixel data is never in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::encode::{Encoder, UNDEFINED};
use super::object::Object;
use super::walk::{Element, Extent};
use crate::dicom::part10;
use crate::dicom::transfer_syntax::{self, Encoding};

/// What becomes of one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// It has this value, whether it was there or not.
    Set([u8; 2], Vec<u8>),
    /// A sequence has these items behind those it has.
    Append(Vec<u8>),
}

/// By tag.
pub(super) type Edits = BTreeMap<u32, Edit>;

/// A part of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// From the source, from here to there.
    Copied(u64, u64),
    New(Vec<u8>),
}

/// A value is too long for its element, or a sequence cannot take an item.
#[derive(Debug, thiserror::Error)]
#[error("a value cannot be written into the object")]
pub(super) struct Unwritable;

/// The data set with its edits, as pieces in their order.
pub(super) fn pieces(elements: &[Element], extent: Extent, edits: &Edits) -> Result<Vec<Piece>, Unwritable> {
    let encoder = Encoder(extent.encoding);
    let touched: BTreeSet<u32> = edits.keys().map(|tag| tag >> 16).collect();
    let mut pieces = Pieces::default();
    let mut edits = edits.iter().peekable();
    for element in elements {
        while let Some((tag, edit)) = edits.next_if(|(tag, _)| **tag < element.tag) {
            pieces.add(*tag, edit, None, encoder)?;
        }
        if let Some((tag, edit)) = edits.next_if(|(tag, _)| **tag == element.tag) {
            pieces.add(*tag, edit, Some(element), encoder)?;
        } else if element.tag.trailing_zeros() >= 16 && touched.contains(&(element.tag >> 16)) {
            // The length of a group (retired) that is another now.
        } else {
            pieces.copy(element.start, element.end);
        }
    }
    for (tag, edit) in edits {
        pieces.add(*tag, edit, None, encoder)?;
    }
    Ok(pieces.0)
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn copy(&mut self, from: u64, to: u64) {
        match self.0.last_mut() {
            Some(Piece::Copied(_, end)) if *end == from => *end = to,
            _ => self.0.push(Piece::Copied(from, to)),
        }
    }

    fn write(&mut self, bytes: Option<Vec<u8>>) -> Result<(), Unwritable> {
        self.0.push(Piece::New(bytes.ok_or(Unwritable)?));
        Ok(())
    }

    fn add(
        &mut self,
        tag: u32,
        edit: &Edit,
        there: Option<&Element>,
        encoder: Encoder,
    ) -> Result<(), Unwritable> {
        match (edit, there) {
            (Edit::Set(vr, value), _) => self.write(encoder.element(tag, *vr, value)),
            (Edit::Append(items), None) => self.write(encoder.element(tag, *b"SQ", items)),
            (Edit::Append(items), Some(there)) if there.vr == *b"SQ" => {
                self.write(encoder.header(tag, *b"SQ", UNDEFINED))?;
                let delimiter = if there.undefined { 8 } else { 0 };
                self.copy(there.value, there.end.saturating_sub(delimiter));
                self.write(Some(items.clone()))?;
                self.write(Some(encoder.end_of_sequence()))
            }
            (Edit::Append(_), Some(_)) => Err(Unwritable),
        }
    }
}

/// Writes the file, whole or not at all: beside `target`, synced, renamed. `beside` is nobody else's.
pub(super) fn write(object: &mut Object, pieces: &[Piece], beside: &Path, target: &Path) -> io::Result<()> {
    let head = part10::head(&object.meta, None).map_err(|error| io::Error::other(error.to_string()))?;
    let mut file = File::create(beside)?;
    file.write_all(&head)?;
    let syntax = object.meta.transfer_syntax_uid.as_str();
    if transfer_syntax::encoding(syntax) == Some(Encoding::Deflated) {
        let begin = file.stream_position()?;
        let packed =
            flate2::write::DeflateEncoder::new(BufWriter::new(&mut file), flate2::Compression::default());
        let mut packed = packed;
        data_set(&mut object.source, pieces, &mut packed)?;
        packed.finish()?.flush()?;
        // Of even length (PS3.5 §A.5).
        if (file.stream_position()? - begin) % 2 == 1 {
            file.write_all(&[0])?;
        }
    } else {
        data_set(&mut object.source, pieces, &mut file)?;
    }
    file.sync_all()?;
    fs::rename(beside, target)
}

fn data_set(source: &mut File, pieces: &[Piece], out: &mut impl Write) -> io::Result<()> {
    for piece in pieces {
        match piece {
            Piece::New(bytes) => out.write_all(bytes)?,
            Piece::Copied(from, to) => {
                source.seek(SeekFrom::Start(*from))?;
                let mut part = BufReader::with_capacity(256 << 10, Read::by_ref(source)).take(to - from);
                let copied = io::copy(&mut part, out)?;
                if copied != to - from {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
