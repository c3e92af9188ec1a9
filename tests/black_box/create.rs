//! A new bucket: its directory, its image, and what it does before anybody changes it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, open_file};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::install::image_id;
use crate::needs;
use crate::support::images::{Bucket, docker};
use crate::support::part10::files;
use crate::support::phantom;
use crate::support::runs;
use crate::support::under_test::{BUCKETS, Ran, scratch};
use crate::support::wait::wait_until;

/// Long enough for the packages of the Python template on a slow mirror.
const BUILD: Duration = Duration::from_secs(600);

/// A developer: a directory to work in, and a name for a bucket whose image goes with the value.
struct Developer {
    home: TempDir,
    name: String,
}

impl Developer {
    fn new(story: &str) -> Self {
        Self {
            home: scratch(),
            name: runs::name(&format!("mbtest{story}")),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BUCKETS);
        command.current_dir(self.home.path()).args(arguments);
        command
    }

    fn buckets(&self, arguments: &[&str]) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|o| String::from_utf8_lossy(&o).into_owned());
        Ran {
            code: status.code(),
            stdout,
            stderr,
        }
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.buckets(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:#?}");
        ran
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(&self.name).join(below)
    }

    fn has_image(&self) -> bool {
        docker(&["image", "inspect", &format!("{}:latest", self.name)])
    }

    /// Runs the bucket on a phantom; the output directory of the run.
    #[track_caller]
    fn run_on_phantom(&self, slices: u32, out: &str) -> PathBuf {
        let input = self.home.path().join("study");
        if !input.exists() {
            phantom::write(&input, slices);
        }
        self.done(&["run", &self.name, "study", out]);
        self.home.path().join(out)
    }
}

impl Drop for Developer {
    fn drop(&mut self) {
        docker(&["rmi", "-f", &self.name]);
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A file of an image, by a container that is never started.
fn in_image(image: &str, path: &str) -> bool {
    let made = Command::new("docker")
        .args(["create", image, "x"])
        .output()
        .unwrap();
    let container = String::from_utf8(made.stdout).unwrap();
    let found = docker(&["cp", &format!("{}:{path}", container.trim()), "-"]);
    docker(&["rm", container.trim()]);
    found
}

#[test]
fn a_bucket_from_the_shell_template_returns_what_it_receives_and_counts_it() {
    needs!(Docker);
    let developer = Developer::new("shell");
    let name = &developer.name;
    let created = developer.done(&["create", name]);
    assert!(
        created.stdout.contains(&format!("built {name}:latest")),
        "{created:#?}"
    );
    for (file, mode) in [
        ("work.sh", 0o755),
        ("db-plugin.code", 0o755),
        ("info.json", 0o644),
        ("Dockerfile", 0o644),
        ("README.md", 0o644),
        (".dockerignore", 0o644),
        ("memory", 0o755),
    ] {
        let found = fs::metadata(developer.path(file)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{file}");
    }
    let info = json(&developer.path("info.json"));
    assert!(
        info["AETitle"].as_str().unwrap().starts_with("ProcMbtestshell"),
        "{info}"
    );
    assert!(
        in_image(name, "/root/storage/README.md"),
        "the image has its documentation"
    );
    assert!(in_image(name, "/root/storage/memory"));

    let out = developer.run_on_phantom(3, "results");
    let received: BTreeSet<_> = files(&developer.home.path().join("study"))
        .iter()
        .map(|file| fs::read(file).unwrap())
        .collect();
    let returned: BTreeSet<_> = files(&out.join("OUTPUT"))
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "dcm"))
        .map(|file| fs::read(file).unwrap())
        .collect();
    assert_eq!(received, returned);
    let measures = json(&out.join("measures.json"));
    let objects = measures
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["name"] == "objects");
    assert_eq!(objects.unwrap()["value"], 3, "{measures}");
    let log = fs::read_to_string(out.join("processing.log")).unwrap();
    assert!(log.contains("received 3 objects"), "{log}");

    let checked = developer.done(&["check", name]);
    assert!(
        checked.stdout.contains("nothing to find fault with"),
        "{checked:#?}"
    );
}

