//! Where results go: remote AEs over TLS, directories, DICOMweb servers, back to the sender; and what each object was answered.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::needs;
use crate::support::api::Job;
use crate::support::http_script::{HttpScript, Said};
use crate::support::images::Bucket;
use crate::support::orthanc::{Address, Orthanc, dicomweb_plugin};
use crate::support::pacs::Pacs;
use crate::support::part10::{Object, data_set, files, write_all};
use crate::support::senders;
use crate::support::tls::Authority;
use crate::support::under_test::{MAGICKBOX, Ran, TestNode, run, scratch};

/// A route of all results.
pub fn route(to: &[&str]) -> String {
    format!("[[route]]\nname = \"results\"\nto = {}\n", json!(to))
}

pub fn remote_ae(title: &str, port: u16, more: &str) -> String {
    format!("[[remote_ae]]\nae_title = \"{title}\"\naddress = \"127.0.0.1:{port}\"\n{more}\n")
}

/// A node with the bucket that hands back what it gets.
#[track_caller]
pub fn node(config: &str) -> TestNode {
    TestNode::with(&Bucket::fixture("copy"), config)
}

#[track_caller]
fn send(node: &TestNode, objects: &[Object]) -> Vec<PathBuf> {
    let directory = node.scratch(&objects[0].study);
    let written = write_all(objects, &directory);
    assert!(senders::storescu(node.dicom_port(), "Copy", &directory).success);
    written
}

fn echo(node: &TestNode, arguments: &[&str]) -> Ran {
    let mut all = vec!["echo", "--node", &node.ready().http];
    all.extend(arguments);
    run(MAGICKBOX, &all)
}

/// State and status of each object of the only delivery.
pub fn states(job: &Job) -> Vec<(&str, Option<&str>)> {
    let [delivery] = job.deliveries.as_slice() else {
        panic!("{job:#?}");
    };
    let objects = delivery.instances.iter();
    objects.map(|i| (i.state.as_str(), i.status.as_deref())).collect()
}

#[test]
fn each_object_keeps_what_it_was_answered_and_only_what_may_pass_is_sent_again() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let home = scratch();
    let statuses = "B000,0111,A701,C123,0000,0000";
    let pacs = Pacs::start("PACS", &home.path().join("pacs.log"), &["--statuses", statuses]);
    let config = "[delivery]\nfirst_retry = \"100ms\"\n".to_owned()
        + &remote_ae("PACS", pacs.port, "")
        + &route(&["PACS"]);
    let node = node(&config);
    send(&node, &Object::series(5));
    let job = node.wait_for_end("Copy");
    let mut found = states(&job);
    found.sort_unstable();
    let expected = [
        ("duplicate", Some("0111")),
        ("refused", Some("C123")),
        ("sent", Some("0000")),
        ("sent", Some("0000")),
        ("sent-with-warning", Some("B000")),
    ];
    assert_eq!(found, expected, "{job:#?}");
    assert_eq!(
        (job.deliveries[0].state.as_str(), job.deliveries[0].attempts),
        ("refused", 2)
    );
    let meaning = |status: &str| {
        let mut objects = job.deliveries[0].instances.iter();
        let object = objects.find(|i| i.status.as_deref() == Some(status)).unwrap();
        object.meaning.clone().unwrap()
    };
    assert_eq!(meaning("C123"), "Error: Cannot understand");
    assert_eq!(meaning("0111"), "Duplicate SOP Instance");
    // The one that was not to be had for the moment went twice, the others once.
    let stored = pacs.stored();
    assert_eq!(stored.len(), 6, "{stored:#?}");
    let shown = run(MAGICKBOX, &["job", "--node", &node.ready().http, "show", &job.id]);
    assert!(
        shown.stdout.contains("refused  C123  Error: Cannot understand"),
        "{shown:?}"
    );
    assert!(node.log().contains("a result does not arrive"), "{}", node.log());
}

