//! Section 5.

use super::markdown::Document;
use super::site::{Site, duration};
use crate::dicom::commitment::MOST_REFERENCES;
use crate::dicom::{transcode, transfer_syntax};
use crate::model::{Durability, Keep};

/// Services that have a place in the template and none here.
const NOT_OFFERED: [(&str, &str); 4] = [
    ("5.2.1", "Basic Worklist Management Service"),
    ("5.2.2", "Modality Performed Procedure Step Service"),
    ("5.2.3", "Unified Worklist and Procedure Step Service"),
    ("5.2.4", "Instance Availability Notification Service"),
];

pub(super) fn write(d: &mut Document, site: &Site) {
    d.heading("5", "Service and Interoperability Description");
    d.heading("5.1", "Mapping of Services to Application Entities");
    let row = |service: &str, ae: &str, role: &str| [service, ae, role].map(str::to_owned);
    d.table(
        "Services and Application Entities",
        ["Service", "Application Entity", "Role"],
        [
            row("Verification", "Receiving AE", "SCP"),
            row("Storage", "Receiving AE", "SCP"),
            row("Storage", "Sending AE", "SCU"),
            row("Storage Commitment Push Model", "Receiving AE", "SCP"),
            row("Storage Commitment Push Model", "Sending AE", "SCU"),
        ],
    );
    d.heading("5.2", "DIMSE Services");
    d.text(
        "C-ECHO is answered in a context of Verification, C-STORE in one of Storage, N-ACTION and N-EVENT-REPORT in one of \
         the Storage Commitment Push Model. Any other request is answered with 0211 (unrecognized operation) and the association goes on; a C-CANCEL is not answered, since nothing can be under way.",
    );
    for (number, service) in NOT_OFFERED {
        d.heading(number, service);
        d.text("Not supported.");
    }
    d.heading("5.2.5", "Storage Service");
    scu(d, site);
    scp(d, site);
    d.heading("5.2.6", "Storage Commitment Service");
    commitment(d, site);
    d.heading("5.2.7", "Query/Retrieve Service");
    d.text("Not supported.");
    d.heading("5.2.8", "Print Management Service");
    d.text("Not supported.");
    d.heading("5.3", "DICOM Web Services");
    d.text(
        "As a user agent of the Studies Service, Store Transaction (STOW-RS, PS3.18 §10.5): the objects of a delivery are sent \
         to `/studies` of a server as application/dicom, each part as its file is, in batches of at most 32 MiB or 100 objects \
         unless one object is larger. The answer is asked for as application/dicom+json. 7.3.3 says what each status means. \
         No service as an origin server.",
    );
    d.heading("5.4", "Media Services");
    d.text("Not supported.");
    d.heading("5.5", "Real-Time Video Services");
    d.text("Not supported.");
    d.heading("5.6", "Cross-Service Considerations");
    d.text("None: what one service does changes nothing in another.");
    d.heading("5.7", "Specific Character Sets");
    d.text(
        "Every one of PS3.3 §C.12.1.1.2, with and without code extensions, and any other: no value is decoded. Patient ID \
         (0010,0020) is compared as bytes, to keep the sets of different patients apart. AE titles and UIDs are of the \
         default repertoire. Error Comment (0000,0902) in responses is ASCII.",
    );
}

fn commitment(d: &mut Document, site: &Site) {
    let (delivery, storage) = (&site.config.delivery, &site.config.storage);
    d.heading("5.2.6.1", "SCU of the Storage Commitment Push Model");
    d.text(&format!(
        "A remote AE that is configured so (`commit = true`) is asked, after it took the last object of a delivery, to \
         commit all of them: one N-ACTION per delivery, with a new Transaction UID each time. The N-EVENT-REPORT is \
         taken over the same association, which is kept open for 10 s (1 s where it said nothing there the last time), or over one that the remote AE opens to the Receiving AE, \
         proposing the SCP role; it calls the AE title that the node calls it with, from the address that is configured. The \
         failure reason of each object is kept and shown. A request that was not answered after {} is repeated; after {} requests \
         the delivery is shown as not committed, as it is when an object is not committed: a person decides, and a late \
         answer still counts. A remote AE that cannot be reached is tried as 5.2.5.1 says.",
        duration(delivery.commit_timeout),
        delivery.commit_tries,
    ));
    d.heading("5.2.6.2", "SCP of the Storage Commitment Push Model");
    let kept = match storage.commit_for {
        Keep::Forever => "without limit of time".to_owned(),
        Keep::For(time) => format!("for {} from the answer on", duration(time)),
    };
    d.list([
        "A request is kept before it is answered with Success, and answered by N-EVENT-REPORT: over its own association if \
         the answer is there while that is open, else over a new one to the `[[remote_ae]]` of the requestor's AE title, \
         called by the AE title that was asked, proposing the SCP role. Where there is no such remote AE, the own \
         association is the only way."
            .to_owned(),
        "An object is committed if it is on the disk and every byte of it was read and has the hash it was stored with. \
         Otherwise the failure reason is 0112 (no such object instance), 0119 (class/instance conflict) or 0110 (processing \
         failure: it is not as it was stored)."
            .to_owned(),
        format!("What is committed is kept {kept}. The node is no archive: whatever needs it longer has to have it elsewhere by then."),
        format!(
            "A peer that is away is tried again after {}, then after twice as long each time up to {}, until {} have passed while the node ran.",
            duration(delivery.first_retry),
            duration(delivery.longest_retry),
            duration(delivery.give_up)
        ),
        "The same Transaction UID of the same requestor again is looked at and answered again.".to_owned(),
        match storage.commit_completes {
            true => {
                "A request that lists every object of a set that is still open, and nothing that is not here, says that \
                 the set is complete: its job starts at once, unless another association carries more of it."
            }
            false => "A request says nothing of whether a set is complete (`commit_completes = false`).",
        }
        .to_owned(),
        format!("A request may list {MOST_REFERENCES} objects. The Storage Media File-Set attributes are not looked at, and none is sent."),
    ]);
}

