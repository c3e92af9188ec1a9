//! Somebody who looks at the node all the time, through its API.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::super::chance::Chance;
use super::site::{Live, Site};
use crate::support::wait::wait_until;

/// The whole list of jobs is read this often; something small in between.
const LIST: Duration = Duration::from_millis(500);

/// Reads until all is over. An answer that fails while the node lives is a finding.
pub fn look(site: &Site, chance: &mut Chance) {
    let mut listed = None;
    let mut jobs = Vec::new();
    let _ = wait_until(Duration::from_secs(24 * 3600), "the end", || {
        if let Some(live) = site.live() {
            let is_due = listed.is_none_or(|at: Instant| at.elapsed() >= LIST);
            let read = if is_due {
                listed = Some(Instant::now());
                list(site, &live).map(|ids| jobs = ids)
            } else {
                read(&live, &jobs, chance)
            };
            match read {
                Ok(()) => {
                    site.reads.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) if site.is_still(&live) => {
                    site.found(format!("the API did not answer though the node lived: {error:#}"));
                }
                Err(_) => {}
            }
        }
        site.is_over().then_some(())
    });
}

/// The list of all jobs, page by page; answers their ids.
fn list(site: &Site, live: &Live) -> Result<Vec<String>> {
    let jobs = live.api.jobs()?;
    let over = jobs.iter().filter(|job| job.is_over()).count();
    *site.jobs.lock().unwrap() = (jobs.len() - over, over);
    site.lists.fetch_add(1, Ordering::SeqCst);
    Ok(jobs.into_iter().map(|job| job.id).collect())
}

fn read(live: &Live, jobs: &[String], chance: &mut Chance) -> Result<()> {
    let api = &live.api;
    let job = (!jobs.is_empty()).then(|| &jobs[chance.within(0..jobs.len() as u64) as usize]);
    match (chance.within(0..6), job) {
        (0, _) => api.metrics().map(drop),
        (1, _) => api.get::<Value>("/api/v1/associations").map(drop),
        (2, _) => api.get::<Value>("/api/v1/buckets").map(drop),
        (3, Some(job)) => api.log(job).map(drop),
        (_, Some(job)) => api.job(job).map(drop),
        (_, None) => Ok(()),
    }
}
