//! An association is asked for (PS3.8 §9.2, Sta4 and Sta5).

use std::time::Instant;

use dicom_ul::pdu::{AssociationRQ, Pdu, PresentationContextProposed};

use super::acceptor::{encode, user_variables};
use super::associate_rq::{invalid, items, maximum_length, uid_text};
use super::association::{Association, Context};
use super::connection::{Connection, Timeouts};
use super::error::Error;
use super::pdu::{AbortReason, Rejection, abort, pdu_type};
use super::{APPLICATION_CONTEXT, ProposedContext};
use crate::model::AeTitle;

/// The longest A-ASSOCIATE-AC that is read, in bytes.
const LONGEST_ASSOCIATE_AC: u32 = 128 * 1024;

/// What we ask a peer for.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Our title.
    pub calling: AeTitle,
    /// The peer's title.
    pub called: AeTitle,
    /// At most 128 presentation contexts.
    pub contexts: Vec<ProposedContext>,
}

/// Asks for an association on an open connection.
///
/// # Errors
/// [`Error::Rejected`] with the peer's reason; the rest when it came to no answer.
pub fn request(
    mut connection: Connection,
    timeouts: Timeouts,
    proposal: &Proposal,
) -> Result<Association, Error> {
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
        user_variables: user_variables(),
    });
    connection.send(&encode(&pdu)?)?;
    let answer = read_answer(&mut connection, timeouts, proposal);
    match answer {
        Ok((contexts, maximum)) => Ok(Association::new(connection, timeouts, contexts, maximum)),
        Err(error) => {
            if let Error::Protocol { reason, .. } = &error {
                connection.send(&abort(Some(*reason)))?;
            }
            Err(error)
        }
    }
}

fn read_answer(
    connection: &mut Connection,
    timeouts: Timeouts,
    proposal: &Proposal,
) -> Result<(Vec<Context>, u32), Error> {
    let (since, limit, expected) = (Instant::now(), timeouts.artim, "answer an association request");
    let header = connection.pdu_header(since, limit, expected)?;
    let whole = 6 + header.length as usize;
    let body = connection.whole_pdu(header, LONGEST_ASSOCIATE_AC, since, limit, expected)?;
    let at = |i: usize| body.get(i).copied().unwrap_or(0);
    let answer = match header.pdu_type {
        pdu_type::ASSOCIATE_AC => accepted(body, proposal),
        pdu_type::ASSOCIATE_RJ => Err(Error::Rejected(Rejection {
            result: at(1),
            source: at(2),
            reason: at(3),
        })),
        pdu_type::ABORT => Err(Error::Aborted {
            source_of_abort: at(2),
            reason: at(3),
        }),
        other => {
            let detail = format!("a PDU of type {other:02X} where an answer to A-ASSOCIATE-RQ was due");
            Err(Error::protocol(AbortReason::UnexpectedPdu, detail))
        }
    };
    connection.consume(whole);
    answer
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
            (0x50, value) => maximum = maximum_length(value)?,
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
