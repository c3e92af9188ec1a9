//! P-DATA-TF PDUs and the presentation data values in them (PS3.8 §9.3.5, Annex E), as a pure machine.
//!
//! It reads no bytes itself: it says what is needed next and is told the headers. So a payload goes from the socket's
//! buffer to its destination without being collected, and every fragmentation can be tried without a socket.
//!
//! ```text
//! ┌──────── P-DATA-TF ────────────────────────────────────────┐
//! │ 04 00 length(4) │ length(4) context control │ payload … │ …│
//! └─────────────────┴── PDV header ─────────────┴───────────┴──┘
//! ```

/// Bytes of a PDV's header: length, presentation context id, message control header.
pub const PDV_HEADER: usize = 6;

/// What has to be read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The header of a PDU.
    Pdu,
    /// The header of a presentation data value.
    Pdv,
    /// So many bytes of payload, perhaps none; `last`: nothing of this command set or data set follows them.
    Payload {
        /// Bytes to go in this value.
        left: usize,
        /// Bit 1 of the message control header.
        last: bool,
    },
}

/// A piece of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The presentation context's id, as sent.
    pub context: u8,
    /// Of the command set, otherwise of the data set (bit 0 of the message control header).
    pub command: bool,
    /// Nothing more of this command set or data set follows.
    pub ends: bool,
}

/// What is wrong with a header: always an invalid PDU parameter (PS3.8 §9.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Longer than what we offered to take.
    #[error("a P-DATA-TF of {length} bytes where at most {maximum} were offered")]
    TooLong {
        /// Announced.
        length: u32,
        /// Offered.
        maximum: u32,
    },
    /// A PDU that ends within the header of a value.
    #[error("a P-DATA-TF PDU ends within the header of a presentation data value")]
    Cut,
    /// A value that does not fit into its PDU, or is too short for its own header.
    #[error("a presentation data value of {length} bytes with {left} left in its PDU")]
    Value {
        /// Announced.
        length: u32,
        /// Left in the PDU, the length's own bytes not counted.
        left: usize,
    },
}

#[derive(Debug)]
struct Pdv {
    context: u8,
    command: bool,
    last: bool,
    left: usize,
}

/// Where in a stream of P-DATA-TF PDUs we are.
#[derive(Debug)]
pub struct Framer {
    maximum: u32,
    pdu_left: usize,
    pdv: Option<Pdv>,
}

impl Framer {
    /// Between two PDUs, of which none may be longer than `maximum` bytes.
    #[must_use]
    pub const fn new(maximum: u32) -> Self {
        Self {
            maximum,
            pdu_left: 0,
            pdv: None,
        }
    }

    /// What to read.
    #[must_use]
    pub const fn next(&self) -> Next {
        match &self.pdv {
            Some(pdv) => Next::Payload {
                left: pdv.left,
                last: pdv.last,
            },
            None if self.pdu_left > 0 => Next::Pdv,
            None => Next::Pdu,
        }
    }

    /// The value at hand: its presentation context id, and whether it is of a command set.
    #[must_use]
    pub fn value(&self) -> Option<(u8, bool)> {
        self.pdv.as_ref().map(|pdv| (pdv.context, pdv.command))
    }

    /// The header of a P-DATA-TF was read.
    ///
    /// # Errors
    /// [`FramingError::TooLong`].
    pub const fn pdu(&mut self, length: u32) -> Result<(), FramingError> {
        if length > self.maximum {
            return Err(FramingError::TooLong {
                length,
                maximum: self.maximum,
            });
        }
        self.pdu_left = length as usize;
        Ok(())
    }

    /// Whether the PDU still has room for a header of a value; to be asked before one is waited for.
    ///
    /// # Errors
    /// [`FramingError::Cut`].
    pub const fn pdv_fits(&self) -> Result<(), FramingError> {
        if self.pdu_left < PDV_HEADER {
            Err(FramingError::Cut)
        } else {
            Ok(())
        }
    }

    /// The header of a value was read; answers its presentation context id.
    ///
    /// # Errors
    /// [`FramingError`].
    pub fn pdv(&mut self, header: [u8; PDV_HEADER]) -> Result<u8, FramingError> {
        self.pdv_fits()?;
        let [l0, l1, l2, l3, context, control] = header;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let left = self.pdu_left - 4;
        if length < 2 || length as usize > left {
            return Err(FramingError::Value { length, left });
        }
        self.pdu_left = left - length as usize;
        self.pdv = Some(Pdv {
            context,
            command: control & 1 != 0,
            last: control & 2 != 0,
            left: length as usize - 2,
        });
        Ok(context)
    }