#[test]
fn a_bucket_from_the_python_template_derives_a_series_that_is_lawful() {
    needs!(Docker, Dcmtk);
    let developer = Developer::new("python");
    let name = &developer.name;
    developer.done(&["create", name, "--template", "python", "--aetitle", "PROC PY"]);
    // Keeps the packages for the next time; what kept them so far shares them.
    let kept = "magickbox-test/python:latest";
    let before = image_id(kept);
    docker(&["tag", name, kept]);
    if !before.is_empty() && before != image_id(kept) {
        docker(&["rmi", &before]);
    }
    assert_eq!(json(&developer.path("info.json"))["AETitle"], "PROC PY");
    assert!(
        !in_image(name, "/tmp/host"),
        "nothing of the machine's way to its packages is there"
    );

    let out = developer.run_on_phantom(6, "first");
    let again = developer.run_on_phantom(6, "second");
    let source = open_file(&files(&developer.home.path().join("study"))[0]).unwrap();
    let derived = files(&out.join("OUTPUT/derived"));
    assert_eq!(derived.len(), 6);
    let mut series = BTreeSet::new();
    for file in &derived {
        series.insert(is_derived(file, &source));
    }
    assert_eq!(series.len(), 1, "one series");
    let uids = |files: &[PathBuf]| -> BTreeSet<String> {
        let uid = |f: &PathBuf| text(&open_file(f).unwrap(), tags::SOP_INSTANCE_UID);
        files.iter().map(uid).collect()
    };
    assert_eq!(
        uids(&derived),
        uids(&files(&again.join("OUTPUT/derived"))),
        "a second run gives the same objects"
    );
    let measures = json(&out.join("measures.json"));
    let volume = measures
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["name"] == "foreground_ml");
    let volume = volume.unwrap();
    assert_eq!(volume["unit"], "mL");
    // The phantom's head, which fills the foreground, has some 3 to 5 litres.
    let ml = volume["value"].as_f64().unwrap();
    assert!((1000.0..8000.0).contains(&ml), "{measures}");
}

fn text(object: &DefaultDicomObject, tag: dicom_core::Tag) -> String {
    object
        .element(tag)
        .unwrap()
        .to_str()
        .unwrap()
        .trim_end_matches(['\0', ' '])
        .to_owned()
}

/// Holds a derived image against its source and the standard; its series.
#[track_caller]
fn is_derived(file: &Path, source: &DefaultDicomObject) -> String {
    let object = open_file(file).unwrap();
    for kept in [
        tags::STUDY_INSTANCE_UID,
        tags::PATIENT_ID,
        tags::PATIENT_NAME,
        tags::FRAME_OF_REFERENCE_UID,
        tags::MODALITY,
        tags::SOP_CLASS_UID,
    ] {
        assert_eq!(text(&object, kept), text(source, kept), "{kept}");
    }
    assert!(text(&object, tags::IMAGE_TYPE).starts_with("DERIVED\\SECONDARY"));
    assert!(text(&object, tags::SERIES_DESCRIPTION).starts_with("mbtestpython"));
    let references = object
        .element(tags::SOURCE_IMAGE_SEQUENCE)
        .unwrap()
        .items()
        .unwrap();
    let referenced = references[0].element(tags::REFERENCED_SOP_INSTANCE_UID).unwrap();
    assert_ne!(
        referenced.to_str().unwrap(),
        text(&object, tags::SOP_INSTANCE_UID)
    );
    let series = text(&object, tags::SERIES_INSTANCE_UID);
    assert_ne!(series, text(source, tags::SERIES_INSTANCE_UID));

    let judged = Command::new("dciodvfy").arg(file).output().unwrap();
    let words = String::from_utf8_lossy(&judged.stderr).into_owned();
    assert!(!words.contains("Error"), "{}: {words}", file.display());
    series
}

#[test]
fn what_is_there_is_never_written_over() {
    needs!(Docker);
    let developer = Developer::new("there");
    let name = &developer.name;
    developer.done(&["create", name]);
    fs::write(developer.path("work.sh"), "mine").unwrap();
    let refused = developer.buckets(&["create", name]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused.stderr.contains(&format!("buckets build {name}")),
        "{refused:#?}"
    );
    assert_eq!(fs::read_to_string(developer.path("work.sh")).unwrap(), "mine");

    fs::remove_dir_all(developer.path("")).unwrap();
    let refused = developer.buckets(&["create", name]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused.stderr.contains(&format!("docker rmi {name}")),
        "{refused:#?}"
    );
    assert!(!developer.path("").exists());
}

