//! `mb log -f`: what is added to logs, until their jobs are over.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{heading, path, read};
use crate::cli::mb::ending::{Ending, complain, warn};
use crate::cli::mb::jobs::Job;
use crate::cli::mb::machines::TIMES;
use crate::cli::mb::watch::is_over;
use crate::cli::text::plain;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// As long as a machine does not answer, this long it is asked again.
const GIVE_UP: Duration = Duration::from_secs(600);

/// A log that is followed.
struct Followed<'j, 'm> {
    job: &'j Job<'m>,
    path: String,
    /// Bytes printed.
    at: u64,
    /// Nothing more comes.
    over: bool,
}

/// What several machines' logs are printed on.
struct Printer {
    /// Whether logs have headings.
    headings: bool,
    /// Whose log was printed last.
    last: Mutex<Option<String>>,
    /// Nobody reads any more.
    unread: AtomicBool,
}

/// Follows logs to their ends, each machine's by itself: one that hangs keeps nobody from the others.
pub(super) fn follow(jobs: &[Job<'_>], mut ending: Ending) -> Result<Ending> {
    if jobs.is_empty() {
        return Ok(ending.and(Ending::NothingMatched));
    }
    let mut of_machines: BTreeMap<String, Vec<Followed<'_, '_>>> = BTreeMap::new();
    for job in jobs {
        of_machines
            .entry(job.machine.title())
            .or_default()
            .push(Followed {
                job,
                path: path(job)?,
                at: 0,
                over: false,
            });
    }
    let printer = Printer {
        headings: jobs.len() > 1,
        last: Mutex::default(),
        unread: AtomicBool::new(false),
    };
    let ends: Vec<_> = thread::scope(|scope| {
        let following: Vec<_> = of_machines
            .into_values()
            .map(|logs| scope.spawn(|| follow_machine(logs, &printer)))
            .collect();
        following
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect()
    });
    for end in ends {
        ending = ending.and(end.unwrap_or(Ending::Failed));
    }
    Ok(ending)
}

/// Follows the logs of one machine.
fn follow_machine(mut followed: Vec<Followed<'_, '_>>, printer: &Printer) -> Ending {
    let mut ending = Ending::Done;
    // Since when it does not answer.
    let mut silent: Option<Instant> = None;
    while !printer.unread.load(Ordering::Relaxed) {
        let mut answered = true;
        for log in followed.iter_mut().filter(|log| !log.over) {
            // Asked before the log: what was written until then is read in this round.
            let over = log.is_over();
            let error = match log.more() {
                Ok(bytes) => {
                    log.over = over && bytes.is_empty();
                    match printer.print(log.job, &bytes) {
                        Ok(()) => continue,
                        Err(error) => {
                            complain(&error);
                            printer.unread.store(true, Ordering::Relaxed);
                            return ending.and(Ending::Failed);
                        }
                    }
                }
                Err(error) => error,
            };
            if Ending::of(&error) == Ending::NoAnswer {
                answered = false;
                let since = *silent.get_or_insert_with(|| {
                    warn(&format!("{error}; asking again"));
                    Instant::now()
                });
                if since.elapsed() > GIVE_UP {
                    complain(&error);
                    return ending.and(Ending::NoAnswer);
                }
                // Nor does it about the others.
                break;
            }
            complain(&error);
            ending = ending.and(Ending::Failed);
            log.over = true;
        }
        if answered {
            silent = None;
        }
        if followed.iter().all(|log| log.over) {
            return ending;
        }
        thread::sleep(PAUSE);
    }
    ending
}

impl Printer {
    /// Prints what was added to a log, under its heading where another came before it.
    fn print(&self, job: &Job<'_>, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        // One machine's words at a time.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let heading = heading(job);
        if self.headings && last.as_ref() != Some(&heading) {
            println!("==> {heading}");
            *last = Some(heading);
        }
        match try_print(bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                self.unread.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(error).context("write to stdout"),
        }
    }
}

impl Followed<'_, '_> {
    /// What was added since the last time.
    fn more(&mut self) -> Result<Vec<u8>> {
        let machine = self.job.machine;
        let range = format!("bytes={}-", self.at);
        let headers: &[(&str, &str)] = if self.at > 0 { &[("Range", &range)] } else { &[] };
        let time = machine.time.saturating_mul(TIMES);
        let sent = machine.node.fetch(&self.path, headers, time);
        let response = sent.map_err(anyhow::Error::from)?;
        let status = response.status().as_u16();
        if status == 416 || status == 404 {
            // Nothing new, or nothing yet.
            return Ok(Vec::new());
        }
        let bytes = read(response.into_body(), machine)?;
        let new = match status {
            206 => bytes,
            // All of it, from a machine that knows no ranges.
            200 => bytes
                .get(usize::try_from(self.at)?..)
                .unwrap_or_default()
                .to_vec(),
            _ => bail!(machine.refused(status, &String::from_utf8_lossy(&bytes))),
        };
        self.at += new.len() as u64;
        Ok(new)
    }

    /// Whether the job is over, as far as the machine tells; the original's never is.
    fn is_over(&self) -> bool {
        // Our nodes name the directory after the job.
        let scratchdir = self.job.text("scratchdir");
        let name = scratchdir.strip_prefix("tmp.").unwrap_or(scratchdir);
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let looked = self.job.machine.look(&format!("jobs/{name}"));
        looked.is_ok_and(|job| is_over(&job))
    }
}

/// A container's words: on a terminal nothing that steers it.
fn try_print(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        for line in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            out.write_all(plain(line).as_bytes())?;
            if line.ends_with('\n') {
                out.write_all(b"\n")?;
            }
        }
    } else {
        out.write_all(bytes)?;
    }
    out.flush()
}
