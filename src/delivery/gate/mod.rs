//! The gate between what a bucket left behind and a PACS: what contradicts its input does not leave, what is missing is
//! filled in, and where it comes from is written into it.
//!
//! ```text
//! attribute    the attributes that a result has in common with its input
//! text         character sets
//! value        whether two values say the same
//! walk         a data set from its first element to its last
//! object       an object that is a file
//! input        the identity of the input
//! examine      the decision about one result, and the reasons for its rules
//! characters   … about its character set
//! encode       elements as bytes
//! provenance   Contributing Equipment Sequence, source references
//! rewrite      a copy with other elements
//! copies       whether an object is one of the input's; hashes
//! ```
//!
//! # What it looks at
//! Objects of OUTPUT. INPUT that is routed as it came is not touched: it is the sender's. Nor is an object of OUTPUT that has
//! the data set of an object of INPUT, byte by byte: a bucket that passes a study on makes nothing, and its objects have
//! their UIDs by right. Any other object under such a UID is held.
//!
//! # Modes
//! `repair` fills in what is missing and holds what contradicts. `strict` holds both. Either names the node, the bucket and
//! its image in the object, which a bucket cannot do. `off` sends what is there.
//!
//! # All or nothing
//! One object that is held holds its delivery. Half of a result is read as the whole of it.
//!
//! # After a crash
//! What is sent instead of the bucket's file is a copy in `outgoing/`; OUTPUT stays as the bucket left it. Copies are made
//! first, each whole or not at all, then the decision is one row with its findings, then it is sent. Cut off before the row,
//! all of it is done again and comes to the same bytes, since nothing in a copy depends on the time or on this attempt. After
//! the row the copies are there; one that is gone is made again.

mod attribute;
mod characters;
mod copies;
mod encode;
mod examine;
mod input;
#[cfg(test)]
mod made;
mod object;
mod provenance;
mod rewrite;
mod text;
mod value;
mod walk;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use self::examine::{Case, Examined, Known, examine};
use self::input::Input;
use self::object::ObjectError;
use self::provenance::Equipment;
use crate::dicom::upper_layer::Stop;
use crate::files;
use crate::model::{
    Delivery, DeliveryInstance, Direction, GateAction, GateFinding, GateFindings, GateMode, GateState, Job,
    Layout, Place,
};
use crate::store::{ResultUid, Store, StoreError};

/// Different findings of one delivery that are kept.
const MOST_FINDINGS: usize = 1000;

/// UIDs may be taken by another job between question and answer; after so many times it is tried again later.
const TRIES: u32 = 3;

/// What becomes of a delivery.
#[derive(Debug)]
pub(super) enum Passage {
    /// It goes; these files by a copy.
    Open(HashMap<String, PathBuf>),
    /// It does not; why, without values.
    Held(String),
}

/// Why the gate could not decide. Nothing is sent then.
#[derive(Debug, thiserror::Error)]
pub(super) enum GateError {
    /// Disk trouble.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
    /// Others take the same UIDs at the same time.
    #[error("the UIDs of its results are being taken by other jobs")]
    Busy,
}

fn disk(what: &'static str) -> impl FnOnce(io::Error) -> GateError {
    move |source| GateError::Io { what, source }
}

/// Where what is needed for a decision is.
pub(super) struct Gate<'a> {
    pub store: &'a Store,
    pub layout: &'a Layout,
    pub stop: &'a Stop,
    pub delivery: &'a Delivery,
}

