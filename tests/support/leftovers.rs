//! What a run of the tests that was killed left on this machine. The next one removes it before it begins, whichever checkout it
//! is of; runs that go on are not disturbed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use super::images::{LABEL, REPOSITORY};
use super::runs::{clean, is_left_over};
use super::wait::wait_until;

/// What tests run. Somebody's shell in a directory that was left is none of it.
const PROGRAMS: [&str; 9] = [
    "magickbox",
    "buckets",
    "mb",
    "Orthanc",
    "dockerd",
    "containerd",
    "containerd-shim",
    "python",
    "python3",
];

/// Names of images that only tests give.
const NAMES: [&str; 3] = ["magickbox-test/", "magickbox/node-", "magickbox-open-test/"];

/// An image that was not asked for in so long is made anew when it is: longer than any run takes.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// The most images that one run removes.
const AT_ONCE: usize = 50;

/// Removes it, once in a run.
pub fn sweep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(sweep_now);
}

/// Removes it.
pub fn sweep_now() {
    containers();
    processes();
    mounts();
    loop_devices();
    directories();
    images();
}

/// Containers that have the run's name, or one of its directories: those of `buckets open`, of `buckets run`, of nodes.
fn containers() {
    let format = "{{.ID}} {{.Names}} {{.Mounts}}";
    let listed = said("docker", &["ps", "-a", "--no-trunc", "--format", format]);
    for container in listed.lines().filter(|line| is_left_over(line)) {
        let id = container.split(' ').next().unwrap_or_default();
        said("docker", &["rm", "-f", "-v", id]);
    }
    // What was to be looked into only, what an engine made for a node that was gone by then, and what unit tests ran has neither,
    // but a label. Engines say "About an hour ago", then "26 hours ago", then "2 days ago".
    let (label, format) = (format!("label={LABEL}"), "{{.ID}} {{.State}} {{.RunningFor}}");
    let listed = said("docker", &["ps", "-a", "--filter", &label, "--format", format]);
    let has = |line: &str, units: &[&str]| units.iter().any(|unit| line.contains(unit));
    let is_old = |line: &&str| {
        has(line, &["day", "week", "month", "year"]) || has(line, &[" created "]) && has(line, &["hour"])
    };
    for container in listed.lines().filter(is_old) {
        let id = container.split(' ').next().unwrap_or_default();
        said("docker", &["rm", "-f", "-v", id]);
    }
}

/// Programs whose command line, directory, log or root is in one of the run's directories.
fn processes() {
    let _ = wait_until(Duration::from_secs(10), "the end of what was left", || {
        let left: Vec<_> = names(Path::new("/proc"))
            .iter()
            .filter_map(|name| name.parse().ok())
            .filter(|&process| is_left(process))
            .collect();
        for process in left.iter().filter_map(|&process| Pid::from_raw(process)) {
            let _ = kill_process(process, Signal::KILL);
        }
        left.is_empty().then_some(())
    });
}

fn is_left(process: i32) -> bool {
    let about = PathBuf::from(format!("/proc/{process}"));
    let read = |name| String::from_utf8_lossy(&fs::read(about.join(name)).unwrap_or_default()).into_owned();
    let link = |name| fs::read_link(about.join(name)).unwrap_or_default();
    // What runs in a container of a daemon of a test's own may have any name.
    let is_root = |line: &str| line.split(' ').nth(4) == Some("/") && is_left_over(line);
    read("mountinfo").lines().any(is_root)
        || PROGRAMS.contains(&read("comm").trim_end())
            && (is_left_over(&read("cmdline"))
                || ["cwd", "fd/1"]
                    .iter()
                    .any(|name| is_left_over(&link(*name).to_string_lossy())))
}

/// What is mounted in its directories, the last first.
fn mounts() {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let left: Vec<_> = points.filter(|point| is_left_over(point)).collect();
    for point in left.iter().rev() {
        said("umount", &["-l", point]);
    }
}

/// Block devices that are files in its directories.
fn loop_devices() {
    for device in names(Path::new("/sys/block")) {
        let file = fs::read_to_string(format!("/sys/block/{device}/loop/backing_file"));
        if file.is_ok_and(|file| is_left_over(&file)) {
            said("losetup", &["-d", &format!("/dev/{device}")]);
        }
    }
}

fn directories() {
    clean(Path::new(env!("CARGO_TARGET_TMPDIR")));
    clean(&std::env::temp_dir());
}

/// Names with the run's in them; and, of any run, what is old: such images are found by their label.
fn images() {
    let listed = said("docker", &["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    for name in listed.lines().filter(|name| is_left_over(name)) {
        said("docker", &["rmi", name]);
    }
    let label = format!("label={LABEL}");
    let reference = format!("reference={REPOSITORY}/*");
    let ids: BTreeSet<_> = [label, reference]
        .iter()
        .flat_map(|filter| {
            let ids = said("docker", &["images", "-q", "--no-trunc", "--filter", filter]);
            ids.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    if ids.is_empty() {
        return;
    }
    let about = about_images(ids.iter().map(String::as_str));
    for id in about.lines().filter_map(old_image).take(AT_ONCE) {
        // Another run may have asked for it meanwhile. One that a container uses stays.
        let about = about_images([id].into_iter());
        if is_for_the_bin(&about) {
            let names: Vec<_> = about
                .split_whitespace()
                .skip(2)
                .filter(|name| is_ours(name))
                .collect();
            let what = if about.split_whitespace().count() == 2 {
                vec![id]
            } else {
                names
            };
            said("docker", &[&["rmi"], &what[..]].concat());
        }
    }
}

/// Of each image when it was named last, in seconds since 1970, its id, its names.
fn about_images<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let format = "{{.Metadata.LastTagTime.Unix}} {{.Id}} {{join .RepoTags \" \"}}";
    let mut arguments = vec!["image", "inspect", "--format", format];
    arguments.extend(ids);
    said("docker", &arguments)
}

/// Whether an image is old, and has no name or one that tests give; from `SECONDS ID NAME…`.
pub fn is_for_the_bin(about: &str) -> bool {
    old_image(about).is_some()
}

/// The id of such an image.
fn old_image(about: &str) -> Option<&str> {
    let mut words = about.split_whitespace();
    // A time before 1970 is none: the image is just being made.
    let named = UNIX_EPOCH + Duration::from_secs(words.next()?.parse().ok()?);
    let id = words.next()?;
    let mut names = words.peekable();
    let is_for_tests = names.peek().is_none() || names.any(is_ours);
    (is_for_tests && SystemTime::now().duration_since(named).ok()? >= OLD).then_some(id)
}

/// Unit tests name an image of their own, once and for all.
fn is_ours(name: &str) -> bool {
    NAMES.iter().any(|start| name.starts_with(start)) && !name.starts_with("magickbox-test/container:")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// What a program writes; nothing where it is missing or fails.
fn said(program: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program).args(arguments).output();
    ran.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned())
        .unwrap_or_default()
}
