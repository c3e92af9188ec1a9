//! Certificates of a test, each with what is to be wrong with it, and a look at what a TLS port says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::peers::python;

/// A certification authority of a test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate as a PEM file.
    pub certificate: PathBuf,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

fn named(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn write(directory: &Path, name: &str, certificate: &Certificate, key: &KeyPair) -> Identity {
    fs::create_dir_all(directory).unwrap();
    let identity = Identity {
        certificate: directory.join(format!("{name}.pem")),
        key: directory.join(format!("{name}.key")),
    };
    fs::write(&identity.certificate, certificate.pem()).unwrap();
    fs::write(&identity.key, key.serialize_pem()).unwrap();
    identity
}

impl Authority {
    /// Makes one; `directory` holds its files.
    pub fn new(name: &str, directory: &Path) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let files = write(directory, name, &certificate, &key);
        Self {
            issuer: Issuer::new(params, key),
            certificate: files.certificate,
        }
    }

    /// A certificate for this host with an elliptic key, valid for a year.
    pub fn issue(&self, name: &str, directory: &Path) -> Identity {
        self.issue_until(name, directory, Duration::days(365))
    }

    /// The same, expiring so long from now, or before.
    pub fn issue_until(&self, name: &str, directory: &Path, left: Duration) -> Identity {
        self.sign(name, directory, &KeyPair::generate().unwrap(), left)
    }

    /// A certificate with an RSA key, as most hospitals have.
    pub fn issue_rsa(&self, name: &str, directory: &Path) -> Identity {
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
            .output()
            .unwrap();
        let key = KeyPair::from_pem(&String::from_utf8(made.stdout).unwrap()).unwrap();
        self.sign(name, directory, &key, Duration::days(365))
    }

    fn sign(&self, name: &str, directory: &Path, key: &KeyPair, left: Duration) -> Identity {
        let mut params = named(name, &["localhost", "127.0.0.1"]);
        params.not_after = OffsetDateTime::now_utc() + left;
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        write(directory, name, &certificate, key)
    }
}

/// What became of a handshake, as Python's `ssl` saw it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Probe {
    /// Such as `TLSv1.3`.
    pub version: String,
    pub cipher: String,
    /// Common name of the certificate that was served.
    pub name: String,
    /// What went wrong, in the words of OpenSSL; with the alert that came.
    pub error: String,
}

/// Shakes hands with what listens on the port, trusting anybody; with `versions` as `1.2` or `1.0-1.1`.
#[track_caller]
pub fn probe(port: u16, client: Option<&Identity>, versions: &str) -> Probe {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/tls.py");
    let mut command = Command::new(python());
    command.arg(script).args([&port.to_string(), versions]);
    if let Some(client) = client {
        command.args([&client.certificate, &client.key]);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"))
}
