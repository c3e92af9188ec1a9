//! The attributes by which a PACS files an object: of whom it is, and to which study it belongs.

/// How values of an attribute are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the letter, without padding: IDs, dates, codes, UIDs.
    Exact,
    /// A person's name (PS3.5 §6.2).
    Name,
}

/// An attribute that a result has in common with its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attribute {
    /// `ggggeeee`
    pub tag: u32,
}

/// (0008,0020) Study Date, and so on.
const TABLE: [(u32, &str, &[u8; 2]); 10] = [
    (0x0010_0020, "Patient ID", b"LO"),
    (0x0010_0021, "Issuer of Patient ID", b"LO"),
    (0x0010_0010, "Patient's Name", b"PN"),
    (0x0010_0030, "Patient's Birth Date", b"DA"),
    (0x0010_0040, "Patient's Sex", b"CS"),
    (0x0020_000D, "Study Instance UID", b"UI"),
    (0x0020_0010, "Study ID", b"SH"),
    (0x0008_0050, "Accession Number", b"SH"),
    (0x0008_0020, "Study Date", b"DA"),
    (0x0008_0090, "Referring Physician's Name", b"PN"),
];

pub(super) const SOP_CLASS: u32 = 0x0008_0016;
pub(super) const SOP_INSTANCE: u32 = 0x0008_0018;
pub(super) const SERIES_INSTANCE: u32 = 0x0020_000E;
pub(super) const PATIENT_ID: Attribute = Attribute { tag: 0x0010_0020 };
pub(super) const STUDY_INSTANCE: Attribute = Attribute { tag: 0x0020_000D };
pub(super) const STUDY_ID: Attribute = Attribute { tag: 0x0020_0010 };

/// The last of them in a data set: behind it nothing is looked for.
pub(super) const LAST: u32 = STUDY_ID.tag;

impl Attribute {
    /// Of whom the object is.
    pub const PATIENT: [Self; 5] = [
        PATIENT_ID,
        Self { tag: 0x0010_0021 },
        Self { tag: 0x0010_0010 },
        Self { tag: 0x0010_0030 },
        Self { tag: 0x0010_0040 },
    ];

    /// To which study it belongs, beside the Study Instance UID.
    pub const STUDY: [Self; 4] = [
        STUDY_ID,
        Self { tag: 0x0008_0050 },
        Self { tag: 0x0008_0020 },
        Self { tag: 0x0008_0090 },
    ];

    fn row(self) -> Option<&'static (u32, &'static str, &'static [u8; 2])> {
        TABLE.iter().find(|(tag, ..)| *tag == self.tag)
    }

    /// Its value representation.
    pub fn vr(self) -> [u8; 2] {
        self.row().map_or(*b"UN", |(_, _, vr)| **vr)
    }

    /// How its values are compared.
    pub fn kind(self) -> Kind {
        match &self.vr() {
            b"PN" => Kind::Name,
            _ => Kind::Exact,
        }
    }

    /// Name and tag, for people.
    pub fn shown(self) -> String {
        shown(self.row().map_or("Attribute", |(_, name, _)| name), self.tag)
    }
}

/// Name and tag of any attribute, for people.
pub(super) fn shown(name: &str, tag: u32) -> String {
    format!("{name} ({:04X},{:04X})", tag >> 16, tag & 0xFFFF)
}

/// The name of an attribute that is looked at, with its tag; `None` for any other.
pub(super) fn looked_at(tag: u32) -> Option<String> {
    let name = match tag {
        SOP_CLASS => "SOP Class UID",
        SOP_INSTANCE => "SOP Instance UID",
        SERIES_INSTANCE => "Series Instance UID",
        tag => Attribute { tag }.row()?.1,
    };
    Some(shown(name, tag))
}

/// Whether an attribute is one of those that are looked at.
pub(super) fn is_looked_at(tag: u32) -> bool {
    looked_at(tag).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_has_a_row_and_shows_itself() {
        let all = Attribute::PATIENT.into_iter().chain(Attribute::STUDY);
        for attribute in all.chain([STUDY_INSTANCE]) {
            assert!(attribute.row().is_some(), "{:08x}", attribute.tag);
            assert!(attribute.tag <= LAST);
        }
        assert_eq!(PATIENT_ID.shown(), "Patient ID (0010,0020)");
    }
}
