//! Who may call: the decision, pure.

use std::net::IpAddr;

use crate::dicom::upper_layer::Rejection;
use crate::model::{AddressRange, AeTitle, Caller};

/// Who may call, by the configuration.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// Peers there may call with any AE title.
    pub networks: Vec<AddressRange>,
    /// Peers that are named.
    pub callers: Vec<Caller>,
}

/// Why somebody may not; the text says what to change so that he may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// Nothing in the configuration allows this caller.
    #[error(
        "nobody said that {calling} may call from {address}: to allow it, add a [[caller]] \
         with ae_title = {:?} and addresses = [\"{address}\"] to the configuration",
        calling.as_str()
    )]
    Caller {
        /// The calling AE title.
        calling: AeTitle,
        /// Where it calls from.
        address: IpAddr,
    },
    /// There is no such AE title here.
    #[error("no bucket is installed for it")]
    Called,
    /// The caller is known, but not for this AE title.
    #[error(
        "{calling} from {address} may call other AE titles, not {called}: to allow it, add {:?} to the buckets of its \
         [[caller]] in the configuration",
        called.as_str()
    )]
    Bucket {
        /// The calling AE title.
        calling: AeTitle,
        /// Where it calls from.
        address: IpAddr,
        /// The AE title it called.
        called: AeTitle,
    },
}

impl From<&Denied> for Rejection {
    fn from(denied: &Denied) -> Self {
        match denied {
            Denied::Caller { .. } | Denied::Bucket { .. } => Self::CALLING_AE_TITLE,
            Denied::Called => Self::CALLED_AE_TITLE,
        }
    }
}

impl Access {
    /// Whether that caller may call that AE title; `called` is `None` where nobody here has the one it called. The caller
    /// is judged first: a stranger gets one answer, whatever it calls, and does not learn which AE titles there are.
    pub(super) fn judge(
        &self,
        calling: &AeTitle,
        address: IpAddr,
        called: Option<&AeTitle>,
    ) -> Result<(), Denied> {
        let of_network = self.networks.iter().any(|n| n.contains(address));
        let mut entries = self.callers.iter().filter(|c| c.is(calling, address)).peekable();
        if !of_network && entries.peek().is_none() {
            return Err(Denied::Caller {
                calling: calling.clone(),
                address,
            });
        }
        let called = called.ok_or(Denied::Called)?;
        if of_network || entries.any(|c| c.may_call(called)) {
            return Ok(());
        }
        Err(Denied::Bucket {
            calling: calling.clone(),
            address,
            called: called.clone(),
        })
    }

    /// Whether nobody but this machine may call.
    pub(super) fn is_this_machine_alone(&self) -> bool {
        let own = [AddressRange::LOOPBACK_V4, AddressRange::LOOPBACK_V6];
        self.callers.is_empty() && self.networks.iter().all(|n| own.contains(n))
    }

