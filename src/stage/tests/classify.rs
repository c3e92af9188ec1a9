//! Series of sets that arrive, are frozen, and are laid out.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::model::classify::{Accept, RuleSet};
use crate::model::{Job, Reader, Settings};

/// An object of the study 1.4 with that Echo Time, and `pixels` zeros.
fn send(receiver: &mut Receiver, series: &str, instance: &str, te: &str, pixels: usize) -> JobId {
    let te = format!("{te:<4}");
    let mut data = Vec::new();
    for (group, element, vr, value) in [
        (8u16, 0x16u16, b"UI", MR),
        (8, 0x18, b"UI", instance),
        (8, 0x103E, b"LO", "an echo "),
        (0x10, 0x10, b"PN", "Doe^Jane"),
        (0x18, 0x81, b"DS", te.as_str()),
        (0x20, 0x0D, b"UI", "1.4"),
        (0x20, 0x0E, b"UI", series),
    ] {
        data.extend([group.to_le_bytes(), element.to_le_bytes()].concat());
        data.extend(vr);
        data.extend((value.len() as u16).to_le_bytes());
        data.extend(value.as_bytes());
    }
    data.extend(b"\xE0\x7F\x10\0OW\0\0");
    data.extend((pixels as u32).to_le_bytes());
    data.resize(data.len() + pixels, 0);
    let meta = FileMeta {
        sop_class_uid: uid(MR),
        sop_instance_uid: uid(instance),
        transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
    };
    let encoding = Encoding::ExplicitLittle;
    let mut incoming = receiver.begin(Object { meta, encoding }).unwrap();
    incoming.take(&data);
    let job = incoming.commit().unwrap().job;
    receiver.settle();
    job
}

fn rules() -> RuleSet {
    let rule =
        |operator: &str, value: u32| json!({ "tag": ["EchoTime"], "operator": operator, "value": value });
    let file = json!([
        { "type": "short", "rules": [rule("<", 30)] },
        { "type": "long", "rules": [rule(">", 80)] },
        { "type": "all short", "check": "SeriesLevel", "rules": [rule("<", 30)] },
        { "type": "three", "rules": [{ "tag": ["NumFiles"], "operator": ">", "value": 2 }] },
    ]);
    RuleSet::parse(&file.to_string()).unwrap()
}

fn accept(list: &Value) -> Accept {
    let findings = std::cell::RefCell::default();
    let info = json!({ "accept": list });
    let settings = Settings::read(&Reader::new(info.as_object().unwrap(), &findings));
    assert_eq!(findings.into_inner(), []);
    settings.accept.unwrap()
}

fn classifier(bench: &Bench) -> Classifier {
    Classifier::new(bench.layout.clone(), bench.store.clone(), rules())
}

fn job(bench: &Bench, id: &JobId) -> Job {
    bench.store.job(id).unwrap().unwrap()
}

fn seen(series: &[SeriesView]) -> Vec<(String, String, u64)> {
    let one = |s: &SeriesView| (s.uid().to_owned(), s.types().join(" "), s.files());
    series.iter().map(one).collect()
}

fn row(series: &str, types: &str, files: u64) -> (String, String, u64) {
    (series.to_owned(), types.to_owned(), files)
}

#[test]
fn the_series_of_an_open_set_are_known_while_it_grows() {
    let bench = Bench::new(Durability::None);
    let stage = bench.stage();
    let classifier = classifier(&bench);
    let mut receiver = bench.receiver(&stage, 1);
    let id = send(&mut receiver, "1.5.1 ".trim(), "1.9.1", "2.9", 64);
    receiver.settle_all();
    let now = || seen(&classifier.series(&job(&bench, &id)).unwrap());
    assert_eq!(now(), [row("1.5.1", "short all short", 1)]);
    send(&mut receiver, "1.5.1", "1.9.2", "90", 64);
    send(&mut receiver, "1.5.2", "1.9.3", "90", 64);
    send(&mut receiver, "1.5.1", "1.9.4", "90", 64);
    receiver.settle_all();
    let then = [row("1.5.1", "short long three", 3), row("1.5.2", "long", 1)];
    assert_eq!(now(), then);
    // Once more, and with other bytes: still so many objects.
    send(&mut receiver, "1.5.1", "1.9.4", "90", 64);
    send(&mut receiver, "1.5.1", "1.9.4", "91", 64);
    receiver.settle_all();
    assert_eq!(now(), then);
}

