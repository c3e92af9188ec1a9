//! The program `buckets` against a node, and the files it installs.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::Value;

use super::images::docker;
use super::process::Process;
use super::under_test::{BUCKETS, Ran, TestNode, run};

/// `buckets` with a node, to its end.
#[track_caller]
pub fn buckets(node: &TestNode, arguments: &[&str]) -> Ran {
    run(BUCKETS, &[arguments, &["--node", &node.ready().http]].concat())
}

/// The same, which has to succeed.
#[track_caller]
pub fn done(node: &TestNode, arguments: &[&str]) -> Ran {
    let ran = buckets(node, arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:#?}");
    ran
}

/// The same, which has to be refused: what it said.
#[track_caller]
pub fn refused(node: &TestNode, arguments: &[&str]) -> String {
    let ran = buckets(node, arguments);
    assert_eq!(ran.code, Some(1), "{arguments:?}: {ran:#?}");
    ran.stderr
}

/// `buckets` with the node at a URL, in the background; what it says goes to `log`.
pub fn begin(url: &str, arguments: &[&str], log: &Path) -> Process {
    let mut command = Command::new(BUCKETS);
    for variable in ["NODE", "TOKEN", "TOKEN_FILE", "CA"] {
        command.env_remove(format!("MAGICKBOX_{variable}"));
    }
    command.args(arguments).args(["--node", url]);
    Process::start("buckets", &mut command, log).unwrap()
}

/// The one bucket of a node, as `buckets list --json` tells it.
#[track_caller]
pub fn listed(node: &TestNode) -> Value {
    let list: Value = serde_json::from_str(&done(node, &["list", "--json"]).stdout).unwrap();
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    list[0].clone()
}

/// How a file of a bucket is made.
#[derive(Clone, Copy, Debug)]
pub enum Made {
    Save,
    Export,
}

/// Writes an image as a file, with `more` bytes of noise in an export so that it takes a while.
#[track_caller]
pub fn file_of(image: &str, made: Made, path: &Path, more: usize) -> PathBuf {
    let to = path.to_str().unwrap();
    match made {
        Made::Save => assert!(docker(&["save", "-o", to, image])),
        Made::Export => {
            let created = Command::new("docker")
                .args(["create", image, "/never"])
                .output()
                .unwrap();
            let container = String::from_utf8(created.stdout).unwrap().trim().to_owned();
            assert!(docker(&["export", "-o", to, &container]));
            assert!(docker(&["rm", &container]));
        }
    }
    if more > 0 {
        let beside = path.parent().unwrap().join("noise");
        let mut noise = Vec::new();
        fs::File::open("/dev/urandom")
            .unwrap()
            .take(more as u64)
            .read_to_end(&mut noise)
            .unwrap();
        fs::write(&beside, noise).unwrap();
        let directory = path.parent().unwrap().to_str().unwrap();
        let added = Command::new("tar")
            .args(["-rf", to, "-C", directory, "noise"])
            .status();
        assert!(added.unwrap().success());
        fs::remove_file(beside).unwrap();
    }
    path.to_owned()
}

/// Packs a file; answers `FILE.gz`.
pub fn gzip(path: &Path) -> PathBuf {
    assert!(
        Command::new("gzip")
            .arg("-k")
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
    PathBuf::from(format!("{}.gz", path.display()))
}

/// A line to a node that breaks once, after so many bytes towards it; its URL.
pub fn line_that_breaks(node: &str, after: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let node = node.trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        let mut left = Some(after);
        for client in listener.incoming() {
            let (mut client, mut node) = (client.unwrap(), TcpStream::connect(&node).unwrap());
            let (mut back, mut to_client) = (node.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut back, &mut to_client);
                let _ = to_client.shutdown(Shutdown::Both);
            });
            let mut buffer = vec![0; 64 << 10];
            while let Ok(n @ 1..) = client.read(&mut buffer) {
                if let Some(bytes) = left.as_mut() {
                    *bytes = bytes.saturating_sub(n as u64);
                    if *bytes == 0 {
                        left = None;
                        break;
                    }
                }
                if node.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            let _ = client.shutdown(Shutdown::Both);
            let _ = node.shutdown(Shutdown::Both);
        }
    });
    url
}
