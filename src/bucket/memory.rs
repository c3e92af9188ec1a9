//! The directory that lasts between runs.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::files;

/// The largest first content of a memory, in bytes of tar.
pub(super) const LARGEST_SEED: u64 = 16 << 30;

/// Unpacks a tar of the image's `/root/storage/memory` as a bucket's memory, in one step: there is either no memory
/// or the whole of it.
///
/// The tar comes from an image and is not trusted: names that lead out of the directory are skipped, and special
/// bits are dropped.
pub(super) fn seed(tar: &Path, memory: &Path) -> io::Result<()> {
    let unpacked = memory.with_extension("new");
    files::remove_directory(&unpacked)?;
    fs::create_dir_all(&unpacked)?;
    let mut archive = tar::Archive::new(File::open(tar)?);
    archive.set_mask(0o7000);
    archive.set_preserve_permissions(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let plain = matches!(
            entry.header().entry_type(),
            tar::EntryType::Regular
                | tar::EntryType::Directory
                | tar::EntryType::Symlink
                | tar::EntryType::Link
        );
        if plain {
            entry.unpack_in(&unpacked)?;
        }
    }
    fs::rename(&unpacked, memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_the_memory_is_not_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        let tar_path = dir.path().join("seed.tar");
        let mut builder = tar::Builder::new(File::create(&tar_path).unwrap());
        let mut add = |name: &[u8], content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name);
            header.set_size(content.len() as u64);
            header.set_mode(0o6755);
            header.set_cksum();
            builder.append(&header, content).unwrap();
        };
        add(b"./norm.csv", b"1,2\n");
        add(b"../outside", b"x");
        builder.finish().unwrap();
        let memory = dir.path().join("memory");
        seed(&tar_path, &memory).unwrap();
        assert_eq!(fs::read(memory.join("norm.csv")).unwrap(), b"1,2\n");
        assert!(!dir.path().join("outside").exists());
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(memory.join("norm.csv"))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777,
            0o755
        );
    }
}
