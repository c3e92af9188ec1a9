//! `mb setSender`, `mb setSetting`

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::duration;
use super::ending::Ending;
use super::print_json;
use super::settings::Settings;

#[derive(Args, Debug)]
pub(super) struct SetSender {
    /// You, perhaps with your project: hauke:project01
    sender: Option<String>,
}

impl SetSender {
    pub fn run(&self) -> Result<Ending> {
        match &self.sender {
            Some(sender) => Settings::change(|settings| settings.sender.clone_from(sender))?,
            None => println!("{{\"sender\": {}}}", json!(Settings::load()?.sender)),
        }
        Ok(Ending::Done)
    }
}

#[derive(Args, Debug)]
pub(super) struct SetSetting {
    /// Sender or Timeout
    name: Option<String>,
    /// What it is from now on
    value: Option<String>,
}

impl SetSetting {
    pub fn run(&self) -> Result<Ending> {
        let settings = Settings::load()?;
        match (self.name.as_deref(), self.value.as_deref()) {
            (None, _) => print_json(&settings)?,
            (Some("Sender"), None) => println!("{{\"sender\": {}}}", json!(settings.sender)),
            (Some("Timeout"), None) => {
                let text = duration::format(std::time::Duration::from_nanos(settings.timeout));
                println!("{{\"Timeout\": {}}}", json!(text));
            }
            (Some("Sender"), Some(sender)) => Settings::change(|s| sender.clone_into(&mut s.sender))?,
            (Some("Timeout"), Some(text)) => {
                let Some(time) = duration::parse(text) else {
                    bail!("{text:?} is no duration: give one like 1s, 1m30s or 300ms");
                };
                let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                Settings::change(|settings| settings.timeout = nanoseconds)?;
            }
            (Some(name), _) => bail!("{name:?} is no setting: there are Sender and Timeout"),
        }
        Ok(Ending::Done)
    }
}
