//! Durations as `.mb` and `setSetting` have them: `1s`, `1m30s`, `1.5s`, `300ms`.

use std::time::Duration;

/// Units, longest first; nanoseconds of each.
const UNITS: [(&str, u64); 7] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// Reads one; `None` for anything else, and for what is below nothing or beyond 292 years.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(digits);
        let letters = behind
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanoseconds += number.parse::<f64>().ok()? * *size as f64;
        rest = behind;
    }
    (nanoseconds < i64::MAX as f64).then(|| Duration::from_nanos(nanoseconds.round() as u64))
}

/// Writes one: the units that are needed, the smallest with what is behind its point.
pub(super) fn format(duration: Duration) -> String {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let below = |unit: &str, size: u64| format!("{}{unit}", trimmed(nanoseconds, size));
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => below("ns", 1),
        1_000..1_000_000 => below("µs", 1_000),
        1_000_000..1_000_000_000 => below("ms", 1_000_000),
        _ => {
            let (hours, rest) = (nanoseconds / 3_600_000_000_000, nanoseconds % 3_600_000_000_000);
            let (minutes, rest) = (rest / 60_000_000_000, rest % 60_000_000_000);
            let seconds = trimmed(rest, 1_000_000_000);
            match (hours, minutes) {
                (0, 0) => format!("{seconds}s"),
                (0, _) => format!("{minutes}m{seconds}s"),
                _ => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// So many of a size, exactly, without zeros at the end.
fn trimmed(nanoseconds: u64, size: u64) -> String {
    let (whole, part) = (nanoseconds / size, nanoseconds % size);
    if part == 0 {
        return whole.to_string();
    }
    let digits = size.to_string().len() - 1;
    format!("{whole}.{part:0digits$}")
        .trim_end_matches('0')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["0s", "1s", "1m30s", "1.5s", "300ms", "2h0m0.25s", "15µs", "7ns"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        assert_eq!(parse("90s"), parse("1m30s"));
        assert_eq!(format(Duration::from_millis(90_500)), "1m30.5s");
    }

    #[test]
    fn what_is_none_is_none() {
        for text in ["", "1", "s", "1x", "-1s", "1s2", "1..s", "99999999999h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
