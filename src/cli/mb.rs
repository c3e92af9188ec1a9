//! `mb`: for now it shows which commands it will have, and refuses each by name.

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Send studies to MagickBox nodes and fetch what became of them.
#[derive(Parser, Debug)]
#[command(name = "mb", version, arg_required_else_help = true)]
pub struct Mb {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Send a directory to a bucket (not yet: send with C-STORE, e.g. dcmtk's storescu)
    #[command(visible_alias = "p")]
    Push(Anything),
    /// Fetch results of jobs (not yet: see the job's directory)
    #[command(visible_alias = "g")]
    Pull(Anything),
    /// Fetch what jobs received (not yet)
    #[command(visible_alias = "pi")]
    PullInput(Anything),
    /// List jobs (not yet: GET /api/v1/jobs)
    List(Anything),
    /// Show the log of jobs (not yet: GET /api/v1/jobs/JOB/log)
    #[command(visible_alias = "l")]
    Log(Anything),
    /// Remove jobs (not yet)
    #[command(visible_alias = "r")]
    Remove(Anything),
}

#[derive(clap::Args, Debug)]
struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<String>,
}

impl Mb {
    /// Refuses, by name.
    ///
    /// # Errors
    /// Always.
    pub fn run(self) -> Result<()> {
        let name = match self.command {
            Command::Push(_) => "push",
            Command::Pull(_) => "pull",
            Command::PullInput(_) => "pull-input",
            Command::List(_) => "list",
            Command::Log(_) => "log",
            Command::Remove(_) => "remove",
        };
        bail!("{name} is not there yet; mb --help says what does the same today")
    }
}