#[test]
fn after_a_kill_at_any_moment_the_series_are_the_same() {
    let bench = Bench::new(Durability::Instance);
    let objects: Vec<_> = (1..=6)
        .map(|i| (format!("1.5.{}", i % 2 + 1), format!("1.9.{i}")))
        .collect();
    let mut expected = None;
    for killed_after in 0..=objects.len() {
        let bench_of_this = if killed_after == objects.len() {
            &bench
        } else {
            &Bench::new(Durability::Instance)
        };
        let mut id = None;
        let mut stage = bench_of_this.stage();
        let mut of_run = classifier(bench_of_this);
        let mut receiver = bench_of_this.receiver(&stage, 1);
        for (i, (series, instance)) in objects.iter().enumerate() {
            let te = if i == 3 { "90" } else { "3" };
            id = Some(send(&mut receiver, series, instance, te, 64));
            receiver.settle_all();
            let _ = of_run.series(&job(bench_of_this, id.as_ref().unwrap())).unwrap();
            if i == killed_after {
                // What was in memory is gone.
                drop(receiver);
                stage = bench_of_this.stage();
                stage.resume(|_| None).unwrap();
                of_run = classifier(bench_of_this);
                receiver = bench_of_this.receiver(&stage, 2);
            }
        }
        let job = job(bench_of_this, id.as_ref().unwrap());
        let said = seen(&of_run.series(&job).unwrap());
        assert_eq!(said.iter().map(|(.., files)| files).sum::<u64>(), 6);
        assert_eq!(
            *expected.get_or_insert(said.clone()),
            said,
            "killed after {killed_after}"
        );
    }
}

/// A frozen job with a series of short, one of long echoes.
fn frozen(bench: &Bench) -> Job {
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let id = send(&mut receiver, "1.5.1", "1.9.1", "3", 64);
    send(&mut receiver, "1.5.2", "1.9.2", "90", 64);
    send(&mut receiver, "1.5.2", "1.9.3", "90", 64);
    receiver.settle_all();
    bench.freeze(&id);
    job(bench, &id)
}

fn names(bench: &Bench, place: Place<'_>) -> Vec<String> {
    let mut names: Vec<_> = crate::files::entries(&bench.layout.path(place))
        .unwrap()
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn lay_out_accepted(bench: &Bench, job: &Job, accept: Option<&Accept>) -> Sorted {
    let sorted = classifier(bench).sort(job, accept).unwrap();
    lay_out(&bench.layout, &bench.store, job, &sorted.left_out()).unwrap();
    sorted
}

#[test]
fn only_accepted_series_are_laid_out_and_the_others_stay_beside() {
    for list in [
        json!(["short"]),
        json!([{ "tag": ["EchoTime"], "operator": "<", "value": 10 }]),
        json!(["none", { "rules": [
            { "tag": ["ClassifyType"], "operator": "contains", "value": "short" },
            { "tag": ["ClassifyType"], "operator": "contains", "value": "long", "negate": "yes" },
        ] }]),
    ] {
        let bench = Bench::new(Durability::Instance);
        let job = frozen(&bench);
        let accept = accept(&list);
        let sorted = lay_out_accepted(&bench, &job, Some(&accept));
        assert!(!sorted.is_nothing());
        assert_eq!(sorted.left_out(), HashSet::from(["1.5.2".to_owned()]), "{list}");
        let text = sorted.text().unwrap();
        assert!(
            text.starts_with("1 of 2 series are of what the bucket accepts ("),
            "{text}"
        );
        assert!(text.ends_with("left out: 1 long (2 objects)"), "{text}");
        assert_eq!(names(&bench, Place::Input(&title(), &job.id)), ["1.9.1.dcm"]);
        assert_eq!(
            names(&bench, Place::LeftOut(&title(), &job.id)),
            ["1.9.2.dcm", "1.9.3.dcm"]
        );
        assert_eq!(
            names(&bench, Place::Series(&title(), &job.id)),
            ["1.5.1.json", "1.5.2.json"]
        );
        let left = left_out(&bench.layout, &job).unwrap();
        assert_eq!(seen(&left), [row("1.5.2", "long", 2)]);
        // Nothing is missing of it.
        drop(bench.stage());
        assert_eq!(bench.events(&job.id, "missing"), [""; 0]);
    }
}

#[test]
fn a_job_that_is_laid_out_once_more_follows_the_word_of_that_moment() {
    let bench = Bench::new(Durability::Instance);
    let job = frozen(&bench);
    let input = || names(&bench, Place::Input(&title(), &job.id));
    lay_out_accepted(&bench, &job, Some(&accept(&json!(["short"]))));
    lay_out_accepted(&bench, &job, Some(&accept(&json!(["long"]))));
    assert_eq!(input(), ["1.9.2.dcm", "1.9.3.dcm"]);
    assert_eq!(names(&bench, Place::LeftOut(&title(), &job.id)), ["1.9.1.dcm"]);
    let sorted = lay_out_accepted(&bench, &job, None);
    assert_eq!(input(), ["1.9.1.dcm", "1.9.2.dcm", "1.9.3.dcm"]);
    assert_eq!((sorted.text(), sorted.is_nothing()), (None, false));
    let sorted = lay_out_accepted(&bench, &job, Some(&accept(&json!(["DWI"]))));
    assert!(sorted.is_nothing());
    assert_eq!(input(), [""; 0]);
}

#[test]
fn a_later_job_has_what_an_earlier_one_left_out() {
    let bench = Bench::new(Durability::Instance);
    let first = frozen(&bench);
    let accept = accept(&json!(["short"]));
    lay_out_accepted(&bench, &first, Some(&accept));
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 2);
    let id = send(&mut receiver, "1.5.3", "1.9.9", "5", 64);
    receiver.settle_all();
    wait(stage.completion().complete_now(&id)).unwrap();
    let second = job(&bench, &id);
    assert_eq!(second.instances, 4);
    lay_out_accepted(&bench, &second, Some(&accept));
    assert_eq!(
        names(&bench, Place::Input(&title(), &id)),
        ["1.9.1.dcm", "1.9.9.dcm"]
    );
    assert_eq!(
        names(&bench, Place::LeftOut(&title(), &id)),
        ["1.9.2.dcm", "1.9.3.dcm"]
    );
    assert_eq!(
        names(&bench, Place::LeftOut(&title(), &first.id)),
        ["1.9.2.dcm", "1.9.3.dcm"]
    );
}

