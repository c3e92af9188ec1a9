//! The programs: one file per subcommand; nothing here knows how a thing is done, only how it is asked for.

// Before the others, whose lines it prints.
#[macro_use]
pub mod printing;

pub mod adopt;
pub mod audit;
pub mod backup;
pub mod buckets;
pub mod conformance;
pub mod echo;
pub mod job;
pub mod mb;
mod node_client;
pub mod restore;
pub mod route;
pub mod serve;
mod table;
mod text;
pub mod token;
mod upload;
pub mod verify;
