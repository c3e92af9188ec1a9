//! A node with a TLS port, and the certificates around it.

use std::path::{Path, PathBuf};

use crate::support::images::Bucket;
use crate::support::tls::{Authority, Identity};
use crate::support::under_test::{TestNode, scratch};
use tempfile::TempDir;

/// A node whose TLS port shows `NODE`, and a sender that it knows.
pub struct Secure {
    // Dropped in this order: the node stops before its files go.
    pub node: TestNode,
    pub authority: Authority,
    pub sender: Identity,
    pub files: Identity,
    home: TempDir,
}

/// The node's configuration around `[dicom.tls]`: no container runs within a test.
fn configuration(dicom: &str, files: &Identity, ca: Option<&Path>, tls: &str) -> String {
    let ca = ca.map_or_else(String::new, |ca| format!("client_ca = {ca:?}\n"));
    format!(
        "[dicom]\n{dicom}\n[dicom.tls]\naddress = \"127.0.0.1:0\"\ncertificate = {:?}\nkey = {:?}\n{ca}{tls}\n\
         [bucket.Count]\ncomplete = {{ level = \"study\", quiet = \"30m\", cap = \"90m\" }}\n",
        files.certificate, files.key
    )
}

impl Secure {
    /// A node that asks for a certificate of the sender's CA.
    #[track_caller]
    pub fn start() -> Self {
        Self::with("", "", |authority, at| authority.issue("NODE", at))
    }

    /// A node with these lines in `[dicom]` and `[dicom.tls]` and that certificate.
    #[track_caller]
    pub fn with(dicom: &str, tls: &str, own: impl FnOnce(&Authority, &Path) -> Identity) -> Self {
        let home = scratch();
        let authority = Authority::new("CA", home.path());
        let sender = authority.issue("SCANNER-3", home.path());
        let files = own(&authority, home.path());
        let ca = (!tls.contains("\"none\"")).then_some(authority.certificate.as_path());
        let node = TestNode::with(&Bucket::fixture("count"), &configuration(dicom, &files, ca, tls));
        Self {
            node,
            authority,
            sender,
            files,
            home,
        }
    }

    pub fn port(&self) -> u16 {
        self.node.tls_port()
    }

    /// A directory for more certificates.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The number of a metric; 0 where there is none.
    #[track_caller]
    pub fn metric(&self, name: &str) -> i64 {
        self.node.api().metric(name).unwrap().unwrap_or_default()
    }

    /// What the node has stored of sets that are not complete.
    pub fn stored(&self) -> Vec<PathBuf> {
        fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => walk(&path, found),
                    path => found.push(path),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.node.bucket("Count").join("incoming"), &mut found);
        found.sort();
        found
    }
}
