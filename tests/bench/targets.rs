//! What is to be reached, beside what was.

use super::peer::Peer;
use super::results::{Block, Measure, cpu, megabytes, memory, rate, wall};
use super::scenario::Scenario;

/// One aim and what came out.
pub struct Target {
    what: String,
    /// At most, or at least, that.
    at_most: bool,
    wanted: f64,
    reached: f64,
}

impl Target {
    /// One that has to be at least so much.
    pub fn at_least(what: String, wanted: f64, reached: f64) -> Self {
        Self {
            what,
            at_most: false,
            wanted,
            reached,
        }
    }

    /// Whether it is met.
    pub fn is_met(&self) -> bool {
        if self.at_most {
            self.reached <= self.wanted
        } else {
            self.reached >= self.wanted
        }
    }

    /// It as a line of the table.
    pub fn line(&self) -> String {
        format!(
            "  {:<6} {:<82} {} {:>6.2}  {:>8.2}",
            if self.is_met() { "met" } else { "MISSED" },
            self.what,
            if self.at_most { "<=" } else { ">=" },
            self.wanted,
            self.reached
        )
    }

    /// It for the JSON file.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "what": self.what,
            "relation": if self.at_most { "<=" } else { ">=" },
            "wanted": self.wanted,
            "reached": self.reached,
            "met": self.is_met(),
        })
    }
}

/// A ratio between two peers in a scenario, and its limit.
struct Aim {
    scenario: Scenario,
    peer: Peer,
    other: Peer,
    what: &'static str,
    measure: Measure,
    at_most: bool,
    wanted: f64,
}

fn aims() -> Vec<Aim> {
    use Scenario::{Dcmsend, Four, Large, One, Sixteen, Storescu};
    let aim = |scenario, (peer, other), what, measure: Measure, at_most, wanted| Aim {
        scenario,
        peer,
        other,
        what,
        measure,
        at_most,
        wanted,
    };
    let mut aims = Vec::new();
    for scenario in [Storescu, Dcmsend] {
        for peer in [Peer::None, Peer::Instance] {
            aims.push(aim(scenario, (peer, Peer::Stock), "objects/s", rate, false, 15.0));
        }
    }
    for (scenario, wanted) in [(One, 0.80), (Four, 0.90), (Sixteen, 0.90)] {
        aims.push(aim(
            scenario,
            (Peer::None, Peer::Best),
            "wall time",
            wall,
            true,
            wanted,
        ));
        aims.push(aim(
            scenario,
            (Peer::None, Peer::Best),
            "CPU time",
            cpu,
            true,
            0.80,
        ));
    }
    for scenario in [One, Four, Sixteen] {
        aims.push(aim(
            scenario,
            (Peer::Instance, Peer::Fsync),
            "MB/s",
            megabytes,
            false,
            0.75,
        ));
        aims.push(aim(
            scenario,
            (Peer::Instance, Peer::Orthanc),
            "objects/s",
            rate,
            false,
            3.0,
        ));
    }
    aims.push(aim(
        One,
        (Peer::None, Peer::Unclassified),
        "CPU time",
        cpu,
        true,
        1.03,
    ));
    aims.push(aim(
        Large,
        (Peer::None, Peer::Sink),
        "MB/s",
        megabytes,
        false,
        0.40,
    ));
    aims
}

/// All that can be judged by what was measured.
pub fn judge(blocks: &[Block]) -> Vec<Target> {
    let mut targets: Vec<_> = aims().iter().filter_map(|aim| ratio(aim, blocks)).collect();
    for block in blocks {
        let associations = block.scenario.associations(block.objects) as f64;
        let most = [Peer::None, Peer::Instance].map(|peer| block.median(peer, memory).unwrap_or_default());
        let reached = most[0].max(most[1]);
        if reached > 0.0 {
            targets.push(Target {
                what: format!("{}: ours, peak memory in MB", block.scenario.name()),
                at_most: true,
                wanted: 16.0 + associations,
                reached,
            });
        }
    }
    targets
}

fn ratio(aim: &Aim, blocks: &[Block]) -> Option<Target> {
    let block = blocks.iter().find(|b| b.scenario == aim.scenario)?;
    Some(Target {
        what: format!(
            "{}: {}, {} over {}",
            aim.scenario.name(),
            aim.peer.title(),
            aim.what,
            aim.other.title()
        ),
        at_most: aim.at_most,
        wanted: aim.wanted,
        reached: block.ratio(aim.peer, aim.other, aim.measure)?,
    })
}
