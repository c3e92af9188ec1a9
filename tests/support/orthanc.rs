//! Orthanc as the PACS, on free loopback ports, with its storage in a directory of its own.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use super::process::Process;
use super::wait::wait_until;

/// Orthanc answers within this after its start, on a busy machine too.
const START: Duration = Duration::from_secs(30);

/// Where an Orthanc is, or will be once it is started.
#[derive(Clone, Debug)]
pub struct Address {
    pub ae_title: String,
    pub dicom_port: u16,
    http_port: u16,
}

impl Address {
    /// Picks two free ports; until [`Orthanc::start`], connections to them are refused.
    pub fn reserve(ae_title: &str) -> Self {
        Self {
            ae_title: ae_title.to_owned(),
            dicom_port: free_port(),
            http_port: free_port(),
        }
    }

    /// It as a DICOMweb server of the node's configuration.
    pub fn dicomweb(&self) -> String {
        let Self {
            ae_title, http_port, ..
        } = self;
        format!("[[dicomweb]]\nname = \"{ae_title}\"\nurl = \"http://127.0.0.1:{http_port}/dicom-web/\"\n")
    }

    /// It as a remote AE of the node's configuration.
    pub fn remote_ae(&self) -> String {
        let Self {
            ae_title, dicom_port, ..
        } = self;
        format!("[[remote_ae]]\nae_title = \"{ae_title}\"\naddress = \"127.0.0.1:{dicom_port}\"\n")
    }
}

/// What Orthanc holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    pub patients: u64,
    pub studies: u64,
    pub series: u64,
    pub instances: u64,
}

/// A running Orthanc; it is stopped when this is dropped.
pub struct Orthanc {
    address: Address,
    agent: ureq::Agent,
    process: Process,
}

impl Orthanc {
    /// Starts Orthanc with `home` for its configuration, log and storage, and waits until it answers.
    ///
    /// # Errors
    /// Its log, when it ends instead or does not answer within 30 seconds.
    pub fn start(home: &Path, address: Address) -> Result<Self> {
        Self::start_with(home, address, &[])
    }

    /// The same with plugins.
    ///
    /// # Errors
    /// As [`Orthanc::start`].
    pub fn start_with(home: &Path, address: Address, plugins: &[PathBuf]) -> Result<Self> {
        let program = program().context("Orthanc is not installed")?;
        fs::create_dir_all(home)?;
        let configuration = home.join("orthanc.json");
        fs::write(&configuration, settings(home, &address, plugins).to_string())?;
        let mut process = Process::start(
            "Orthanc",
            Command::new(program).arg(configuration),
            &home.join("orthanc.log"),
        )?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        let url = format!("http://127.0.0.1:{}/system", address.http_port);
        let up = wait_until(START, "an answer of Orthanc", || match process.ended() {
            Some(status) => Some(Err(anyhow!("Orthanc ended at its start: {status}"))),
            None => agent.get(&url).call().ok().map(|_| Ok(())),
        });
        up.flatten()
            .with_context(|| format!("log of Orthanc:\n{}", process.log()))?;
        Ok(Self {
            address,
            agent,
            process,
        })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How much it holds.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn holdings(&self) -> Result<Holdings> {
        let statistics = self.get("/statistics")?;
        let count = |key: &str| statistics.get(key).and_then(Value::as_u64).unwrap_or_default();
        Ok(Holdings {
            patients: count("CountPatients"),
            studies: count("CountStudies"),
            series: count("CountSeries"),
            instances: count("CountInstances"),
        })
    }

    /// The SOP Instance UIDs of all it holds.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn sop_instance_uids(&self) -> Result<BTreeSet<String>> {
        let instances = self.get("/instances?expand")?;
        let uid = |i: &Value| {
            i.pointer("/MainDicomTags/SOPInstanceUID")?
                .as_str()
                .map(str::to_owned)
        };
        Ok(instances
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(uid)
            .collect())
    }

