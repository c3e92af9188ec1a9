//! What people see of it: one line a bucket, one each for rules and jobs.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::Error;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::rules::Fitting;
use super::tree::Stream;
use crate::cli::table::print_table;
use crate::cli::text::plain;

/// Jobs that could not be taken and are named one by one.
const FAILURES: usize = 20;

/// What is to be taken over, or was.
#[derive(Debug, Default)]
pub struct Report {
    /// It was done.
    pub done: bool,
    /// Where to.
    pub data: PathBuf,
    /// A line a bucket.
    pub buckets: Vec<Line>,
    /// Directories of buckets without an AE title.
    pub nameless: Vec<String>,
    /// What is to be said of the original's routing rules, if it has some.
    pub routing: Option<Result<usize, Error>>,
    /// The original's classification rules.
    pub rules: Option<PathBuf>,
    /// Finished jobs; `None` when they are not asked for.
    pub jobs: Option<usize>,
    /// Those that are here now.
    pub jobs_taken: usize,
    /// Those that were.
    pub jobs_already: usize,
    /// Those that could not be taken, and why.
    pub jobs_failed: Vec<Error>,
    /// Files of theirs that are not taken.
    pub files_left_out: usize,
    /// Jobs that are not over.
    pub without_end: usize,
}

/// A bucket.
#[derive(Debug)]
pub struct Line {
    cells: [String; 4],
    fits: bool,
}

impl Line {
    /// What became, or would become, of a stream.
    pub fn of(stream: &Stream, image: Result<&str, Error>, notes: &[&str]) -> Self {
        let fits = image.is_ok();
        let mut said = match &image {
            Ok(_) => notes.join(", "),
            Err(error) => format!("{error:#}"),
        };
        if fits && !stream.enabled && notes.is_empty() {
            said.push_str("disabled there, and so here");
        }
        if stream.plugin.is_some() && fits {
            let plugin = "its measures plugin is the one in the image, not that of the node before";
            said = [said.as_str(), plugin]
                .into_iter()
                .filter(|s| !s.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
        }
        let image = image.ok().or(stream.image.as_deref()).unwrap_or("-");
        let memory = if stream.memory.is_some() { "yes" } else { "-" };
        Self {
            cells: [
                stream.ae_title.to_string(),
                image.to_owned(),
                memory.to_owned(),
                said,
            ],
            fits,
        }
    }
}

impl Report {
    /// Whether all of it fits.
    pub fn is_whole(&self) -> bool {
        self.buckets.iter().all(|line| line.fits)
            && self.nameless.is_empty()
            && self.jobs_failed.is_empty()
            && !matches!(self.routing, Some(Err(_)))
    }

    /// Whether the routing rules fit, or why not.
    pub fn rules_fit(&mut self, looked: anyhow::Result<Fitting>) {
        self.routing = Some(looked.map(|fitting| fitting.rules));
    }

    /// Prints it.
    pub fn print(&self, from: &Path) {
        println!("{} to {}\n", from.display(), self.data.display());
        if self.buckets.is_empty() {
            println!("No installed bucket.");
        } else {
            let rows: Vec<_> = self
                .buckets
                .iter()
                .map(|line| {
                    let [title, image, memory, said] = &line.cells;
                    let mark = match (line.fits, self.done) {
                        (true, true) => "installed",
                        (true, false) => "would be installed",
                        (false, _) => "NOT",
                    };
                    [mark, title, image, memory, said].map(ToOwned::to_owned)
                })
                .collect();
            print_table(&["", "AE TITLE", "IMAGE", "MEMORY", ""], &rows);
        }
        for directory in &self.nameless {
            println!(
                "NOT  streams/{}: its info.json has no AE title that is one",
                plain(directory)
            );
        }
        println!();
        self.print_rest(from);
        if !self.done {
            println!("\nNothing was changed. With --yes it is taken over, while the node does not run.");
        }
    }

    fn print_rest(&self, from: &Path) {
        let below = |path: &PathBuf| path.strip_prefix(from).unwrap_or(path).display().to_string();
        match &self.routing {
            None => {}
            Some(Ok(rules)) => println!("Routing rules    {rules}"),
            Some(Err(error)) => println!("Routing rules    NOT: {error:#}"),
        }
        if let Some(rules) = &self.rules {
            println!(
                "Classification   [classify] rules has to name {}, or a copy of it",
                below(rules)
            );
        }
        match self.jobs {
            None => println!("Finished jobs    left where they are"),
            Some(jobs) if !self.done => println!("Finished jobs    {jobs}"),
            Some(_) => {
                let already = match self.jobs_already {
                    0 => String::new(),
                    jobs => format!(", {jobs} were here already"),
                };
                println!("Finished jobs    {}{already}", self.jobs_taken);
            }
        }
        for error in self.jobs_failed.iter().take(FAILURES) {
            println!("                 NOT: {}", plain(&format!("{error:#}")));
        }
        if let Some(more) = self
            .jobs_failed
            .len()
            .checked_sub(FAILURES)
            .filter(|more| *more > 0)
        {
            println!("                 NOT: {more} more");
        }
        if self.files_left_out > 0 {
            let files = self.files_left_out;
            println!(
                "                 {files} files of them are no DICOM objects, or there twice, and stay there"
            );
        }
        if self.without_end > 0 {
            println!(
                "Jobs left        {} that have no proc.json, or papers that cannot be read",
                self.without_end
            );
        }
    }
}

/// How far the jobs are.
pub fn progress(jobs: usize) -> ProgressBar {
    let bar = ProgressBar::new(jobs as u64);
    let is_terminal = std::io::stderr().is_terminal();
    bar.set_draw_target(if is_terminal {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    });
    // The template is one.
    if let Ok(style) = ProgressStyle::with_template("jobs [{bar:30}] {pos} of {len}, {eta} left") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
