//! What a PACS can do, and what becomes of a delivery by it.
//!
//! Three objects go to each PACS of a table, all at once: it misbehaves towards its first association or the second object
//! of it, and takes everything afterwards. So whatever was worth another try is `sent` in the end.

use std::time::Duration;

use serde_json::json;

use crate::needs;
use crate::support::PATIENCE;
use crate::support::api::{DeliveredInstance, Delivery, Job};
use crate::support::bad_archive::{BadArchive, Promise};
use crate::support::bad_pacs::{BadPacs, Deed};
use crate::support::images::Bucket;
use crate::support::parrot::Parrot;
use crate::support::parrot::pdu::Request;
use crate::support::part10::{CT, EXPLICIT_LITTLE, MR, Object};
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

/// What the PACS does; the delivery in the end; its second object, or all where none came so far; the objects of each
/// association; what the API says about it.
type Row = (Deed, &'static str, &'static str, &'static [usize], &'static str);

/// All of it arrived at the first try.
const AT_ONCE: &[usize] = &[3];
/// The second and the third went again.
const REST: &[usize] = &[2, 2];
/// The same, where the PACS never had the second whole.
const REST_ANEW: &[usize] = &[1, 2];
/// All of it at the second try.
const ALL_AGAIN: &[usize] = &[0, 3];
/// The first one, each time.
const THREE_TIMES: &[usize] = &[1, 1, 1];
/// There is no other try.
const NEVER: &[usize] = &[0];

/// Statuses of C-STORE (PS3.4 §B.2.3, PS3.7 Annex C): what is stored is stored, what may pass is tried again, and that one
/// object alone; what will not pass is refused, and the other objects arrive.
#[rustfmt::skip]
const STATUSES: &[Row] = &[
    (Deed::Answers(0x0000), "sent",    "sent 0000",              AT_ONCE, "Success"),
    (Deed::Answers(0xB000), "sent",    "sent-with-warning B000", AT_ONCE, "Coercion of Data Elements"),
    (Deed::Answers(0xB006), "sent",    "sent-with-warning B006", AT_ONCE, "Elements Discarded"),
    (Deed::Answers(0xB007), "sent",    "sent-with-warning B007", AT_ONCE, "Warning: Data Set does not match SOP Class"),
    (Deed::Answers(0xB123), "sent",    "sent-with-warning B123", AT_ONCE, "Warning"),
    (Deed::Answers(0x0001), "sent",    "sent-with-warning 0001", AT_ONCE, "optional Attributes are not supported"),
    (Deed::Answers(0x0107), "sent",    "sent-with-warning 0107", AT_ONCE, "Attribute list error"),
    (Deed::Answers(0x0116), "sent",    "sent-with-warning 0116", AT_ONCE, "Attribute Value out of range"),
    (Deed::Answers(0x0111), "sent",    "duplicate 0111",         AT_ONCE, "Duplicate SOP Instance"),
    (Deed::Answers(0xA700), "sent",    "sent 0000",              &[3, 1], "status A700, Refused: Out of Resources (so it is)"),
    (Deed::Answers(0xA7FF), "sent",    "sent 0000",              &[3, 1], "status A7FF, Refused: Out of Resources (so it is)"),
    (Deed::Answers(0x0213), "sent",    "sent 0000",              &[3, 1], "status 0213, Resource limitation (so it is)"),
    (Deed::Answers(0xA801), "refused", "refused A801",           AT_ONCE, "status A801, Failure (so it is)"),
    (Deed::Answers(0xA900), "refused", "refused A900",           AT_ONCE, "Error: Data Set does not match SOP Class"),
    (Deed::Answers(0xA9FF), "refused", "refused A9FF",           AT_ONCE, "Error: Data Set does not match SOP Class"),
    (Deed::Answers(0xC000), "refused", "refused C000",           AT_ONCE, "Error: Cannot understand"),
    (Deed::Answers(0xCFFF), "refused", "refused CFFF",           AT_ONCE, "Error: Cannot understand"),
    (Deed::Answers(0x0110), "refused", "refused 0110",           AT_ONCE, "Processing failure"),
    (Deed::Answers(0x0117), "refused", "refused 0117",           AT_ONCE, "Invalid SOP Instance"),
    (Deed::Answers(0x0119), "refused", "refused 0119",           AT_ONCE, "Class-Instance conflict"),
    (Deed::Answers(0x0122), "refused", "refused 0122",           AT_ONCE, "SOP Class not supported"),
    (Deed::Answers(0x0124), "refused", "refused 0124",           AT_ONCE, "Refused: Not authorized"),
    (Deed::Answers(0x0210), "refused", "refused 0210",           AT_ONCE, "Duplicate invocation"),
    (Deed::Answers(0x0211), "refused", "refused 0211",           AT_ONCE, "Unrecognized operation"),
    (Deed::Answers(0x0212), "refused", "refused 0212",           AT_ONCE, "Mistyped argument"),
    (Deed::Answers(0xFE00), "refused", "refused FE00",           AT_ONCE, "Cancel"),
    (Deed::Answers(0xFF00), "refused", "refused FF00",           AT_ONCE, "a status that no standard names"),
    (Deed::Answers(0x5555), "refused", "refused 5555",           AT_ONCE, "a status that no standard names"),
];

