//! `magickbox conformance`: the DICOM Conformance Statement, in the order and with the headings of the template in
//! PS3.2 Annex N, its tables made from the constants and limits that the node runs with.
//!
//! ```text
//! site           the configuration it is written for
//! markdown       headings, tables, the table of contents
//! overview       1  what is exchanged and by which services
//! introduction   3  for whom, words
//! model          4  application entities and what flows between them
//! services       5  what each service does
//! configuration  6  every key, with its default
//! destinations   6  where results go, and by which rules
//! network        7  associations, presentation contexts
//! status         7.3  every status, rejection and abort
//! security       8  who may connect, ports, TLS
//! annexes        A.A to A.E
//! ```

mod annexes;
mod configuration;
mod destinations;
mod introduction;
mod markdown;
mod model;
mod network;
mod overview;
mod security;
mod services;
mod site;
mod status;
mod trail;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use markdown::Document;
use site::Site;

/// Print the DICOM Conformance Statement (PS3.2) as Markdown.
#[derive(Args, Debug)]
pub struct Conformance {
    /// Configuration file (TOML) of the node it is for; without one, every setting has its default
    #[arg(long, env = "MAGICKBOX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Running node whose buckets' AE titles are to be listed, like http://127.0.0.1:2813
    #[arg(long, value_name = "URL")]
    node: Option<String>,
}

impl Conformance {
    /// Prints the statement.
    ///
    /// # Errors
    /// Every finding of the configuration; that the node does not answer.
    pub fn run(self) -> Result<()> {
        let site = Site::load(self.config.as_deref(), self.node.as_deref())?;
        std::io::stdout().write_all(statement(&site).as_bytes())?;
        Ok(())
    }
}

fn statement(site: &Site) -> String {
    let mut document = Document::default();
    overview::write(&mut document, site);
    document.contents();
    introduction::write(&mut document);
    model::write(&mut document);
    services::write(&mut document, site);
    configuration::write(&mut document, site);
    network::write(&mut document, site);
    status::write(&mut document, site);
    security::write(&mut document, site);
    annexes::write(&mut document);
    document.finish()
}
