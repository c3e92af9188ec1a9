//! Images of test buckets: the host's static busybox and a folder of `fixtures/buckets`, imported from a tar.
//!
//! An image is tagged with the hash of its content, so each is made once on a machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};

const INFO: &str = "storage/info.json";

/// The files below `/root` of an image to be.
#[derive(Clone)]
pub struct Bucket {
    name: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Bucket {
    /// The test bucket of that name.
    pub fn fixture(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/buckets")
            .join(name);
        let mut files = BTreeMap::new();
        read_tree(&root, &root, &mut files);
        assert!(!files.is_empty(), "no bucket in {}", root.display());
        Self {
            name: name.to_owned(),
            files,
        }
    }

    /// The same with another content of one file.
    pub fn with_file(self, path: &str, content: &str) -> Self {
        self.with_bytes(path, content.as_bytes())
    }

    /// The same with a file that is no text.
    pub fn with_bytes(mut self, path: &str, content: &[u8]) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }

    /// The same without `info.json`.
    pub fn without_info(mut self) -> Self {
        self.files.remove(INFO);
        self
    }

    /// The same with another text as `info.json`, whatever it is.
    pub fn with_info(self, text: &str) -> Self {
        self.with_file(INFO, text)
    }

    /// The same with one key of `info.json` set.
    pub fn with(self, key: &str, value: impl Into<Value>) -> Self {
        let mut info: Value = serde_json::from_slice(&self.files[INFO]).unwrap();
        info[key] = value.into();
        self.with_info(&info.to_string())
    }

    /// The same under another AE title.
    pub fn called(self, ae_title: &str) -> Self {
        self.with("AETitle", ae_title)
    }

    /// A reference to the image, which is made if it is not there.
    pub fn image(&self) -> String {
        let busybox = fs::read(busybox()).unwrap();
        let tar = self.tar(&busybox);
        let hash: String = Sha256::digest(&tar)
            .iter()
            .take(8)
            .map(|b| format!("{b:02x}"))
            .collect();
        let reference = format!("magickbox-test/{}:{hash}", self.name);
        if !docker(&["image", "inspect", &reference]) {
            import(&reference, &tar);
        }
        reference
    }

    fn tar(&self, busybox: &[u8]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        add(&mut tar, "bin/busybox", busybox);
        // Every image people build has one, and buckets use it.
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o1777);
        tar.append_data(&mut header, "tmp/", std::io::empty()).unwrap();
        let applets = Command::new("busybox").arg("--list").output().unwrap().stdout;
        for applet in String::from_utf8(applets)
            .unwrap()
            .lines()
            .filter(|a| *a != "busybox")
        {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, format!("bin/{applet}"), "busybox")
                .unwrap();
        }
        for (path, content) in &self.files {
            add(&mut tar, &format!("root/{path}"), content);
        }
        tar.into_inner().unwrap()
    }
}

fn add(tar: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(if path.ends_with(".json") { 0o644 } else { 0o755 });
    tar.append_data(&mut header, path, content).unwrap();
}

fn read_tree(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_tree(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

fn busybox() -> PathBuf {
    ["/bin/busybox", "/usr/bin/busybox"]
        .map(PathBuf::from)
        .into_iter()
        .find(|p| p.exists())
        .expect("busybox-static")
}

fn import(reference: &str, tar: &[u8]) {
    let mut docker = Command::new("docker")
        .args(["import", "-", reference])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    docker.stdin.take().unwrap().write_all(tar).unwrap();
    assert!(docker.wait().unwrap().success(), "docker import {reference}");
}

/// Runs a docker command and says whether it succeeded.
pub fn docker(arguments: &[&str]) -> bool {
    let run = Command::new("docker")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    run.unwrap().success()
}

/// The containers of a job, running or not, one a line as `NAME STATE`.
pub fn containers_of(job: &str) -> Vec<String> {
    let filter = format!("label=magickbox.job={job}");
    let output = Command::new("docker")
        .args([
            "ps",
            "-a",
            "--filter",
            &filter,
            "--format",
            "{{.Names}} {{.State}}",
        ])
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}
