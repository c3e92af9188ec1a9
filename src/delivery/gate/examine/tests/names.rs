//! Names of objects, series and classes.

use super::*;

#[test]
fn names_of_objects_and_series_are_valid_and_nobody_else_s() {
    let instance = "SOP Instance UID (0008,0018)";
    let series = "Series Instance UID (0020,000E)";
    let class = "SOP Class UID (0008,0016)";
    let named = |uid: &str| Made {
        instance: uid.into(),
        ..Made::result().with(0x0008_0018, uid)
    };
    for (result, known, attribute) in [
        (
            named("1.2.3.4.1").with(0x0020_4000, "changed"),
            Known::default(),
            instance,
        ),
        (named("2.25.077"), Known::default(), instance),
        (
            Made::result().with(0x0008_0018, "2.25.99"),
            Known::default(),
            instance,
        ),
        (
            Made::result(),
            Known {
                instance: true,
                ..Known::default()
            },
            instance,
        ),
        (
            Made::result().with(0x0020_000E, "1.2.3.4"),
            Known::default(),
            series,
        ),
        (
            Made::result().with(0x0020_000E, "2.25.x"),
            Known::default(),
            series,
        ),
        (
            Made::result(),
            Known {
                series: true,
                ..Known::default()
            },
            series,
        ),
        (
            Made::result().with(0x0008_0016, "1.2.840.10008.5.1.4.1.1.2"),
            Known::default(),
            class,
        ),
        (
            Made {
                class: "1.2.840.10008.1.1",
                ..Made::result().with(0x0008_0016, "1.2.840.10008.1.1")
            },
            Known::default(),
            class,
        ),
    ] {
        // The input's object of that name is another one.
        let input = [Made::input(1), Made::input(2)];
        let directory = tempfile::tempdir().unwrap();
        let mut facts = Input::default();
        for each in input {
            facts.add(&object::identity(&each.write(directory.path())).unwrap().1);
        }
        let place = tempfile::tempdir().unwrap();
        let object = object::read(&result.write(place.path()), place.path()).unwrap();
        let (job, equipment) = (job(), equipment());
        let case = Case {
            mode: GateMode::Repair,
            job: &job,
            input: &facts,
            equipment: &equipment,
        };
        let examined = examine(&case, &object, known);
        let attributes: Vec<_> = held(&examined).iter().map(|(attribute, ..)| *attribute).collect();
        assert_eq!(attributes, [attribute], "{examined:?}");
    }
}

#[test]
fn missing_uids_come_from_the_head_or_are_made_the_same_each_time() {
    let (examined, sent) = judged(Made::result().without(0x0008_0018).without(0x0008_0016));
    assert_eq!(filled(&examined).len(), 2);
    assert_eq!(
        (value(&sent, 0x0008_0018), value(&sent, 0x0008_0016)),
        ("2.25.77".into(), MR.into())
    );
    let series = || value(&judged(Made::result().without(0x0020_000E)).1, 0x0020_000E);
    // Of another job, another one.
    let (one, equipment) = (job(), equipment());
    let made = |job: &Job| equipment.series_uid(job, MR);
    let other = Job {
        id: JobId::parse("other").unwrap(),
        ..one.clone()
    };
    assert_eq!(made(&one), made(&one));
    assert_ne!(made(&one), made(&other));
    assert!(is_valid(&series()), "{}", series());
}
