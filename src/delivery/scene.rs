//! Jobs whose results are to be delivered, with a real store and a real disk; a PACS; and a clock whose hands a test turns.

mod hands;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) use hands::Hands;

use super::commitment::Committer;
use super::gate::made::{Made, uid};
use super::{Aftermath, Destinations, Records, Shelves, Worker};
use crate::config::DeliveryConfig;
use crate::dicom::command::{Command, response};
use crate::dicom::part10;
use crate::dicom::status::Status;
use crate::dicom::upper_layer::{
    Acceptance, AssociateRq, Connection, ContextResult, Deadline, Error, Event, Limits, Sink, Stop, accept,
};
use crate::model::{
    AeTitle, Delivery, DeliveryInstance, Direction, Ended, GateMode, InstanceState, JobId, Layout, Outcome,
    Peer, Place, Priority, Remote, RemoteAe, Timestamp, Verdict,
};
use crate::store::{BucketRow, NewDelivery, NewInstance, NewJob, Store, When};

/// Whatever is waited for is there well within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Midnight of a Friday.
pub(super) const BEGIN: Timestamp = Timestamp(1_767_312_000_000);

pub(super) struct Scene {
    _directory: tempfile::TempDir,
    pub store: Store,
    pub layout: Layout,
    made: AtomicU32,
}

