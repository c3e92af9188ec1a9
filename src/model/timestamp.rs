//! Points in time as they are stored and shown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970 in UTC; shown as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Now, by the machine's clock.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// This moment moved by `by`.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long ago `earlier` was; zero when the clock was set back in between.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As a calendar date and time in UTC.
    #[must_use]
    pub fn to_date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Reads a moment as RFC 3339 writes it, or a day, which begins at midnight UTC; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let day = time::macros::format_description!("[year]-[month]-[day]");
        if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
            return Some(moment.into());
        }
        let midnight = time::Date::parse(text, &day).ok()?.midnight().assume_utc();
        Some(midnight.into())
    }

    /// `2026-11-22T21:18:14.5Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        self.to_date_time().format(&Rfc3339).unwrap_or_default()
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(at: OffsetDateTime) -> Self {
        Self(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_utc_and_a_moment_is_where_its_offset_says() {
        for (text, shown) in [
            ("2026-11-01", Some("2026-11-01T00:00:00Z")),
            ("2026-11-01T01:30:00+02:00", Some("2026-10-31T23:30:00Z")),
            ("2026-11-31", None),
            ("yesterday", None),
            ("", None),
        ] {
            let read = Timestamp::parse(text).map(Timestamp::to_rfc3339);
            assert_eq!(read.as_deref(), shown, "{text}");
        }
    }
}
