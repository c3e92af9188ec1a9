//! What a killed run of these tests leaves is found by the next, and nothing else is taken for it.

use std::path::Path;
use std::process::Command;

use crate::needs;
use crate::support::images::{Bucket, docker};
use crate::support::leftovers::{is_for_the_bin, sweep_now};
use crate::support::runs::{Run, is_left_over};
use crate::support::under_test::scratch;

/// A run that is over: that of a process which has ended.
fn killed() -> Run {
    let mut process = Command::new("sleep").arg("600").spawn().unwrap();
    let run = Run::of(process.id());
    assert!(!is_left_over(&run.to_string()), "it is there");
    process.kill().unwrap();
    process.wait().unwrap();
    run
}

#[test]
fn a_run_is_told_by_its_name_in_whatever_it_made() {
    let (this, over) = (Run::this(), killed());
    for made in [
        format!("/target/tmp/{over}/.tmpAbCdEf/data"),
        format!("/tmp/mbd{over}-AbCdEf"),
        format!("0123456789ab magickbox-open-magickbox-open-test_2fsaves-{over} /var/lib"),
        format!("mbtestshell{over}:latest"),
    ] {
        assert!(is_left_over(&made), "{made}");
        let used = made.replace(&over.to_string(), &this.to_string());
        assert!(!is_left_over(&used), "{used}");
        // A process of another namespace is not to be seen from here.
        let elsewhere = made.replace(&over.to_string(), &format!("{over}0"));
        assert!(!is_left_over(&elsewhere), "{elsewhere}");
    }
    for no_name in ["", "rsn", "runs", "r1s2", "magickbox-base", "xr1s2nz"] {
        assert!(!is_left_over(no_name), "{no_name:?}");
    }
}

#[test]
fn an_image_of_tests_goes_when_nobody_asked_for_it_in_a_day() {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let (old, new) = (now - 25 * 3600, now - 3600);
    for (names, is_ours) in [
        ("magickbox-test/copy:0123", true),
        ("t1-volumes:latest magickbox-test/browser:latest", true),
        ("", true),
        ("t1-volumes:latest", false),
        ("magickbox-test/container:0123", false),
    ] {
        assert_eq!(
            is_for_the_bin(&format!("{old} sha256:1 {names}")),
            is_ours,
            "{names}"
        );
        assert!(!is_for_the_bin(&format!("{new} sha256:1 {names}")), "{names}");
        assert!(
            !is_for_the_bin(&format!("-62135596800 sha256:1 {names}")),
            "{names}"
        );
    }
}

#[test]
fn what_a_killed_run_left_goes_and_what_this_one_has_stays() {
    needs!(Docker);
    let (over, own) = (killed(), scratch());
    let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join(over.to_string());
    std::fs::create_dir_all(left.join("study")).unwrap();
    let image = Bucket::fixture("copy").image();
    let containers = [&left, own.path()].map(|directory| {
        let name = format!(
            "magickbox-test-{}-{}",
            directory.file_name().unwrap().to_str().unwrap().replace('.', ""),
            Run::this()
        );
        let volume = format!("{}:/input", directory.display());
        assert!(docker(&[
            "create", "--name", &name, "-v", &volume, &image, "true"
        ]));
        name
    });
    let names = [over, Run::this()].map(|run| format!("magickbox-test/left-{run}:latest"));
    assert!(names.iter().all(|name| docker(&["tag", &image, name])));
    sweep_now();
    let is_there = |kind: &str, name: &String| docker(&["inspect", "--type", kind, name]);
    assert_eq!(
        containers.each_ref().map(|name| is_there("container", name)),
        [false, true]
    );
    assert_eq!(
        names.each_ref().map(|name| is_there("image", name)),
        [false, true]
    );
    assert!(!left.exists() && own.path().exists());
    docker(&["rm", &containers[1]]);
    docker(&["rmi", &names[1]]);
}
