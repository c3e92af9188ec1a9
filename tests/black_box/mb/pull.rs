//! Results are fetched whole, or go on later.

use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Person, answer_of_the_original, names, zip_of};
use crate::support::http_script::{Asked, HttpScript, Said};

const ETAG: &str = "\"one-7\"";

/// A machine with that zip, which knows ranges; the first so many answers are cut after half of what they have.
fn machine(zip: Vec<u8>, cuts: usize) -> HttpScript {
    let answers = AtomicUsize::new(0);
    HttpScript::start(move |asked| {
        if !asked
            .path
            .starts_with("/code/php/getOutputZip.php?folder=tmp.one")
        {
            return answer_of_the_original(asked, "0");
        }
        let mut said = ranged(asked, &zip);
        if answers.fetch_add(1, Ordering::Relaxed) < cuts {
            said.cut = Some(said.body.len() / 2);
        }
        said
    })
}

fn ranged(asked: &Asked, zip: &[u8]) -> Said {
    let from = asked
        .header("range")
        .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let said = match from {
        Some(from) if asked.header("if-range") == Some(ETAG) => Said::text(206, &zip[from..]).with(
            "Content-Range",
            format!("bytes {from}-{}/{}", zip.len() - 1, zip.len()),
        ),
        _ => Said::text(200, zip),
    };
    said.with("ETag", ETAG)
}

fn results() -> Vec<u8> {
    zip_of(&[
        ("tmp.one/OUTPUT/a.dcm", &[7; 300_000]),
        ("tmp.one/OUTPUT/deep/b.txt", b"b"),
    ])
}

const ZIP: &str = "tmp.pid-one_tmp.one.zip";

#[test]
fn a_zip_that_breaks_off_is_gone_on_with_and_is_there_only_once_it_is_whole() {
    let machine = machine(results(), 2);
    let person = Person::new();
    let told = person.does(&["pull", "anna", "--node", &machine.url()]);
    assert_eq!(told[0]["file"], ZIP);
    assert_eq!(std::fs::read(person.at(ZIP)).unwrap(), results());
    assert_eq!(names(person.home.path()), [ZIP]);
    let ranges: Vec<_> = machine
        .asked_for("/code/php/getOutputZip.php")
        .iter()
        .map(|a| a.header("range").map(str::to_owned))
        .collect();
    let half = results().len() / 2;
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[1], Some(format!("bytes={half}-")));
    assert_eq!(ranges.len(), 3);
}

#[test]
fn another_run_goes_on_where_a_killed_one_was() {
    let machine = machine(results(), 0);
    let person = Person::new();
    std::fs::write(person.at(&format!("{ZIP}.part")), &results()[..1000]).unwrap();
    std::fs::write(person.at(&format!("{ZIP}.part.etag")), ETAG).unwrap();
    let ran = person.run(&["g", "anna", "--node", &machine.url()]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stderr.contains("going on after 1000 B"), "{ran:#?}");
    assert_eq!(std::fs::read(person.at(ZIP)).unwrap(), results());
}

#[test]
fn a_part_of_something_else_is_not_gone_on_with() {
    let machine = machine(results(), 0);
    let person = Person::new();
    std::fs::write(person.at(&format!("{ZIP}.part")), b"old").unwrap();
    std::fs::write(person.at(&format!("{ZIP}.part.etag")), "\"another\"").unwrap();
    person.does(&["pull", "anna", "--node", &machine.url()]);
    assert_eq!(std::fs::read(person.at(ZIP)).unwrap(), results());
}

#[test]
fn a_zip_that_is_there_is_not_fetched_again_unless_it_is_another() {
    let machine = machine(results(), 0);
    let person = Person::new();
    person.does(&["pull", "anna", "--node", &machine.url()]);
    let again = person.run(&["pull", "anna", "--node", &machine.url()]);
    assert!(
        again
            .stderr
            .contains(&format!("file {ZIP} exists, skip download..."))
    );
    // Fetched before the job was over.
    std::fs::write(person.at(ZIP), b"stale").unwrap();
    person.does(&["pull", "anna", "--node", &machine.url()]);
    assert_eq!(std::fs::read(person.at(ZIP)).unwrap(), results());
}

