//! The account of what should be gone.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::account::below;
use super::site::Site;
use super::table::{Part, Row};
use crate::support::api::Job;
use crate::support::node::labelled_containers;
use crate::support::under_test::{MAGICKBOX, TestNode, run};

/// Nothing is left of what is over.
pub fn left(site: &Site, node: &TestNode, jobs: &[Job]) -> Part {
    let ids: BTreeSet<_> = jobs.iter().map(|job| job.id.as_str()).collect();
    let containers = labelled_containers()
        .into_iter()
        .filter(|(_, job)| ids.contains(job.as_str()));
    let containers: Vec<_> = containers
        .map(|(container, job)| format!("container {container} of job {job}"))
        .collect();
    let files = below(&node.data());
    let is_part = |path: &&PathBuf| path.extension().is_some_and(|e| e == "part");
    let named = |path: &PathBuf| path.display().to_string();
    let parts: Vec<_> = files.iter().filter(is_part).map(named).collect();
    // A job that was cancelled before it was laid out has its objects there still.
    let cancelled = jobs
        .iter()
        .filter(|job| job.state == "cancelled")
        .map(|job| job.id.as_str());
    let cancelled: BTreeSet<_> = cancelled.collect();
    let incoming = |path: &&PathBuf| {
        let mut names = path
            .iter()
            .filter_map(|name| name.to_str())
            .skip_while(|name| *name != "incoming");
        names.next().is_some() && names.next().is_some_and(|set| !cancelled.contains(set))
    };
    let incoming: Vec<_> = files.iter().filter(incoming).map(named).collect();
    let verified = run(MAGICKBOX, &["verify", "--data", node.data().to_str().unwrap()]);
    let is_clean = verified.code == Some(0);
    if !is_clean {
        site.found(format!(
            "magickbox verify: {}{}",
            verified.stdout, verified.stderr
        ));
    }
    let rows = vec![
        Row::equal("containers", 0, containers.len()),
        Row::equal("halves (*.part)", 0, parts.len()),
        Row::equal("objects in incoming", 0, incoming.len()),
        Row {
            what: "magickbox verify",
            wanted: "clean".to_owned(),
            found: if is_clean { "clean" } else { "not clean" }.to_owned(),
            is_met: is_clean,
        },
    ];
    containers
        .into_iter()
        .chain(parts)
        .chain(incoming)
        .for_each(|left| site.found(format!("left: {left}")));
    Part {
        title: "what is left",
        rows,
    }
}
