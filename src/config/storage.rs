//! `[storage]`

use std::time::Duration;

use crate::model::{Durability, Keep, Reader};

/// `[storage]`: what "stored" means, how full the disk may get, and how long jobs are kept.
#[derive(Clone, Copy, Debug)]
pub struct StorageConfig {
    /// `durability`: what an object has to survive before it is answered with Success. Default `instance`.
    pub durability: Durability,
    /// `reserve`: bytes of the data directory's disk that are left free: below it new associations are refused for the
    /// moment and C-STORE answers A700. Default 1 GiB.
    pub reserve: u64,
    /// `resume`: bytes that have to be free again before receiving goes on. Not below `reserve`; default a quarter above
    /// it.
    pub resume: u64,
    /// `reserve_files`: files that the disk can still take (its free inodes) when receiving stops; it goes on a quarter
    /// above. Default 1000; a file system that does not count them never runs out of them.
    pub reserve_files: u64,
    /// `keep`: how long the files of a job are kept after its end, where its bucket says nothing else. Default forever:
    /// nothing is removed that nobody asked for.
    pub keep: Keep,
    /// `make_room`: bytes; while less is free, the oldest jobs that are over are removed, whatever `keep` says, but for
    /// buckets that say `forever` themselves. Default: none are.
    pub make_room: Option<u64>,
    /// `commit_for`: how long objects are kept that storage commitment was given for, whatever `keep` and `make_room` say: by
    /// the clock, and while the node runs. Default 7 days.
    pub commit_for: Keep,
    /// `commit_completes`: whether a request for storage commitment that lists all of an open set starts its job at once.
    /// Default true; false where a scanner asks series by series.
    pub commit_completes: bool,
}

/// A quarter more: where receiving goes on after it stopped at a mark.
#[must_use]
pub const fn quarter_above(mark: u64) -> u64 {
    mark.saturating_add(mark / 4)
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) fn read(r: &Reader<'_>) -> StorageConfig {
    let words = [
        ("instance", Durability::Instance),
        ("association", Durability::Association),
        ("none", Durability::None),
    ];
    let reserve = r.bytes("reserve").unwrap_or(1 << 30);
    let config = StorageConfig {
        durability: r.word("durability", &words).unwrap_or_default(),
        reserve,
        resume: r.bytes("resume").unwrap_or_else(|| quarter_above(reserve)),
        reserve_files: r.whole("reserve_files", 1..=1_000_000_000).unwrap_or(1000),
        keep: r.text("keep", Keep::parse).unwrap_or_default(),
        make_room: r.bytes("make_room"),
        commit_for: r.text("commit_for", Keep::parse).unwrap_or(Keep::For(WEEK)),
        commit_completes: r.flag("commit_completes").unwrap_or(true),
    };
    if config.resume < config.reserve {
        r.find("resume", "has to be at least reserve: receiving stops below that");
    }
    r.deny_unknown();
    config
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use std::cell::RefCell;

    use super::*;

    fn read_all(value: &serde_json::Value) -> (StorageConfig, Vec<String>) {
        let findings = RefCell::default();
        let config = read(&Reader::new(value.as_object().unwrap(), &findings));
        (
            config,
            findings.into_inner().iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn receiving_goes_on_a_quarter_above_the_reserve_and_everything_is_kept_unless_told_otherwise() {
        let (config, findings) = read_all(&json!({ "reserve": "4GiB" }));
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!((config.reserve, config.resume), (4 << 30, 5 << 30));
        assert_eq!((config.keep, config.make_room), (Keep::Forever, None));
    }

    #[test]
    fn a_mark_below_the_one_where_receiving_stops_is_found_and_so_is_an_age_that_is_none() {
        let (_, findings) = read_all(&json!({ "reserve": "2GiB", "resume": "1GiB", "keep": "long" }));
        let all = findings.join("\n");
        assert!(all.contains("resume: has to be at least reserve"), "{all}");
        assert!(
            all.contains("keep: \"long\": an age is written like \"30d\""),
            "{all}"
        );
        let (config, _) = read_all(&json!({ "keep": "730d", "make_room": "2GiB" }));
        assert_eq!(config.keep, Keep::For(Duration::from_secs(730 * 24 * 3600)));
        assert_eq!(config.make_room, Some(2 << 30));
    }
}
