//! `/api/v1/routes`: the rules that say where results go, and why a result would or would not go somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FilePath, PathBuf};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{
    AttributeSet, AttributeTag, Destination, Direction, Job, JobId, Outcome, Peer, Place, Route, RouteSource,
};
use crate::routing::{self, Attributes, Decision, Facts, Offer, Offered, RoutesError, Rules};
use crate::stage::inputs;
use crate::store::{Store, StoreError};

use super::Context;
use super::api::{ask, job_id};
use super::problem::Problem;
use super::view;

/// Files of a job that are looked at to explain where they go.
const MOST_FILES: usize = 20_000;

/// Directories below each other that are looked into.
const DEEPEST: usize = 32;

pub fn router() -> Router<Context> {
    Router::new()
        .route("/routes", get(list).put(save))
        .route("/routes/file", get(file))
        .route("/routes/explain", post(explain))
}

async fn list(State(context): State<Context>) -> Json<Value> {
    Json(shown(&context, &context.routes.rules()))
}

/// The text of routing.json that is in force.
async fn file(State(context): State<Context>) -> Response {
    let text = context.routes.rules().text.to_string();
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// Puts the body in the place of routing.json, and in force. A wrong one changes nothing.
async fn save(State(context): State<Context>, body: Bytes) -> Result<Json<Value>, Problem> {
    let rules = put_in_force(&context, body).await?;
    Ok(Json(shown(&context, &rules)))
}

/// The same, for whoever has the text.
pub(super) async fn put_in_force(context: &Context, text: Bytes) -> Result<Rules, Problem> {
    let saved = ask({
        let routes = context.routes.clone();
        move || Ok(routes.save(&text))
    });
    let rules = saved.await?.map_err(|error| match &error {
        RoutesError::Wrong { findings, .. } => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("the rules are refused, those before stay:\n{findings}"),
        ),
        RoutesError::Gone(_) | RoutesError::Io { .. } => {
            tracing::error!(%error, "save routing.json");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
    })?;
    tracing::info!(rules = rules.routes.len(), "routing.json was saved");
    Ok(rules)
}

fn shown(context: &Context, rules: &Rules) -> Value {
    let tags = rules.routes.iter().flat_map(|route| &route.to);
    let tags = tags.filter_map(|to| to.which.as_ref()).flatten();
    let mut tags: Vec<_> = tags
        .flat_map(|AttributeSet(patterns)| patterns.iter().map(|(tag, _)| tag.to_string()))
        .collect();
    tags.sort();
    tags.dedup();
    json!({
        "file": context.routes.file(),
        "loaded_at": rules.loaded_at,
        "refused": rules.refusal,
        "warnings": rules.warnings,
        "rules": rules.routes.iter().map(rule).collect::<Vec<_>>(),
        // What somebody has to read of a file to have it explained.
        "attributes": tags,
    })
}

fn text(pattern: Option<&Regex>) -> Option<&str> {
    pattern.map(Regex::as_str)
}

fn rule(route: &Route) -> Value {
    json!({
        "name": route.name,
        "source": match route.source {
            RouteSource::Configuration => "configuration",
            RouteSource::RoutingJson => "routing.json",
        },
        "enabled": route.enabled,
        "called": text(route.called.as_ref()),
        "calling": text(route.calling.as_ref()),
        "sends": route.send.name(),
        "last": route.last,
        "gate": route.gate.word(),
        "to": route.to.iter().map(destination).collect::<Vec<_>>(),
    })
}

fn destination(to: &Destination) -> Value {
    let set = |AttributeSet(patterns): &AttributeSet| -> Value {
        let one = |(tag, pattern): &(AttributeTag, Regex)| (tag.to_string(), pattern.as_str().into());
        Value::Object(patterns.iter().map(one).collect())
    };
    let given = match &to.peer {
        Peer::Named(_) => None,
        Peer::Given(remote) => Some(remote),
    };
    json!({
        "ae_title": to.peer.ae_title().as_str(),
        "address": given.map(|remote| &remote.address),
        "calling_ae_title": given.map(|remote| remote.calling.as_str()),
        "outcome": text(to.outcome.as_ref()).unwrap_or("^success$"),
        "which": to.which.as_ref().map(|sets| sets.iter().map(set).collect::<Vec<_>>()),
        "stops": to.stops,
        "error_report": to.error_report,
    })
}

/// What is to be explained: a job, or files as if they were results.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    job: Option<String>,
    called: Option<String>,
    calling: Option<String>,
    outcome: Option<String>,
    #[serde(default)]
    files: Vec<AskedFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedFile {
    name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

async fn explain(
    State(context): State<Context>,
    body: Result<Json<Question>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(question) = body?;
    match &question.job {
        Some(id) if question.files.is_empty() => {
            let id = job_id(id)?;
            let answer = ask(move || of_job(&context, &id, &question));
            answer.await?.map(Json)
        }
        Some(_) => Err(Problem::bad_request("give a job or files, not both")),
        None => of_files(&context.routes.now(), question).map(Json),
    }
}

fn of_files(routes: &[Route], question: Question) -> Result<Value, Problem> {
    let called = question.called.ok_or_else(|| {
        Problem::bad_request("called is missing: the AE title that a result would have been made for")
    })?;
    let mut files = Vec::new();
    for file in question.files {
        let mut attributes = BTreeMap::new();
        for (tag, value) in file.attributes {
            let tag = AttributeTag::parse(&tag)
                .map_err(|error| Problem::bad_request(format!("{tag:?}: {error}")))?;
            attributes.insert(tag, value);
        }
        files.push(Offered {
            file: file.name,
            attributes: Attributes::Read(attributes),
        });
    }
    let outcome = Outcome::from_word(question.outcome.as_deref().unwrap_or("success"));
    let offer = Offer {
        output: files.clone(),
        input: files,
        report: Vec::new(),
    };
    let calling = question.calling.unwrap_or_default();
    let facts = Facts {
        called: &called,
        calling: &calling,
        outcome: &outcome,
    };
    let offer = with_report(routes, facts, offer);
    let decision = routing::decide(routes, facts, &offer);
    Ok(answer(facts, &decision, &offer))
}

/// What would become of a job by the rules in force, beside what became of it.
fn of_job(context: &Context, id: &JobId, question: &Question) -> Result<Result<Value, Problem>, StoreError> {
    let Some(job) = context.store.job(id)? else {
        return Ok(Err(Problem::not_found(format!("there is no job {id}"))));
    };
    let routes = context.routes.now();
    let assumed = question.outcome.is_none() && job.outcome.is_none();
    let outcome = match &question.outcome {
        Some(word) => Outcome::from_word(word),
        None => job.outcome.clone().unwrap_or(Outcome::Success),
    };
    let called = question.called.clone().unwrap_or_else(|| job.stream.to_string());
    let calling = question.calling.clone();
    let calling = calling.unwrap_or_else(|| job.calling_ae_title.clone());
    let facts = Facts {
        called: &called,
        calling: &calling,
        outcome: &outcome,
    };
    let needed = routing::needed(&routes, facts);
    let mut notes = Vec::new();
    let output = context.layout.path(Place::Output(&job.stream, id));
    let names = names(&output, &mut notes);
    let offer = Offer {
        output: routing::offered(&output, names, needed.get(&Direction::Output)),
        input: received(context, &job, needed.get(&Direction::Input), &mut notes)?,
        report: Vec::new(),
    };
    let offer = with_report(&routes, facts, offer);
    if job.removed_at.is_some() {
        notes.push("the files of the job were removed: only the rules can be looked at".to_owned());
    } else if assumed {
        notes.push(
            "the job has not ended yet: this is how it would be if it ended now, with success".to_owned(),
        );
    }
    let decision = routing::decide(&routes, facts, &offer);
    let mut answer = answer(facts, &decision, &offer);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("job".to_owned(), id.as_str().into());
        answer.insert("notes".to_owned(), notes.into());
        answer.insert("became".to_owned(), became(&context.store, id)?);
    }
    Ok(Ok(answer))
}

/// With the end of the log, if it would be made.
fn with_report(routes: &[Route], facts: Facts<'_>, offer: Offer) -> Offer {
    let mut report = Vec::new();
    if routing::wants_report(routes, facts) {
        report.push(Offered {
            file: "error-report-1.dcm".to_owned(),
            attributes: Attributes::default(),
        });
    }
    Offer { report, ..offer }
}

/// What a job received, also while it was not laid out for its bucket yet.
fn received(
    context: &Context,
    job: &Job,
    wanted: Option<&BTreeSet<AttributeTag>>,
    notes: &mut Vec<String>,
) -> Result<Vec<Offered>, StoreError> {
    if job.removed_at.is_some() {
        return Ok(Vec::new());
    }
    let mut files = inputs(&context.layout, &context.store, job)?;
    if files.len() > MOST_FILES {
        notes.push(cut("input"));
        files.truncate(MOST_FILES);
    }
    files.retain(|file| routing::is_dicom(&file.path).unwrap_or(false));
    let offered = files.into_iter().map(|file| Offered {
        attributes: wanted.map_or_else(Attributes::default, |tags| {
            routing::read_attributes(&file.path, tags)
        }),
        file: file.name,
    });
    Ok(offered.collect())
}

fn cut(directory: &str) -> String {
    format!("only {MOST_FILES} of the files of {directory} are looked at: there are more")
}

/// The DICOM files of a directory, and what else is to be said of it.
fn names(directory: &FilePath, notes: &mut Vec<String>) -> Vec<String> {
    let mut paths: Vec<PathBuf> = Vec::new();
    match crate::files::walk(directory, (DEEPEST, MOST_FILES), &mut paths, &mut 0) {
        Err(_) if paths.len() == MOST_FILES => notes.push(cut("output")),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => notes.push(error.to_string()),
        _ => {}
    }
    paths.sort();
    paths.retain(|path| routing::is_dicom(path).unwrap_or(false));
    let below = |path: &PathBuf| Some(path.strip_prefix(directory).ok()?.to_str()?.to_owned());
    paths.iter().filter_map(below).collect()
}

fn became(store: &Store, id: &JobId) -> Result<Value, StoreError> {
    let mut deliveries = Vec::new();
    for delivery in store.deliveries(id)? {
        let instances = store.delivery_instances(delivery.id)?;
        deliveries.push(view::delivery(&delivery, &instances));
    }
    Ok(deliveries.into())
}

fn answer(facts: Facts<'_>, decision: &Decision, offer: &Offer) -> Value {
    let plan: Vec<_> = decision
        .plan
        .iter()
        .map(|planned| {
            let files = match planned.direction {
                Direction::Output => &offer.output,
                Direction::Input => &offer.input,
                Direction::Report => &offer.report,
            };
            let names = planned.files.iter().filter_map(|place| files.get(*place));
            json!({
                "to": planned.peer.ae_title().as_str(),
                "route": planned.route,
                "sends": planned.direction.name(),
                "after": planned.after,
                "files": names.map(|f| &f.file).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "called": facts.called,
        "calling": facts.calling,
        "outcome": facts.outcome.word(),
        "rules": decision.rules,
        "plan": plan,
    })
}
