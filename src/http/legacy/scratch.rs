//! `getScratch.php`: every job whose files are there, newest first, as an array whatever happens.
//!
//! Ten thousand jobs are three megabytes of text and the client waits a second for them. So the text of each job is kept;
//! one look at the store tells whose changed. A log grows without the store's knowing: those of jobs that are under way
//! are looked at each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::model::{Layout, Measure, Place, Timestamp};
use crate::store::{GivenOut, JobDetails, ListedJob, PushRow, Result, Store};

use super::super::Context;
use super::super::api::ask;
use super::super::problem::Problem;
use super::scratchdir;

/// Jobs whose details are read at once.
const PAGE: usize = 500;

/// Jobs in one piece of the answer.
const PIECE: usize = 256;

/// The log of a job that ended is final after that: its driver may write a last word.
const LAST_WORDS: Duration = Duration::from_secs(120);

/// The texts of the jobs; shared by all requests.
#[derive(Clone, Default)]
pub struct Scratch(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// Of the store when these were made.
    version: Option<u64>,
    jobs: Vec<Arc<Text>>,
    /// Whose results are in it, of that version.
    given: Option<(u64, GivenOut)>,
}

/// The text of one job.
#[derive(Debug)]
struct Text {
    job: ListedJob,
    details: JobDetails,
    /// What does not come from its log; an object without its end.
    begin: Arc<str>,
    /// What does, but for the age of the log.
    rest: String,
    log: Option<Log>,
    /// Its log may have changed since.
    unsettled: bool,
}

/// What is known of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Log {
    bytes: u64,
    modified: SystemTime,
}

pub async fn list(State(context): State<Context>) -> std::result::Result<Response, Problem> {
    let scratch = context.scratch.clone();
    let (jobs, given) = ask(move || {
        let jobs = scratch.jobs(&context.store, &context.layout)?;
        Ok((jobs, scratch.given(&context.store)?))
    })
    .await?;
    let now = SystemTime::now();
    let pieces = jobs.len().div_ceil(PIECE).max(1);
    let pieces = (0..pieces).map(move |n| {
        let mut piece = String::new();
        if n == 0 {
            piece.push('[');
        }
        for (i, job) in jobs.iter().enumerate().skip(n * PIECE).take(PIECE) {
            if i > 0 {
                piece.push(',');
            }
            job.tell(now, &mut piece);
        }
        if n + 1 == pieces {
            piece.push(']');
        }
        Ok::<_, std::convert::Infallible>(Bytes::from(piece))
    });
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((Extension(given), json, body).into_response())
}

impl Scratch {
    /// Makes the texts before somebody waits for them: after a start there are none.
    pub fn warm(&self, store: Store, layout: Layout) {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = this.jobs(&store, &layout) {
                tracing::warn!(%error, "make the list of jobs; it is made when it is asked for");
            }
        });
    }

    /// Whose results are in the list.
    fn given(&self, store: &Store) -> Result<GivenOut> {
        let version = store.version();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, given)) = &kept.given
            && *of == version
        {
            return Ok(given.clone());
        }
        let given = store.newest_studies_measured()?;
        kept.given = Some((version, given.clone()));
        Ok(given)
    }

    /// The jobs as they stand now.
    fn jobs(&self, store: &Store, layout: &Layout) -> Result<Vec<Arc<Text>>> {
        // A request that broke down left whole texts.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked before the store is read: what is committed meanwhile makes the next request look again.
        let version = store.version();
        if kept.version != Some(version) {
            kept.jobs = read(store, layout, std::mem::take(&mut kept.jobs))?;
            kept.version = Some(version);
        }
        for job in kept.jobs.iter_mut().filter(|job| job.unsettled) {
            let log = log(layout, &job.details);
            if log != job.log || job.is_settled() {
                *job = Arc::new(job.with_log(log));
            }
        }
        Ok(kept.jobs.clone())
    }
}

/// The jobs of the store; texts that still hold are taken over.
fn read(store: &Store, layout: &Layout, before: Vec<Arc<Text>>) -> Result<Vec<Arc<Text>>> {
    let mut before: HashMap<i64, Arc<Text>> = before.into_iter().map(|text| (text.job.seq, text)).collect();
    let listed = store.listed()?;
    let (mut texts, mut changed) = (HashMap::new(), Vec::new());
    for job in &listed {
        match before.remove(&job.seq) {
            Some(text) if text.job == *job => drop(texts.insert(job.seq, text)),
            _ => changed.push(job),
        }
    }
    for page in changed.chunks(PAGE) {
        let seqs: Vec<_> = page.iter().map(|job| job.seq).collect();
        let details = store.details(&seqs)?;
        let ids: Vec<_> = details.iter().map(|job| job.id.clone()).collect();
        let (mut measures, mut pushes) = (store.measures(&ids)?, store.pushes(&ids)?);
        let mut details: HashMap<_, _> = details.into_iter().map(|d| (d.seq, d)).collect();
        for job in page {
            // Gone between two questions: the next request does not list it.
            let Some(details) = details.remove(&job.seq) else {
                continue;
            };
            let measures = measures.remove(&details.id).unwrap_or_default();
            let push = pushes.remove(&details.id);
            let text = Text::new((*job).clone(), details, push, measures, layout);
            texts.insert(job.seq, Arc::new(text));
        }
    }
    Ok(listed.iter().filter_map(|job| texts.remove(&job.seq)).collect())
}

