//! The user information item (PS3.8 Annex D, PS3.7 §D.3.3): what a requestor says of itself, and what we answer.
//!
//! Nothing is answered that was not asked. Unknown sub-items are skipped; one that breaks its own lengths is an invalid
//! PDU.

use dicom_ul::pdu::UserVariableItem;

use dicom_dictionary_std::uids;

use super::associate_rq::{invalid, items, uid_text};
use super::error::Error;
use crate::dicom::identity;

/// Types of sub-items.
mod item {
    pub const MAXIMUM_LENGTH: u8 = 0x51;
    pub const IMPLEMENTATION_CLASS_UID: u8 = 0x52;
    pub const ASYNCHRONOUS_OPERATIONS_WINDOW: u8 = 0x53;
    pub const ROLE_SELECTION: u8 = 0x54;
    pub const IMPLEMENTATION_VERSION_NAME: u8 = 0x55;
    pub const SOP_CLASS_EXTENDED_NEGOTIATION: u8 = 0x56;
    pub const SOP_CLASS_COMMON_EXTENDED_NEGOTIATION: u8 = 0x57;
    pub const USER_IDENTITY: u8 = 0x58;
    pub const USER_IDENTITY_RESPONSE: u8 = 0x59;
}

/// The Storage service class (PS3.4 Annex B), as named in common extended negotiation.
const STORAGE_SERVICE_CLASS: &str = "1.2.840.10008.4.2";

/// What we answer to the extended negotiation of a Storage SOP class (PS3.4 §B.3.1): level 2 (full), digital signature
/// level 3 (bit preserving), no element is coerced.
const STORAGE_INFORMATION: [u8; 6] = [2, 0, 3, 0, 0, 0];

/// What a requestor says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserInformation {
    /// Maximum length it receives, in bytes; 0: no limit (PS3.8 §D.1).
    pub maximum_length: u32,
    /// Its implementation (PS3.7 §D.3.3.2); empty when it does not say.
    pub implementation_class_uid: String,
    /// Its version (PS3.7 §D.3.3.2); empty when it does not say.
    pub implementation_version_name: String,
    /// Operations it would invoke and perform at once; 0: no limit (PS3.7 §D.3.3.3).
    pub asynchronous: Option<(u16, u16)>,
    /// Roles it proposes (PS3.7 §D.3.3.4).
    pub roles: Vec<Role>,
    /// SOP classes it wants to negotiate further (PS3.7 §D.3.3.5).
    pub extended: Vec<String>,
    /// SOP classes that it declares to be of the Storage service class (PS3.7 §D.3.3.6).
    pub storage_classes: Vec<String>,
    /// Whether it identifies its user and wants that answered (PS3.7 §D.3.3.7). The identity itself is not kept.
    pub identity_response_requested: bool,
}

/// The roles a requestor proposes for one SOP class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The SOP class.
    pub sop_class: String,
    /// It would use the service.
    pub scu: bool,
    /// It would offer the service.
    pub scp: bool,
}

impl UserInformation {
    /// Reads the item's value.
    ///
    /// # Errors
    /// [`Error::Protocol`] for a sub-item that breaks its own lengths.
    pub(super) fn parse(value: &[u8]) -> Result<Self, Error> {
        let mut user = Self::default();
        for sub_item in items(value) {
            let (kind, value) = sub_item?;
            match kind {
                item::MAXIMUM_LENGTH => user.maximum_length = u32::from_be_bytes(exactly(kind, value)?),
                item::IMPLEMENTATION_CLASS_UID => user.implementation_class_uid = uid_text(value),
                item::IMPLEMENTATION_VERSION_NAME => user.implementation_version_name = uid_text(value),
                item::ASYNCHRONOUS_OPERATIONS_WINDOW => {
                    let [i0, i1, p0, p1] = exactly(kind, value)?;
                    user.asynchronous = Some((u16::from_be_bytes([i0, i1]), u16::from_be_bytes([p0, p1])));
                }
                item::ROLE_SELECTION => user.roles.push(role(kind, value)?),
                item::SOP_CLASS_EXTENDED_NEGOTIATION => user.extended.push(split_text(kind, value)?.0),
                item::SOP_CLASS_COMMON_EXTENDED_NEGOTIATION => {
                    let (sop_class, rest) = split_text(kind, value)?;
                    if split_text(kind, rest)?.0 == STORAGE_SERVICE_CLASS {
                        user.storage_classes.push(sop_class);
                    }
                }
                item::USER_IDENTITY => user.identity_response_requested = identity_asks(kind, value)?,
                _ => {}
            }
        }
        Ok(user)
    }