/// Everything else: what says nothing for certain of an object is no Success, and what is known of the others stays known.
#[rustfmt::skip]
const DEEDS: &[Row] = &[
    // The association. What is refused for good is not asked again.
    (Deed::Rejects(1, 1, 7),      "refused", "waiting", NEVER,     "called AE title not recognized (1/1/7)"),
    (Deed::Rejects(1, 1, 3),      "refused", "waiting", NEVER,     "calling AE title not recognized (1/1/3)"),
    (Deed::Rejects(1, 1, 1),      "refused", "waiting", NEVER,     "no reason given (1/1/1)"),
    (Deed::Rejects(2, 3, 1),      "sent",    "sent 0000", ALL_AGAIN, "temporary congestion (2/3/1)"),
    (Deed::Rejects(2, 3, 2),      "sent",    "sent 0000", ALL_AGAIN, "local limit exceeded (2/3/2)"),
    (Deed::RefusesContexts(3),    "refused", "refused", NEVER,     "no such SOP class in this transfer syntax"),
    (Deed::RefusesContexts(4),    "refused", "refused", NEVER,     "no such SOP class in this transfer syntax"),
    (Deed::SaysNothing,           "sent",    "sent 0000", ALL_AGAIN, "did not answer an association request within 3 s"),
    (Deed::SaysHalf,              "sent",    "sent 0000", ALL_AGAIN, "did not answer an association request within 3 s"),
    (Deed::HangsUp,               "sent",    "sent 0000", ALL_AGAIN, "retrying: association with"),
    (Deed::Babbles,               "sent",    "sent 0000", ALL_AGAIN, "broke the protocol"),
    // All of it has its answer by then.
    (Deed::NeverReleases,         "sent",    "sent 0000", AT_ONCE,   "Success"),
    (Deed::ResetsAtRelease,       "sent",    "sent 0000", AT_ONCE,   "Success"),
    // What answers something else answers nothing.
    (Deed::AnswersOtherMessage,   "sent",    "sent 0000", REST,      "the answer to 2 was due"),
    (Deed::AnswersOtherInstance,  "sent",    "sent 0000", REST,      "about another object"),
    (Deed::AnswersInOtherContext, "sent",    "sent 0000", REST,      "in presentation context"),
    (Deed::AnswersOtherOperation, "sent",    "sent 0000", REST,      "8030 to message 2"),
    (Deed::AnswersNoStatus,       "sent",    "sent 0000", REST,      "without a status"),
    (Deed::AnnouncesDataSet,      "sent",    "sent 0000", REST,      "with a data set"),
    // Three times in a row, and nothing else: nobody has to wait for days to hear of it.
    (Deed::AlwaysAnswersNobody,   "held",    "waiting",   THREE_TIMES, "the destination breaks the protocol, 3 attempts in a row"),
    // The second is answered; its other answer comes where the third one's was due.
    (Deed::AnswersTwice,          "sent",    "sent 0000", &[3, 1],   "the answer to 3 was due"),
    // Silence has its limit, however it is filled.
    (Deed::AnswersNothing,        "sent",    "sent 0000", REST,      "did not send anything within 3 s"),
    (Deed::AnswersHalf,           "sent",    "sent 0000", REST,      "within 3 s"),
    (Deed::Dribbles(Duration::from_millis(500)), "sent", "sent 0000", REST, "within 3 s"),
    // It vanishes.
    (Deed::Closes,                "sent",    "sent 0000", REST,      "retrying: association with"),
    (Deed::ClosesInAnswer,        "sent",    "sent 0000", REST,      "retrying: association with"),
    (Deed::ClosesInObject,        "sent",    "sent 0000", REST_ANEW, "retrying: association with"),
    (Deed::Resets,                "sent",    "sent 0000", REST,      "retrying: association with"),
    (Deed::ResetsInAnswer,        "sent",    "sent 0000", REST,      "retrying: association with"),
    (Deed::Aborts,                "sent",    "sent 0000", REST,      "the peer aborted"),
    (Deed::AsksForRelease,        "sent",    "sent 0000", REST,      "a release request where"),
];

