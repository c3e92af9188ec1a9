//! After the end of a container: what came out of it. May be repeated after a crash at any point.

use crate::bucket::Installed;
use crate::container::label;
use crate::dicom::part10::FileMeta;
use crate::files;
use crate::model::{
    self, DeliveryInstance, Direction, Ended, InstanceState, Job, Outcome, Place, Timestamp, Verdict,
};
use crate::routing::{self, Facts, Offer, Planned};
use crate::stage;
use crate::store::NewDelivery;

use super::measures::{self, Found, Plugin};
use super::output::{self, Hashed, Listing, OutputFile};
use super::{Engine, EngineError, blocking, driver, error_report, io, is_shortage, record, report};

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
    let (deliveries, unreadable) = deliveries(engine, job, &bucket, &verdict, &inputs, &outputs).await?;
    found.problems.extend(unreadable);
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

/// Which results go where, by the rules in force, and what could not be read for it.
async fn deliveries(
    engine: &Engine,
    job: &Job,
    bucket: &Installed,
    verdict: &Verdict,
    inputs: &[OutputFile],
    outputs: &[OutputFile],
) -> Result<(Vec<NewDelivery>, Vec<String>), EngineError> {
    let routes = engine.routes.now();
    let facts = Facts {
        called: job.stream.as_str(),
        calling: &job.calling_ae_title,
        outcome: &verdict.outcome,
    };
    let (inputs, outputs) = (dicom(inputs), dicom(outputs));
    let needed = routing::needed(&routes, facts);
    let (input, output) = (
        engine.layout.path(Place::Input(&job.stream, &job.id)),
        engine.layout.path(Place::Output(&job.stream, &job.id)),
    );
    let names = |files: &[(&str, &FileMeta)]| -> Vec<String> {
        files.iter().map(|(name, _)| (*name).to_owned()).collect()
    };
    let (input_names, output_names) = (names(&inputs), names(&outputs));
    let wanted = !inputs.is_empty() && routing::wants_report(&routes, facts);
    let (reports, problem) = if wanted {
        report_of_failure(engine, job, bucket, verdict, &input_names).await?
    } else {
        (Vec::new(), None)
    };
    let report_names = reports.iter().map(|(name, _)| name.clone()).collect();
    let offer = blocking(move || {
        Ok(Offer {
            input: routing::offered(&input, input_names, needed.get(&Direction::Input)),
            output: routing::offered(&output, output_names, needed.get(&Direction::Output)),
            report: routing::offered(&output, report_names, None),
        })
    })
    .await?;
    let plan = routing::decide(&routes, facts, &offer).plan;
    let reports: Vec<_> = reports.iter().map(|(name, meta)| (name.as_str(), meta)).collect();
    let deliveries = plan.into_iter().map(|planned| {
        let files = match planned.direction {
            Direction::Output => &outputs,
            Direction::Input => &inputs,
            Direction::Report => &reports,
        };
        new_delivery(planned, files)
    });
    let problems = offer.unreadable().into_iter().chain(problem);
    Ok((deliveries.collect(), problems.collect()))
}

/// Files of the series "Error Report"; why there are none does not keep the results.
async fn report_of_failure(
    engine: &Engine,
    job: &Job,
    bucket: &Installed,
    verdict: &Verdict,
    inputs: &[String],
) -> Result<(Vec<(String, FileMeta)>, Option<String>), EngineError> {
    let path = |place| engine.layout.path(place);
    let directory = path(Place::Report(&job.stream, &job.id));
    let log = path(Place::ProcessingLog(&job.stream, &job.id));
    let input = path(Place::Input(&job.stream, &job.id));
    let objects: Vec<_> = inputs.iter().map(|name| input.join(name)).collect();
    let (job, verdict) = (job.clone(), verdict.clone());
    let program = error_report::Program {
        name: bucket.manifest.name.clone(),
        version: bucket.manifest.version.clone(),
    };
    blocking(move || {
        let made = error_report::make(&directory, &log, &objects, &job, &program, &verdict);
        match made {
            Ok(files) => Ok((files, None)),
            Err(error) if is_shortage(&error) => Err(io("make the error report")(error)),
            Err(error) => {
                let problem = format!("the series \"Error Report\" was not made: {error}");
                Ok((Vec::new(), Some(problem)))
            }
        }
    })
    .await
}

/// The DICOM objects among them: no other file is sent. A DICOMDIR is a file of DICOM and lists objects, of whomever.
fn dicom(files: &[OutputFile]) -> Vec<(&str, &FileMeta)> {
    let dicom = files
        .iter()
        .filter_map(|file| Some((file.path.as_str(), file.dicom.as_ref()?)));
    let is_object = |meta: &FileMeta| {
        meta.sop_class_uid.as_str() != dicom_dictionary_std::uids::MEDIA_STORAGE_DIRECTORY_STORAGE
    };
    dicom.filter(|(_, meta)| is_object(meta)).collect()
}

fn new_delivery(planned: Planned, files: &[(&str, &FileMeta)]) -> NewDelivery {
    let going = planned.files.iter().filter_map(|place| files.get(*place));
    NewDelivery {
        instances: going.map(|(name, meta)| waiting(name, meta)).collect(),
        peer: planned.peer,
        route: planned.route,
        direction: planned.direction,
        after: planned.after,
        gate: planned.gate,
    }
}

fn waiting(file: &str, meta: &FileMeta) -> DeliveryInstance {
    DeliveryInstance {
        file: file.to_owned(),
        sop_class_uid: meta.sop_class_uid.to_string(),
        sop_instance_uid: meta.sop_instance_uid.to_string(),
        transfer_syntax_uid: meta.transfer_syntax_uid.to_string(),
        state: InstanceState::Waiting,
        status: None,
        commitment: None,
        reason: None,
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
        left_out: stage::left_out(&engine.layout, job)?,
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
    use crate::model::Uid;

    #[test]
    fn a_directory_of_files_is_not_sent() {
        let file = |path: &str, class: &str| OutputFile {
            path: path.to_owned(),
            bytes: 1,
            sha256: String::new(),
            dicom: Some(FileMeta {
                sop_class_uid: Uid::parse(class.as_bytes()).unwrap(),
                sop_instance_uid: Uid::parse(b"1.2").unwrap(),
                transfer_syntax_uid: Uid::parse(b"1.2.840.10008.1.2.1").unwrap(),
            }),
        };
        let files = [
            file("1.dcm", "1.2.840.10008.5.1.4.1.1.4"),
            file("DICOMDIR", "1.2.840.10008.1.3.10"),
        ];
        let sent: Vec<_> = dicom(&files).iter().map(|(path, _)| *path).collect();
        assert_eq!(sent, ["1.dcm"]);
    }
}
