//! Whether a requestor gets its association, and which of its presentation contexts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dicom_dictionary_std::uids;

use super::Scp;
use crate::dicom::commitment;
use crate::dicom::dial::resolve;
use crate::dicom::negotiation::negotiate;
use crate::dicom::upper_layer::{Acceptance, AssociateRq, ContextResult, Rejection};
use crate::model::{AeTitle, CalledAeTitle, CallingAeTitle, Origin, Stream};
use crate::scp::access::Denied;
use crate::scp::event::No;
use crate::scp::places::{Associated, Connected};

/// The time that the name of a destination may take, while the requestor waits for the answer to its association.
const RESOLVE: Duration = Duration::from_secs(5);

impl Scp {
    /// Whether the peer gets its association: the caller is judged before anything it calls is looked at. Without a stream
    /// it may answer what it was asked, and nothing else.
    pub(super) fn decide(
        &self,
        request: &AssociateRq,
        address: IpAddr,
        number: u64,
        connected: &Connected,
    ) -> Result<(Associated, Option<Stream>, Origin), No> {
        if self.closing.is_raised() {
            return Err(No::because(Rejection::CONGESTION, "this node is stopping"));
        }
        let calling = AeTitle::parse(&request.calling)
            .map_err(|e| No::because(Rejection::CALLING_AE_TITLE, format!("calling AE title: {e}")))?;
        // A called AE title that is none is one that nobody has: strangers are told nothing else either.
        let called = AeTitle::parse(&request.called).ok();
        let stream = called
            .as_ref()
            .and_then(|title| self.streams.borrow().get(title).cloned());
        let judged = self
            .access
            .judge(&calling, address, stream.as_ref().map(|s| &s.ae_title))
            .map_err(|denied| No::because(Rejection::from(&denied), denied));
        if judged.is_err()
            && let Some(called) = called.filter(|title| self.answers_us(&calling, address, title))
        {
            let place = connected
                .associate()
                .map_err(|full| No::because(Rejection::LOCAL_LIMIT, full))?;
            return Ok((place, None, origin(called, calling, address, number)));
        }
        judged?;
        let stream = stream.ok_or_else(|| No::because(Rejection::CALLED_AE_TITLE, Denied::Called))?;
        if !self.stage.has_room() {
            return Err(No::because(
                Rejection::CONGESTION,
                "the disk is down to its reserve",
            ));
        }
        match self.stage.is_queue_full(&stream.ae_title) {
            Ok(false) => {}
            Ok(true) => {
                let why = "as many jobs of this AE title wait as may";
                return Err(No::because(Rejection::CONGESTION, why));
            }
            Err(error) => return Err(No::because(Rejection::CONGESTION, error)),
        }
        let place = connected
            .associate()
            .map_err(|full| No::because(Rejection::LOCAL_LIMIT, full))?;
        let origin = origin(stream.ae_title.clone(), calling, address, number);
        Ok((place, Some(stream), origin))
    }

    /// Whether that is a destination that we ask for storage commitment, calling us by the title that we call it with, from
    /// where we call it.
    fn answers_us(&self, calling: &AeTitle, address: IpAddr, called: &AeTitle) -> bool {
        let mut asked = self.commitments.asked();
        asked.any(|remote| {
            // A name that has no address at the moment is nobody's.
            let is_there = |a: SocketAddr| a.ip().to_canonical() == address;
            remote.ae_title == *calling
                && remote.calling == *called
                && resolve(&remote.address, RESOLVE).is_ok_and(|all| all.into_iter().any(is_there))
        })
    }

    /// Private classes are Storage where the configuration or the requestor says so.
    pub(super) fn negotiate(&self, request: &AssociateRq, answers_only: bool) -> Vec<Acceptance> {
        let private = &self.config.private_sop_classes;
        let mut judged = negotiate(&request.contexts, |class: &str| {
            private.iter().any(|p| p.as_str() == class)
                || request.user.storage_classes.iter().any(|c| c == class)
        });
        let answers = [uids::VERIFICATION, commitment::SOP_CLASS];
        for context in judged.iter_mut().filter(|_| answers_only) {
            if !answers.contains(&context.abstract_syntax.as_str()) {
                context.result = ContextResult::AbstractSyntaxNotSupported;
            }
        }
        judged
    }
}

const fn origin(called: AeTitle, calling: AeTitle, address: IpAddr, association: u64) -> Origin {
    Origin {
        called: CalledAeTitle(called),
        calling: CallingAeTitle(calling),
        address,
        association,
    }
}
