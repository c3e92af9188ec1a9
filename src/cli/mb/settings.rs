//! `.mb` and `.magickbox` in the home directory, as the original reads and writes them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::files::replace_file;

/// More than this is no file of settings, in bytes.
const LONGEST: u64 = 1 << 20;

/// Who sends, and how long a machine is waited for: `~/.mb`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// What nodes are told as the sender.
    #[serde(rename = "Sender", default = "unknown")]
    pub sender: String,
    /// For an answer to a question, in nanoseconds.
    #[serde(rename = "Timeout", default = "second")]
    pub timeout: u64,
    /// What other versions keep there.
    #[serde(flatten)]
    other: Map<String, Value>,
}

fn unknown() -> String {
    "unknown".to_owned()
}

const fn second() -> u64 {
    1_000_000_000
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sender: unknown(),
            timeout: second(),
            other: Map::new(),
        }
    }
}

impl Settings {
    /// Those of this person; the original's defaults where there are none.
    ///
    /// # Errors
    /// A file that cannot be read or is no JSON.
    pub fn load() -> Result<Self> {
        Ok(read(&file(".mb")?)?.unwrap_or_default())
    }

    /// Changes them.
    ///
    /// # Errors
    /// As [`Settings::load`]; what writing says.
    pub fn change(change: impl FnOnce(&mut Self)) -> Result<()> {
        let mut settings = Self::load()?;
        change(&mut settings);
        write(&file(".mb")?, &settings)
    }

    /// For an answer to a question; 0 would be none at all.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.timeout).max(Duration::from_millis(1))
    }
}

/// A machine of `~/.magickbox`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Address or name.
    #[serde(rename = "Machine")]
    pub machine: String,
    /// Port, as text.
    #[serde(rename = "Port")]
    pub port: String,
    /// What other versions keep there.
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Entry {
    /// A machine.
    pub fn new(machine: &str, port: &str) -> Self {
        Self {
            machine: machine.to_owned(),
            port: port.to_owned(),
            other: Map::new(),
        }
    }
}

/// The machines of this person.
///
/// # Errors
/// A file that cannot be read or is no such list.
pub(super) fn active_machines() -> Result<Vec<Entry>> {
    Ok(read(&file(".magickbox")?)?.unwrap_or_default())
}

/// Keeps the machines.
///
/// # Errors
/// What writing says.
pub(super) fn save_active_machines(machines: &[Entry]) -> Result<()> {
    write(&file(".magickbox")?, &machines)
}

fn file(name: &str) -> Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    Ok(home
        .with_context(|| format!("there is no home directory to keep {name} in (HOME)"))?
        .join(name))
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>> {
    use std::io::Read;
    let mut text = String::new();
    let opened = match std::fs::File::open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    opened
        .take(LONGEST)
        .read_to_string(&mut text)
        .with_context(|| format!("read {}", path.display()))?;
    // `null` is how the original writes a list without entries, and it may leave an empty file behind.
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is not what mb keeps there: mend it or move it away",
            path.display()
        )
    })
}

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value)?;
    // Where it is a link, what it points to is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    replace_file(&path, &text).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_original_wrote_is_read_and_kept() {
        let text = r#"[{"Machine": "10.0.0.1", "Port": "2813", "Sender": "", "Status": null}]"#;
        let read: Vec<Entry> = serde_json::from_str(text).unwrap();
        assert_eq!(
            (read[0].machine.as_str(), read[0].port.as_str()),
            ("10.0.0.1", "2813")
        );
        let again: Value = serde_json::to_value(&read).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(text).unwrap());
        let settings: Settings = serde_json::from_str(r#"{"Sender": "a:b", "Timeout": 5000000000}"#).unwrap();
        assert_eq!(
            (settings.sender.as_str(), settings.time()),
            ("a:b", Duration::from_secs(5))
        );
    }
}
