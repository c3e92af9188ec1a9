//! The report that the node makes of a bucket's measures: written into OUTPUT, a result like any other.
//!
//! Done again it makes the same file: UIDs come from the job and its attempt, times from the job.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::bucket::Installed;
use crate::dicom::composite::{self, Composite, Held, Patients};
use crate::dicom::derived_uid::derived;
use crate::dicom::sr::{Algorithm, Document, Equipment, Group, Instance, Measured, Report};
use crate::files;
use crate::model::{self, Job, JobId, Measure, Outcome, Verdict};

use super::output::{self, OutputFile};

/// (0008,1032) Procedure Code Sequence
const PROCEDURE_CODES: u32 = 0x0008_1032;

/// What a report is made of; owned, since it is made on another thread.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The job, as it stands after its container ended.
    pub job: Job,
    /// Its bucket.
    pub bucket: Installed,
    /// What the node calls itself.
    pub node: String,
    /// INPUT.
    pub input: PathBuf,
    /// OUTPUT, which was the bucket's.
    pub output: PathBuf,
    /// A directory that was never the bucket's, on the same file system.
    pub own: PathBuf,
    /// The DICOM files of INPUT, relative to it.
    pub inputs: Vec<String>,
    /// What was measured.
    pub measures: Vec<Measure>,
    /// Whether all of it was.
    pub complete: bool,
}

/// What became of it.
#[derive(Debug)]
pub enum Made {
    /// A file in OUTPUT.
    Written(Box<OutputFile>),
    /// None could be made; why, for people.
    Not(String),
}

/// The name of a job's report in OUTPUT.
#[must_use]
pub fn file_name(job: &JobId) -> String {
    format!("measurement-report-{job}.dcm")
}

/// Whether a report is made of a run: its bucket asks for one, it did not fail, and it measured something.
#[must_use]
pub fn is_wanted(bucket: &Installed, verdict: &Verdict, measures: &[Measure]) -> bool {
    bucket.manifest.settings.report == model::Report::Sr
        && verdict.outcome != Outcome::Failed
        && !measures.is_empty()
}

/// Makes the report.
///
/// # Errors
/// What reading and writing say.
pub fn make(wanted: &Wanted) -> io::Result<Made> {
    let mut evidence = Vec::new();
    let (mut beside, mut patients) = (None, Patients::default());
    for name in &wanted.inputs {
        let Some(found) = composite::read(&wanted.input.join(name))? else {
            continue;
        };
        evidence.push(instance(&found));
        patients.add(&found);
        // The first by name, so that it is the same one each time.
        beside.get_or_insert(found);
    }
    // The gate would hold it, where it looks. But it is the node that says whose the measures are, and it cannot tell.
    if patients.are_two() {
        return Ok(Made::Not(
            "no report was made: the input is of two patients".to_owned(),
        ));
    }
    let Some(beside) = beside else {
        return Ok(Made::Not(
            "no report was made: no object of INPUT says which study it belongs to".to_owned(),
        ));
    };
    match document(wanted, &beside, evidence).file() {
        Ok(bytes) => put(wanted, &bytes),
        Err(error) => Ok(Made::Not(format!("no report was made: {error}"))),
    }
}

fn instance(found: &Composite) -> Instance {
    Instance {
        study_instance_uid: found.study_instance_uid.clone(),
        series_instance_uid: found.series_instance_uid.clone(),
        sop_instance_uid: found.sop_instance_uid.clone(),
        sop_class_uid: found.sop_class_uid.clone(),
    }
}

