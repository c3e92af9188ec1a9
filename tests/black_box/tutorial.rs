//! The tutorial keeps its word: it is typed here from beginning to end, as it stands.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::needs;
use crate::support::images::docker;
use crate::support::phantom;
use crate::support::runs;
use crate::support::under_test::{MAGICKBOX, TestNode, scratch};
use crate::terminal::Terminal;

/// Making a base image and fetching packages, on a machine that has nothing yet.
const LONG: Duration = Duration::from_secs(600);

const NAME: &str = "mytestbucket";

/// The blocks of the tutorial: `sh` is typed outside the bucket, `bash` inside.
fn blocks() -> Vec<(bool, String)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md")).unwrap();
    let block = |block: &str| {
        let (kind, rest) = block.split_once('\n').unwrap();
        let outside = match kind {
            "sh" => true,
            "bash" => false,
            other => panic!("a block of {other:?}: say sh or bash"),
        };
        (outside, rest.trim_end().to_owned())
    };
    text.split("```").skip(1).step_by(2).map(block).collect()
}

/// Types a block into the bucket, a command after the other: packages are fetched meanwhile, which read the terminal.
fn type_in(terminal: &mut Terminal, block: &str) {
    for (i, command) in block.split("\n\n").enumerate() {
        if command == "exit" {
            terminal.types("exit\n");
            return;
        }
        // What the terminal echoes is not what is waited for.
        let end = if command.ends_with("END") { "\n" } else { " && " };
        terminal.types(&format!("{command}{end}echo well-$(({i}+1000))\n"));
        terminal.shows_within(LONG, &format!("well-{}", i + 1000));
    }
}

#[test]
fn the_tutorial_does_what_it_says() {
    needs!(Docker, Dcmtk);
    let node = TestNode::start("");
    let home = scratch();
    phantom::write(&home.path().join("study"), 20);
    // The name differs from what a reader types: another run may be at it too.
    let name = runs::name(NAME);
    let programs = Path::new(MAGICKBOX).parent().unwrap().display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let mut ran = 0;
    let mut opened = None;
    for (outside, block) in blocks() {
        if !outside {
            let mut terminal: Terminal = opened.take().expect("the bucket is open");
            type_in(&mut terminal, &block);
            terminal.shows("[k]eep it open for later: ");
            terminal.types("s\n");
            terminal.shows("Saved as");
            assert_eq!(terminal.ends(), Some(0));
            continue;
        }
        if block == format!("buckets open {NAME}") {
            let mut terminal = Terminal::open_in(&name, home.path());
            terminal.shows("# ");
            opened = Some(terminal);
            continue;
        }
        let port = node.dicom_port().to_string();
        let script = block.replace("11112", &port).replace(NAME, &name);
        let mut command = Command::new("sh");
        command.args(["-ec", &script]).current_dir(home.path());
        let said = command
            .env("PATH", &path)
            .env("MAGICKBOX_NODE", &node.ready().http)
            .output()
            .unwrap();
        assert!(said.status.success(), "{block}: {said:#?}");
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        if block.contains("storescu") {
            let job = node
                .api()
                .wait_for_job(LONG, "the job's end", |job| job.is_over())
                .unwrap();
            assert_eq!(job.outcome.as_deref(), Some("success"), "{job:#?}");
        } else if block.contains("measures.json") {
            assert!(text.contains("\"mean\""), "{text}");
        } else if block.contains("tar -tf") {
            assert!(text.contains("runs"), "the memory has what work.sh wrote: {text}");
        }
        ran += block.lines().count();
    }
    assert!(ran >= 15, "only {ran} commands were found");
    for tag in ["latest", "0.1.0", "0.1.1"] {
        docker(&["rmi", "--force", &format!("{name}:{tag}")]);
    }
}
