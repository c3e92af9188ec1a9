//! `mb`: studies go to nodes, results come back; one file per subcommand.
//!
//! Commands, short forms and what is printed on stdout are those of the `mb` that people have scripts for. What is for
//! people goes to stderr.
//!
//! ```text
//! ending.rs    exit status, errors as people read them
//! duration.rs  durations as the old settings have them
//! settings.rs  ~/.mb and ~/.magickbox
//! machines.rs  which machines, and asking all of them at once
//! jobs.rs      getScratch: the jobs of a machine, and which of them are meant
//! push/ pull/ dicom/ and a file for each of the other commands
//! ```

mod active_machines;
mod compute_modules;
mod dicom;
mod duration;
mod ending;
mod jobs;
mod list;
mod log;
mod machines;
mod pull;
mod push;
mod query_machines;
mod remove;
mod sender;
mod settings;
mod watch;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{ArgAction, CommandFactory, Parser, Subcommand};

use ending::{EXIT_STATUS, Ending, complain};
use machines::MachineArgs;
use pull::Side;

/// Send studies to MagickBox nodes and fetch what became of them.
///
/// Name your machines once with `mb activeMachines add IP PORT` and yourself with `mb setSender NAME`. REGEX is matched
/// against everything that `mb list` shows of a job as text. On stdout is JSON, for jq and the like; what is for people
/// is on stderr, but lists on a terminal are tables.
#[derive(Parser, Debug)]
#[command(name = "mb", version, disable_version_flag = true, disable_help_subcommand = true, after_help = EXIT_STATUS, max_term_width = 100)]
pub struct Mb {
    #[command(flatten)]
    machines: MachineArgs,
    /// Say who you are, as setSender does
    #[arg(long, value_name = "SENDER")]
    config_sender: Option<String>,
    /// Print the version
    #[arg(short = 'v', short_alias = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Fetch the results of jobs as zip files into this directory
    #[command(visible_alias = "g")]
    Pull(pull::Pull),
    /// Fetch what jobs received as zip files into this directory
    #[command(visible_alias = "pi")]
    PullInput(pull::Pull),
    /// Send a directory to a bucket; of several machines that have it, the least loaded takes it
    #[command(visible_alias = "p")]
    Push(push::Push),
    /// Remove jobs with everything they have
    #[command(visible_alias = "r")]
    Remove(remove::Remove),
    /// List jobs
    #[command(visible_alias = "l")]
    List(list::List),
    /// List jobs with their logs, or follow the logs
    Log(log::Log),
    /// Wait until jobs are over, and say what happens to them
    Watch(watch::Watch),
    /// List the buckets of the active machines
    #[command(name = "computeModules", visible_alias = "c")]
    ComputeModules(compute_modules::ComputeModules),
    /// List the active machines, add one, remove one
    #[command(name = "activeMachines", visible_alias = "a")]
    ActiveMachines(active_machines::ActiveMachines),
    /// Make a machine the only active one, or say which one is first
    #[command(name = "selectMachine", visible_alias = "setMachine", visible_alias = "s")]
    SelectMachine(active_machines::SelectMachine),
    /// List the machines that say they are there in this network
    #[command(name = "queryMachines", visible_alias = "q")]
    QueryMachines(query_machines::QueryMachines),
    /// Say who you are, or ask who you are
    #[command(name = "setSender", visible_alias = "w")]
    SetSender(sender::SetSender),
    /// Get or change a setting: Sender, Timeout
    #[command(name = "setSetting")]
    SetSetting(sender::SetSetting),
    /// Print this message or the help of a command
    #[command(visible_alias = "h")]
    Help {
        /// The command
        command: Option<String>,
    },
}

impl Mb {
    /// Does what was asked; what went wrong is on stderr by then.
    pub fn run(self) -> ExitCode {
        let ending = self.dispatch().unwrap_or_else(|error| {
            complain(&error);
            Ending::of(&error)
        });
        ending.into()
    }

    fn dispatch(self) -> Result<Ending> {
        let machines = self.machines;
        if let Some(sender) = &self.config_sender {
            settings::Settings::change(|settings| settings.sender.clone_from(sender))?;
        }
        let Some(command) = self.command else {
            if self.config_sender.is_none() {
                // As with a wrong command line.
                read(Self::command().print_help())?;
                return Ok(Ending::Failed);
            }
            return Ok(Ending::Done);
        };
        match command {
            Command::Pull(pull) => pull.run(&machines, Side::Output),
            Command::PullInput(pull) => pull.run(&machines, Side::Input),
            Command::Push(push) => push.run(&machines),
            Command::Remove(remove) => remove.run(&machines),
            Command::List(list) => list.run(&machines),
            Command::Log(log) => log.run(&machines),
            Command::Watch(watch) => watch.run(&machines),
            Command::ComputeModules(modules) => modules.run(&machines),
            Command::ActiveMachines(active) => active.run(),
            Command::SelectMachine(select) => select.run(),
            Command::QueryMachines(query) => query.run(),
            Command::SetSender(set) => set.run(),
            Command::SetSetting(set) => set.run(),
            Command::Help { command } => help(command.as_deref()),
        }
    }
}

fn help(command: Option<&str>) -> Result<Ending> {
    let mut mb = Mb::command();
    mb.build();
    match command {
        None => read(mb.print_long_help())?,
        Some(name) => match mb.find_subcommand_mut(name) {
            Some(command) => read(command.print_long_help())?,
            None => bail!("{name:?} is no command: mb help names them"),
        },
    }
    Ok(Ending::Done)
}

/// What became of printing; nobody has to read it.
fn read(printed: std::io::Result<()>) -> Result<()> {
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a value as the original does: indented by two.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
