//! Numbers as DS (PS3.5 §6.2): at most 16 characters.

/// The longest DS, in characters.
const LONGEST: usize = 16;

/// A number as near as 16 characters allow, and whether it is the number itself.
#[must_use]
pub fn decimal(value: f64) -> (String, bool) {
    let plain = format!("{value}");
    if plain.len() <= LONGEST {
        return (plain, true);
    }
    let error = |text: &String| {
        text.parse::<f64>()
            .map_or(f64::INFINITY, |read| (read - value).abs())
    };
    // Ones with a power of ten come last: of two that are as near, the first is taken.
    let fixed = (0..LONGEST).map(|digits| format!("{value:.digits$}"));
    let scientific = (0..LONGEST).map(|digits| format!("{value:.digits$e}"));
    let text = fixed
        .chain(scientific)
        .filter(|text| text.len() <= LONGEST)
        .min_by(|a, b| error(a).total_cmp(&error(b)))
        .unwrap_or_default();
    let exact = text.parse::<f64>().is_ok_and(|read| (read - value).abs() == 0.0);
    (text, exact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_written_as_people_do_where_it_fits() {
        for (value, text, exact) in [
            (1200.5, "1200.5", true),
            (0.0, "0", true),
            (-3.0, "-3", true),
            (1.0 / 3.0, "0.33333333333333", false),
            (1_234.567_890_123_456_7, "1234.56789012346", false),
            (1e300, "1e300", true),
            (-1.234_567_890_123_456_7e-300, "-1.23456789e-300", false),
        ] {
            assert_eq!(decimal(value), (text.to_owned(), exact));
        }
    }

    proptest! {
        #[test]
        fn every_number_fits_and_is_near(value in proptest::num::f64::NORMAL) {
            let (text, exact) = decimal(value);
            prop_assert!(!text.is_empty() && text.len() <= LONGEST, "{text}");
            let read: f64 = text.parse().unwrap();
            prop_assert!(((read - value) / value).abs() < 1e-7, "{text} is not {value}");
            prop_assert!(!exact || read == value);
        }
    }
}
