//! Which machines are meant, and asking all of them at once.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde_json::Value;

use super::ending::{Ending, complain};
use super::settings::{Settings, active_machines};
use crate::cli::node_client::{Failed, NodeArgs, NodeClient};

/// Machines that are asked at the same time.
const AT_ONCE: usize = 32;

/// What may be more work than the original's lists, a log or what the API says, may take so many times as long.
pub(super) const TIMES: u32 = 20;

/// The longest answer to a question, in bytes: ten thousand jobs are a tenth of it.
const LONGEST_ANSWER: u64 = 64 << 20;

/// Which machines, and by what right.
#[derive(Args, Clone, Debug)]
pub(super) struct MachineArgs {
    /// A node, instead of the active machines; may be given several times
    #[arg(
        long = "node",
        env = "MAGICKBOX_NODE",
        value_name = "URL",
        value_delimiter = ',',
        global = true
    )]
    nodes: Vec<String>,
    /// Token for nodes that do not know this machine's address (magickbox token); every machine asked gets it
    #[arg(
        long,
        env = "MAGICKBOX_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        global = true
    )]
    token: Option<String>,
    /// File with the token, so that it stands on no command line
    #[arg(
        long,
        env = "MAGICKBOX_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "token",
        global = true
    )]
    token_file: Option<PathBuf>,
    /// PEM file with the CAs that vouch for nodes at https://; without it, those this machine trusts
    #[arg(long, env = "MAGICKBOX_CA", value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
}

/// A machine: how it is called and how it is reached.
pub(super) struct Machine {
    /// Address or name, as it is listed.
    pub name: String,
    /// Its port, as text.
    pub port: String,
    /// The way to it.
    pub node: NodeClient,
    /// For an answer to a question.
    pub time: Duration,
}

impl MachineArgs {
    /// All that are meant.
    ///
    /// # Errors
    /// There is none; an address that is none; settings or a token that cannot be read.
    pub fn machines(&self) -> Result<Vec<Machine>> {
        let time = Settings::load()?.time();
        let mut places = Vec::new();
        for node in &self.nodes {
            places.push(place(node)?);
        }
        if self.nodes.is_empty() {
            for entry in active_machines()? {
                places.push(of_entry(&entry.machine, &entry.port)?);
            }
        }
        if places.is_empty() {
            bail!(
                "no active machines defined, use 'mb activeMachines add <ip> <port>' to create some, or give --node URL"
            );
        }
        let open = |(name, port, url): (String, String, String)| {
            let node = self.client(url)?;
            Ok(Machine {
                name,
                port,
                node,
                time,
            })
        };
        places.into_iter().map(open).collect()
    }

    fn client(&self, node: String) -> Result<NodeClient> {
        NodeArgs {
            node,
            token: self.token.clone(),
            token_file: self.token_file.clone(),
            ca: self.ca.clone(),
        }
        .client()
    }
}

/// Machines that were found at these addresses. They came by themselves: no token goes there.
///
/// # Errors
/// Settings that cannot be read.
pub(super) fn machines_at<'a>(places: impl IntoIterator<Item = &'a (IpAddr, u16)>) -> Result<Vec<Machine>> {
    let time = Settings::load()?.time();
    let open = |(address, port): &(IpAddr, u16)| Machine {
        name: address.to_string(),
        port: port.to_string(),
        node: NodeClient::new(&format!("http://{}", SocketAddr::new(*address, *port))),
        time,
    };
    Ok(places.into_iter().map(open).collect())
}

/// Name, port and URL of what `--node` says: a URL, or a host with or without its port.
fn place(node: &str) -> Result<(String, String, String)> {
    let (scheme, rest) = node.split_once("://").unwrap_or(("http", node));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.to_owned()),
        _ => (authority, "2813".to_owned()),
    };
    if host.is_empty() || host.contains('@') {
        bail!("--node {node:?} is no address of a node: give one like http://127.0.0.1:2813");
    }
    let path = rest.get(authority.len()..).unwrap_or_default();
    let url = format!("{scheme}://{host}:{port}{path}");
    Ok((host.to_owned(), port, url))
}

fn of_entry(machine: &str, port: &str) -> Result<(String, String, String)> {
    let (scheme, host) = machine.split_once("://").unwrap_or(("http", machine));
    let whole = ["http", "https"].contains(&scheme)
        && !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c))
        && port.parse::<u16>().is_ok();
    if !whole {
        bail!("~/.magickbox has {machine:?} with port {port:?}, which is no machine: mb activeMachines rm …");
    }
    Ok((
        machine.to_owned(),
        port.to_owned(),
        format!("{scheme}://{host}:{port}"),
    ))
}

impl Machine {
    /// As people are told of it.
    pub fn title(&self) -> String {
        format!("{}:{}", self.name, self.port)
    }

