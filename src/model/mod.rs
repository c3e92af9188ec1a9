//! The words of this program: pure values, no I/O, no runtime.
//!
//! Everything here is valid by construction: an [`AeTitle`], a [`Uid`], a [`JobId`] that exists may be
//! printed, stored and made part of a path.

pub mod access;
pub mod ae_title;
pub mod association_end;
pub mod audit;
pub mod bucket;
pub mod caller;
pub mod classify;
pub mod code;
pub mod commitment;
pub mod declared;
pub mod delivery;
mod delivery_state;
pub mod deviation;
pub mod durability;
pub mod gate;
pub mod gpu;
pub mod job;
pub mod job_state;
pub mod keep;
pub mod layout;
pub mod measure;
pub mod origin;
pub mod outcome;
pub mod priority;
pub mod reader;
pub mod report;
pub mod route;
mod run_time;
pub mod settings;
pub mod store_status;
pub mod stream;
pub mod timestamp;
pub mod ucum;
pub mod uid;
pub mod upload;

pub use access::{Permission, Token};
pub use ae_title::{AeTitle, CalledAeTitle, CallingAeTitle};
pub use association_end::{AssociationEnd, AssociationOutcome, FailedObjects};
pub use audit::{
    AuditAction, AuditEvent, AuditKind, AuditOutcome, AuditParticipant, AuditRole, AuditSource, AuditStudy,
    AuditThing,
};
pub use bucket::{Complete, Level, Network, Resources, Root};
pub use caller::{AddressRange, Caller};
pub use code::Code;
pub use commitment::{CommitmentState, FailureReason};
pub use declared::DeclaredMeasure;
pub use delivery::{Delivery, DeliveryInstance, InstanceState};
pub use delivery_state::{DeliveryEvent, DeliveryState};
pub use deviation::{Capability, Deviation};
pub use durability::Durability;
pub use gate::{COPIES_BY, GateAction, GateFinding, GateFindings, GateMode, GateState};
pub use gpu::GpuId;
pub use job::{Job, JobId};
pub use job_state::{JobEvent, JobState};
pub use keep::Keep;
pub use layout::{Layout, Place};
pub use measure::Measure;
pub use origin::Origin;
pub use outcome::{Ended, Outcome, Verdict};
pub use priority::Priority;
pub use reader::{Finding, Reader};
pub use report::Report;
pub use route::{
    AttributeSet, AttributeTag, AttributeTagError, Destination, DicomWeb, Direction, Endpoint, Folder,
    PatternError, Peer, Remote, RemoteAe, RemoteTls, Route, RouteSource, SENDER, SendLimits, pattern,
};
pub use run_time::{Moment, RunTime};
pub use settings::Settings;
pub use store_status::{STORE_STATUSES, StatusClass, StoreStatus};
pub use stream::{Stream, StreamTable};
pub use timestamp::Timestamp;
pub use uid::Uid;
pub use upload::{UploadId, UploadIdError};
