//! After the end of a container: what came out of it. May be repeated after a crash at any point.

use crate::bucket::Installed;
use crate::container::label;
use crate::dicom::part10::FileMeta;
use crate::files;
use crate::model::{
    self, DeliveryInstance, Direction, Ended, InstanceState, Job, Outcome, Place, Route, Timestamp, Verdict,
};
use crate::store::NewDelivery;

use super::measures::{self, Found, Plugin};
use super::output::{self, Hashed, Listing, OutputFile};
use super::{Engine, EngineError, blocking, driver, io, record, report};

/// Harvesting → Delivering or Done.
pub(super) async fn harvest(engine: &Engine, job: &Job) -> Result<(), EngineError> {
    let bucket = driver::attempt_bucket(engine, job)?;
    let verdict = verdict(engine, job, &bucket).await?;
    crate::failpoint::reach("proc-json-kept");
    let listing = list(engine, job, Place::Output(&job.stream, &job.id)).await?;
    let (problem, mut outputs) = (listing.problem(), listing.files);
    // An earlier try's, if the bucket is one that gets a report: it is made again, and nobody measures it.
    let of_node = report::file_name(&job.id);
    outputs.retain(|f| bucket.manifest.settings.report == model::Report::None || f.path != of_node);
    let inputs = list(engine, job, Place::Input(&job.stream, &job.id)).await?.files;
    let mut found = measure(engine, job, &bucket, &outputs).await?;
    found.problems.extend(problem);
    report(engine, job, &bucket, &verdict, &inputs, &mut outputs, &mut found).await?;
    crate::failpoint::reach("report-written");
    let deliveries = deliveries(&engine.routes, job, &verdict, &inputs, &outputs);
    write_papers(engine, job, &bucket, &verdict, &inputs, &outputs, &found).await?;
    crate::failpoint::reach("papers-written");
    for problem in found.problems.iter().take(20) {
        engine.store.note(&job.id, "problem", problem.clone()).await?;
    }
    // Everything it had is on disk by now; who sees the job done sees no container of it. One left over by an engine in
    // trouble is swept at the next start.
    if let Err(error) = engine.runtime.remove(&driver::container_name(job), true).await {
        tracing::warn!(job.id = %job.id, %error, "remove a container that ended");
    }
    crate::failpoint::reach("container-removed");
    let due = deliveries.len();
    let outcome = verdict.outcome.logged();
    engine
        .store
        .harvested(&job.id, verdict, found.measures, deliveries, Timestamp::now())
        .await?;
    crate::failpoint::reach("harvested");
    tracing::info!(job.id = %job.id, outcome, deliveries = due, "job harvested");
    driver::bucket_log(engine, job, &format!("{outcome}, {} output files", outputs.len())).await;
    engine.deliveries.notify_one();
    Ok(())
}

/// Moves the bucket's proc.json beside INPUT and OUTPUT, and decides.
async fn verdict(engine: &Engine, job: &Job, bucket: &Installed) -> Result<Verdict, EngineError> {
    let left = engine
        .layout
        .path(Place::Output(&job.stream, &job.id))
        .join("proc.json");
    let kept = engine.layout.path(Place::ProcJson(&job.stream, &job.id));
    let settings = &bucket.manifest.settings;
    let ended = Ended {
        exit_status: job.exit_status,
        oom_killed: job.oom_killed,
        timed_out: job.timed_out.then_some(settings.timeout),
        stopped: job.stopped_why.clone(),
    };
    let memory = settings.resources.memory;
    blocking(move || {
        let own = record::take_proc_json(&left, &kept).map_err(io("keep proc.json"))?;
        let verdict = Verdict::decide(&ended, memory, own.as_ref());
        if own.is_none() {
            files::replace_file(&kept, &record::proc_json(&verdict)).map_err(io("write proc.json"))?;
        }
        Ok(verdict)
    })
    .await
}

async fn list(engine: &Engine, job: &Job, place: Place<'_>) -> Result<Listing, EngineError> {
    let directory = engine.layout.path(place);
    let job = job.id.clone();
    blocking(move || {
        tracing::debug!(job.id = %job, "read a directory of the job");
        output::files(&directory).map_err(io("read the files of the job"))
    })
    .await
}

async fn measure(
    engine: &Engine,
    job: &Job,
    bucket: &Installed,
    outputs: &[OutputFile],
) -> Result<Found, EngineError> {
    let plugin = Plugin {
        name: format!("{}-measures", driver::container_name(job)),
        image: bucket.image.clone(),
        labels: driver::labels(engine, job, label::KIND_MEASURES),
        settings: &bucket.manifest.settings,
        output: engine.layout.path(Place::Output(&job.stream, &job.id)),
    };
    measures::collect(
        engine.runtime.as_ref(),
        &plugin,
        bucket.row.has_plugin,
        &bucket.manifest.measures,
        outputs,
    )
    .await
}

