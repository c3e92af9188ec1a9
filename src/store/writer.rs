//! The one thread that writes.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use rusqlite::{Connection, DropBehavior, TransactionBehavior};
use tokio::sync::oneshot;

use super::{Result, StoreError};

/// Requests waiting for the writer; who comes later waits to submit.
const QUEUE: usize = 1024;

/// Requests that share one commit.
const BATCH: usize = 256;

/// When a request is committed and on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Committed within 25 ms, together with others; on the disk with the next that is synced.
    Lazy,
    /// Committed at once; on the disk with the next that is synced.
    Unsynced,
    /// On the disk before it is answered.
    Synced,
}

/// How long a lazy request waits for others.
const LAZY: Duration = Duration::from_millis(25);

/// A request with its answer inside: run it, then tell it how the commit went.
trait Request: Send {
    fn when(&self) -> When;
    fn run(&mut self, transaction: &Connection) -> Result<()>;
    fn finish(self: Box<Self>, committed: Result<()>);
}

struct Typed<F, T> {
    when: When,
    request: Option<F>,
    answer: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Request for Typed<F, T>
where
    F: FnOnce(&Connection) -> Result<T> + Send,
    T: Send,
{
    fn when(&self) -> When {
        self.when
    }

    fn run(&mut self, transaction: &Connection) -> Result<()> {
        let Some(request) = self.request.take() else {
            return Ok(());
        };
        match request(transaction) {
            Ok(value) => {
                self.answer = Some(Ok(value));
                Ok(())
            }
            Err(error) => {
                self.answer = Some(Err(error.clone()));
                Err(error)
            }
        }
    }

    fn finish(self: Box<Self>, committed: Result<()>) {
        let answer = match (self.answer, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // Nobody listening any more is the listener's business.
        let _ = self.reply.send(answer);
    }
}

/// The answer to a write that is on its way.
pub struct Pending<T>(oneshot::Receiver<Result<T>>);

impl<T> Pending<T> {
    /// Waits on a thread of its own; in async code use `.await`.
    ///
    /// # Errors
    /// What the request said, or what the commit said.
    pub fn wait(self) -> Result<T> {
        self.0.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }
}

impl<T> Pending<T> {
    /// The answer, if it is there already; else itself, to be asked again.
    ///
    /// # Errors
    /// Itself, when there is none yet.
    pub fn now(mut self) -> std::result::Result<Result<T>, Self> {
        match self.0.try_recv() {
            Ok(answer) => Ok(answer),
            Err(oneshot::error::TryRecvError::Empty) => Err(self),
            Err(oneshot::error::TryRecvError::Closed) => Ok(Err(StoreError::Closed)),
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}

/// Where requests go; `None` once the store is closed.
type Requests = Option<SyncSender<Box<dyn Request>>>;

#[derive(Clone)]
pub(super) struct Writer {
    requests: Arc<Mutex<Requests>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    writer: Thread,
    /// Something was submitted that is not lazy.
    urgent: Arc<AtomicBool>,
    /// Commits so far.
    version: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let urgent = Arc::new(AtomicBool::new(false));
        let version = Arc::new(AtomicU64::new(0));
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn({
                let (urgent, version) = (urgent.clone(), version.clone());
                move || run(connection, &receiver, &urgent, &version)
            })
            .map_err(|error| StoreError::State(format!("start the writer: {error}")))?;
        Ok(Self {
            requests: Arc::new(Mutex::new(Some(sender))),
            writer: thread.thread().clone(),
            urgent,
            version,
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    pub(super) fn submit<T: Send + 'static>(
        &self,
        when: When,
        request: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (reply, answer) = oneshot::channel();
        let typed = Box::new(Typed {
            when,
            request: Some(request),
            answer: None,
            reply,
        });
        let sender = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(sender) = sender {
            // A send that fails drops the reply, which reads as `Closed`.
            let _ = sender.send(typed);
            if when != When::Lazy {
                self.hurry();
            }
        }
        Pending(answer)
    }

    /// Counts commits. Told after each, before anybody hears its answer.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn hurry(&self) {
        self.urgent.store(true, Ordering::Release);
        self.writer.unpark();
    }

    pub(super) fn close(&self) {
        self.hurry();
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer of the job store had died");
        }
    }
}

fn run(
    mut connection: Connection,
    requests: &Receiver<Box<dyn Request>>,
    urgent: &AtomicBool,
    version: &AtomicU64,
) {
    // The connection was opened with FULL.
    let mut synchronous = When::Synced;
    while let Ok(first) = requests.recv() {
        let mut batch = gather(first, requests, urgent);
        let most = batch.iter().map(|r| r.when()).max();
        let wanted = if most == Some(When::Synced) {
            When::Synced
        } else {
            When::Unsynced
        };
        let committed = set_synchronous(&connection, &mut synchronous, wanted)
            .and_then(|()| commit(&mut connection, &mut batch));
        // Also where the commit failed: it may be there all the same.
        version.fetch_add(1, Ordering::Release);
        for request in batch {
            request.finish(committed.clone());
        }
    }
}

/// Everything that is waiting. Where the first is lazy, so is the writer: it looks away for a moment, and who submits does
/// not have to wake it.
fn gather(
    first: Box<dyn Request>,
    requests: &Receiver<Box<dyn Request>>,
    urgent: &AtomicBool,
) -> Vec<Box<dyn Request>> {
    if first.when() == When::Lazy {
        let end = Instant::now() + LAZY;
        while !urgent.load(Ordering::Acquire) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::park_timeout(left);
        }
    }
    urgent.store(false, Ordering::Release);
    let mut batch = vec![first];
    batch.extend(requests.try_iter().take(BATCH - 1));
    batch
}

fn set_synchronous(connection: &Connection, now: &mut When, wanted: When) -> Result<()> {
    if *now != wanted {
        let word = if wanted == When::Synced { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", word)?;
        *now = wanted;
    }
    Ok(())
}

fn commit(connection: &mut Connection, batch: &mut [Box<dyn Request>]) -> Result<()> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for request in batch.iter_mut() {
        // A savepoint that is dropped without commit rolls back: this request fails alone.
        let mut savepoint = transaction.savepoint()?;
        savepoint.set_drop_behavior(DropBehavior::Rollback);
        if request.run(&savepoint).is_ok() {
            savepoint.commit()?;
        }
    }
    transaction.commit()?;
    Ok(())
}