#[test]
fn whatever_a_pacs_answers_each_object_is_known_to_be_there_refused_or_sent_again() {
    needs!(Docker);
    hold(STATUSES);
}

#[test]
fn whatever_else_a_pacs_does_nothing_is_taken_for_stored_and_only_what_is_not_certain_goes_again() {
    needs!(Docker);
    hold(DEEDS);
}

/// Sends one study to all of them, and looks at what became of each.
#[track_caller]
fn hold(rows: &[Row]) {
    let pacs: Vec<_> = rows.iter().map(|(deed, ..)| BadPacs::start(*deed)).collect();
    let titles: Vec<_> = (0..rows.len()).map(|n| format!("PACS{n}")).collect();
    let node = node("", pacs.iter().map(|pacs| pacs.port), &titles, "");
    send(&node);
    let job = node.wait_for_end("Copy");
    succeeded(&job);
    let faults: Vec<_> = rows
        .iter()
        .zip(&pacs)
        .zip(&titles)
        .filter_map(|((row, pacs), title)| fault(row, pacs, &job, title))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A node that sends everything to all of them; with more lines for `[delivery]` and each `[[remote_ae]]`.
#[track_caller]
fn node(delivery: &str, ports: impl Iterator<Item = u16>, titles: &[String], each: &str) -> TestNode {
    let waits = "response = \"3s\"\nfirst_retry = \"200ms\"\nlongest_retry = \"200ms\"\n";
    let mut config = format!("[delivery]\n{waits}{delivery}");
    for (port, title) in ports.zip(titles) {
        config += &format!("[[remote_ae]]\nae_title = \"{title}\"\naddress = \"127.0.0.1:{port}\"\n{each}");
    }
    config += &format!("[[route]]\nname = \"results\"\nto = {}\n", json!(titles));
    TestNode::with(&Bucket::fixture("copy"), &config)
}

/// What a destination does is the delivery's, not the job's: its results are there.
#[track_caller]
fn succeeded(job: &Job) {
    let end = (job.state.as_str(), job.outcome.as_deref());
    assert_eq!(end, ("done", Some("success")), "{job:#?}");
}

/// Two kinds of objects, so that an association has two contexts.
fn send(node: &TestNode) {
    let [first, second, third] = Object::series(3).try_into().unwrap();
    let request = Request::new("Copy")
        .context(1, MR, &[EXPLICIT_LITTLE])
        .context(3, CT, &[EXPLICIT_LITTLE]);
    let mut parrot = Parrot::associate(node.dicom_port(), &request);
    for object in [first, second] {
        assert_eq!(parrot.store(1, &object), 0x0000);
    }
    let other = Object {
        sop_class: CT,
        series: crate::support::part10::uid(),
        ..third
    };
    assert_eq!(parrot.store(3, &other), 0x0000);
    parrot.release();
}

/// How a delivery is not as its row says.
fn fault(row: &Row, pacs: &BadPacs, job: &Job, title: &str) -> Option<String> {
    let (deed, state, object, associations, says) = *row;
    let Some(delivery) = job.deliveries.iter().find(|d| d.destination == title) else {
        return Some(format!("{title} has no delivery"));
    };
    let taken = pacs.taken();
    let counts: Vec<_> = taken.iter().map(Vec::len).collect();
    let its_turn = taken.first().and_then(|first| first.get(1));
    let (of_concern, others): (Vec<_>, Vec<_>) = delivery
        .instances
        .iter()
        .partition(|i| its_turn.is_none_or(|uid| *uid == i.sop_instance_uid));
    let shown = |i: &DeliveredInstance| match &i.status {
        Some(status) => format!("{} {status}", i.state),
        None => i.state.clone(),
    };
    let right = delivery.state == state
        && of_concern.iter().all(|i| shown(i) == object)
        && others.iter().all(|i| shown(i) == "sent 0000")
        && counts == associations
        && delivery.attempts as usize == associations.len()
        && told(delivery, job).iter().any(|text| text.contains(says));
    (!right).then(|| {
        let objects: Vec<_> = delivery.instances.iter().map(shown).collect();
        let (is, tries) = (&delivery.state, delivery.attempts);
        format!(
            "{deed:?}: {is} after {tries} tries, {objects:?}, sent {counts:?}, told {:?}; due: {row:?}",
            told(delivery, job)
        )
    })
}

/// Everything that the API says about a delivery.
fn told(delivery: &Delivery, job: &Job) -> Vec<String> {
    let start = format!("to {}: ", delivery.destination);
    let events = job.events.iter().filter_map(|e| e["text"].as_str());
    let events = events.filter(|text| text.starts_with(&start)).map(str::to_owned);
    let objects = delivery
        .instances
        .iter()
        .flat_map(|i| [i.meaning.clone(), i.reason.clone()]);
    events
        .chain(objects.flatten())
        .chain(delivery.error.clone())
        .collect()
}

/// What the archive does; the delivery in the end; what is kept of each object's answer; the objects of each request; what
/// the archive heard to each of its answers; what the API says about it.
type Vow = (
    Promise,
    &'static str,
    &'static [&'static str],
    &'static [usize],
    &'static [&'static str],
    &'static str,
);

