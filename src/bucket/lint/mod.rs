//! What a node would refuse of a bucket, and what will hurt later.
//!
//! ```text
//! finding.rs  one finding, with its place
//! seen.rs     what there is to judge: an image of an engine, a tree read from a tar, a bucket's directory
//! tree.rs     the files of an image as paths, layers laid over each other
//! tar.rs      a tar, entry by entry, within bounds
//! archive.rs  what `docker save` and `docker export` write
//! place.rs    where in a JSON text a key stands
//! info.rs     the rules of info.json
//! script.rs   the rules of work.sh and db-plugin.code
//! image.rs    the rules of the image around them
//! ```

mod archive;
mod finding;
mod image;
mod info;
mod place;
mod script;
mod seen;
mod tar;
mod tree;

pub use archive::{ArchiveError, read_archive};
pub use finding::{LintFinding, Place, Severity};
pub use seen::{Seen, Subject};

/// Every finding, errors first, each in the order of the rules.
///
/// `engine`: the architecture of the machine it will run on, if that is known.
#[must_use]
pub fn lint(seen: &Seen, engine: Option<&str>) -> Vec<LintFinding> {
    let mut found = Vec::new();
    let manifest = info::judge(seen, &mut found);
    script::judge(seen, manifest.as_ref(), &mut found);
    image::judge(seen, manifest.as_ref(), engine, &mut found);
    found.sort_by_key(|finding| finding.severity);
    found
}
