//! The directories of a run: where the study is, where the results go, what is kept.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The input and the empty directory for the results, absolute; the latter is made if it is not there.
///
/// # Errors
/// That one is not what it has to be, by name.
pub(super) fn checked(input: &Path, output: &Path) -> Result<(PathBuf, PathBuf)> {
    let (input, output) = (checked_input(input)?, empty_directory(output)?);
    if output.starts_with(&input) {
        bail!(
            "output {} lies in the input {}: its files would be input of the next run; give a directory elsewhere",
            output.display(),
            input.display()
        );
    }
    Ok((input, output))
}

/// What the bucket sees as /memory: `kept`, or a directory beside OUTPUT.
///
/// # Errors
/// What the system says of the path.
pub(super) fn memory(kept: Option<&Path>, directory: &Path) -> Result<PathBuf> {
    match kept {
        Some(kept) => std::path::absolute(kept).with_context(|| format!("memory {}", kept.display())),
        None => Ok(directory.join("memory")),
    }
}

/// A memory has one writer, as on a node: held until the run is over. A bucket that runs more than once at a time only
/// reads it, and may read it together with others.
pub(super) fn hold(memory: &Path, shared: bool) -> Result<File> {
    let directory = File::open(memory).with_context(|| format!("memory {}", memory.display()))?;
    let held = if shared {
        directory.try_lock_shared()
    } else {
        directory.try_lock()
    };
    match held {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => bail!(
            "memory {} is in use by another run: wait for its end, or give another directory",
            memory.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("memory {}", memory.display())),
    }
}

fn checked_input(input: &Path) -> Result<PathBuf> {
    let found = fs::canonicalize(input).with_context(|| format!("input {}", input.display()))?;
    if !found.is_dir() {
        bail!("input {} is no directory", input.display());
    }
    Ok(found)
}

fn empty_directory(output: &Path) -> Result<PathBuf> {
    fs::create_dir_all(output).with_context(|| format!("output {}", output.display()))?;
    let found = fs::canonicalize(output)?;
    if fs::read_dir(&found)?.next().is_some() {
        bail!("output {} is not empty: give a new directory", output.display());
    }
    Ok(found)
}
