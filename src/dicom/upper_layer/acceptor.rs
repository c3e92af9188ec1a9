//! A connection becomes an association, or is refused (PS3.8 §9.2, Sta2 and Sta3).

use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AssociationAC, Pdu, PresentationContextResult, PresentationContextResultReason, UserVariableItem,
};

use super::associate_rq::AssociateRq;
use super::association::{Association, Context};
use super::connection::{Connection, PDU_HEADER};
use super::deadline::Deadline;
use super::error::Error;
use super::pdu::{AbortReason, ContextResult, Rejection};
use super::state::{Action, Evt, Machine, Side};
use super::{APPLICATION_CONTEXT, Limits};

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

/// Reads the request, lets `decide` judge it, answers. `artim` is running since the connection was taken.
///
/// # Errors
/// [`Error::Refused`] when it was rejected; [`Error::Protocol`] and the rest when it came to no answer. Whatever the
/// peer is owed has been sent.
pub fn accept(
    mut connection: Connection,
    limits: Limits,
    artim: &Deadline,
    decide: impl FnOnce(&AssociateRq) -> Result<Vec<Acceptance>, Rejection>,
) -> Result<Association, Error> {
    // AE-5: ARTIM runs.
    let mut machine = Machine::connected(Side::Acceptor);
    let request = match read_request(&mut connection, &mut machine, limits, artim) {
        Ok(request) => request,
        Err(error) => {
            Association::new(connection, limits, machine, Vec::new(), 0)
                .abort(&error)
                .wait();
            return Err(error);
        }
    };
    let decided = check(&request).and_then(|()| decide(&request));
    let contexts = match decided {
        Ok(contexts) => without_unmet_roles(&request, contexts),
        Err(rejection) => {
            let refused = Association::new(connection, limits, machine, Vec::new(), 0);
            refused.reject(rejection)?.wait();
            return Err(Error::Refused(rejection));
        }
    };
    let bytes = encode_ac(&request, &contexts, limits)?;
    let accepted = contexts
        .into_iter()
        .filter(|c| c.result == ContextResult::Accepted)
        .map(|c| Context {
            id: c.id,
            abstract_syntax: c.abstract_syntax,
            transfer_syntax: c.transfer_syntax,
        })
        .collect();
    // AE-7.
    machine.on(Evt::Evt7);
    connection.send(&bytes)?;
    let peer_maximum = request.user.maximum_length;
    Ok(Association::new(
        connection,
        limits,
        machine,
        accepted,
        peer_maximum,
    ))
}

fn read_request(
    connection: &mut Connection,
    machine: &mut Machine,
    limits: Limits,
    artim: &Deadline,
) -> Result<AssociateRq, Error> {
    let header = connection.pdu_header(artim)?;
    match machine.would(Evt::of_pdu(header.pdu_type)) {
        Some(Action::Ae6) => {
            let body = connection.whole_pdu(header, limits.associate_request, artim)?;
            let request = AssociateRq::parse(body)?;
            connection.consume(PDU_HEADER + header.length as usize);
            machine.on(Evt::Evt6);
            Ok(request)
        }
        // AA-2: an abort of nothing.
        Some(Action::Aa2) => Err(Error::Closed),
        _ => {
            let detail = format!(
                "the first PDU is of type {:02X}, no A-ASSOCIATE-RQ",
                header.pdu_type
            );
            Err(Error::protocol(AbortReason::UnexpectedPdu, detail))
        }
    }
}

/// A SOP class for which the requestor would only offer the service, never use it, is of no use to us, who only offer.
fn without_unmet_roles(request: &AssociateRq, mut contexts: Vec<Acceptance>) -> Vec<Acceptance> {
    for context in &mut contexts {
        if context.result == ContextResult::Accepted
            && request.user.wants_us_as_scu_only(&context.abstract_syntax)
        {
            context.result = ContextResult::UserRejection;
        }
    }
    contexts
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

fn encode_ac(request: &AssociateRq, contexts: &[Acceptance], limits: Limits) -> Result<Vec<u8>, Error> {
    let result = |c: &Acceptance| PresentationContextResult {
        id: c.id,
        reason: match c.result {
            ContextResult::Accepted => PresentationContextResultReason::Acceptance,
            ContextResult::UserRejection => PresentationContextResultReason::UserRejection,
            ContextResult::AbstractSyntaxNotSupported => {
                PresentationContextResultReason::AbstractSyntaxNotSupported
            }
            ContextResult::TransferSyntaxesNotSupported => {
                PresentationContextResultReason::TransferSyntaxesNotSupported
            }
        },
        transfer_syntax: c.transfer_syntax.clone(),
    };
    let accepted = |class: &str| {
        contexts
            .iter()
            .any(|c| c.abstract_syntax == class && c.result == ContextResult::Accepted)
            // The classes here that are not Storage, and have nothing to negotiate.
            && ![uids::VERIFICATION, uids::STORAGE_COMMITMENT_PUSH_MODEL].contains(&class)
    };
    let user_variables: Vec<UserVariableItem> =
        request
            .user
            .answer(limits.maximum_pdu, limits.asynchronous_operations, accepted);
    let pdu = Pdu::AssociationAC(AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling.trim_end().to_owned(),
        called_ae_title: request.called.trim_end().to_owned(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: contexts.iter().map(result).collect(),
        user_variables,
    });
    let mut bytes = encode(&pdu)?;
    // Sent back as they came, whatever they are (PS3.8 §9.3.3): the peer does not look at them.
    if let Some(titles) = bytes.get_mut(10..74) {
        titles.copy_from_slice(&request.titles);
    }
    Ok(bytes)
}

pub(super) fn encode(pdu: &Pdu) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    dicom_ul::pdu::write_pdu(&mut bytes, pdu).map_err(|error| Error::Encode(error.to_string()))?;
    Ok(bytes)
}
