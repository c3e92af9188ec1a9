//! The files of a zip that came: below `SCRATCHDIR/OUTPUT` or `SCRATCHDIR/INPUT`, and nowhere else.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use zip::ZipArchive;

use crate::cli::mb::ending::warn;
use crate::files::sync_directory;

/// Directories below one another in a zip.
const DEEPEST: usize = 64;

/// Unpacks a zip into a new directory; answers which. One that is there already stays as it is.
///
/// # Errors
/// A path in it that leads elsewhere, or names what is no file: then nothing is unpacked. What the disk says.
pub(super) fn unpack(path: &Path, scratchdir: &str, side: &str) -> Result<PathBuf> {
    let target = Path::new(scratchdir).join(side);
    if fs::symlink_metadata(&target).is_ok() {
        warn(&format!("{} exists, skip unpacking...", target.display()));
        return Ok(target);
    }
    let file = File::open(path).with_context(|| format!("read {}", path.display()))?;
    let mut zip =
        ZipArchive::new(BufReader::new(file)).with_context(|| format!("read {}", path.display()))?;
    let names =
        names(&mut zip, scratchdir, side).with_context(|| format!("{} was not unpacked", path.display()))?;
    // Below another name until all of it is there. What a broken run has left is in the way.
    let beside = PathBuf::from(format!(".{scratchdir}.{side}.new"));
    if fs::symlink_metadata(&beside).is_ok() {
        fs::remove_dir_all(&beside).with_context(|| format!("remove {}", beside.display()))?;
    }
    fs::create_dir(&beside).with_context(|| format!("write {}", beside.display()))?;
    for (index, name) in names {
        let place = beside.join(&name);
        let writing = || format!("write {}", place.display());
        let directory = place.parent().unwrap_or(&beside);
        fs::create_dir_all(directory).with_context(writing)?;
        let mut entry = zip.by_index(index)?;
        if entry.is_dir() {
            fs::create_dir_all(&place).with_context(writing)?;
            continue;
        }
        let mut file = File::create_new(&place).with_context(writing)?;
        io::copy(&mut entry, &mut file).with_context(writing)?;
    }
    // All of them at once: one by one, twenty thousand take minutes.
    rustix::fs::syncfs(File::open(&beside)?).with_context(|| format!("write {}", beside.display()))?;
    fs::create_dir_all(scratchdir).with_context(|| format!("write {scratchdir}"))?;
    fs::rename(&beside, &target).with_context(|| format!("write {}", target.display()))?;
    sync_directory(Path::new(scratchdir))?;
    Ok(target)
}

/// Every entry with its path below the directory, all of them looked at before the first is written.
fn names<R: io::Read + io::Seek>(
    zip: &mut ZipArchive<R>,
    scratchdir: &str,
    side: &str,
) -> Result<Vec<(usize, PathBuf)>> {
    let mut names = Vec::new();
    for index in 0..zip.len() {
        let entry = zip.by_index(index)?;
        let name = entry.name()?.into_owned();
        let Some(below) = below(&name, scratchdir, side) else {
            bail!("{name:?} in it leads out of {scratchdir}/{side}");
        };
        if entry.is_symlink() || !(entry.is_file() || entry.is_dir()) {
            bail!("{name:?} in it is no file and no directory");
        }
        if !below.as_os_str().is_empty() {
            names.push((index, below));
        }
    }
    Ok(names)
}

/// A path below `SCRATCHDIR/SIDE`; `None` for everything else.
fn below(name: &str, scratchdir: &str, side: &str) -> Option<PathBuf> {
    if name.contains(['\\', '\0']) || name.chars().any(char::is_control) {
        return None;
    }
    let mut parts = Path::new(name).components();
    let mut next = || match parts.next() {
        Some(Component::Normal(part)) => Some(Some(part.to_owned())),
        None => Some(None),
        Some(_) => None,
    };
    if next()?? != *scratchdir {
        return None;
    }
    match next()? {
        // The directory of the job itself.
        None => return Some(PathBuf::new()),
        Some(part) if part == *side => {}
        Some(_) => return None,
    }
    let mut path = PathBuf::new();
    while let Some(part) = next()? {
        path.push(part);
    }
    (path.components().count() <= DEEPEST).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_directory() {
        let good = |name: &str| below(name, "tmp.a", "OUTPUT");
        assert_eq!(good("tmp.a/OUTPUT/x/y"), Some("x/y".into()));
        assert_eq!(good("tmp.a/OUTPUT/"), Some(PathBuf::new()));
        assert_eq!(good("tmp.a/"), Some(PathBuf::new()));
        for name in [
            "",
            "x",
            "/etc/passwd",
            "../x",
            "tmp.a/OUTPUT/../../../x",
            "tmp.a/../tmp.a/OUTPUT/x",
            "tmp.a/INPUT/x",
            "tmp.b/OUTPUT/x",
            "tmp.a/OUTPUT/a\\..\\b",
            "tmp.a/OUTPUT/a\u{1b}[31m",
            "tmp.a\\OUTPUT",
        ] {
            assert_eq!(good(name), None, "{name:?}");
        }
    }
}
