//! PS3.2: the conformance statement says what the node does.

mod negotiation;
mod statement;
mod tables;
