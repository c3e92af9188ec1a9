//! `make demo`: a study is sent to a node, processed in a container, and its result arrives at a PACS.
//!
//! Everything runs on loopback ports, in `target/demo`, which is kept until the next demonstration. Whatever was
//! started is stopped at the end, on failure and on Ctrl-C too.

mod interrupt;
mod screen;
mod steps;
mod style;
mod summary;
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use interrupt::Interrupt;
use screen::Screen;
use style::Style;

/// Shows the way of one study through a node.
#[derive(Parser)]
struct Options {
    /// Send the DICOM files of this directory instead of a head phantom
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let style = Style::of_stdout();
    let interrupt = Interrupt::listen();
    let mut screen = Screen::new(style, interrupt.clone());
    let shown = steps::run(&options, &mut screen);
    drop(screen);
    match shown {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(_) if interrupt.has_come() => {
            eprintln!("\ninterrupted; everything is stopped");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("\n{}: {error:#}", style.bad("the demonstration failed"));
            ExitCode::FAILURE
        }
    }
}
