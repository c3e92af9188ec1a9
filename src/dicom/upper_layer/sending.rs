//! Messages out (PS3.8 §9.3.5, Annex E): a command set and a data set in P-DATA-TF PDUs of the size the peer takes.
//!
//! Some peers take 16 KiB at a time, which makes 33 PDUs of an ordinary object. They go out in one write all the same:
//! the heads are made beside the data, and the kernel is given both.

use std::io::{IoSlice, Read};

use super::association::Association;
use super::error::Error;
use super::framing::PDV_HEADER;
use super::pdu::pdu_type;
use super::state::Evt;

/// Bytes before the payload of a PDU with one value: its own header, and the value's.
const HEAD: usize = 6 + PDV_HEADER;

/// Bytes of a data set that are read at once when it comes from a reader.
const READ: usize = 1 << 20;

/// A command set or a data set (PS3.8 §E.2, bit 0 of the message control header).
#[derive(Clone, Copy)]
enum Set {
    Command = 1,
    Data = 0,
}

/// Heads of the PDUs that carry `data`, and the length of each payload but the last.
struct Framed<'d> {
    heads: Vec<[u8; HEAD]>,
    data: &'d [u8],
    each: usize,
}

impl<'d> Framed<'d> {
    /// `ends`: nothing of the set follows.
    fn new(context: u8, set: Set, data: &'d [u8], each: usize, ends: bool) -> Self {
        let count = data.len().div_ceil(each).max(usize::from(ends));
        let mut heads = Vec::with_capacity(count);
        let mut left = data.len();
        for number in 1..=count {
            let now = left.min(each);
            left -= now;
            let last = ends && number == count;
            heads.push(head(context, set as u8 | u8::from(last) << 1, now));
        }
        Self { heads, data, each }
    }

    /// What goes out, in order.
    fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        let mut payloads = self.data.chunks(self.each);
        self.heads.iter().flat_map(move |head| {
            let payload = payloads.next().unwrap_or_default();
            [IoSlice::new(head), IoSlice::new(payload)]
        })
    }
}

/// The head of a PDU with one value of `length` bytes.
fn head(context: u8, control: u8, length: usize) -> [u8; HEAD] {
    let length = u32::try_from(length).unwrap_or(u32::MAX - 6);
    let [p0, p1, p2, p3] = (length + 6).to_be_bytes();
    let [v0, v1, v2, v3] = (length + 2).to_be_bytes();
    [
        pdu_type::P_DATA_TF,
        0,
        p0,
        p1,
        p2,
        p3,
        v0,
        v1,
        v2,
        v3,
        context,
        control,
    ]
}

impl Association {
    /// Sends a command set that no data set follows.
    ///
    /// # Errors
    /// The association is over.
    pub fn send_command(&mut self, context: u8, command: &[u8]) -> Result<(), Error> {
        self.send_framed(&[Framed::new(
            context,
            Set::Command,
            command,
            self.largest_fragment(),
            true,
        )])
    }

    /// Sends a command set and its data set: `ahead`, then `left` bytes more from `rest`.
    ///
    /// # Errors
    /// The association is over; a source that ends early too, since a data set cannot be taken back.
    pub fn send_message(
        &mut self,
        context: u8,
        command: &[u8],
        ahead: &[u8],
        rest: &mut impl Read,
        mut left: u64,
    ) -> Result<(), Error> {
        let each = self.largest_fragment();
        // All but the last fragment are full: what is over goes with the next bytes.
        let whole = if left == 0 {
            ahead.len()
        } else {
            ahead.len() / each * each
        };
        let (now, over) = ahead.split_at_checked(whole).unwrap_or((ahead, &[]));
        self.send_framed(&[
            Framed::new(context, Set::Command, command, each, true),
            Framed::new(context, Set::Data, now, each, left == 0),
        ])?;
        let size = (READ / each).max(1) * each;
        let mut buffer = Vec::with_capacity(if left == 0 { 0 } else { size });
        buffer.extend_from_slice(over);
        while left > 0 {
            let missing = left.min((size - buffer.len()) as u64);
            if rest.take(missing).read_to_end(&mut buffer)? as u64 != missing {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            left -= missing;
            self.send_framed(&[Framed::new(context, Set::Data, &buffer, each, left == 0)])?;
            buffer.clear();
        }
        Ok(())
    }

    fn send_framed(&mut self, sets: &[Framed<'_>]) -> Result<(), Error> {
        let mut slices: Vec<_> = sets.iter().flat_map(Framed::slices).collect();
        for _ in sets.iter().flat_map(|set| &set.heads) {
            // DT-1.
            self.machine.on(Evt::Evt9);
        }
        self.connection.send_slices(&mut slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(framed: &Framed<'_>) -> Vec<u8> {
        framed.slices().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn the_last_fragment_says_so_and_the_others_do_not() {
        let framed = Framed::new(5, Set::Data, b"abcde", 2, true);
        let controls: Vec<_> = framed.heads.iter().map(|head| head[11]).collect();
        assert_eq!(controls, [0, 0, 2]);
        assert_eq!(bytes(&framed)[..14], *b"\x04\0\0\0\0\x08\0\0\0\x04\x05\0ab");
        let open = Framed::new(5, Set::Data, b"ab", 2, false);
        assert_eq!(open.heads[0][11], 0);
        let command = Framed::new(1, Set::Command, b"abc", 2, true);
        assert_eq!((command.heads[0][11], command.heads[1][11]), (1, 3));
    }

    #[test]
    fn an_empty_data_set_is_one_empty_fragment() {
        let framed = Framed::new(1, Set::Data, b"", 10, true);
        assert_eq!(bytes(&framed), b"\x04\0\0\0\0\x06\0\0\0\x02\x01\x02");
        assert!(bytes(&Framed::new(1, Set::Data, b"", 10, false)).is_empty());
    }
}
