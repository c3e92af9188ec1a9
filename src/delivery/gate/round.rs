//! One look at all results of a delivery.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::examine::{self, Case, Examined, Known, examine};
use super::input::Input;
use super::object::{self, Object, ObjectError};
use super::provenance::Equipment;
use super::{Gate, GateError, attribute, copies, disk, rewrite};
use crate::files;
use crate::model::{DeliveryInstance, GateAction, GateFinding, GateFindings, Job, Place};
use crate::store::ResultUid;

/// Different findings of one delivery that are kept.
const MOST_FINDINGS: usize = 1000;

/// One look at all results of a delivery.
pub(super) struct Round<'a> {
    gate: &'a Gate<'a>,
    /// Where copies go.
    outgoing: PathBuf,
    output: PathBuf,
    input_directory: PathBuf,
    input: Input,
    /// Why an object of the input could not be read.
    input_unreadable: Option<String>,
    job: Job,
    equipment: Equipment,
    findings: BTreeMap<GateFinding, (u32, String)>,
    held: bool,
    /// By SOP Instance UID.
    results: HashMap<String, ResultUid>,
    /// Files of objects that the bucket made.
    made: Vec<String>,
}

impl<'a> Round<'a> {
    pub fn new(gate: &'a Gate<'a>, job: Job, equipment: Equipment) -> Self {
        let path = |place| gate.layout.path(place);
        let (stream, id) = (&gate.delivery.stream, &gate.delivery.job);
        Self {
            gate,
            outgoing: path(Place::Outgoing(stream, id)),
            output: path(Place::Output(stream, id)),
            input_directory: path(Place::Input(stream, id)),
            input: Input::default(),
            input_unreadable: None,
            job,
            equipment,
            findings: BTreeMap::new(),
            held: false,
            results: HashMap::new(),
            made: Vec::new(),
        }
    }

    /// Whether anything may not go.
    pub const fn is_held(&self) -> bool {
        self.held
    }

    /// Files of objects that the bucket made, and all results that go.
    pub fn outcome(self) -> (Vec<String>, Vec<ResultUid>) {
        (self.made, self.results.into_values().collect())
    }
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
                    self.input_unreadable.get_or_insert(why);
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

    /// Reads the input, and judges every result.
    ///
    /// # Errors
    /// [`GateError`]: nothing is decided.
    pub fn look_at(&mut self, instances: &[DeliveryInstance]) -> Result<(), GateError> {
        self.read_input()?;
        instances.iter().try_for_each(|instance| self.judge(instance))
    }

    fn judge(&mut self, instance: &DeliveryInstance) -> Result<(), GateError> {
        self.go_on()?;
        let path = self.output.join(&instance.file);
        let original = self
            .input_directory
            .join(format!("{}.dcm", instance.sop_instance_uid));
        if copies::is_copy(&path, &original).map_err(disk("compare a result with the input"))? {
            return Ok(());
        }
        let examined = match (self.input_unreadable.clone(), self.read(&path, instance)?) {
            (Some(why), _) | (None, Err(why)) => examine::unreadable(why),
            (None, Ok(object)) => {
                let known = self.known(&path, &object)?;
                examine(&self.case(), &object, known)
            }
        };
        self.keep(&examined, &instance.file);
        self.made.push(instance.file.clone());
        Ok(())
    }

    /// Reads one result; the inner error says why it cannot be read.
    fn read(&self, path: &Path, instance: &DeliveryInstance) -> Result<Result<Object, String>, GateError> {
        let object = match object::read(path, &self.outgoing) {
            Ok(object) => object,
            Err(ObjectError::Object(why)) => return Ok(Err(why)),
            Err(ObjectError::Io(source)) => return Err(disk("read a result")(source)),
        };
        let same = object.meta.sop_instance_uid.as_str() == instance.sop_instance_uid
            && object.meta.transfer_syntax_uid.as_str() == instance.transfer_syntax_uid;
        Ok(match same {
            true => Ok(object),
            false => Err("it is not the object any more that was harvested".to_owned()),
        })
    }

