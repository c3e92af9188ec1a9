//! One running node: `home/data` is its data directory, `home/node.toml` its configuration, `home/node.log` its log.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;

use super::api::Api;
use super::process::Process;
use super::wait::wait_until;

/// A node is there well within this, on a busy machine too.
const START: Duration = Duration::from_secs(30);

/// What a node says of itself in `run/node.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    pub pid: u32,
    pub dicom: String,
    #[serde(default)]
    pub dicom_tls: Option<String>,
    pub http: String,
}

/// A running node; it is stopped, and its containers are removed, when this is dropped.
pub struct Node {
    binary: PathBuf,
    home: PathBuf,
    process: Process,
    ready: Ready,
}

impl Node {
    /// Starts a node on free loopback ports and waits until it serves.
    ///
    /// # Errors
    /// The node's log, when it ends instead or is not ready within 30 seconds.
    pub fn start(binary: &Path, home: &Path, config: &str) -> Result<Self> {
        Self::start_with(binary, home, config, &[])
    }

    /// The same with environment variables, which hold for this start only.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_with(binary: &Path, home: &Path, config: &str, variables: &[(&str, &str)]) -> Result<Self> {
        fs::create_dir_all(home)?;
        fs::write(home.join("node.toml"), config)?;
        let (process, ready) = launch(binary, home, variables)?;
        Ok(Self {
            binary: binary.to_owned(),
            home: home.to_owned(),
            process,
            ready,
        })
    }

    /// Starts the node again after it was stopped or killed: same data, same configuration, new ports.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.restart_with(&[])
    }

    /// The same with environment variables, which hold for this start only.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn restart_with(&mut self, variables: &[(&str, &str)]) -> Result<()> {
        (self.process, self.ready) = launch(&self.binary, &self.home, variables)?;
        Ok(())
    }

    /// Whether its process has ended.
    pub fn is_dead(&mut self) -> bool {
        self.process.ended().is_some()
    }

    /// Stops the node as an operator does (SIGTERM).
    ///
    /// # Errors
    /// When it does not end.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.process.terminate()
    }

    /// Stops the node as a crash does (SIGKILL).
    ///
    /// # Errors
    /// When it does not end.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.process.kill()
    }

    /// A client of its HTTP API.
    pub fn api(&self) -> Api {
        Api::new(&self.ready.http)
    }

    /// What it wrote into `run/node.json`.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The port on which it receives DICOM.
    pub fn dicom_port(&self) -> u16 {
        port(&self.ready.dicom)
    }

    /// The port on which it receives DICOM over TLS; 0 where there is none.
    pub fn tls_port(&self) -> u16 {
        self.ready.dicom_tls.as_deref().map_or(0, port)
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// The directory of an installed bucket whose AE title needs no escaping.
    pub fn bucket(&self, ae_title: &str) -> PathBuf {
        self.data().join("streams").join(format!("bucket{ae_title}"))
    }

    /// Everything it has logged so far, over all its starts.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Removes what is left of its jobs' containers: a node leaves running ones alone when it stops.
    fn remove_containers(&self) {
        let jobs: HashSet<_> = job_directories(&self.data()).into_iter().collect();
        for (container, job) in labelled_containers() {
            if jobs.contains(&job) {
                let _ = Command::new("docker")
                    .args(["rm", "-f", "-v", &container])
                    .output();
            }
        }
    }

    /// Takes the names that the node gave to images of its buckets.
    fn forget_images(&self) {
        let store = self.data().join("store/magickbox.sqlite");
        let id = rusqlite::Connection::open(store).and_then(|db| {
            db.query_row("SELECT value FROM node WHERE key = 'id'", [], |row| {
                row.get::<_, String>(0)
            })
        });
        let Ok(id) = id else { return };
        for name in images_named(&format!("magickbox/node-{id}")) {
            let _ = Command::new("docker").args(["rmi", &name]).output();
        }
    }
}

/// The names in a repository of the engine, `repository:tag`.
pub fn images_named(repository: &str) -> Vec<String> {
    let format = "{{.Repository}}:{{.Tag}}";
    let listed = Command::new("docker")
        .args(["images", "--format", format, repository])
        .output();
    let text = listed
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn port(address: &str) -> u16 {
    let port = address.rsplit(':').next();
    port.and_then(|p| p.parse().ok()).unwrap_or_default()
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "---- log of the node in {}\n{}----",
                self.home.display(),
                self.log()
            );
        }
        let _ = self.process.terminate().or_else(|_| self.process.kill());
        self.remove_containers();
        self.forget_images();
    }
}

/// Starts the program and waits for its `node.json`; one that a killed node left behind does not count.
fn launch(binary: &Path, home: &Path, variables: &[(&str, &str)]) -> Result<(Process, Ready)> {
    let mut command = Command::new(binary);
    // Settings of whoever runs this must not reach the node.
    for variable in ["CONFIG", "DATA", "DICOM", "HTTP", "NODE", "FAILPOINT"] {
        command.env_remove(format!("MAGICKBOX_{variable}"));
    }
    command.envs(variables.iter().copied());
    command
        .arg("serve")
        .args(["--dicom", "127.0.0.1:0", "--http", "127.0.0.1:0", "--config"]);
    command
        .arg(home.join("node.toml"))
        .arg("--data")
        .arg(home.join("data"));
    let mut process = Process::start("the node", &mut command, &home.join("node.log"))?;
    let file = home.join("data/run/node.json");
    let found = wait_until(START, "run/node.json", || {
        if let Some(status) = process.ended() {
            return Some(Err(anyhow!("the node ended at its start: {status}")));
        }
        let ready: Ready = serde_json::from_str(&fs::read_to_string(&file).ok()?).ok()?;
        (ready.pid == process.id() && Api::new(&ready.http).is_ready()).then_some(Ok(ready))
    });
    let ready = found
        .flatten()
        .with_context(|| format!("log of the node:\n{}", process.log()))?;
    Ok((process, ready))
}

/// The names of all jobs under a data directory.
fn job_directories(data: &Path) -> Vec<String> {
    let entries = |path: &Path| {
        fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
    };
    entries(&data.join("streams"))
        .flat_map(|stream| entries(&stream.join("jobs")).collect::<Vec<_>>())
        .filter_map(|job| Some(job.file_name()?.to_str()?.to_owned()))
        .collect()
}

/// Container id and job of every container that a node made, of this data directory or another.
pub fn labelled_containers() -> Vec<(String, String)> {
    let format = r#"{{.ID}} {{.Label "magickbox.job"}}"#;
    let listed = Command::new("docker")
        .args(["ps", "-a", "--filter", "label=magickbox.node", "--format", format])
        .output();
    let text = listed
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(container, job)| (container.to_owned(), job.to_owned()))
        .collect()
}
