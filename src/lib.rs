//! MagickBox: a DICOM processing node.
//!
//! A study that is sent to one of its AE titles is staged on disk, run through the container ("bucket") that is
//! installed for that title, and what comes out is sent on. One process, no standing services but Docker; the job
//! store is SQLite inside the process.
//!
//! # Map
//! ```text
//! model      the words, pure: no I/O, no runtime
//! config     one struct per concern, from one TOML file
//! files      files and directories so that they last
//! failpoint  named points at which a node of the tests dies; nothing in a release build
//! telemetry  logs, names of their fields, metrics
//! dicom      what we add to dicom-rs: upper layer, TLS, messages, negotiation, reading a header on the fly, SCU; objects
//!            beside a study
//! store      the job store
//! container  trait Runtime and its Docker implementation
//! routing    where results go: the rules in force, routing.json, the decision and its reasons
//! stage      the only code that writes DICOM to disk; when a set is complete; what its series are; INPUT
//! bucket     what an image says of itself, and what is wrong with it; installed buckets and the streams they open; what a
//!            new one begins with
//! audit      the audit trail to its collector, and what of it is too old
//! scp        services as acceptor
//! engine     one driver per job: scheduler, driver, harvest, recovery
//! delivery   results out
//! http       the API, and the addresses of the original node
//! node       composition root: Config → running Node
//! cli        one file per subcommand of the programs
//! ```
//!
//! # Who may import whom
//! `model`, `files`, `failpoint`, `telemetry` and `container` import nobody; `failpoint` may be named anywhere. `config` and
//! `store` import `model`; `dicom` imports `model` and, for TLS, `config`. `routing` imports `dicom`, `files`, `telemetry`.
//! `stage` imports `config`, `dicom`, `store`,
//! `telemetry`. `bucket` imports `store`, `container`.
//! `audit` imports `config`, `dicom` (for TLS), `store`, `telemetry`. `scp` imports `dicom`, `store`, `stage`. `engine` imports `stage`, `bucket`, `container`, `store`, `dicom`, `routing`. `delivery`
//! imports `dicom`, `store`. `http` imports `bucket`, `container`, `delivery`, `files`, `routing`, `stage`, `store`, `telemetry`. `node` wires them; `cli`
//! starts the node, talks HTTP to one, or runs a bucket by `engine` without one. A unit test below holds the
//! `use crate::` lines against this.
//!
//! # The way of one object
//! 1. [`scp`] takes a place and accepts; `dicom::upper_layer` reads the request; the caller has to be allowed, the
//!    called AE title an open stream; `dicom::negotiation` judges the contexts; a refusal carries result, source and
//!    reason. An association that does not end well leaves a row in `associations`.
//! 2. The session reads a command: C-ECHO, C-STORE, N-ACTION, N-EVENT-REPORT; anything else gets 0211.
//! 3. [`stage`]'s receiver gathers the data set, hashed on the way, from the socket into one large write; what is larger
//!    runs into a `*.part`.
//! 4. `dicom::header` reads the UIDs from the first bytes; a mismatch with the command is A900, what cannot be read
//!    is C000, no space is A700; the association lives on.
//! 5. Commit: a file in the set's directory under a name that tells its hash, fsync of both — then, and only then,
//!    Success. The set itself is in the store by then; the object's row follows, and its file stands in for it.
//! 6. `stage::Completion`: quiet, capped, or listed whole by a storage commitment request: the job is queued, its objects
//!    frozen. Late ones make a new job.
//! 7. [`engine`]'s scheduler takes it in order; the driver links the objects of the series that its bucket accepts into
//!    INPUT, creates the container by image digest, waits, keeps the log.
//! 8. The harvest reads proc.json, exit status, OOM flag, measures and DICOM results, and makes a structured report of
//!    the measures where the bucket asks for one; routes are decided by a pure
//!    function; deliveries are rows of the same transaction.
//! 9. [`delivery`]'s gate holds what contradicts its input and fills in what is missing; its worker sends, keeps each
//!    object's status, tries again on a schedule; its committer asks whether the destination keeps what it took.
//! 10. The last delivery settles the job; its aftermath removes the copies that the gate made, and adds to record.json what a
//!     destination says later. Each arrow is a row in `events`.
//!
//! A study that is pushed as a zip takes another way to step 7: `http` spools it, `stage::push` unpacks it into the directory
//! of a set that has no row yet, and one transaction makes the rows of its objects and its job, queued.
//!
//! A kill -9 between any two of them loses nothing that was answered: a file that is what its name says is taken in at
//! the next start, and every step from 6 on can be done again.
//!
//! # Threads and tasks
//! An association is a thread with a blocking socket, on either side: it is 98 % kernel time, and a task would only
//! add copies and wake-ups. Everything else that waits is a task. The store has one thread that writes.

pub mod audit;
pub mod bucket;
pub mod cli;
pub mod config;
pub mod container;
pub mod delivery;
pub mod dicom;
pub mod engine;
pub mod failpoint;
pub mod files;
pub mod http;
pub mod model;
pub mod node;
pub mod routing;
pub mod scp;
pub mod stage;
pub mod store;
pub mod telemetry;

#[cfg(test)]
mod architecture;
