//! PS3.8: the upper layer, spoken to in bytes.

mod abort;
mod association;
mod broken_off;
mod pdata;
mod reject;
mod release;
mod timers;
mod titles;