fn scu(d: &mut Document, site: &Site) {
    let delivery = &site.config.delivery;
    d.heading("5.2.5.1", "SCU of the Storage SOP Classes");
    d.text(&format!(
        "A delivery sends each object of a job's output (or input, as its route says) once, one C-STORE after the other, \
         as the file has it. Objects that were answered with Success or a warning are not sent again; what was refused is \
         kept and shown. A connection that fails, a transient rejection, or a transient status is tried again after {}, \
         then after twice as long each time up to {}, each time up to a quarter less, until {} have passed since it was \
         first tried while the node ran; then it is held for a person to decide, as it is after three attempts in a row that \
         ended by a response to something else than was sent. Deliveries of one study to one remote AE go one after the \
         other, in the order of their jobs; one that is held or refused is passed. See 7.3.2 for what each status means.",
        duration(delivery.first_retry),
        duration(delivery.longest_retry),
        duration(delivery.give_up),
    ));
    d.heading("5.2.5.1.1", "Transcoding of Transfer Syntaxes");
    let possible: Vec<_> = transfer_syntax::FAMILIES
        .iter()
        .flat_map(|family| family.syntaxes)
        .filter(|syntax| transcode::is_possible(syntax.uid))
        .map(|syntax| format!("{} ({})", syntax.name, syntax.uid))
        .collect();
    d.text(
        "An object is proposed in the transfer syntax its file is in and, where it is one of these, in Explicit VR Little \
         Endian too. If the remote AE takes only that, the object is sent so: no bit of a pixel and no byte of another \
         attribute changes, but that colors in RLE are sent pixel by pixel, with a Planar Configuration (0028,0006) of 0, and \
         that what is about fragments goes with them: a group length (7FE0,0000), an Extended Offset Table (7FE0,0001) with \
         its lengths (7FE0,0002), and Encapsulated Pixel Data Value Total Length (7FE0,0003). An object that cannot be \
         decoded to the last byte, colors in JPEG, subsampled colors, an image that is compressed within a sequence, as an \
         icon may be, and any other transfer syntax that the remote AE does not take count as refused.",
    );
    d.list(possible.iter().map(String::as_str));
}

fn scp(d: &mut Document, site: &Site) {
    d.heading("5.2.5.2", "SCP of the Storage SOP Classes");
    let durability = match site.config.storage.durability {
        Durability::Instance => {
            "Success says that the object would survive a loss of power: its file and its name have been synced to the \
             disk, from which a start of the node takes in what the job store may have lost."
        }
        Durability::Association => {
            "Success says that the object would survive a crash of the program. Only when the association has been \
             released does it say that of a loss of power too: everything that it stored is synced to the disk before \
             A-RELEASE-RP is sent (`durability = \"association\"`). If that fails, the peer gets A-ABORT instead, and has \
             to take it that nothing it sent over this association is safe; the node keeps the objects all the same. \
             After an A-ABORT or a lost connection the peer knows no more than that."
        }
        Durability::None => {
            "Success says that the object would survive a crash of the program, but not one of the machine: \
             `durability = \"none\"` is configured."
        }
    };
    d.list([
        "Level of storage support: 2 (full). All attributes are kept, private ones too, as the bytes they came in.",
        "Level of Digital Signature support: 3, bit preserving. Element coercion: none.",
        durability,
        "Duration: an object is kept as long as its job. The node is no archive.",
        "SOP Class UID and SOP Instance UID of the data set have to be those of the command; Study Instance UID and \
         Series Instance UID have to be there.",
        "The classes of Non-Patient Object Storage (PS3.4 Annex GG: hanging protocols, color palettes, implant templates, \
         inventories …) are not taken: their objects belong to no study that a bucket could be called for.",
        "The IOD is not checked beyond that: an object with missing or wrong attributes is stored.",
        "The same object again is answered with Success and kept once. An object with a SOP Instance UID that is there \
         with other bytes is kept beside the earlier one; the bucket gets the later one.",
        "One object that is refused does not end the association.",
    ]);
}
