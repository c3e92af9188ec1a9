//! One association on which data sets are tried: each is answered, and behind each a good object is stored.

use std::time::{Duration, Instant};

use crate::subject::{CALLED, leaves_no_part, peak_memory, stored, stored_object, subject};
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::Request;
use crate::support::part10::{
    DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, MR, Object, data_set, uid,
};
use crate::support::under_test::TestNode;

/// An answer comes at once, whatever the data set is.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What the node may need at most for all of it, in bytes.
const MEMORY: u64 = 64 << 20;

pub const EXPLICIT: u8 = 1;
pub const IMPLICIT: u8 = 3;
pub const BIG: u8 = 5;
pub const DEFLATE: u8 = 7;

pub struct Trial {
    // Dropped in this order: the peer leaves before the node stops.
    parrot: Parrot,
    node: TestNode,
    first: Object,
    good: usize,
}

impl Trial {
    #[track_caller]
    pub fn new() -> Self {
        let node = subject("");
        let request = Request::new(CALLED)
            .context(EXPLICIT, MR, &[EXPLICIT_LITTLE])
            .context(IMPLICIT, MR, &[IMPLICIT_LITTLE])
            .context(BIG, MR, &[EXPLICIT_BIG])
            .context(DEFLATE, MR, &[DEFLATED]);
        Self {
            parrot: Parrot::associate(node.dicom_port(), &request),
            node,
            first: Object::new(),
            good: 0,
        }
    }

    /// An object of the trial's study, in the transfer syntax of a context.
    pub fn object(&self, context: u8) -> Object {
        let transfer_syntax = match context {
            IMPLICIT => IMPLICIT_LITTLE,
            BIG => EXPLICIT_BIG,
            DEFLATE => DEFLATED,
            _ => EXPLICIT_LITTLE,
        };
        Object {
            sop_instance: uid(),
            transfer_syntax,
            ..self.first.clone()
        }
    }

    /// Sends a data set as an object's and answers the status; then a good object is stored on the same association.
    #[track_caller]
    pub fn status(&mut self, what: &str, context: u8, object: &Object, set: &[u8]) -> u16 {
        let begun = Instant::now();
        let status = self.parrot.store_set(context, object, set);
        assert!(
            begun.elapsed() < AT_ONCE,
            "{what}: {status:04X} after {:?}",
            begun.elapsed()
        );
        let good = self.object(context);
        assert_eq!(
            self.parrot.store(context, &good),
            0x0000,
            "the object behind {what}"
        );
        self.good += 1;
        status
    }

    /// The data set is stored as it is.
    #[track_caller]
    pub fn taken(&mut self, what: &str, context: u8, object: &Object, set: &[u8]) {
        let status = self.status(what, context, object, set);
        assert_eq!(status, 0x0000, "{what}: {status:04X}");
        let kept = stored_object(&self.node, &object.sop_instance);
        assert!(data_set(&kept) == set, "{what} was changed");
        self.good += 1;
    }

    /// The data set is refused with one of these statuses.
    #[track_caller]
    pub fn refused(&mut self, what: &str, context: u8, object: &Object, set: &[u8], statuses: &[u16]) {
        let status = self.status(what, context, object, set);
        assert!(
            statuses.contains(&status),
            "{what}: {status:04X}, not of {statuses:04X?}"
        );
    }

    /// The data set is answered at once, in whatever way.
    #[track_caller]
    pub fn answered(&mut self, what: &str, context: u8, object: &Object, set: &[u8]) {
        if self.status(what, context, object, set) == 0x0000 {
            let kept = stored_object(&self.node, &object.sop_instance);
            assert!(data_set(&kept) == set, "{what} was changed");
            self.good += 1;
        }
    }

    /// What was answered with Success is stored, nothing else is, and the node is no larger for it.
    #[track_caller]
    pub fn end(self) {
        leaves_no_part(&self.node);
        assert_eq!(stored(&self.node).len(), self.good);
        let peak = peak_memory(&self.node);
        assert!(peak < MEMORY, "{} MiB at most", peak >> 20);
        self.parrot.release();
    }
}

/// Elements of an object's data set in their order, which a test rearranges.
pub fn cut(object: &Object) -> (Vec<u8>, Vec<u8>) {
    let set = object.data_set();
    let patient = object.text(0x0010, 0x0010, "PN", "Test^Object");
    let at = set.windows(patient.len()).position(|w| w == patient).unwrap();
    (set[..at].to_vec(), set[at..].to_vec())
}

/// The data set with more elements between groups 0008 and 0010.
pub fn with(object: &Object, more: &[u8]) -> Vec<u8> {
    let (start, end) = cut(object);
    [&start, more, &end].concat()
}
