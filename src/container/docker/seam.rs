//! Where reading a log broke off and goes on.
//!
//! Engines up to 20.10 may end a followed log before its last lines when the container ends, and any restart
//! of the engine breaks it. So a log is read with the engine's timestamps, and read on from the second of the
//! last piece that came: the pieces of that second which were seen before are the first ones to come again.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What was read so far of a log, and what of it comes again.
#[derive(Default)]
pub(super) struct Seam {
    /// The newest second that was seen, Unix time.
    second: i64,
    /// The first piece of that second.
    first: Option<OffsetDateTime>,
    /// The newest piece of all.
    newest: Option<OffsetDateTime>,
    /// How many pieces of that second were seen.
    seen: u64,
    again: Again,
    /// Whether something may be missing before what comes next.
    gap: bool,
}

/// How the pieces that come again are told from the new ones.
#[derive(Default)]
enum Again {
    /// None comes again (any more).
    #[default]
    No,
    /// The next piece shows how.
    Look,
    /// So many. Counted and not compared, since two streams are not quite in the order of their times.
    Count(u64),
    /// All that are not newer; used where the engine has dropped the beginning of the second already.
    UntilNewer,
}

impl Seam {
    /// Begins to read (again): the Unix time from which to ask, 0 for all.
    pub(super) fn open(&mut self) -> i32 {
        self.again = if self.seen > 0 { Again::Look } else { Again::No };
        i32::try_from(self.second).unwrap_or(0)
    }

    /// Whether the engine has dropped the place where reading broke off, and perhaps what followed it. Asked once.
    pub(super) fn take_gap(&mut self) -> bool {
        std::mem::take(&mut self.gap)
    }

    /// Takes a piece as the engine sent it, a timestamp before it; returns what was printed unless it was
    /// returned before.
    pub(super) fn take<'a>(&mut self, piece: &'a [u8]) -> Option<&'a [u8]> {
        let Some((time, printed)) = split(piece) else {
            return Some(piece);
        };
        if let Again::Look = self.again {
            self.gap = self.first != Some(time);
            self.again = if self.gap {
                Again::UntilNewer
            } else {
                Again::Count(self.seen)
            };
        }
        match &mut self.again {
            Again::Count(left) if *left > 0 => {
                *left -= 1;
                return None;
            }
            Again::UntilNewer if self.newest.is_some_and(|newest| time <= newest) => return None,
            _ => self.again = Again::No,
        }
        if time.unix_timestamp() > self.second {
            (self.second, self.first, self.seen) = (time.unix_timestamp(), Some(time), 0);
        }
        if time.unix_timestamp() == self.second {
            self.seen += 1;
        }
        self.newest = self.newest.max(Some(time));
        Some(printed)
    }
}

/// The timestamp before a piece, and the piece.
fn split(piece: &[u8]) -> Option<(OffsetDateTime, &[u8])> {
    let (time, printed) = piece.split_at_checked(piece.iter().position(|byte| *byte == b' ')?)?;
    let time = OffsetDateTime::parse(std::str::from_utf8(time).ok()?, &Rfc3339).ok()?;
    Some((time, printed.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::Seam;

    /// Reads a log whose pieces are given as `seconds.fraction text`; returns the texts.
    fn read(seam: &mut Seam, log: &[&str]) -> String {
        let since = seam.open();
        let mut text = String::new();
        for line in log {
            let (time, printed) = line.split_once(' ').unwrap();
            if time.split_once('.').unwrap().0.parse::<i32>().unwrap() >= since {
                let piece = format!("1970-01-01T00:00:{time}Z {printed}");
                text += seam
                    .take(piece.as_bytes())
                    .map_or("", |printed| std::str::from_utf8(printed).unwrap());
            }
        }
        text
    }

    #[test]
    fn reading_on_repeats_and_loses_nothing_wherever_it_broke() {
        // Two pieces of the same time, and one that is older than the piece before it.
        let log = ["01.1 a", "02.1 b", "02.3 c", "02.2 d", "02.3 e", "03.0 f f"];
        for broken_at in 0..=log.len() {
            for again_at in broken_at..=log.len() {
                let mut seam = Seam::default();
                let first = read(&mut seam, &log[..broken_at]);
                let second = read(&mut seam, &log[..again_at]);
                assert_eq!(
                    first + &second + &read(&mut seam, &log),
                    "abcdef f",
                    "{broken_at} {again_at}"
                );
            }
        }
    }

    #[test]
    fn reading_on_in_a_log_that_lost_its_beginning_goes_on_with_what_is_newer() {
        let log = ["02.1 a", "02.2 b", "02.3 c", "02.4 d"];
        let mut seam = Seam::default();
        assert_eq!(read(&mut seam, &log[..2]), "ab");
        assert!(!seam.take_gap());
        assert_eq!(read(&mut seam, &log[1..]), "cd");
        assert!(seam.take_gap() && !seam.take_gap());
        assert_eq!(read(&mut seam, &log[2..]), "");
    }

    #[test]
    fn a_piece_without_a_time_is_passed_on() {
        let mut seam = Seam::default();
        for piece in [&b"plain"[..], b"", b"two words", b"\xff \xff"] {
            assert_eq!(seam.take(piece), Some(piece));
        }
    }
}
