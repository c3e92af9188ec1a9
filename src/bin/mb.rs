//! The sender.

use std::process::ExitCode;

use clap::Parser;
use magickbox::cli::mb::Mb;
use magickbox::cli::printing::ended;

fn main() -> ExitCode {
    ended(Mb::parse().run())
}