/// The log of a job that has begun.
fn log(layout: &Layout, job: &JobDetails) -> Option<Log> {
    job.started_at?;
    let path = layout.path(Place::ProcessingLog(&job.stream, &job.id));
    let metadata = std::fs::metadata(path).ok()?;
    Some(Log {
        bytes: metadata.len(),
        modified: metadata.modified().ok()?,
    })
}

impl Text {
    fn new(
        job: ListedJob,
        details: JobDetails,
        push: Option<PushRow>,
        measures: Vec<Measure>,
        layout: &Layout,
    ) -> Self {
        let mut begin = Value::Object(fixed(&details, push, measures)).to_string();
        begin.pop();
        let log = log(layout, &details);
        let mut text = Self {
            job,
            details,
            begin: begin.into(),
            rest: String::new(),
            log: None,
            unsettled: false,
        };
        text.unsettled = !text.is_settled();
        text.with_log(log)
    }

    /// Whether its log is what it will be.
    fn is_settled(&self) -> bool {
        match self.job.ended_at {
            None => self.details.started_at.is_none(),
            Some(ended) => ended.plus(LAST_WORDS) < Timestamp::now(),
        }
    }

    fn with_log(&self, log: Option<Log>) -> Self {
        let received = self.details.received_at;
        let rest = log.map_or(",\"lastChangedTime\":\"0\"}".to_owned(), |log| log.tell(received));
        Self {
            job: self.job.clone(),
            details: self.details.clone(),
            begin: self.begin.clone(),
            rest,
            log,
            unsettled: !self.is_settled(),
        }
    }

    fn tell(&self, now: SystemTime, into: &mut String) {
        use std::fmt::Write as _;
        into.push_str(&self.begin);
        into.push_str(&self.rest);
        if let Some(log) = self.log {
            let age = now.duration_since(log.modified).unwrap_or_default();
            // A text takes whatever is written.
            let _ = write!(into, "{}}}", age.as_secs());
        }
    }
}

impl Log {
    /// All but its age, which is another one each time it is told.
    fn tell(self, received: Timestamp) -> String {
        let changed = OffsetDateTime::from(self.modified);
        let changed = changed.replace_nanosecond(0).unwrap_or(changed);
        let since = self.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let took = i64::try_from(since.as_secs())
            .unwrap_or(i64::MAX)
            .saturating_sub(received.0.div_euclid(1000));
        format!(
            ",\"lastChangedTime\":\"{}\",\"processingTime\":{took},\"processingLogSize\":{},\"processingLast\":",
            changed.format(&Rfc2822).unwrap_or_default(),
            self.bytes
        )
    }
}

/// What is told of a job whatever its log says. Exactly one key has `pid` in its name, and one `scratchdir`: clients look
/// for them so, and put their values into URLs and names of files.
fn fixed(job: &JobDetails, push: Option<PushRow>, measures: Vec<Measure>) -> Map<String, Value> {
    let sender = push.as_ref().map_or(&job.calling_ae_title, |push| &push.sender);
    let mut fields = Map::new();
    for (key, value) in [
        ("CallerIP", job.caller_address.clone()),
        ("AETitleCalled", job.stream.to_string()),
        ("AETitleCaller", sender.clone()),
        ("received", job.received_at.to_rfc3339()),
        ("scratchdir", scratchdir(&job.id)),
        ("pid", job.id.to_string()),
    ] {
        fields.insert(key.to_owned(), value.into());
    }
    if let Some(push) = push {
        fields.insert("jobname".to_owned(), push.name.into());
        fields.insert("description".to_owned(), push.description.into());
    }
    if !measures.is_empty() {
        fields.insert("measures".to_owned(), by_file(measures, ""));
    }
    fields
}

/// Measures by the file they were read from and who read them, as the original has them.
pub(super) fn by_file(measures: Vec<Measure>, ending: &str) -> Value {
    let mut files = Map::new();
    for measure in measures {
        let key = format!("{}_{}{ending}", measure.file, measure.source);
        let of_file = files.entry(key).or_insert_with(|| json!({}));
        if let Some(of_file) = of_file.as_object_mut() {
            of_file.insert(measure.name, measure.value);
        }
    }
    Value::Object(files)
}
