//! The directory that lasts between runs: seeded from an image, taken out as a tar, replaced by one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::files;

/// The largest first content of a memory, in bytes of tar.
pub(super) const LARGEST_SEED: u64 = 16 << 30;

/// Files and directories a memory may be replaced by, at most.
const MOST_ENTRIES: u64 = 1_000_000;

/// Why a memory was not taken out or replaced.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The tar is broken.
    #[error("it is no tar file, or broken ({0}): make one with buckets memory export")]
    NotATar(io::Error),
    /// Something in it has no place in a memory.
    #[error("{entry:?} {why}: nothing was replaced")]
    Hostile {
        /// Its name in the tar.
        entry: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Too much comes out of it.
    #[error("more than {limit} bytes or {MOST_ENTRIES} files come out of it")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// A run uses it.
    #[error(
        "a run of {0} is under way: wait for it (buckets list shows), or let no more begin (buckets disable)"
    )]
    InUse(crate::model::AeTitle),
    /// There is no such bucket.
    #[error("no bucket is installed for AE title {0}")]
    NotInstalled(crate::model::AeTitle),
    /// The upload it comes from.
    #[error(transparent)]
    Upload(#[from] super::UploadError),
    /// The disk did not answer.
    #[error("the bucket's memory: {0}")]
    Io(#[from] io::Error),
    /// The store did not.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

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

/// Writes a memory as a tar of files, directories and links; sockets and devices are left out.
pub(super) fn export(memory: &Path, tar: &mut File) -> io::Result<()> {
    let mut builder = tar::Builder::new(io::BufWriter::with_capacity(1 << 20, tar));
    builder.follow_symlinks(false);
    let mut rest = vec![PathBuf::new()];
    while let Some(directory) = rest.pop() {
        let mut entries = files::entries(&memory.join(&directory))?;
        entries.sort();
        for path in entries {
            let Some(name) = path.file_name() else { continue };
            let name = directory.join(name);
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() {
                builder.append_dir(&name, &path)?;
                rest.push(name);
            } else if kind.is_file() || kind.is_symlink() {
                builder.append_path_with_name(&path, &name)?;
            }
        }
    }
    builder
        .into_inner()?
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    Ok(())
}

/// Unpacks a tar beside a memory, for [`put_in_place`]; refuses the whole of it for one entry that has no place there.
pub(super) fn unpack(tar: &Path, memory: &Path, limit: u64) -> Result<PathBuf, MemoryError> {
    let beside = memory.with_extension("new");
    files::remove_directory(&beside)?;
    fs::create_dir_all(&beside)?;
    let unpacked = unpack_into(tar, &beside, limit);
    if unpacked.is_err() {
        files::remove_directory(&beside)?;
    }
    unpacked.map(|()| beside)
}

fn unpack_into(tar: &Path, beside: &Path, limit: u64) -> Result<(), MemoryError> {
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 20, File::open(tar)?));
    archive.set_mask(0o7000);
    archive.set_preserve_permissions(true);
    let (mut entries, mut bytes) = (0, 0_u64);
    // Nothing may be put behind a link: where that is, only the disk knows.
    let mut links = BTreeSet::new();
    for entry in archive.entries().map_err(MemoryError::NotATar)? {
        let mut entry = entry.map_err(MemoryError::NotATar)?;
        entries += 1;
        bytes = bytes.saturating_add(entry.size());
        if bytes > limit || entries > MOST_ENTRIES {
            return Err(MemoryError::TooLarge { limit });
        }
        check(&entry, &mut links)?;
        entry.unpack_in(beside).map_err(MemoryError::NotATar)?;
    }
    // Two blocks of zeros are an empty tar: that of an empty memory.
    if entries == 0 && fs::metadata(tar)?.len() < 1024 {
        let nothing = io::Error::new(io::ErrorKind::InvalidData, "nothing is in it");
        return Err(MemoryError::NotATar(nothing));
    }
    // In place it counts as whole, so it has to be on the disk before.
    rustix::fs::syncfs(File::open(beside)?).map_err(io::Error::from)?;
    Ok(())
}

/// Refuses an entry that has no place in a memory: it would be, or lead, out of it.
fn check<R: io::Read>(entry: &tar::Entry<'_, R>, links: &mut BTreeSet<PathBuf>) -> Result<(), MemoryError> {
    let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let hostile = |why| {
        Err(MemoryError::Hostile {
            entry: shown.clone(),
            why,
        })
    };
    let path = entry.path().map_err(MemoryError::NotATar)?;
    let Some(path) = plain(&path) else {
        return hostile("is absolute or leads out of the memory");
    };
    if path.ancestors().any(|above| links.contains(above)) {
        return hostile("is behind a link");
    }
    let target = || entry.link_name().ok().flatten();
    match entry.header().entry_type() {
        tar::EntryType::Regular | tar::EntryType::Directory | tar::EntryType::GNUSparse => Ok(()),
        tar::EntryType::Symlink => {
            let depth = path.components().count().saturating_sub(1);
            if !target().is_some_and(|target| stays_inside(&target, depth)) {
                return hostile("is a link out of the memory");
            }
            links.insert(path);
            Ok(())
        }
        tar::EntryType::Link => match target().and_then(|target| plain(&target)) {
            Some(target) if !target.ancestors().any(|above| links.contains(above)) => Ok(()),
            _ => hostile("is a link out of the memory"),
        },
        _ => hostile("is neither file, directory nor link"),
    }
}

