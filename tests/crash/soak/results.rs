//! The account of results: what jobs sent beside what the PACS took.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::books::digests;
use super::site::Site;
use super::table::{Part, Row};
use crate::support::api::Job;

/// Each result is at the PACS once for each job that sent it; a delivery in flight at a kill may send some again.
pub fn results(site: &Site, jobs: &[Job], crashes: usize) -> Part {
    let mut sent: BTreeMap<&str, usize> = BTreeMap::new();
    let mut resumed: BTreeSet<&str> = BTreeSet::new();
    for job in jobs.iter().filter(|job| job.state == "done") {
        let results = match job.stream.as_str() {
            "Copy" => digests(&Path::new(&job.directory).join("OUTPUT")),
            "Count" => digests(&Path::new(&job.directory).join("INPUT")),
            _ => Vec::new(),
        };
        let instances: Vec<_> = job.deliveries.iter().flat_map(|d| &d.instances).collect();
        let settled = instances.iter().filter(|i| i.state == "sent").count();
        if settled != results.len() || job.deliveries.iter().any(|d| d.state != "sent") {
            site.found(format!(
                "job {}: {} results, {settled} sent: {:?}",
                job.id,
                results.len(),
                job.deliveries
            ));
        }
        for instance in instances {
            *sent.entry(&instance.sop_instance_uid).or_default() += 1;
        }
        for delivery in job.deliveries.iter().filter(|d| d.attempts > 1) {
            resumed.extend(delivery.instances.iter().map(|i| i.sop_instance_uid.as_str()));
        }
    }
    let taken = site.pacs.taken();
    let acknowledged = site.acknowledged.lock().unwrap();
    let (mut well, mut again) = (0, 0);
    for (uid, times) in &sent {
        let copies = taken.get(*uid).map_or(&[][..], Vec::as_slice);
        let is_same = copies
            .iter()
            .all(|copy| acknowledged.get(*uid).is_some_and(|a| a.digest == *copy));
        let more = copies.len().saturating_sub(*times);
        again += more;
        if !is_same || copies.len() < *times || (more > 0 && !resumed.contains(uid)) {
            site.found(format!(
                "result {uid} was sent {times} times; the PACS has it {} times",
                copies.len()
            ));
        } else {
            well += 1;
        }
    }
    let strangers = taken.keys().filter(|uid| !sent.contains_key(uid.as_str()));
    strangers.for_each(|uid| site.found(format!("the PACS has {uid}, which no job sent")));
    let longest = jobs.iter().flat_map(|j| &j.deliveries).filter(|d| d.attempts > 1);
    let longest = longest.map(|d| d.instances.len()).max().unwrap_or(0);
    let rows = vec![
        Row::equal("at the PACS once for each job that sent them", sent.len(), well),
        Row::equal("different ones sent, taken by the PACS", sent.len(), taken.len()),
        Row::at_most(
            "sent again, of deliveries in flight at a kill",
            (crashes * longest) as f64,
            again as f64,
            "",
        ),
    ];
    Part {
        title: "results",
        rows,
    }
}
