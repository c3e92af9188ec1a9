//! The bucket developer's kit.

use std::process::ExitCode;

use clap::Parser;
use magickbox::cli::buckets::Buckets;

fn main() -> ExitCode {
    match Buckets::parse().run() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("buckets: {error:#}");
            ExitCode::FAILURE
        }
    }
}