#[test]
fn a_refusal_of_create_names_its_reason_and_leaves_nothing() {
    needs!(Docker);
    let developer = Developer::new("refused");
    let name = developer.name.as_str();
    let nowhere = "unix:///nowhere/docker.sock";
    for (arguments, reason) in [
        (vec!["create", "T1-Volumes"], "perhaps t1volumes"),
        (vec!["create", "../x"], "lower-case letters and digits"),
        (
            vec!["create", name, "--aetitle", "much too long a title"],
            "at most 16",
        ),
        (vec!["create", name, "--aetitle", "a\\b"], "no backslash"),
        (
            vec!["create", name, "--from", "localhost:9/none"],
            "localhost:9/none",
        ),
        (vec!["create", name, "--docker", nowhere], nowhere),
        (vec!["build", name], name),
        (vec!["build", "."], "no Dockerfile"),
    ] {
        let refused = developer.buckets(&arguments);
        assert_eq!(refused.code, Some(1), "{arguments:?}: {refused:#?}");
        assert!(refused.stderr.contains(reason), "{arguments:?}: {refused:#?}");
    }
    assert_eq!(
        fs::read_dir(developer.home.path()).unwrap().count(),
        0,
        "nothing is left"
    );
    assert!(!developer.has_image());
}

#[test]
fn a_build_that_fails_shows_its_log_and_keeps_the_files_and_can_be_done_again() {
    needs!(Docker);
    let developer = Developer::new("fails");
    let name = &developer.name;
    // An image with busybox and nothing else: there is no apt-get in it.
    let from = Bucket::fixture("copy").image();
    let failed = developer.buckets(&["create", name, "--template", "python", "--from", &from]);
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    for words in ["apt-get", &format!("buckets build {name}")] {
        assert!(failed.stderr.contains(words), "{words}: {failed:#?}");
    }
    assert!(!developer.has_image());
    let dockerfile = fs::read_to_string(developer.path("Dockerfile")).unwrap();
    let plain = dockerfile.split("COPY host/").next().unwrap().to_owned()
        + "COPY work.sh main.py /root/\nCOPY info.json db-plugin.code README.md /root/storage/\n";
    fs::write(developer.path("Dockerfile"), plain).unwrap();
    developer.done(&["build", name]);
    assert!(developer.has_image());

    // What a node would refuse, the end of a build says.
    fs::set_permissions(developer.path("work.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    let built = developer.buckets(&["build", name]);
    assert_eq!(built.code, Some(1), "{built:#?}");
    assert!(built.stdout.contains("work.sh is not executable"), "{built:#?}");
}

#[test]
fn a_build_that_is_interrupted_leaves_no_container() {
    needs!(Docker);
    let developer = Developer::new("interrupted");
    let name = &developer.name;
    let from = Bucket::fixture("copy").image();
    developer.done(&["create", name, "--from", &from]);
    let seconds = 86_400 + std::process::id();
    let dockerfile = fs::read_to_string(developer.path("Dockerfile")).unwrap();
    let slow = format!("{dockerfile}RUN sleep {seconds}\n");
    fs::write(developer.path("Dockerfile"), slow).unwrap();
    let runs = || {
        let listed = Command::new("docker")
            .args(["ps", "-a", "--no-trunc", "--format", "{{.Command}}"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&listed.stdout).contains(&format!("sleep {seconds}"))
    };
    let mut build = developer
        .command(&["build", name])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(BUILD, "the step that sleeps", || runs().then_some(())).unwrap();
    kill_process(Pid::from_child(&build), Signal::INT).unwrap();
    let status = wait_until(BUILD, "the end of the build", || build.try_wait().unwrap()).unwrap();
    assert_eq!(status.code(), Some(1));
    wait_until(BUILD, "the container to go", || (!runs()).then_some(())).unwrap();
    assert!(developer.path("work.sh").exists());
}
