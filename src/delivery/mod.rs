//! Results out: each delivery is a row in the store, sent again until it is settled, across restarts.

mod commitment;
mod sender;
mod worker;

pub use commitment::Committer;
pub use worker::Worker;
