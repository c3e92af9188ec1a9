//! Images of test buckets: a layer with the host's static busybox, which they share, and one with a folder of
//! `fixtures/buckets`.
//!
//! An image is tagged with the hash of its content, so each is made once on a machine; and made twice at the same time it is the
//! same image. What nobody asked for in a day is removed (see `leftovers`).

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Where images of tests are named.
pub const REPOSITORY: &str = "magickbox-test";

/// The label of images of tests, which their containers and images made from those have too.
pub const LABEL: &str = "magickbox.test";

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
        let (layers, config) = ([base(), self.layer()], "config.json");
        let digests = layers.each_ref().map(|layer| digest(layer));
        let image = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": { "Labels": { LABEL: "" } },
            "rootfs": { "type": "layers", "diff_ids": digests.each_ref().map(|digest| format!("sha256:{digest}")) },
        });
        let image = image.to_string();
        let reference = format!("{REPOSITORY}/{}:{}", self.name, &digest(image.as_bytes())[..16]);
        // A name that is given anew is not old.
        let is_there = || docker(&["tag", &reference, &reference]);
        if !is_there() {
            let files = digests.each_ref().map(|digest| format!("{digest}.tar"));
            let manifest = json!([{ "Config": config, "RepoTags": [reference], "Layers": files }]);
            let mut tar = tar::Builder::new(Vec::new());
            add(&mut tar, config, image.as_bytes());
            for (file, layer) in files.iter().zip(&layers) {
                add(&mut tar, file, layer);
            }
            add(&mut tar, "manifest.json", manifest.to_string().as_bytes());
            load(&reference, &tar.into_inner().unwrap());
            assert!(is_there(), "{reference}");
        }
        reference
    }

    fn layer(&self) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in &self.files {
            add(&mut tar, &format!("root/{path}"), content);
        }
        tar.into_inner().unwrap()
    }
}

/// The layer with busybox and its names.
fn base() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    add(&mut tar, "bin/busybox", &fs::read(busybox()).unwrap());
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
    tar.into_inner().unwrap()
}

/// The hash of a folder's files, with their names.
pub fn digest_of(folder: &Path) -> String {
    let mut files = BTreeMap::new();
    read_tree(folder, folder, &mut files);
    digest(format!("{files:?}").as_bytes())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
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

fn load(reference: &str, tar: &[u8]) {
    let mut docker = Command::new("docker")
        .args(["load", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    docker.stdin.take().unwrap().write_all(tar).unwrap();
    assert!(docker.wait().unwrap().success(), "docker load {reference}");
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
