//! A container engine of a test's own, in a network of its own, so that no other is disturbed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::PATIENCE;
use super::leftovers;
use super::process::Process;
use super::runs;
use super::wait::wait_until;

/// containerd and dockerd with all they have in one directory.
pub struct Daemon {
    // Sockets have short names: not below the target directory.
    home: TempDir,
    /// Whether its containers outlive it.
    pub live_restore: bool,
    gpu_driver: bool,
    docker: Option<Process>,
    containerd: Option<Process>,
}

impl Daemon {
    /// A daemon; with `live_restore` its containers outlive it.
    ///
    /// # Errors
    /// What is missing for it.
    pub fn start(live_restore: bool) -> Result<Self, String> {
        Self::start_with(live_restore, false)
    }

    /// One that believes that it has NVIDIA's GPU driver: the hook by which it knows it is there, and does nothing.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub fn with_gpu_driver() -> Result<Self, String> {
        Self::start_with(false, true)
    }

    fn start_with(live_restore: bool, gpu_driver: bool) -> Result<Self, String> {
        leftovers::sweep();
        let home = tempfile::Builder::new()
            .prefix(&format!("{}-", runs::name("mbd")))
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

    /// Starts dockerd, again after [`Daemon::kill`].
    ///
    /// # Errors
    /// What it says.
    pub fn start_docker(&mut self) -> Result<(), String> {
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

    /// Where it listens, as a URL.
    pub fn socket(&self) -> String {
        format!("unix://{}", self.text("d.sock"))
    }

    /// What a docker command writes, if it succeeds.
    pub fn run(&self, arguments: &[&str]) -> Option<String> {
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
    pub fn load(&self, image: &str) {
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

    /// Kills dockerd.
    pub fn kill(&mut self) {
        self.docker.take().unwrap().kill().unwrap();
    }

    /// The containers of nodes, running or not, one a line.
    pub fn containers(&self) -> String {
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
