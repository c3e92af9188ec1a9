//! What came of it: measures, the PACS, the job's directory, the time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::screen::Screen;
use crate::style::Style;
use crate::support::api::{Job, Measure};
use crate::support::head::Truth;
use crate::support::orthanc::Holdings;

/// How far a measure of the phantom may be from the truth, in percent.
const TOLERANCE: f64 = 5.0;

/// Prints the summary; whether the measures are those of the phantom, if it was one.
pub fn print(
    screen: &Screen,
    job: &Job,
    truth: Option<&Truth>,
    pacs: Holdings,
    in_all: Duration,
) -> Result<bool> {
    let style = screen.style;
    println!("\n{}", style.heading("Measures"));
    let good = measures(style, &job.measures, truth);

    println!("\n{}", style.heading("The PACS holds"));
    let Holdings {
        patients,
        studies,
        series,
        instances,
    } = pacs;
    println!("  patients {patients} · studies {studies} · series {series} · instances {instances}");

    println!("\n{}", style.heading("The job's directory"));
    directory(style, Path::new(&job.directory))?;

    println!("\n{}", style.heading("Time"));
    let longest = screen
        .steps
        .iter()
        .map(|s| s.took)
        .max()
        .unwrap_or_default()
        .as_secs_f64();
    for step in &screen.steps {
        let seconds = step.took.as_secs_f64();
        let bar = "▆".repeat((seconds / longest.max(f64::MIN_POSITIVE) * 30.0).round() as usize);
        println!("  {:<27} {seconds:6.1} s  {}", step.title, style.busy(&bar));
    }
    println!("  {:<27} {:6.1} s", "in all", in_all.as_secs_f64());
    Ok(good)
}

/// One line for each measure; beside it the truth, where it is known.
fn measures(style: Style, measures: &[Measure], truth: Option<&Truth>) -> bool {
    let mut good = true;
    for measure in measures {
        let shown = measure
            .value
            .as_f64()
            .map_or_else(|| measure.value.to_string(), |v| format!("{v:.1}"));
        let unit = measure.unit.as_deref().unwrap_or_default();
        let mut line = format!("  {:<18} {shown:>9} {unit}", measure.name);
        if let (Some(value), Some(truth)) = (
            measure.value.as_f64(),
            truth.and_then(|t| true_value(t, &measure.name)),
        ) {
            let deviation = (value / truth - 1.0) * 100.0;
            let within = deviation.abs() <= TOLERANCE;
            good &= within;
            let deviation = format!("{deviation:+.1} %");
            let deviation = if within {
                style.good(&deviation)
            } else {
                style.bad(&deviation)
            };
            line += &format!("   true {truth:9.1}   {deviation}");
        }
        println!("{line}");
    }
    // A phantom without its two volumes is as wrong as one with false ones.
    let found = |name: &&str| measures.iter().any(|m| m.name == **name && m.value.is_number());
    let missing: Vec<_> = ["head_volume_ml", "brain_volume_ml"]
        .into_iter()
        .filter(|n| !found(n))
        .collect();
    if !missing.is_empty() {
        println!("  {}", style.bad(&format!("missing: {}", missing.join(", "))));
    }
    if !good {
        println!(
            "  {}",
            style.bad(&format!("more than {TOLERANCE} % from the truth"))
        );
    }
    good && missing.is_empty()
}

fn true_value(truth: &Truth, measure: &str) -> Option<f64> {
    match measure {
        "head_volume_ml" => Some(truth.head_ml),
        "brain_volume_ml" => Some(truth.brain_ml),
        _ => None,
    }
}

/// A tree one level deep, with what lies below each directory as numbers.
fn directory(style: Style, path: &Path) -> Result<()> {
    let here = std::env::current_dir().unwrap_or_default();
    println!("  {}/", path.strip_prefix(here).unwrap_or(path).display());
    let mut entries: Vec<PathBuf> = fs::read_dir(path)?.flatten().map(|e| e.path()).collect();
    entries.sort();
    let last = entries.len().saturating_sub(1);
    for (at, entry) in entries.iter().enumerate() {
        let branch = if at == last { "└─" } else { "├─" };
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let (files, bytes) = weigh(entry);
        let line = if entry.is_dir() {
            format!("{:<17} {:>10}  {files} files", format!("{name}/"), size(bytes))
        } else {
            format!("{name:<17} {:>10}", size(bytes))
        };
        println!("  {} {line}", style.dim(branch));
    }
    Ok(())
}

/// Files and bytes at and below a path.
fn weigh(path: &Path) -> (u64, u64) {
    match fs::read_dir(path) {
        Ok(entries) => entries
            .flatten()
            .map(|e| weigh(&e.path()))
            .fold((0, 0), |(files, bytes), (f, b)| (files + f, bytes + b)),
        Err(_) => (1, path.metadata().map(|m| m.len()).unwrap_or_default()),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
