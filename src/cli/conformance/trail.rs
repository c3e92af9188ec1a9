//! The audit trail: what section 8.4 says of it, and its settings.

use std::path::Path;

use super::configuration::{Setting, code, setting};
use super::markdown::Document;
use super::site::duration;
use crate::config::{AuditConfig, AuditTransport, CollectorConfig, Config};
use crate::model::{AuditKind, RemoteTls};

/// What the node tells, and how.
pub(super) fn write(d: &mut Document) {
    d.text(
        "The Audit Trail Message Format Profile (PS3.15 §A.5) and, where `[audit] collector` is configured (6.1), the Audit \
         Trail Message Transmission Profile – SYSLOG-TLS (PS3.15 §A.6), as sender: RFC 5424 messages with facility 10, \
         severity 5 (4 for what failed), MSGID `DICOM+RFC3881`, no STRUCTURED-DATA, and the XML behind a byte order mark, \
         octet-counted over TLS 1.2 or 1.3 (RFC 5425). Bare TCP and the Syslog-UDP profile (PS3.15 §A.7) only where \
         `transport` says so. A batch has a connection of its own, of at most 200 messages; it counts as taken when the \
         collector closes its end behind it, and is sent again until then, so that a message may come twice and none is \
         lost, also over a crash of the node. The order is kept. Nothing waits for the collector.",
    );
    d.text(
        "UserID is the AE title of an AE (also as AETITLES in AlternativeUserID), the name of a token of the API, as in the \
         log, or else the address it was called from; for the node itself AuditSourceID, which is `source_id` or the name of \
         the machine. Study and patient are named by Study Instance UID and Patient ID where the profile asks for both, with \
         SOP classes and numbers of objects; never with the patient's name. These messages are sent:",
    );
    let rows = AuditKind::ALL.map(|kind| {
        let event = kind.event_id();
        let of = kind
            .event_type()
            .map_or_else(String::new, |code| format!("{} {}", code.0, code.1));
        [format!("{} {}", event.0, event.1), of, when(kind).to_owned()]
    });
    d.table("Audit Messages", ["EventID", "EventTypeCode", "When"], rows);
    d.text(
        "Not sent: User Authentication (a token comes with each request, nobody logs in), Network Entry, Order Record, \
         Patient Record and Procedure Record (the node keeps none), Query (it answers none of DICOM's). Not each object: the \
         association and the delivery. What peers cause has room for ten events an hour of a stranger and fifty of its \
         address, for fifty of a sender whose objects fail and two hundred of its address, and for a thousand of either \
         sort in all; what is left out is counted, and the next event, or the last one of the hour, tells the number.",
    );
    d.text(
        "The trail is kept in the node too, append-only, each event bound by SHA-256 to the one before it; \
         `magickbox audit verify` finds what was changed or removed by hand. Reading it over the API needs the permission \
         `operate`.",
    );
}

const fn when(kind: AuditKind) -> &'static str {
    match kind {
        AuditKind::Started => {
            "the node begins to serve; EventOutcomeDescription says where the run before it did not end in order"
        }
        AuditKind::Stopped => "the node stops in order",
        AuditKind::TrailRead => "the trail was read over the API",
        AuditKind::TransferBegun => "the first attempt of a delivery to an AE begins",
        AuditKind::Transferred => {
            "an association is over, for each study: new objects (C), those that were there (R), and those that were refused or \
             cut off (C; 4 where the sender may send them again, else 8), with the number for each status in \
             EventOutcomeDescription; of at most 20 studies for each association, the rest, and what could not be read, with \
             an empty Study Instance UID; an association that broke behind its objects (C, 4, for the last study). A delivery \
             to an AE is settled or cancelled (R): what arrived, each object once, and what did not"
        }
        AuditKind::Imported => {
            "a study was pushed over HTTP; a job of another installation was taken over, for each study"
        }
        AuditKind::Exported => {
            "results, measures or a bucket's memory were fetched over HTTP: of measures and memory for each of the 100 newest \
             studies, each once a day for a caller, with the number of all; a delivery into a folder or to a DICOMweb server is \
             settled"
        }
        AuditKind::Accessed => {
            "somebody looked at a job, its series or a log (R; within ten minutes once), got a list of jobs with results (R; of \
             each study once a day), or decided about a job (U)"
        }
        AuditKind::Deleted => {
            "the files of a job are given up: by a person, by age, to make room, with their bucket"
        }
        AuditKind::NodeRefused => {
            "an association was refused for its AE titles or address, or TLS for its certificate"
        }
        AuditKind::RequestRefused => {
            "a request to the API had no token, a wrong one, or one that may not do this"
        }
        AuditKind::NetworkChanged => {
            "the rules that say where results go were changed over the API, 8 where the node was cut off within it; or with an \
             editor, with the hashes of the file before and now"
        }
        AuditKind::SoftwareChanged => {
            "a bucket was installed, replaced, switched or removed, or another installation taken over; 8 as above"
        }
        AuditKind::ConfigurationChanged => {
            "the node starts with another configuration than before, or in another version; the hashes of both are told"
        }
        AuditKind::Restored => {
            "`magickbox restore` put a backup in the place of the store, and of the trail in it"
        }
        AuditKind::TrailPruned => "events older than `keep` were taken out of the node's trail",
    }
}

