//! Lines of the log that peers cause: so many a minute for one address, the rest counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The time that lines are counted over.
const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are told apart; what others cause within the same minute is only counted, together.
const ADDRESSES: usize = 1024;

/// Keeps one kind of line from filling the disk.
#[derive(Debug)]
pub(super) struct LogLimit {
    lines: u32,
    seen: HashMap<IpAddr, Seen>,
    /// Not logged, of addresses that are not told apart or are forgotten.
    others: u64,
}

#[derive(Debug)]
struct Seen {
    since: Instant,
    lines: u32,
    silent: u64,
}

impl LogLimit {
    /// At most `lines` a minute for one address.
    pub(super) fn new(lines: u32) -> Self {
        Self {
            lines,
            seen: HashMap::new(),
            others: 0,
        }
    }

    /// Whether a line about that address is due; if so, how many were left out since the last one.
    pub(super) fn due(&mut self, address: IpAddr, now: Instant) -> Option<u64> {
        if self.seen.len() >= ADDRESSES && !self.seen.contains_key(&address) {
            self.forget(now);
            if self.seen.len() >= ADDRESSES {
                self.others += 1;
                return None;
            }
        }
        let seen = self.seen.entry(address).or_insert(Seen {
            since: now,
            lines: 0,
            silent: 0,
        });
        if now.duration_since(seen.since) >= WINDOW {
            (seen.since, seen.lines) = (now, 0);
        }
        if seen.lines == self.lines {
            seen.silent += 1;
            return None;
        }
        seen.lines += 1;
        Some(std::mem::take(&mut seen.silent) + std::mem::take(&mut self.others))
    }

    fn forget(&mut self, now: Instant) {
        let others = &mut self.others;
        self.seen.retain(|_, seen| {
            let recent = now.duration_since(seen.since) < WINDOW;
            *others += if recent { 0 } else { seen.silent };
            recent
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn an_address_has_its_lines_a_minute_and_the_rest_is_counted() {
        let (mut limit, start) = (LogLimit::new(2), Instant::now());
        let dues: Vec<_> = (0..5).map(|_| limit.due(address(1), start)).collect();
        assert_eq!(dues, [Some(0), Some(0), None, None, None]);
        assert_eq!(limit.due(address(2), start), Some(0));
        let later = start + WINDOW;
        assert_eq!(limit.due(address(1), later), Some(3));
        assert_eq!(limit.due(address(1), later), Some(0));
        assert_eq!(limit.due(address(1), later), None);
    }

    #[test]
    fn many_addresses_take_no_memory_and_nothing_is_lost_from_the_count() {
        let (mut limit, start) = (LogLimit::new(1), Instant::now());
        let mut told = 0;
        for number in 0..5000 {
            let due = limit.due(address(number % 2500), start);
            told += due.map_or(0, |left_out| 1 + left_out);
        }
        assert_eq!(limit.seen.len(), ADDRESSES);
        let left_out = limit.due(address(9999), start + WINDOW).unwrap();
        assert_eq!(told + left_out, 5000);
    }
}
