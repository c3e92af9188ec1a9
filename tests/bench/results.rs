//! What came out of all rounds, and how peers compare.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::peer::Peer;
use super::round::Sample;
use super::scenario::Scenario;

/// What became of a peer in a scenario.
pub enum Row {
    /// It took part: the samples of its rounds, by number of the round.
    Measured(BTreeMap<usize, Sample>),
    Skipped(String),
    Failed(String),
}

/// A scenario's rows in the order of the table.
pub struct Block {
    pub scenario: Scenario,
    pub objects: usize,
    pub rounds: usize,
    pub took: Duration,
    pub rows: Vec<(Peer, Row)>,
}

/// The value of a sample that is summarised.
pub type Measure = fn(&Sample) -> f64;

/// Seconds of wall time per object.
pub fn wall(sample: &Sample) -> f64 {
    sample.wall_seconds / sample.objects as f64
}

/// Objects a second.
pub fn rate(sample: &Sample) -> f64 {
    1.0 / wall(sample)
}

/// MB of data sets a second.
pub fn megabytes(sample: &Sample) -> f64 {
    sample.bytes as f64 / 1e6 / sample.wall_seconds
}

/// Seconds of CPU time of the receiver per object.
pub fn cpu(sample: &Sample) -> f64 {
    sample.server_cpu_seconds / sample.objects as f64
}

/// Seconds of CPU time of the receiver per GB, or milliseconds per association where no data is sent.
pub fn cpu_figure(sample: &Sample) -> f64 {
    per_unit(sample, sample.server_cpu_seconds)
}

/// The same of the sender.
pub fn sender_figure(sample: &Sample) -> f64 {
    per_unit(sample, sample.sender_cpu_seconds)
}

fn per_unit(sample: &Sample, seconds: f64) -> f64 {
    if sample.bytes == 0 {
        seconds * 1e3 / sample.objects as f64
    } else {
        seconds * 1e9 / sample.bytes as f64
    }
}

/// Peak memory in MB; 0 where nothing was running but us.
pub fn memory(sample: &Sample) -> f64 {
    sample.peak_memory_bytes.map_or(0.0, |bytes| bytes as f64 / 1e6)
}

impl Block {
    /// The samples of a peer, if it took part.
    pub fn samples(&self, peer: Peer) -> Option<&BTreeMap<usize, Sample>> {
        self.rows.iter().find_map(|(p, row)| match row {
            Row::Measured(samples) if *p == peer && !samples.is_empty() => Some(samples),
            _ => None,
        })
    }

    /// The median over a peer's rounds.
    pub fn median(&self, peer: Peer, measure: Measure) -> Option<f64> {
        median(self.samples(peer)?.values().map(measure).collect())
    }

    /// The median of what one peer has over another, round by round: what slows the machine for a while slows both.
    pub fn ratio(&self, peer: Peer, other: Peer, measure: Measure) -> Option<f64> {
        let (ours, theirs) = (self.samples(peer)?, self.samples(other)?);
        let pairs = ours.iter().filter_map(|(round, sample)| {
            let reference = measure(theirs.get(round)?);
            (reference > 0.0).then(|| measure(sample) / reference)
        });
        median(pairs.collect())
    }

    /// How far a peer's rounds lie apart: the longest wall time less the shortest, over the median.
    pub fn spread(&self, peer: Peer) -> Option<f64> {
        let walls: Vec<_> = self.samples(peer)?.values().map(wall).collect();
        let (least, most) = walls
            .iter()
            .fold((f64::MAX, 0.0_f64), |(a, b), &w| (a.min(w), b.max(w)));
        Some((most - least) / median(walls)?)
    }

    /// It whole, each round by itself.
    pub fn json(&self) -> Value {
        let row = |(peer, row): &(Peer, Row)| match row {
            Row::Measured(samples) => json!({
                "peer": peer.name(),
                "rounds": samples.values().collect::<Vec<_>>(),
                "objects_per_second": self.median(*peer, rate),
                "megabytes_per_second": self.median(*peer, megabytes),
                "server_cpu_per_gb": self.median(*peer, cpu_figure),
                "peak_memory_mb": self.median(*peer, memory),
                "wall_to_best": self.ratio(*peer, Peer::Best, wall),
                "cpu_to_best": self.ratio(*peer, Peer::Best, cpu),
            }),
            Row::Skipped(why) => json!({ "peer": peer.name(), "skipped": why }),
            Row::Failed(why) => json!({ "peer": peer.name(), "failed": why }),
        };
        json!({
            "scenario": self.scenario.name(),
            "objects": self.objects,
            "peers": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

/// The median.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) {
        (upper + values[middle - 1]) / 2.0
    } else {
        upper
    })
}