#[test]
fn results_go_over_tls_to_who_shows_a_certificate_that_is_trusted_and_to_nobody_else() {
    needs!(Docker, Dcmtk, Openssl, Pynetdicom);
    let home = scratch();
    let [certificates, others] = ["certificates", "others"].map(|name| home.path().join(name));
    let ca = Authority::new("Hospital CA", &certificates);
    let (own, of_pacs) = (
        ca.issue("node", &certificates),
        ca.issue_rsa("pacs", &certificates),
    );
    let stranger = Authority::new("Other CA", &others);
    let pacs = Pacs::start_tls("PACS", &home.path().join("pacs.log"), &of_pacs, &ca.certificate);
    let tls = |ca: &Path| {
        format!(
            "tls = {{ ca = {}, certificate = {}, key = {} }}",
            json!(ca),
            json!(own.certificate),
            json!(own.key)
        )
    };
    let bare = format!("tls = {{ ca = {} }}", json!(ca.certificate));
    let named = format!(
        "tls = {{ ca = {}, name = \"elsewhere.example\" }}",
        json!(ca.certificate)
    );
    let config = "[delivery]\nresponse = \"5s\"\n".to_owned()
        + &remote_ae("PACS", pacs.port, &tls(&ca.certificate))
        + &remote_ae("DISTRUSTED", pacs.port, &tls(&stranger.certificate))
        + &remote_ae("NAMELESS", pacs.port, &bare)
        + &remote_ae("ELSEWHERE", pacs.port, &named)
        + &remote_ae("PLAIN", pacs.port, "")
        + &route(&["PACS"]);
    let node = node(&config);
    let never = echo(&node, &[]);
    assert!(
        never.stdout.contains("never") && never.code == Some(0),
        "{never:?}"
    );
    let answers = echo(&node, &["PACS"]);
    assert_eq!(answers.code, Some(0), "{answers:?}");
    for expected in ["PACS", "dicom-tls", "yes", "C-ECHO in"] {
        assert!(answers.stdout.contains(expected), "{answers:?}");
    }
    for (title, why) in [
        ("DISTRUSTED", "UnknownIssuer"),
        ("NAMELESS", ""),
        ("ELSEWHERE", "not valid for name"),
        ("PLAIN", ""),
    ] {
        let said = echo(&node, &[title]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(
            said.stdout.contains("NO") && said.stdout.contains(why),
            "{said:?}"
        );
    }
    let unknown = echo(&node, &["NOBODY"]);
    assert!(unknown.stderr.contains("no [[remote_ae]]"), "{unknown:?}");
    let shown: Value = node.api().get("/api/v1/remote-aes").unwrap();
    let answered: Vec<_> = shown["remote_aes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["echo"]["answers"])
        .collect();
    assert_eq!(answered, [true, false, false, false, false], "{shown:#}");

    send(&node, &Object::series(3));
    let job = node.wait_for_end("Copy");
    assert_eq!(states(&job), [("sent", Some("0000")); 3], "{job:#?}");
    assert_eq!(pacs.stored().len(), 3);
}

#[test]
fn a_folder_gets_each_file_whole_under_its_uids_and_one_that_is_missing_is_waited_for() {
    needs!(Docker, Dcmtk);
    let home = scratch();
    let path = home.path().join("research");
    let config = format!(
        "[delivery]\nfirst_retry = \"100ms\"\nlongest_retry = \"100ms\"\n[[folder]]\nname = \"RESEARCH\"\npath = {}\n\
         bandwidth = \"1MiB\"\n{}",
        json!(path),
        route(&["RESEARCH"])
    );
    let node = node(&config);
    let objects = Object::series(2);
    let sent = send(&node, &objects);
    let waits = node.wait_for("Copy", "a try", |job| {
        job.deliveries.iter().any(|d| d.state == "retrying")
    });
    let error = waits.deliveries[0].error.clone().unwrap();
    assert!(error.contains("is not there: make or mount it"), "{error}");
    fs::create_dir(&path).unwrap();
    let job = node.wait_for_end("Copy");
    assert_eq!(states(&job), [("sent", Some("0000")); 2], "{job:#?}");
    let object = &objects[0];
    let mut found = files(&path.join(&object.study).join(&object.series));
    found.sort();
    let mut expected: Vec<_> = objects
        .iter()
        .map(|o| {
            path.join(&o.study)
                .join(&o.series)
                .join(format!("{}.dcm", o.sop_instance))
        })
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    for (object, file) in objects.iter().zip(&sent) {
        let there = path
            .join(&object.study)
            .join(&object.series)
            .join(format!("{}.dcm", object.sop_instance));
        assert_eq!(
            data_set(&fs::read(there).unwrap()),
            data_set(&fs::read(file).unwrap())
        );
    }
    assert_eq!(echo(&node, &["RESEARCH"]).code, Some(0));
}

#[test]
fn results_go_back_to_the_sender_or_wait_for_somebody_who_knows_where_that_is() {
    needs!(Docker, Dcmtk, Pynetdicom);
    let home = scratch();
    let pacs = Pacs::start("SENDER", &home.path().join("pacs.log"), &[]);
    let config = remote_ae("SENDER", pacs.port, "") + &route(&["$sender"]);
    let node = node(&config);
    send(&node, &[Object::new()]);
    let job = node.wait_for_end("Copy");
    assert_eq!(job.deliveries[0].destination, "SENDER");
    assert_eq!(states(&job), [("sent", Some("0000"))], "{job:#?}");

    let other = Object::new();
    let file = other.write(&node.scratch("other"));
    let said = senders::dcmtk_nodelay(
        "storescu",
        node.dicom_port(),
        "Copy",
        &["-aet", "STRANGER"],
        &[&file],
    );
    assert!(said.success);
    let job = node.wait_for("Copy", "the end of the other job", |job| {
        job.study_instance_uid == other.study && job.is_over()
    });
    let delivery = &job.deliveries[0];
    assert_eq!(
        (delivery.destination.as_str(), delivery.state.as_str()),
        ("STRANGER", "held")
    );
    let error = delivery.error.clone().unwrap();
    assert!(error.contains("of the name STRANGER: add it"), "{error}");
}

#[test]
fn orthanc_takes_results_by_stow_rs() {
    needs!(Docker, Dcmtk, OrthancDicomWeb);
    let home = scratch();
    let address = Address::reserve("WEB");
    let plugin = dicomweb_plugin().unwrap();
    let orthanc = Orthanc::start_with(home.path(), address.clone(), &[plugin]).unwrap();
    let node = node(&(address.dicomweb() + &route(&["WEB"])));
    let asked = echo(&node, &["WEB"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let objects = Object::series(120);
    send(&node, &objects);
    let job = node.wait_for_end("Copy");
    assert_eq!(
        states(&job),
        vec![("sent", Some("0000")); 120],
        "{job:#?}\n{}",
        orthanc.log()
    );
    // Two batches.
    assert_eq!(orthanc.holdings().unwrap().instances, 120);
}

#[test]
fn a_dicomweb_server_that_is_busy_is_asked_again_and_one_that_refuses_an_object_gets_the_others() {
    needs!(Docker, Dcmtk);
    let mut objects = Object::series(3);
    objects[1].description = "BAD ONE";
    let uids: Vec<_> = objects.iter().map(|o| o.sop_instance.clone()).collect();
    let first = std::sync::atomic::AtomicBool::new(true);
    let server = HttpScript::start(move |asked| {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        let parts = body
            .matches("\r\nContent-Type: application/dicom\r\n\r\n")
            .count();
        if asked.header("authorization").is_some() || asked.method != "POST" {
            return Said::text(400, "");
        }
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            return Said::text(503, "");
        }
        let uid = uids.iter().find(|uid| body.contains(uid.as_str()));
        match (parts, body.contains("BAD ONE")) {
            (1, false) => Said::json(&json!({
                "00081199": { "vr": "SQ", "Value": [{ "00081155": { "vr": "UI", "Value": [uid] } }] }
            })),
            (1, true) => Said::text(400, "not this"),
            // One of a batch spoils it.
            _ => Said::text(400, ""),
        }
    });
    let config = format!(
        "[delivery]\nfirst_retry = \"100ms\"\n[[dicomweb]]\nname = \"WEB\"\nurl = \"{}/web\"\n{}",
        server.url(),
        route(&["WEB"])
    );
    let node = node(&config);
    send(&node, &objects);
    let job = node.wait_for_end("Copy");
    let mut found = states(&job);
    found.sort_unstable();
    let expected = [("refused", None), ("sent", Some("0000")), ("sent", Some("0000"))];
    assert_eq!(found, expected, "{job:#?}");
    let refused = job.deliveries[0]
        .instances
        .iter()
        .find(|i| i.state == "refused")
        .unwrap();
    assert_eq!(refused.sop_instance_uid, objects[1].sop_instance);
    let reason = refused.reason.clone().unwrap();
    assert!(reason.contains("answered 400"), "{reason}");
    let asked = server.asked_for("/web/studies");
    assert_eq!(asked.len(), 5, "busy, the batch, three alone");
    let kind = asked[0].header("content-type").unwrap();
    assert!(
        kind.starts_with("multipart/related; type=\"application/dicom\"; boundary="),
        "{kind}"
    );
    assert_eq!(asked[0].header("accept"), Some("application/dicom+json"));
}

#[test]
fn a_dicomweb_server_hears_the_token_and_sees_the_certificate_over_tls_only() {
    needs!(Docker, Dcmtk, Openssl, Pynetdicom);
    let home = scratch();
    let certificates = home.path().join("certificates");
    let ca = Authority::new("Hospital CA", &certificates);
    let (own, of_server) = (ca.issue("node", &certificates), ca.issue("web", &certificates));
    let token = home.path().join("token");
    fs::write(&token, "secret-1\n").unwrap();
    let server = Web::start(&home.path().join("web.log"), &of_server, &ca.certificate);
    let config = format!(
        "[[dicomweb]]\nname = \"WEB\"\nurl = \"https://127.0.0.1:{}/web\"\nca = {}\ncertificate = {}\nkey = {}\n\
         token = {}\n{}",
        server.port,
        json!(ca.certificate),
        json!(own.certificate),
        json!(own.key),
        json!(token),
        route(&["WEB"])
    );
    let node = node(&config);
    send(&node, &[Object::new()]);
    let job = node.wait_for_end("Copy");
    assert_eq!(states(&job), [("sent", Some("0000"))], "{job:#?}");
    assert!(
        server.log().contains("POST /web/studies Bearer secret-1 node"),
        "{}",
        server.log()
    );
    // It holds from the next delivery on.
    fs::write(&token, "of-nobody").unwrap();
    let other = Object::new();
    send(&node, std::slice::from_ref(&other));
    let job = node.wait_for("Copy", "the end of the other job", |job| {
        job.study_instance_uid == other.study && job.is_over()
    });
    let delivery = &job.deliveries[0];
    assert_eq!(
        (delivery.state.as_str(), delivery.attempts),
        ("refused", 1),
        "{job:#?}"
    );
    assert!(
        delivery.error.clone().unwrap().contains("answered 401"),
        "{job:#?}"
    );
    assert!(!node.log().contains("secret-1") && !node.log().contains("of-nobody"));
}

/// A DICOMweb server that wants a certificate and a token.
struct Web {
    port: u16,
    process: crate::support::process::Process,
}

impl Web {
    #[track_caller]
    fn start(log: &Path, own: &crate::support::tls::Identity, ca: &Path) -> Self {
        let port = crate::support::orthanc::free_port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/web.py");
        let mut command = std::process::Command::new(crate::support::peers::python());
        command
            .arg(script)
            .arg(port.to_string())
            .args([&own.certificate, &own.key])
            .arg(ca);
        let process = crate::support::process::Process::start("the web server", &mut command, log).unwrap();
        crate::support::wait::wait_until(crate::support::PATIENCE, "the web server", || {
            process.log().contains("ready").then_some(())
        })
        .unwrap();
        Self { port, process }
    }

    fn log(&self) -> String {
        self.process.log()
    }
}
