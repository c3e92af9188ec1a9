//! The scanner itself: a flat machine over the bytes as they come.

use flate2::{Decompress, FlushDecompress, Status as Inflated};

use crate::dicom::transfer_syntax::Encoding;

use super::{Found, Header, HeaderError};

/// The longest value that is kept, in bytes: LO and UI have 64, multi-byte text some more.
const LONGEST_VALUE: u32 = 1024;

/// A deflated header that is larger than this is no header.
const LONGEST_INFLATED: u64 = 32 << 20;

pub(super) const UNDEFINED: u32 = u32::MAX;
pub(super) const ITEM: u32 = 0xFFFE_E000;
pub(super) const ITEM_DELIMITATION: u32 = 0xFFFE_E00D;
pub(super) const SEQUENCE_DELIMITATION: u32 = 0xFFFE_E0DD;
const SERIES_INSTANCE_UID: u32 = 0x0020_000E;
const FIRST_OF_A_DATA_SET: u32 = 0x0008_0000;

#[derive(Debug)]
enum State {
    /// Collecting the next element's header; so many bytes of `buffer` are filled.
    Header(usize),
    /// So many bytes of a value to go.
    Skip(u32),
    /// Collecting a wanted value.
    Value {
        tag: u32,
        left: u32,
        value: Vec<u8>,
    },
    /// Nothing more is wanted.
    Done,
    Failed(HeaderError),
}

/// Reads a data set piece by piece.
#[derive(Debug)]
pub struct HeaderScanner {
    encoding: Encoding,
    inflate: Option<Box<Inflate>>,
    state: State,
    buffer: [u8; 12],
    /// Open values of undefined length.
    depth: u32,
    /// The depth at which a UN of undefined length began: inside, all is implicit VR little endian (PS3.5 §6.2.2).
    unknown_since: Option<u32>,
    found: Found,
    /// Everything wanted is behind us: what follows is only walked, to see that it is whole.
    identified: bool,
}

#[derive(Debug)]
struct Inflate {
    stream: Decompress,
    window: [u8; 4096],
}