impl Gate<'_> {
    /// Decides about a delivery, or goes by what was decided; makes the copies that are to be sent.
    ///
    /// # Errors
    /// [`GateError`]: try again later.
    pub fn pass(&self, instances: &[DeliveryInstance]) -> Result<Passage, GateError> {
        let delivery = self.delivery;
        let is_looked_at = delivery.direction == Direction::Output
            && delivery.gate != GateMode::Off
            && delivery.gate_state != GateState::Released;
        if !is_looked_at {
            return Ok(Passage::Open(HashMap::new()));
        }
        if delivery.gate_state == GateState::Passed
            && let Some(copies) = self.copies(instances)?
        {
            return Ok(Passage::Open(copies));
        }
        for _ in 0..TRIES {
            if let Some(passage) = self.decide(instances)? {
                return Ok(passage);
            }
        }
        Err(GateError::Busy)
    }

    fn outgoing(&self, instance: &DeliveryInstance) -> PathBuf {
        let directory = self
            .layout
            .path(Place::Outgoing(&self.delivery.stream, &self.delivery.job));
        directory.join(format!("{}.dcm", instance.sop_instance_uid))
    }

    /// The copies that were decided on, if all of them are there.
    fn copies(&self, instances: &[DeliveryInstance]) -> Result<Option<HashMap<String, PathBuf>>, GateError> {
        let copied = self.store.gate_copies(self.delivery.id)?;
        let of_copies = instances.iter().filter(|i| copied.contains(&i.file));
        let paths: HashMap<_, _> = of_copies.map(|i| (i.file.clone(), self.outgoing(i))).collect();
        Ok(paths.values().all(|path| path.is_file()).then_some(paths))
    }

    /// Looks at every result; `None` where a UID was taken meanwhile.
    fn decide(&self, instances: &[DeliveryInstance]) -> Result<Option<Passage>, GateError> {
        let (id, job) = (self.delivery.id, &self.delivery.job);
        let row = self.store.job(job)?;
        let row = row.ok_or_else(|| StoreError::State(format!("there is no job {job}")))?;
        let bucket = self.store.attempt_bucket(job)?;
        let equipment = Equipment::of(self.store.node_id(), &row, bucket.as_ref().map(|b| &b.info));
        let scratch = self.layout.path(Place::Outgoing(&self.delivery.stream, job));
        files::make_directory(&scratch).map_err(disk("make the directory of what is sent"))?;
        let mut round = Round {
            gate: self,
            scratch,
            output: self.layout.path(Place::Output(&self.delivery.stream, job)),
            input_directory: self.layout.path(Place::Input(&self.delivery.stream, job)),
            input: Input::default(),
            job: row,
            equipment,
            findings: BTreeMap::new(),
            held: false,
            results: HashMap::new(),
            made: Vec::new(),
        };
        round.read_input()?;
        for instance in instances {
            round.look_at(instance)?;
        }
        if round.held {
            let findings = round.findings();
            self.store.gate_held(id, job, findings).wait()?;
            let why = "held at the gate: its findings stand with the delivery (GET /api/v1/jobs/JOB)";
            return Ok(Some(Passage::Held(why.to_owned())));
        }
        round.copy(instances)?;
        crate::failpoint::reach("results-copied");
        let (findings, copied) = (round.findings(), round.made.clone());
        let results = round.results.into_values().collect();
        let passed = self.store.gate_passed(id, job, findings, results, copied.clone());
        if !passed.wait()? {
            return Ok(None);
        }
        crate::failpoint::reach("gate-passed");
        let copies = instances.iter().filter(|i| copied.contains(&i.file));
        let copies = copies.map(|i| (i.file.clone(), self.outgoing(i))).collect();
        Ok(Some(Passage::Open(copies)))
    }
}

/// One look at all results of a delivery.
struct Round<'a> {
    gate: &'a Gate<'a>,
    scratch: PathBuf,
    output: PathBuf,
    input_directory: PathBuf,
    input: Input,
    job: Job,
    equipment: Equipment,
    findings: BTreeMap<GateFinding, (u32, String)>,
    held: bool,
    /// By SOP Instance UID.
    results: HashMap<String, ResultUid>,
    /// Files of objects that the bucket made.
    made: Vec<String>,
}

