//! Results out: each delivery is a row in the store, sent again until it is settled, across restarts.

mod gate;
mod sender;
mod worker;

pub use worker::Worker;