/// A path of plain names only; `None` for any other.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(plain)
}

/// Whether a link, so many directories deep, stays inside: up first, as far as it may, then only down.
fn stays_inside(target: &Path, depth: usize) -> bool {
    let up = target
        .components()
        .take_while(|c| matches!(c, Component::ParentDir | Component::CurDir))
        .filter(|c| matches!(c, Component::ParentDir))
        .count();
    let mut down = target
        .components()
        .skip_while(|c| matches!(c, Component::ParentDir | Component::CurDir));
    up <= depth && down.all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
}

/// Puts what was unpacked in the place of a memory, in one step: a crash leaves the one or the other.
pub(super) fn put_in_place(unpacked: &Path, memory: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    if memory.is_dir() {
        renameat_with(CWD, unpacked, CWD, memory, RenameFlags::EXCHANGE)?;
        files::remove_directory(unpacked)?;
    } else {
        fs::rename(unpacked, memory)?;
    }
    files::sync_directory(memory.parent().unwrap_or(memory))
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

    /// A tar of entries: kind, name, content or target of a link.
    fn tar_of(path: &Path, entries: &[(tar::EntryType, &str, &str)]) {
        let mut builder = tar::Builder::new(File::create(path).unwrap());
        for (kind, name, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            let is_file = *kind == tar::EntryType::Regular;
            header.set_size(if is_file { text.len() as u64 } else { 0 });
            if !is_file && !text.is_empty() {
                header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
            }
            header.set_cksum();
            let content = if is_file { text.as_bytes() } else { b"" };
            builder.append(&header, content).unwrap();
        }
        builder.finish().unwrap();
    }

    #[test]
    fn a_memory_that_was_taken_out_comes_back_whole_in_one_step() {
        let home = tempfile::tempdir().unwrap();
        let (from, to) = (home.path().join("from"), home.path().join("memory"));
        fs::create_dir_all(from.join("norms/deep")).unwrap();
        fs::write(from.join("norms/deep/table.csv"), "1,2").unwrap();
        std::os::unix::fs::symlink("deep/table.csv", from.join("norms/latest")).unwrap();
        std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("old"), "x").unwrap();

        let tar = home.path().join("m.tar");
        export(&from, &mut File::create(&tar).unwrap()).unwrap();
        let unpacked = unpack(&tar, &to, 1 << 20).unwrap();
        assert!(to.join("old").exists(), "not before it is put in place");
        put_in_place(&unpacked, &to).unwrap();
        assert_eq!(fs::read(to.join("norms/latest")).unwrap(), b"1,2");
        assert!(!to.join("old").exists() && !to.join("socket").exists());
        let left: BTreeSet<_> = files::entries(home.path()).unwrap().into_iter().collect();
        assert_eq!(left, BTreeSet::from([from, tar, to]));
    }

    #[test]
    fn one_entry_that_leads_out_of_a_memory_refuses_the_whole_tar() {
        use tar::EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};
        let cases: [&[(tar::EntryType, &str, &str)]; 12] = [
            &[(Regular, "../outside", "x")],
            &[(Regular, "/etc/outside", "x")],
            &[(Regular, "a/../../outside", "x")],
            &[(Symlink, "l", "/etc")],
            &[(Symlink, "l", "../outside")],
            &[(Symlink, "l", "a/../../outside")],
            &[(Symlink, "l", "."), (Symlink, "l/m", "../outside")],
            &[(Directory, "d", ""), (Symlink, "l", "d"), (Regular, "l/x", "x")],
            &[(Link, "h", "/etc/passwd")],
            &[(Symlink, "l", "d"), (Link, "h", "l/x")],
            &[(Char, "dev", "")],
            &[(Fifo, "pipe", ""), (Block, "disk", "")],
        ];
        for entries in cases {
            let home = tempfile::tempdir().unwrap();
            let (tar, memory) = (home.path().join("m.tar"), home.path().join("a/memory"));
            fs::create_dir_all(&memory).unwrap();
            tar_of(&tar, &[&[(Regular, "good", "x")], entries].concat());
            let error = unpack(&tar, &memory, 1 << 20).unwrap_err();
            assert!(
                matches!(error, MemoryError::Hostile { .. }),
                "{entries:?}: {error}"
            );
            assert_eq!(
                files::entries(&home.path().join("a")).unwrap(),
                [memory],
                "{entries:?}"
            );
            assert!(!home.path().join("outside").exists() && !home.path().join("a/outside").exists());
        }
    }

    #[test]
    fn a_tar_that_is_too_large_or_none_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let (tar, memory) = (home.path().join("m.tar"), home.path().join("memory"));
        tar_of(&tar, &[(tar::EntryType::Regular, "a", "0123456789")]);
        assert!(matches!(
            unpack(&tar, &memory, 9),
            Err(MemoryError::TooLarge { limit: 9 })
        ));
        for bad in [b"".as_slice(), b"no tar at all", &[0xff; 1024]] {
            fs::write(&tar, bad).unwrap();
            assert!(
                matches!(unpack(&tar, &memory, 1 << 20), Err(MemoryError::NotATar(_))),
                "{bad:?}"
            );
        }
        assert!(!memory.with_extension("new").exists());
    }
}