    /// A question of the original's: the answer has to be JSON.
    ///
    /// # Errors
    /// What the machine says, naming it.
    pub fn question(&self, script: &str) -> Result<Value> {
        let text = self.text(&format!("/code/php/{script}"), self.time)?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{} answered {script} with something else than JSON: is that a MagickBox?",
                self.title()
            )
        })
    }

    /// A GET whose answer is a text.
    ///
    /// # Errors
    /// What the machine says, naming it.
    pub fn text(&self, path: &str, time: Duration) -> Result<String> {
        let response = self.node.fetch(path, &[], time).map_err(anyhow::Error::from)?;
        let status = response.status();
        let mut bytes = Vec::new();
        response
            .into_body()
            .into_with_config()
            .limit(LONGEST_ANSWER)
            .reader()
            .read_to_end(&mut bytes)
            .with_context(|| format!("{} broke off its answer", self.title()))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        Err(self.refused(status.as_u16(), &text))
    }

    /// A refusal as an error: the node's own words, if it has any.
    pub fn refused(&self, status: u16, body: &str) -> anyhow::Error {
        let said: Value = serde_json::from_str(body).unwrap_or_default();
        let words = said.get("detail").and_then(Value::as_str);
        let words = words.unwrap_or(match status {
            401 | 403 => "it does not let this machine in (--token TOKEN)",
            404 => "it has nothing there: is that a MagickBox?",
            _ => "it gave no reason",
        });
        anyhow!("{} answered {status}: {words}", self.title())
    }

    /// What its API says, if it has one.
    ///
    /// # Errors
    /// That it does not answer in time, or refuses.
    pub fn look(&self, path: &str) -> std::result::Result<Value, Failed> {
        self.node.ask_within(path, self.time.saturating_mul(TIMES))
    }

    /// Whether it has the API of our nodes; the original has not.
    ///
    /// # Errors
    /// It does not answer, or lets nobody in.
    pub fn api(&self) -> Result<Option<Value>> {
        match self.look("node") {
            Ok(node) if node.get("version").is_some() => Ok(Some(node)),
            Ok(_)
            | Err(Failed::Refused {
                status: 404 | 405, ..
            }) => Ok(None),
            Err(failed) => Err(anyhow::Error::from(failed).context(self.title())),
        }
    }
}

/// What the machines said that answered, in their order; the others are named on stderr.
pub(super) fn ask_all<'m, T: Send>(
    machines: &'m [Machine],
    question: impl Fn(&'m Machine) -> Result<T> + Sync,
) -> (Vec<(&'m Machine, T)>, Ending) {
    ask_at_once(machines, AT_ONCE, question)
}

/// The same with so many at the same time: for what takes as long as their jobs do.
pub(super) fn ask_at_once<'m, T: Send>(
    machines: &'m [Machine],
    at_once: usize,
    question: impl Fn(&'m Machine) -> Result<T> + Sync,
) -> (Vec<(&'m Machine, T)>, Ending) {
    let (mut answers, mut ending) = (Vec::new(), Ending::Done);
    for group in machines.chunks(at_once.max(1)) {
        let asked = thread::scope(|scope| {
            let threads: Vec<_> = group.iter().map(|m| scope.spawn(|| question(m))).collect();
            let join = |t: thread::ScopedJoinHandle<'_, Result<T>>| {
                t.join().unwrap_or_else(|_| Err(anyhow!("a thread died")))
            };
            threads.into_iter().map(join).collect::<Vec<_>>()
        });
        for (machine, answer) in group.iter().zip(asked) {
            match answer {
                Ok(answer) => answers.push((machine, answer)),
                Err(error) => {
                    complain(&error);
                    ending = ending.and(Ending::of(&error));
                }
            }
        }
    }
    (answers, ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_given_as_url_or_as_host() {
        let url = |text: &str| place(text).unwrap().2;
        assert_eq!(url("http://a:1"), "http://a:1");
        assert_eq!(url("https://a"), "https://a:2813");
        assert_eq!(url("a:99"), "http://a:99");
        assert_eq!(url("10.1.2.3"), "http://10.1.2.3:2813");
        assert_eq!(url("http://[::1]:7"), "http://[::1]:7");
        assert!(place("http://").is_err());
    }

    #[test]
    fn an_entry_that_is_no_machine_is_refused_by_name() {
        assert_eq!(of_entry("https://a", "443").unwrap().2, "https://a:443");
        for (machine, port) in [
            ("a/b", "1"),
            ("", "1"),
            ("a", "x"),
            ("ftp://a", "1"),
            ("a@b", "1"),
        ] {
            assert!(of_entry(machine, port).is_err(), "{machine} {port}");
        }
    }
}
