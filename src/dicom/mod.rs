//! What we add to dicom-rs: the upper layer over a socket, messages, negotiation, and reading just enough of a
//! data set while it arrives.

pub mod command;
pub mod commitment;
pub mod composite;
pub mod deflated;
pub mod derived_uid;
pub mod dial;
pub mod header;
pub mod identity;
pub mod message;
pub mod negotiation;
pub mod part10;
pub mod scu;
pub mod secondary_capture;
pub mod sr;
pub mod status;
pub mod tls;
pub mod transcode;
pub mod transfer_capability;
pub mod transfer_syntax;
pub mod upper_layer;
