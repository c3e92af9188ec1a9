//! The audit trail outside the store: a collector gets it, and what is too old goes.
//!
//! ```text
//! sender      batches in order, tried again until the collector has them
//! connection  one batch over one connection
//! keeper      what is older than `[audit] keep`
//! ```
//!
//! What happens is written to the store by whoever does it; nothing here has to be waited for.

mod connection;
mod keeper;
mod sender;

pub use keeper::Keeper;
pub use sender::{Sender, source};
