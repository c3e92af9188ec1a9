//! The annexes.

use super::markdown::Document;

pub(super) fn write(d: &mut Document) {
    d.annex("A.A", "Information Object Definitions");
    d.text(
        "The node changes no objects, adds no attributes to them and has no private attributes. Where a rule of a \
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
    d.annex("A.B", "Structured Report Content Encoding");
    d.text("The node creates and interprets none.");
    d.annex("A.C", "Security Details");
    d.text("All is in section 8.");
    d.annex("A.D", "Mapping of Attributes");
    d.text("No attribute is mapped to another.");
    d.annex("A.E", "Code Set Usage");
    d.text("No codes are used.");
}
