//! The container engine is killed and comes back: an own daemon in a network of its own, so that no other is disturbed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::account::{data_sets, sent};
use super::scene::TITLE;
use super::study::{send, study};
use super::{is_full, showed};
use crate::needs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::peers::skip;
use crate::support::process::Process;
use crate::support::under_test::{MAGICKBOX, TestNode, scratch};
use crate::support::wait::wait_until;

/// A bucket that hands the study back once the gate is open; a line in its memory for each run.
fn gate() -> Bucket {
    let script = "#!/bin/sh\nset -e\necho begin >>/memory/diary\necho \"at the gate\"\n\
                  while [ ! -e /memory/go ]; do sleep 0.1; done\ncp \"$1\"/*.dcm \"$2\"/\n\
                  printf '{ \"objects\": %s }\\n' \"$(ls \"$2\" | wc -l)\" >\"$2/measures.json\"\necho \"through the gate\"\n";
    Bucket::fixture("copy").with_file("work.sh", script)
}

/// containerd and dockerd with all they have in one directory.
pub(super) struct Daemon {
    // Sockets have short names: not below the target directory.
    home: TempDir,
    live_restore: bool,
    gpu_driver: bool,
    docker: Option<Process>,
    containerd: Option<Process>,
}

impl Daemon {
    fn start(live_restore: bool) -> Result<Self, String> {
        Self::start_with(live_restore, false)
    }

    /// One that believes that it has NVIDIA's GPU driver: the hook by which it knows it is there, and does nothing.
    pub(super) fn with_gpu_driver() -> Result<Self, String> {
        Self::start_with(false, true)
    }

