//! Trying the bucket as it is now on a study of this machine.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::buckets::open::Scratch;
use crate::cli::buckets::run::{Observer, Progress, Report, Request, leftovers, run_study};
use crate::container::{Docker, Labels};
use crate::model::JobId;

use super::{Answer, Failure, RUN_LABEL, Shared};

/// What the page keeps of a log, in bytes: the end of it.
const LOG_KEPT: usize = 2 << 20;

/// Files of the results that are listed at most.
const MOST_FILES: usize = 500;

/// What is known of a run; the page is told whenever it grows.
struct Progressing {
    /// All of the log, or its end.
    log: String,
    /// Bytes of log before that.
    dropped: usize,
    /// Seconds, memory used, memory allowed.
    progress: Value,
    /// How it ended.
    result: Option<Value>,
}

/// A run and who looks at it.
pub(super) struct Run {
    id: JobId,
    directory: String,
    state: Arc<Mutex<Progressing>>,
    grown: watch::Sender<()>,
}

impl Run {
    fn with<T>(&self, change: impl FnOnce(&mut Progressing) -> T) -> T {
        let done = change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.grown.send_replace(());
        done
    }

    fn look<T>(&self, at: impl FnOnce(&Progressing) -> T) -> T {
        at(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        self.look(|p| p.result.is_none())
    }

    fn print(&self, text: &str) {
        self.with(|p| {
            p.log.push_str(text);
            if let Some(over) = p.log.len().checked_sub(LOG_KEPT).filter(|o| *o > 0) {
                // Dropped in large pieces, at the end of a line if there is one.
                let mut cut = (over + LOG_KEPT / 4).min(p.log.len());
                while !p.log.is_char_boundary(cut) {
                    cut += 1;
                }
                let line = p
                    .log
                    .get(cut..)
                    .and_then(|rest| rest.find('\n'))
                    .map_or(cut, |i| cut + i + 1);
                p.log.drain(..line);
                p.dropped += line;
            }
        });
    }
}

impl Observer for Run {
    fn says(&self, line: &str) {
        self.print(&format!("{line}\n"));
    }

    fn printed(&self, text: &str) {
        self.print(text);
    }

    fn progress(&self, progress: &Progress) {
        self.with(|p| {
            p.progress = json!({
                "seconds": progress.elapsed.as_secs_f64(),
                "memory": progress.sample.memory,
                "memory_limit": progress.memory_limit,
            });
        });
    }
}

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    directory: String,
    #[serde(default)]
    arguments: Option<String>,
}

