//! `buckets create` and `buckets build`

mod base;
mod build;
mod context;
pub(super) mod host;
mod show;

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::bucket::template::{self, Template, TemplateFile};
use crate::container::{self, Docker, DockerConfig, Runtime};
use crate::model::AeTitle;

pub(super) use build::{build, interruptible};

/// The longest name of a bucket.
const LONGEST_NAME: usize = 40;

/// The files a bucket begins with, as a word of the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    /// A shell script: returns what it receives, and counts it
    Shell,
    /// A Python program: derives a series, and measures it
    Python,
}

impl From<Kind> for Template {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Shell => Self::Shell,
            Kind::Python => Self::Python,
        }
    }
}

/// What is asked for.
pub(super) struct Create {
    pub(super) name: String,
    pub(super) from: Option<String>,
    pub(super) template: Kind,
    pub(super) ae_title: Option<String>,
    pub(super) docker: String,
}

/// Makes the directory and the image of a new bucket.
pub(super) fn create(asked: Create) -> Result<ExitCode> {
    let name = &asked.name;
    may_be_name(name)?;
    let ae_title = match &asked.ae_title {
        Some(title) => AeTitle::parse(title).with_context(|| format!("--aetitle {title:?}"))?,
        None => default_title(name)?,
    };
    let directory = PathBuf::from(name);
    if fs::symlink_metadata(&directory).is_ok() {
        bail!(
            "{name} is there already: choose another name, or make the image of that directory with buckets build {name}"
        );
    }
    // Between the two the files are there and the image is not.
    let (written, built) = (Cell::new(false), Cell::new(false));
    let done = build::interruptible(async {
        let docker = connect(&asked.docker).await?;
        let image = format!("{name}:latest");
        match docker.resolve_image(&image).await {
            Err(container::Error::NoSuchImage { .. }) => {}
            Ok(_) => bail!(
                "image {image} is there already: choose another name, or remove the image first with docker rmi {name}"
            ),
            Err(error) => return Err(error.into()),
        }
        let base = base::ready(&docker, asked.from.as_deref()).await?;
        let files = template::files(asked.template.into(), name, &ae_title, &base);
        write_files(&directory, &files).with_context(|| format!("write {name}"))?;
        written.set(true);
        let image = build::build_here(&docker, &directory, &image).await?;
        built.set(true);
        tell(name, &ae_title, &files, &image)?;
        Ok(ExitCode::SUCCESS)
    });
    if written.get() && !built.get() {
        return done.with_context(|| {
            format!("the files of {name} are there, its image is not (once mended: buckets build {name})")
        });
    }
    done
}

/// Connects to the engine.
pub(super) async fn connect(endpoint: &str) -> Result<Docker> {
    let config = DockerConfig {
        endpoint: endpoint.to_owned(),
        ..DockerConfig::default()
    };
    Ok(Docker::connect(config).await?)
}

fn may_be_name(name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(allowed) {
        let likely: String = name
            .to_lowercase()
            .chars()
            .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            .take(LONGEST_NAME)
            .collect();
        let hint = match likely.as_str() {
            "" => String::new(),
            likely => format!("; perhaps {likely}"),
        };
        bail!("{name:?} is no name of a bucket: 1 to {LONGEST_NAME} lower-case letters and digits{hint}");
    }
    Ok(())
}

/// `Proc` and the name, as the buckets of the original were called.
fn default_title(name: &str) -> Result<AeTitle> {
    let mut letters = name.chars();
    let first: String = letters
        .next()
        .map(|c| c.to_ascii_uppercase())
        .into_iter()
        .collect();
    let title: String = format!("Proc{first}{}", letters.as_str())
        .chars()
        .take(16)
        .collect();
    Ok(AeTitle::parse(&title)?)
}

/// A directory that goes unless it is kept.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What cannot be removed has a name that says what it is.
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// All of the files, or none.
fn write_files(directory: &Path, files: &[TemplateFile]) -> Result<()> {
    let unfinished = PathBuf::from(format!(
        "{}.unfinished-{}",
        directory.display(),
        std::process::id()
    ));
    fs::create_dir(&unfinished)?;
    let mut guard = Unfinished(Some(unfinished.clone()));
    fs::create_dir(unfinished.join("memory"))?;
    for file in files {
        let path = unfinished.join(file.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mode = if file.executable { 0o755 } else { 0o644 };
        let mut written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)?;
        written.write_all(file.content.as_bytes())?;
        // Whatever the umask is: inside the image others may have to read it.
        written.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    fs::rename(&unfinished, directory)?;
    guard.0 = None;
    Ok(())
}

fn tell(name: &str, ae_title: &AeTitle, files: &[TemplateFile], built: &build::Built) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", built.line())?;
    writeln!(out, "\n{name}/")?;
    let about = [
        ("work.sh", "what a run does"),
        ("main.py", "the program that it starts"),
        ("info.json", "what the bucket is called and what it needs"),
        ("db-plugin.code", "reads measures out of the results"),
        (
            "README.md",
            "what a bucket may count on, and every key of info.json",
        ),
        ("Dockerfile", "how the image is made"),
    ];
    for (file, what) in about {
        if files.iter().any(|f| f.name == file) {
            writeln!(out, "  {file:<16}{what}")?;
        }
    }
    writeln!(out, "  {:<16}first content of /memory", "memory/")?;
    writeln!(out, "\nNext")?;
    let next = [
        (
            format!("buckets run {name} STUDY RESULTS"),
            "try it on a directory of DICOM files",
        ),
        (format!("buckets build {name}"), "after each change of its files"),
        (
            format!("buckets install {name}"),
            "on a node; studies go to AE title",
        ),
    ];
    let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or(0) + 3;
    for (i, (command, what)) in next.iter().enumerate() {
        let title = if i == 2 {
            format!(" {ae_title}")
        } else {
            String::new()
        };
        writeln!(out, "  {command:<width$}{what}{title}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_letters_and_digits_and_a_refusal_offers_one() {
        for good in ["a", "hello", "t1volumes", "3d"] {
            may_be_name(good).unwrap();
        }
        let long = "a".repeat(41);
        for bad in ["", "T1", "t1-volumes", "a b", "../x", "ä", "a/b", long.as_str()] {
            assert!(may_be_name(bad).is_err(), "{bad}");
        }
        let refused = may_be_name("T1-Volumes").unwrap_err().to_string();
        assert!(refused.ends_with("perhaps t1volumes"), "{refused}");
    }

    #[test]
    fn the_ae_title_follows_from_the_name_and_is_not_too_long() {
        assert_eq!(default_title("hello").unwrap().as_str(), "ProcHello");
        assert_eq!(
            default_title("averyverylongname").unwrap().as_str(),
            "ProcAveryverylon"
        );
    }
}
