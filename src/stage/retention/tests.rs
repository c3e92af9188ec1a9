//! What goes and what stays.

use proptest::prelude::*;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn title(text: &str) -> AeTitle {
    AeTitle::parse(text).unwrap()
}

/// Four buckets: one says nothing, one a week, one forever; `Gone` is not installed.
fn keeps() -> Keeps {
    HashMap::from([
        (title("Plain"), None),
        (title("Week"), Some(Keep::For(7 * DAY))),
        (title("Archive"), Some(Keep::Forever)),
    ])
}

/// Jobs by stream and days since their end, 100 bytes each; their names are their places.
fn jobs(store: &Store, rows: &[(&str, u32)], now: Timestamp) -> Vec<Removable> {
    let mut sql = String::new();
    for (i, (stream, days)) in rows.iter().enumerate() {
        let ended = now.0 - i64::from(*days) * 24 * 3_600_000;
        sql += &format!(
            "INSERT INTO jobs (id, stream, state, group_key, calling_ae_title, caller_address, study_instance_uid, \
             received_at, last_object_at, ended_at, bytes) \
             VALUES ('{i}', '{stream}', 'done', '{i}', 'S', '::1', '1.2', 0, 0, {ended}, 100);"
        );
    }
    store.write(move |db| Ok(db.execute_batch(&sql)?)).wait().unwrap();
    store.removable(None, 1000).unwrap()
}

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("s.sqlite")).unwrap();
    (dir, store)
}

/// The names of what goes, with `r` for those that make room.
fn going(jobs: &[Removable], keep: Keep, now: Timestamp, short: u64) -> Vec<String> {
    let keeps = keeps();
    let policy = Policy {
        keep,
        keeps: &keeps,
        now,
    };
    let name = |(job, why): &(&Removable, Why)| match why {
        Why::Age(_) => job.id.to_string(),
        Why::Room => format!("r{}", job.id),
    };
    plan(jobs, &policy, short).iter().map(name).collect()
}

#[test]
fn age_and_room_decide_and_a_bucket_has_the_last_word() {
    let (_dir, store) = open();
    let now = Timestamp::now();
    let rows = [
        ("Archive", 400), // 0
        ("Gone", 300),    // 1
        ("Plain", 40),    // 2
        ("Week", 8),      // 3
        ("Plain", 6),     // 4
        ("Week", 5),      // 5
    ];
    let jobs = jobs(&store, &rows, now);
    assert_eq!(jobs.len(), rows.len());
    for (keep, short, expected) in [
        // Nobody asked for anything but the bucket that keeps a week.
        (Keep::Forever, 0, &["3"][..]),
        (Keep::For(30 * DAY), 0, &["2", "3"]),
        (Keep::For(DAY), 0, &["2", "3", "4"]),
        // Room is made by the oldest; what goes by age counts.
        (Keep::Forever, 1, &["r2", "3"]),
        (Keep::Forever, 201, &["r2", "3", "r4"]),
        (Keep::For(30 * DAY), 200, &["2", "3"]),
        (Keep::For(30 * DAY), 10_000, &["2", "3", "r4", "r5"]),
    ] {
        assert_eq!(
            going(&jobs, keep, now, short),
            expected,
            "{keep}, short of {short}"
        );
    }
}

#[test]
fn a_clock_that_was_set_back_removes_nothing_early() {
    let (_dir, store) = open();
    let now = Timestamp::now();
    let jobs = jobs(&store, &[("Week", 8)], now);
    let earlier = Timestamp(now.0 - 3 * 24 * 3_600_000);
    assert_eq!(going(&jobs, Keep::Forever, earlier, 0), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_there_is_no_more_goes_than_has_to_and_the_oldest_first(
        rows in proptest::collection::vec((prop_oneof!["Plain", "Week", "Archive", "Gone"], 0_u32..60), 0..20),
        days in proptest::option::of(1_u32..60),
        short in 0_u64..3000
    ) {
        let (_dir, store) = open();
        let now = Timestamp::now();
        let rows: Vec<_> = rows.iter().map(|(s, d)| (s.as_str(), *d)).collect();
        let jobs = jobs(&store, &rows, now);
        let keep = days.map_or(Keep::Forever, |d| Keep::For(d * DAY));
        let keeps = keeps();
        let policy = Policy { keep, keeps: &keeps, now };
        let plan = plan(&jobs, &policy, short);
        prop_assert!(plan.iter().all(|(job, why)| *why == Why::Room || policy.may_be_old(job.ended_at)));
        prop_assert!(plan.is_sorted_by_key(|(job, _)| job.ended_at));
        prop_assert!(plan.iter().all(|(job, _)| !["Archive", "Gone"].contains(&job.stream.as_str())));
        // Without the last one that makes room there would be too little.
        if let Some(last) = plan.iter().rposition(|(_, why)| *why == Why::Room) {
            prop_assert!((last as u64) * 100 < short);
        }
        // Either there is enough, or nothing is left that could go.
        let could = jobs.iter().filter(|j| ["Plain", "Week"].contains(&j.stream.as_str())).count();
        prop_assert!(plan.len() as u64 * 100 >= short || plan.len() == could);
    }
}