#[test]
fn the_json_of_a_series_has_the_keys_of_the_original() {
    let bench = Bench::new(Durability::Instance);
    let job = frozen(&bench);
    lay_out_accepted(&bench, &job, None);
    let path = bench
        .layout
        .path(Place::Series(&title(), &job.id))
        .join("1.5.2.json");
    let written: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let expected = json!({
        "ClassifyType": ["long"], "NumFiles": "2", "EchoTime": "90", "SeriesDescription": "an echo",
        "PatientName": "Doe^Jane", "StudyInstanceUID": "1.4", "SeriesInstanceUID": "1.5.2",
    });
    assert_eq!(written, expected);
    let shown = classifier(&bench).series(&job).unwrap();
    assert_eq!(serde_json::to_value(&shown[1]).unwrap(), expected);
}

/// CPU time of this thread so far.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// What so many objects of that size cost the thread that receives them, and the one that classifies them.
fn costs(objects: usize, pixels: usize, rules: &RuleSet) -> (Duration, Duration) {
    let bench = Bench::new(Durability::None);
    let stage = bench.stage();
    let mut receiver = bench.receiver(&stage, 1);
    let begun = cpu();
    let mut id = None;
    for i in 0..objects {
        id = Some(send(&mut receiver, "1.5.1", &format!("1.9.{i}"), "3", pixels));
    }
    receiver.settle_all();
    let received = cpu() - begun;
    let job = job(&bench, &id.unwrap());
    let classifier = Classifier::new(bench.layout.clone(), bench.store.clone(), rules.clone());
    let begun = cpu();
    assert_eq!(classifier.series(&job).unwrap()[0].files(), objects as u64);
    (received, cpu() - begun)
}

/// `cargo test --release --lib -- --ignored --nocapture costs_reception`
#[test]
#[ignore = "a measurement"]
fn classification_costs_reception_next_to_nothing() {
    let rules = load_rules(&crate::config::ClassifyConfig::default()).unwrap();
    for pixels in [32 << 10, 128 << 10, 512 << 10] {
        let mut measured: Vec<_> = (0..7)
            .map(|_| costs(500, pixels, &rules))
            .map(|(received, classified)| {
                (
                    classified.as_secs_f64() / received.as_secs_f64(),
                    received,
                    classified,
                )
            })
            .collect();
        measured.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, received, classified) = measured[3];
        eprintln!(
            "{pixels} bytes: {:?} an object received, {:?} classified, {:.2} %",
            received / 500,
            classified / 500,
            100.0 * ratio
        );
    }
}
