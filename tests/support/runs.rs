//! Which run of the tests made something. A run is one process of a test program; what it makes outside of itself has the
//! run's name in its own, so that whoever finds it later can tell whether somebody still needs it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// A run: a process, the time of its start (clock ticks since the machine's), and the namespace of its number. A number alone
/// comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    process: u32,
    start: u64,
    place: u64,
}

static THIS: LazyLock<Run> = LazyLock::new(|| Run::of(std::process::id()));

impl Run {
    /// This process.
    pub fn this() -> Self {
        *THIS
    }

    /// That of a process which is there.
    pub fn of(process: u32) -> Self {
        Self {
            process,
            start: start_of(process).unwrap_or_default(),
            place: place(),
        }
    }

    /// The run that a word ends with the name of.
    fn at_the_end_of(word: &str) -> Option<Self> {
        let (rest, place) = word.rsplit_once('n')?;
        let (rest, start) = rest.rsplit_once('s')?;
        let (_, process) = rest.rsplit_once('r')?;
        Some(Self {
            process: u32::from_str_radix(process, 16).ok()?,
            start: u64::from_str_radix(start, 16).ok()?,
            place: u64::from_str_radix(place, 16).ok()?,
        })
    }

    /// Whether it is known to be over. One of another namespace is not.
    fn is_over(self) -> bool {
        self.place == Self::this().place && start_of(self.process) != Some(self.start)
    }
}

/// At most 21 lower-case letters and digits, which may stand in every name: of a file, an image, a container, a bucket.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process,
            start,
            place,
        } = self;
        write!(f, "r{process:x}s{start:x}n{place:x}")
    }
}

/// A name that no other run gives, now or later.
pub fn name(prefix: &str) -> String {
    format!("{prefix}{}", Run::this())
}

/// Whether a path, a name or a list of them has the name of a run in it that is over.
pub fn is_left_over(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(Run::at_the_end_of)
        .any(Run::is_over)
}

/// Removes what runs that are over left in a directory.
pub fn clean(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| is_left_over(&entry.file_name().to_string_lossy())) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// When a process began: field 22 of its `stat`, counted behind its name, which may hold anything.
fn start_of(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

/// The end of the namespace's number, which tells those of a machine apart.
fn place() -> u64 {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits: String = link
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0_u64) & 0xffff
}
