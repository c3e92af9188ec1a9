//! A run of `buckets run` as a job that a node would have, in a directory of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::bucket::{Inspected, Installed, Manifest};
use crate::container::{Labels, RunSpec, label};
use crate::engine::run::Run;
use crate::model::{GpuId, Job, JobId, JobState, Timestamp};
use crate::store::BucketRow;

use super::leftovers;
use super::study::Study;

/// A job and where its files are.
pub(super) struct Here {
    pub job: Job,
    /// Series Instance UIDs of its input.
    pub series: BTreeSet<String>,
    /// Holds INPUT, OUTPUT and the papers.
    pub directory: PathBuf,
    /// What the bucket sees as /memory.
    pub memory: PathBuf,
    /// The graphics processors that are its own.
    pub gpus: Vec<GpuId>,
    /// Whether the container stays.
    pub keep: bool,
}

impl Here {
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn container(&self) -> String {
        format!("magickbox-run-{}", self.job.id)
    }

    /// By these everything of this run is found, and swept when it is interrupted.
    pub fn labels(&self, kind: &str) -> Labels {
        let mut labels = leftovers::labels(&self.job.id);
        labels.insert(label::KIND.to_owned(), kind.to_owned());
        if self.keep && kind == label::KIND_RUN {
            labels.insert(leftovers::KEPT.to_owned(), "1".to_owned());
        }
        labels
    }

    /// The container of the run: the node's.
    pub fn spec(&self, bucket: &Installed) -> RunSpec {
        let settings = &bucket.manifest.settings;
        let arguments = self.job.arguments.clone().or_else(|| settings.arguments.clone());
        Run {
            name: self.container(),
            image: bucket.image.clone(),
            labels: self.labels(label::KIND_RUN),
            settings,
            gpus: &self.gpus,
            input: self.path("INPUT"),
            output: self.path("OUTPUT"),
            memory: self.memory.clone(),
            job: self.job.id.to_string(),
            called: self.job.stream.to_string(),
            calling: self.job.calling_ae_title.clone(),
            study_instance_uid: self.job.study_instance_uid.clone(),
            arguments: arguments.unwrap_or_default(),
        }
        .spec()
    }
}

/// The bucket as a node would have installed it now; `manifest` has the site's overrides.
pub(super) fn installed(image: &str, found: &Inspected, manifest: Manifest) -> Installed {
    Installed {
        row: BucketRow {
            ae_title: manifest.ae_title.clone(),
            image: image.to_owned(),
            digest: found.image.id.to_string(),
            info: manifest.info.clone(),
            has_plugin: found.has_plugin,
            installed_at: Timestamp::now(),
        },
        manifest,
        image: found.image.id.clone(),
    }
}

/// The job of a study, running.
pub(super) fn job(id: JobId, bucket: &Installed, study: &Study, arguments: Option<String>) -> Job {
    let now = Timestamp::now();
    let stream = bucket.row.ae_title.clone();
    Job {
        state: JobState::Running,
        instances: study.files.len() as u64,
        bytes: study.files.iter().map(|f| f.bytes).sum(),
        queued_at: Some(now),
        attempt: 1,
        image: Some(bucket.image.to_string()),
        arguments,
        ..Job::of_study(id, stream, &study.study_instance_uid, "BUCKETS", now)
    }
}
