//! The addresses of the original node, for the clients that people have (spec folder, magickbox-http.md): they look at no
//! status, give up after a second, and put what they are told unescaped into URLs and names of files.
//!
//! ```text
//! scratch.rs  the list of jobs: getScratch
//! buckets.rs  getInstalledBuckets, getStatus
//! upload.rs   processZip: a form, spooled
//! form.rs     multipart/form-data
//! download.rs getOutputZip, processing.log: from any byte on
//! zip/        zips that are written while they are sent
//! delete.rs   deleteStudy
//! routing.rs  saveRouting
//! pages.rs    the rest of the original's pages
//! ```

mod buckets;
mod delete;
mod download;
mod form;
mod pages;
mod routing;
mod scratch;
mod upload;
mod zip;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::model::{Job, JobId};

use super::Context;
use super::api::ask;
use super::problem::Problem;

#[cfg(feature = "fuzzing")]
pub use form::parts;
pub use scratch::Scratch;

/// What the name of a job's directory begins with.
const PREFIX: &str = "tmp.";

pub fn router() -> Router<Context> {
    let php = Router::new()
        .route("/getInstalledBuckets.php", get(buckets::installed))
        .route("/getStatus.php", get(buckets::status))
        .route(
            "/processZip.php",
            post(upload::process).layer(DefaultBodyLimit::disable()),
        )
        .route("/getScratch.php", get(scratch::list))
        .route("/getOutputZip.php", get(download::zip))
        .route("/deleteStudy.php", get(delete::delete).head(delete::only_get))
        .route("/getArchive.php", get(pages::archive))
        .route("/timing.php", get(pages::timing))
        .route("/db.php", get(pages::measures))
        .route("/getRoutingLog.php", get(pages::routing_log))
        .route("/saveRouting.php", post(routing::save));
    Router::new()
        .nest("/code/php", php)
        .route("/scratch/{scratchdir}/processing.log", get(download::log))
}

/// The name of a job's directory: letters, digits, `.`, `_`, `-`.
pub fn scratchdir(job: &JobId) -> String {
    format!("{PREFIX}{job}")
}

/// The job of a directory's name.
fn job_of(scratchdir: &str) -> Result<JobId, Problem> {
    scratchdir
        .strip_prefix(PREFIX)
        .and_then(|name| JobId::parse(name).ok())
        .ok_or_else(|| Problem::bad_request("this is no scratchdir: give one that getScratch.php lists"))
}

/// The job that a query names with that key, written in whatever way the handler reads it.
pub fn job_in(query: &str, key: &str) -> Option<JobId> {
    let decoded = |text| percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| decoded(name) == key)?;
    job_of(&decoded(value)).ok()
}

/// The job that a query names with that key by a path that ends in its directory, as `db.php` takes it.
pub fn job_at_the_end(query: &str, key: &str) -> Option<JobId> {
    let decoded = |text| percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| decoded(name) == key)?;
    job_of(decoded(value).trim_end_matches('/').rsplit('/').next()?).ok()
}

/// The job of a directory's name, as [`job_in`].
pub fn job_named(scratchdir: &str) -> Option<JobId> {
    job_of(scratchdir).ok()
}

/// The job of a directory's name, if its files are there.
async fn known(context: &Context, scratchdir: &str) -> Result<Job, Problem> {
    let (id, store) = (job_of(scratchdir)?, context.store.clone());
    let found = ask(move || store.job(&id)).await?;
    let there = |job: &Job| job.removed_at.is_none() && job.removed_why.is_none();
    found
        .filter(there)
        .ok_or_else(|| Problem::not_found("there is no such scratchdir (any more)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn a_directory_is_a_job_and_nothing_else() {
        let job = JobId::generate(Timestamp::now());
        let name = scratchdir(&job);
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        assert!(name.chars().all(plain), "{name}");
        assert_eq!(job_of(&name).unwrap(), job);
        for bad in [
            "", "tmp.", "tmp...", "tmp./x", "../tmp.x", "tmp.x/..", "tmp.a b", "x", "tmp.x\0",
        ] {
            assert!(job_of(bad).is_err(), "{bad:?}");
        }
    }
}
