//! What a container of a bucket looks like (spec folder, bucket.md "At run time", containers.md).
//!
//! # How far a bucket is shut in
//!
//! Decided with real buckets: t1-volumes, qanorms, and one made by the original's recipe (`docker/buckets`; their story in
//! `tests/black_box/real_buckets.rs` holds what is said here).
//!
//! | | rule | why | the bucket may ask for |
//! | --- | --- | --- | --- |
//! | network | none | a study leaves the machine by routes only; all three run without | `"network": "bridge"` |
//! | root file system | writable, thrown away | the original's buckets write wherever they like: read-only, the third fails at its first `mkdir`; the other two run read-only as well | `"root": "read-only"` |
//! | user | the image's root | `/root` is 0700 in Debian's images: any other user fails at `/root/work.sh` with 126 | `"user": "uid:gid"` |
//! | capabilities | DAC_OVERRIDE, CHOWN, FOWNER | root has to write `/output` and read inputs that are not its own, and unpacking gives files away; none of the three needs more | `"capabilities": […]` of a closed list |
//!
//! No setting changes these: no new privileges, the engine's seccomp filter, limits of memory without swap, of processors
//! and of 4096 processes, of what is written into `/output` and elsewhere, a bounded log, no device but the usual harmless
//! ones, no core dumps. A site forbids what may be asked for by `[engine] forbid`, or overrides it for one bucket by
//! `[bucket.TITLE]`.
//!
//! With a writable root `/tmp` is the container's own disk and does not count towards its memory; with a read-only one it
//! is memory, half of the run's at most.

use std::collections::BTreeMap;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bucket::inside;
use crate::container::{Bind, ImageId, Labels, Network, Resources, RunSpec, label};
use crate::model::{GpuId, Network as Reach, Root, Settings};

/// Time between SIGTERM and SIGKILL.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

/// processing.log is kept to this many bytes, both ends.
pub const LOG_LIMIT: u64 = 64 << 20;

/// Calls the entry point as the original did; an image without bash runs with its sh.
const ENTRY: &str = "if [ -x /bin/bash ]; then exec /bin/bash -l -c '/root/work.sh /input /output'; \
                     else exec /bin/sh -l -c '/root/work.sh /input /output'; fi";

/// A run of a bucket, apart from who asks for it.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// Name of the container.
    pub name: String,
    /// The image.
    pub image: ImageId,
    /// Labels by which it is found again.
    pub labels: Labels,
    /// How it is run.
    pub settings: &'a Settings,
    /// The graphics processors that are its own, as many as the settings ask for; kept as a label of the container too.
    pub gpus: &'a [GpuId],
    /// The study.
    pub input: PathBuf,
    /// Where results go.
    pub output: PathBuf,
    /// What lasts between runs.
    pub memory: PathBuf,
    /// `MB_JOB`
    pub job: String,
    /// `MB_AETITLE_CALLED`
    pub called: String,
    /// `MB_AETITLE_CALLER`
    pub calling: String,
    /// `MB_STUDY_INSTANCE_UID`
    pub study_instance_uid: String,
    /// `MB_ARGUMENTS`
    pub arguments: String,
}