const KEPT: &[&str] = &["0000", "0000", "0000"];
const UNKNOWN: &[&str] = &["-", "-", "-"];

/// Storage commitment (PS3.4 Annex J): what is committed is what the archive that was asked said of the objects it was asked
/// about, and only that.
#[rustfmt::skip]
const VOWS: &[Vow] = &[
    (Promise::Keeps,                  "committed",   KEPT,    &[3],    &["0000"], "committed"),
    (Promise::KeepsOverItsOwn,        "committed",   KEPT,    &[3],    &["0000"], "committed"),
    // Asked again, an answer to either question counts.
    (Promise::KeepsLate,              "committed",   KEPT,    &[3, 3], &["0000"], "committed"),
    (Promise::SaysNothing,            "uncommitted", UNKNOWN, &[3, 3], &[],       "asked 2 times, it never said within 1s"),
    // Only what it did not speak of is asked again.
    (Promise::LeavesOneOut,           "committed",   KEPT,    &[3, 1], &["0000", "0000"], "committed"),
    (Promise::AlwaysLeavesOneOut,     "uncommitted", &["-", "0000", "0000"], &[3, 1], &["0000", "0000"], "asked 2 times"),
    (Promise::KeepsOthers,            "uncommitted", UNKNOWN, &[3, 3], &["0000", "0000"], "asked 2 times"),
    // One that is lost is enough; why is kept, and in doubt it is lost.
    (Promise::Loses(0x0110),          "uncommitted", &["0000", "0000", "0110"], &[3], &["0000"], "failure reason 0110"),
    (Promise::Loses(0x0112),          "uncommitted", &["0000", "0000", "0112"], &[3], &["0000"], "failure reason 0112"),
    (Promise::Loses(0x0119),          "uncommitted", &["0000", "0000", "0119"], &[3], &["0000"], "failure reason 0119"),
    (Promise::Loses(0x0122),          "uncommitted", &["0000", "0000", "0122"], &[3], &["0000"], "failure reason 0122"),
    (Promise::Loses(0x0131),          "uncommitted", &["0000", "0000", "0131"], &[3], &["0000"], "failure reason 0131"),
    (Promise::Loses(0x0213),          "uncommitted", &["0000", "0000", "0213"], &[3], &["0000"], "failure reason 0213"),
    (Promise::Loses(0x0000),          "uncommitted", &["0000", "0000", "0001"], &[3], &["0000"], "failure reason 0001"),
    (Promise::LosesInSuccess,         "uncommitted", &["0000", "0000", "0112"], &[3], &["0000"], "failure reason 0112"),
    (Promise::KeepsAndLoses,          "uncommitted", &["0000", "0000", "0110"], &[3], &["0000"], "failure reason 0110"),
    // What nobody asked, or asked somebody else, is not heard.
    (Promise::AnswersNobody,          "uncommitted", UNKNOWN, &[3, 3], &["0110", "0110"], "asked 2 times"),
    (Promise::AnswersNonsense,        "uncommitted", UNKNOWN, &[3, 3], &["0115", "0115"], "asked 2 times"),
    (Promise::CallsAsAnother,         "uncommitted", UNKNOWN, &[3, 3], &["0110", "0110"], "asked 2 times"),
    (Promise::CallsAsStranger,        "uncommitted", UNKNOWN, &[3, 3], &["rejected 1/1/7", "rejected 1/1/7"], "asked 2 times"),
    // What was settled stays, and what is said against it is shown.
    (Promise::SaysTwice,              "committed",   KEPT,    &[3],    &["0000", "0000"], "committed"),
    (Promise::TakesBack,              "committed",   KEPT,    &[3],    &["0000", "0000"], "it says now that it does not keep 1 objects"),
    // The request itself.
    (Promise::RefusesOnce(0x0110),    "committed",   KEPT,    &[3, 3], &["0000"], "committed"),
    (Promise::RefusesOnce(0x0213),    "committed",   KEPT,    &[3, 3], &["0000"], "committed"),
    (Promise::RefusesOnce(0x0112),    "uncommitted", UNKNOWN, &[3],    &[],       "the request got status 0112"),
    (Promise::RefusesOnce(0x0122),    "uncommitted", UNKNOWN, &[3],    &[],       "the request got status 0122"),
    (Promise::RefusesOnce(0x0124),    "uncommitted", UNKNOWN, &[3],    &[],       "the request got status 0124"),
    (Promise::RespondsToOtherMessage, "committed",   KEPT,    &[3, 3], &["0000"], "committed"),
    (Promise::HangsUp,                "committed",   KEPT,    &[3, 3], &["0000"], "committed"),
    (Promise::KnowsNothing,           "uncommitted", UNKNOWN, &[],     &[],       "does not take storage commitment"),
];

