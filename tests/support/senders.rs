//! Peers that send: dcmtk's programs as Debian ships them, and pynetdicom through `peers/store.py`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::peers::python;
use super::tls::Identity;

/// What a dcmtk program said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub success: bool,
    pub text: String,
}

impl Said {
    /// How many objects were answered with Success.
    pub fn stored(&self) -> usize {
        self.text.matches("Received Store Response (Success)").count()
    }
}

/// dcmtk's storescu sends whole directories over one association.
pub fn storescu(port: u16, called: &str, directory: &Path) -> Said {
    dcmtk("storescu", port, called, &["+sd", "+r"], &[directory])
}

/// dcmtk's dcmsend negotiates what its files are in.
pub fn dcmsend(port: u16, called: &str, files: &[PathBuf]) -> Said {
    let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
    dcmtk("dcmsend", port, called, &["--decompress-never"], &files)
}

/// dcmtk's echoscu asks whether somebody is there.
pub fn echoscu(port: u16, called: &str) -> Said {
    dcmtk("echoscu", port, called, &[], &[])
}

/// dcmtk's storescu over TLS: options such as `+px` choose the profile; `None` has no certificate (`+tla`).
pub fn storescu_tls(
    port: u16,
    called: &str,
    directory: &Path,
    client: Option<&Identity>,
    ca: &Path,
    options: &[&str],
) -> Said {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut all = match client {
        Some(client) => vec!["+tls".to_owned(), text(&client.key), text(&client.certificate)],
        None => vec!["+tla".to_owned()],
    };
    all.extend(["+cf".to_owned(), text(ca), "+sd".to_owned(), "+r".to_owned()]);
    all.extend(options.iter().map(|o| (*o).to_owned()));
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    dcmtk("storescu", port, called, &all, &[directory])
}

/// One of dcmtk's senders with `TCP_NODELAY`, which its packages leave to whoever runs them.
pub fn dcmtk_nodelay(program: &str, port: u16, called: &str, options: &[&str], files: &[&Path]) -> Said {
    said(dcmtk_command(program, port, called, options, files).env("TCP_NODELAY", "1"))
}

fn dcmtk(program: &str, port: u16, called: &str, options: &[&str], files: &[&Path]) -> Said {
    said(&mut dcmtk_command(program, port, called, options, files))
}

fn dcmtk_command(program: &str, port: u16, called: &str, options: &[&str], files: &[&Path]) -> Command {
    let mut command = Command::new(program);
    // Every wait of theirs has an end: connecting, association, messages.
    command.args([
        "-v", "-to", "10", "-ta", "30", "-td", "120", "-aet", "SENDER", "-aec", called,
    ]);
    command
        .args(options)
        .args(["127.0.0.1", &port.to_string()])
        .args(files);
    command
}

fn said(command: &mut Command) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = [stdout, stderr]
        .map(|o| String::from_utf8_lossy(&o).into_owned())
        .concat();
    Said {
        success: status.success(),
        text,
    }
}

/// What became of an association of pynetdicom.
#[derive(Debug, PartialEq, Eq)]
pub enum Association {
    /// A-ASSOCIATE-RJ with result, source and reason.
    Rejected(u64, u64, u64),
    /// One status per object, four hexadecimal digits; `----` where its context was not accepted,
    /// `aborted` where the association was gone.
    Answered(Vec<String>),
}

impl Association {
    /// The statuses of an accepted association.
    #[track_caller]
    pub fn statuses(self) -> Vec<String> {
        match self {
            Self::Answered(statuses) => statuses,
            Self::Rejected(..) => panic!("{self:?}"),
        }
    }
}

/// pynetdicom sends the files over one association, each in its own transfer syntax, its data set byte for byte.
#[track_caller]
pub fn pynetdicom(port: u16, called: &str, files: &[PathBuf]) -> Association {
    store_py(&[], port, called, files)
}

/// The same over TLS of that version, `1.2` or `1.3`.
#[track_caller]
pub fn pynetdicom_tls(
    port: u16,
    called: &str,
    files: &[PathBuf],
    client: &Identity,
    ca: &Path,
    version: &str,
) -> Association {
    let tls: [&OsStr; 5] = [
        "--tls".as_ref(),
        version.as_ref(),
        ca.as_ref(),
        client.certificate.as_ref(),
        client.key.as_ref(),
    ];
    store_py(&tls, port, called, files)
}

#[track_caller]
fn store_py(options: &[&OsStr], port: u16, called: &str, files: &[PathBuf]) -> Association {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/peers/store.py");
    let output = Command::new(python())
        .arg(script)
        .args(options)
        .arg(port.to_string())
        .arg(called)
        .args(files)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"));
    let number = |key: &str| said[key].as_u64().unwrap();
    match said["statuses"].as_array() {
        Some(statuses) => {
            Association::Answered(statuses.iter().map(|s| s.as_str().unwrap().to_owned()).collect())
        }
        None => Association::Rejected(number("result"), number("source"), number("reason")),
    }
}
