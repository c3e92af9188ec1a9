//! Results out: each delivery is a row in the store, sent again until it is settled, across restarts.
//!
//! ```text
//! destinations  what the configuration says of each, and the pace that its deliveries share
//! worker        which delivery goes when
//! lanes         what is under way: how many to a destination
//! gate          what must not leave, held against what came in
//! shelves       who sends from the copies that the gate made
//! sender        one attempt, and what follows from it
//! folder        a directory as destination
//! stow          a DICOMweb server as destination
//! probe         whether a destination answers, asked by a person
//! commitment    whether a destination keeps what it took
//! records       what became of deliveries, in record.json
//! aftermath     records that are behind, copies that nobody sends any more
//! ```
//!
//! # Order
//! One destination is one peer: its AE title at its host and port, whether a rule names the `[[remote_ae]]` or gives the
//! address of the same. Deliveries of one study to one destination go one after the other, in the order of their harvests:
//! what is newer may not be overtaken by what is older. One that is tried again keeps its place, and those behind it wait;
//! the API and `magickbox job show` say of each behind which one. Nothing else holds back: one that is held, refused or
//! cancelled is passed, as is one of a job that is held, and neither another study nor another destination ever waits. What a
//! person sends again later has its old place.
//!
//! # When it is tried again
//! After `first_retry`, then after twice as long each time up to `longest_retry`, each time up to a quarter less, for each
//! delivery its own; with the first failure after `give_up` it is held. That time runs from its first attempt, not while it
//! waits behind another delivery, stands by for one, or its job is held; and by how long the node has run, not by the machine's
//! clock, which may be set: a node that was off for days gives a destination its time all the same. By default: 30 s, 1 min,
//! … 32 min, 1 h, for 72 h, which is at most about a hundred attempts. A destination that answers something else than it was
//! asked, and nothing else, has three. What a person sends again, or lets go, begins with the first wait and has its whole time.
//!
//! # Very many
//! A destination that is away may have ten thousands of deliveries before it. What is read of them at a time is what can go
//! now, by indexes of the store; of what is to be committed it is the numbers, and each delivery when something is due.

mod aftermath;
mod commitment;
mod destinations;
mod folder;
mod gate;
mod lanes;
mod probe;
mod records;
#[cfg(test)]
mod scene;
mod sender;
mod shelves;
mod stow;
mod worker;

#[cfg(feature = "fuzzing")]
pub use gate::walked;
#[cfg(feature = "fuzzing")]
pub use stow::told;

pub use aftermath::Aftermath;
pub use commitment::Committer;
pub use destinations::{Ahead, Destinations};
pub use probe::{Probed, Probes};
pub use records::Records;
pub use shelves::Shelves;
pub use worker::{Clock, Worker};