#[test]
fn whatever_an_archive_promises_only_what_it_was_asked_and_says_itself_is_committed() {
    needs!(Docker);
    let titles: Vec<_> = (0..VOWS.len()).map(|n| format!("ARCHIVE{n}")).collect();
    let other = |n: usize| &titles[(n + 1) % titles.len()];
    let archives = VOWS.iter().enumerate();
    let archives: Vec<_> = archives
        .map(|(n, (promise, ..))| BadArchive::start(*promise, &titles[n], other(n)))
        .collect();
    let delivery = "calling_ae_title = \"NODE\"\ncommit_timeout = \"1s\"\ncommit_tries = 2\n";
    let ports = archives.iter().map(|archive| archive.port);
    let node = node(delivery, ports, &titles, "commit = true\n");
    archives
        .iter()
        .for_each(|archive| archive.knows(node.dicom_port()));
    send(&node);
    let done = |delivery: &Delivery| ["committed", "uncommitted"].contains(&delivery.state.as_str());
    node.wait_for("Copy", "the end of every question", |job| {
        job.deliveries.len() == VOWS.len() && job.deliveries.iter().all(done)
    });
    // An archive may have something to say after that.
    for (archive, (promise, _, _, _, heard, _)) in archives.iter().zip(VOWS) {
        let all = || (archive.heard().len() >= heard.len()).then_some(());
        wait_until(PATIENCE, &format!("what {promise:?} heard"), all).unwrap();
    }
    let job = node.wait_for_end("Copy");
    succeeded(&job);
    let faults: Vec<_> = VOWS
        .iter()
        .zip(&archives)
        .zip(&titles)
        .filter_map(|((vow, archive), title)| broken(vow, archive, &job, title))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// How the commitment of a delivery is not as its row says.
fn broken(vow: &Vow, archive: &BadArchive, job: &Job, title: &str) -> Option<String> {
    let (promise, state, objects, requests, heard, says) = *vow;
    let Some(delivery) = job.deliveries.iter().find(|d| d.destination == title) else {
        return Some(format!("{title} has no delivery"));
    };
    let answers = delivery.instances.iter();
    let answers = answers.map(|i| i.commitment.clone().unwrap_or_else(|| "-".to_owned()));
    let mut answers: Vec<_> = answers.collect();
    answers.sort();
    let right = delivery.state == state
        && answers == objects
        && archive.requests() == requests
        && archive.heard() == heard
        && told(delivery, job).iter().any(|text| text.contains(says));
    (!right).then(|| {
        format!(
            "{promise:?}: {}, {answers:?}, asked about {:?}, heard {:?}, told {:?}; due: {vow:?}",
            delivery.state,
            archive.requests(),
            archive.heard(),
            told(delivery, job)
        )
    })
}