/// Makes the report of the measures, if one is wanted: one more result.
async fn report(
    engine: &Engine,
    job: &Job,
    bucket: &Installed,
    verdict: &Verdict,
    inputs: &[OutputFile],
    outputs: &mut Vec<OutputFile>,
    found: &mut Found,
) -> Result<(), EngineError> {
    if !report::is_wanted(bucket, verdict, &found.measures) {
        return Ok(());
    }
    let wanted = report::Wanted {
        job: job.clone(),
        bucket: bucket.clone(),
        node: engine.store.node_id().to_owned(),
        input: engine.layout.path(Place::Input(&job.stream, &job.id)),
        output: engine.layout.path(Place::Output(&job.stream, &job.id)),
        own: engine.layout.path(Place::Job(&job.stream, &job.id)),
        inputs: inputs
            .iter()
            .filter(|f| f.dicom.is_some())
            .map(|f| f.path.clone())
            .collect(),
        measures: found.measures.clone(),
        complete: verdict.outcome == Outcome::Success,
    };
    match blocking(move || report::make(&wanted).map_err(io("make the report"))).await? {
        report::Made::Written(file) => outputs.push(*file),
        report::Made::Not(why) => found.problems.push(why),
    }
    Ok(())
}

/// Which results go where: pure, from the routes and what is known of the job.
fn deliveries(
    routes: &[Route],
    job: &Job,
    verdict: &Verdict,
    inputs: &[OutputFile],
    outputs: &[OutputFile],
) -> Vec<NewDelivery> {
    let mut deliveries: Vec<NewDelivery> = Vec::new();
    let matching = routes
        .iter()
        .filter(|r| r.matches(job.stream.as_str(), &job.calling_ae_title, &verdict.outcome));
    for route in matching {
        let files = match route.send {
            Direction::Output => outputs,
            Direction::Input => inputs,
        };
        let instances: Vec<_> = files
            .iter()
            .filter_map(|f| f.dicom.as_ref().map(|meta| waiting(&f.path, meta)))
            .collect();
        for destination in &route.to {
            // One result goes to one destination once, however many routes say so.
            let known = deliveries
                .iter()
                .any(|d| d.destination == *destination && d.direction == route.send);
            if !known && !instances.is_empty() {
                deliveries.push(NewDelivery {
                    destination: destination.clone(),
                    route: route.name.clone(),
                    direction: route.send,
                    instances: instances.clone(),
                });
            }
        }
    }
    deliveries
}

fn waiting(file: &str, meta: &FileMeta) -> DeliveryInstance {
    DeliveryInstance {
        file: file.to_owned(),
        sop_class_uid: meta.sop_class_uid.to_string(),
        sop_instance_uid: meta.sop_instance_uid.to_string(),
        transfer_syntax_uid: meta.transfer_syntax_uid.to_string(),
        state: InstanceState::Waiting,
        status: None,
    }
}

/// measures.json and record.json.
async fn write_papers(
    engine: &Engine,
    job: &Job,
    bucket: &Installed,
    verdict: &Verdict,
    inputs: &[OutputFile],
    outputs: &[OutputFile],
    found: &Found,
) -> Result<(), EngineError> {
    let hashed = |files: &[OutputFile]| files.iter().map(Hashed::from).collect();
    let run = record::Run {
        job,
        bucket: Some(bucket),
        verdict,
        input: hashed(inputs),
        output: hashed(outputs),
        problems: &found.problems,
    };
    let papers: [(_, Vec<u8>); 2] = [
        (
            engine.layout.path(Place::Measures(&job.stream, &job.id)),
            record::pretty(&found.measures),
        ),
        (
            engine.layout.path(Place::Record(&job.stream, &job.id)),
            record::pretty(&record::record(&run)),
        ),
    ];
    blocking(move || {
        papers
            .iter()
            .try_for_each(|(path, text)| files::replace_file(path, text))
            .map_err(io("write the job's papers"))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::job;
    use crate::model::{AeTitle, Uid};

    fn file(path: &str, dicom: bool) -> OutputFile {
        let uid = |t: &str| Uid::parse(t.as_bytes()).unwrap();
        let meta = FileMeta {
            sop_class_uid: uid("1.2"),
            sop_instance_uid: uid("1.3"),
            transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
        };
        OutputFile {
            path: path.into(),
            bytes: 1,
            sha256: String::new(),
            dicom: dicom.then_some(meta),
        }
    }

    fn route(name: &str, send: Direction, to: &[&str]) -> Route {
        let to = to.iter().map(|t| AeTitle::parse(t).unwrap()).collect();
        Route {
            name: name.into(),
            called: None,
            calling: None,
            outcome: None,
            send,
            to,
        }
    }

    #[test]
    fn a_result_goes_to_each_destination_once_and_only_its_dicom_files() {
        let routes = [
            route("one", Direction::Output, &["PACS", "RESEARCH"]),
            route("two", Direction::Output, &["PACS"]),
            route("back", Direction::Input, &["PACS"]),
        ];
        let verdict = Verdict {
            outcome: Outcome::Success,
            reason: None,
        };
        let outputs = [file("a.dcm", true), file("a.nii", false)];
        let made = deliveries(&routes, &job(), &verdict, &[file("i.dcm", true)], &outputs);
        let shown: Vec<_> = made
            .iter()
            .map(|d| {
                (
                    d.route.as_str(),
                    d.destination.as_str(),
                    d.instances.len(),
                    d.instances[0].file.as_str(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("one", "PACS", 1, "a.dcm"),
                ("one", "RESEARCH", 1, "a.dcm"),
                ("back", "PACS", 1, "i.dcm")
            ]
        );
    }

    #[test]
    fn nothing_is_delivered_of_a_job_without_dicom_results() {
        let verdict = Verdict {
            outcome: Outcome::Success,
            reason: None,
        };
        let routes = [route("one", Direction::Output, &["PACS"])];
        assert!(deliveries(&routes, &job(), &verdict, &[], &[file("a.nii", false)]).is_empty());
    }
}
