//! What the machine gives without a protocol: copying, writing, writing with fsync, and a raw TCP-to-file sink.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// What is done for each object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// A file is copied.
    Copy,
    /// Bytes in memory are written into a new file.
    Write,
    /// The same and fsync of the file.
    WriteFsync,
}

/// Writes so many files of that size with so many threads; says how long it took.
///
/// # Errors
/// When the disk does not take them.
pub fn run(limit: Limit, directory: &Path, files: usize, size: usize, threads: usize) -> Result<Duration> {
    let bytes = vec![0x5a; size];
    let source = directory.join("source");
    fs::write(&source, &bytes)?;
    let begin = Instant::now();
    thread::scope(|scope| {
        let (bytes, source) = (&bytes, &source);
        let write = move |number: usize| -> Result<()> {
            let path = directory.join(number.to_string());
            if limit == Limit::Copy {
                fs::copy(source, path)?;
                return Ok(());
            }
            let mut file = File::create(path)?;
            file.write_all(bytes)?;
            if limit == Limit::WriteFsync {
                file.sync_all()?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || (first..files).step_by(threads).try_for_each(write)))
            .collect();
        workers
            .into_iter()
            .try_for_each(|w| w.join().map_err(|_| anyhow!("a writer panicked"))?)
    })?;
    Ok(begin.elapsed())
}

/// Serves as the raw sink until it is killed: what comes in over a connection goes into files of that size.
///
/// # Errors
/// When the port is taken.
pub fn sink(port: u16, directory: &Path, size: usize) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    for (number, stream) in listener.incoming().enumerate() {
        let (stream, prefix) = (stream?, directory.join(number.to_string()));
        thread::spawn(move || swallow(stream, &prefix, size));
    }
    Ok(())
}

fn swallow(mut stream: TcpStream, prefix: &Path, size: usize) -> Result<()> {
    let mut buffer = vec![0; 128 << 10];
    for number in 0.. {
        let mut file = None;
        let mut left = size;
        while left > 0 {
            let most = left.min(buffer.len());
            let read = stream.read(&mut buffer[..most])?;
            if read == 0 {
                return Ok(());
            }
            let file = match &mut file {
                Some(file) => file,
                none => none.insert(File::create(prefix.with_extension(number.to_string()))?),
            };
            file.write_all(&buffer[..read])?;
            left -= read;
        }
    }
    Ok(())
}
