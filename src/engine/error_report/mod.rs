//! The series "Error Report": the end of processing.log as images of the study, where a route asks for it.
//!
//! Made at the harvest, and made the same again when that is repeated after a crash.
//!
//! ```text
//! patient    a log without what the study says of its patient
//! page       text as pixels
//! ```

mod page;
mod patient;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::dicom::part10::FileMeta;
use crate::dicom::secondary_capture::{self, Capture};
use crate::files;
use crate::model::{Job, Timestamp, Uid, Verdict};
use crate::routing::{Attributes, read_attributes};

/// What is read of a log, in bytes: the end of it.
const TAIL: u64 = 64 << 10;

/// The most images of a series.
const PAGES: usize = 4;

/// The bucket that ran.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Makes the series in a directory, for the study of the first of the objects that the job received; answers its files.
///
/// # Errors
/// What reading and writing says; that the object has no study, or the objects are of two patients: a log may tell of one
/// in the folder of the other.
pub(super) fn make(
    directory: &Path,
    log: &Path,
    objects: &[PathBuf],
    job: &Job,
    program: &Program,
    verdict: &Verdict,
) -> io::Result<Vec<(String, FileMeta)>> {
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let Some(object) = objects.first() else {
        return Err(wrong(
            "there is no object whose study it could be added to".to_owned(),
        ));
    };
    if patient::are_two(objects)? {
        return Err(wrong("the input is of two patients".to_owned()));
    }
    let study = match read_attributes(object, &secondary_capture::taken_over().collect()) {
        Attributes::Read(study) => study,
        Attributes::Unreadable(why) => return Err(wrong(why)),
    };
    let without = |text: &str| patient::without(text, &study);
    // What the bucket says of its end is its own text too.
    let said = Verdict {
        reason: verdict.reason.as_deref().map(without),
        ..verdict.clone()
    };
    let lines = lines(&heading(job, program, &said), &without(&tail(log)?));
    let mut made = Vec::new();
    for (number, lines) in (1..).zip(lines.chunks(page::LINES)) {
        let capture = Capture {
            study: &study,
            series: uid(job, 0)?,
            description: "Error Report",
            instance: uid(job, number)?,
            number,
            at: job.run_ended_at.unwrap_or_else(Timestamp::now),
        };
        let (meta, bytes) =
            secondary_capture::file(&capture, page::page(lines)).map_err(|error| wrong(error.to_string()))?;
        let name = format!("error-report-{number}.dcm");
        files::replace_file(&directory.join(&name), &bytes)?;
        made.push((name, meta));
    }
    Ok(made)
}

fn heading(job: &Job, program: &Program, verdict: &Verdict) -> String {
    let reason = verdict.reason.as_ref().map(|r| format!(": {r}"));
    let version = match program.version.trim() {
        "" => "unknown",
        version => version,
    };
    let image = job.image.as_deref().unwrap_or("unknown");
    let ended = job.run_ended_at.unwrap_or(job.received_at).to_date_time();
    format!(
        "Error Report of {} ({}), version {version}\nimage {image}\njob {}, ended {:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC\n\
         {}{}\n\nThe end of its processing.log, without what names the patient:\n\n",
        program.name.trim(),
        job.stream,
        job.id,
        ended.year(),
        u8::from(ended.month()),
        ended.day(),
        ended.hour(),
        ended.minute(),
        ended.second(),
        verdict.outcome,
        reason.unwrap_or_default()
    )
}

