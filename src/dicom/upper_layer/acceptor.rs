//! A connection becomes an association, or is refused (PS3.8 §9.2, Sta2 and Sta3).

use std::time::Instant;

use dicom_ul::pdu::{
    AssociationAC, Pdu, PresentationContextResult, PresentationContextResultReason, UserVariableItem,
};

use super::associate_rq::AssociateRq;
use super::association::{Association, Context};
use super::connection::{Connection, Timeouts};
use super::error::Error;
use super::pdu::{ContextResult, Rejection, abort, pdu_type};
use super::{APPLICATION_CONTEXT, MAXIMUM_PDU_OFFERED};
use crate::dicom::identity;

/// The longest A-ASSOCIATE-RQ that is read, in bytes: 128 contexts with 60 transfer syntaxes each fit well.
const LONGEST_ASSOCIATE_RQ: u32 = 1024 * 1024 / 8;

/// What negotiation made of one proposed presentation context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Its id.
    pub id: u8,
    /// Its abstract syntax.
    pub abstract_syntax: String,
    /// What became of it.
    pub result: ContextResult,
    /// The transfer syntax chosen, of meaning when accepted.
    pub transfer_syntax: String,
}

/// Reads the request, lets `decide` judge it, answers.
///
/// # Errors
/// [`Error::Refused`] when it was rejected; [`Error::Protocol`] and the rest when it came to no answer. Whatever the
/// peer is owed has been sent.
pub fn accept(
    mut connection: Connection,
    timeouts: Timeouts,
    decide: impl FnOnce(&AssociateRq) -> Result<Vec<Acceptance>, Rejection>,
) -> Result<Association, Error> {
    let request = match read_request(&mut connection, timeouts) {
        Ok(request) => request,
        Err(error) => {
            // AA-1: in Sta2 any PDU but a request is answered by A-ABORT, and the peer has ARTIM to close.
            if let Error::Protocol { .. } = error {
                connection.send(&abort(None))?;
                connection.await_close(timeouts.artim);
            }
            return Err(error);
        }
    };
    match check(&request).and_then(|()| decide(&request)) {
        Ok(contexts) => {
            connection.send(&encode_ac(&request, &contexts)?)?;
            let accepted = contexts
                .into_iter()
                .filter(|c| c.result == ContextResult::Accepted)
                .map(|c| Context {
                    id: c.id,
                    abstract_syntax: c.abstract_syntax,
                    transfer_syntax: c.transfer_syntax,
                });
            Ok(Association::new(
                connection,
                timeouts,
                accepted.collect(),
                request.maximum_length,
            ))
        }
        Err(rejection) => {
            connection.send(&rejection.encode())?;
            connection.await_close(timeouts.artim);
            Err(Error::Refused(rejection))
        }
    }
}

fn read_request(connection: &mut Connection, timeouts: Timeouts) -> Result<AssociateRq, Error> {
    let (since, limit, expected) = (Instant::now(), timeouts.artim, "send a whole A-ASSOCIATE-RQ");
    let header = connection.pdu_header(since, limit, expected)?;
    match header.pdu_type {
        pdu_type::ASSOCIATE_RQ => {
            let body = connection.whole_pdu(header, LONGEST_ASSOCIATE_RQ, since, limit, expected)?;
            let request = AssociateRq::parse(body);
            connection.consume(6 + header.length as usize);
            request
        }
        pdu_type::ABORT => Err(Error::Closed),
        other => {
            let detail = format!("the first PDU is of type {other:02X}, no A-ASSOCIATE-RQ");
            Err(Error::protocol(super::pdu::AbortReason::UnexpectedPdu, detail))
        }
    }
}

const fn bit_0(version: u16) -> bool {
    version & 1 == 1
}

fn check(request: &AssociateRq) -> Result<(), Rejection> {
    if !bit_0(request.protocol_version) {
        return Err(Rejection::PROTOCOL_VERSION);
    }
    if request.application_context != APPLICATION_CONTEXT {
        return Err(Rejection::APPLICATION_CONTEXT);
    }
    Ok(())
}

fn encode_ac(request: &AssociateRq, contexts: &[Acceptance]) -> Result<Vec<u8>, Error> {
    let result = |c: &Acceptance| PresentationContextResult {
        id: c.id,
        reason: match c.result {
            ContextResult::Accepted => PresentationContextResultReason::Acceptance,
            ContextResult::AbstractSyntaxNotSupported => {
                PresentationContextResultReason::AbstractSyntaxNotSupported
            }
            ContextResult::TransferSyntaxesNotSupported => {
                PresentationContextResultReason::TransferSyntaxesNotSupported
            }
        },
        transfer_syntax: c.transfer_syntax.clone(),
    };
    let pdu = Pdu::AssociationAC(AssociationAC {
        protocol_version: 1,
        // Sent back as they came (PS3.8 §9.3.3): the peer does not look at them.
        calling_ae_title: request.calling.trim_end().to_owned(),
        called_ae_title: request.called.trim_end().to_owned(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: contexts.iter().map(result).collect(),
        user_variables: user_variables(),
    });
    encode(&pdu)
}

/// What we say of ourselves, in request and acceptance.
pub(super) fn user_variables() -> Vec<UserVariableItem> {
    vec![
        UserVariableItem::MaxLength(MAXIMUM_PDU_OFFERED),
        UserVariableItem::ImplementationClassUID(identity::IMPLEMENTATION_CLASS_UID.to_owned()),
        UserVariableItem::ImplementationVersionName(identity::IMPLEMENTATION_VERSION_NAME.to_owned()),
    ]
}

pub(super) fn encode(pdu: &Pdu) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    dicom_ul::pdu::write_pdu(&mut bytes, pdu).map_err(|error| Error::Encode(error.to_string()))?;
    Ok(bytes)
}
