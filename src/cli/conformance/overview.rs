//! Cover and section 1.

use super::markdown::Document;
use super::site::Site;
use crate::dicom::transfer_capability::{Preference, TRANSFER_CAPABILITIES, TransferCapability};

pub(super) fn write(d: &mut Document, site: &Site) {
    cover(d, site);
    d.heading("1", "Overview");
    d.text(
        "MagickBox is a processing node. It receives studies by C-STORE, each for the AE title of one analysis pipeline \
         (a *bucket*, which runs in a container on the node), and sends what the pipeline produced to the AEs that the \
         site configures, by C-STORE. It is no archive: it cannot be queried, and it shows no images.",
    );
    content(d, site);
    dimse(d);
    for (number, title, text) in NOT_THERE {
        d.heading(number, title);
        d.text(text);
    }
    d.heading("1.7", "Specific Character Sets");
    d.text(
        "All. Data sets are stored and sent as the bytes they arrived in; no text is decoded, converted or refused for \
         its Specific Character Set (0008,0005). See 5.7.",
    );
}

/// What hospitals look for here and this node has not.
const NOT_THERE: [(&str, &str, &str); 4] = [
    (
        "1.3",
        "DICOM Web Services",
        "None. The node's HTTP interface administers it; it is not a service of PS3.18.",
    ),
    (
        "1.4",
        "Media Services",
        "None: no File-set is created, read or updated. Objects lie on the node's disk as files of PS3.10.",
    ),
    ("1.5", "Real-Time Video Services", "None."),
    (
        "1.6",
        "De-identification Profiles",
        "None. Nothing is removed from what is received; what a bucket sends is the bucket's doing.",
    ),
];

fn cover(d: &mut Document, site: &Site) {
    d.title("MagickBox DICOM Conformance Statement");
    let printed = site.printed.clone();
    let of = match &site.file {
        Some(file) => format!("one node, configured by `{}`", file.display()),
        None if site.buckets.is_some() => "one node with every setting at its default".to_owned(),
        None => "every setting at its default".to_owned(),
    };
    let row = |name: &str, value: String| [name.to_owned(), value];
    d.table(
        "Cover",
        ["Item", "Value"],
        [
            row("Product", "MagickBox, a DICOM processing node".into()),
            row("Version", env!("CARGO_PKG_VERSION").into()),
            row("Written for", of),
            row("Date", printed.unwrap_or_else(|| "that of the version".into())),
            row(
                "Form",
                "the template of PS3.2 Annex N; its tables are printed by `magickbox conformance` from what the \
                 program runs with"
                    .into(),
            ),
        ],
    );
}

fn content(d: &mut Document, site: &Site) {
    d.heading("1.1", "Content and Transfer");
    d.text(
        "Objects of every class below are received (Storage SCP), kept unchanged while their job lives, given to \
         buckets, and sent (Storage SCU) where a route says so. The node itself displays none and creates none but error \
         reports (Annex A); a bucket may create objects of any class, and its own description says which. The last column names the order in \
         which a transfer syntax is chosen: see 7.2.1.4, where they are listed; each of them is taken for every class.",
    );
    d.table(
        "SOP Classes",
        ["SOP Class Name", "SOP Class UID", "Retired", "Transfer Syntaxes"],
        TRANSFER_CAPABILITIES
            .iter()
            .filter(|row| row.is_storage())
            .map(class),
    );
    let private = &site.config.dicom.private_sop_classes;
    d.text(&format!(
        "Private Storage SOP Classes that are configured (`private_sop_classes`): {}. A class that the standard does not \
         know is taken as well if the requestor declares it as Storage by SOP Class Common Extended Negotiation (PS3.7 \
         §D.3.3.6). Both have the transfer syntaxes of images.",
        if private.is_empty() {
            "none".to_owned()
        } else {
            private.iter().map(|uid| format!("`{uid}`")).collect::<Vec<_>>().join(", ")
        }
    ));
    d.heading("1.1.1", "Structured Reporting Root Template IDs");
    d.text(
        "The node creates TID 1500 \"Measurement Report\" (PS3.16) where a bucket asks for it, see annex A.B. It interprets \
         none.",
    );
}

fn class(row: &TransferCapability) -> [String; 4] {
    let retired = if row.is_retired() { "yes" } else { "" };
    [
        row.name().trim_end_matches(" (Retired)").to_owned(),
        row.sop_class.to_owned(),
        retired.to_owned(),
        numeral(row.preference).to_owned(),
    ]
}

/// The name of an order of transfer syntaxes.
pub(super) const fn numeral(preference: Preference) -> &'static str {
    match preference {
        Preference::Images => "I",
        Preference::Videos => "II",
        Preference::Others => "III",
    }
}

fn dimse(d: &mut Document) {
    d.heading("1.2", "DIMSE Services");
    let services = [
        ("Verification", "no", "yes"),
        ("Storage", "yes", "yes"),
        ("Storage Commitment Push Model", "yes", "yes"),
        ("Query/Retrieve", "no", "no"),
        ("Basic Worklist Management", "no", "no"),
        ("Modality Performed Procedure Step", "no", "no"),
        ("Unified Worklist and Procedure Step", "no", "no"),
        ("Instance Availability Notification", "no", "no"),
        ("Print Management", "no", "no"),
    ];
    d.table(
        "Network Services",
        ["Service", "User (SCU)", "Provider (SCP)"],
        services.map(|(service, scu, scp)| [service, scu, scp].map(str::to_owned)),
    );
}