    /// So many bytes of payload are taken, at most those that [`Next::Payload`] told; `None` where none are due.
    pub fn take(&mut self, bytes: usize) -> Option<Piece> {
        let pdv = self.pdv.as_mut()?;
        pdv.left = pdv.left.saturating_sub(bytes);
        let piece = Piece {
            context: pdv.context,
            command: pdv.command,
            ends: pdv.last && pdv.left == 0,
        };
        if pdv.left == 0 {
            self.pdv = None;
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAXIMUM: u32 = 16384;

    /// Walks bytes; answers the pieces with their payload, and what stopped it.
    fn walk(mut bytes: &[u8], at_most: usize) -> (Vec<(Piece, Vec<u8>)>, Option<FramingError>) {
        let mut framer = Framer::new(MAXIMUM);
        let mut found = Vec::new();
        loop {
            let step = match framer.next() {
                Next::Pdu => match bytes.split_first_chunk::<6>() {
                    Some(([4, _, length @ ..], rest)) => {
                        bytes = rest;
                        framer.pdu(u32::from_be_bytes(*length))
                    }
                    _ => return (found, None),
                },
                Next::Pdv => match (framer.pdv_fits(), bytes.split_first_chunk()) {
                    (Ok(()), Some((header, rest))) => {
                        bytes = rest;
                        framer.pdv(*header).map(|_| ())
                    }
                    (Ok(()), None) => return (found, None),
                    (Err(error), _) => Err(error),
                },
                Next::Payload { left, .. } => {
                    let now = left.min(at_most).min(bytes.len());
                    if now == 0 && left > 0 {
                        return (found, None);
                    }
                    let (payload, rest) = bytes.split_at(now);
                    bytes = rest;
                    found.push((framer.take(now).unwrap(), payload.to_vec()));
                    Ok(())
                }
            };
            if let Err(error) = step {
                return (found, Some(error));
            }
        }
    }

    fn pdv(context: u8, control: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len() + 2).unwrap();
        [&length.to_be_bytes()[..], &[context, control], payload].concat()
    }

    fn pdu(pdvs: &[Vec<u8>]) -> Vec<u8> {
        let body = pdvs.concat();
        let length = u32::try_from(body.len()).unwrap();
        [&[4, 0][..], &length.to_be_bytes(), &body].concat()
    }

    #[test]
    fn headers_that_lie_are_named() {
        let value = |length: u32| [&length.to_be_bytes()[..], &[1, 0, 7, 7]].concat();
        for (bytes, expected) in [
            (
                vec![4, 0, 0xFF, 0xFF, 0xFF, 0xFF],
                "a P-DATA-TF of 4294967295 bytes where at most 16384 were offered",
            ),
            (
                pdu(&[vec![0; 5]]),
                "a P-DATA-TF PDU ends within the header of a presentation data value",
            ),
            (
                pdu(&[value(1)]),
                "a presentation data value of 1 bytes with 4 left in its PDU",
            ),
            (
                pdu(&[value(5)]),
                "a presentation data value of 5 bytes with 4 left in its PDU",
            ),
            (
                pdu(&[value(u32::MAX)]),
                "a presentation data value of 4294967295 bytes with 4 left in its PDU",
            ),
        ] {
            assert_eq!(walk(&bytes, usize::MAX).1.unwrap().to_string(), expected);
        }
        assert_eq!(walk(&pdu(&[value(4)]), usize::MAX).1, None);
        assert_eq!(
            walk(&pdu(&[]), usize::MAX),
            (vec![], None),
            "a P-DATA-TF without a value"
        );
    }

    proptest! {
        /// However a data set is cut into values, and values into PDUs, and PDUs into reads: it arrives.
        #[test]
        fn every_fragmentation_of_a_data_set_is_the_same_data_set(
            data in proptest::collection::vec(any::<u8>(), 0..2000),
            cuts in proptest::collection::vec(0usize..300, 0..40),
            in_a_pdu in 1usize..5,
            at_most in 1usize..700,
        ) {
            let mut rest = &data[..];
            let mut fragments = Vec::new();
            for cut in cuts {
                let (front, back) = rest.split_at(cut.min(rest.len()));
                fragments.push(pdv(3, 0, front));
                rest = back;
            }
            fragments.push(pdv(3, 2, rest));
            let bytes: Vec<u8> = fragments.chunks(in_a_pdu).map(pdu).collect::<Vec<_>>().concat();
            let (pieces, error) = walk(&bytes, at_most);
            prop_assert_eq!(error, None);
            prop_assert!(pieces.iter().all(|(p, _)| p.context == 3 && !p.command));
            prop_assert_eq!(pieces.iter().filter(|(p, _)| p.ends).count(), 1);
            prop_assert!(pieces.last().unwrap().0.ends);
            prop_assert_eq!(pieces.into_iter().flat_map(|(_, payload)| payload).collect::<Vec<_>>(), data);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300), at_most in 1usize..50) {
            let _ = walk(&[&[4, 0, 0, 0, 0, 200][..], &bytes].concat(), at_most);
        }
    }
}
