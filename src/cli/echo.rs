//! `magickbox echo`: whether a destination answers when the node asks.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::node_client::{NodeArgs, NodeClient};
use super::table::print_table;
use super::text::plain;

/// Ask a destination of the node's configuration whether it answers: by C-ECHO, from the node, as a delivery would
#[derive(Args, Debug)]
pub struct Echo {
    #[command(flatten)]
    node: NodeArgs,
    /// Its AE title or name; without one: every destination, and what it answered last
    #[arg(value_name = "AE")]
    name: Option<String>,
    /// Ask all of them
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
}

impl Echo {
    /// Asks the node and prints its answer; exit status 1 where one that was asked does not answer.
    ///
    /// # Errors
    /// What the node refused, or why it could not be reached.
    pub fn run(self) -> Result<ExitCode> {
        let node = self.node.client()?;
        let known = || -> Result<Vec<Value>> {
            let answer = node.get("remote-aes")?;
            Ok(answer
                .get("remote_aes")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default())
        };
        let shown = match &self.name {
            Some(name) => vec![ask(&node, name)?],
            None if self.all => {
                let names = known()?;
                names
                    .iter()
                    .map(|each| ask(&node, text(each, "ae_title")))
                    .collect::<Result<_>>()?
            }
            None => known()?,
        };
        let asked = self.name.is_some() || self.all;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&json!(shown))?);
        } else if shown.is_empty() {
            println!("the node's configuration has no [[remote_ae]], [[folder]] or [[dicomweb]]");
        } else {
            let rows: Vec<_> = shown.iter().map(row).collect();
            print_table(
                &["AE TITLE", "KIND", "ADDRESS", "ANSWERS", "ASKED", "WHAT IT SAID"],
                &rows,
            );
        }
        let silent = shown.iter().any(|each| answers(each) != Some(true));
        Ok(if asked && silent {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn ask(node: &NodeClient, name: &str) -> Result<Value> {
    let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    node.post(&format!("remote-aes/{name}/echo"), &json!({}))
}

fn row(remote: &Value) -> [String; 6] {
    let echo = remote.get("echo").unwrap_or(&Value::Null);
    let answers = match answers(remote) {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "-",
    };
    let or_never = |text: &str| {
        if text.is_empty() {
            "never".to_owned()
        } else {
            plain(text)
        }
    };
    [
        plain(text(remote, "ae_title")),
        plain(text(remote, "kind")),
        plain(text(remote, "address")),
        answers.to_owned(),
        or_never(text(echo, "at")),
        plain(text(echo, "text")),
    ]
}

fn answers(remote: &Value) -> Option<bool> {
    remote.get("echo")?.get("answers")?.as_bool()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_one_line_of_what_is_known_of_it() {
        let never = json!({ "ae_title": "PACS", "kind": "dicom", "address": "pacs:104", "echo": null });
        assert_eq!(row(&never), ["PACS", "dicom", "pacs:104", "-", "never", ""]);
        let asked = json!({ "ae_title": "PACS", "kind": "dicom", "address": "pacs:104",
            "echo": { "at": "2026-01-02T03:04:05Z", "answers": false, "text": "refused\u{1b}[31m" } });
        let expected = [
            "PACS",
            "dicom",
            "pacs:104",
            "NO",
            "2026-01-02T03:04:05Z",
            "refused[31m",
        ];
        assert_eq!(row(&asked), expected);
    }
}
