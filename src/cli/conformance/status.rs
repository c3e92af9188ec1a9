//! Section 7.3.

use super::configuration::code;
use super::markdown::Document;
use super::site::{Site, duration};
use crate::dicom::status::{Status, StatusClass};
use crate::dicom::upper_layer::{AbortReason, Rejection};
use crate::model::{InstanceState, STORE_STATUSES};

pub(super) fn write(d: &mut Document, site: &Site) {
    d.heading("7.3", "Status Codes");
    d.heading("7.3.1", "General Communication and Failure Behavior");
    rejections(d);
    aborts(d, site);
    d.text(
        "A connection whose A-ASSOCIATE-RQ is not whole when ARTIM expires is closed. Objects that were answered with \
         Success stay stored, however the association ends; of one that was not, nothing \
         is kept.",
    );
    d.heading("7.3.2", "DIMSE Services");
    d.heading("7.3.2.1", "Storage SCP and Verification SCP");
    d.table(
        "Status Codes returned by the Receiving AE",
        ["Status", "Meaning", "When"],
        status_rows(),
    );
    d.heading("7.3.2.2", "Storage SCU");
    d.text(
        "Every status a remote AE can answer has its behavior; the first row that has it counts. The comment of the peer, (0000,0902), is kept with the \
         object.",
    );
    d.table(
        "Status Codes received by the Sending AE",
        ["Status", "Meaning", "Taken as", "State of the object", "Behavior"],
        received(),
    );
    d.text(
        "No answer within the time for one, a closed connection or an A-ABORT: the delivery is tried again, and sends \
         what has no answer yet. So it is when an answer comes that is no C-STORE-RSP to the message that was sent, in its \
         presentation context, with a status and without a data set, or that names another SOP instance: the association is aborted.",
    );
    d.heading("7.3.3", "DICOM Web Services");
    d.text(
        "Of a response with 200, 202 or 409 the Failed SOP Sequence (0008,1198) and the Referenced SOP Sequence (0008,1199) \
         say what became of each object: Failure Reason (0008,1197) and Warning Reason (0008,1196) mean what the table \
         above says. An object that is not named is sent again after 200 and 202, refused after 409.",
    );
    d.table(
        "HTTP statuses received by the Sending AE",
        ["Status", "Behavior"],
        [
            [
                "400, 406, 413, 415, 422, and 409 that names no object",
                "a batch is sent again object by object; an object alone is refused",
            ],
            [
                "408, 425, 429, 500, 502, 503, 504, 507, 509; no connection, no answer in time",
                "the delivery is tried again",
            ],
            [
                "any other, 401 and 403 and redirections too",
                "the delivery ends as refused",
            ],
        ]
        .map(|row| row.map(str::to_owned)),
    );
}

/// Every status the Receiving AE answers with.
fn status_rows() -> impl Iterator<Item = [String; 3]> {
    let row =
        |(status, meaning, when): (Status, &str, &str)| [status.to_string(), meaning.into(), when.into()];
    Status::ANSWERED.into_iter().map(row)
}

fn rejections(d: &mut Document) {
    let rows = [
        (
            Rejection::APPLICATION_CONTEXT,
            "another application context than DICOM's",
        ),
        (
            Rejection::CALLING_AE_TITLE,
            "the calling AE title is no AE title, or may not call (8.2)",
        ),
        (
            Rejection::CALLED_AE_TITLE,
            "no bucket of that AE title is installed",
        ),
        (
            Rejection::PROTOCOL_VERSION,
            "bit 0 of the protocol version is not set",
        ),
        (
            Rejection::CONGESTION,
            "the node is stopping, or short of room on its disk",
        ),
        (
            Rejection::LOCAL_LIMIT,
            "as many associations as may be are open, in all or from this address",
        ),
    ];
    d.table(
        "Rejections (A-ASSOCIATE-RJ) by the Receiving AE",
        ["Result", "Source", "Reason", "Meaning", "When"],
        rows.map(|(rejection, when)| {
            let result = if rejection.is_transient() {
                "2 (transient)"
            } else {
                "1 (permanent)"
            };
            let source = match rejection.source {
                1 => "1 (service user)",
                2 => "2 (service provider, ACSE)",
                _ => "3 (service provider, presentation)",
            };
            let text = rejection.to_string();
            let meaning = text.split(" (").next().unwrap_or_default().to_owned();
            [
                result.into(),
                source.into(),
                rejection.reason.to_string(),
                meaning,
                when.into(),
            ]
        }),
    );
    d.text(
        "Of rejections that the Sending AE gets, a transient one is tried again as 5.2.5.1 says; a permanent one ends the \
         delivery as refused.",
    );
}