impl Scene {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned());
        let store = Store::open(&directory.path().join("s.sqlite")).unwrap();
        store.install_bucket(bucket(), false).wait().unwrap();
        Self {
            _directory: directory,
            store,
            layout,
            made: AtomicU32::new(0),
        }
    }

    /// A job of that study, harvested then, whose results go to these destinations.
    pub fn job(&self, study: &str, results: u32, to: &[&str], at: Timestamp) -> JobId {
        let named = |to: &&str| Peer::Named(AeTitle::parse(to).unwrap());
        self.job_to(study, results, to.iter().map(named).collect(), at)
    }

    /// The same, for peers that a rule may have given the address of.
    pub fn job_to(&self, study: &str, results: u32, to: Vec<Peer>, at: Timestamp) -> JobId {
        let job = JobId::generate(at);
        let set = NewJob {
            stream: stream(),
            group_key: study.into(),
            calling_ae_title: "SCANNER".into(),
            caller_address: "127.0.0.1".into(),
            study_instance_uid: study.into(),
            priority: Priority::Normal,
        };
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let input = Made::input(number).with(0x0020_000D, study);
        let object = NewInstance {
            sop_instance_uid: uid(&input.instance),
            sop_class_uid: uid(input.class),
            transfer_syntax_uid: uid(input.syntax),
            series_instance_uid: uid("1.2.3.4"),
            file: "1.dcm".into(),
            bytes: 1,
            hash: [1; 16],
        };
        let store = &self.store;
        store.place(&job, set, object, at, When::Synced).wait().unwrap();
        store.complete(&job, "quiet".into(), at, None).wait().unwrap();
        store.start(&job, bucket(), at).wait().unwrap();
        store.ended(&job, Ended::default(), None, at).wait().unwrap();
        let stream = stream();
        let path = |place| self.layout.path(place);
        let [input_in, output] = [Place::Input(&stream, &job), Place::Output(&stream, &job)].map(path);
        std::fs::create_dir_all(&input_in).unwrap();
        std::fs::create_dir_all(&output).unwrap();
        input.write(&input_in);
        let record = serde_json::json!({ "attempt": 1, "deliveries": [] });
        std::fs::write(path(Place::Record(&stream, &job)), record.to_string()).unwrap();
        let instances: Vec<_> = (0..results)
            .map(|_| {
                let next = self.made.fetch_add(1, Ordering::Relaxed);
                let instance = format!("2.25.{}", 1000 + next);
                let made = Made {
                    instance: instance.clone(),
                    ..Made::result()
                }
                .with(0x0008_0018, &instance)
                .with(0x0020_000D, study)
                .with(0x0020_000E, format!("2.25.{}", 900_000 + number));
                let path = made.write(&output);
                let (meta, _) = part10::read_head(&path).unwrap().unwrap();
                DeliveryInstance {
                    file: format!("{instance}.dcm"),
                    sop_class_uid: meta.sop_class_uid.to_string(),
                    sop_instance_uid: instance,
                    transfer_syntax_uid: meta.transfer_syntax_uid.to_string(),
                    state: InstanceState::Waiting,
                    status: None,
                    reason: None,
                    commitment: None,
                }
            })
            .collect();
        let delivery = |peer| NewDelivery {
            peer,
            route: "results".into(),
            direction: Direction::Output,
            after: None,
            gate: GateMode::Repair,
            instances: instances.clone(),
        };
        let verdict = Verdict {
            outcome: Outcome::Success,
            reason: None,
        };
        let plan = to.into_iter().map(delivery).collect();
        store.harvested(&job, verdict, vec![], plan, at).wait().unwrap();
        job
    }

    /// The deliveries of a job.
    pub fn deliveries(&self, job: &JobId) -> Vec<Delivery> {
        self.store.deliveries(job).unwrap()
    }

    /// State and attempts of each delivery of a job.
    pub fn states(&self, job: &JobId) -> Vec<(&'static str, u32)> {
        let all = self.deliveries(job);
        all.iter().map(|d| (d.state.name(), d.attempts)).collect()
    }

    /// Something of a job.
    pub fn place(&self, job: &JobId, name: &str) -> PathBuf {
        self.layout.path(Place::Job(&stream(), job)).join(name)
    }

    /// What sends to these, by this clock.
    pub fn worker(&self, config: DeliveryConfig, remotes: Vec<Remote>, hands: &Hands) -> Worker {
        let own = hands.clone();
        let destinations = Arc::new(Destinations::new(remotes));
        Worker {
            committer: Committer {
                config: config.clone(),
                destinations: destinations.clone(),
                store: self.store.clone(),
                due: Arc::default(),
            },
            config,
            destinations,
            store: self.store.clone(),
            layout: self.layout.clone(),
            due: Arc::default(),
            stop: Stop::default(),
            shelves: Arc::new(Shelves::default()),
            records: Records::new(self.store.clone(), self.layout.clone()),
            clock: Arc::new(move || own.moment()),
        }
    }

    /// What follows what that sends.
    pub fn aftermath(&self, worker: &Worker) -> Aftermath {
        Aftermath {
            store: self.store.clone(),
            layout: self.layout.clone(),
            shelves: worker.shelves.clone(),
            records: worker.records.clone(),
        }
    }
}

/// The AE title of the bucket.
pub(super) fn stream() -> AeTitle {
    AeTitle::parse("PROC").unwrap()
}

fn bucket() -> BucketRow {
    BucketRow {
        ae_title: stream(),
        image: "lungs".into(),
        digest: "sha256:00".into(),
        info: serde_json::json!({ "AETitle": "PROC", "name": "lungs", "version": "1.2" }),
        has_plugin: false,
        installed_at: BEGIN,
    }
}

/// A PACS that can be away: then it hangs up on whoever calls.
pub(super) struct Pacs {
    title: AeTitle,
    address: SocketAddr,
    state: Arc<PacsState>,
}

