//! The rules of the image around the scripts.

use bytesize::ByteSize;

use super::{LintFinding, Place, Seen};
use crate::bucket::inside;
use crate::bucket::manifest::Manifest;

/// From this size on, an image takes minutes to be sent and installed, in bytes.
const LARGE: u64 = 8_000_000_000;

pub(super) fn judge(
    seen: &Seen,
    manifest: Option<&Manifest>,
    engine: Option<&str>,
    found: &mut Vec<LintFinding>,
) {
    if seen.has_sh == Some(false) {
        found.push(
            LintFinding::error("no-shell", "the image has no /bin/sh: no run can begin")
                .help("begin with an image that has a shell: FROM debian:bookworm-slim"),
        );
    }
    if let Some(user) = manifest.and_then(|m| m.settings.user.as_deref()) {
        user_may_work(seen, user, found);
    }
    if let (Some(own), Some(engine)) = (seen.architecture.as_deref(), engine)
        && !own.is_empty()
        && own != engine
    {
        found.push(
            LintFinding::warning(
                "architecture",
                format!("the image is for {own}, this machine is {engine}"),
            )
            .help(format!(
                "build it for the node's machines: docker build --platform linux/{engine}"
            )),
        );
    }
    if let Some(size) = seen.size.filter(|size| *size > LARGE) {
        found.push(
            LintFinding::warning("size", format!("the image has {}", ByteSize::b(size).display().si()))
                .help("it takes long to send and to install: remove what only the build needs, in the step that brings it"),
        );
    }
}

/// `/root` is often closed to everybody else, and nobody but root has its way through all the same.
fn user_may_work(seen: &Seen, user: &str, found: &mut Vec<LintFinding>) {
    let root = |part: Option<&str>| part.and_then(|n| n.parse::<u32>().ok()) == Some(0);
    let mut parts = user.split(':');
    if root(parts.next()) {
        return;
    }
    let bits = |mode: u32| {
        if root(user.split(':').nth(1)) {
            (mode >> 3 | mode) & 7
        } else {
            mode & 7
        }
    };
    if seen.root_mode.is_some_and(|mode| bits(mode) & 1 == 0) {
        found.push(
            LintFinding::error(
                "user-root",
                format!("user {user} may not enter /root: work.sh cannot be run"),
            )
            .help("RUN chmod 755 /root in the Dockerfile, or take user out of info.json")
            .at(Place::whole(inside::INFO_JSON)),
        );
    }
    let closed = |mode: u32| mode & 0o111 != 0 && bits(mode) & 5 != 5;
    if seen
        .work
        .as_ref()
        .is_some_and(|work| work.is_file && closed(work.mode))
    {
        found.push(
            LintFinding::error("user-work", format!("user {user} may not read and run work.sh"))
                .help("chmod 755 work.sh")
                .at(Place::whole(inside::WORK_SH)),
        );
    }
}