/// `POST /api/run`: begins; one at a time.
pub(super) async fn begin(State(page): State<Shared>, Json(asked): Json<Asked>) -> Answer<StatusCode> {
    let input = page.allowed(&asked.directory)?;
    let mut slot = page.run.lock().await;
    if slot.as_ref().is_some_and(|(run, _)| run.is_running()) {
        return Err(Failure::new(
            StatusCode::CONFLICT,
            "a run is under way: stop it first",
        ));
    }
    let output =
        Scratch::new().map_err(|e| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{e:#}")))?;
    let run = Arc::new(Run {
        id: JobId::generate(crate::model::Timestamp::now()),
        directory: asked.directory,
        state: Arc::new(Mutex::new(Progressing {
            log: String::new(),
            dropped: 0,
            progress: Value::Null,
            result: None,
        })),
        grown: watch::Sender::new(()),
    });
    let task = tokio::spawn(whole(
        Arc::clone(&page),
        Arc::clone(&run),
        input,
        output,
        asked.arguments,
    ));
    // The results of the run before go with it.
    *slot = Some((run, task));
    Ok(StatusCode::ACCEPTED)
}

/// `DELETE /api/run`: stops it; none of it is left.
pub(super) async fn stop(State(page): State<Shared>) -> Answer<StatusCode> {
    stop_run(&page).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stops a run and waits until its containers and its image are gone.
pub(super) async fn stop_run(page: &Shared) -> Result<(), Failure> {
    let slot = page.run.lock().await;
    let Some((run, task)) = slot.as_ref() else {
        return Ok(());
    };
    task.abort();
    if run.is_running() {
        leftovers::clean_up(page.docker(), &run.id).await?;
        super::sweep(page.docker(), page.container()).await?;
        run.with(|p| p.result = Some(json!({ "outcome": "stopped", "stopped": true })));
    }
    Ok(())
}

/// The results lie in `output` until the value goes: with the next run, or with the session.
async fn whole(
    page: Shared,
    run: Arc<Run>,
    input: PathBuf,
    output: Scratch,
    arguments: Option<String>,
) -> Scratch {
    let result = match try_once(&page, &run, &input, &output, arguments).await {
        Ok(report) => result(&report),
        Err(error) => json!({ "outcome": "refused", "error": format!("{error:#}") }),
    };
    run.with(|p| p.result = Some(result));
    output
}

/// The container as it is now becomes an image without a name; that runs as a node would run it, and goes.
async fn try_once(
    page: &Shared,
    run: &Run,
    input: &Path,
    output: &Scratch,
    arguments: Option<String>,
) -> anyhow::Result<Report> {
    let docker: &Docker = page.docker();
    let labels = Labels::from([(RUN_LABEL.to_owned(), page.container().to_owned())]);
    let image = docker
        .commit(
            page.container(),
            page.base(),
            None,
            "buckets open: a try",
            &labels,
        )
        .await
        .context("take the bucket as it is now")?;
    let request = Request {
        id: run.id.clone(),
        arguments: arguments.filter(|a| !a.is_empty()),
        ..Request::new(image.as_str(), input, &output.path().join("run"))
    };
    let done = run_study(docker, &request, run).await;
    docker.images().remove_nameless(&image).await?;
    done
}

fn result(report: &Report) -> Value {
    let root = report.directory.join("OUTPUT");
    let mut files = Vec::new();
    list(&root, &root, &mut files);
    let more = files.len() > MOST_FILES;
    files.truncate(MOST_FILES);
    json!({
        "outcome": report.verdict.outcome.to_string(),
        "reason": report.verdict.reason,
        "failed": report.failed(),
        "exit_status": report.exit_status(),
        "objects": report.objects,
        "seconds": report.elapsed.as_secs_f64(),
        "peak_memory": report.peak_memory,
        "measures": report.measures.iter().map(|m| json!({ "name": m.name, "value": m.value.to_string(), "unit": m.unit })).collect::<Vec<_>>(),
        "problems": report.problems,
        "directory": root,
        "files": files,
        "more_files": more,
    })
}

/// The regular files below a directory, in order, one more than are shown at most.
fn list(root: &Path, directory: &Path, files: &mut Vec<Value>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if files.len() > MOST_FILES {
            return;
        }
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            list(root, &entry.path(), files);
        } else if kind.is_file() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            files.push(json!({ "path": name, "bytes": entry.metadata().map_or(0, |m| m.len()) }));
        }
    }
}

/// Where a listener begins.
#[derive(Deserialize)]
pub(super) struct Since {
    #[serde(default)]
    from: usize,
}

/// What a listener has seen.
struct Listener {
    run: Arc<Run>,
    grown: watch::Receiver<()>,
    from: usize,
    /// Whether it has seen anything yet.
    begun: bool,
    over: bool,
}

/// `GET /api/run/events`: the log from byte `from` on, progress, and the result, as they come (Server-Sent Events).
pub(super) async fn events(
    State(page): State<Shared>,
    Query(since): Query<Since>,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let slot = page.run.lock().await;
    let (run, _) = slot
        .as_ref()
        .ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "nothing was run yet"))?;
    let listener = Listener {
        run: Arc::clone(run),
        grown: run.grown.subscribe(),
        from: since.from,
        begun: false,
        over: false,
    };
    let events = stream::unfold(Some(listener), |listener| async move {
        let mut listener = listener.filter(|l| !l.over)?;
        if std::mem::replace(&mut listener.begun, true) {
            // A little later rather than line by line.
            let _ = tokio::time::timeout(Duration::from_secs(10), listener.grown.changed()).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let event = next_event(&mut listener);
        Some((Ok(event), Some(listener)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

fn next_event(listener: &mut Listener) -> Event {
    listener.grown.borrow_and_update();
    let run = Arc::clone(&listener.run);
    let (data, end) = run.look(|p| {
        let end = p.dropped + p.log.len();
        let start = listener.from.clamp(p.dropped, end);
        let text = p.log.get(start - p.dropped..).unwrap_or_default();
        let data = json!({
            "directory": run.directory,
            "skipped": start > listener.from,
            "text": text,
            "progress": p.progress,
            "result": p.result,
        });
        listener.over = p.result.is_some();
        (data, end)
    });
    listener.from = end;
    Event::default().data(data.to_string())
}

/// A run and its task, as the page keeps it.
pub(super) type Slot = Option<(Arc<Run>, JoinHandle<Scratch>)>;
