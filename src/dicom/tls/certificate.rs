//! What a person wants to know of a certificate.

use std::time::Duration;

use crate::model::Timestamp;

/// The longest name that is shown, in characters (RFC 5280: ub-common-name).
const LONGEST_NAME: usize = 64;

/// A certificate, as far as it is told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Not valid after.
    pub not_after: Timestamp,
    /// The subject's common name, where it is printable ASCII of at most 64 characters.
    pub common_name: Option<String>,
}

impl Certificate {
    /// Reads DER; `None` when it is no certificate.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let name = certificate.subject().iter_common_name().next();
        let name = name.and_then(|n| n.as_str().ok()).filter(|n| is_showable(n));
        let seconds = certificate.validity().not_after.timestamp();
        Some(Self {
            not_after: Timestamp(seconds.saturating_mul(1000)),
            common_name: name.map(str::to_owned),
        })
    }

    /// How long it is still valid; zero when it has expired.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.not_after.since(Timestamp::now())
    }
}

/// A name comes from a peer: nothing that could be mistaken for something else in a log.
fn is_showable(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(|b| matches!(b, b' '..=b'~'))
}
