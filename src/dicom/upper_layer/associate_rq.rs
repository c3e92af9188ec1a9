//! A-ASSOCIATE-RQ (PS3.8 §9.3.2), read the tolerant way: unknown items are skipped, padding is no value, only bit 0
//! of the protocol version counts. dicom-ul 0.10 is stricter than the standard here.

use super::error::Error;
use super::pdu::AbortReason;
use super::user_information::UserInformation;

/// What a peer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociateRq {
    /// Bit 0 is version 1, the only one there is.
    pub protocol_version: u16,
    /// Called AE title, as sent.
    pub called: String,
    /// Calling AE title, as sent.
    pub calling: String,
    /// Both titles and the 32 reserved bytes behind them, as sent: they go back as they came (PS3.8 §9.3.3).
    pub titles: [u8; 64],
    /// Application context name.
    pub application_context: String,
    /// Proposed presentation contexts, in the order of the PDU.
    pub contexts: Vec<ProposedContext>,
    /// What the peer says of itself.
    pub user: UserInformation,
}

/// One proposed presentation context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedContext {
    /// Odd, 1 to 255.
    pub id: u8,
    /// Abstract syntax: a SOP class.
    pub abstract_syntax: String,
    /// Transfer syntaxes in the peer's order.
    pub transfer_syntaxes: Vec<String>,
}

impl AssociateRq {
    /// Reads the PDU's body, what follows its 6 bytes of header.
    ///
    /// # Errors
    /// [`Error::Protocol`] with the reason for the A-ABORT.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let fixed = body
            .get(..68)
            .ok_or_else(|| invalid("an A-ASSOCIATE-RQ shorter than its fixed fields"))?;
        let (version, rest) = fixed.split_at(2);
        let text = |bytes: Option<&[u8]>| printable(bytes.unwrap_or_default());
        let mut request = Self {
            protocol_version: version.try_into().map_or(0, u16::from_be_bytes),
            called: text(rest.get(2..18)),
            calling: text(rest.get(18..34)),
            titles: rest.get(2..).and_then(|t| t.try_into().ok()).unwrap_or([0; 64]),
            application_context: String::new(),
            contexts: Vec::new(),
            user: UserInformation::default(),
        };
        for item in items(body.get(68..).unwrap_or_default()) {
            match item? {
                (0x10, value) => request.application_context = uid_text(value),
                (0x20, value) => request.context(value)?,
                (0x50, value) => request.user = UserInformation::parse(value)?,
                _ => {}
            }
        }
        Ok(request)
    }

    fn context(&mut self, value: &[u8]) -> Result<(), Error> {
        let (head, rest) = value
            .split_at_checked(4)
            .ok_or_else(|| invalid("a presentation context item without its id"))?;
        let id = head.first().copied().unwrap_or(0);
        if id % 2 == 0 {
            return Err(invalid(format!("presentation context id {id} is even")));
        }
        if self.contexts.iter().any(|c| c.id == id) {
            return Err(invalid(format!("presentation context id {id} is proposed twice")));
        }
        let mut context = ProposedContext {
            id,
            abstract_syntax: String::new(),
            transfer_syntaxes: Vec::new(),
        };
        for item in items(rest) {
            match item? {
                (0x30, value) => context.abstract_syntax = uid_text(value),
                (0x40, value) => context.transfer_syntaxes.push(uid_text(value)),
                _ => {}
            }
        }
        self.contexts.push(context);
        Ok(())
    }
}

pub(super) fn invalid(detail: impl Into<String>) -> Error {
    Error::protocol(AbortReason::InvalidParameter, detail)
}

/// Items of one byte of type, one reserved, two of length (PS3.8 §9.3.1).
pub(super) fn items(mut bytes: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8]), Error>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let item = split_item(bytes);
        bytes = item.map_or(&[], |(_, _, rest)| rest);
        Some(
            item.map(|(kind, value, _)| (kind, value))
                .ok_or_else(|| invalid("an item runs over its end")),
        )
    })
}

fn split_item(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(4)?;
    let [kind, _, l0, l1] = head.try_into().ok()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
    Some((kind, value, rest))
}

pub(super) fn uid_text(value: &[u8]) -> String {
    printable(value).trim_end().to_owned()
}

/// Text of a PDU; padding NULs become spaces, anything else but printable ASCII U+FFFD, which no title and no UID has.
fn printable(value: &[u8]) -> String {
    let show = |b: &u8| match b {
        0 => ' ',
        b' '..=b'~' => char::from(*b),
        _ => '\u{FFFD}',
    };
    value.iter().map(show).collect()
}
