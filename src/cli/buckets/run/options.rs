//! The command line of `buckets run`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::cli::node_client::NodeArgs;
use crate::model::GpuId;

use super::gpus;

/// What to run, and how.
#[derive(Args, Debug)]
#[command(
    override_usage = "buckets run [OPTIONS] NAME IN OUT\n       buckets run [OPTIONS] NAME STUDYDIR... --out DIR",
    mut_arg("node", |arg| arg.hide(true)), // --node-limits names it
    after_help = "The exit status is the bucket's, and never 0 if it was stopped for its time, its memory or its output. \
                  Of many studies: 0 if all went well, else 1."
)]
pub struct Options {
    /// Name, name:tag or id of an image of this machine
    #[arg(value_name = "NAME")]
    pub image: String,
    /// IN OUT: a directory with a study and one for its results, which is made if it is not there and refused if it is not
    /// empty. With --out: directories with a study each
    #[arg(value_name = "DIR", required = true)]
    pub directories: Vec<PathBuf>,
    /// All directories are studies; the results of each go into a directory of its name in DIR, a table at the end sums up
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// With --out: so many at once
    #[arg(long, value_name = "N", default_value_t = 1, requires = "out", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallel: u16,
    /// What the bucket finds in MB_ARGUMENTS
    #[arg(long, value_name = "TEXT")]
    pub arguments: Option<String>,
    /// Keep what the bucket remembers in DIR, for the next run; else every run begins with what the image brings along
    #[arg(long, value_name = "DIR")]
    pub memory: Option<PathBuf>,
    /// Graphics processors for a bucket that asks for some, with commas between: indices, UUIDs or CDI names; without, the
    /// first ones by index
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = gpus::read)]
    pub gpus: Option<Vec<GpuId>>,
    /// Keep the container once it has ended, and say how to look into it
    #[arg(long, conflicts_with = "out")]
    pub keep: bool,
    /// Run with what the configuration of this node says of the bucket of this AE title, its limits above all
    #[arg(long, value_name = "URL")]
    pub node_limits: Option<String>,
    /// By what right that node is asked.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Where the container engine is
    #[arg(long, env = "MAGICKBOX_DOCKER", default_value = "unix:///var/run/docker.sock")]
    pub docker: String,
}

/// What the directories on the command line are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A study and where its results go.
    One {
        /// IN
        input: PathBuf,
        /// OUT
        output: PathBuf,
    },
    /// Studies, and the directory that gets a directory for each.
    Many {
        /// STUDYDIR…
        studies: Vec<PathBuf>,
        /// `--out`
        out: PathBuf,
    },
}

impl Options {
    /// One study or many: `--out` tells, never the number of directories alone.
    ///
    /// # Errors
    /// What is missing on the command line.
    pub(super) fn what(&self) -> Result<What> {
        match (&self.out, self.directories.as_slice()) {
            (Some(_), _) if self.parallel > 1 && self.memory.is_some() => {
                bail!("--memory is written by one run at a time: leave out --parallel")
            }
            (Some(out), studies) => Ok(What::Many {
                studies: studies.to_vec(),
                out: out.clone(),
            }),
            (None, [input, output]) => Ok(What::One {
                input: input.clone(),
                output: output.clone(),
            }),
            (None, [input]) => bail!(
                "where do the results of {} go? buckets run {} IN OUT, or --out DIR",
                input.display(),
                self.image
            ),
            (None, many) => bail!(
                "{} directories: for many studies say with --out DIR where their results go",
                many.len()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn what(line: &str) -> Result<What, String> {
        let words = ["run", "image"].into_iter().chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|e| e.to_string())?;
        line.options.what().map_err(|e| e.to_string())
    }

    #[test]
    fn out_tells_one_study_from_many() {
        let one = What::One {
            input: "in".into(),
            output: "out".into(),
        };
        assert_eq!(what("in out"), Ok(one));
        for (line, studies) in [
            ("a --out results", vec!["a"]),
            ("a b c --out results", vec!["a", "b", "c"]),
        ] {
            let many = What::Many {
                studies: studies.into_iter().map(PathBuf::from).collect(),
                out: "results".into(),
            };
            assert_eq!(what(line), Ok(many));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (line, reason) in [
            ("in", "where do the results of in go?"),
            ("a b c", "3 directories: for many studies say with --out DIR"),
            ("a b --out o --parallel 2 --memory m", "leave out --parallel"),
            ("in out --parallel 2", "--out"),
            ("a --out o --parallel 0", "1..=64"),
            ("", "DIR"),
        ] {
            let error = what(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
