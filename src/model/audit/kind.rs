//! What happened, as the standard names it (PS3.15 §A.5.3, codes of PS3.16 CID 400, 401 and 403).

use serde::{Deserialize, Serialize};

/// A code of the DICOM Controlled Terminology: value and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCode(pub &'static str, pub &'static str);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// The node began to serve.
    Started,
    /// The node stopped in order.
    Stopped,
    /// Somebody read the audit trail.
    TrailRead,
    /// The first attempt of a delivery to an AE began.
    TransferBegun,
    /// Objects came over an association, or went over one.
    Transferred,
    /// Objects came otherwise: pushed over HTTP.
    Imported,
    /// Objects left otherwise: as a zip, into a folder, to a DICOMweb server.
    Exported,
    /// Somebody looked at a study's results or log, or decided about its job.
    Accessed,
    /// A study's files were given up: by a person, by age, to make room.
    Deleted,
    /// A node that is not known here, or could not prove who it is, was turned away.
    NodeRefused,
    /// A request to the API came without the right to it.
    RequestRefused,
    /// Where results go was changed.
    NetworkChanged,
    /// A bucket was installed, replaced, switched or removed.
    SoftwareChanged,
    /// The node starts with another configuration than before, or is another version.
    ConfigurationChanged,
    /// Events older than `[audit] keep` were taken out of the trail.
    TrailPruned,
    /// A backup took the place of the store, and of the trail in it.
    Restored,
}

impl AuditKind {
    /// Every one.
    pub const ALL: [Self; 16] = [
        Self::Started,
        Self::Stopped,
        Self::TrailRead,
        Self::TransferBegun,
        Self::Transferred,
        Self::Imported,
        Self::Exported,
        Self::Accessed,
        Self::Deleted,
        Self::NodeRefused,
        Self::RequestRefused,
        Self::NetworkChanged,
        Self::SoftwareChanged,
        Self::ConfigurationChanged,
        Self::TrailPruned,
        Self::Restored,
    ];

    /// The word in the store, the API and the program.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::TrailRead => "trail_read",
            Self::TransferBegun => "transfer_begun",
            Self::Transferred => "transferred",
            Self::Imported => "imported",
            Self::Exported => "exported",
            Self::Accessed => "accessed",
            Self::Deleted => "deleted",
            Self::NodeRefused => "node_refused",
            Self::RequestRefused => "request_refused",
            Self::NetworkChanged => "network_changed",
            Self::SoftwareChanged => "software_changed",
            Self::ConfigurationChanged => "configuration_changed",
            Self::TrailPruned => "trail_pruned",
            Self::Restored => "restored",
        }
    }

    /// The kind of that word.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.word() == word);
        found.ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|kind| kind.word()).collect();
            format!("one of: {}", known.join(", "))
        })
    }

    /// The family of events it belongs to: EventID.
    #[must_use]
    pub const fn event_id(self) -> AuditCode {
        match self {
            Self::Started | Self::Stopped => AuditCode("110100", "Application Activity"),
            Self::TrailRead => AuditCode("110101", "Audit Log Used"),
            Self::TransferBegun => AuditCode("110102", "Begin Transferring DICOM Instances"),
            Self::Accessed => AuditCode("110103", "DICOM Instances Accessed"),
            Self::Transferred => AuditCode("110104", "DICOM Instances Transferred"),
            Self::Deleted => AuditCode("110105", "DICOM Study Deleted"),
            Self::Exported => AuditCode("110106", "Export"),
            Self::Imported => AuditCode("110107", "Import"),
            Self::NodeRefused
            | Self::RequestRefused
            | Self::NetworkChanged
            | Self::SoftwareChanged
            | Self::ConfigurationChanged
            | Self::TrailPruned
            | Self::Restored => AuditCode("110113", "Security Alert"),
        }
    }

    /// Whether it is a Security Alert.
    #[must_use]
    pub const fn is_alert(self) -> bool {
        matches!(
            self,
            Self::NodeRefused
                | Self::RequestRefused
                | Self::NetworkChanged
                | Self::SoftwareChanged
                | Self::ConfigurationChanged
                | Self::TrailPruned
                | Self::Restored
        )
    }

    /// What it is within its family: EventTypeCode, where the family has any.
    #[must_use]
    pub const fn event_type(self) -> Option<AuditCode> {
        match self {
            Self::Started => Some(AuditCode("110120", "Application Start")),
            Self::Stopped => Some(AuditCode("110121", "Application Stop")),
            Self::NodeRefused => Some(AuditCode("110126", "Node Authentication")),
            Self::RequestRefused => Some(AuditCode("110132", "Use of Restricted Function")),
            Self::NetworkChanged => Some(AuditCode("110128", "Network Configuration")),
            Self::SoftwareChanged => Some(AuditCode("110131", "Software Configuration")),
            Self::ConfigurationChanged | Self::TrailPruned | Self::Restored => {
                Some(AuditCode("110129", "Security Configuration"))
            }
            _ => None,
        }
    }

    /// Whether the profile asks for the patient's ID.
    #[must_use]
    pub const fn names_a_patient(self) -> bool {
        matches!(
            self,
            Self::TransferBegun
                | Self::Transferred
                | Self::Imported
                | Self::Exported
                | Self::Accessed
                | Self::Deleted
        )
    }
}

/// What was done to the object: EventActionCode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// It was made.
    Create,
    /// It was looked at, or taken away as a copy.
    Read,
    /// It was changed.
    Update,
    /// It was removed.
    Delete,
    /// Something ran.
    Execute,
}

impl AuditAction {
    /// `C`, `R`, `U`, `D`, `E`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Create => "C",
            Self::Read => "R",
            Self::Update => "U",
            Self::Delete => "D",
            Self::Execute => "E",
        }
    }
}

/// How it ended: EventOutcomeIndicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// 0: as it should.
    Success,
    /// 4: not, and whoever asked may ask again or otherwise.
    MinorFailure,
    /// 8: not; a person has to look.
    SeriousFailure,
    /// 12: not, and something is not available any more.
    MajorFailure,
}

impl AuditOutcome {
    /// `0`, `4`, `8`, `12`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Success => "0",
            Self::MinorFailure => "4",
            Self::SeriousFailure => "8",
            Self::MajorFailure => "12",
        }
    }
}

/// What a participant was to the event: RoleIDCode (CID 402).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditRole {
    /// The program that began or ended.
    Application,
    /// What took the data.
    Destination,
    /// What gave the data.
    Source,
    /// Where an export went.
    DestinationMedia,
    /// Where an import came from.
    SourceMedia,
}

impl AuditRole {
    /// Its code.
    #[must_use]
    pub const fn code(self) -> AuditCode {
        match self {
            Self::Application => AuditCode("110150", "Application"),
            Self::Destination => AuditCode("110152", "Destination Role ID"),
            Self::Source => AuditCode("110153", "Source Role ID"),
            Self::DestinationMedia => AuditCode("110154", "Destination Media"),
            Self::SourceMedia => AuditCode("110155", "Source Media"),
        }
    }

    /// Whether it is a medium, which has to say of what type (CID 405): all of ours are addresses.
    #[must_use]
    pub const fn medium(self) -> Option<AuditCode> {
        match self {
            Self::DestinationMedia | Self::SourceMedia => Some(AuditCode("110037", "URI")),
            _ => None,
        }
    }
}
