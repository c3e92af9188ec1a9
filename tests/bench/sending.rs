//! Sending, measured side by side with other senders: `mb push --dicom`, dcmtk's dcmsend and storescu take turns in
//! sending the same files to the same receivers.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};

use super::measure::Cpu;
use super::pdus;
use super::peer::{Peer, Receiver, start_stock_forking};
use super::results::median;
use super::round::{Bench, Home, SLICE_FILES, last_lines, stored, warm_up, write_files};
use super::targets::Target;

/// Bytes of pixels of an object.
const SLICE: usize = 512 * 1024;

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sender {
    /// `mb push --dicom` over one association.
    Mb,
    /// The same over two.
    MbTwo,
    Dcmsend,
    Storescu,
}

impl Sender {
    const ALL: [Self; 4] = [Self::Mb, Self::MbTwo, Self::Dcmsend, Self::Storescu];

    const fn name(self) -> &'static str {
        match self {
            Self::Mb => "mb",
            Self::MbTwo => "mb-two",
            Self::Dcmsend => "dcmsend",
            Self::Storescu => "storescu",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Mb => "mb push --dicom",
            Self::MbTwo => "the same, two associations",
            Self::Dcmsend => "dcmsend",
            Self::Storescu => "storescu",
        }
    }

    fn command(self, receiver: &Receiver, files: &Path) -> Command {
        let (mut command, port) = match self {
            Self::Mb | Self::MbTwo => (Command::new(env!("CARGO_BIN_EXE_mb")), receiver.port),
            Self::Dcmsend | Self::Storescu => (Command::new(self.name()), receiver.port),
        };
        command.env_remove("TCP_NODELAY");
        match self {
            Self::Mb | Self::MbTwo => {
                let associations = if self == Self::Mb { "1" } else { "2" };
                command.args(["push", receiver.called]).arg(files);
                command.arg(format!("--dicom=127.0.0.1:{port}"));
                command.args(["--calling", "BENCH", "--associations", associations]);
            }
            Self::Dcmsend | Self::Storescu => {
                command.args(["-aet", "BENCH", "-aec", receiver.called, "+sd", "127.0.0.1"]);
                command.arg(port.to_string()).arg(files);
            }
        }
        command
    }
}

/// Who receives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum To {
    /// `storescp --fork`, otherwise as shipped.
    Stock,
    /// The same at its best.
    Best,
    /// Our node, not durable.
    Node,
}

impl To {
    const ALL: [Self; 3] = [Self::Stock, Self::Best, Self::Node];

    const fn peer(self) -> Peer {
        match self {
            Self::Stock => Peer::Stock,
            Self::Best => Peer::Best,
            Self::Node => Peer::None,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Stock => "to storescp --fork",
            Self::Best => "to storescp --fork at its best",
            Self::Node => "to our node, not durable",
        }
    }
}

/// What one round of one sender took.
#[derive(Clone, Copy)]
struct Sample {
    wall: f64,
    cpu: f64,
}

/// All rounds of all senders to one receiver.
pub struct Sending {
    to: To,
    objects: usize,
    rounds: BTreeMap<Sender, Vec<Sample>>,
    missing: Option<String>,
}

/// Measures; `peers` are the receivers that were asked for.
pub fn measure(
    bench: &Bench,
    objects: usize,
    rounds: usize,
    peers: &[Peer],
    say: impl Fn(&str),
) -> Vec<Sending> {
    let mut all: Vec<_> = To::ALL
        .into_iter()
        .filter(|to| peers.is_empty() || peers.contains(&to.peer()))
        .map(|to| Sending {
            to,
            objects,
            rounds: BTreeMap::new(),
            missing: to
                .peer()
                .missing()
                .or_else(|| Peer::Stock.missing())
                .map(str::to_owned),
        })
        .collect();
    for round in 0..rounds {
        for sending in &mut all {
            for turn in 0..Sender::ALL.len() {
                // Nobody is always first.
                let sender = Sender::ALL[(turn + round) % Sender::ALL.len()];
                if sending.missing.is_some() {
                    continue;
                }
                let to = sending.to;
                say(&format!(
                    "sending, round {} of {rounds}: {} {}",
                    round + 1,
                    sender.title(),
                    to.title()
                ));
                match one(bench, to, sender, objects) {
                    Ok(sample) => sending.rounds.entry(sender).or_default().push(sample),
                    Err(error) => sending.missing = Some(format!("FAILED: {}: {error:#}", sender.title())),
                }
            }
        }
    }
    say("");
    all
}

