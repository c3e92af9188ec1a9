//! The one regular file in a tar that the engine made of it.

/// Tar is written in blocks of this size.
const BLOCK: usize = 512;

/// Room that headers, extended headers and padding need beside the content of one file, in bytes.
pub(super) const OVERHEAD: u64 = 64 << 10;

/// The content of the first regular file of a tar, `None` if there is none or the tar is cut short.
pub(super) fn first_file(tar: &[u8]) -> Option<&[u8]> {
    let mut rest = tar;
    loop {
        let (header, body) = rest.split_at_checked(BLOCK)?;
        let size = octal(header.get(124..136)?)?;
        match header.get(156)? {
            0 | b'0' => return body.get(..size),
            // Headers that say more about the entry that follows (long names, precise times).
            b'x' | b'g' | b'L' | b'K' => rest = body.get(size.checked_next_multiple_of(BLOCK)?..)?,
            _ => return None,
        }
    }
}

/// A number of a tar header: octal digits between spaces and zero bytes.
fn octal(field: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    usize::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::first_file;

    fn entry(kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, content).unwrap();
        let mut bytes = builder.into_inner().unwrap();
        // Without the two zero blocks of the end, so that entries can be put together.
        bytes.truncate(bytes.len() - 1024);
        bytes
    }

    #[test]
    fn reads_the_file_behind_extended_headers() {
        let tar = [
            entry(tar::EntryType::XHeader, &[b'x'; 700]),
            entry(tar::EntryType::Regular, b"content"),
        ]
        .concat();
        assert_eq!(first_file(&tar), Some(&b"content"[..]));
    }

    #[test]
    fn reads_an_empty_file() {
        assert_eq!(first_file(&entry(tar::EntryType::Regular, b"")), Some(&b""[..]));
    }

    #[test]
    fn finds_nothing_in_what_is_not_one_file() {
        let whole = entry(tar::EntryType::Regular, b"content");
        assert_eq!(first_file(&whole[..515]), None, "cut short");
        assert_eq!(
            first_file(&entry(tar::EntryType::Directory, b"")),
            None,
            "a directory"
        );
        assert_eq!(first_file(&[0; 1024]), None, "an empty tar");
        assert_eq!(first_file(b""), None, "nothing");
        assert_eq!(first_file(&[0xff; 512]), None, "noise");
    }
}