fn document<'a>(wanted: &'a Wanted, beside: &'a Composite, evidence: Vec<Instance>) -> Document<'a> {
    let job = &wanted.job;
    let attempt = job.attempt.to_string();
    let uid = |what: &str| derived(&["report", what, &wanted.node, job.id.as_str(), &attempt]);
    let manifest = &wanted.bucket.manifest;
    let procedures = match beside.held(PROCEDURE_CODES) {
        Some(Held::Items(items)) => items.clone(),
        _ => Vec::new(),
    };
    let report = Report {
        algorithm: Algorithm {
            ae_title: job.stream.as_str(),
            name: &manifest.name,
            version: &manifest.version,
            image: job.image.as_deref().unwrap_or(&wanted.bucket.row.digest),
        },
        device: derived(&["device", &wanted.node, job.stream.as_str()]),
        procedures,
        images: &evidence,
        groups: groups(wanted, &attempt),
    };
    let content = report.tree();
    Document {
        beside,
        evidence,
        series: uid("series"),
        instance: uid("instance"),
        description: "Measurements",
        at: job.run_ended_at.unwrap_or(job.received_at),
        complete: wanted.complete,
        equipment: Equipment {
            serial: &wanted.node,
            version: env!("CARGO_PKG_VERSION"),
        },
        content,
    }
}

/// The measures by file, in their order.
fn groups<'a>(wanted: &'a Wanted, attempt: &str) -> Vec<Group<'a>> {
    let job = &wanted.job;
    let declared = &wanted.bucket.manifest.measures;
    let of_file = wanted
        .measures
        .chunk_by(|a, b| (&a.source, &a.file) == (&b.source, &b.file));
    let group = |measures: &'a [Measure]| {
        let (source, file) = measures
            .first()
            .map_or(("", ""), |m| (m.source.as_str(), m.file.as_str()));
        Group {
            identifier: format!("{} {} {file}", job.stream, job.id),
            uid: derived(&["group", &wanted.node, job.id.as_str(), attempt, source, file]),
            measures: measures
                .iter()
                .map(|measure| Measured {
                    measure,
                    declared: declared.iter().find(|d| d.name == measure.name),
                })
                .collect(),
        }
    };
    of_file.map(group).collect()
}

/// Into OUTPUT by a rename from where the bucket never was: what it left there under whatever name is not followed.
fn put(wanted: &Wanted, bytes: &[u8]) -> io::Result<Made> {
    let name = file_name(&wanted.job.id);
    let (beside, path) = (wanted.own.join(&name), wanted.output.join(&name));
    files::replace_file(&beside, bytes)?;
    match fs::rename(&beside, &path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            files::remove_file(&beside)?;
            let why = format!("no report was made: the bucket left a directory {name} in OUTPUT");
            return Ok(Made::Not(why));
        }
        Err(error) => return Err(error),
    }
    files::sync_directory(&wanted.output)?;
    Ok(Made::Written(Box::new(output::file(&path, &name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Manifest;
    use crate::container::ImageId;
    use crate::engine::tests::{job, write_object};
    use crate::model::Timestamp;
    use crate::store::BucketRow;

    #[test]
    fn of_two_patients_there_is_no_report_whatever_the_gate_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let info = serde_json::json!({ "AETitle": "ProcT1", "name": "T1", "version": "1", "report": "sr",
            "measures": [{ "name": "brain", "unit": "mL" }] });
        let manifest = Manifest::parse(info.to_string().as_bytes()).unwrap();
        let image: ImageId = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
        let row = BucketRow {
            ae_title: manifest.ae_title.clone(),
            image: "t1".into(),
            digest: image.to_string(),
            info,
            has_plugin: false,
            installed_at: Timestamp(0),
        };
        let value = serde_json::json!(1200);
        let wanted = Wanted {
            job: job(),
            bucket: Installed { row, manifest, image },
            node: "node".to_owned(),
            input: directory.path().join("INPUT"),
            output: directory.path().join("OUTPUT"),
            own: directory.path().to_owned(),
            inputs: vec!["1.dcm".to_owned(), "2.dcm".to_owned()],
            measures: vec![Measure::new(
                "measures.json",
                "measures.json",
                "brain",
                value,
                None,
            )],
            complete: true,
        };
        for place in [&wanted.input, &wanted.output] {
            fs::create_dir(place).unwrap();
        }
        write_object(&wanted.input.join("1.dcm"), "A1");
        for (second, is_made) in [("A1 ", true), ("", true), ("A2", false)] {
            write_object(&wanted.input.join("2.dcm"), second);
            let made = make(&wanted).unwrap();
            assert_eq!(matches!(made, Made::Written(_)), is_made, "{second}: {made:?}");
        }
    }
}
