//! The table: one block per scenario, one line per peer, in 120 columns.

use super::peer::Peer;
use super::results::{Block, Measure, Row, cpu, cpu_figure, megabytes, memory, rate, sender_figure, wall};
use super::scenario::Way;

/// What the columns mean, once, below everything.
pub const LEGEND: &str = "\
Medians over the rounds; peers take turns within a round. wall/best and CPU/best: wall and CPU time per object over
those of dcmtk at its best, the median of the rounds' ratios (below 1 is better). spread: longest less shortest wall
time, over the median. CPU: user and system time of the receiver, with its children, until it rests after the last
answer. snd: the same of the sender. peak MB: VmHWM; for storescp --fork the largest sum of anonymous memory of all
its processes, seen ten times a second. Receivers start anew for each round, with a warm-up; what a round wrote is
removed and the disk synced before the next. Copying and writing are done by the benchmark itself, without a receiver.";

/// The lines of one block.
pub fn lines(block: &Block) -> Vec<String> {
    let per = if block.scenario.way() == Way::Echo {
        "ms each"
    } else {
        "s/GB"
    };
    let mut lines = vec![
        String::new(),
        format!(
            "{}: {} {} (rounds: {}, {:.0} s)",
            block.scenario.name(),
            block.objects,
            block.scenario.title(),
            block.rounds,
            block.took.as_secs_f64()
        ),
        format!(
            "  {:<20}{:>7}{:>9}{:>8}{:>9}{:>9}{:>13}{:>13}{:>9}{:>11}{:>10}",
            "",
            "number",
            "wall s",
            "spread",
            "1/s",
            "MB/s",
            format!("CPU {per}"),
            format!("snd {per}"),
            "peak MB",
            "wall/best",
            "CPU/best"
        ),
    ];
    lines.extend(block.rows.iter().map(|(peer, row)| match row {
        Row::Measured(_) => measured(block, *peer),
        Row::Skipped(why) => format!("  {:<20}skipped: {why}", peer.title()),
        Row::Failed(why) => format!("  {:<20}FAILED: {why}", peer.title()),
    }));
    lines
}

fn measured(block: &Block, peer: Peer) -> String {
    let number = block
        .samples(peer)
        .and_then(|s| s.values().next())
        .map_or(0, |s| s.objects);
    let value = |measure: Measure, decimals| figure(block.median(peer, measure), decimals);
    let spread = block
        .spread(peer)
        .map_or_else(String::new, |s| format!("{:.0} %", s * 100.0));
    format!(
        "  {:<20}{number:>7}{:>9}{spread:>8}{:>9}{:>9}{:>13}{:>13}{:>9}{:>11}{:>10}",
        peer.title(),
        value(|s| s.wall_seconds, 3),
        value(rate, 1),
        value(megabytes, 0),
        value(cpu_figure, 2),
        value(sender_figure, 2),
        value(memory, 1),
        figure(block.ratio(peer, Peer::Best, wall), 2),
        figure(block.ratio(peer, Peer::Best, cpu), 2),
    )
}

/// A figure; where there is none, or nothing was measured, a dash.
fn figure(value: Option<f64>, decimals: usize) -> String {
    match value {
        Some(value) if value > 0.0 => format!("{value:.decimals$}"),
        _ => "-".to_owned(),
    }
}
