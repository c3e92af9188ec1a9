//! The sender.

use std::process::ExitCode;

use clap::Parser;
use magickbox::cli::mb::Mb;

fn main() -> ExitCode {
    match Mb::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mb: {error:#}");
            ExitCode::FAILURE
        }
    }
}
