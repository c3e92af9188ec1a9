//! What everybody of a soak shares: where the node is just now, what was promised, and what went wrong.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::super::account::Digest;
use super::super::pacs::{Mood, Pacs};
use super::super::scene;
use super::plan::Plan;
use crate::support::api::Api;
use crate::support::images::Bucket;
use crate::support::under_test::{TestNode, scratch};

/// The buckets' AE titles with the outcome of their jobs. The first keeps a diary in its memory.
pub const STREAMS: [(&str, &str); 3] = [("Copy", "success"), ("Count", "success"), ("Partial", "partial")];

/// By itself glibc keeps what was freed in an arena a thread, up to eight a processor, and it takes an hour until all of
/// them are as large as they get. With two that is over within a minute, and what grows then is in use.
pub const ALLOCATOR: [(&str, &str); 1] = [("MALLOC_ARENA_MAX", "2")];

/// The node between a start and its end.
#[derive(Clone)]
pub struct Live {
    /// The how manieth start this is.
    pub life: u64,
    pub pid: u32,
    pub port: u16,
    pub api: Api,
}

/// An object that was answered with Success.
#[derive(Clone, Copy)]
pub struct Acknowledged {
    pub stream: &'static str,
    pub digest: Digest,
}

/// The place.
pub struct Site {
    pub plan: Plan,
    pub pacs: Pacs,
    live: Mutex<Option<Live>>,
    /// By SOP Instance UID.
    pub acknowledged: Mutex<BTreeMap<String, Acknowledged>>,
    /// What nobody may see happen, in words.
    pub findings: Mutex<Vec<String>>,
    /// Nobody begins another study.
    pub is_paused: AtomicBool,
    /// Everybody goes home.
    pub is_over: AtomicBool,
    /// Senders in the middle of a study.
    pub busy: AtomicUsize,
    /// Senders with an association.
    pub sending: AtomicUsize,
    /// Objects handed to senders; an object that is sent again counts once.
    pub sent: AtomicU64,
    /// Associations that a crash broke off.
    pub broken_off: AtomicU64,
    /// Answers of the API that operators read.
    pub reads: AtomicU64,
    /// How often operators have seen the list of all jobs.
    pub lists: AtomicU64,
    /// Jobs that have not ended and that have, as an operator saw last.
    pub jobs: Mutex<(usize, usize)>,
}

impl Site {
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            pacs: Pacs::start("PACS", Mood::Well),
            live: Mutex::default(),
            acknowledged: Mutex::default(),
            findings: Mutex::default(),
            is_paused: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            sending: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            broken_off: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            lists: AtomicU64::new(0),
            jobs: Mutex::default(),
        }
    }

    /// A node with the three buckets. Of two the PACS gets something: what came out, and what came in.
    pub fn node(&self) -> TestNode {
        let mut config = String::from("[delivery]\nfirst_retry = \"1s\"\nlongest_retry = \"2s\"\n");
        config += &self.pacs.remote_ae();
        for (called, send) in [("Copy", "output"), ("Count", "input")] {
            config += &format!(
                "[[route]]\nname = \"{send} of {called}\"\ncalled = \"^{called}$\"\nsend = \"{send}\"\nto = [\"PACS\"]\n"
            );
        }
        let node = TestNode::start_in(scratch(), &config, &ALLOCATOR);
        node.install(&scene::bucket());
        node.install(&Bucket::fixture("count"));
        node.install(&Bucket::fixture("partial"));
        node
    }

    /// The node is there.
    pub fn comes(&self, node: &TestNode, life: u64) {
        *self.live.lock().unwrap() = Some(Live {
            life,
            pid: node.ready().pid,
            port: node.dicom_port(),
            api: node.api(),
        });
    }

    /// The node is about to go: whoever fails from now on has a reason.
    pub fn goes(&self) {
        *self.live.lock().unwrap() = None;
    }

    /// The node, while there is one.
    pub fn live(&self) -> Option<Live> {
        self.live.lock().unwrap().clone()
    }

    /// Whether the node has been there all the time since.
    pub fn is_still(&self, live: &Live) -> bool {
        self.live().is_some_and(|now| now.life == live.life)
    }

    pub fn found(&self, what: String) {
        self.findings.lock().unwrap().push(what);
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Whether another study may begin; whoever asks is counted as busy.
    pub fn takes_more(&self) -> bool {
        let begun = self.jobs.lock().unwrap().0 + self.busy.load(Ordering::SeqCst);
        !self.is_paused.load(Ordering::SeqCst) && begun <= self.plan.backlog && self.live().is_some()
    }
}

/// Sends everybody home, also when something broke.
pub struct GoesHome<'a>(pub &'a Site);

impl Drop for GoesHome<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}
