//! The measures of a bucket, page by page.

use serde_json::json;

use super::*;
use crate::model::Measure;

/// A job of that moment with so many measures.
fn measured(store: &Store, study: &str, at: i64, count: usize) -> JobId {
    let now = Timestamp(at);
    let job = open_set(store, study, now);
    store.complete(&job, "quiet".into(), now, None).wait().unwrap();
    store.start(&job, bucket(), now).wait().unwrap();
    store.ended(&job, Ended::default(), None, now).wait().unwrap();
    let verdict = Verdict {
        outcome: Outcome::Success,
        reason: None,
    };
    let measures = (0..count).map(|i| Measure {
        problem: (i == 0).then(|| "none".to_owned()),
        declared: true,
        ..Measure::new("f", "db-plugin", &format!("{study}-{i}"), json!(i), Some("1"))
    });
    store
        .harvested(&job, verdict, measures.collect(), Vec::new(), now)
        .wait()
        .unwrap();
    job
}

fn names(store: &Store, filter: &MeasuresFilter) -> Vec<String> {
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let page = store.measures_page(filter, after).unwrap();
        assert!(page.len() <= filter.limit as usize);
        let Some(last) = page.last() else { return names };
        after = Some(last.place);
        names.extend(page.into_iter().map(|row| row.measure.name));
    }
}

#[test]
fn every_measure_of_a_period_comes_once_in_the_order_of_the_jobs() {
    let (_dir, store) = store();
    // The second came before the first, by the clock; two came in one moment.
    for (study, at, count) in [
        ("b", 2000, 3),
        ("a", 1000, 5),
        ("c", 2000, 1),
        ("d", 3000, 2),
        ("none", 2500, 0),
    ] {
        measured(&store, study, at, count);
    }
    let all = [
        "a-0", "a-1", "a-2", "a-3", "a-4", "b-0", "b-1", "b-2", "c-0", "d-0", "d-1",
    ];
    let filter = |from: Option<i64>, to: Option<i64>, limit| MeasuresFilter {
        stream: AeTitle::parse("ProcT1").unwrap(),
        from: from.map(Timestamp),
        to: to.map(Timestamp),
        limit,
    };
    for limit in [1, 2, 3, 4, 5, 100] {
        assert_eq!(names(&store, &filter(None, None, limit)), all, "{limit} a page");
        assert_eq!(
            names(&store, &filter(Some(2000), Some(3000), limit)),
            all[5..9],
            "{limit} a page"
        );
    }
    assert_eq!(names(&store, &filter(Some(3001), None, 10)), Vec::<String>::new());
    let page = store.measures_page(&filter(None, None, 1), None).unwrap();
    let row = &page[0];
    assert_eq!(
        (row.study_instance_uid.as_str(), row.series_instance_uids.as_str()),
        ("a", "1.3")
    );
    assert_eq!(
        (row.measure.declared, row.measure.problem.as_deref()),
        (true, Some("none"))
    );
    assert_eq!(row.outcome.as_deref(), Some("success"));
}
