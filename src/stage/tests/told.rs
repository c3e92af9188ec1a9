//! What an association brought is told to the audit trail.

use std::collections::BTreeSet;

use super::bench::answer_of;
use super::*;
use crate::stage::receipts::MOST_STUDIES;
use crate::store::AuditRow;

/// The events so far, whole.
fn told(bench: &Bench) -> Vec<AuditRow> {
    // What was told before is written before.
    bench.store.audit_collected(0).wait().unwrap();
    bench.store.audit_uncollected(10_000).unwrap().0
}

#[test]
fn an_association_with_any_number_of_studies_remembers_some_and_tells_of_all() {
    let bench = Bench::new(Durability::None);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let studies: BTreeSet<_> = (0..MOST_STUDIES + 3).map(|n| format!("1.4.{n}")).collect();
    for (n, study) in studies.iter().enumerate() {
        answer_of(study, &mut receiver, &format!("1.9.{n}"), b"x").unwrap();
    }
    receiver.settle_all();
    assert_eq!(told(&bench).len(), MOST_STUDIES);
    receiver.finish().unwrap();
    let of: BTreeSet<_> = told(&bench)
        .into_iter()
        .flat_map(|row| row.event.study.into_iter().map(|study| study.uid))
        .collect();
    assert_eq!(of, studies);
    assert_eq!(told(&bench).len(), studies.len());
}
