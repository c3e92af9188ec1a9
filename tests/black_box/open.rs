//! `buckets open` on a terminal and from a script.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::termios::{LocalModes, tcgetattr};

use crate::needs;
use crate::support::images::{Bucket, docker};
use crate::support::runs;
use crate::support::under_test::{BUCKETS, scratch};
use crate::terminal::{Terminal, set_size};

/// An image with a name of its own, which goes with it.
pub struct Image(String);

impl Image {
    pub fn new(story: &str) -> Self {
        let name = runs::name(&format!("magickbox-open-test/{story}-"));
        assert!(docker(&[
            "tag",
            &Bucket::fixture("copy").image(),
            &format!("{name}:latest")
        ]));
        Self(name)
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    fn container(&self) -> String {
        let name = self.0.replace('/', "_2f");
        format!("magickbox-open-{name}")
    }

    pub fn is_open(&self) -> bool {
        docker(&["inspect", "--type", "container", &self.container()])
    }

    /// What a command prints in a fresh container of a tag.
    fn says(&self, tag: &str, command: &str) -> String {
        let image = format!("{}:{tag}", self.0);
        said(&[
            "run",
            "--rm",
            "--network",
            "none",
            &image,
            "/bin/sh",
            "-c",
            command,
        ])
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["rm", "-fv", &self.container()]);
        let tags = said(&["images", "--format", "{{.Repository}}:{{.Tag}}", &self.0]);
        for tag in tags.lines() {
            docker(&["rmi", tag]);
        }
    }
}

fn said(arguments: &[&str]) -> String {
    let ran = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

const QUESTION: &str = "[k]eep it open for later: ";

#[test]
fn leaving_the_shell_shows_what_changed_and_saves_a_new_version() {
    needs!(Docker);
    let image = Image::new("saves");
    let config = |tag: &str| {
        said(&[
            "inspect",
            "--format",
            "{{json .Config}}",
            &format!("{}:{tag}", image.0),
        ])
    };
    let configured = config("latest");
    let mut terminal = Terminal::open(&image.0, scratch());
    terminal.shows("edit and try it  http://127.0.0.1:");
    terminal.shows("# ");
    terminal.types("stty size; echo in-$((40+2)) >/local/made; echo '# mine' >>/root/work.sh\n");
    terminal.shows("30 90");
    set_size(terminal.master.as_ref().unwrap(), 40, 120);
    terminal.types("until stty size | grep '40 12[0]'; do :; done\n");
    terminal.shows("40 120");
    terminal.types("exit\n");
    terminal.shows("since version 1.0.0:");
    let report = terminal.shows(QUESTION);
    assert!(report.contains("/root/work.sh"), "{report}");
    let changed = report.lines().filter(|l| l.contains(" /")).count();
    assert_eq!(changed, 1, "only that: {report}");
    terminal.types("s\n");
    terminal.shows("Saved as");
    assert_eq!(terminal.ends(), Some(0));
    let modes = tcgetattr(&terminal.slave).unwrap().local_modes;
    assert!(
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG),
        "the terminal is as it was"
    );

    assert!(!image.is_open(), "no container is left");
    assert_eq!(
        fs::read_to_string(terminal.home().join("made")).unwrap(),
        "in-42\n"
    );
    let told = image.says(
        "latest",
        "tail -n 1 /root/work.sh; grep version /root/storage/info.json; ls -A /local /tmp",
    );
    assert!(told.contains("# mine") && told.contains("\"1.0.1\""), "{told}");
    assert!(
        !told.contains("made") && !told.contains("hist"),
        "nothing of /local and /tmp: {told}"
    );
    assert!(
        !image.says("1.0.0", "cat /root/work.sh").contains("# mine"),
        "the former one is kept"
    );
    assert_eq!(config("latest"), configured, "it is run as before");
}

#[test]
fn ctrl_c_goes_to_the_shell_and_nothing_changed_is_no_question() {
    needs!(Docker);
    let image = Image::new("ctrl-c");
    let mut terminal = Terminal::open(&image.0, scratch());
    terminal.shows("# ");
    terminal.types("echo be''gun; sleep 600\n");
    terminal.shows("begun");
    terminal.types("\u{3}");
    terminal.types("echo alive-$((1+1))\n");
    terminal.shows("alive-2");
    terminal.types("\u{4}");
    terminal.shows("is as it was");
    assert_eq!(terminal.ends(), Some(0));
    assert!(!image.is_open());
}

#[test]
fn a_closed_terminal_loses_nothing_and_the_next_one_goes_on() {
    needs!(Docker);
    let image = Image::new("closed");
    let mut terminal = Terminal::open(&image.0, scratch());
    terminal.shows("# ");
    terminal.types("kept=in-the-shell; echo '# mine' >>/root/work.sh; echo do''ne\n");
    terminal.shows("done");
    let home = terminal.closes();
    assert!(image.is_open());

    let mut again = Terminal::open(&image.0, home);
    again.shows("never left");
    let report = again.shows("[q]uit: ");
    assert!(report.contains("/root/work.sh"), "{report}");
    again.types("c\n");
    again.shows("What changed is shown then");
    again.types("\necho still-$kept\n");
    again.shows("still-in-the-shell");
    again.types("exit\n");
    again.shows(QUESTION);
    again.types("b\n");
    again.shows("# ");
    again.types("echo ba''ck; exit\n");
    again.shows("back");
    again.shows(QUESTION);
    again.types("d\n");
    again.shows("Discarded");
    assert_eq!(again.ends(), Some(0));
    assert!(!image.is_open());
    assert!(!image.says("latest", "cat /root/work.sh").contains("# mine"));
}

