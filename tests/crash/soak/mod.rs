//! All of it together and for a while: eight senders, three buckets, operators that look on, a node that is killed at
//! random moments; then a long stretch without a crash, in which whatever grows has time to. In the end the account.
//!
//! `cargo test` runs it for some seconds, `make soak` for 10 minutes. `MAGICKBOX_SEED` repeats what was drawn; what the
//! machine made of it differs.

mod books;
mod flat;
mod left;
mod operator;
mod plan;
mod results;
mod senders;
mod site;
mod table;
mod watch;

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use self::flat::Stretch;
use self::plan::Plan;
use self::senders::SENDERS;
use self::site::{GoesHome, Site};
use self::watch::Sample;
use super::chance::Chance;
use super::showed;
use crate::needs;
use crate::support::PATIENCE;
use crate::support::under_test::{TestNode, scratch};
use crate::support::wait::wait_until;

#[test]
fn a_node_under_load_that_is_killed_at_random_keeps_its_account_and_does_not_grow() {
    needs!(Docker, Dcmtk);
    let begin = Instant::now();
    let mut chance = Chance::new("soak");
    let site = Site::new(Plan::new());
    let mut node = site.node();
    let samples = Mutex::new(Vec::new());
    let files = scratch();
    let stretch = thread::scope(|scope| {
        let _home = GoesHome(&site);
        site.comes(&node, 0);
        scope.spawn(|| watch::watch(&site, &samples));
        for sender in SENDERS {
            let (site, files, mut own) = (&site, files.path(), chance.another());
            scope.spawn(move || sender.work(site, &mut own, files));
        }
        let (site, mut own) = (&site, chance.another());
        scope.spawn(move || operator::look(site, &mut own));
        let crashes = crashes(site, &mut node, &mut chance);
        steady(site, &mut node, crashes)
    });
    let mut parts = books::account(&site, &node, stretch.crashes.len());
    parts.push(stretch.judge(&samples.into_inner().unwrap()));
    let findings = std::mem::take(&mut *site.findings.lock().unwrap());
    let title = format!(
        "The account of {:.0} s: {} senders, {} buckets, {} crashes\n\
         {} associations broken off by a crash, {} reads of the API",
        begin.elapsed().as_secs_f64(),
        SENDERS.len(),
        site::STREAMS.len(),
        stretch.crashes.len(),
        site.broken_off.load(Ordering::SeqCst),
        site.reads.load(Ordering::SeqCst),
    );
    table::print(&title, &parts, &findings);
    let missed = parts.iter().flat_map(|part| &part.rows).filter(|row| !row.is_met);
    let missed: Vec<_> = missed.map(|row| row.what).collect();
    assert!(
        missed.is_empty() && findings.is_empty(),
        "missed: {missed:?}; findings above: {}",
        findings.len()
    );
    books::assert_tells(&site, &node);
    showed("soak", "the account holds, the node did not grow");
}

/// Kills the node and starts it again, at random moments; what each start had when it was ready.
fn crashes(site: &Site, node: &mut TestNode, chance: &mut Chance) -> Vec<Sample> {
    let begin = Instant::now();
    let mut starts = Vec::new();
    while begin.elapsed() < site.plan.crashes {
        pass(node, chance.time(site.plan.gap()));
        // Most of the time jobs run and senders wait; more often than not somebody has to be in the middle of a study.
        if chance.within(0..4) > 0 {
            let is_sending = || (site.sending.load(Ordering::SeqCst) > 0).then_some(());
            let _ = wait_until(Duration::from_secs(5), "an association", is_sending);
            pass(node, chance.time(Duration::ZERO..Duration::from_millis(300)));
        }
        site.goes();
        node.kill().unwrap();
        node.restart_with(&site::ALLOCATOR).unwrap();
        site.comes(node, starts.len() as u64 + 1);
        starts.extend(site.live().and_then(|live| Sample::of(&live)));
    }
    starts
}

/// The long stretch: until it is warm, idle, under load, idle again.
fn steady(site: &Site, node: &mut TestNode, crashes: Vec<Sample>) -> Stretch {
    pass(node, site.plan.warm);
    let early = idle(site, node);
    site.is_paused.store(false, Ordering::SeqCst);
    let begin = Instant::now();
    pass(node, site.plan.steady);
    let end = Instant::now();
    let late = idle(site, node);
    Stretch {
        crashes,
        early,
        loaded: begin..end,
        late,
    }
}

/// What the node has when nobody sends and all jobs are over.
fn idle(site: &Site, node: &mut TestNode) -> Sample {
    site.is_paused.store(true, Ordering::SeqCst);
    let is_over = wait_until(5 * PATIENCE, "the end of all studies", || {
        (site.busy.load(Ordering::SeqCst) == 0).then_some(())
    });
    // The next list but one was begun after that.
    let seen = site.lists.load(Ordering::SeqCst) + 2;
    let is_over = is_over.and(wait_until(5 * PATIENCE, "the end of all jobs", || {
        (site.lists.load(Ordering::SeqCst) >= seen && site.jobs.lock().unwrap().0 == 0).then_some(())
    }));
    if let Err(error) = is_over {
        site.found(format!("{error}"));
    }
    // Connections that nobody uses any more close after a while.
    let mut seen = Vec::new();
    let end = Instant::now() + Duration::from_secs(2);
    let _ = wait_until(Duration::from_secs(4), "the moment", || {
        seen.extend(site.live().and_then(|live| Sample::of(&live)));
        (Instant::now() >= end).then_some(())
    });
    assert!(!node.is_dead(), "the node died by itself");
    seen.into_iter().min_by_key(|s| (s.descriptors, s.own)).unwrap()
}

/// Lets that time pass; the node has to be there at its end.
fn pass(node: &mut TestNode, time: Duration) {
    let end = Instant::now() + time;
    let _ = wait_until(time * 2, "the moment", || (Instant::now() >= end).then_some(()));
    assert!(!node.is_dead(), "the node died by itself");
}
