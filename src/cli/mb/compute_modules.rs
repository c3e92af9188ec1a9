//! `mb computeModules`: the buckets of all machines.

use anyhow::{Result, bail};
use clap::Args;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ending::Ending;
use super::jobs::regex;
use super::machines::{Machine, MachineArgs, ask_all};
use super::print_json;

#[derive(Args, Debug)]
pub(super) struct ComputeModules {
    /// Only those that match
    regex: Option<String>,
}

/// A bucket of a machine, as it is printed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Module {
    #[serde(rename = "AETitle")]
    pub ae_title: String,
    description: String,
    license: String,
    name: String,
    version: String,
    machine: String,
    port: String,
}

impl Module {
    /// Reads one the way the original does: whatever the case of the keys.
    fn read(value: &Value, machine: &Machine) -> Self {
        let text = |name: &str| {
            let found = value
                .as_object()
                .and_then(|map| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)));
            match found {
                Some((_, Value::String(text))) => text.clone(),
                Some((_, Value::Number(number))) => number.to_string(),
                _ => String::new(),
            }
        };
        Self {
            ae_title: text("AETitle"),
            description: text("description"),
            license: text("license"),
            name: text("name"),
            version: text("version"),
            machine: machine.name.clone(),
            port: machine.port.clone(),
        }
    }

    fn matches(&self, regex: &Regex) -> bool {
        [
            &self.machine,
            &self.port,
            &self.ae_title,
            &self.description,
            &self.license,
            &self.name,
            &self.version,
        ]
        .into_iter()
        .any(|text| regex.is_match(text))
    }
}

/// The buckets of a machine.
///
/// # Errors
/// What the machine says, naming it.
pub(super) fn modules(machine: &Machine) -> Result<Vec<Module>> {
    match machine.question("getInstalledBuckets.php")? {
        Value::Null => Ok(Vec::new()),
        Value::Array(buckets) => Ok(buckets.iter().map(|b| Module::read(b, machine)).collect()),
        _ => bail!(
            "{} gave no list of buckets: is that a MagickBox?",
            machine.title()
        ),
    }
}

impl ComputeModules {
    pub fn run(&self, machines: &MachineArgs) -> Result<Ending> {
        let wanted = self.regex.as_deref().map(regex).transpose()?;
        let machines = machines.machines()?;
        let (answers, ending) = ask_all(&machines, modules);
        let found: Vec<_> = answers
            .into_iter()
            .flat_map(|(_, modules)| modules)
            .filter(|module| wanted.as_ref().is_none_or(|regex| module.matches(regex)))
            .collect();
        print_json(&found)?;
        Ok(ending)
    }
}
