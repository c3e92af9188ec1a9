//! The records of a zip (APPNOTE 6.3.10): stored entries whose sums are not known before they were read, so that they
//! stand behind them; the 64-bit forms where a number does not fit, and only there.

/// An entry of a zip that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in UTF-8; of a directory with a `/` at the end.
    pub name: String,
    /// Bytes of its content.
    pub bytes: u64,
    /// Its time, as MS-DOS counts (time, date).
    pub modified: (u16, u16),
}

/// A number that says: it stands in the 64-bit form.
const WIDE: u32 = u32::MAX;
const WIDE_COUNT: u16 = u16::MAX;

/// UTF-8 names; and of files: the sum stands behind the content.
const UTF_8: u16 = 1 << 11;
const SUM_BEHIND: u16 = 1 << 3;

/// 4.5: the version that knows the 64-bit forms.
const VERSION: u16 = 45;
const MADE_BY_UNIX: u16 = 3 << 8 | VERSION;

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(WIDE)
}

const fn is_wide(number: u64) -> bool {
    number >= WIDE as u64
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// Bytes, in the order in which they are put.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn two(mut self, number: u16) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn four(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn eight(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}

impl Entry {
    fn is_directory(&self) -> bool {
        self.name.ends_with('/')
    }

    fn flags(&self) -> u16 {
        if self.is_directory() {
            UTF_8
        } else {
            UTF_8 | SUM_BEHIND
        }
    }

    /// What comes before the content.
    pub fn local(&self) -> Vec<u8> {
        let wide = is_wide(self.bytes);
        let size = if wide { WIDE } else { 0 };
        let record = Record::default()
            .bytes(b"PK\x03\x04")
            .two(VERSION)
            .two(self.flags())
            .two(0)
            .two(self.modified.0)
            .two(self.modified.1)
            .four(0)
            .four(size)
            .four(size)
            .two(short(self.name.len()))
            .two(if wide { 20 } else { 0 })
            .bytes(self.name.as_bytes());
        // Its presence says that the sizes behind the content have eight bytes.
        let record = if wide {
            record.two(1).two(16).eight(0).eight(0)
        } else {
            record
        };
        record.0
    }

    /// What comes behind the content.
    pub fn behind(&self, sum: u32) -> Vec<u8> {
        if self.is_directory() {
            return Vec::new();
        }
        let record = Record::default().bytes(b"PK\x07\x08").four(sum);
        let record = if is_wide(self.bytes) {
            record.eight(self.bytes).eight(self.bytes)
        } else {
            record.four(narrow(self.bytes)).four(narrow(self.bytes))
        };
        record.0
    }

    /// Its part of the directory.
    pub fn central(&self, sum: u32, offset: u64) -> Vec<u8> {
        let mut wide = Record::default();
        if is_wide(self.bytes) {
            wide = wide.eight(self.bytes).eight(self.bytes);
        }
        if is_wide(offset) {
            wide = wide.eight(offset);
        }
        let extra = if wide.0.is_empty() { 0 } else { 4 + wide.0.len() };
        let mode: u32 = if self.is_directory() {
            0o040_755 << 16 | 0x10
        } else {
            0o100_644 << 16
        };
        let record = Record::default()
            .bytes(b"PK\x01\x02")
            .two(MADE_BY_UNIX)
            .two(VERSION)
            .two(self.flags())
            .two(0)
            .two(self.modified.0)
            .two(self.modified.1)
            .four(sum)
            .four(narrow(self.bytes))
            .four(narrow(self.bytes))
            .two(short(self.name.len()))
            .two(short(extra))
            .two(0)
            .two(0)
            .two(0)
            .four(mode)
            .four(narrow(offset))
            .bytes(self.name.as_bytes());
        if extra == 0 {
            return record.0;
        }
        record.two(1).two(short(wide.0.len())).bytes(&wide.0).0
    }

    /// Bytes from the beginning of its head to the end of its sum.
    pub fn length(&self) -> u64 {
        (self.local().len() + self.behind(0).len()) as u64 + self.bytes
    }
}

/// What comes behind the directory, which begins at `offset`.
pub fn end(entries: u64, length: u64, offset: u64) -> Vec<u8> {
    let mut record = Record::default();
    let count = u16::try_from(entries).unwrap_or(WIDE_COUNT);
    if count == WIDE_COUNT || is_wide(length) || is_wide(offset) {
        record = record
            .bytes(b"PK\x06\x06")
            .eight(44)
            .two(MADE_BY_UNIX)
            .two(VERSION)
            .four(0)
            .four(0)
            .eight(entries)
            .eight(entries)
            .eight(length)
            .eight(offset)
            .bytes(b"PK\x06\x07")
            .four(0)
            .eight(offset + length)
            .four(1);
    }
    record
        .bytes(b"PK\x05\x06")
        .two(0)
        .two(0)
        .two(count)
        .two(count)
        .four(narrow(length))
        .four(narrow(offset))
        .two(0)
        .0
}
