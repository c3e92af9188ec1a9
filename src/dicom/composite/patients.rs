//! Whether objects are of one patient.

use super::Composite;

/// Patient ID, Issuer of Patient ID and Patient's Birth Date: what one patient has but one of. Names are written in more
/// than one way.
const OF_ONE: [u32; 3] = [0x0010_0020, 0x0010_0021, 0x0010_0030];

/// What was seen of the patient of some objects.
#[derive(Clone, Debug, Default)]
pub struct Patients {
    known: [Vec<u8>; 3],
    two: bool,
}

impl Patients {
    /// One more object. What it does not say contradicts nothing.
    pub fn add(&mut self, object: &Composite) {
        for (tag, known) in OF_ONE.iter().zip(&mut self.known) {
            match object.bytes(*tag).trim_ascii() {
                [] => {}
                value if known.is_empty() => *known = value.to_vec(),
                value => self.two |= value != known.as_slice(),
            }
        }
    }

    /// Whether one said something else than another.
    #[must_use]
    pub const fn are_two(&self) -> bool {
        self.two
    }
}
