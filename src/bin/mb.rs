//! The sender.

use std::process::ExitCode;

use clap::Parser;
use magickbox::cli::mb::Mb;

fn main() -> ExitCode {
    Mb::parse().run()
}
