//! Units in UCUM, the Unified Code for Units of Measure, case sensitive: whether a text is one.
//!
//! The grammar is the whole of UCUM §§3–12; the symbols are those that people measure in. A special unit in brackets is
//! taken as it is: there are hundreds, and a laboratory may have its own arbitrary ones.

/// Prefixes, longest first where one begins another.
const PREFIXES: [&str; 24] = [
    "da", "Ki", "Mi", "Gi", "Ti", "Y", "Z", "E", "P", "T", "G", "M", "k", "h", "d", "c", "m", "u", "n", "p",
    "f", "a", "z", "y",
];

/// Symbols that take a prefix.
#[rustfmt::skip] // a table
const METRIC: [&str; 49] = [
    "m", "s", "g", "rad", "K", "C", "cd", "mol", "sr", "Hz", "N", "Pa", "J", "W", "A", "V", "F", "Ohm", "S", "Wb", "Cel",
    "T", "H", "lm", "lx", "Bq", "Gy", "Sv", "l", "L", "ar", "t", "bar", "u", "eV", "pc", "cal", "eq", "osm", "kat", "U",
    "B", "Np", "bit", "By", "Bd", "dyn", "erg", "Ci",
];

/// Symbols that take none.
#[rustfmt::skip] // a table
const PLAIN: [&str; 32] = [
    "%", "deg", "'", "''", "gon", "min", "h", "d", "wk", "mo", "mo_s", "mo_j", "mo_g", "a", "a_t", "a_j", "a_g", "AU",
    "atm", "Ao", "b", "st", "att", "mho", "sph", "circ", "bit_s", "R", "REM", "RAD", "Ky", "Gal",
];

/// What people write, and what it is in UCUM.
#[rustfmt::skip] // a table: a line a kind
const MEANT: [(&str, &str); 40] = [
    ("cc", "cm3"), ("ccm", "cm3"), ("cm^3", "cm3"), ("cm³", "cm3"), ("mm^3", "mm3"), ("mm³", "mm3"), ("m³", "m3"),
    ("cm^2", "cm2"), ("cm²", "cm2"), ("mm^2", "mm2"), ("mm²", "mm2"), ("m²", "m2"),
    ("milliliter", "mL"), ("millilitre", "mL"), ("litre", "L"), ("liter", "L"), ("µL", "uL"), ("μL", "uL"),
    ("millimeter", "mm"), ("millimetre", "mm"), ("µm", "um"), ("μm", "um"), ("micron", "um"), ("inch", "[in_i]"),
    ("percent", "%"), ("pct", "%"), ("ratio", "1"), ("none", "1"), ("no units", "1"), ("count", "1"), ("score", "1"),
    ("hu", "[hnsf'U]"), ("hounsfield", "[hnsf'U]"), ("bpm", "/min"), ("sec", "s"), ("second", "s"), ("minute", "min"),
    ("hour", "h"), ("°", "deg"), ("degree", "deg"),
];

/// Whether a text is a unit.
#[must_use]
pub fn is_unit(text: &str) -> bool {
    let visible = text.bytes().all(|b| b.is_ascii_graphic());
    visible && main_term(text).is_some_and(str::is_empty)
}

/// What was perhaps meant by a text that is no unit.
#[must_use]
pub fn meant(text: &str) -> Option<&'static str> {
    let plain = text.trim();
    let exactly = MEANT.iter().find(|(written, _)| *written == plain);
    let lower = plain.to_lowercase();
    let roughly = || {
        MEANT
            .iter()
            .find(|(written, _)| *written == lower || format!("{written}s") == lower)
    };
    exactly.or_else(roughly).map(|(_, unit)| *unit)
}

/// Parentheses within each other.
const DEEPEST: u32 = 16;

/// Each part of the grammar answers what is behind it.
fn main_term(text: &str) -> Option<&str> {
    term(text.strip_prefix('/').unwrap_or(text), DEEPEST)
}

