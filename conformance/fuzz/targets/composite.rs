//! Patient and study of an object in every encoding (PS3.3 §C.7): whatever is found can be put beside a report, which
//! reads back.

#![no_main]

use dicom_core::{Tag, VR};
use libfuzzer_sys::fuzz_target;
use magickbox::dicom::composite::{self, Charset};
use magickbox::dicom::part10::{self, FileMeta};
use magickbox::dicom::transfer_syntax::{Encoding, encoding};
use magickbox::model::Uid;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let encodings = [Encoding::ImplicitLittle, Encoding::ExplicitLittle, Encoding::ExplicitBig];
    let of_input = encodings[usize::from(*which) % encodings.len()];
    let Some(found) = composite::parse(bytes, of_input, true) else { return };
    let charset = Charset::beside(&found);
    let mut object = composite::object(&found.attributes);
    composite::complete(&mut object, &found, &charset);
    // What a new object says of itself; the source's will do here.
    for (tag, uid) in [
        (Tag(0x0008, 0x0016), &found.sop_class_uid),
        (Tag(0x0008, 0x0018), &found.sop_instance_uid),
        (Tag(0x0020, 0x000E), &found.series_instance_uid),
    ] {
        composite::put(&mut object, tag, VR::UI, uid.as_str().as_bytes());
    }
    let syntax = "1.2.840.10008.1.2.1";
    let meta = FileMeta {
        sop_class_uid: found.sop_class_uid.clone(),
        sop_instance_uid: found.sop_instance_uid.clone(),
        transfer_syntax_uid: Uid::parse(syntax.as_bytes()).expect("a constant"),
    };
    let file = part10::file(&meta, object).expect("what was read can be written");
    let (_, offset) = part10::parse_head(&file).expect("it is a file");
    let data_set = &file[usize::try_from(offset).expect("it is short")..];
    let explicit = encoding(syntax).expect("a constant");
    let again = composite::parse(data_set, explicit, true).expect("what was written can be read");
    assert_eq!(again.study_instance_uid, found.study_instance_uid);
});
