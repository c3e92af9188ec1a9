//! Results out: each delivery is a row in the store, sent again until it is settled, across restarts.

pub mod error_report;
mod sender;
mod worker;

pub use worker::Worker;
