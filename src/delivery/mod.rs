//! Results out: each delivery is a row in the store, sent again until it is settled, across restarts.
//!
//! ```text
//! destinations  what the configuration says of each, and the pace that its deliveries share
//! worker        which delivery goes when
//! lanes         what is under way: how many to a destination, and none of a study before the one before it
//! gate          what must not leave, held against what came in
//! sender        one attempt, and what follows from it
//! folder        a directory as destination
//! stow          a DICOMweb server as destination
//! probe         whether a destination answers, asked by a person
//! ```

mod commitment;
mod destinations;
mod folder;
mod gate;
mod lanes;
mod probe;
mod sender;
mod stow;
mod worker;

#[cfg(feature = "fuzzing")]
pub use gate::walked;
#[cfg(feature = "fuzzing")]
pub use stow::told;

pub use commitment::Committer;
pub use destinations::Destinations;
pub use probe::{Probed, Probes};
pub use worker::Worker;
