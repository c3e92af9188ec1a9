//! The command line.

use std::path::PathBuf;

use clap::Parser;

use super::peer::Peer;
use super::scenario::Scenario;

/// Receiving, measured side by side with other receivers
///
/// Without options: every scenario with few objects, in under three minutes on a quiet machine.
#[derive(Parser)]
#[command(name = "make bench", max_term_width = 110)]
pub struct Options {
    /// As many objects as the published figures have, and more rounds
    #[arg(long)]
    pub full: bool,

    /// Only these scenarios: one, four, sixteen, large, single, stock (storescu, dcmsend), churn, held,
    /// sending
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = scenarios)]
    only: Vec<Part>,

    /// Only these peers: ours (none, instance), unclassified, dcmtk (best, stock), orthanc, pynetdicom, limits (sink, copy, write,
    /// fsync)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = peers)]
    peers: Vec<Peers>,

    /// Rounds; every peer has one turn in each [default: 3, with --full 7]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,

    /// Objects (or associations) of each scenario
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    objects: Option<u32>,

    /// The longest PDU that the fast sender uses, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 131_072, value_parser = clap::value_parser!(u32).range(4096..=131_072))]
    pub maximum_pdu: u32,

    /// Write everything, each round by itself, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Where everybody stores, and copies and writes [default: target/tmp]
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"), hide_default_value = true)]
    pub directory: PathBuf,

    /// Serve as the raw sink
    #[arg(long, hide = true, requires_all = ["sink_port", "sink_size"])]
    pub sink: Option<PathBuf>,
    #[arg(long, hide = true)]
    pub sink_port: Option<u16>,
    #[arg(long, hide = true)]
    pub sink_size: Option<usize>,

    /// `cargo bench` says it
    #[arg(long, hide = true)]
    bench: bool,
}

// One word may mean several.
#[derive(Clone)]
enum Part {
    Receiving(Vec<Scenario>),
    Sending,
}
type Peers = Several<Peer>;

#[derive(Clone)]
struct Several<T>(Vec<T>);

fn scenarios(word: &str) -> Result<Part, String> {
    if word == "sending" {
        return Ok(Part::Sending);
    }
    Scenario::named(word)
        .map(Part::Receiving)
        .ok_or_else(|| "no such scenario".to_owned())
}

fn peers(word: &str) -> Result<Peers, String> {
    Peer::named(word)
        .map(Several)
        .ok_or_else(|| "no such peer".to_owned())
}

impl Options {
    /// The scenarios to run, in the order of the table.
    pub fn scenarios(&self) -> Vec<Scenario> {
        let wanted = |scenario: &Scenario| {
            let named = |part: &Part| matches!(part, Part::Receiving(some) if some.contains(scenario));
            self.only.is_empty() || self.only.iter().any(named)
        };
        Scenario::ALL.into_iter().filter(wanted).collect()
    }

    /// Whether sending is measured too.
    pub fn sending(&self) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| matches!(part, Part::Sending))
    }

    /// Files that are sent.
    pub fn files(&self) -> usize {
        self.objects
            .map_or(if self.full { 400 } else { 60 }, |n| n as usize)
    }

    /// Receivers that were named.
    pub fn receivers(&self) -> Vec<Peer> {
        self.peers.iter().flat_map(|p| p.0.clone()).collect()
    }

    /// The peers of a scenario, in the order of the table.
    pub fn peers(&self, scenario: Scenario) -> Vec<Peer> {
        let wanted: Vec<_> = self.peers.iter().flat_map(|p| p.0.clone()).collect();
        let takes_part = |peer: &Peer| match wanted.as_slice() {
            [] => scenario.peers().contains(peer),
            // Named peers also take part where they do not by default.
            wanted => wanted.contains(peer) && scenario.suits(*peer).is_ok(),
        };
        Peer::ALL.into_iter().filter(takes_part).collect()
    }

    /// How many rounds.
    pub fn rounds(&self) -> usize {
        self.rounds.map_or(if self.full { 7 } else { 3 }, usize::from)
    }

    /// Objects of a scenario.
    pub fn objects(&self, scenario: Scenario) -> usize {
        self.objects.map_or(scenario.objects(self.full), |n| n as usize)
    }
}