#[derive(Default)]
struct PacsState {
    is_away: AtomicBool,
    names_another: AtomicBool,
    answers_nobody: AtomicBool,
    calls: AtomicUsize,
    callers: Mutex<Vec<String>>,
    taken: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Pacs {
    pub fn start(title: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<PacsState>::default();
        let own = state.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                own.calls.fetch_add(1, Ordering::SeqCst);
                if !own.is_away.load(Ordering::SeqCst) {
                    let state = own.clone();
                    // A peer that goes away ends its association, not the PACS.
                    std::thread::spawn(move || drop(serve(socket, &state)));
                }
            }
        });
        Self {
            title: AeTitle::parse(title).unwrap(),
            address,
            state,
        }
    }

    pub fn remote(&self) -> Remote {
        let calling = AeTitle::parse("NODE").unwrap();
        let address = self.address.to_string();
        Remote::Dicom(RemoteAe::plain(self.title.clone(), address, calling))
    }

    /// As a rule says it that gives the address itself.
    pub fn given(&self, address: &str) -> Peer {
        let calling = AeTitle::parse("RULE").unwrap();
        Peer::Given(RemoteAe::plain(self.title.clone(), address.to_owned(), calling))
    }

    /// Its port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn is_away(&self, away: bool) {
        self.state.is_away.store(away, Ordering::SeqCst);
    }

    /// It answers every object as if it had been sent another.
    pub fn names_another(&self, another: bool) {
        self.state.names_another.store(another, Ordering::SeqCst);
    }

    /// It answers every object as if it had been Message ID 0, which none is.
    pub fn answers_nobody(&self, nobody: bool) {
        self.state.answers_nobody.store(nobody, Ordering::SeqCst);
    }

    /// How often it was called so far.
    pub fn calls(&self) -> usize {
        self.state.calls.load(Ordering::SeqCst)
    }

    /// The calling AE titles of its associations, in their order.
    pub fn callers(&self) -> Vec<String> {
        self.state.callers.lock().unwrap().clone()
    }

    /// The objects it took, in their order: SOP Instance UID and data set.
    pub fn taken(&self) -> Vec<(String, Vec<u8>)> {
        self.state.taken.lock().unwrap().clone()
    }
}

struct Collected(Vec<u8>);

impl Sink for Collected {
    fn room(&mut self, _most: usize) -> &mut [u8] {
        &mut []
    }

    fn filled(&mut self, _bytes: usize) {}

    fn take(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }
}

fn take_all(request: &AssociateRq) -> Vec<Acceptance> {
    let contexts = request.contexts.iter();
    let accepted = contexts.map(|c| Acceptance {
        id: c.id,
        abstract_syntax: c.abstract_syntax.clone(),
        result: ContextResult::Accepted,
        transfer_syntax: c.transfer_syntaxes[0].clone(),
    });
    accepted.collect()
}

fn serve(socket: TcpStream, state: &PacsState) -> Result<(), Error> {
    let artim = Deadline::after(PATIENCE, "a request");
    let connection = Connection::new(Box::new(socket), Stop::default())?;
    let mut association = accept(connection, Limits::default(), &artim, |request| {
        state
            .callers
            .lock()
            .unwrap()
            .push(request.calling.trim().to_owned());
        Ok(take_all(request))
    })?;
    loop {
        let mut bytes = Vec::new();
        let context = loop {
            match association.next_event()? {
                Event::ReleaseRequested => {
                    association.answer_release().wait();
                    return Ok(());
                }
                Event::Fragment(fragment) => {
                    bytes.extend(fragment.data);
                    if fragment.ends {
                        break fragment.context;
                    }
                }
            }
        };
        let command = Command::parse(&bytes).unwrap();
        let mut data_set = Collected(Vec::new());
        association.read_data_set(context, &mut data_set)?;
        let uid = String::from_utf8(command.sop_instance_uid.clone().unwrap()).unwrap();
        let uid = uid.trim_end_matches(['\0', ' ']).to_owned();
        state.taken.lock().unwrap().push((uid, data_set.0));
        let mut about = command.clone();
        if state.names_another.load(Ordering::SeqCst) {
            about.sop_instance_uid = Some(b"2.25.1".to_vec());
        }
        if state.answers_nobody.load(Ordering::SeqCst) {
            about.message_id = 0;
        }
        association.send_command(context, &response(&about, Status::SUCCESS, None))?;
    }
}