    /// AE titles that callers are allowed to call and that are not open.
    pub(super) fn missing(&self, open: impl Fn(&AeTitle) -> bool) -> Vec<&AeTitle> {
        let named = self.callers.iter().filter_map(|c| c.buckets.as_ref()).flatten();
        let mut missing: Vec<_> = named.filter(|title| !open(title)).collect();
        missing.sort();
        missing.dedup();
        missing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn title(text: &str) -> AeTitle {
        AeTitle::parse(text).unwrap()
    }

    fn range(text: &str) -> AddressRange {
        AddressRange::parse(text).unwrap()
    }

    fn caller(ae_title: Option<&str>, addresses: Option<&str>, buckets: Option<&str>) -> Caller {
        Caller {
            ae_title: ae_title.map(title),
            addresses: addresses.map(|a| vec![range(a)]),
            buckets: buckets.map(|b| vec![title(b)]),
        }
    }

    fn access() -> Access {
        Access {
            networks: vec![range("10.0.0.0/8")],
            callers: vec![
                caller(Some("ANYWHERE"), None, None),
                caller(Some("MR1"), Some("192.0.2.1"), Some("Brain")),
                caller(Some("MR1"), Some("192.0.2.1"), Some("Knee")),
                caller(None, Some("198.51.100.0/24"), Some("Brain")),
            ],
        }
    }

    #[test]
    fn each_caller_gets_its_answer() {
        let access = access();
        let open = [title("Brain"), title("Knee"), title("Lung")];
        for (calling, address, called, rejection) in [
            ("ANY", "10.1.2.3", "Lung", None),
            ("ANY", "::ffff:10.1.2.3", "Lung", None),
            ("ANY", "10.1.2.3", "Nobody", Some((1, 1, 7))),
            ("ANYWHERE", "203.0.113.5", "Lung", None),
            ("ANYWHERE", "2001:db8::5", "Lung", None),
            // Case is significant (PS3.5 §6.2).
            ("anywhere", "203.0.113.5", "Lung", Some((1, 1, 3))),
            ("MR1", "192.0.2.1", "Brain", None),
            ("MR1", "192.0.2.1", "Knee", None),
            ("MR1", "192.0.2.1", "Lung", Some((1, 1, 3))),
            ("MR1", "192.0.2.1", "Nobody", Some((1, 1, 7))),
            ("MR1", "192.0.2.2", "Brain", Some((1, 1, 3))),
            ("MR2", "192.0.2.1", "Brain", Some((1, 1, 3))),
            ("ANY", "198.51.100.9", "Brain", None),
            ("ANY", "198.51.100.9", "Knee", Some((1, 1, 3))),
            // A stranger learns nothing of what is there.
            ("STRANGER", "203.0.113.5", "Brain", Some((1, 1, 3))),
            ("STRANGER", "203.0.113.5", "Nobody", Some((1, 1, 3))),
            ("STRANGER", "127.0.0.1", "Brain", Some((1, 1, 3))),
        ] {
            let called = title(called);
            let judged = access.judge(
                &title(calling),
                address.parse().unwrap(),
                open.iter().find(|o| **o == called),
            );
            let got = judged.err().map(|denied| Rejection::from(&denied));
            assert_eq!(
                got.map(|r| (r.result, r.source, r.reason)),
                rejection,
                "{calling} from {address} calls {called}"
            );
        }
    }

    #[test]
    fn a_refusal_says_what_to_add() {
        let address = "192.0.2.9".parse().unwrap();
        let stranger = access().judge(&title("CT \"2\""), address, Some(&title("Brain")));
        let said = stranger.unwrap_err().to_string();
        assert!(
            said.contains(r#"ae_title = "CT \"2\"" and addresses = ["192.0.2.9"]"#),
            "{said}"
        );
        let known = access().judge(&title("MR1"), "192.0.2.1".parse().unwrap(), Some(&title("Lung")));
        let said = known.unwrap_err().to_string();
        assert!(said.contains(r#"add "Lung" to the buckets"#), "{said}");
    }

    #[test]
    fn buckets_that_are_named_and_not_there_are_told_once() {
        let brain = title("Brain");
        let access = access();
        assert_eq!(access.missing(|t| *t == brain), [&title("Knee")]);
        assert!(!access.is_this_machine_alone());
        let fresh = Access {
            networks: vec![AddressRange::LOOPBACK_V4, AddressRange::LOOPBACK_V6],
            callers: vec![],
        };
        assert!(fresh.is_this_machine_alone());
    }

    proptest! {
        /// What the configuration does not name is refused, with the same answer whatever is called.
        #[test]
        fn strangers_are_all_answered_alike(
            calling in "[A-Z0-9_]{1,16}", address in any::<[u8; 4]>(), called in "[A-Za-z]{1,16}", open in any::<bool>()
        ) {
            let address = IpAddr::from(address);
            let inside = ["10.0.0.0/8", "198.51.100.0/24"].iter().any(|n| range(n).contains(address));
            prop_assume!(!inside && calling != "ANYWHERE" && calling != "MR1");
            let called = title(&called);
            let denied = access().judge(&title(&calling), address, open.then_some(&called)).unwrap_err();
            prop_assert_eq!(Rejection::from(&denied), Rejection::CALLING_AE_TITLE);
            let text = denied.to_string();
            prop_assert!(!text.contains("installed"), "{}", text);
        }

        /// One more entry never shuts anybody out.
        #[test]
        fn allowing_more_refuses_nobody(
            address in any::<[u8; 4]>(), called in prop_oneof!["Brain", "Knee", "Lung"], prefix in 0_u8..=32
        ) {
            let address = IpAddr::from(address);
            let mut more = access();
            let net = ipnet::IpNet::new(address, prefix).unwrap().trunc();
            more.callers.push(caller(None, Some(&net.to_string()), None));
            let calling = title("MR1");
            prop_assert!(more.judge(&calling, address, Some(&title(&called))).is_ok());
            for known in ["192.0.2.1", "10.0.0.1", "198.51.100.1"] {
                let known = known.parse().unwrap();
                let before = access().judge(&calling, known, Some(&title(&called)));
                prop_assert!(before.is_err() || more.judge(&calling, known, Some(&title(&called))).is_ok());
            }
        }
    }
}