    /// Whether the requestor's only proposed role for a SOP class is one that we cannot meet: to offer a service that we do
    /// not use.
    #[must_use]
    pub fn wants_us_as_scu_only(&self, sop_class: &str) -> bool {
        !is_used(sop_class) && self.roles.iter().any(|r| r.sop_class == sop_class && !r.scu)
    }

    /// The sub-items of our answer, for a window of `operations` at most; `is_storage` tells whose extended
    /// negotiation we can answer.
    pub(super) fn answer(
        &self,
        maximum_length: u32,
        operations: u16,
        is_storage: impl Fn(&str) -> bool,
    ) -> Vec<UserVariableItem> {
        let mut answer = ourselves(maximum_length);
        if let Some((invoked, _)) = self.asynchronous {
            // What the requestor may have outstanding with us; and one the other way, which we never use.
            let window = if invoked == 0 {
                operations
            } else {
                invoked.min(operations)
            };
            let value = [window.to_be_bytes(), 1u16.to_be_bytes()].concat();
            answer.push(UserVariableItem::Unknown(
                item::ASYNCHRONOUS_OPERATIONS_WINDOW,
                value,
            ));
        }
        for role in &self.roles {
            let scp = role.scp && is_used(&role.sop_class);
            answer.push(role_item(&Role { scp, ..role.clone() }));
        }
        for sop_class in self.extended.iter().filter(|c| is_storage(c)) {
            let value = [length_and(sop_class), STORAGE_INFORMATION.to_vec()].concat();
            answer.push(UserVariableItem::Unknown(
                item::SOP_CLASS_EXTENDED_NEGOTIATION,
                value,
            ));
        }
        if self.identity_response_requested {
            // We take every identity and ask nobody about it: an empty server response (PS3.7 §D.3.3.7.2).
            answer.push(UserVariableItem::Unknown(
                item::USER_IDENTITY_RESPONSE,
                vec![0, 0],
            ));
        }
        answer
    }
}

/// Whether we use a service that a requestor offers: peers that were asked for storage commitment answer on associations
/// of their own (PS3.4 §J.3.3).
fn is_used(sop_class: &str) -> bool {
    sop_class == uids::STORAGE_COMMITMENT_PUSH_MODEL
}

/// Roles, as proposed or as accepted.
pub(super) fn role_item(role: &Role) -> UserVariableItem {
    let roles = vec![u8::from(role.scu), u8::from(role.scp)];
    UserVariableItem::Unknown(
        item::ROLE_SELECTION,
        [length_and(&role.sop_class), roles].concat(),
    )
}

/// What we say of ourselves, in request and acceptance.
pub(super) fn ourselves(maximum_length: u32) -> Vec<UserVariableItem> {
    vec![
        UserVariableItem::MaxLength(maximum_length),
        UserVariableItem::ImplementationClassUID(identity::IMPLEMENTATION_CLASS_UID.to_owned()),
        UserVariableItem::ImplementationVersionName(identity::IMPLEMENTATION_VERSION_NAME.to_owned()),
    ]
}

fn broken(kind: u8) -> Error {
    invalid(format!(
        "a user information sub-item {kind:02X} of a wrong length"
    ))
}

fn exactly<const N: usize>(kind: u8, value: &[u8]) -> Result<[u8; N], Error> {
    value.try_into().map_err(|_| broken(kind))
}

/// A text behind its 2-byte length, and what follows.
fn split_text(kind: u8, value: &[u8]) -> Result<(String, &[u8]), Error> {
    let (length, rest) = value.split_first_chunk::<2>().ok_or_else(|| broken(kind))?;
    let (text, rest) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(*length)))
        .ok_or_else(|| broken(kind))?;
    Ok((uid_text(text), rest))
}