    /// An object it holds, as a Part 10 file.
    ///
    /// # Errors
    /// When it has none of that SOP Instance UID, or does not answer.
    pub fn file(&self, sop_instance_uid: &str) -> Result<Vec<u8>> {
        let instances = self.get("/instances?expand")?;
        let is_it = |i: &&Value| {
            i.pointer("/MainDicomTags/SOPInstanceUID").and_then(Value::as_str) == Some(sop_instance_uid)
        };
        let found = instances.as_array().into_iter().flatten().find(is_it);
        let id = found.and_then(|i| i.get("ID")?.as_str());
        let id = id.with_context(|| format!("Orthanc does not hold {sop_instance_uid}"))?;
        let url = format!("http://127.0.0.1:{}/instances/{id}/file", self.address.http_port);
        Ok(self.agent.get(url).call()?.body_mut().read_to_vec()?)
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What it answers there.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn get(&self, path: &str) -> Result<Value> {
        Ok(self.agent.get(self.url(path)).call()?.body_mut().read_json()?)
    }

    /// Puts something there.
    ///
    /// # Errors
    /// When it does not take it.
    pub fn put(&self, path: &str, what: &Value) -> Result<()> {
        self.agent.put(self.url(path)).send(what.to_string())?;
        Ok(())
    }

    /// Asks for something; answers what it says.
    ///
    /// # Errors
    /// When it does not take it.
    pub fn post(&self, path: &str, what: &Value) -> Result<Value> {
        let mut answer = self.agent.post(self.url(path)).send(what.to_string())?;
        Ok(answer.body_mut().read_json()?)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.address.http_port)
    }
}

/// Where the program is; Debian keeps it where a user's PATH does not look.
pub fn program() -> Option<PathBuf> {
    ["/usr/sbin/Orthanc", "/usr/bin/Orthanc", "/usr/local/sbin/Orthanc"]
        .map(PathBuf::from)
        .into_iter()
        .find(|p| p.exists())
}

/// The plugin that speaks DICOMweb.
pub fn dicomweb_plugin() -> Option<PathBuf> {
    [
        "/usr/share/orthanc/plugins",
        "/usr/lib/orthanc",
        "/usr/local/share/orthanc/plugins",
    ]
    .map(|directory| Path::new(directory).join("libOrthancDicomWeb.so"))
    .into_iter()
    .find(|p| p.exists())
}

/// Orthanc takes objects from everybody who calls it by its name, and nothing else is switched on.
fn settings(home: &Path, address: &Address, plugins: &[PathBuf]) -> Value {
    json!({
        "Name": address.ae_title,
        "StorageDirectory": home.join("storage"),
        "IndexDirectory": home.join("storage"),
        "Plugins": plugins,
        "HttpPort": address.http_port,
        "DicomPort": address.dicom_port,
        "DicomAet": address.ae_title,
        "DicomCheckCalledAet": true,
        "DicomAlwaysAllowStore": true,
        "UnknownSopClassAccepted": true,
        "RemoteAccessAllowed": false,
        "AuthenticationEnabled": false,
        "HttpVerbose": false,
        "StableAge": 1
    })
}

/// A port that nobody listens on, and that is given to nobody else as long as this process lives: another run of the tests
/// would find it free until it is used. Below the range the kernel gives to outgoing connections, so that none of those takes
/// it either.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static GIVEN: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let offset = (process::id() % u32::from(COUNT)) as u16;
    let candidates = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed));
    candidates
        .take(usize::from(COUNT))
        .map(|n| FIRST + (offset.wrapping_add(n)) % COUNT)
        .find(|&port| {
            let Some(reserved) = reserve(port) else {
                return false;
            };
            GIVEN
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(reserved);
            TcpListener::bind(("127.0.0.1", port)).is_ok()
        })
        .unwrap_or_default()
}

/// Takes the port among all runs of this machine: by a name that the kernel gives to one process, and takes from it however it
/// ends.
fn reserve(port: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("magickbox-test-port-{port}")).ok()?;
    UnixListener::bind_addr(&name).ok()
}
