//! The README keeps its word: its commands are run here, as they stand; what takes longer is run by CI.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::needs;
use crate::support::api::Api;
use crate::support::node::Ready;
use crate::support::phantom;
use crate::support::process::Process;
use crate::support::under_test::{MAGICKBOX, scratch};
use crate::support::wait::wait_until;

/// Building the example bucket on a machine that has nothing yet.
const LONG: Duration = Duration::from_secs(600);

/// Commands that `.ci/run` runs.
const RUN_BY_CI: [&str; 5] = [
    "make demo",
    "make test",
    "make bench",
    "make fuzz",
    "cargo install --locked --path .",
];

/// The command lines of the README's `sh` blocks.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = readme
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

#[test]
fn what_is_left_to_ci_is_in_ci() {
    let ci = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    for command in RUN_BY_CI {
        // `step MINUTES COMMAND`
        let steps = ci.lines().filter_map(|line| line.trim().strip_prefix("step "));
        let mut commands = steps.filter_map(|step| step.split_once(' '));
        assert!(
            commands.any(|(_, runs)| runs.starts_with(command)),
            "{command} is not run by .ci/run"
        );
    }
}

#[test]
fn every_command_does_what_it_says() {
    needs!(Docker, Dcmtk);
    let home = scratch();
    let (study, out) = (home.path().join("study"), home.path().join("out"));
    phantom::write(&study, 100);
    let programs = Path::new(MAGICKBOX).parent().unwrap().display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let shell = |line: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.env("PATH", &path).env("HOME", home.path());
        // The only things that differ from a user's: ports that are free.
        command
            .env("MAGICKBOX_DICOM", "127.0.0.1:0")
            .env("MAGICKBOX_HTTP", "127.0.0.1:0");
        command
    };
    let mut node: Option<(Process, Ready)> = None;
    let mut ran = 0;
    for line in commands()
        .iter()
        .filter(|line| !RUN_BY_CI.contains(&line.as_str()))
    {
        ran += 1;
        if let Some(serve) = line.strip_suffix(" &") {
            let mut command = shell(&format!("exec {serve}"));
            let process = Process::start("the node", &mut command, &home.path().join("node.log")).unwrap();
            let file = home.path().join("magickbox/run/node.json");
            let ready = wait_until(LONG, "node.json", || {
                serde_json::from_str(&fs::read_to_string(&file).ok()?).ok()
            });
            node = Some((process, ready.unwrap()));
            continue;
        }
        let (_, ready) = node.as_ref().expect("the node is started first");
        let port = ready.dicom.rsplit(':').next().unwrap();
        let line = line
            .replace("11112", port)
            .replace("http://127.0.0.1:2813", &ready.http)
            .replace("DIR", &study.display().to_string())
            .replace("OUT", &out.display().to_string());
        let said = shell(&line).env("MAGICKBOX_NODE", &ready.http).output().unwrap();
        assert!(said.status.success(), "{line}: {said:#?}");
    }
    assert!(ran >= 7, "only {ran} commands were found");
    let (_node, ready) = node.unwrap();
    let job = Api::new(&ready.http)
        .wait_for_job(LONG, "the job's end", |job| job.is_over())
        .unwrap();
    assert_eq!(
        (job.state.as_str(), job.outcome.as_deref()),
        ("done", Some("success")),
        "{job:#?}"
    );
    assert!(Path::new(&job.directory).join("record.json").exists());
    assert!(
        out.join("OUTPUT/volumes.json").exists(),
        "buckets run left nothing"
    );
}
