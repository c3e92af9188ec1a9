//! An association is asked for (PS3.8 §9.2, Sta4 and Sta5).

use dicom_ul::pdu::{AssociationRQ, Pdu, PresentationContextProposed};

use super::acceptor::encode;
use super::associate_rq::{invalid, items, uid_text};
use super::association::{Association, Context, unexpected};
use super::connection::{Connection, PDU_HEADER};
use super::deadline::Deadline;
use super::error::Error;
use super::pdu::Rejection;
use super::state::{Action, Evt, Machine, Side};
use super::user_information::{Role, UserInformation, ourselves, role_item};
use super::{APPLICATION_CONTEXT, Limits, ProposedContext};
use crate::model::AeTitle;

/// What we ask a peer for.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Our title.
    pub calling: AeTitle,
    /// The peer's title.
    pub called: AeTitle,
    /// At most 128 presentation contexts.
    pub contexts: Vec<ProposedContext>,
    /// Roles other than ours by default, which is to use what the peer offers (PS3.7 §D.3.3.4). What the peer answers is
    /// not looked at: some take the role and do not say so.
    pub roles: Vec<Role>,
}

/// Asks for an association on an open connection.
///
/// # Errors
/// [`Error::Rejected`] with the peer's reason; the rest when it came to no answer.
pub fn request(
    mut connection: Connection,
    limits: Limits,
    proposal: &Proposal,
) -> Result<Association, Error> {
    let mut user_variables = ourselves(limits.maximum_pdu);
    user_variables.extend(proposal.roles.iter().map(role_item));
    let pdu = Pdu::AssociationRQ(AssociationRQ {
        protocol_version: 1,
        calling_ae_title: proposal.calling.to_string(),
        called_ae_title: proposal.called.to_string(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: proposal
            .contexts
            .iter()
            .map(|c| PresentationContextProposed {
                id: c.id,
                abstract_syntax: c.abstract_syntax.clone(),
                transfer_syntaxes: c.transfer_syntaxes.clone(),
            })
            .collect(),
        user_variables,
    });
    connection.send(&encode(&pdu)?)?;
    let mut association = Association::new(
        connection,
        limits,
        Machine::connected(Side::Requestor),
        Vec::new(),
        0,
    );
    match read_answer(&mut association, proposal) {
        Ok((contexts, maximum)) => Ok(association.opened(contexts, maximum)),
        Err(error) => {
            association.abort(&error).wait();
            Err(error)
        }
    }
}

fn read_answer(association: &mut Association, proposal: &Proposal) -> Result<(Vec<Context>, u32), Error> {
    let deadline = Deadline::after(association.limits.artim, "answer an association request");
    let header = association.connection.pdu_header(&deadline)?;
    let event = Evt::of_pdu(header.pdu_type);
    let longest = association.limits.associate_request;
    let answer = match association.machine.would(event) {
        Some(Action::Ae3) => {
            let body = association.connection.whole_pdu(header, longest, &deadline)?;
            accepted(body, proposal)?
        }
        Some(Action::Ae4) => {
            let body = association.connection.whole_pdu(header, 4, &deadline)?;
            let at = |i: usize| body.get(i).copied().unwrap_or(0);
            let rejection = Rejection {
                result: at(1),
                source: at(2),
                reason: at(3),
            };
            association.machine.on(event);
            return Err(Error::Rejected(rejection));
        }
        Some(Action::Aa3) => return Err(association.aborted(header, &deadline)?),
        _ => {
            return Err(unexpected(
                header.pdu_type,
                "where an answer to A-ASSOCIATE-RQ was due",
            ));
        }
    };
    association.machine.on(event);
    association
        .connection
        .consume(PDU_HEADER + header.length as usize);
    Ok(answer)
}

/// Reads an A-ASSOCIATE-AC (PS3.8 §9.3.3) the tolerant way: unknown items are skipped, and what a refused context says of
/// transfer syntaxes is not significant. dicom-ul 0.10 is stricter than the standard here.
fn accepted(body: &[u8], proposal: &Proposal) -> Result<(Vec<Context>, u32), Error> {
    let variable = body
        .get(68..)
        .ok_or_else(|| invalid("an A-ASSOCIATE-AC shorter than its fixed fields"))?;
    let (mut contexts, mut maximum) = (Vec::new(), 0);
    for item in items(variable) {
        match item? {
            (0x21, value) => contexts.extend(accepted_context(value, proposal)?),
            (0x50, value) => maximum = UserInformation::parse(value)?.maximum_length,
            _ => {}
        }
    }
    Ok((contexts, maximum))
}

/// A context that was proposed and accepted; `None` for one that was not.
fn accepted_context(value: &[u8], proposal: &Proposal) -> Result<Option<Context>, Error> {
    let head: [u8; 4] = value
        .first_chunk()
        .copied()
        .ok_or_else(|| invalid("a presentation context item without its id"))?;
    let [id, _, result, _] = head;
    let Some(proposed) = proposal
        .contexts
        .iter()
        .find(|p| p.id == id)
        .filter(|_| result == 0)
    else {
        return Ok(None);
    };
    for item in items(value.get(4..).unwrap_or_default()) {
        if let (0x40, value) = item? {
            let abstract_syntax = proposed.abstract_syntax.clone();
            return Ok(Some(Context {
                id,
                abstract_syntax,
                transfer_syntax: uid_text(value),
            }));
        }
    }
    Err(invalid(format!(
        "presentation context {id} is accepted without a transfer syntax"
    )))
}
