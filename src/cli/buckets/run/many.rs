//! Many studies through one bucket: one that fails stops none of the others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, stream};

use crate::container::Runtime;
use crate::model::{JobId, Timestamp};

use super::observer::{Observer, Progress};
use super::study_run::{Report, Request, run_study};
use super::summary::{self, short};
use super::terminal::{Terminal, clock, line};

/// A study of the many.
struct Study {
    /// Its directory's name, and that of its results.
    name: String,
    request: Request,
}

/// What became of it.
pub(super) struct Done {
    /// The study's name.
    pub name: String,
    /// Its report, or what kept it from running.
    pub end: Result<Report>,
}

impl Done {
    /// Whether it is to be looked into.
    pub fn failed(&self) -> bool {
        self.end.as_ref().map_or(true, Report::failed)
    }
}

/// Runs them, so many at once, and shows a table; says whether all went well.
///
/// # Errors
/// What is wrong with the directories, before anything runs.
pub(super) async fn run(
    runtime: &dyn Runtime,
    like: &Request,
    studies: &[PathBuf],
    out: &Path,
    parallel: u16,
    terminal: &Terminal,
) -> Result<bool> {
    let studies = named(like, studies, out)?;
    let (count, begun, over) = (studies.len(), Instant::now(), AtomicUsize::new(0));
    let mut ends = stream::iter(studies.into_iter().enumerate())
        .map(|(number, study)| {
            let over = &over;
            async move {
                let running = Running {
                    terminal,
                    name: &study.name,
                    place: (parallel == 1).then_some(number + 1),
                    count,
                    over,
                    begun,
                };
                let end = run_study(runtime, &study.request, &running).await;
                over.fetch_add(1, Ordering::Relaxed);
                (
                    number,
                    Done {
                        name: study.name,
                        end,
                    },
                )
            }
        })
        .buffer_unordered(parallel.into());
    let mut done: Vec<(usize, Done)> = Vec::new();
    while let Some((number, end)) = ends.next().await {
        terminal.says(&summary::line(&end, done.len() + 1, count));
        done.push((number, end));
    }
    drop(ends);
    done.sort_by_key(|(number, _)| *number);
    let done: Vec<_> = done.into_iter().map(|(_, d)| d).collect();
    terminal.clear();
    println!("{}", summary::table(&done));
    let failed = done.iter().filter(|d| d.failed()).count();
    println!(
        "{count} studies, {failed} failed ({:.1} s, results in {})",
        begun.elapsed().as_secs_f64(),
        out.display()
    );
    Ok(failed == 0)
}

/// Each study with the directory for its results.
fn named(like: &Request, studies: &[PathBuf], out: &Path) -> Result<Vec<Study>> {
    let mut names = BTreeSet::new();
    let mut found = Vec::new();
    for directory in studies {
        let input =
            std::fs::canonicalize(directory).with_context(|| format!("study {}", directory.display()))?;
        if !input.is_dir() {
            bail!("study {} is no directory", directory.display());
        }
        let name = input
            .file_name()
            .with_context(|| format!("study {} has no name", directory.display()))?
            .to_string_lossy()
            .into_owned();
        if !names.insert(name.clone()) {
            bail!(
                "two studies are called {name}: their results would be one directory; rename one, or run them apart"
            );
        }
        let output = out.join(&name);
        found.push(Study {
            name,
            request: Request {
                id: JobId::generate(Timestamp::now()),
                input,
                output,
                ..like.clone()
            },
        });
    }
    Ok(found)
}

/// Looks on at one of many: its log is in its directory.
struct Running<'a> {
    terminal: &'a Terminal,
    name: &'a str,
    /// Its number, from 1, where they run one after the other.
    place: Option<usize>,
    count: usize,
    over: &'a AtomicUsize,
    begun: Instant,
}

impl Observer for Running<'_> {
    fn says(&self, _: &str) {}
    fn printed(&self, _: &str) {}
    fn progress(&self, progress: &Progress) {
        let count = self.count;
        self.terminal.draw(&match self.place {
            Some(place) => format!("  {place} of {count}, {} · {}", short(self.name), line(progress)),
            None => {
                let over = self.over.load(Ordering::Relaxed);
                format!("  {over} of {count} done · {}", clock(self.begun.elapsed()))
            }
        });
    }
}
