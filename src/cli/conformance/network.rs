//! Sections 7, 7.1 and 7.2.

use super::markdown::Document;
use super::overview::numeral;
use super::site::{Site, bytes, duration};
use crate::dicom::transfer_capability::{Preference, TRANSFER_CAPABILITIES, TransferCapability};
use crate::dicom::transfer_syntax::{FAMILIES, TransferSyntax};
use crate::dicom::upper_layer::APPLICATION_CONTEXT;
use crate::dicom::{commitment, identity};

pub(super) fn write(d: &mut Document, site: &Site) {
    d.heading("7", "Network and Media Communication Details");
    d.heading("7.1", "General");
    d.text("TCP/IP, IPv4 and IPv6; remote AEs may be given by name (DNS). No other transport, no media.");
    d.heading("7.1.1", "General Association Parameters");
    let row = |name: &str, value: String| [name.to_owned(), value];
    d.table(
        "General Association Parameters",
        ["Parameter", "Value"],
        [
            row("Application Context Name", APPLICATION_CONTEXT.into()),
            row("Protocol version", "1: only bit 0 is looked at".into()),
            row(
                "Implementation Class UID",
                identity::IMPLEMENTATION_CLASS_UID.into(),
            ),
            row(
                "Implementation Version Name",
                identity::IMPLEMENTATION_VERSION_NAME.into(),
            ),
            row(
                "Maximum length received",
                bytes(site.config.dicom.maximum_pdu.into()),
            ),
            row("Maximum length sent", "the peer's, whatever it is".into()),
        ],
    );
    d.heading("7.2", "Specifications");
    receiving(d, site);
    sending(d, site);
}

fn receiving(d: &mut Document, site: &Site) {
    let dicom = &site.config.dicom;
    d.heading("7.2.1", "Receiving Application Entity");
    d.heading("7.2.1.1", "Sequencing of Real-World Activities");
    d.text("None is expected: any number of associations, objects in any order.");
    d.heading("7.2.1.2", "Association Parameters");
    let row = |name: &str, value: String| [name.to_owned(), value];
    d.table(
        "Association Parameters of the Receiving AE",
        ["Parameter", "Value"],
        [
            row("Associations open at once", dicom.associations.to_string()),
            row(
                "Of those, from one address",
                dicom.associations_per_address.to_string(),
            ),
            row("Time for the whole A-ASSOCIATE-RQ (ARTIM)", duration(dicom.artim)),
            row("Time without a byte from the peer", duration(dicom.idle)),
            row("Time for one object", duration(dicom.object_time)),
            row("Longest A-ASSOCIATE-RQ", bytes(dicom.associate_request.into())),
            row(
                "Operations outstanding",
                format!("{}, where asked for", dicom.asynchronous_operations),
            ),
        ],
    );
    extended_negotiation(d);
    d.heading("7.2.1.3", "Association Initiation");
    d.text(
        "To answer a request for storage commitment (5.2.6.2): one presentation context, of the Storage Commitment Push Model, \
         in the transfer syntaxes it is accepted in, with the SCP role proposed.",
    );
    d.heading("7.2.1.4", "Association Acceptance");
    d.text(
        "An association is accepted if the called AE title is that of an installed bucket, the caller may call (8.2), \
         and there is a place; 7.3.1 lists the rejections. Leading and trailing spaces and NULs of AE titles are not \
         significant. Each presentation context is judged on its own: an association without an accepted one is \
         accepted all the same.",
    );
    presentation_contexts(d);
}

/// What is answered in the user information item (PS3.7 §D.3.3); what was not asked is not answered.
fn extended_negotiation(d: &mut Document) {
    let row = |item: &str, answer: &str| [item, answer].map(str::to_owned);
    d.table(
        "Extended Negotiation of the Receiving AE",
        ["Item", "Answer"],
        [
            row(
                "Asynchronous Operations Window",
                "operations invoked by the requestor: as many as proposed, up to the limit; performed by it: 1. Requests \
                 are answered one by one, in their order",
            ),
            row(
                "SCP/SCU Role Selection",
                "the requestor is SCU, we are SCP; a class for which the requestor would only be SCP gets result 1 \
                 (user-rejection). For the Storage Commitment Push Model either role, as proposed",
            ),
            row(
                "SOP Class Extended Negotiation",
                "for Storage: level 2, Digital Signature level 3, no coercion",
            ),
            row(
                "SOP Class Common Extended Negotiation",
                "heard: an unknown class that is declared as Storage is taken; not answered, as PS3.7 has it",
            ),
            row(
                "User Identity",
                "accepted, whatever it is, and not kept; answered (empty) where a response is asked for",
            ),
        ],
    );
}

