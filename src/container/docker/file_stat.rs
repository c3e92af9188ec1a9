//! What the engine says about a file.

use bollard::container::PathStatResponse;

use crate::container::{FileKind, FileStat};

pub(super) fn file_stat(found: &PathStatResponse) -> FileStat {
    let kind = match found.file_mode {
        mode if mode & GO_DIRECTORY != 0 => FileKind::Directory,
        mode if mode & GO_NOT_REGULAR != 0 => FileKind::Other,
        _ => FileKind::File,
    };
    FileStat {
        kind,
        mode: unix_mode(found.file_mode),
        size: u64::try_from(found.size).unwrap_or(0),
    }
}

// The engine sends file modes as Go's os.FileMode, whose upper bits are its own.
const GO_DIRECTORY: u32 = 1 << 31;
/// Set for a symbolic link.
pub(super) const GO_SYMLINK: u32 = 1 << 27;
/// Directory, link, device, pipe, socket, character device, irregular.
const GO_NOT_REGULAR: u32 = 1 << 31 | 1 << 27 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;

fn unix_mode(go: u32) -> u32 {
    let special = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
    special
        .iter()
        .filter(|(bit, _)| go & bit != 0)
        .fold(go & 0o777, |mode, (_, unix)| mode | unix)
}

#[cfg(test)]
mod tests {
    use super::unix_mode;

    #[test]
    fn the_mode_of_go_becomes_the_mode_of_unix() {
        assert_eq!(unix_mode(0o644), 0o644);
        assert_eq!(unix_mode(1 << 31 | 0o755), 0o755);
        assert_eq!(unix_mode(1 << 31 | 1 << 20 | 0o777), 0o1777, "/tmp");
        assert_eq!(unix_mode(1 << 23 | 0o755), 0o4755, "setuid");
        assert_eq!(unix_mode(1 << 22 | 0o2755 & 0o777), 0o2755, "setgid");
    }
}
