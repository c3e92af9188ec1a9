//! `buckets`: one file per subcommand.

mod check;
mod create;
mod enable;
mod install;
mod list;
mod logs;
mod measures;
mod memory;
mod open;
mod remove;
mod rollback;
pub mod run;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use serde_json::Value;

use crate::cli::node_client::NodeArgs;
use memory::MemoryCommand;

/// Make buckets, try them out, install them on a node.
#[derive(Parser, Debug)]
#[command(name = "buckets", version, arg_required_else_help = true)]
pub struct Buckets {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a new bucket: a directory with its files, and its image
    Create {
        /// Lower-case letters and digits: the name of the directory and of the image
        name: String,
        /// Image to begin with [default: a plain Debian 12]
        #[arg(long, value_name = "IMAGE")]
        from: Option<String>,
        /// What the bucket does to begin with
        #[arg(long, value_enum, default_value_t = create::Kind::Shell)]
        template: create::Kind,
        /// AE title [default: Proc and the name]
        #[arg(long = "aetitle", value_name = "TITLE")]
        ae_title: Option<String>,
        #[command(flatten)]
        engine: Engine,
    },
    /// Make the image of a bucket's directory anew, and check it
    Build {
        /// The directory; the image is called like it
        #[arg(default_value = ".")]
        directory: PathBuf,
        #[command(flatten)]
        engine: Engine,
    },
    /// Say what a node would refuse of a bucket, and what will hurt later
    ///
    /// Exit status 1 if there is an error; warnings alone are 0.
    Check {
        /// Name of an image; a file of `docker save` or `docker export`, also .gz; or ./DIRECTORY of a bucket
        target: String,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        engine: Engine,
    },
    /// Install a bucket on a node: an image, or a file that docker save or docker export made
    Install {
        /// Name, name:tag or id of an image here or on the node's machine; or FILE.tar, FILE.tar.gz
        #[arg(value_name = "NAME|FILE.tar")]
        image: String,
        /// Take the place of a bucket with the same AE title, once no run of it is under way
        #[arg(short, long)]
        force: bool,
        /// Where the container engine of this machine is
        #[arg(long, env = "MAGICKBOX_DOCKER", default_value = "unix:///var/run/docker.sock")]
        docker: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Go back to the version of a bucket before this one; once more, and the newer one is back
    Rollback {
        /// The bucket's AE title
        ae_title: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Let a bucket take studies
    Enable {
        /// The bucket's AE title
        ae_title: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Let a bucket take no studies; what it has is run
    Disable {
        /// The bucket's AE title
        ae_title: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Show what the node did when it called a bucket
    Logs {
        /// The bucket's AE title
        ae_title: String,
        /// Go on with what comes
        #[arg(short, long)]
        follow: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Write what a bucket measured, as CSV or JSON
    Measures {
        /// The bucket's AE title
        ae_title: String,
        #[command(flatten)]
        wanted: measures::Wanted,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Take out or replace what a bucket keeps between runs
    Memory {
        /// The bucket's AE title
        ae_title: String,
        #[command(flatten)]
        node: NodeArgs,
        #[command(subcommand)]
        command: MemoryCommand,
    },
    /// Remove a bucket and the node's files of it; the image stays
    Remove {
        /// The bucket's AE title
        ae_title: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List the installed buckets
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Open a bucket: a shell in it, and a page that edits and tries it
    Open(open::Open),
    /// Run a bucket here as a node would: no node needed
    Run(run::Options),
}

#[derive(Args, Debug)]
struct Engine {
    /// Where the container engine is
    #[arg(
        long,
        env = "MAGICKBOX_DOCKER",
        default_value = "unix:///var/run/docker.sock",
        value_name = "URL"
    )]
    docker: String,
}

impl Buckets {
    /// Does what was asked.
    ///
    /// # Errors
    /// What the node or the engine refused, by name.
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Create {
                name,
                from,
                template,
                ae_title,
                engine,
            } => {
                return create::create(create::Create {
                    name,
                    from,
                    template,
                    ae_title,
                    docker: engine.docker,
                });
            }
            Command::Build { directory, engine } => return create::build(&directory, &engine.docker),
            Command::Check { target, json, engine } => return check::check(&target, json, &engine.docker),
            Command::Install {
                image,
                force,
                docker,
                node,
            } => install::install(&image, force, &docker, &node.client()?),
            Command::Rollback { ae_title, node } => rollback::roll_back(&ae_title, &node.client()?),
            Command::Enable { ae_title, node } => enable::switch(&ae_title, true, &node.client()?),
            Command::Disable { ae_title, node } => enable::switch(&ae_title, false, &node.client()?),
            Command::Remove { ae_title, yes, node } => remove::remove(&ae_title, yes, &node.client()?),
            Command::List { json, node } => list::list(json, &node.client()?),
            Command::Logs {
                ae_title,
                follow,
                node,
            } => logs::logs(&ae_title, follow, &node.client()?),
            Command::Measures {
                ae_title,
                wanted,
                node,
            } => measures::measures(&ae_title, &wanted, &node.client()?),
            Command::Memory {
                ae_title,
                node,
                command,
            } => memory::memory(&ae_title, &command, &node.client()?),
            Command::Open(asked) => return open::open(asked),
            Command::Run(options) => return run::run(options),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A text of an answer; none is an empty one.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
