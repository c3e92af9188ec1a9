//! `println!`, `print!` and `eprintln!` of the programs. Those of the standard library panic when nobody reads any more, as behind
//! `mb list | head -1`, or when a disk is full.
//!
//! What nobody reads is not printed, and the command goes on to its end: half of what was asked for would be worse. What
//! cannot be written is said once, and the exit status tells.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something could not be written on stdout.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line on stdout.
macro_rules! println {
    () => { $crate::cli::printing::out(format_args!("")) };
    ($($words:tt)*) => { $crate::cli::printing::out(format_args!($($words)*)) };
}

/// Prints on stdout what has its ends of lines already.
macro_rules! print {
    ($($words:tt)*) => { $crate::cli::printing::write_out(format_args!($($words)*)) };
}

/// Prints a line on stderr.
macro_rules! eprintln {
    ($($words:tt)*) => { $crate::cli::printing::err(format_args!($($words)*)) };
}

/// A line on stdout.
pub(in crate::cli) fn out(line: Arguments<'_>) {
    write_out(format_args!("{line}\n"));
}

/// A text on stdout.
pub(in crate::cli) fn write_out(text: Arguments<'_>) {
    let Err(error) = stdout().write_fmt(text) else {
        return;
    };
    if error.kind() != ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
        err(format_args!("write to stdout: {error}"));
    }
}

/// A line on stderr; where that is gone, there is nobody to be told.
pub(in crate::cli) fn err(line: Arguments<'_>) {
    let _ = writeln!(stderr(), "{line}");
}

/// The exit status of a program: no success where something that was to be printed is lost.
#[must_use]
pub fn ended(status: ExitCode) -> ExitCode {
    if LOST.load(Ordering::Relaxed) && status == ExitCode::SUCCESS {
        return ExitCode::FAILURE;
    }
    status
}