fn presentation_contexts(d: &mut Document) {
    let count = |preference| {
        TRANSFER_CAPABILITIES
            .iter()
            .filter(|r| r.preference == preference)
            .count()
    };
    let storage = |preference: Preference| {
        let classes = TRANSFER_CAPABILITIES
            .iter()
            .filter(|r| r.preference == preference && r.is_storage());
        format!("{} classes of 1.1 with {}", classes.count(), numeral(preference))
    };
    let verification = TRANSFER_CAPABILITIES.iter().filter(|row| !row.is_storage());
    let named = verification.map(|row: &TransferCapability| {
        let class = format!("{} {}", row.name(), row.sop_class);
        [class, numeral(row.preference).to_owned(), "SCP".to_owned()]
    });
    let groups = Preference::ALL
        .into_iter()
        .filter(|p| count(*p) > 0)
        .map(|p| [storage(p), numeral(p).to_owned(), "SCP".to_owned()]);
    let others = "Private and declared classes (1.1)".to_owned();
    let commitment = [
        format!("Storage Commitment Push Model {}", commitment::SOP_CLASS),
        "Explicit VR Little Endian, Implicit VR Little Endian".to_owned(),
        "SCP; SCU where proposed".to_owned(),
    ];
    d.table(
        "Presentation Contexts accepted by the Receiving AE",
        ["Abstract Syntax", "Transfer Syntaxes", "Role"],
        named.chain(groups).chain([
            [others, numeral(Preference::Images).to_owned(), "SCP".to_owned()],
            commitment,
        ]),
    );
    d.text(
        "Of the transfer syntaxes proposed for a context the first in our order is accepted, whatever the requestor's \
         order. Offered alone, each is accepted. A context of another class gets result 3 (abstract-syntax-not-supported), \
         one without a transfer syntax of ours result 4 (transfer-syntaxes-not-supported).",
    );
    d.table(
        "Orders of Transfer Syntaxes",
        ["Order", "For", "Families, the first preferred"],
        Preference::ALL.map(|p| {
            let families: Vec<_> = p.families().iter().map(|f| f.name).collect();
            [numeral(p).to_owned(), purpose(p).to_owned(), families.join(", ")]
        }),
    );
    for family in FAMILIES {
        let row = |t: &TransferSyntax| [t.name.to_owned(), t.uid.to_owned()];
        d.table(
            &format!("Transfer Syntaxes, {}, the first preferred", family.name),
            ["Name", "UID"],
            family.syntaxes.iter().map(row),
        );
    }
    d.text(
        "Not taken: RFC 2557 MIME encapsulation, XML encoding and Papyrus 3 (retired), and SMPTE ST 2110 (real-time \
         video), in which no data set is exchanged by C-STORE.",
    );
}

const fn purpose(preference: Preference) -> &'static str {
    match preference {
        Preference::Images => {
            "images, and private classes: first what every program reads, then what loses nothing"
        }
        Preference::Videos => "video: first the stream as it was recorded",
        Preference::Others => "objects without pixel data: first what needs no codec",
    }
}

fn sending(d: &mut Document, site: &Site) {
    let delivery = &site.config.delivery;
    d.heading("7.2.2", "Sending Application Entity");
    d.heading("7.2.2.1", "Sequencing of Real-World Activities");
    d.text("A delivery begins when its job is over. Those of one study to one destination go in the order of their jobs.");
    d.heading("7.2.2.2", "Association Parameters");
    let row = |name: &str, value: String| [name.to_owned(), value];
    d.table(
        "Association Parameters of the Sending AE",
        ["Parameter", "Value"],
        [
            row(
                "Associations to one remote AE at once",
                "1, or `associations` of the remote AE".into(),
            ),
            row("Time for a connection to open", duration(delivery.connect)),
            row("Time for the peer to answer", duration(delivery.response)),
            row("Operations outstanding", "1".into()),
            row(
                "Extended negotiation, roles, user identity",
                "none is proposed".into(),
            ),
        ],
    );
    d.heading("7.2.2.3", "Association Initiation");
    d.text("One association per try of a delivery; a second one follows if it needs more than 128 contexts.");
    let context = [
        "the SOP class of each file",
        "the transfer syntax of that file, alone; Explicit VR Little Endian in a context of its own after it, where 5.2.5.1.1 says so",
        "SCU",
    ];
    d.table(
        "Presentation Contexts proposed by the Sending AE",
        ["Abstract Syntax", "Transfer Syntaxes", "Role"],
        [
            context.map(str::to_owned),
            [
                "Storage Commitment Push Model, on an association of its own".to_owned(),
                "Explicit VR Little Endian, Implicit VR Little Endian".to_owned(),
                "SCU".to_owned(),
            ],
        ],
    );
    d.heading("7.2.2.4", "Association Acceptance");
    d.text("By the Receiving AE, of answers about storage commitment (5.2.6.1).");
}
