//! PS3.7: messages, and what is negotiated about them.

mod command_set;
mod echo;
mod negotiation;
mod operations;
mod statuses;