/// The end of a log; a job that never ran has none.
fn tail(log: &Path) -> io::Result<String> {
    let mut file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok("(there is none)".to_owned()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Heading and log as lines that fit a page: long ones are broken, and of all the log's the last are kept.
fn lines(heading: &str, log: &str) -> Vec<String> {
    let mut lines = broken(heading);
    let log = broken(log);
    let room = (PAGES * page::LINES).saturating_sub(lines.len());
    let left_out = log.len().saturating_sub(room);
    lines.extend(log.into_iter().skip(left_out));
    lines.truncate(PAGES * page::LINES);
    lines
}

fn broken(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        // What moves a terminal's cursor back is a new line's beginning here.
        let line = line
            .rsplit('\r')
            .find(|part| !part.is_empty())
            .unwrap_or_default();
        let plain = |c: char| match c {
            '\t' => ' ',
            c if c.is_control() => '?',
            c => c,
        };
        let characters: Vec<_> = line.chars().map(plain).collect();
        if characters.is_empty() {
            lines.push(String::new());
        }
        lines.extend(characters.chunks(page::COLUMNS).map(|part| part.iter().collect()));
    }
    lines
}

/// A UID of the job's own (PS3.5 §B.2): the series, or its image of that number. Always the same.
fn uid(job: &Job, number: u16) -> io::Result<Uid> {
    let hash = Sha256::digest(format!(
        "error report {number} of job {} attempt {}",
        job.id, job.attempt
    ));
    let first = hash
        .iter()
        .take(16)
        .fold(0u128, |n, byte| (n << 8) | u128::from(*byte));
    Uid::parse(format!("2.25.{first}").as_bytes())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{job, write_object};

    #[test]
    fn the_end_of_a_long_log_is_kept_and_long_lines_are_broken() {
        let log: Vec<_> = (0..1000).map(|n| format!("line {n}")).collect();
        let made = lines("head\n", &log.join("\n"));
        assert_eq!(made.len(), PAGES * page::LINES);
        assert_eq!(
            (made[0].as_str(), made.last().unwrap().as_str()),
            ("head", "line 999")
        );
        let made = lines("", &format!("{}\n\n10 %\r20 %\r\nx\x1b[1my", "a".repeat(250)));
        let lengths: Vec<_> = made.iter().map(String::len).collect();
        assert_eq!(lengths, [100, 100, 50, 0, 4, 6]);
        assert_eq!((made[4].as_str(), made[5].as_str()), ("20 %", "x?[1my"));
    }

    #[test]
    fn the_heading_says_which_bucket_in_which_version_when_and_why() {
        let job = Job {
            image: Some("sha256:ab".to_owned()),
            run_ended_at: Some(Timestamp(0)),
            ..job()
        };
        let verdict = Verdict {
            outcome: crate::model::Outcome::Failed,
            reason: Some("exit status 3".to_owned()),
        };
        let program = Program {
            name: "T1 volumes".to_owned(),
            version: "1.2".to_owned(),
        };
        let said = heading(&job, &program, &verdict);
        for word in [
            "ProcT1",
            "T1 volumes",
            "1.2",
            "sha256:ab",
            "1970-01-01",
            "exit status 3",
            job.id.as_str(),
        ] {
            assert!(said.contains(word), "{word} not in\n{said}");
        }
    }

    #[test]
    fn what_the_study_says_of_the_patient_is_in_no_line() {
        let tag = |group, element| crate::model::AttributeTag { group, element };
        let study = std::collections::BTreeMap::from([
            (tag(0x0010, 0x0010), "Doe^John^^Dr=山田^太郎".to_owned()),
            (tag(0x0010, 0x0020), "A-1".to_owned()),
            (tag(0x0010, 0x0030), "19700102".to_owned()),
            (tag(0x0008, 0x0050), "ACC77".to_owned()),
            (tag(0x0008, 0x0090), "Ref^Erring".to_owned()),
            (tag(0x0008, 0x1030), "Head".to_owned()),
        ]);
        let log = "patient DOE, john (a-1) of 1970-01-02\nread /tmp/Doe_John_ACC77.nii: 山田太郎\n\
                   born 02.01.1970 or 01/02/1970, 19700102; Erring; Doering, A-12, Johnson, Head: shape mismatch";
        let said = patient::without(log, &study);
        for word in [
            "DOE", "john", "a-1)", "1970", "Doe_", "John_", "ACC77", "山田", "太郎", " Erring",
        ] {
            assert!(!said.contains(word), "{word} is in\n{said}");
        }
        for word in [
            "patient",
            ".nii",
            "Doering",
            "A-12",
            "Johnson",
            "Head: shape mismatch",
        ] {
            assert!(said.contains(word), "{word} is not in\n{said}");
        }
        assert_eq!(said.lines().count(), log.lines().count());
    }

    #[test]
    fn of_two_patients_there_is_none_and_of_one_it_does_not_tell() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let object = |name: &str, patient: &str| {
            write_object(&at(name), patient);
            at(name)
        };
        let job = Job {
            run_ended_at: Some(Timestamp(0)),
            ..job()
        };
        let program = Program {
            name: "T1".to_owned(),
            version: String::new(),
        };
        let reason = |text: &str| Verdict {
            outcome: crate::model::Outcome::Failed,
            reason: Some(text.to_owned()),
        };
        let make = |objects: &[PathBuf], log: &str, verdict: &Verdict| {
            std::fs::write(at("log"), log).unwrap();
            make(&at("report"), &at("log"), objects, &job, &program, verdict)
                .map(|_| std::fs::read(at("report/error-report-1.dcm")).unwrap())
                .map_err(|error| error.to_string())
        };
        let (one, same, other) = (object("1", "A1"), object("2", "A1 "), object("3", "A2"));
        let verdict = reason("exit status 3");
        let refused = make(&[one.clone(), other], "x", &verdict).unwrap_err();
        assert!(refused.contains("two patients"), "{refused}");
        let objects = [one, same];
        let told = make(&objects, "DOE (a1)", &reason("no brain in John")).unwrap();
        assert_eq!(
            told,
            make(&objects, "*** (***)", &reason("no brain in ***")).unwrap()
        );
        assert_ne!(told, make(&objects, "*** (***)", &verdict).unwrap());
    }

    #[test]
    fn uids_are_the_jobs_own_and_always_the_same() {
        let job = job();
        assert_eq!(uid(&job, 0).unwrap(), uid(&job, 0).unwrap());
        assert_ne!(uid(&job, 0).unwrap(), uid(&job, 1).unwrap());
    }
}
