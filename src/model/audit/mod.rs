//! The audit trail's words: events (PS3.15 §A.5), their XML, and the syslog message that carries it.
//!
//! # What becomes an event
//! ```text
//! Application Activity            the node starts, and stops in order
//! Audit Log Used                  somebody reads the trail
//! Begin Transferring …            the first attempt of a delivery to an AE
//! DICOM Instances Transferred     an association is over: one for each study, new objects (C), those that were there (R)
//!                                 and those that failed apart; a delivery to an AE is over: what was sent and what was
//!                                 not apart
//! Import, Export                  a push, a job of another installation; a zip of results, measures or a memory with the
//!                                 studies they are of, a delivery into a folder or to a DICOMweb server
//! DICOM Instances Accessed        a person looks at a job's findings, series or log, gets a list with results, or decides
//!                                 about a job
//! DICOM Study Deleted             files of a job go: by a person, by age, to make room, with their bucket
//! Security Alert                  a node or a request is refused; routes, buckets or the configuration change, also with an
//!                                 editor; the trail is pruned, or the store is a restored backup
//! ```
//!
//! # What does not, and why
//! User Authentication: a token comes with each request, nobody logs in; one that is wrong is a Security Alert. Network
//! Entry: of mobile machines. Order, Procedure and Patient Record: the node keeps none. Query: it answers none of DICOM's;
//! a list that gives results out is told by whose they are, which a Query would not say. A retry of a delivery: it is the one
//! that was begun; its end is told. An object: the association is told.

mod event;
mod kind;
mod syslog;
mod xml;

pub use event::{AuditEvent, AuditObject, AuditParticipant, AuditStudy, AuditThing};
pub use kind::{AuditAction, AuditCode, AuditKind, AuditOutcome, AuditRole};
pub use syslog::{AuditSource, framed, message};
pub use xml::document;

#[cfg(test)]
mod tests;
