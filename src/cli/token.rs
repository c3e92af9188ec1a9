//! `magickbox token`

use anyhow::{Result, bail};
use clap::Args;
use sha2::{Digest, Sha256};

use super::upload::hex;
use crate::model::Permission;

/// Make a token, with which somebody may use the API from another machine
#[derive(Args, Debug)]
pub struct TokenCommand {
    /// Whose it is; stands in the configuration and in the log
    name: String,
    /// What it may be used for: read, operate, install; several with commas
    #[arg(long, value_delimiter = ',', default_value = "read")]
    may: Vec<String>,
}

impl TokenCommand {
    /// Prints a token nobody had before, and the lines of the configuration that make a node take it. The token itself is
    /// kept nowhere.
    ///
    /// # Errors
    /// A name or a word that the configuration does not take.
    pub fn run(self) -> Result<()> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(fits) {
            bail!(
                "{:?}: the name of a token has 1 to 64 letters, digits, \".\", \"_\", \"-\" and \"@\"",
                self.name
            );
        }
        for word in &self.may {
            if let Err(allowed) = Permission::parse(word) {
                bail!("--may {word:?}: {allowed}");
            }
        }
        let token = fresh();
        let may: Vec<_> = self.may.iter().map(|word| format!("{word:?}")).collect();
        println!("Give this to {}; it is shown once:\n", self.name);
        println!("  MAGICKBOX_TOKEN={token}\n");
        println!("Put this into the node's configuration, and restart the node:\n");
        println!("[[http.token]]");
        println!("name = {:?}", self.name);
        println!("sha256 = {:?}", hex(Sha256::new_with_prefix(&token)));
        println!("may = [{}]", may.join(", "));
        Ok(())
    }
}

/// 244 random bits, after a word by which a token is known for one wherever it is found.
fn fresh() -> String {
    let half = || uuid::Uuid::new_v4().simple().to_string();
    format!("mbx_{}{}", half(), half())
}
