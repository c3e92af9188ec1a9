//! The event of an association that did not end well: one row for the store.

use std::net::IpAddr;

use crate::dicom::upper_layer::{AssociateRq, Error, Rejection};
use crate::model::{AssociationEnd, AssociationOutcome, Timestamp};
use crate::telemetry::field;

use super::session::Account;

/// A rejection and what it does not say by its numbers.
#[derive(Debug)]
pub(super) struct No {
    /// The answer.
    pub rejection: Rejection,
    why: String,
}

impl No {
    pub(super) fn because(rejection: Rejection, why: impl ToString) -> Self {
        Self {
            rejection,
            why: why.to_string(),
        }
    }
}

/// What is known of an association, from its first byte on.
#[derive(Debug)]
pub(super) struct Event {
    number: u64,
    address: IpAddr,
    tls: bool,
    titles: Option<(String, String)>,
    rejected: Option<No>,
}

impl Event {
    pub(super) const fn new(number: u64, address: IpAddr, tls: bool) -> Self {
        Self {
            number,
            address,
            tls,
            titles: None,
            rejected: None,
        }
    }

    /// The peer gave its AE titles; whether they are any is judged elsewhere.
    pub(super) fn requested(&mut self, request: &AssociateRq) {
        self.titles = Some((plain(&request.calling), plain(&request.called)));
    }

    /// Names caller and called in every line of the log from now on.
    pub(super) fn record_titles(&self, span: &tracing::Span) {
        if let Some((calling, called)) = &self.titles {
            span.record(field::CALLING, calling).record(field::CALLED, called);
        }
    }

    /// It is refused; answers how.
    pub(super) fn reject(&mut self, no: No) -> Rejection {
        self.rejected.insert(no).rejection
    }

    /// The meaning of a rejection's numbers, and the reason behind it; `None` where nobody rejected anything. A peer that
    /// does not wait for its answer was rejected all the same.
    pub(super) fn reason_of_rejection(&self, error: &Error) -> Option<String> {
        match (&self.rejected, error) {
            (Some(No { rejection, why }), _) => Some(format!("{rejection}: {why}")),
            (None, Error::Refused(rejection)) => Some(rejection.to_string()),
            (None, _) => None,
        }
    }

    /// No association came about.
    pub(super) fn refused(self, error: &Error) -> Option<AssociationEnd> {
        let stranger = self.is_a_stranger(error);
        if let Some(reason) = self.reason_of_rejection(error) {
            let row = self.row(AssociationOutcome::Rejected, reason, Account::default());
            return Some(AssociationEnd { stranger, ..row });
        }
        match error {
            // A port that is looked at and left is no event: load balancers do it every second.
            Error::Closed | Error::Stopping => None,
            error => {
                let outcome = if self.is_of_tls(error) {
                    AssociationOutcome::TlsFailed
                } else {
                    outcome(error)
                };
                Some(AssociationEnd {
                    stranger,
                    ..self.row(outcome, error.to_string(), Account::default())
                })
            }
        }
    }

    /// Whether TLS did not come about: either side does not trust the other, or what came is no TLS.
    fn is_of_tls(&self, error: &Error) -> bool {
        matches!(error, Error::Io(error) if self.tls && error.kind() == std::io::ErrorKind::InvalidData)
    }

    /// Whether the peer was turned away for who it is: its titles, its address, or what it showed over TLS.
    fn is_a_stranger(&self, error: &Error) -> bool {
        let strange = [Rejection::CALLING_AE_TITLE, Rejection::CALLED_AE_TITLE];
        match (&self.rejected, error) {
            (Some(no), _) => strange.contains(&no.rejection),
            (None, Error::Refused(rejection)) => strange.contains(rejection),
            (None, error) => self.is_of_tls(error),
        }
    }

    /// The association was open and is over: by release, or by an error.
    pub(super) fn ended(self, error: Option<&Error>, account: Account) -> Option<AssociationEnd> {
        match error {
            Some(error) => Some(self.row(outcome(error), error.to_string(), account)),
            None if account.refused > 0 => {
                let all = account.refused + account.stored;
                let reason = format!("{} of {all} objects were refused", account.refused);
                Some(self.row(AssociationOutcome::ObjectsRefused, reason, account))
            }
            None => None,
        }
    }

    fn row(self, outcome: AssociationOutcome, reason: String, account: Account) -> AssociationEnd {
        let given = |title: String| Some(title).filter(|t| !t.is_empty());
        let (calling, called) = self.titles.unzip();
        let broken = account.stored + account.refused > 0 && outcome != AssociationOutcome::ObjectsRefused;
        AssociationEnd {
            at: Timestamp::now(),
            association: self.number,
            address: self.address,
            calling: calling.and_then(given),
            called: called.and_then(given),
            tls: self.tls,
            stranger: false,
            outcome,
            reason,
            stored: account.stored,
            refused: account.refused,
            last_refusal: account.last_refusal.map(|(status, reason)| (status.0, reason)),
            bytes: account.bytes,
            failed: account.failures.told(broken),
        }
    }
}

/// A title that may be none, for people: without padding, at most 16 characters, all of them printable ASCII.
fn plain(title: &str) -> String {
    let shown = |c| if matches!(c, ' '..='~') { c } else { '?' };
    let title = title.trim_matches([' ', '\0']);
    title.chars().take(16).map(shown).collect()
}

