//! What is printed.

use std::time::Duration;

use super::history::Laid;
use super::measure::{Both, Legacy, Pages, Times};

/// A page of jobs is there within this.
const PAGE: Duration = Duration::from_millis(50);
/// A node is ready within this.
const START: Duration = Duration::from_secs(3);
/// Receiving takes at most so much of the time that it takes without a history: what two rounds differ by anyway.
const RATIO: f64 = 1.10;

/// What the history is.
pub fn title(laid: &Laid, took: Duration) {
    println!(
        "\nA store of {} jobs, {} objects and {} other rows: {:.0} MB, laid in {:.0} s",
        laid.jobs,
        laid.instances,
        laid.rows,
        laid.bytes as f64 / 1e6,
        took.as_secs_f64()
    );
}

/// Everything measured, beside what is wanted.
pub fn print(starts: &Both, pages: &Pages, legacy: &Legacy, receiving: &Both) {
    println!(
        "\n  {:<52}{:>6}{:>11}{:>11}{:>13}{:>10}",
        "", "number", "median ms", "worst ms", "wanted ms", ""
    );
    line("start until ready, killed before; no history", &starts.none, None);
    line(
        "start until ready, killed before; this history",
        &starts.long,
        Some(START),
    );
    for (what, times) in pages {
        line(what, times, Some(PAGE));
    }
    for (what, times, wanted) in legacy {
        line(what, times, Some(*wanted));
    }
    let count = receiving.long.0.len();
    println!(
        "\n  {:<52}{:>6}{:>11}{:>11}{:>13}",
        "receiving objects of 64 KiB, 4 associations", "rounds", "median ms", "worst ms", "long/none"
    );
    for (what, times) in [("no history", &receiving.none), ("this history", &receiving.long)] {
        println!(
            "  {what:<52}{count:>6}{:>11.1}{:>11.1}",
            ms(times.median()),
            ms(times.worst())
        );
    }
    let ratio = ratio(receiving);
    println!(
        "  {:<52}{:>6}{:>11}{:>11}{ratio:>13.2}{:>10}",
        format!("the median of the rounds' ratios, wanted <= {RATIO:.2}"),
        "",
        "",
        "",
        verdict(ratio <= RATIO)
    );
}

fn line(what: &str, times: &Times, wanted: Option<Duration>) {
    let judged = wanted.map_or_else(String::new, |w| {
        format!("{:>13.0}{:>10}", ms(w), verdict(times.worst() < w))
    });
    println!(
        "  {what:<52}{:>6}{:>11.1}{:>11.1}{judged}",
        times.0.len(),
        ms(times.median()),
        ms(times.worst())
    );
}

const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// The median of what the long history takes over what none takes, round by round.
fn ratio(both: &Both) -> f64 {
    let pairs = both.long.0.iter().zip(&both.none.0);
    let mut ratios: Vec<_> = pairs.map(|(l, n)| l.as_secs_f64() / n.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
