//! Section 3.

use super::markdown::Document;

pub(super) fn write(d: &mut Document) {
    d.heading("3", "Introduction");
    d.heading("3.1", "Revision History");
    let version = env!("CARGO_PKG_VERSION");
    d.text(&format!(
        "This is the statement of version {version}; that of another version is printed by it. What changed between \
         them is in the history of this file in the project's repository."
    ));
    d.heading("3.2", "Audience");
    d.text(
        "Hospital IT and PACS administrators who connect a MagickBox to scanners and archives, and integrators. They \
         know DICOM; no programming is needed.",
    );
    d.heading("3.3", "Remarks");
    d.text(
        "Two statements that fit together do not prove that two products work together: test the connection with your \
         own data before relying on it. The tables of classes, transfer syntaxes, settings and codes are made from what \
         the program runs with, and the project's tests hold this text against it.",
    );
    d.heading("3.4", "Terms and Definitions");
    d.list([
        "*Bucket*: an installed analysis pipeline, a container image with an AE title.",
        "*Job*: the objects that one bucket works on at once, a study or a series, and what comes of them.",
        "*Delivery*: one job's result on its way to one remote AE.",
        "*Requestor*, *acceptor*: who opens an association, and who is called. *SCU*, *SCP*: who uses a service, and who \
         offers it.",
    ]);
    d.text("Other words are those of PS3.1 to PS3.10.");
    d.heading("3.5", "Abbreviations");
    d.text(
        "AE Application Entity; ARTIM Association Request/Reject/Release Timer; DIMSE DICOM Message Service Element; PDU \
         Protocol Data Unit; SCP Service Class Provider; SCU Service Class User; SOP Service-Object Pair; TLS Transport \
         Layer Security; UID Unique Identifier.",
    );
    d.heading("3.6", "References");
    d.text(
        "NEMA PS3 / ISO 12052, Digital Imaging and Communications in Medicine (DICOM) Standard, Rosslyn, VA, USA, at \
         https://www.dicomstandard.org/: PS3.2 (this form), PS3.4 (Storage, Verification), PS3.5 and PS3.6 (transfer \
         syntaxes, UIDs), PS3.7 (messages), PS3.8 (associations), PS3.10 (files), PS3.15 (security).",
    );
}
