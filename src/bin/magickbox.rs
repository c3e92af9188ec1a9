//! The node.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use magickbox::cli::adopt::Adopt;
use magickbox::cli::audit::AuditCommand;
use magickbox::cli::backup::Backup;
use magickbox::cli::conformance::Conformance;
use magickbox::cli::echo::Echo;
use magickbox::cli::job::JobCommand;
use magickbox::cli::printing::ended;
use magickbox::cli::restore::Restore;
use magickbox::cli::route::RouteCommand;
use magickbox::cli::serve::Serve;
use magickbox::cli::token::TokenCommand;
use magickbox::cli::verify::Verify;

/// A DICOM processing node: studies in, containers run, results out.
#[derive(Parser)]
#[command(name = "magickbox", version, arg_required_else_help = true)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(Serve),
    Adopt(Adopt),
    Conformance(Conformance),
    Backup(Backup),
    Restore(Restore),
    Job(JobCommand),
    Route(RouteCommand),
    Echo(Echo),
    Verify(Verify),
    Audit(AuditCommand),
    Token(TokenCommand),
}

fn main() -> ExitCode {
    let Program { command } = Program::parse();
    let done = match command {
        Command::Serve(serve) => serve.run(),
        Command::Adopt(adopt) => return end(adopt.run()),
        Command::Conformance(conformance) => conformance.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Job(job) => job.run(),
        Command::Route(route) => route.run(),
        Command::Echo(echo) => return end(echo.run()),
        Command::Verify(verify) => verify.run(),
        Command::Audit(audit) => audit.run(),
        Command::Token(token) => token.run(),
    };
    end(done.map(|()| ExitCode::SUCCESS))
}

fn end(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.map_or_else(
        |error| {
            eprintln!("magickbox: {error:#}");
            ExitCode::FAILURE
        },
        ended,
    )
}