impl Round<'_> {
    fn case(&self) -> Case<'_> {
        Case {
            mode: self.gate.delivery.gate,
            job: &self.job,
            input: &self.input,
            equipment: &self.equipment,
        }
    }

    fn read_input(&mut self) -> Result<(), GateError> {
        let entries = files::entries(&self.input_directory).map_err(disk("read INPUT"))?;
        let mut paths = entries;
        paths.sort();
        for path in paths {
            self.go_on()?;
            match object::identity(&path) {
                Ok((_, facts)) => self.input.add(&facts),
                Err(ObjectError::Object(why)) => {
                    let why = format!(
                        "an object of the input cannot be read, {why}: what a result should say nobody can tell"
                    );
                    self.keep(&examine::unreadable(why), "");
                }
                Err(ObjectError::Io(source)) => return Err(disk("read INPUT")(source)),
            }
        }
        Ok(())
    }

    /// Nothing is decided while the node stops: it is looked at again after the start.
    fn go_on(&self) -> Result<(), GateError> {
        match self.gate.stop.is_raised() {
            true => Err(GateError::Stopping),
            false => Ok(()),
        }
    }

    fn look_at(&mut self, instance: &DeliveryInstance) -> Result<(), GateError> {
        self.go_on()?;
        let path = self.output.join(&instance.file);
        let original = self
            .input_directory
            .join(format!("{}.dcm", instance.sop_instance_uid));
        if copies::is_copy(&path, &original).map_err(disk("compare a result with the input"))? {
            return Ok(());
        }
        let examined = match self.examined(&path, instance)? {
            Ok((_, examined)) => examined,
            Err(why) => examine::unreadable(why),
        };
        self.keep(&examined, &instance.file);
        self.made.push(instance.file.clone());
        Ok(())
    }

    /// Reads and judges one result; the inner error says why it cannot be read.
    fn examined(
        &mut self,
        path: &Path,
        instance: &DeliveryInstance,
    ) -> Result<Result<(object::Object, Examined), String>, GateError> {
        let object = match object::read(path, &self.scratch) {
            Ok(object) => object,
            Err(ObjectError::Object(why)) => return Ok(Err(why)),
            Err(ObjectError::Io(source)) => return Err(disk("read a result")(source)),
        };
        if object.meta.sop_instance_uid.as_str() != instance.sop_instance_uid
            || object.meta.transfer_syntax_uid.as_str() != instance.transfer_syntax_uid
        {
            return Ok(Err("it is not the object any more that was harvested".to_owned()));
        }
        let series = match object.facts.uid(attribute::SERIES_INSTANCE) {
            none if none.is_empty() => self.equipment.series_uid(&self.job, &instance.sop_class_uid),
            own => own,
        };
        let study = object.facts.uid(attribute::STUDY_INSTANCE.tag);
        let result = ResultUid {
            sop_instance_uid: instance.sop_instance_uid.clone(),
            series_instance_uid: series,
            study_instance_uid: self
                .input
                .study(&study)
                .map_or(study.clone(), |(uid, _)| uid.clone()),
            hash: copies::hash(path).map_err(disk("read a result"))?,
        };
        let before = self.results.get(&instance.sop_instance_uid);
        let twice = before.is_some_and(|before| before.hash != result.hash);
        let taken = self.gate.store.uids_taken(&self.job.id, &result)?;
        let known = Known {
            instance: taken.instance || twice,
            series: taken.series,
        };
        self.results
            .entry(instance.sop_instance_uid.clone())
            .or_insert(result);
        let examined = examine(&self.case(), &object, known);
        Ok(Ok((object, examined)))
    }

    fn keep(&mut self, examined: &Examined, file: &str) {
        self.held |= examined.is_held();
        for finding in &examined.findings {
            let is_full = self.findings.len() >= MOST_FINDINGS && finding.action != GateAction::Held;
            if let Some((objects, _)) = self.findings.get_mut(finding) {
                *objects = objects.saturating_add(1);
            } else if !is_full && self.findings.len() < 2 * MOST_FINDINGS {
                self.findings.insert(finding.clone(), (1, file.to_owned()));
            }
        }
    }

    fn findings(&self) -> Vec<GateFindings> {
        let one = |(finding, (objects, file)): (&GateFinding, &(u32, String))| GateFindings {
            finding: finding.clone(),
            objects: *objects,
            file: file.clone(),
        };
        self.findings.iter().map(one).collect()
    }

    /// Writes what is sent instead of the bucket's files.
    fn copy(&mut self, instances: &[DeliveryInstance]) -> Result<(), GateError> {
        let made: std::collections::HashSet<_> = self.made.iter().cloned().collect();
        for instance in instances.iter().filter(|i| made.contains(&i.file)) {
            self.go_on()?;
            let path = self.output.join(&instance.file);
            let gone = || disk("read a result again")(io::ErrorKind::InvalidData.into());
            let (mut object, examined) = self.examined(&path, instance)?.map_err(|_| gone())?;
            let pieces = rewrite::pieces(&object.elements, object.extent, &examined.edits)
                .map_err(|error| disk("write what is sent")(io::Error::other(error)))?;
            // Another delivery of the job may write the same.
            let beside = self.scratch.join(format!(
                ".{}.{}.part",
                instance.sop_instance_uid, self.gate.delivery.id
            ));
            rewrite::write(&mut object, &pieces, &beside, &self.gate.outgoing(instance))
                .map_err(disk("write what is sent"))?;
        }
        files::sync_directory(&self.scratch).map_err(disk("make what is sent last"))
    }
}