fn term(text: &str, deepest: u32) -> Option<&str> {
    let mut rest = component(text, deepest)?;
    while let Some(next) = rest.strip_prefix(['.', '/']) {
        rest = component(next, deepest)?;
    }
    Some(rest)
}

fn component(text: &str, deepest: u32) -> Option<&str> {
    if let Some(inner) = text.strip_prefix('(') {
        return term(inner, deepest.checked_sub(1)?)?.strip_prefix(')');
    }
    let text = match annotation(text) {
        Some(rest) if rest.is_empty() || rest.starts_with(['.', '/', ')']) => return Some(rest),
        // DICOM's own unit of SUV, `{SUVbw}g/ml` (PS3.16 CID 85), begins like this.
        Some(rest) => rest,
        None => text,
    };
    let power_of_ten = text.strip_prefix("10*").or_else(|| text.strip_prefix("10^"));
    let rest = match power_of_ten {
        Some(rest) => exponent(rest),
        None if text.starts_with(|c: char| c.is_ascii_digit()) => {
            text.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        None => exponent(symbol(text)?),
    };
    Some(annotation(rest).unwrap_or(rest))
}

fn annotation(text: &str) -> Option<&str> {
    let (inner, rest) = text.strip_prefix('{')?.split_once('}')?;
    (!inner.contains('{')).then_some(rest)
}

fn exponent(text: &str) -> &str {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    // A sign alone is no exponent: whoever asked finds it left over.
    if rest.len() == digits.len() { text } else { rest }
}

fn symbol(text: &str) -> Option<&str> {
    let mut within = false;
    let end = text.find(|c: char| {
        match c {
            '[' => within = true,
            ']' => within = false,
            _ => {}
        }
        !within && (c.is_ascii_digit() || "./(){}+-=\"".contains(c))
    });
    let (name, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let special = !within && name.contains('[') && name.len() > 2;
    let prefixed = || {
        PREFIXES
            .iter()
            .filter_map(|prefix| name.strip_prefix(prefix))
            .any(|atom| METRIC.contains(&atom))
    };
    let known = METRIC.contains(&name) || PLAIN.contains(&name) || special || prefixed();
    (known && !name.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_measure_in_is_a_unit() {
        for unit in [
            "1",
            "%",
            "mL",
            "ml",
            "mm",
            "mm2",
            "mm3",
            "cm3",
            "s",
            "ms",
            "/min",
            "{beats}/min",
            "[hnsf'U]",
            "g/mL",
            "kg/m2",
            "mg/dL",
            "10*6/uL",
            "10*-3",
            "m.s-2",
            "mm[Hg]",
            "um2/s",
            "deg",
            "{SUVbw}g/mL",
            "mL/min/(100.g)",
            "1{score}",
            "ug/(24.h)",
            "[iU]/L",
            "Cel",
            "a",
            "{}",
        ] {
            assert!(is_unit(unit), "{unit}");
        }
    }

    #[test]
    fn what_is_none_is_refused_and_what_was_meant_is_told() {
        for (text, meant_by_it) in [
            ("cc", Some("cm3")),
            ("mm^3", Some("mm3")),
            ("mm³", Some("mm3")),
            ("HU", Some("[hnsf'U]")),
            ("seconds", Some("s")),
            ("percent", Some("%")),
            ("bpm", Some("/min")),
            ("", None),
            ("m/", None),
            ("(m", None),
            ("m)", None),
            ("{a", None),
            ("m-", None),
            ("m m", None),
            ("furlong", None),
            ("[", None),
            ("m+", None),
        ] {
            assert!(!is_unit(text), "{text}");
            assert_eq!(meant(text), meant_by_it, "{text}");
        }
        assert!(!is_unit(&format!("{}m{}", "(".repeat(5000), ")".repeat(5000))));
    }

    #[test]
    fn whatever_is_meant_is_a_unit() {
        for (_, unit) in MEANT {
            assert!(is_unit(unit), "{unit}");
        }
    }
}
