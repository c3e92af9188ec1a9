//! Whose studies an answer of many jobs gives out.

use super::super::given::GivenOut;
use super::*;
use crate::store::MeasuresFilter;

fn uids(given: &GivenOut) -> Vec<&str> {
    given.named.iter().map(|(_, study)| study.uid.as_str()).collect()
}

#[test]
fn the_newest_studies_with_results_are_named_with_their_patients_and_the_rest_is_counted() {
    let trail = trail();
    trail
        .sql(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 150) \
             INSERT INTO jobs (id, stream, group_key, state, calling_ae_title, caller_address, study_instance_uid, \
             instances, bytes, received_at, last_object_at, ended_at, attempt) \
             SELECT 'j' || i, 'ProcT1', i, 'done', 'S', '::1', '1.' || i, 1, 1, i, i, i, 1 FROM n; \
             INSERT INTO measures (job, file, source, name, value) SELECT seq, 'f', 's', 'n', '1' FROM jobs WHERE seq <= 140; \
             INSERT INTO audit_studies SELECT seq, study_instance_uid, 'P' || seq FROM jobs WHERE seq = 140;",
        )
        .unwrap();
    let stream = AeTitle::parse("ProcT1").unwrap();
    let filter = |from, to| MeasuresFilter {
        stream: stream.clone(),
        from,
        to,
        limit: 1,
    };
    let all = trail.store.studies_measured(&filter(None, None)).unwrap();
    assert_eq!((all.studies, all.named.len()), (140, 100));
    assert_eq!(all.named[0].0, "j140");
    assert_eq!(all.named[0].1.patient_id, "P140");
    let some = trail
        .store
        .studies_measured(&filter(Some(Timestamp(3)), Some(Timestamp(5))))
        .unwrap();
    assert_eq!((some.studies, uids(&some)), (2, vec!["1.4", "1.3"]));
    assert_eq!(trail.store.studies_run(&stream).unwrap().studies, 150);
    let listed = ["j1", "j145"].map(|id| JobId::parse(id).unwrap());
    let listed = trail.store.studies_listed(&listed).unwrap();
    assert_eq!(uids(&listed), ["1.1"], "the other one has no results");
    let newest = trail.store.newest_studies_measured().unwrap();
    assert_eq!(uids(&newest), uids(&all));
}
