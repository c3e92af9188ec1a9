//! Command sets as they come over an association (PS3.7 §6.3), and responses held against what was asked (PS3.7 §9, §10).

use super::command::{Command, LONGEST_COMMAND};
use super::upper_layer::{AbortReason, Association, Error, Event};
use crate::model::Uid;

/// The response that is due to a request. Whatever is not it says nothing about what was asked.
#[derive(Clone, Copy, Debug)]
pub(in crate::dicom) struct Due {
    /// The presentation context of the request.
    pub context: u8,
    /// The command field of its response.
    pub field: u16,
    /// Its Message ID.
    pub message_id: u16,
}

/// Collects the next command set, with the presentation context it came in; `None` when the peer asks for release.
///
/// # Errors
/// The association is over.
pub fn next_command(association: &mut Association) -> Result<Option<(u8, Command)>, Error> {
    let mut bytes = Vec::new();
    let mut context = None;
    association.message_over();
    loop {
        let fragment = match association.next_event()? {
            Event::ReleaseRequested if context.is_none() => return Ok(None),
            Event::ReleaseRequested => {
                return Err(not_understood("a release request within a message"));
            }
            Event::Fragment(fragment) => fragment,
        };
        if !fragment.command {
            return Err(not_understood("a data set that no command announced"));
        }
        if context.is_some_and(|c| c != fragment.context) {
            return Err(not_understood("a command set over two presentation contexts"));
        }
        if bytes.len() + fragment.data.len() > LONGEST_COMMAND {
            return Err(not_understood(format!(
                "a command set of more than {LONGEST_COMMAND} bytes"
            )));
        }
        context = Some(fragment.context);
        bytes.extend_from_slice(fragment.data);
        if fragment.ends {
            let command = Command::parse(&bytes).map_err(|error| not_understood(error.to_string()))?;
            return Ok(Some((context.unwrap_or_default(), command)));
        }
    }
}

/// Waits for the response to a request.
///
/// # Errors
/// The association is over; so it is when something else comes.
pub(in crate::dicom) fn response(association: &mut Association, due: Due) -> Result<Command, Error> {
    let Some((context, response)) = next_command(association)? else {
        // Not a wrong answer but none: a peer that is being stopped may ask for it.
        return Err(Error::Protocol {
            reason: AbortReason::UnexpectedPdu,
            detail: "a release request where a response was due".to_owned(),
        });
    };
    let (field, id) = (response.command_field, response.message_id);
    if (field, id) != (due.field, due.message_id) {
        let due = due.message_id;
        return Err(not_understood(format!(
            "{field:04X} to message {id} where the answer to {due} was due"
        )));
    }
    if context != due.context {
        let due = due.context;
        return Err(not_understood(format!(
            "a response in presentation context {context} to a request in {due}"
        )));
    }
    if response.has_data_set {
        return Err(not_understood("a response with a data set, where none has one"));
    }
    Ok(response)
}

/// Whether a response is about that object: it need not say (PS3.7 §9.3.1.2), but if it does it has to be that one.
pub(in crate::dicom) fn may_be_about(response: &Command, uid: &Uid) -> bool {
    let said = response.sop_instance_uid.as_deref().unwrap_or_default();
    let is_empty = said.iter().all(|b| matches!(b, 0 | b' '));
    is_empty || Uid::parse(said).is_ok_and(|said| said == *uid)
}

/// The peer's fault: it gets an A-ABORT.
pub(in crate::dicom) fn not_understood(detail: impl Into<String>) -> Error {
    Error::Protocol {
        reason: AbortReason::NotSpecified,
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::command::{c_store_rq, response};
    use crate::dicom::status::Status;

    #[test]
    fn a_response_may_leave_out_its_object_but_not_name_another() {
        let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
        let request = Command::parse(&c_store_rq(1, &uid("1.2"), &uid("1.2.3"))).unwrap();
        let answer = Command::parse(&response(&request, Status::SUCCESS, None)).unwrap();
        for (said, may) in [
            (None, true),
            (Some(&b""[..]), true),
            (Some(b"\0\0"), true),
            (Some(b"1.2.3"), true),
            (Some(b"1.2.3\0"), true),
            (Some(b"1.2.3 "), true),
            (Some(b"1.2.30"), false),
            (Some(b"1.2"), false),
            (Some(b"none"), false),
        ] {
            let answer = Command {
                sop_instance_uid: said.map(<[u8]>::to_vec),
                ..answer.clone()
            };
            assert_eq!(may_be_about(&answer, &uid("1.2.3")), may, "{said:?}");
        }
    }
}
