//! The bucket developer's kit.

use std::process::ExitCode;

use clap::Parser;
use magickbox::cli::buckets::Buckets;
use magickbox::cli::printing::ended;

fn main() -> ExitCode {
    match Buckets::parse().run() {
        Ok(status) => ended(status),
        Err(error) => {
            eprintln!("buckets: {error:#}");
            ExitCode::FAILURE
        }
    }
}