/// The total mapping from errors to outcomes.
const fn outcome(error: &Error) -> AssociationOutcome {
    match error {
        Error::Protocol { .. } => AssociationOutcome::ProtocolError,
        Error::Closed => AssociationOutcome::Closed,
        Error::Aborted { .. } => AssociationOutcome::Aborted,
        Error::TimedOut { .. } => AssociationOutcome::TimedOut,
        Error::Refused(_) => AssociationOutcome::Rejected,
        Error::Stopping => AssociationOutcome::Stopped,
        Error::Io(_) => AssociationOutcome::NetworkError,
        // The former is an answer to a requestor.
        Error::Rejected(_) | Error::Local(_) | Error::Encode(_) => AssociationOutcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dicom::status::Status;
    use crate::dicom::upper_layer::AbortReason;

    fn event() -> Event {
        Event::new(7, IpAddr::from([192, 0, 2, 1]), true)
    }

    #[test]
    fn every_end_has_its_outcome() {
        use AssociationOutcome as O;
        let io = || Error::Io(std::io::Error::other("x"));
        let protocol = || Error::Protocol {
            reason: AbortReason::NotSpecified,
            detail: "x".into(),
        };
        let timed_out = || Error::TimedOut {
            expected: "send anything",
            limit: Duration::from_secs(1),
        };
        let aborted = || Error::Aborted {
            source_of_abort: 0,
            reason: 0,
        };
        for (error, before, after) in [
            (protocol(), Some(O::ProtocolError), O::ProtocolError),
            (Error::Closed, None, O::Closed),
            (aborted(), Some(O::Aborted), O::Aborted),
            (timed_out(), Some(O::TimedOut), O::TimedOut),
            (
                Error::Refused(Rejection::CONGESTION),
                Some(O::Rejected),
                O::Rejected,
            ),
            (Error::Stopping, None, O::Stopped),
            (io(), Some(O::NetworkError), O::NetworkError),
            (Error::Encode("x".into()), Some(O::Failed), O::Failed),
            (Error::Local("x".into()), Some(O::Failed), O::Failed),
        ] {
            assert_eq!(event().refused(&error).map(|e| e.outcome), before, "{error}");
            let ended = event().ended(Some(&error), Account::default());
            assert_eq!(ended.map(|e| e.outcome), Some(after), "{error}");
        }
    }

    #[test]
    fn a_release_is_an_event_only_when_objects_were_refused() {
        let account = |refused| Account {
            stored: 3,
            refused,
            bytes: 30,
            last_refusal: (refused > 0).then(|| (Status::CANNOT_UNDERSTAND, "odd".to_owned())),
            ..Account::default()
        };
        assert_eq!(event().ended(None, account(0)), None);
        let row = event().ended(None, account(1)).unwrap();
        assert_eq!(row.outcome, AssociationOutcome::ObjectsRefused);
        assert_eq!(row.reason, "1 of 4 objects were refused");
        assert_eq!(row.last_refusal, Some((0xC000, "odd".to_owned())));
        assert_eq!(
            (row.association, row.tls, row.stored, row.bytes),
            (7, true, 3, 30)
        );
    }

    #[test]
    fn a_stranger_is_who_was_turned_away_for_who_it_is() {
        let refused = |rejection| {
            let mut event = event();
            event.reject(No::because(rejection, "x"));
            event.refused(&Error::Refused(rejection)).unwrap().stranger
        };
        assert!(refused(Rejection::CALLING_AE_TITLE) && refused(Rejection::CALLED_AE_TITLE));
        assert!(!refused(Rejection::CONGESTION) && !refused(Rejection::LOCAL_LIMIT));
        let failed = |kind| Error::Io(std::io::Error::new(kind, "x"));
        let untrusted = std::io::ErrorKind::InvalidData;
        let of_tls = event().refused(&failed(untrusted)).unwrap();
        assert!(of_tls.stranger);
        assert_eq!(of_tls.outcome, AssociationOutcome::TlsFailed);
        let reset = failed(std::io::ErrorKind::ConnectionReset);
        assert!(!event().refused(&reset).unwrap().stranger);
        let plain = Event::new(7, IpAddr::from([192, 0, 2, 1]), false);
        assert!(!plain.refused(&failed(untrusted)).unwrap().stranger);
    }

    #[test]
    fn what_a_peer_gives_as_its_title_is_plain_text() {
        assert_eq!(plain("\0 MR\n1\u{1b}[2J \0"), "MR?1?[2J");
        assert_eq!(plain("ä".repeat(99).as_str()), "?".repeat(16));
    }

    #[test]
    fn a_rejection_tells_what_its_numbers_do_not() {
        let mut event = event();
        let rejection = event.reject(No::because(Rejection::CALLING_AE_TITLE, "nobody knows MR1"));
        assert_eq!(rejection, Rejection::CALLING_AE_TITLE);
        // It did not even wait for the answer.
        let row = event.refused(&Error::Closed).unwrap();
        assert_eq!(row.outcome, AssociationOutcome::Rejected);
        assert_eq!(
            row.reason,
            "calling AE title not recognized (1/1/3): nobody knows MR1"
        );
        assert_eq!((row.calling, row.called), (None, None));
    }
}
