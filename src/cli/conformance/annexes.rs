//! The annexes.

use super::markdown::Document;
use crate::dicom::sr::MOST_IMAGES;

pub(super) fn write(d: &mut Document) {
    d.annex("A.A", "Information Object Definitions");
    d.text(
        "Of objects that arrive and pass, the node changes none, adds no attributes and has no private attributes; what \
         its buckets make is completed as 6.2.5 says. Where a rule of a \
         `routing.json` asks for it (`sendErrorAsDcm`), it creates Secondary Capture images (PS3.3 §A.8) with the end of \
         the bucket's log in their pixels, in Explicit VR Little Endian: Patient and General Study modules are taken over \
         of an object of the job, with Specific Character Set ISO_IR 192; Modality is OT, Conversion Type WSD, Series \
         Description \"Error Report\", Burned In Annotation YES; series and instances have UIDs of their own (PS3.5 \
         §B.2). Patterns of routes (6.2.5) read the attributes they name. Of a data set that arrives the node \
         reads SOP Class UID (0008,0016), SOP Instance UID (0008,0018), Patient ID (0010,0020), Study Instance UID \
         (0020,000D) and Series Instance UID (0020,000E); all but Patient ID are required. The file meta information \
         (PS3.10 §7.1) of stored objects is the node's own, with the calling AE title as Source Application Entity Title \
         (0002,0016).",
    );
    d.text(
        "The node creates one kind of object, Comprehensive 3D SR, of a bucket that declares its measures and asks for a \
         report. It is in the study of the first object that the bucket was given, in a series of its own, in Explicit VR \
         Little Endian: the modules Patient, Clinical Trial Subject, General Study, Patient Study and Clinical Trial Study \
         are copied from that object with its character set, byte by byte; SR Document Series, Enhanced General Equipment, \
         SR Document General, SR Document Content and SOP Common are the node's. Its UIDs are of the form 2.25 (PS3.5 \
         §B.2) and made from the job's name, so that a report made again is the same one.",
    );
    d.annex("A.B", "Structured Report Content Encoding");
    d.text(&format!(
        "TID 1500 \"Measurement Report\" with TID 1204 (English), TID 1001 and TID 1004 (a device), Procedure reported (from \
         Procedure Code Sequence (0008,1032) of the study, else \"Imaging procedure\"), and one TID 1501 \"Measurement and \
         Qualitative Evaluation Group\" for each file that was measured, with tracking identifier and UID, TID 4019 \
         (the bucket's name and version, and the digest of its image) and TID 300. A measure that is declared, in its unit \
         and within its plausible range is a NUM; every other one is a TEXT. The Image Library (TID 1600) lists the images \
         that the bucket was given, a group for each series with its modality (of TID 1602); where there are more than {MOST_IMAGES} \
         it is left out. All that was looked at is in Current Requested Procedure Evidence Sequence (0040,A375), and in Pertinent Other Evidence \
         Sequence (0040,A385) where it is of another study. Verification Flag (0040,A493) is UNVERIFIED.",
    ));
    d.annex("A.C", "Security Details");
    d.text("All is in section 8.");
    d.annex("A.D", "Mapping of Attributes");
    d.text("No attribute is mapped to another.");
    d.annex("A.E", "Code Set Usage");
    d.text(
        "In the reports of annex A.B: codes of DCM, SCT, UCUM and RFC5646 as their templates ask for them, and those that a \
         bucket declares. A measure without a declared code is named in the private scheme 99MAGICKBOX by AE title and \
         name; Coding Scheme Identification Sequence (0008,0110) says so.",
    );
}
