//! C-ECHO as SCU (PS3.4 Annex A): whether a peer answers to its name.

use std::time::{Duration, Instant};

use super::session::Session;
use super::{Pace, ScuError, ScuTimeouts};
use crate::dicom::status::Status;
use crate::model::{RemoteAe, Uid};

/// Verification SOP class, and the transfer syntax that every peer has.
const VERIFICATION: (&str, &str) = ("1.2.840.10008.1.1", "1.2.840.10008.1.2");

/// What a peer said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echoed {
    /// The status of the C-ECHO; `None`: it takes no Verification, but the association.
    pub status: Option<Status>,
    /// How long connection, TLS and association took.
    pub opened: Duration,
    /// How long the C-ECHO took.
    pub answered: Duration,
}

/// Opens an association as a delivery does, asks by C-ECHO, releases.
///
/// # Errors
/// [`ScuError`].
pub fn echo(remote: &RemoteAe, timeouts: ScuTimeouts) -> Result<Echoed, ScuError> {
    let begun = Instant::now();
    let [Some(class), Some(syntax)] =
        [VERIFICATION.0, VERIFICATION.1].map(|uid| Uid::parse(uid.as_bytes()).ok())
    else {
        return Err(super::session::failed(
            remote,
            crate::dicom::upper_layer::Error::Local("the UID of Verification".to_owned()),
        ));
    };
    let mut session = Session::open(remote, &[(&class, &syntax)], timeouts, None::<&Pace>)?;
    let opened = begun.elapsed();
    let asked = Instant::now();
    match session.echo(&class) {
        Ok(status) => {
            let answered = asked.elapsed();
            session.release();
            Ok(Echoed {
                status,
                opened,
                answered,
            })
        }
        Err(error) => {
            session.abort(&error);
            Err(error)
        }
    }
}
