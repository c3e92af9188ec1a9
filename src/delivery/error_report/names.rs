//! The words of a patient: what a log must not carry into a report.
//!
//! A bucket may print what it read. The report is put beside the study, where the patient is known anyway; but an image
//! is looked at, printed and copied without its header, so its pixels name nobody.

use crate::dicom::composite::Composite;

/// Attributes of which each part is a word: names, other names.
const NAMES: [u32; 2] = [0x0010_0010, 0x0010_1001];

/// Attributes of which the whole value is one: Patient ID, Accession Number, Study ID is not.
const NUMBERS: [u32; 2] = [0x0010_0020, 0x0008_0050];

/// (0010,0030) Patient's Birth Date
const BIRTH_DATE: u32 = 0x0010_0030;

/// Words of fewer characters count where they stand alone, longer ones anywhere.
const SHORT: usize = 4;

/// What names the patient.
#[derive(Debug, Default)]
pub struct Words(Vec<String>);

impl Words {
    /// Those of a study.
    #[must_use]
    pub fn of(study: &Composite) -> Self {
        let mut words = Vec::new();
        for tag in NAMES {
            for text in readings(study.bytes(tag)) {
                words.extend(
                    text.split(['^', '=', '\\', ' ', ',', '-', '.'])
                        .map(str::to_owned),
                );
                words.push(text);
            }
        }
        for tag in NUMBERS {
            words.extend(readings(study.bytes(tag)));
        }
        for text in readings(study.bytes(BIRTH_DATE)) {
            words.extend(dates(&text));
        }
        words
            .iter_mut()
            .for_each(|word| *word = word.trim().to_lowercase());
        // A single letter names nobody, and is in every line.
        words.retain(|word| word.chars().count() > 1);
        words.sort();
        words.dedup();
        Self(words)
    }

    /// Whether a line carries one.
    #[must_use]
    pub fn are_in(&self, line: &str) -> bool {
        let line = line.to_lowercase();
        self.0.iter().any(|word| {
            let alone = word.chars().count() < SHORT;
            line.match_indices(word.as_str())
                .any(|(at, found)| !alone || stands_alone(&line, at, at + found.len()))
        })
    }
}

fn stands_alone(line: &str, from: usize, to: usize) -> bool {
    let before = line.get(..from).and_then(|text| text.chars().next_back());
    let after = line.get(to..).and_then(|text| text.chars().next());
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

/// A value as a bucket may have printed it: as UTF-8, as Latin-1, and with what is neither left out.
fn readings(bytes: &[u8]) -> Vec<String> {
    let latin: String = bytes.iter().map(|b| char::from(*b)).collect();
    let ascii: String = bytes
        .iter()
        .filter(|b| b.is_ascii_graphic())
        .map(|b| char::from(*b))
        .collect();
    let mut readings = vec![String::from_utf8_lossy(bytes).into_owned(), latin, ascii];
    readings.dedup();
    readings
}

/// A date of DICOM as people and programs write it.
fn dates(text: &str) -> Vec<String> {
    let parts = (text.get(..4), text.get(4..6), text.get(6..8));
    let (Some(year), Some(month), Some(day)) = parts else {
        return Vec::new();
    };
    let mut dates = vec![text.to_owned()];
    for between in ["-", "/", ".", " "] {
        for (a, b, c) in [(year, month, day), (day, month, year), (month, day, year)] {
            dates.push(format!("{a}{between}{b}{between}{c}"));
        }
    }
    dates
}
