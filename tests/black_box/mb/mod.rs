//! `mb` sends studies and fetches results: settings, and machines that answer by a script. What happens on a real node
//! stands where the node's part of it does.

mod dicom;
mod lists;
mod node;
mod pull;
mod push;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http_script::{Asked, HttpScript, Said};
use crate::support::under_test::{MB, Ran, scratch};

/// A person with a home directory, who stands in it.
struct Person {
    home: TempDir,
}

impl Person {
    /// One who waits half a minute for answers: these machines are busy.
    fn new() -> Self {
        let home = scratch();
        std::fs::write(
            home.path().join(".mb"),
            r#"{"Sender": "anna:one", "Timeout": 30000000000}"#,
        )
        .unwrap();
        Self { home }
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(MB);
        for variable in ["NODE", "TOKEN", "TOKEN_FILE", "CA"] {
            command.env_remove(format!("MAGICKBOX_{variable}"));
        }
        command.env("HOME", self.home.path());
        command.current_dir(self.home.path()).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs it; it has to end well.
    #[track_caller]
    fn does(&self, arguments: &[&str]) -> Value {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        parsed(&ran)
    }

    /// A directory with files to send.
    fn study(&self, files: &[(&str, &[u8])]) -> String {
        let study = self.at("study");
        std::fs::create_dir_all(&study).unwrap();
        for (name, content) in files {
            std::fs::write(study.join(name), content).unwrap();
        }
        study.to_str().unwrap().to_owned()
    }
}

#[track_caller]
fn parsed(ran: &Ran) -> Value {
    if ran.stdout.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"))
}

/// A machine of the original: two jobs, one bucket, no API.
fn original(load: &'static str) -> HttpScript {
    HttpScript::start(move |asked| answer_of_the_original(asked, load))
}

fn answer_of_the_original(asked: &Asked, load: &str) -> Said {
    match asked.path.as_str() {
        "/code/php/getScratch.php" => Said::json(&two_jobs()),
        "/code/php/getInstalledBuckets.php" => Said::json(&json!([{
            "AETitle": "ProcCount", "description": "counts", "license": "", "name": "count", "version": "1"
        }])),
        "/code/php/getStatus.php" => Said::json(&json!([["ProcCount", load, "0", "1"]])),
        "/code/php/processZip.php" => Said::text(200, "\n"),
        "/scratch/tmp.one/processing.log" => Said::text(200, "it begins\nit ends \u{1b}[31mbadly\n"),
        path if path.starts_with("/code/php/deleteStudy.php") => Said::text(200, ""),
        _ => Said::text(404, "<html>not here</html>"),
    }
}

fn two_jobs() -> Value {
    let job = |name: &str, sender: &str| {
        json!({
            "CallerIP": "10.0.2.2", "AETitleCalled": "ProcCount", "AETitleCaller": sender, "received": "Mon Sep 1",
            "scratchdir": format!("tmp.{name}"), "pid": format!("tmp.pid-{name}"), "lastChangedTime": "0",
            "processingTime": 387
        })
    };
    json!([job("one", "anna:one"), job("two", "bert")])
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in entries {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with(".m"))
        .collect();
    names.sort();
    names
}