fn length_and(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(0);
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

fn role(kind: u8, value: &[u8]) -> Result<Role, Error> {
    let (sop_class, roles) = split_text(kind, value)?;
    let [scu, scp] = exactly(kind, roles)?;
    Ok(Role {
        sop_class,
        scu: scu == 1,
        scp: scp == 1,
    })
}

/// Type, whether an answer is wanted, and two fields each behind its length (PS3.7 §D.3.3.7.1).
fn identity_asks(kind: u8, value: &[u8]) -> Result<bool, Error> {
    let ([_, asked], fields) = value.split_first_chunk::<2>().ok_or_else(|| broken(kind))?;
    let (_, rest) = split_text(kind, fields)?;
    split_text(kind, rest)?;
    Ok(*asked == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MR: &str = "1.2.840.10008.5.1.4.1.1.4";

    fn sub_item(kind: u8, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).unwrap();
        [&[kind, 0][..], &length.to_be_bytes(), value].concat()
    }

    /// The answer's sub-items beyond what we say of ourselves.
    fn answered(request: &[Vec<u8>]) -> Vec<(u8, Vec<u8>)> {
        let user = UserInformation::parse(&request.concat()).unwrap();
        let answer = user.answer(16384, 16, |class| class == MR);
        answer
            .into_iter()
            .filter_map(|item| match item {
                UserVariableItem::Unknown(kind, value) => Some((kind, value)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn what_is_not_asked_is_not_answered() {
        assert_eq!(answered(&[sub_item(0x51, &[0, 0, 64, 0])]), []);
        assert_eq!(answered(&[sub_item(0x7E, b"news of later editions")]), []);
    }

    #[test]
    fn the_window_is_no_larger_than_proposed_nor_than_ours() {
        for (proposed, expected) in [
            ([0, 0, 0, 0], 16u8),
            ([0, 1, 0, 1], 1),
            ([0, 9, 0, 0], 9),
            ([1, 0, 0, 5], 16),
        ] {
            assert_eq!(
                answered(&[sub_item(0x53, &proposed)]),
                [(0x53, vec![0, expected, 0, 1])],
                "{proposed:?}"
            );
        }
    }

    #[test]
    fn of_two_roles_we_meet_the_users() {
        for (roles, expected) in [([1, 0], [1, 0]), ([1, 1], [1, 0]), ([0, 1], [0, 0])] {
            let item = |roles: [u8; 2]| [length_and(MR), roles.to_vec()].concat();
            assert_eq!(
                answered(&[sub_item(0x54, &item(roles))]),
                [(0x54, item(expected))],
                "{roles:?}"
            );
        }
        let user = UserInformation::parse(&sub_item(0x54, &[length_and(MR), vec![0, 1]].concat())).unwrap();
        assert!(user.wants_us_as_scu_only(MR) && !user.wants_us_as_scu_only("1.2"));
    }

    #[test]
    fn whoever_was_asked_for_storage_commitment_may_offer_it() {
        let class = uids::STORAGE_COMMITMENT_PUSH_MODEL;
        for roles in [[1, 0], [1, 1], [0, 1]] {
            let item = [length_and(class), roles.to_vec()].concat();
            assert_eq!(
                answered(&[sub_item(0x54, &item)]),
                [(0x54, item.clone())],
                "{roles:?}"
            );
            let user = UserInformation::parse(&sub_item(0x54, &item)).unwrap();
            assert!(!user.wants_us_as_scu_only(class));
        }
    }

    #[test]
    fn extended_negotiation_of_storage_is_answered_and_the_common_one_heard() {
        let extended = |class: &str| sub_item(0x56, &[length_and(class), vec![2, 0, 0, 0, 0, 0]].concat());
        let expected = [length_and(MR), STORAGE_INFORMATION.to_vec()].concat();
        assert_eq!(answered(&[extended(MR), extended("1.2.3")]), [(0x56, expected)]);
        let common = |service: &str| {
            sub_item(
                0x57,
                &[length_and("1.2.3.4"), length_and(service), vec![0, 0]].concat(),
            )
        };
        let of = |bytes: &[u8]| UserInformation::parse(bytes).unwrap().storage_classes;
        assert_eq!(of(&common(STORAGE_SERVICE_CLASS)), ["1.2.3.4"]);
        assert_eq!(of(&common("1.2.840.10008.4.1")), Vec::<String>::new());
    }

    #[test]
    fn an_identity_is_answered_only_where_an_answer_was_asked_for() {
        let identity = |asked: u8| {
            sub_item(
                0x58,
                &[vec![1, asked], length_and("somebody"), vec![0, 0]].concat(),
            )
        };
        assert_eq!(answered(&[identity(0)]), []);
        assert_eq!(answered(&[identity(1)]), [(0x59, vec![0, 0])]);
    }

    #[test]
    fn sub_items_that_break_their_lengths_are_refused() {
        for broken in [
            sub_item(0x51, &[0, 0, 64]),
            sub_item(0x53, &[0, 1]),
            sub_item(0x54, &[0, 9, b'1']),
            sub_item(0x54, &[0, 1, b'1', 1]),
            sub_item(0x56, &[0]),
            sub_item(0x57, &[0, 1, b'1', 0]),
            sub_item(0x58, &[1, 1, 0, 5, b'x']),
            vec![0x51, 0, 0, 9, 0],
        ] {
            assert!(UserInformation::parse(&broken).is_err(), "{broken:?}");
        }
    }
}