/// A fresh receiver, a warm-up, the files.
fn one(bench: &Bench, to: To, sender: Sender, objects: usize) -> Result<Sample> {
    let files = bench.directory.join(format!("{SLICE_FILES}{objects}"));
    write_files(&files, SLICE, objects)?;
    let home = Home::new(&bench.directory)?;
    let size = pdus::data_set_length(SLICE);
    let receiver = match to {
        To::Stock => start_stock_forking(home.path())?,
        other => other.peer().start(home.path(), &bench.template, true, size)?,
    };
    let failed = |error: anyhow::Error| {
        anyhow!(
            "{error:#}; the receiver's log ends with:\n{}",
            last_lines(&receiver.log())
        )
    };
    warm_up(&receiver).map_err(failed)?;
    rustix::fs::sync();
    let before = Cpu::of_self();
    let begin = Instant::now();
    let output = sender
        .command(&receiver, &files)
        .output()
        .with_context(|| format!("start {}", sender.name()))?;
    let wall = begin.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}: {}: {said}",
        sender.name(),
        output.status
    );
    stored(home.path(), objects, size).map_err(failed)?;
    Ok(Sample {
        wall,
        cpu: Cpu::of_self().since(before).as_secs_f64(),
    })
}

impl Sending {
    /// Whether everything worked; what was left out because somebody is missing did too, unless that counts.
    pub fn worked(&self, missing_counts: bool) -> bool {
        self.missing
            .as_ref()
            .is_none_or(|why| !missing_counts && !why.starts_with("FAILED"))
    }

    /// The lines of its block.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            String::new(),
            format!(
                "sending: {} objects of 0.52 MB {}, a process each time (rounds: {})",
                self.objects,
                self.to.title(),
                self.rounds.values().map(Vec::len).max().unwrap_or(0)
            ),
            format!(
                "  {:<28}{:>9}{:>9}{:>9}{:>13}{:>16}",
                "", "wall s", "1/s", "MB/s", "CPU s/GB", "times dcmsend"
            ),
        ];
        if let Some(why) = &self.missing {
            lines.push(format!("  {why}"));
        }
        let bytes = (self.objects * pdus::data_set_length(SLICE)) as f64;
        for (sender, samples) in &self.rounds {
            let (Some(wall), Some(cpu)) = (
                median(samples.iter().map(|s| s.wall).collect()),
                median(samples.iter().map(|s| s.cpu).collect()),
            ) else {
                continue;
            };
            lines.push(format!(
                "  {:<28}{wall:>9.3}{:>9.1}{:>9.0}{:>13.2}{:>16}",
                sender.title(),
                self.objects as f64 / wall,
                bytes / 1e6 / wall,
                cpu * 1e9 / bytes,
                self.times(*sender)
                    .map_or("-".to_owned(), |times| format!("{times:.2}")),
            ));
        }
        lines
    }

    /// How often as fast as dcmsend: the median of the rounds' ratios.
    fn times(&self, sender: Sender) -> Option<f64> {
        let (ours, theirs) = (self.rounds.get(&sender)?, self.rounds.get(&Sender::Dcmsend)?);
        median(ours.iter().zip(theirs).map(|(o, t)| t.wall / o.wall).collect())
    }

    /// What was to be reached.
    pub fn target(&self) -> Option<Target> {
        // At its best it is the receiver's speed that shows.
        if self.to == To::Best {
            return None;
        }
        let reached = self.times(Sender::Mb)?;
        let what = format!(
            "sending {}: objects/s of mb over those of dcmsend",
            self.to.title()
        );
        Some(Target::at_least(what, 2.0, reached))
    }

    /// It whole.
    pub fn json(&self) -> Value {
        let rounds = |samples: &Vec<Sample>| {
            let one = |s: &Sample| json!({ "wall_seconds": s.wall, "sender_cpu_seconds": s.cpu });
            samples.iter().map(one).collect::<Vec<_>>()
        };
        let senders: BTreeMap<_, _> = self.rounds.iter().map(|(s, r)| (s.name(), rounds(r))).collect();
        json!({ "to": self.to.title(), "objects": self.objects, "senders": senders, "missing": self.missing })
    }
}
