//! What changed in a bucket, for a person to judge: short, without what every shell leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;

use crate::container::{Change, ChangeKind};

/// Lines of a report at most.
const LONGEST: usize = 14;

/// What shells, editors and the engine leave behind: no reason to make a new version.
const NOISE: [&str; 13] = [
    "/local",
    "/tmp",
    "/dev",
    "/proc",
    "/sys",
    "/.dockerenv",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/mtab",
    "/root/.bash_history",
    "/root/.ash_history",
    "/root/.viminfo",
];

/// The changes that mean something, in order of their paths.
pub(super) fn meant(changes: Vec<Change>) -> Vec<Change> {
    // The engine lists the directories above a change as changed too.
    let above: BTreeSet<String> = changes.iter().flat_map(|c| ancestors(&c.path)).collect();
    let is_noise = |path: &str| {
        NOISE
            .iter()
            .any(|n| path == *n || path.strip_prefix(n).is_some_and(|rest| rest.starts_with('/')))
    };
    let mut meant: Vec<Change> = changes
        .into_iter()
        .filter(|c| !is_noise(&c.path) && !above.contains(&c.path))
        .collect();
    meant.sort();
    meant
}

fn ancestors(path: &str) -> Vec<String> {
    path.match_indices('/')
        .filter(|(at, _)| *at > 0)
        .filter_map(|(at, _)| path.get(..at).map(str::to_owned))
        .collect()
}

/// The changes as lines: one for each path in `/root`, one for each place elsewhere.
pub(super) fn lines(changes: &[Change]) -> Vec<String> {
    let mut places: BTreeMap<(u8, String), Vec<&Change>> = BTreeMap::new();
    for change in changes {
        places.entry(place(&change.path)).or_default().push(change);
    }
    let mut lines: Vec<String> = places
        .iter()
        .take(LONGEST)
        .map(|((_, place), changes)| line(place, changes))
        .collect();
    if let Some(more) = places.len().checked_sub(LONGEST).filter(|m| *m > 0) {
        lines.push(format!("    and in {more} more places"));
    }
    lines
}

/// Whether what apt can fetch again is among them.
pub(super) fn has_package_caches(changes: &[Change]) -> bool {
    changes.iter().any(|change| {
        change.kind == ChangeKind::Added
            && ["/var/lib/apt/lists/", "/var/cache/apt/"]
                .iter()
                .any(|place| change.path.starts_with(place))
    })
}

/// Where a path is shown: the developer's own files first, each for itself.
fn place(path: &str) -> (u8, String) {
    let (rank, depth) = match path {
        _ if path.starts_with("/root/storage/") => (0, 4),
        _ if path.starts_with("/root/") => (0, 3),
        _ if path.starts_with("/var/") => (2, 3),
        _ => (1, 2),
    };
    let cut = path
        .match_indices('/')
        .nth(depth)
        .map_or(path.len(), |(at, _)| at);
    (rank, path.get(..cut).unwrap_or(path).to_owned())
}

fn line(place: &str, changes: &[&Change]) -> String {
    if let [one] = changes {
        return format!("  {} {}", sign(one.kind), shown(&one.path));
    }
    let counted: Vec<String> = [
        (ChangeKind::Added, "new"),
        (ChangeKind::Modified, "changed"),
        (ChangeKind::Deleted, "removed"),
    ]
    .into_iter()
    .filter_map(|(kind, word)| {
        let count = changes.iter().filter(|c| c.kind == kind).count();
        (count > 0).then(|| format!("{count} {word}"))
    })
    .collect();
    let first = changes.first().map_or(ChangeKind::Modified, |c| c.kind);
    let kind = if changes.iter().all(|c| c.kind == first) {
        first
    } else {
        ChangeKind::Modified
    };
    format!(
        "  {} {:<28} {}",
        sign(kind),
        format!("{}/", shown(place)),
        counted.join(", ")
    )
}

fn sign(kind: ChangeKind) -> String {
    let (sign, colour) = match kind {
        ChangeKind::Added => ('+', 32),
        ChangeKind::Modified => ('~', 33),
        ChangeKind::Deleted => ('-', 31),
    };
    if std::io::stderr().is_terminal() {
        format!("\x1b[{colour}m{sign}\x1b[0m")
    } else {
        sign.to_string()
    }
}

/// A path as the bucket made it; nothing in it moves the cursor.
fn shown(path: &str) -> String {
    path.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(of: &[(&str, ChangeKind)]) -> Vec<Change> {
        of.iter()
            .map(|(path, kind)| Change {
                path: (*path).to_owned(),
                kind: *kind,
            })
            .collect()
    }

    use ChangeKind::{Added, Deleted, Modified};

    #[test]
    fn what_every_shell_leaves_behind_is_no_change() {
        let left = changes(&[
            ("/root", Modified),
            ("/root/.bash_history", Added),
            ("/local", Added),
            ("/etc", Modified),
            ("/etc/resolv.conf", Added),
            ("/dev", Modified),
            ("/dev/console", Added),
        ]);
        assert_eq!(meant(left), []);
    }

    #[test]
    fn the_developers_files_come_first_and_packages_are_counted() {
        let mut all = vec![
            ("/usr", Modified),
            ("/usr/bin", Modified),
            ("/usr/bin/bc", Added),
            ("/usr/bin/dc", Added),
            ("/usr/bin/old", Deleted),
            ("/root", Modified),
            ("/root/work.sh", Modified),
            ("/root/storage", Modified),
            ("/root/storage/info.json", Modified),
        ];
        all.push(("/opt/\u{1b}[2Jx", Added));
        let text = lines(&meant(changes(&all)));
        assert_eq!(
            text,
            [
                "  ~ /root/storage/info.json",
                "  ~ /root/work.sh",
                "  + /opt/\u{fffd}[2Jx",
                &format!("  ~ {:<28} 2 new, 1 removed", "/usr/bin/"),
            ]
        );
    }

    #[test]
    fn a_long_report_ends() {
        let many: Vec<Change> = (0..100)
            .map(|i| Change {
                path: format!("/root/file{i:03}"),
                kind: Added,
            })
            .collect();
        let text = lines(&meant(many));
        assert_eq!(text.len(), LONGEST + 1);
        assert_eq!(text[LONGEST], "    and in 86 more places");
    }
}
