//! The original's routing.json becomes this node's, if it has none.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::config::Config;
use crate::engine::output;
use crate::files;
use crate::routing::{LARGEST, Site, parse_rules};

/// Routing rules that fit this node.
#[derive(Debug)]
pub struct Fitting {
    /// How many they are.
    pub rules: usize,
    text: Vec<u8>,
    to: PathBuf,
}

/// Reads rules and says whether this node would take them; nothing is changed.
pub fn look(from: &Path, data: &Path, config: &Config) -> Result<Fitting> {
    let to = data.join(
        config
            .routing
            .file
            .as_deref()
            .unwrap_or(Path::new("routing.json")),
    );
    ensure!(
        !to.exists(),
        "there are rules already in {}: they stay",
        to.display()
    );
    let text = output::read_small(from, LARGEST)?
        .with_context(|| format!("it is no file of at most {LARGEST} bytes"))?;
    let site = Site::new(config.routing.default_pacs.clone(), &config.remotes);
    let (rules, _) = parse_rules(&text, &site)?;
    Ok(Fitting {
        rules: rules.len(),
        text,
        to,
    })
}

impl Fitting {
    /// Puts them where the node reads them at its next start.
    pub fn take_over(&self) -> Result<()> {
        files::replace_file(&self.to, &self.text).with_context(|| format!("write {}", self.to.display()))
    }
}
