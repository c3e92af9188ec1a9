//! Associations that share the files of a push.
//!
//! Each takes the next file when it has the answer to the one before. While a peer works on an object, the next is read
//! into memory. An association that breaks is opened again, and the file that was under way is sent again: storing an
//! object twice is storing it once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::scan::Object;
use crate::dicom::scu::{Answer, Loaded, MOST_CONTEXTS, Outgoing, ScuError, ScuTimeouts, Session};
use crate::model::{RemoteAe, Uid};

/// Associations that may fail in a row without one answer between.
const TRIES: u32 = 4;

/// Before the next try; doubled each time.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has an answer.
    Answered(Answer),
    /// It was not sent, or its answer did not come.
    NotSent(String),
}

/// What is to be sent, where to, and how.
pub(super) struct Work<'a> {
    pub remote: &'a RemoteAe,
    pub objects: &'a [Object],
    pub timeouts: ScuTimeouts,
    pub associations: usize,
}

/// The files of one round, shared by associations.
struct Queue<'a> {
    work: &'a Work<'a>,
    kinds: Vec<(&'a Uid, &'a Uid)>,
    waiting: Mutex<VecDeque<usize>>,
    /// Somebody found out that there is no sense in going on.
    stopped: AtomicBool,
}

fn kind(file: &Outgoing) -> (&Uid, &Uid) {
    (&file.sop_class_uid, &file.transfer_syntax_uid)
}

impl Work<'_> {
    /// Sends everything; each file's fate is told once. Answers why it stopped early, if it did.
    pub fn run(&self, mut told: impl FnMut(usize, Fate)) -> Option<ScuError> {
        let kinds: BTreeSet<_> = self.objects.iter().map(|object| kind(&object.outgoing)).collect();
        let kinds: Vec<_> = kinds.into_iter().collect();
        let mut stopped = None;
        // More kinds than an association can have contexts are sent one group after another.
        for group in kinds.chunks(MOST_CONTEXTS) {
            let of_group = |(_, object): &(usize, &Object)| group.contains(&kind(&object.outgoing));
            let waiting = self.objects.iter().enumerate().filter(of_group).map(|(i, _)| i);
            let queue = Queue {
                work: self,
                kinds: group.to_vec(),
                waiting: Mutex::new(waiting.collect()),
                stopped: AtomicBool::new(stopped.is_some()),
            };
            let error = queue.run(&mut told);
            stopped = stopped.or(error);
        }
        stopped
    }
}

impl Queue<'_> {
    fn run(&self, told: &mut impl FnMut(usize, Fate)) -> Option<ScuError> {
        let associations = self.work.associations.min(self.len()).max(1);
        let (fates, heard) = channel();
        let errors = thread::scope(|scope| {
            let workers: Vec<_> = (0..associations)
                .map(|_| {
                    let fates = fates.clone();
                    scope.spawn(move || self.send(&fates))
                })
                .collect();
            drop(fates);
            for (index, fate) in heard {
                told(index, fate);
            }
            let joined = workers.into_iter().map(|worker| worker.join());
            joined
                .filter_map(|ended| ended.ok().flatten())
                .collect::<Vec<_>>()
        });
        let error = errors.into_iter().next();
        // What nobody took: all have given up.
        let rest = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let why = error.as_ref().map_or_else(String::new, ToString::to_string);
        for index in rest {
            told(index, Fate::NotSent(why.clone()));
        }
        error
    }

    fn len(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn next(&self) -> Option<usize> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    fn put_back(&self, index: usize) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_front(index);
    }

    /// One association after another until nothing waits; the error that ended it, if one did.
    fn send(&self, fates: &Sender<(usize, Fate)>) -> Option<ScuError> {
        let (mut failures, mut pause) = (0, PAUSE);
        while self.len() > 0 && !self.stopped.load(Ordering::Relaxed) {
            let mut answers = 0;
            let Err(error) = self.send_over_one(fates, &mut answers) else {
                return None;
            };
            if answers > 0 {
                (failures, pause) = (0, PAUSE);
            }
            failures += 1;
            if error.is_permanent() || failures >= TRIES || matches!(error, ScuError::Connect { .. }) {
                // A peer that takes fewer associations than asked for refuses one for now: the others go on.
                if error.is_permanent() || matches!(error, ScuError::Connect { .. }) {
                    self.stopped.store(true, Ordering::Relaxed);
                }
                return Some(error);
            }
            thread::sleep(pause);
            pause *= 2;
        }
        None
    }

    fn send_over_one(&self, fates: &Sender<(usize, Fate)>, answers: &mut u64) -> Result<(), ScuError> {
        let mut session = Session::open(self.work.remote, &self.kinds, self.work.timeouts, None)?;
        let (mut next, mut spare) = (self.load_next(Vec::new(), fates), Vec::new());
        while let Some((index, object, mut loaded)) = next {
            let sent = session.send(&object.outgoing, &mut loaded);
            let begun = match sent {
                Ok(begun) => begun,
                Err(error) => {
                    self.put_back(index);
                    session.abort(&error);
                    return Err(error);
                }
            };
            // While the peer works on it, the one after it is read.
            next = self.load_next(spare, fates);
            let answer = if begun {
                session.answer(&object.outgoing)
            } else {
                Ok(Answer::NoContext)
            };
            match answer {
                Ok(answer) => {
                    *answers += 1;
                    // Whoever listens has gone only when all is over.
                    let _ = fates.send((index, Fate::Answered(answer)));
                }
                Err(error) => {
                    if let Some((after, _, _)) = next {
                        self.put_back(after);
                    }
                    self.put_back(index);
                    session.abort(&error);
                    return Err(error);
                }
            }
            spare = loaded.into_buffer();
        }
        session.release();
        Ok(())
    }

    /// The next file that can be read; the others have their fate.
    fn load_next(
        &self,
        mut buffer: Vec<u8>,
        fates: &Sender<(usize, Fate)>,
    ) -> Option<(usize, &Object, Loaded)> {
        loop {
            let index = self.next()?;
            let object = self.work.objects.get(index)?;
            match object
                .open()
                .and_then(|file| Loaded::read(file, Some(object.offset), buffer))
            {
                Ok(loaded) => return Some((index, object, loaded)),
                Err(error) => {
                    let _ = fates.send((index, Fate::Answered(Answer::Unreadable(error.to_string()))));
                    buffer = Vec::new();
                }
            }
        }
    }
}
