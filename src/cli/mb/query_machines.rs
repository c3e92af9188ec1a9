//! `mb queryMachines`: the machines that are known, and how busy they are.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::ending::{Ending, complain};
use super::machines::MachineArgs;
use super::print_json;

#[derive(Args, Debug)]
pub(super) struct QueryMachines {
    /// `with status`: with what each of them has to do
    #[arg(value_name = "with status", num_args = 0..=2, value_parser = ["with", "status"])]
    with: Vec<String>,
}

impl QueryMachines {
    pub fn run(&self, machines: &MachineArgs) -> Result<Ending> {
        let machines = machines.machines()?;
        let mut ending = Ending::Done;
        let mut told = Vec::new();
        for machine in &machines {
            let mut entry = json!({ "Machine": machine.name, "Port": machine.port });
            if self.with.len() == 2 {
                match machine.question("getStatus.php") {
                    Ok(status) => entry["Status"] = status,
                    Err(error) => {
                        complain(&error);
                        ending = ending.and(Ending::of(&error));
                    }
                }
            }
            told.push(entry);
        }
        print_json(&told)?;
        Ok(ending)
    }
}
