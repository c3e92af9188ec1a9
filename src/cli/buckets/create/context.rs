//! What of a bucket's directory is sent to the engine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use globset::{GlobBuilder, GlobMatcher};

use crate::container::ContextFile;

/// The most files of a context: a study left in the directory is meant for `.dockerignore`.
const MOST_FILES: usize = 100_000;

/// A line of `.dockerignore`: the last that fits decides.
struct Rule {
    keeps: bool,
    pattern: GlobMatcher,
}

/// The files below a directory that `.dockerignore` does not leave out, a directory before what is in it.
pub(super) fn files(directory: &Path) -> Result<Vec<ContextFile>> {
    let rules = match fs::read_to_string(directory.join(".dockerignore")) {
        Ok(text) => rules(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).context(".dockerignore"),
    };
    let mut found = Vec::new();
    walk(directory, Path::new(""), &rules, &mut found)?;
    Ok(found)
}

fn walk(root: &Path, below: &Path, rules: &[Rule], found: &mut Vec<ContextFile>) -> Result<()> {
    let directory = root.join(below);
    let listed = fs::read_dir(&directory).with_context(|| format!("read {}", directory.display()))?;
    let mut entries = listed.collect::<Result<Vec<_>, _>>()?;
    // The same order everywhere: a context is the same then.
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() || kind.is_file() || kind.is_symlink() {
            if is_sent(&name, rules) {
                found.push(ContextFile {
                    source: entry.path(),
                    name: name.clone(),
                });
            }
            // A later line may keep what lies in a directory that an earlier one leaves out.
            if kind.is_dir() {
                walk(root, &name, rules, found)?;
            }
        }
        if found.len() > MOST_FILES {
            bail!(
                "{} holds more than {MOST_FILES} files: name what the image does not need in .dockerignore",
                root.display()
            );
        }
    }
    Ok(())
}

/// The engine needs these two, whatever is said of them.
fn is_sent(name: &Path, rules: &[Rule]) -> bool {
    let always = name == Path::new("Dockerfile") || name == Path::new(".dockerignore");
    let fits = |rule: &&Rule| name.ancestors().any(|part| rule.pattern.is_match(part));
    always || rules.iter().rev().find(fits).is_none_or(|rule| rule.keeps)
}

/// <https://docs.docker.com/build/concepts/context/#dockerignore-files>: patterns are from the root of the context.
fn rules(text: &str) -> Result<Vec<Rule>> {
    let mut rules = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (keeps, pattern) = match line.strip_prefix('!') {
            Some(pattern) => (true, pattern.trim()),
            None => (false, line),
        };
        let path: PathBuf = Path::new(pattern)
            .components()
            .filter(|part| matches!(part, std::path::Component::Normal(_)))
            .collect();
        let pattern = GlobBuilder::new(&path.to_string_lossy())
            .literal_separator(true)
            .build()
            .with_context(|| format!(".dockerignore, line {}", number + 1))?
            .compile_matcher();
        rules.push(Rule { keeps, pattern });
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerignore_leaves_out_what_it_says() {
        let rules = rules("# data\n*.dcm\n**/*.log\n/out\n!out/keep\n\nDockerfile\n./tmp/\n").unwrap();
        for (name, sent) in [
            ("a.dcm", false),
            ("deep/a.dcm", true),
            ("a.log", false),
            ("deep/er/a.log", false),
            ("out/x", false),
            ("out/keep", true),
            ("about", true),
            ("Dockerfile", true),
            ("tmp/x/y", false),
            ("work.sh", true),
        ] {
            assert_eq!(is_sent(Path::new(name), &rules), sent, "{name}");
        }
        assert!(super::rules("[").is_err());
    }
}