    fn start_with(live_restore: bool, gpu_driver: bool) -> Result<Self, String> {
        let home = tempfile::Builder::new()
            .prefix("mbd")
            .tempdir()
            .map_err(|e| e.to_string())?;
        let mut daemon = Self {
            home,
            live_restore,
            gpu_driver,
            docker: None,
            containerd: None,
        };
        daemon.containerd = Some(daemon.start_containerd()?);
        daemon.start_docker()?;
        Ok(daemon)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn start_containerd(&self) -> Result<Process, String> {
        let mut command = Command::new("containerd");
        command.args([
            "--root",
            &self.text("cr"),
            "--state",
            &self.text("cs"),
            "--address",
            &self.text("c.sock"),
        ]);
        Process::start("containerd", &mut command, &self.path("containerd.log")).map_err(|e| e.to_string())
    }

    fn start_docker(&mut self) -> Result<(), String> {
        let socket = self.socket();
        let mut command = Command::new("unshare");
        command.args([
            "--net",
            "dockerd",
            "--bridge",
            "none",
            "--iptables=false",
            "-H",
            &socket,
        ]);
        command.args([
            "--containerd",
            &self.text("c.sock"),
            "--data-root",
            &self.text("data"),
        ]);
        command.args(["--exec-root", &self.text("exec"), "--pidfile", &self.text("pid")]);
        if self.live_restore {
            command.arg("--live-restore");
        }
        if self.gpu_driver {
            let tools = self.path("tools");
            let hook = tools.join("nvidia-container-runtime-hook");
            fs::create_dir_all(&tools).map_err(|e| e.to_string())?;
            fs::write(&hook, "#!/bin/sh\nexit 0\n").map_err(|e| e.to_string())?;
            fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", tools.display()));
        }
        let log = self.path("dockerd.log");
        let mut process = Process::start("dockerd", &mut command, &log).map_err(|e| e.to_string())?;
        let answers = wait_until(PATIENCE, "the own dockerd", || {
            (self.run(&["version"]).is_some() || process.ended().is_some()).then_some(())
        });
        if answers.is_err() || process.ended().is_some() {
            return Err(format!("no dockerd of its own: {}", process.log()));
        }
        self.docker = Some(process);
        Ok(())
    }

    pub(super) fn socket(&self) -> String {
        format!("unix://{}", self.text("d.sock"))
    }

    /// What a docker command writes, if it succeeds.
    fn run(&self, arguments: &[&str]) -> Option<String> {
        let ran = Command::new("docker")
            .args(["-H", &self.socket()])
            .args(arguments)
            .output()
            .ok()?;
        ran.status
            .success()
            .then(|| String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    /// Brings an image over from the daemon of the machine.
    pub(super) fn load(&self, image: &str) {
        let mut save = Command::new("docker")
            .args(["save", image])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let load = Command::new("docker")
            .args(["-H", &self.socket(), "load", "-q"])
            .stdin(save.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(
            save.wait().unwrap().success() && load.status.success(),
            "{load:?}"
        );
    }

    fn kill(&mut self) {
        self.docker.take().unwrap().kill().unwrap();
    }

    pub(super) fn containers(&self) -> String {
        self.run(&[
            "ps",
            "-a",
            "--filter",
            "label=magickbox.node",
            "--format",
            "{{.Names}} {{.State}}",
        ])
        .unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.docker.is_none() {
            let _ = self.start_docker();
        }
        for container in self.run(&["ps", "-aq"]).unwrap_or_default().lines() {
            let _ = self.run(&["rm", "-f", container]);
        }
        self.docker = None;
        self.containerd = None;
        // Mounts of its own that it left would keep the directory.
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let own = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for mount in own.filter(|mount| Path::new(mount).starts_with(self.home.path())) {
            let _ = Command::new("umount").args(["-l", mount]).output();
        }
    }
}

/// When the daemon is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// While a container runs.
    Running,
    /// Before the node has created its container: the set is complete while nobody answers.
    Creating,
    /// While neither node nor daemon are there; the node is started first.
    NodeStart,
}

#[test]
fn an_engine_that_is_killed_and_comes_back_ends_its_jobs_well() {
    needs!(Docker);
    if !rustix::process::getuid().is_root() {
        return skip(module_path!(), "a daemon of its own needs root");
    }
    let cases = [
        (At::Running, false),
        (At::Running, true),
        (At::Creating, false),
        (At::NodeStart, false),
    ];
    for (at, live_restore) in cases.into_iter().take(if is_full() { 4 } else { 1 }) {
        let daemon = match Daemon::start(live_restore) {
            Ok(daemon) => daemon,
            Err(why) => return skip(module_path!(), &why),
        };
        killed(daemon, at);
    }
}

fn killed(mut daemon: Daemon, at: At) {
    let image = gate().image();
    daemon.load(&image);
    let config = format!("[engine]\ndocker = \"{}\"\n", daemon.socket());
    let mut node = TestNode::start_in(scratch(), &config, &[]);
    let answer = node.api().install(&image, false).unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let study = study(3, 4096);
    let diary =
        |node: &TestNode| fs::read_to_string(node.bucket(TITLE).join("memory/diary")).unwrap_or_default();
    if at == At::Creating {
        daemon.kill();
    }
    send(node.dicom_port(), TITLE, &study, &mut BTreeSet::new()).unwrap();
    if at == At::Creating {
        node.wait_for_state(TITLE, "queued");
    } else {
        wait_until(PATIENCE, "the container at the gate", || {
            (!diary(&node).is_empty()).then_some(())
        })
        .unwrap();
    }
    let mut refused = String::new();
    match at {
        At::Running => daemon.kill(),
        At::Creating => {}
        At::NodeStart => {
            node.kill().unwrap();
            daemon.kill();
            refused = start_without_an_engine(&node);
        }
    }
    daemon.start_docker().unwrap();
    if at == At::NodeStart {
        node.restart().unwrap();
    }
    fs::write(node.bucket(TITLE).join("memory/go"), "").unwrap();
    let job = node.wait_for_end(TITLE);
    let end = (job.state.as_str(), job.outcome.as_deref());
    assert_eq!(end, ("done", Some("success")), "{at:?}: {job:#?}");
    assert!(
        data_sets(&Path::new(&job.directory).join("OUTPUT")) == sent(&study),
        "{at:?}: the results"
    );
    let log = node.api().log(&job.id).unwrap();
    assert!(log.ends_with("through the gate\n"), "{at:?}: {log:?}");
    assert_eq!(daemon.containers(), "", "{at:?}");
    let live = if daemon.live_restore { ", live-restore" } else { "" };
    let runs = diary(&node).lines().count();
    showed(
        &format!("dockerd killed, {at:?}{live}"),
        &format!(
            "done after {} attempts, {runs} runs, log complete, no container left{refused}",
            job.attempt
        ),
    );
    node.terminate().unwrap();
}

/// A node that is started while nobody answers: it waits or says so, and nothing of its data changes.
fn start_without_an_engine(node: &TestNode) -> String {
    let home = node.data();
    let home = home.parent().unwrap();
    let mut command = Command::new(MAGICKBOX);
    command.args([
        "serve",
        "--dicom",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--config",
    ]);
    command
        .arg(home.join("node.toml"))
        .arg("--data")
        .arg(home.join("data"));
    let log = home.join("alone.log");
    let mut alone = Process::start("a node without an engine", &mut command, &log).unwrap();
    let said = wait_until(PATIENCE, "a word about the engine", || {
        let log = alone.log();
        (alone.ended().is_some() || log.contains("docker")).then_some(log)
    })
    .unwrap();
    let ended = alone.ended().is_some();
    alone.kill().unwrap();
    assert!(said.contains("d.sock"), "{said}");
    if ended {
        "; a node without it refuses to start, naming the socket"
    } else {
        "; a node without it waits"
    }
    .to_owned()
}