#[test]
fn what_a_killed_program_left_can_be_saved_at_once() {
    needs!(Docker);
    let image = Image::new("killed");
    let mut terminal = Terminal::open(&image.0, scratch());
    terminal.shows("# ");
    terminal.types("echo '# mine' >>/root/work.sh; echo do''ne\n");
    terminal.shows("done");
    let mut second = Terminal::open(&image.0, scratch());
    second.shows("is open in another terminal");
    assert_eq!(second.ends(), Some(1));

    terminal.child.kill().unwrap();
    terminal.ends();
    let scripted = open(&image, &["--save", "--command", "true"], "");
    assert_ne!(scripted.0, Some(0), "a script decides nothing: {scripted:?}");
    assert!(scripted.2.contains("was left open"), "{scripted:?}");
    let mut again = Terminal::open(&image.0, scratch());
    again.shows("[q]uit: ");
    again.types("s\n");
    again.shows("Saved as");
    assert_eq!(again.ends(), Some(0));
    assert!(image.says("latest", "cat /root/work.sh").contains("# mine"));
}

#[test]
fn what_is_left_of_an_image_that_is_gone_can_be_looked_at_and_discarded() {
    needs!(Docker);
    let image = Image::new("gone");
    let latest = format!("{}:latest", image.0);
    let made = |change: &str| {
        let own = runs::name("magickbox-open-test-gone-");
        assert!(docker(&["create", "--name", &own, &latest, "true"]));
        assert!(docker(&["commit", "--change", change, &own, &latest]));
        assert!(docker(&["rm", &own]));
    };
    made("LABEL made=first");
    let mut terminal = Terminal::open(&image.0, scratch());
    terminal.shows("# ");
    terminal.types("echo '# mine' >>/root/work.sh; echo do''ne\n");
    terminal.shows("done");
    terminal.child.kill().unwrap();
    terminal.ends();
    assert!(docker(&["kill", &image.container()]));
    let first = said(&["image", "inspect", "--format", "{{.Id}}", &latest]);
    assert!(docker(&["rmi", "--force", first.trim()]));
    assert!(docker(&["tag", &Bucket::fixture("copy").image(), &latest]));

    let scripted = open(&image, &["--save", "--command", "true"], "");
    assert_eq!(scripted.0, Some(1), "{scripted:?}");
    assert!(scripted.2.contains("was left open"), "{scripted:?}");
    let mut again = Terminal::open(&image.0, scratch());
    again.shows("never left");
    let report = again.shows("[d]iscard it, [q]uit: ");
    assert!(report.contains("/root/work.sh"), "{report}");
    assert!(report.contains("image it began with is gone"), "{report}");
    assert!(report.contains("docker cp"), "how to get at it is said: {report}");
    assert!(!report.contains("[s]ave"), "{report}");
    again.types("s\n");
    again.shows("[d]iscard it, [q]uit: ");
    again.types("d\n");
    again.shows("Discarded");
    again.shows("# ");
    again.types("exit\n");
    again.shows("is as it was");
    assert_eq!(again.ends(), Some(0));
    assert!(!image.is_open());
}

/// `buckets open` without a terminal: exit status, stdout, stderr.
fn open(image: &Image, options: &[&str], input: &str) -> (Option<i32>, String, String) {
    let home = scratch();
    let mut child = start(image, options, home.path());
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap();
    (
        ran.status.code(),
        String::from_utf8_lossy(&ran.stdout).into_owned(),
        String::from_utf8_lossy(&ran.stderr).into_owned(),
    )
}

pub fn start(image: &Image, options: &[&str], home: &Path) -> Child {
    Command::new(BUCKETS)
        .args(["open", &image.0])
        .args(options)
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_script_opens_saves_and_gets_the_exit_status() {
    needs!(Docker);
    let image = Image::new("script");
    let (status, out, err) = open(
        &image,
        &["--save"],
        "echo typed; echo aside >&2; echo '# mine' >>/root/work.sh\n",
    );
    assert_eq!((status, out.as_str()), (Some(0), "typed\n"), "{err}");
    assert!(err.contains("aside\n") && err.contains("Saved as"), "{err}");
    assert!(image.says("latest", "cat /root/work.sh").contains("# mine"));

    let command = ["--discard", "--command", "echo '# more' >>/root/work.sh; exit 7"];
    let (status, _, err) = open(&image, &command, "");
    assert_eq!(status, Some(7), "{err}");
    assert!(err.contains("Discarded") && !err.contains("http://"), "{err}");

    let (status, _, err) = open(&image, &["--save", "--command", "touch /root/half; exit 7"], "");
    assert_eq!(status, Some(7), "{err}");
    assert!(
        err.contains("not saved") && image.is_open(),
        "what failed is not saved, and not lost: {err}"
    );
    let (status, _, err) = open(&image, &["--discard", "--command", "ls /root"], "");
    assert_eq!(status, Some(0), "{err}");
    assert!(!image.is_open());
    let files = image.says("latest", "ls /root; cat /root/work.sh");
    assert!(!files.contains("half") && !files.contains("# more"), "{files}");
}

#[test]
fn what_cannot_be_opened_is_refused_by_name() {
    needs!(Docker);
    let image = Image::new("refused");
    let (status, _, err) = open(&image, &[], "");
    assert_eq!(status, Some(1));
    assert!(err.contains("--save") && err.contains("--discard"), "{err}");
    for (name, reason) in [
        ("magickbox-test/never-made", "magickbox-test/never-made"),
        ("sha256:00ff", "docker tag sha256:00ff NAME"),
    ] {
        let refused = Command::new(BUCKETS)
            .args(["open", name, "--discard"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{err}");
        assert!(err.contains(reason), "{err}");
    }
}
