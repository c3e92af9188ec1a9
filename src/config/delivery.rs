//! `[delivery]`
//!
//! What does not arrive for a reason that may pass is tried again after `first_retry`, then after twice as long each time up to
//! `longest_retry`, until the node has run for `give_up` since the first attempt; then it is held. By default that is 30 s, 1 min,
//! 2 min … 32 min, 1 h, 1 h … for 72 h.

use std::time::Duration;

use crate::model::{AeTitle, Reader};

/// `[delivery]`: how results are sent.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// `calling_ae_title`: our title when we send. Default `MAGICKBOX`.
    pub calling: AeTitle,
    /// `first_retry`: wait after the first failure; doubled each time. Default 30 s.
    pub first_retry: Duration,
    /// `longest_retry`: the longest wait between two tries. Default 1 h.
    pub longest_retry: Duration,
    /// `give_up`: after this long without success, while the node runs, a delivery is held. Default 72 h.
    pub give_up: Duration,
    /// `connect`: time for the connection to a peer to open. Default 10 s.
    pub connect: Duration,
    /// `response`: time for a peer to answer one message. Default 60 s.
    pub response: Duration,
    /// `commit_timeout`: time for a destination to say that it keeps what it took, where its `[[remote_ae]]` has
    /// `commit = true`. Default 1 h.
    pub commit_timeout: Duration,
    /// `commit_tries`: how often it is asked before that is shown as not committed. Default 3.
    pub commit_tries: u32,
}

pub(super) fn read(r: &Reader<'_>) -> DeliveryConfig {
    #[expect(clippy::expect_used, reason = "a constant title that a test parses")]
    let own = || AeTitle::parse("MAGICKBOX").expect("a valid AE title");
    let config = DeliveryConfig {
        calling: r.text("calling_ae_title", AeTitle::parse).unwrap_or_else(own),
        first_retry: r.duration("first_retry").unwrap_or(Duration::from_secs(30)),
        longest_retry: r.duration("longest_retry").unwrap_or(Duration::from_secs(3600)),
        give_up: r.duration("give_up").unwrap_or(Duration::from_secs(72 * 3600)),
        connect: r.duration("connect").unwrap_or(Duration::from_secs(10)),
        response: r.duration("response").unwrap_or(Duration::from_secs(60)),
        commit_timeout: r.duration("commit_timeout").unwrap_or(Duration::from_secs(3600)),
        commit_tries: r
            .whole("commit_tries", 1..=100)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(3),
    };
    r.deny_unknown();
    config
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::config::Config;

    #[test]
    fn a_destination_that_is_away_over_a_long_weekend_loses_nothing_by_default() {
        let delivery = Config::load(None).unwrap().delivery;
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        assert_eq!(delivery.first_retry, Duration::from_secs(30));
        assert_eq!(delivery.longest_retry, hours(1));
        assert_eq!(delivery.give_up, hours(72));
        assert_eq!(delivery.connect, Duration::from_secs(10));
        assert_eq!(delivery.response, Duration::from_secs(60));
        assert_eq!((delivery.commit_timeout, delivery.commit_tries), (hours(1), 3));
        assert_eq!(delivery.calling.as_str(), "MAGICKBOX");
    }
}