fn aborts(d: &mut Document, site: &Site) {
    let dicom = &site.config.dicom;
    let provider = |reason: AbortReason, when: String| {
        [
            "2 (service provider)".to_owned(),
            (reason as u8).to_string(),
            when,
        ]
    };
    d.table(
        "Aborts (A-ABORT) by the Receiving AE",
        ["Source", "Reason", "When"],
        [
            provider(AbortReason::NotSpecified, "messages that break PS3.7: a command set that cannot be read, mixed fragments".into()),
            provider(AbortReason::UnrecognizedPdu, "a PDU of an unknown type".into()),
            provider(AbortReason::UnexpectedPdu, "a PDU where PS3.8 §9.2 has none".into()),
            provider(
                AbortReason::InvalidParameter,
                "a PDU longer than offered, items that run over their end, even or repeated context IDs".into(),
            ),
            [
                "0 (service user)".to_owned(),
                "0".to_owned(),
                format!(
                    "no byte for {}, or one object took more than {}; the node stops; the first PDU is no valid request",
                    duration(dicom.idle),
                    duration(dicom.object_time)
                ),
            ],
        ],
    );
}

/// The table of C-STORE responses, and what is in none of its rows.
fn received() -> impl Iterator<Item = [String; 5]> {
    let others = ["any other", "-"].map(str::to_owned);
    let rows = STORE_STATUSES.into_iter().map(|row| {
        let status = if row.first == row.last {
            Status(row.first).to_string()
        } else {
            format!("{} to {}", Status(row.first), Status(row.last))
        };
        ([status, row.name.to_owned()], row.class)
    });
    rows.chain([(others, StatusClass::Refused)])
        .map(|([status, name], class)| {
            let (taken_as, behavior) = behavior(class);
            let state = InstanceState::after(class).name();
            [status, name, taken_as.into(), code(state), behavior.into()]
        })
}

const fn behavior(class: StatusClass) -> (&'static str, &'static str) {
    match class {
        StatusClass::Success => ("success", "the object is there"),
        StatusClass::Warning => ("warning", "the object is there; the status is kept and shown"),
        StatusClass::Duplicate => ("success", "the object was there before, which is what was wanted"),
        StatusClass::Transient => (
            "failure of the moment",
            "the object is sent again with the next try; the others go on",
        ),
        StatusClass::Refused => (
            "failure",
            "the object is not sent again unless an operator says so; the others go on, and the delivery ends as refused",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statuses of a class as operators read them: a range stands for what is in it.
    fn statuses(class: StatusClass) -> String {
        let of_class = || STORE_STATUSES.into_iter().filter(|row| row.class == class);
        let is_part = |row: &crate::model::StoreStatus| {
            of_class().any(|other| other != *row && other.first <= row.first && row.last <= other.last)
        };
        let shown: Vec<_> = of_class()
            .filter(|row| !is_part(row))
            .map(|row| match row.first == row.last {
                true => code(&Status(row.first).to_string()),
                false => format!(
                    "{} to {}",
                    code(&Status(row.first).to_string()),
                    code(&Status(row.last).to_string())
                ),
            })
            .collect();
        let shown = shown.join(", ");
        match class {
            StatusClass::Refused => format!("any other: {shown}, and those that no standard names"),
            _ => shown,
        }
    }

    #[test]
    fn operators_read_of_every_status_what_follows_from_it() {
        let text = include_str!("../../../docs/operating.md");
        use StatusClass::{Duplicate, Refused, Success, Transient, Warning};
        for class in [Success, Warning, Duplicate, Transient, Refused] {
            let (state, (_, behavior)) = (InstanceState::after(class).name(), behavior(class));
            let line = format!("| {} | `{state}` | {behavior} |\n", statuses(class));
            assert!(text.contains(&line), "docs/operating.md does not say\n{line}");
        }
    }
}
