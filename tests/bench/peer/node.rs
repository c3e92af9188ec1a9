//! The node, with one bucket that does not run while anything is measured.

use std::cell::OnceCell;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Program, Receiver};
use crate::support::images::Bucket;
use crate::support::node::Node;

/// The AE title of the test bucket `count`.
const BUCKET: &str = "Count";

/// A data directory in which the bucket is installed already: a round begins with a copy of it, so that no container
/// is made between rounds.
pub struct Template {
    home: PathBuf,
    made: OnceCell<()>,
}

impl Template {
    /// It will lie there once it is needed.
    pub fn new(home: PathBuf) -> Self {
        Self {
            home,
            made: OnceCell::new(),
        }
    }

    fn copy_to(&self, home: &Path) -> Result<()> {
        if self.made.get().is_none() {
            let mut node = Node::start(binary(), &self.home, &config("none"))?;
            let answer = node.api().install(&Bucket::fixture("count").image(), false)?;
            ensure!(answer.status == 201, "{answer:?}");
            node.terminate()?;
            let _ = self.made.set(());
        }
        let copied = Command::new("cp")
            .arg("-a")
            .args([self.home.join("data"), home.join("data")])
            .status()?;
        ensure!(copied.success(), "cp -a ended with {copied}");
        Ok(())
    }
}

/// Starts it with one of the values of `durability`, and with the rules of classification that are built in or none.
pub(super) fn start(home: &Path, template: &Template, durability: &str, classify: bool) -> Result<Receiver> {
    template.copy_to(home).context("a data directory with a bucket")?;
    let mut settings = config(durability);
    if !classify {
        let rules = home.join("no_rules.json");
        fs::write(&rules, "[]")?;
        write!(settings, "\n[classify]\nrules = \"{}\"\n", rules.display())?;
    }
    let node = Node::start(binary(), home, &settings)?;
    Ok(Receiver {
        port: node.dicom_port(),
        called: BUCKET,
        forks: false,
        program: Program::Node(node),
    })
}

/// Cargo builds it in the profile of the benchmark.
fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_magickbox"))
}

fn config(durability: &str) -> String {
    format!(
        r#"
[dicom]
associations = 1000
associations_per_address = 1000

[storage]
durability = "{durability}"

[bucket.{BUCKET}]
complete = {{ level = "study", quiet = "30m", cap = "90m" }}
"#
    )
}