impl HeaderScanner {
    /// A scanner for a data set of this encoding.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        let deflated = encoding == Encoding::Deflated;
        Self {
            encoding,
            inflate: deflated.then(|| {
                Box::new(Inflate {
                    stream: Decompress::new(false),
                    window: [0; 4096],
                })
            }),
            state: State::Header(0),
            buffer: [0; 12],
            depth: 0,
            unknown_since: None,
            found: Found::default(),
            identified: false,
        }
    }

    /// Takes the next bytes of the data set.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.is_over() {
            return;
        }
        match self.inflate.take() {
            None => self.scan(bytes),
            Some(mut inflate) => {
                self.push_deflated(&mut inflate, bytes);
                self.inflate = Some(inflate);
            }
        }
    }

    /// Whether everything wanted that is there was found.
    #[must_use]
    pub const fn is_identified(&self) -> bool {
        self.identified
    }

    /// Whether nothing more is read.
    const fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Failed(_))
    }

    /// The identity is complete. The rest of a deflated data set is not worth inflating.
    fn identify(&mut self) {
        self.identified = true;
        if self.encoding == Encoding::Deflated {
            self.state = State::Done;
        }
    }

    /// Why it cannot be read, once that is certain.
    #[must_use]
    pub const fn failed(&self) -> Option<HeaderError> {
        match self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// What has been found so far.
    #[must_use]
    pub const fn found(&self) -> &Found {
        &self.found
    }

    fn push_deflated(&mut self, inflate: &mut Inflate, mut bytes: &[u8]) {
        while !self.is_over() {
            let (read_before, written_before) = (inflate.stream.total_in(), inflate.stream.total_out());
            let result = inflate
                .stream
                .decompress(bytes, &mut inflate.window, FlushDecompress::None);
            let read = usize::try_from(inflate.stream.total_in() - read_before).unwrap_or(0);
            let written = usize::try_from(inflate.stream.total_out() - written_before).unwrap_or(0);
            self.scan(inflate.window.get(..written).unwrap_or_default());
            bytes = bytes.get(read..).unwrap_or_default();
            let too_long = inflate.stream.total_out() > LONGEST_INFLATED;
            match result {
                Err(_) => self.state = State::Failed(HeaderError::Deflate),
                Ok(_) if too_long && !self.is_over() => self.state = State::Failed(HeaderError::Deflate),
                Ok(Inflated::StreamEnd) => return,
                Ok(_) if bytes.is_empty() && written < inflate.window.len() => return,
                Ok(_) if read == 0 && written == 0 => return,
                Ok(_) => {}
            }
        }
    }

    fn scan(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_over() {
            match &mut self.state {
                State::Header(_) => bytes = self.collect_header(bytes),
                State::Skip(left) => {
                    let now = (*left).min(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                    *left -= now;
                    bytes = rest(bytes, now);
                    if *left == 0 {
                        self.state = State::Header(0);
                    }
                }
                State::Value { left, value, .. } => {
                    let now = (*left).min(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                    *left -= now;
                    value.extend(bytes.iter().take(now as usize));
                    bytes = rest(bytes, now);
                    if *left == 0 {
                        self.keep();
                    }
                }
                State::Done | State::Failed(_) => {}
            }
        }
    }

    /// Fills the header buffer up to the length this element's header has; acts once it is whole.
    fn collect_header<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        let State::Header(mut have) = self.state else {
            return bytes;
        };
        while let Some((first, tail)) = bytes.split_first() {
            if let Some(slot) = self.buffer.get_mut(have) {
                *slot = *first;
            }
            have += 1;
            bytes = tail;
            if have >= 8 && have == self.header_length() {
                self.element();
                return bytes;
            }
        }
        self.state = State::Header(have);
        bytes
    }

    const fn implicit(&self) -> bool {
        matches!(self.encoding, Encoding::ImplicitLittle) || self.unknown_since.is_some()
    }

    fn tag(&self) -> u32 {
        let [a, b, c, d, ..] = self.buffer;
        match self.encoding {
            Encoding::ExplicitBig if self.unknown_since.is_none() => u32::from_be_bytes([a, b, c, d]),
            _ => u32::from(u16::from_le_bytes([a, b])) << 16 | u32::from(u16::from_le_bytes([c, d])),
        }
    }

    fn long(&self, bytes: [u8; 4]) -> u32 {
        if self.encoding == Encoding::ExplicitBig && self.unknown_since.is_none() {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    /// Length of the header at hand, known once 8 bytes are there.
    fn header_length(&self) -> usize {
        let [_, _, _, _, v0, v1, ..] = self.buffer;
        if self.tag() >> 16 == 0xFFFE || self.implicit() || is_short_vr([v0, v1]) {
            8
        } else {
            12
        }
    }

    /// Acts on a whole element header.
    fn element(&mut self) {
        let tag = self.tag();
        let [_, _, _, _, b4, b5, b6, b7, b8, b9, b10, b11] = self.buffer;
        let (vr, length) = if tag >> 16 == 0xFFFE || self.implicit() {
            (None, self.long([b4, b5, b6, b7]))
        } else {
            let vr = [b4, b5];
            if !vr.iter().all(u8::is_ascii_uppercase) {
                self.state = self.malformed();
                return;
            }
            let short = if self.encoding == Encoding::ExplicitBig {
                [0, 0, b6, b7]
            } else {
                [b6, b7, 0, 0]
            };
            (
                Some(vr),
                self.long(if is_short_vr(vr) {
                    short
                } else {
                    [b8, b9, b10, b11]
                }),
            )
        };
        if self.depth == 0 && tag > SERIES_INSTANCE_UID && tag >> 16 != 0xFFFE && !self.identified {
            self.identify();
            if self.is_over() {
                return;
            }
        }
        self.state = match tag {
            ITEM_DELIMITATION | SEQUENCE_DELIMITATION => self.close(length),
            ITEM => self.open(length),
            // Groups of command sets, file meta information and directories (PS3.5 §7.8, §7.1).
            _ if self.depth == 0 && tag < FIRST_OF_A_DATA_SET => State::Failed(HeaderError::Malformed),
            _ if length == UNDEFINED => {
                if vr == Some(*b"UN") && self.unknown_since.is_none() {
                    self.unknown_since = Some(self.depth);
                }
                self.open(length)
            }
            _ if self.depth == 0 && !self.identified && self.slot(tag).is_some() => {
                if length > LONGEST_VALUE {
                    State::Failed(HeaderError::Malformed)
                } else if length == 0 {
                    State::Header(0)
                } else {
                    State::Value {
                        tag,
                        left: length,
                        value: Vec::new(),
                    }
                }
            }
            _ if length == 0 => State::Header(0),
            _ => State::Skip(length),
        };
    }

    /// A value or item of undefined length is walked into; any other is skipped whole.
    fn open(&mut self, length: u32) -> State {
        match length {
            UNDEFINED => match self.depth.checked_add(1) {
                Some(depth) => {
                    self.depth = depth;
                    State::Header(0)
                }
                None => self.malformed(),
            },
            0 => State::Header(0),
            length => State::Skip(length),
        }
    }

    fn close(&mut self, length: u32) -> State {
        match (length, self.depth.checked_sub(1)) {
            (0, Some(depth)) => {
                self.depth = depth;
                if self.unknown_since == Some(depth) {
                    self.unknown_since = None;
                }
                State::Header(0)
            }
            _ => self.malformed(),
        }
    }

    /// An object whose identity is known is stored, whatever its maker did behind it.
    const fn malformed(&self) -> State {
        if self.identified {
            State::Done
        } else {
            State::Failed(HeaderError::Malformed)
        }
    }

    const fn slot(&mut self, tag: u32) -> Option<&mut Option<Vec<u8>>> {
        match tag {
            0x0008_0016 => Some(&mut self.found.sop_class_uid),
            0x0008_0018 => Some(&mut self.found.sop_instance_uid),
            0x0010_0020 => Some(&mut self.found.patient_id),
            0x0020_000D => Some(&mut self.found.study_instance_uid),
            SERIES_INSTANCE_UID => Some(&mut self.found.series_instance_uid),
            _ => None,
        }
    }

    fn keep(&mut self) {
        if let State::Value { tag, value, .. } = std::mem::replace(&mut self.state, State::Header(0)) {
            if let Some(slot) = self.slot(tag) {
                *slot = Some(value);
            }
            if tag == SERIES_INSTANCE_UID {
                self.identify();
            }
        }
    }

    /// What the data set said, now that it is over.
    ///
    /// # Errors
    /// [`HeaderError`]: why the object cannot be placed.
    pub fn finish(self) -> Result<Header, HeaderError> {
        match self.state {
            State::Failed(error) => return Err(error),
            State::Done => {}
            // Some pad a data set with zeros.
            State::Header(have) if self.depth == 0 && self.buffer.iter().take(have).all(|b| *b == 0) => {}
            _ => return Err(HeaderError::Truncated),
        }
        self.found.header()
    }
}

fn rest(bytes: &[u8], taken: u32) -> &[u8] {
    bytes.get(taken as usize..).unwrap_or_default()
}

/// VRs with a 16-bit length (PS3.5 §7.1.2); every other, known or not, has 32 bits.
#[must_use]
pub const fn is_short_vr(vr: [u8; 2]) -> bool {
    matches!(
        &vr,
        b"AE"
            | b"AS"
            | b"AT"
            | b"CS"
            | b"DA"
            | b"DS"
            | b"DT"
            | b"FL"
            | b"FD"
            | b"IS"
            | b"LO"
            | b"LT"
            | b"PN"
            | b"SH"
            | b"SL"
            | b"SS"
            | b"ST"
            | b"TM"
            | b"UI"
            | b"UL"
            | b"US"
    )
}
