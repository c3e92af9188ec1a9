//! The name of a graphics processor.

use std::fmt;

/// One graphics processor, as the container engine's GPU driver names it: its index (`0`), the UUID of a device or of a
/// part of one (`GPU-…`, `MIG-…`), or its name in the Container Device Interface (`nvidia.com/gpu=0`, `amd.com/gpu=1`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GpuId(String);

/// Longer names are not read.
const LONGEST: usize = 128;

const HOW: &str = "a GPU is named by its index, \"0\", its UUID, \"GPU-…\" or \"MIG-…\", or its CDI name, \"nvidia.com/gpu=0\"";

impl GpuId {
    /// Reads a name. Names that mean several devices or none (`all`, `none`) are none.
    ///
    /// # Errors
    /// What a name looks like.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let known = match text.split_once('=') {
            Some((kind, name)) => is_kind(kind) && is_name(name) && name != "all",
            None if is_index(text) => true,
            None => ["GPU-", "MIG-"]
                .iter()
                .any(|prefix| text.strip_prefix(prefix).is_some_and(is_name)),
        };
        if known && text.len() <= LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(HOW)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether two names may mean the same device: they are equal, or written in different ways, so that nobody can tell.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        self == other || self.way() != other.way()
    }

    /// The way a name is written: through CDI or not, an index or not.
    fn way(&self) -> (bool, bool) {
        let name = self.0.split_once('=').map(|(_, name)| name);
        (name.is_some(), is_index(name.unwrap_or(&self.0)))
    }
}

impl fmt::Display for GpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Written in one way only, so that no device has two names.
fn is_index(text: &str) -> bool {
    text.len() <= 4
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
        && !text.is_empty()
}

/// `vendor/class` of CDI.
fn is_kind(kind: &str) -> bool {
    let plain = |part: &str| is_plain(part, b"._-") && part.starts_with(|c: char| c.is_ascii_alphabetic());
    kind.split_once('/')
        .is_some_and(|(vendor, class)| plain(vendor) && plain(class))
}

fn is_name(name: &str) -> bool {
    is_plain(name, b"._:/-") && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_plain(text: &str, more: &[u8]) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 7] = [
        "0",
        "15",
        "GPU-fef8089b-4820-abfc-e83e-94318197576e",
        "MIG-GPU-fef8089b/1/0",
        "nvidia.com/gpu=0",
        "nvidia.com/gpu=1:0",
        "amd.com/gpu=GPU-1",
    ];

    #[test]
    fn names_of_one_device_are_read_and_all_others_are_not() {
        for name in NAMES {
            assert_eq!(GpuId::parse(name).unwrap().as_str(), name);
        }
        let long = format!("GPU-{}", "0".repeat(LONGEST));
        for other in [
            "",
            "all",
            "none",
            "void",
            "-1",
            "00",
            "01",
            "0,1",
            "0 ",
            "GPU-",
            "GPU-a,b",
            "GPU-a b",
            "nvidia.com/gpu=all",
            "nvidia.com/gpu=",
            "nvidia.com=0",
            "/gpu=0",
            "=0",
            "a/b=c=d",
            "a/b=c\n",
            &long,
        ] {
            assert_eq!(GpuId::parse(other), Err(HOW), "{other:?}");
        }
    }

    #[test]
    fn names_written_in_different_ways_may_mean_the_same_device() {
        let id = |text| GpuId::parse(text).unwrap();
        for (a, b, may) in [
            ("0", "0", true),
            ("0", "1", false),
            ("0", "GPU-a", true),
            ("GPU-a", "GPU-b", false),
            ("0", "nvidia.com/gpu=1", true),
            ("nvidia.com/gpu=0", "nvidia.com/gpu=1", false),
            ("nvidia.com/gpu=0", "nvidia.com/gpu=GPU-a", true),
        ] {
            assert_eq!(
                (id(a).may_be(&id(b)), id(b).may_be(&id(a))),
                (may, may),
                "{a} {b}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_stands_in_a_list_with_commas(text in ".{0,40}|[a-z0-9/=,.-]{0,20}") {
            if let Ok(id) = GpuId::parse(&text) {
                prop_assert!(!id.as_str().contains([',', ' ', '\n']));
            }
        }
    }
}