    /// What is known of the UIDs of a result.
    fn known(&mut self, path: &Path, object: &Object) -> Result<Known, GateError> {
        let instance = object.meta.sop_instance_uid.to_string();
        let own_or = |tag, other: String| match object.facts.uid(tag) {
            none if none.is_empty() => other,
            own => own,
        };
        let class = object.meta.sop_class_uid.as_str();
        let only_study = self
            .input
            .study("")
            .map_or_else(String::new, |(uid, _)| uid.clone());
        let result = ResultUid {
            sop_instance_uid: instance.clone(),
            series_instance_uid: own_or(
                attribute::SERIES_INSTANCE,
                self.equipment.series_uid(&self.job, class),
            ),
            study_instance_uid: own_or(attribute::STUDY_INSTANCE.tag, only_study),
            hash: copies::hash(path).map_err(disk("read a result"))?,
            copy_hash: None,
        };
        let taken = self.gate.store.uids_taken(&self.job.id, &result)?;
        let before = self.results.entry(instance).or_insert_with(|| result.clone());
        Ok(Known {
            instance: taken.instance || before.hash != result.hash,
            series: taken.series,
        })
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

    /// What was found, with the objects it was found in.
    pub fn findings(&self) -> Vec<GateFindings> {
        let one = |(finding, (objects, file)): (&GateFinding, &(u32, String))| GateFindings {
            finding: finding.clone(),
            objects: *objects,
            file: file.clone(),
        };
        self.findings.iter().map(one).collect()
    }

    /// Writes what is sent instead of the bucket's files, once nothing is held. One that somebody has already, and that does
    /// not come to the same object any more, is held.
    ///
    /// # Errors
    /// [`GateError`]: nothing is decided.
    pub fn copy(&mut self, instances: &[DeliveryInstance]) -> Result<(), GateError> {
        let made: HashSet<_> = self.made.iter().cloned().collect();
        for instance in instances.iter().filter(|i| made.contains(&i.file)) {
            self.go_on()?;
            let path = self.output.join(&instance.file);
            let gone = || disk("read a result again")(io::ErrorKind::InvalidData.into());
            let mut object = self.read(&path, instance)?.map_err(|_| gone())?;
            // Nothing else has its UIDs, or it would be held.
            let examined = examine(&self.case(), &object, Known::default());
            // It is another one since: all of it is looked at again later.
            if examined.is_held() {
                return Err(gone());
            }
            let pieces = rewrite::pieces(&object.elements, object.extent, &examined.edits)
                .map_err(|error| disk("write what is sent")(io::Error::other(error)))?;
            // Another delivery of the job may write the same.
            let beside = self.outgoing.join(format!(
                ".{}.{}.part",
                instance.sop_instance_uid, self.gate.delivery.id
            ));
            // It has its name, by which it goes, once it is known for what should.
            let made = beside.with_extension("copy.part");
            rewrite::write(&mut object, &pieces, &beside, &made).map_err(disk("write what is sent"))?;
            if self.is_what_went(&made, instance)? {
                std::fs::rename(&made, self.gate.outgoing(instance)).map_err(disk("name what is sent"))?;
            } else {
                files::remove_file(&made).map_err(disk("remove what is not sent"))?;
            }
        }
        files::sync_directory(&self.outgoing).map_err(disk("make what is sent last"))
    }

    /// A copy that is made anew, by another version of the program or of something else that is not as it was, may not be
    /// another object under the UID of one that is at a destination.
    fn is_what_went(&mut self, copy: &Path, instance: &DeliveryInstance) -> Result<bool, GateError> {
        let Some(result) = self.results.get_mut(&instance.sop_instance_uid) else {
            return Ok(true);
        };
        result.copy_hash = Some(copies::hash(copy).map_err(disk("read what is sent"))?);
        let is_another = self.gate.store.is_copied_otherwise(&self.job.id, result)?;
        if is_another {
            let examined = examine::copied_otherwise(&instance.sop_instance_uid);
            self.keep(&examined, &instance.file);
        }
        Ok(!is_another)
    }
}
