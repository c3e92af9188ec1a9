//! Entropy-coded data (ITU-T T.81 §C.2, §F.2.2, §H.2): differences, one after another.

/// Bits of the longest code.
const LONGEST_CODE: u32 = 16;

/// A Huffman table: by the next 16 bits, the length of the code that they begin with, and its category; length 0: there is
/// no such code.
#[derive(Clone)]
pub(super) struct Table(Vec<(u8, u8)>);

impl Table {
    /// A table of so many codes of each length, and what they stand for; `None`: there is no such table. What stands behind
    /// its values is left.
    pub fn parse(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let mut values = values.iter();
        let mut codes = Vec::with_capacity(1 << LONGEST_CODE);
        // Codes of one length follow each other, longer ones follow them: so do the bits that begin with them.
        for (length, count) in (1..).zip(counts) {
            for _ in 0..*count {
                let category = values.next().copied().filter(|category| *category <= 16)?;
                let end = codes.len() + (1 << (LONGEST_CODE - u32::from(length)));
                if end > 1 << LONGEST_CODE {
                    return None;
                }
                codes.resize(end, (length, category));
            }
        }
        codes.resize(1 << LONGEST_CODE, (0, 0));
        Some(Self(codes))
    }
}

/// What is read bit by bit, up to the next marker.
pub(super) struct Bits<'f> {
    rest: &'f [u8],
    held: u64,
    /// Bits that are held, the lowest of them.
    count: u32,
}

impl<'f> Bits<'f> {
    pub const fn new(data: &'f [u8]) -> Self {
        Self {
            rest: data,
            held: 0,
            count: 0,
        }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let (byte, rest) = match self.rest {
                [0xff, 0, rest @ ..] => (0xff, rest),
                // A marker.
                [0xff, ..] | [] => return,
                [byte, rest @ ..] => (*byte, rest),
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
            self.rest = rest;
        }
    }

    /// The next difference; `None`: the data ends before, or has no such code.
    pub fn difference(&mut self, table: &Table) -> Option<i32> {
        if self.count < 2 * LONGEST_CODE {
            self.fill();
        }
        let next = match self.count.checked_sub(LONGEST_CODE) {
            Some(behind) => self.held >> behind,
            None => self.held << (LONGEST_CODE - self.count),
        };
        let (length, category) = *table.0.get(usize::try_from(next & 0xffff).ok()?)?;
        if length == 0 {
            return None;
        }
        self.take(length.into())?;
        match category {
            0 => Some(0),
            16 => Some(32_768),
            bits => {
                let value = i32::try_from(self.take(bits.into())?).ok()?;
                let half = 1 << (bits - 1);
                // The smaller half stands for those below zero (§F.1.2.1).
                Some(if value < half { value - 2 * half + 1 } else { value })
            }
        }
    }

    fn take(&mut self, bits: u32) -> Option<u64> {
        self.count = self.count.checked_sub(bits)?;
        Some(self.held >> self.count & ((1 << bits) - 1))
    }

    /// Goes on behind the restart marker of that number, if that is what comes next (§F.2.1.3.1).
    pub fn restart(&mut self, number: u8) -> Option<()> {
        self.fill();
        // The last byte of the interval is filled up with ones.
        if self.count >= 8 {
            return None;
        }
        (self.held, self.count) = (0, 0);
        while self.rest.starts_with(&[0xff, 0xff]) {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        match self.rest {
            [0xff, marker, rest @ ..] if *marker == 0xd0 + number => self.rest = rest,
            _ => return None,
        }
        Some(())
    }
}