#[test]
fn a_damaged_zip_is_not_kept() {
    let mut zip = results();
    let at = zip.len() / 2;
    zip[at] ^= 1;
    let machine = machine(zip, 0);
    let person = Person::new();
    let ran = person.run(&["pull", "anna", "--node", &machine.url()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no whole zip"), "{ran:#?}");
    assert_eq!(names(person.home.path()), Vec::<String>::new());
}

#[test]
fn a_zip_is_unpacked_into_a_directory_of_the_jobs_name() {
    let machine = machine(results(), 0);
    let person = Person::new();
    let told = person.does(&["pull", "-x", "anna", "--node", &machine.url()]);
    assert_eq!(told[0]["directory"], "tmp.one/OUTPUT");
    assert_eq!(
        std::fs::read(person.at("tmp.one/OUTPUT/a.dcm")).unwrap(),
        [7; 300_000]
    );
    assert_eq!(
        std::fs::read(person.at("tmp.one/OUTPUT/deep/b.txt")).unwrap(),
        b"b"
    );
    assert_eq!(names(person.home.path()), ["tmp.one", ZIP]);
}

#[test]
fn nothing_is_unpacked_of_a_zip_that_leads_elsewhere() {
    for name in [
        "../evil",
        "/tmp/evil",
        "tmp.one/OUTPUT/../../../evil",
        "tmp.two/OUTPUT/evil",
    ] {
        let machine = machine(zip_of(&[("tmp.one/OUTPUT/good", b"1"), (name, b"2")]), 0);
        let person = Person::new();
        let ran = person.run(&["pull", "-x", "anna", "--node", &machine.url()]);
        assert_eq!(ran.code, Some(1), "{name}: {ran:#?}");
        assert!(ran.stderr.contains("leads out of"), "{ran:#?}");
        assert_eq!(names(person.home.path()), [ZIP], "{name}");
    }
}

#[test]
fn a_name_that_a_machine_made_up_becomes_no_path() {
    let asked_for = Arc::new(AtomicUsize::new(0));
    let seen = asked_for.clone();
    let machine = HttpScript::start(move |asked| {
        if asked.path.starts_with("/code/php/getOutputZip.php") {
            seen.fetch_add(1, Ordering::Relaxed);
        }
        Said::json(
            &serde_json::json!([{ "scratchdir": "../../evil", "pid": "tmp.1", "AETitleCaller": "anna" }]),
        )
    });
    let person = Person::new();
    let ran = person.run(&["pull", "anna", "--node", &machine.url()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("which is no name"), "{ran:#?}");
    assert_eq!(asked_for.load(Ordering::Relaxed), 0);
    assert_eq!(names(person.home.path()), Vec::<String>::new());
}

#[test]
fn what_jobs_received_is_fetched_under_a_name_of_its_own() {
    let zip = zip_of(&[("tmp.one/INPUT/a", b"a")]);
    let machine = machine(zip, 0);
    let person = Person::new();
    let told = person.does(&["pi", "anna", "--node", &machine.url()]);
    assert_eq!(told[0]["file"], "tmp.pid-one_tmp.one_input.zip");
    let asked = machine.asked_for("/code/php/getOutputZip.php");
    assert_eq!(
        asked[0].path,
        "/code/php/getOutputZip.php?folder=tmp.one&type=input"
    );
    assert_eq!(
        person.run(&["pull", "nobody", "--node", &machine.url()]).code,
        Some(6)
    );
}

#[test]
fn a_machine_that_is_gone_when_its_zips_are_fetched_did_not_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let machine = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        // Nobody listens any more once the list of jobs is there.
        drop(listener);
        let jobs = super::two_jobs().to_string();
        let head = format!(
            "HTTP/1.1 200 x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            jobs.len()
        );
        reader.get_mut().write_all((head + &jobs).as_bytes()).unwrap();
    });
    let person = Person::new();
    let ran = person.run(&["pull", "anna", "--node", &url]);
    machine.join().unwrap();
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("connection refused"), "{ran:#?}");
    assert_eq!(names(person.home.path()), Vec::<String>::new());
}
