//! The syslog message that carries an event (PS3.15 §A.6, RFC 5424), and how it is framed over TCP (RFC 5425, RFC 6587).

use super::{AuditEvent, AuditOutcome, document};

/// Who tells the events: what is the same in every message of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSource {
    /// AuditSourceID: the node among those of the site.
    pub id: String,
    /// AuditEnterpriseSiteID.
    pub site: Option<String>,
    /// This machine's name.
    pub host: String,
    /// This process.
    pub pid: u32,
}

/// security/authorization messages (RFC 5424 §6.2.1).
const FACILITY: u8 = 10;

/// normal but significant, and warning.
const NOTICE: u8 = 5;
const WARNING: u8 = 4;

/// What a collector knows these messages by (PS3.15 §A.6).
const MESSAGE_ID: &str = "DICOM+RFC3881";

/// The message of an event. The document behind the header begins with a byte order mark, which says that it is UTF-8.
#[must_use]
pub fn message(event: &AuditEvent, source: &AuditSource) -> Vec<u8> {
    let severity = match event.outcome {
        AuditOutcome::Success => NOTICE,
        _ => WARNING,
    };
    let priority = FACILITY * 8 + severity;
    let at = event.at.to_rfc3339();
    let host = header_field(&source.host, 255);
    format!(
        "<{priority}>1 {at} {host} magickbox {} {MESSAGE_ID} - \u{feff}{}",
        source.pid,
        document(event, source)
    )
    .into_bytes()
}

/// The message behind its length, so that nothing in it can end it.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = format!("{} ", message.len()).into_bytes();
    frame.extend_from_slice(message);
    frame
}

/// Printable ASCII without spaces, so long at most; `-` for nothing.
fn header_field(text: &str, longest: usize) -> String {
    let field: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(longest)
        .collect();
    if field.is_empty() { "-".to_owned() } else { field }
}
