//! A tar, entry by entry. The crate `tar` reads the headers; the loop around it is here because extended headers, of
//! which a hostile tar may have gigabytes, are read there without a bound.

use std::io::{self, Read};

use ::tar::{EntryType, Header, PaxExtensions};

/// Tar is written in blocks of this size.
const BLOCK: usize = 512;

/// The longest extended header (a long name, more attributes), in bytes.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// An entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// Without leading `/` and `./`; the directory itself is empty.
    pub(super) path: String,
    pub(super) kind: EntryType,
    pub(super) mode: u32,
    pub(super) size: u64,
    /// Where a link leads to.
    pub(super) link: String,
}

/// What extended headers say of the entry that follows.
#[derive(Default)]
struct Extension {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

/// Shows every entry with its content, of which as much is read as is wanted.
///
/// # Errors
/// What is no tar, is cut short or goes beyond its bounds, in words that fit behind "not a tar of files: ".
pub(super) fn walk(
    reader: &mut dyn Read,
    visit: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut extension = Extension::default();
    let mut block = [0; BLOCK];
    while read_block(reader, &mut block)? {
        if block.iter().all(|b| *b == 0) {
            // The end; what follows is padding, which a pipe wants read.
            io::copy(reader, &mut io::sink())?;
            return Ok(());
        }
        let header = Header::from_byte_slice(&block);
        check_sum(header, &block)?;
        let size = if is_blank(&header.as_old().size) {
            0
        } else {
            header.entry_size()?
        };
        match header.entry_type() {
            EntryType::XHeader => extension.read_pax(&read_extension(reader, size)?)?,
            EntryType::XGlobalHeader => drop(read_extension(reader, size)?),
            EntryType::GNULongName => extension.path = Some(text(&read_extension(reader, size)?)),
            EntryType::GNULongLink => extension.link = Some(text(&read_extension(reader, size)?)),
            kind => {
                let said = std::mem::take(&mut extension);
                let size = said.size.unwrap_or(size);
                let path = said.path.unwrap_or_else(|| text(&header.path_bytes()));
                let link = header.link_name_bytes().unwrap_or_default();
                let entry = Entry {
                    path: inside(&path)?,
                    kind,
                    // Left blank by some writers, as for the target of a link; engines read it as none.
                    mode: header.mode().unwrap_or(0) & 0o7777,
                    size,
                    link: said.link.unwrap_or_else(|| text(&link)),
                };
                let mut content = reader.take(size);
                visit(&entry, &mut content)?;
                let left = content.limit();
                skip(reader, left)?;
                skip(reader, size.next_multiple_of(BLOCK as u64) - size)?;
            }
        }
    }
    // The end is written as blocks of zeros.
    Err(wrong("it is cut short"))
}

impl Extension {
    fn read_pax(&mut self, bytes: &[u8]) -> io::Result<()> {
        for pair in PaxExtensions::new(bytes) {
            let pair = pair?;
            match pair.key_bytes() {
                b"path" => self.path = Some(text(pair.value_bytes())),
                b"linkpath" => self.link = Some(text(pair.value_bytes())),
                b"size" => {
                    let size = text(pair.value_bytes()).parse();
                    self.size = Some(size.map_err(|_| wrong("a size that is no number"))?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// A whole block, or none at the end.
fn read_block(reader: &mut dyn Read, block: &mut [u8; BLOCK]) -> io::Result<bool> {
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(wrong("it is cut short")),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// The sum of the header's bytes, its own field taken as spaces, unsigned or (old writers) signed.
fn check_sum(header: &Header, block: &[u8; BLOCK]) -> io::Result<()> {
    let told = header
        .cksum()
        .map_err(|_| wrong("it does not begin like a tar"))?;
    let bytes = block
        .iter()
        .enumerate()
        .map(|(i, b)| if (148..156).contains(&i) { b' ' } else { *b });
    if bytes.map(u32::from).sum::<u32>() == told {
        Ok(())
    } else {
        Err(wrong("a header is damaged"))
    }
}

fn read_extension(reader: &mut dyn Read, size: u64) -> io::Result<Vec<u8>> {
    if size > LONGEST_EXTENSION {
        return Err(wrong(format!("an extended header of {size} bytes")));
    }
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(wrong("it is cut short"));
    }
    skip(reader, size.next_multiple_of(BLOCK as u64) - size)?;
    Ok(bytes)
}

fn skip(reader: &mut dyn Read, bytes: u64) -> io::Result<()> {
    if io::copy(&mut reader.take(bytes), &mut io::sink())? < bytes {
        return Err(wrong("it is cut short"));
    }
    Ok(())
}

/// Whether a number was left out.
fn is_blank(field: &[u8]) -> bool {
    field.iter().all(|b| matches!(b, 0 | b' '))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

/// A path below the root, refused if it leads out.
fn inside(path: &str) -> io::Result<String> {
    let parts: Vec<_> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(wrong(format!("{path:?} leads out of it")));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(tar: &[u8]) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        walk(&mut &tar[..], &mut |entry, _| {
            found.push((entry.path.clone(), entry.size));
            Ok(())
        })?;
        Ok(found)
    }

    fn header(kind: EntryType, size: u64) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..1].copy_from_slice(b"x");
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o755);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    #[test]
    fn long_names_of_both_kinds_are_read() {
        let long = "d/".repeat(120) + "file";
        let mut builder = ::tar::Builder::new(Vec::new());
        let mut gnu = Header::new_gnu();
        gnu.set_size(3);
        builder.append_data(&mut gnu, &long, &b"abc"[..]).unwrap();
        builder
            .append_pax_extensions([("path", long.as_bytes()), ("size", &b"700"[..])])
            .unwrap();
        let mut tar = builder.into_inner().unwrap();
        tar.truncate(tar.len() - 1024);
        tar.extend(header(EntryType::Regular, 0));
        tar.extend([b'y'; 1024]);
        tar.extend([0; 1024]);
        assert_eq!(all(&tar).unwrap(), [(long.clone(), 3), (long, 700)]);
    }

    #[test]
    fn numbers_that_are_left_out_are_nought() {
        let mut link = Header::new_gnu();
        link.as_old_mut().name[..1].copy_from_slice(b"x");
        link.set_entry_type(EntryType::Symlink);
        link.set_cksum();
        let tar = [link.as_bytes().as_slice(), &[0; 1024]].concat();
        assert_eq!(all(&tar).unwrap(), [("x".to_owned(), 0)]);
    }

    #[test]
    fn what_is_hostile_or_no_tar_is_refused_at_once() {
        let huge = header(EntryType::GNULongName, 1 << 40);
        assert!(all(&huge).unwrap_err().to_string().contains("extended header"));
        assert!(
            all(&header(EntryType::Regular, 1 << 40))
                .unwrap_err()
                .to_string()
                .contains("cut short")
        );
        assert!(all(b"PK\x03\x04 is no tar").is_err());
        assert!(all(&[7; 1024]).is_err());
        let mut out = Header::new_gnu();
        out.as_old_mut().name[..4].copy_from_slice(b"../x");
        out.set_size(0);
        out.set_mode(0o644);
        out.set_cksum();
        assert!(all(out.as_bytes()).unwrap_err().to_string().contains("leads out"));
    }
}