impl Run<'_> {
    /// The container of the run itself.
    #[must_use]
    pub fn spec(&self) -> RunSpec {
        let shared = self.settings.parallel > 1;
        RunSpec {
            name: self.name.clone(),
            image: self.image.clone(),
            entrypoint: vec!["/bin/sh".into(), "-c".into(), ENTRY.into()],
            command: Vec::new(),
            env: self.environment(),
            labels: self.labels(),
            binds: vec![
                Bind::read_only(&self.input, inside::INPUT),
                Bind::writable(&self.output, inside::OUTPUT),
                // One run at a time may write it: with several at once, none does.
                Bind {
                    source: self.memory.clone(),
                    target: inside::MEMORY_AT_RUN_TIME.into(),
                    read_only: shared,
                },
            ],
            resources: resources(self.settings),
            gpus: self.gpus.iter().map(ToString::to_string).collect(),
            network: network(self.settings.network),
            user: self.settings.user.clone(),
            capabilities: capabilities(self.settings),
            read_only_root: self.settings.root == Root::ReadOnly,
            stop_grace: STOP_GRACE,
        }
    }

    fn labels(&self) -> Labels {
        let mut labels = self.labels.clone();
        // Without any, too: an image has labels of its own, and this one is believed after a restart.
        labels.insert(label::GPUS.to_owned(), super::names(self.gpus));
        labels
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let asked = &self.settings.resources;
        let own = [
            ("MB_JOB", self.job.clone()),
            ("MB_AETITLE_CALLED", self.called.clone()),
            ("MB_AETITLE_CALLER", self.calling.clone()),
            ("MB_STUDY_INSTANCE_UID", self.study_instance_uid.clone()),
            ("MB_ARGUMENTS", self.arguments.clone()),
            ("MB_CPUS", asked.cpus.to_string()),
            ("MB_MEMORY", asked.memory.to_string()),
        ];
        // The same two directories under the names that images for other platforms look for.
        let others = [
            ("MERCURE_IN_DIR", "MERCURE_OUT_DIR"),
            ("MONAI_INPUTPATH", "MONAI_OUTPUTPATH"),
            ("HOLOSCAN_INPUT_PATH", "HOLOSCAN_OUTPUT_PATH"),
        ];
        let others = others
            .into_iter()
            .flat_map(|(i, o)| [(i, inside::INPUT), (o, inside::OUTPUT)]);
        own.into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .chain(others.map(|(k, v)| (k.to_owned(), v.to_owned())))
            .collect()
    }
}

/// The graphics processors of a container, from its labels.
#[must_use]
pub fn gpus_of(labels: &Labels) -> Vec<GpuId> {
    let names = labels.get(label::GPUS).map(String::as_str).unwrap_or_default();
    names
        .split(',')
        .filter_map(|name| GpuId::parse(name).ok())
        .collect()
}

/// The directory itself belongs to the bucket's user, `uid:gid`; what is in it is its own business.
///
/// # Errors
/// What the system says: only root may give a directory away.
pub fn give_to(user: &str, directory: &Path) -> std::io::Result<()> {
    let mut numbers = user.split(':').map(|n| n.parse().ok());
    chown(directory, numbers.next().flatten(), numbers.next().flatten())
}

/// What a run may use.
#[must_use]
pub fn resources(settings: &Settings) -> Resources {
    let asked = &settings.resources;
    Resources {
        cpus: asked.cpus,
        memory_bytes: asked.memory,
        shm_bytes: asked.shm,
        // Of its memory half at most, so that a full /tmp is an error of the program that writes and not its end.
        tmp_bytes: match settings.root {
            Root::Writable => 0,
            Root::ReadOnly => asked.memory / 2,
        },
        ..Resources::default()
    }
}

/// What its root may do beyond what every bucket's may.
#[must_use]
pub fn capabilities(settings: &Settings) -> Vec<String> {
    let asked = settings.capabilities.iter();
    asked.map(|capability| capability.word().to_owned()).collect()
}

const fn network(reach: Reach) -> Network {
    match reach {
        Reach::None => Network::None,
        Reach::Bridge => Network::Bridge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gpus_of_a_run_are_read_again_from_its_container_whatever_the_image_says() {
        let ids = |names: &[&str]| -> Vec<_> { names.iter().map(|n| GpuId::parse(n).unwrap()).collect() };
        let settings = Settings::default();
        for gpus in [
            ids(&[]),
            ids(&["1"]),
            ids(&["nvidia.com/gpu=0", "nvidia.com/gpu=2"]),
        ] {
            let run = Run {
                name: "c".to_owned(),
                image: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
                labels: Labels::new(),
                settings: &settings,
                gpus: &gpus,
                input: PathBuf::from("/i"),
                output: PathBuf::from("/o"),
                memory: PathBuf::from("/m"),
                job: String::new(),
                called: String::new(),
                calling: String::new(),
                study_instance_uid: String::new(),
                arguments: String::new(),
            };
            let spec = run.spec();
            let names: Vec<_> = gpus.iter().map(ToString::to_string).collect();
            assert_eq!(spec.gpus, names);
            // The engine lays a container's labels over its image's.
            let mut labels = Labels::from([(label::GPUS.to_owned(), "5".to_owned())]);
            labels.extend(spec.labels);
            assert_eq!(gpus_of(&labels), gpus);
        }
    }
}