pub(super) fn settings(config: &Config) -> Vec<Setting> {
    let AuditConfig {
        keep,
        source_id,
        site,
        collector,
    } = &config.audit;
    let given = |text: &Option<String>, absent: &str| text.clone().unwrap_or_else(|| absent.to_owned());
    let mut settings = vec![
        setting(
            "keep",
            "how long an event stays in the node's own trail",
            "1 hour to 100 years, as `400d`, `10y`",
            format!("{} days", keep.as_secs() / (24 * 3600)),
        ),
        setting(
            "source_id",
            "AuditSourceID",
            "1 to 64 characters",
            given(source_id, "the name of the machine"),
        ),
        setting(
            "site",
            "AuditEnterpriseSiteID",
            "1 to 64 characters",
            given(site, "none"),
        ),
    ];
    settings.extend(of_collector(collector.as_ref()));
    settings
}

/// What is said of the collector, or what would hold for one.
fn of_collector(collector: Option<&CollectorConfig>) -> Vec<Setting> {
    let file = |path: &Path| code(&path.display().to_string());
    let absent = || "none".to_owned();
    let (mut at, mut over, mut closes) = (absent(), "tls", true);
    let (mut ca, mut own, mut key, mut name) = (absent(), absent(), absent(), "of the address".to_owned());
    let (mut limit, mut longest) = ("20s".to_owned(), "5m".to_owned());
    if let Some(CollectorConfig {
        address,
        transport,
        confirm,
        response,
        longest_retry,
    }) = collector
    {
        (at, closes) = (address.clone(), *confirm);
        (limit, longest) = (duration(*response), duration(*longest_retry));
        over = match transport {
            AuditTransport::Tls(_) => "tls",
            AuditTransport::Tcp => "tcp",
            AuditTransport::Udp => "udp",
        };
        if let AuditTransport::Tls(RemoteTls {
            ca: of,
            identity,
            name: host,
        }) = transport
        {
            ca = file(of);
            if let Some((certificate, secret)) = identity {
                (own, key) = (file(certificate), file(secret));
            }
            name = host.clone().unwrap_or(name);
        }
    }
    vec![
        setting("collector", "who collects audit messages", "host and port", at),
        setting("transport", "how it is reached", "`tls`, `tcp`, `udp`", over),
        setting("ca", "the CAs that vouch for it", "a PEM file", ca),
        setting("certificate", "what the node shows it", "a PEM file", own),
        setting("key", "its private key, not encrypted", "a PEM file", key),
        setting(
            "name",
            "whose certificate it has to show",
            "a host or address",
            name,
        ),
        setting(
            "confirm",
            "whether a batch counts as taken only when the collector closes its end too",
            "`true`, `false`",
            closes,
        ),
        setting(
            "response",
            "for each step: connection, handshake, a batch, the collector's end",
            "a length of time, as `30s`",
            limit,
        ),
        setting(
            "longest_retry",
            "the longest wait between two tries; the first is 1 s, then doubled",
            "a length of time, as `5m`",
            longest,
        ),
    ]
}
