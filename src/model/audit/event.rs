//! One event of the audit trail: who did what to what, when, and how it ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{AuditAction, AuditKind, AuditOutcome, AuditRole};
use crate::model::Timestamp;

/// The node's own process, whatever the site calls the node.
const NODE: &str = "magickbox";

/// One event. Nothing in it is a patient's but the ID, and that only where the profile asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When it happened.
    #[serde(deserialize_with = "moment")]
    pub at: Timestamp,
    /// What happened.
    pub kind: AuditKind,
    /// What was done.
    pub action: AuditAction,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Why it ended so, or what exactly was done; for people, never a patient's attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Who took part; at least one.
    pub participants: Vec<AuditParticipant>,
    /// The study it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<AuditStudy>,
    /// What else it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<AuditObject>,
}

/// Somebody, or a process, that took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditParticipant {
    /// The name of a token, an address, an AE title, or the node's name: UserID.
    pub user: String,
    /// Its AE title, where it is an AE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ae_title: Option<String>,
    /// An IP address, a host, or a URI: NetworkAccessPointID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether it asked for what happened; at most one of an event did.
    pub requestor: bool,
    /// What it was to the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<AuditRole>,
}

impl AuditParticipant {
    /// A person or a program, by the name of its token or else its address.
    #[must_use]
    pub fn caller(name: &str, address: &str) -> Self {
        Self {
            user: name.to_owned(),
            ae_title: None,
            address: Some(address.to_owned()),
            requestor: true,
            role: None,
        }
    }

    /// An application entity.
    #[must_use]
    pub fn ae(title: &str, address: Option<&str>, role: AuditRole) -> Self {
        Self {
            user: title.to_owned(),
            ae_title: Some(title.to_owned()),
            address: address.map(str::to_owned),
            requestor: false,
            role: Some(role),
        }
    }

    /// The node's own process.
    #[must_use]
    pub fn node(role: Option<AuditRole>) -> Self {
        Self {
            user: NODE.to_owned(),
            ae_title: None,
            address: None,
            requestor: false,
            role,
        }
    }

    /// Whether it is the node's own process. Whoever else has no AE title has an address.
    #[must_use]
    pub fn is_node(&self) -> bool {
        self.user == NODE && self.ae_title.is_none() && self.address.is_none()
    }

    /// Where data came from or went to that is no AE.
    #[must_use]
    pub fn medium(name: &str, address: &str, role: AuditRole) -> Self {
        Self {
            user: name.to_owned(),
            ae_title: None,
            address: Some(address.to_owned()),
            requestor: false,
            role: Some(role),
        }
    }

    /// The same, as the one who asked.
    #[must_use]
    pub fn asking(self) -> Self {
        Self {
            requestor: true,
            ..self
        }
    }
}

/// A study, as far as the event is about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditStudy {
    /// Study Instance UID.
    pub uid: String,
    /// Patient ID, empty where it is not known: the profile asks for it (PS3.15 §A.5.3.3 to §A.5.3.8).
    #[serde(default)]
    pub patient_id: String,
    /// SOP classes and how many objects of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sop_classes: BTreeMap<String, u64>,
}

/// A thing of the node that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditObject {
    /// What it is.
    pub what: AuditThing,
    /// Its name or address.
    pub name: String,
}

impl AuditObject {
    /// A thing by its name.
    #[must_use]
    pub fn new(what: AuditThing, name: impl Into<String>) -> Self {
        Self {
            what,
            name: name.into(),
        }
    }
}

/// Things of the node that events are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditThing {
    /// A job, by its ID.
    Job,
    /// A bucket, by its AE title.
    Bucket,
    /// An address of the API: method and path.
    Request,
    /// An AE title that was called.
    Called,
    /// A node, by its address.
    Node,
    /// The audit trail itself.
    Trail,
}

impl AuditEvent {
    /// An event of now that went well.
    #[must_use]
    pub fn new(kind: AuditKind, action: AuditAction, participants: Vec<AuditParticipant>) -> Self {
        Self {
            at: Timestamp::now(),
            kind,
            action,
            outcome: AuditOutcome::Success,
            text: None,
            participants,
            study: None,
            objects: Vec::new(),
        }
    }

    /// The same, about a study.
    #[must_use]
    pub fn of_study(mut self, study: AuditStudy) -> Self {
        self.study = Some(study);
        self
    }

    /// The same, about a thing.
    #[must_use]
    pub fn about(mut self, what: AuditThing, name: impl Into<String>) -> Self {
        self.objects.push(AuditObject::new(what, name));
        self
    }

    /// The same, with words for people.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// The same, ended otherwise.
    #[must_use]
    pub const fn ended(mut self, outcome: AuditOutcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The job it is about.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        let job = self.objects.iter().find(|o| o.what == AuditThing::Job);
        job.map(|o| o.name.as_str())
    }
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Timestamp::parse(&text).ok_or_else(|| serde::de::Error::custom("no moment as RFC 3339 writes it"))
}
