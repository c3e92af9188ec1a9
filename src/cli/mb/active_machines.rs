//! `mb activeMachines`, `mb selectMachine`

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::ending::{Ending, warn};
use super::print_json;
use super::settings::{Entry, active_machines, save_active_machines};

#[derive(Args, Debug)]
pub(super) struct ActiveMachines {
    /// Without it: the list
    #[arg(value_enum, requires = "machine", requires = "port")]
    what: Option<What>,
    /// Address or name of the machine; https://NAME where it speaks TLS
    #[arg(value_name = "IP")]
    machine: Option<String>,
    /// Its port
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum What {
    Add,
    Rm,
}

impl ActiveMachines {
    pub fn run(&self) -> Result<Ending> {
        let mut machines = active_machines()?;
        if let (Some(what), Some(machine), Some(port)) = (self.what, &self.machine, self.port) {
            let port = port.to_string();
            let at = machines
                .iter()
                .position(|m| m.machine == *machine && m.port == port);
            match (what, at) {
                (What::Add, Some(_)) => {
                    warn("machine already part of the active list, nothing will be done");
                    return Ok(Ending::Done);
                }
                (What::Add, None) => machines.push(Entry::new(machine, &port)),
                (What::Rm, None) => bail!("{machine} {port} is not part of activeMachines"),
                (What::Rm, Some(at)) => drop(machines.remove(at)),
            }
            save_active_machines(&machines)?;
        }
        print_json(&machines)?;
        Ok(Ending::Done)
    }
}

#[derive(Args, Debug)]
pub(super) struct SelectMachine {
    /// Address or name of the machine; https://NAME where it speaks TLS
    #[arg(value_name = "IP", requires = "port")]
    machine: Option<String>,
    /// Its port
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

impl SelectMachine {
    pub fn run(&self) -> Result<Ending> {
        if let (Some(machine), Some(port)) = (&self.machine, self.port) {
            save_active_machines(&[Entry::new(machine, &port.to_string())])?;
            return Ok(Ending::Done);
        }
        let machines = active_machines()?;
        let Some(first) = machines.first() else {
            bail!("no active machines defined, use 'mb activeMachines add <ip> <port>' to create some");
        };
        let (machine, port) = (json!(first.machine), json!(first.port));
        println!("{{\"machine\": {machine}, \"port\": {port}}}");
        Ok(Ending::Done)
    }
}
