//! Named points at which a node of the tests dies.
//!
//! `MAGICKBOX_FAILPOINT="name"` or `"name:3"` (the third time) makes the process end by SIGKILL as soon as it gets
//! there. One point at each arrow of "The way of one object"; `tests/crash` kills a node at every one of them. A release
//! build has none: [`reach`] is empty there.

/// The environment variable that is read.
pub const VARIABLE: &str = "MAGICKBOX_FAILPOINT";

/// Every point, in the order in which an object comes by.
pub const NAMES: [&str; 28] = [
    // 1, 2: an association, a command.
    "accepted",
    "command-read",
    // 3–5: its data set, its file, its row, its answer.
    "data-set-half",
    "file-made",
    "file-synced",
    "row-before-answer",
    "answered",
    // 6: the set.
    "set-before-complete",
    "set-complete",
    // 7: the job and its container.
    "objects-linked",
    "job-laid-out",
    "container-created",
    "attempt-counted",
    "container-started",
    "container-ended",
    "ended",
    // 8: the harvest.
    "proc-json-kept",
    "papers-written",
    "container-removed",
    "harvested",
    // 9, 10: the results.
    "delivery-begun",
    "results-copied",
    "gate-passed",
    "object-taken",
    "object-sent",
    "delivery-before-settle",
    "record-completed",
    "settled",
];

/// Points on the way of a bucket into the node; `tests/black_box/install.rs` kills a node there.
pub const OF_INSTALLING: [&str; 3] = ["upload-written", "image-brought", "version-waits"];

/// Points of storage commitment, asked of us and by us; `tests/black_box/commitment.rs` kills a node there.
pub const OF_COMMITTING: [&str; 5] = [
    "commitment-kept",
    "commitment-promised",
    "commitment-checked",
    "commitment-asked",
    "commitment-heard",
];
/// Points on the way of a push; `tests/black_box/legacy_push.rs` kills a node there.
pub const OF_PUSHING: [&str; 2] = ["push-unpacked", "push-queued"];
/// A point in the harvest of a bucket that gets a report; `tests/black_box/reports.rs` kills a node there.
pub const OF_REPORTS: [&str; 1] = ["report-written"];

/// A point behind the last delivery of a job; `tests/black_box/copies.rs` kills a node there.
pub const OF_AFTERMATH: [&str; 1] = ["copies-removed"];

/// A point on the way of the audit trail to its collector; `tests/black_box/audit/mod.rs` kills a node there.
pub const OF_AUDITING: [&str; 1] = ["audit-collected"];

/// Every point there is.
#[cfg(any(debug_assertions, test))]
fn names() -> impl Iterator<Item = &'static str> {
    NAMES
        .into_iter()
        .chain(OF_INSTALLING)
        .chain(OF_PUSHING)
        .chain(OF_REPORTS)
        .chain(OF_COMMITTING)
        .chain(OF_AFTERMATH)
        .chain(OF_AUDITING)
}

/// The process dies here if it was told to.
#[cfg(debug_assertions)]
pub fn reach(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SEEN: AtomicU32 = AtomicU32::new(0);
    let Some((wanted, time)) = wanted() else { return };
    if name == wanted && SEEN.fetch_add(1, Ordering::Relaxed) + 1 == *time {
        die(name);
    }
}

/// The process would die here if it were built for tests.
#[cfg(not(debug_assertions))]
pub const fn reach(_name: &str) {}

/// Refuses a point that does not exist: a test that waits for it would wait in vain.
///
/// # Errors
/// Names the variable, its value, and what there is.
#[cfg(debug_assertions)]
pub fn check() -> Result<(), String> {
    match std::env::var(VARIABLE) {
        Ok(text) => parse(&text).map(drop),
        Err(_) => Ok(()),
    }
}

/// No point exists in a release build, and none is looked for.
///
/// # Errors
/// None.
#[cfg(not(debug_assertions))]
pub const fn check() -> Result<(), String> {
    Ok(())
}

#[cfg(debug_assertions)]
fn wanted() -> Option<&'static (String, u32)> {
    use std::sync::OnceLock;
    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    let read = || std::env::var(VARIABLE).ok().and_then(|text| parse(&text).ok());
    WANTED.get_or_init(read).as_ref()
}

/// `name` or `name:N`.
#[cfg(any(debug_assertions, test))]
fn parse(text: &str) -> Result<(String, u32), String> {
    let (name, time) = match text.split_once(':') {
        None => (text, Some(1)),
        Some((name, time)) => (name, time.parse().ok().filter(|n| *n > 0)),
    };
    match time {
        Some(time) if names().any(|known| known == name) => Ok((name.to_owned(), time)),
        _ => Err(format!(
            "{VARIABLE}={text:?} is no failpoint, give one of {} or NAME:N",
            names().collect::<Vec<_>>().join(", ")
        )),
    }
}

#[cfg(debug_assertions)]
fn die(name: &str) -> ! {
    use rustix::process::{Signal, getpid, kill_process};
    eprintln!("failpoint {name} reached");
    // Nobody can refuse to be killed by itself.
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sources(directory: &Path, text: &mut String) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.file_name().unwrap() != "failpoint.rs"
                && path.extension().is_some_and(|e| e == "rs")
            {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_point_of_the_table_is_on_the_way_once_and_no_other_is() {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        let mut found: Vec<_> = text
            .split("failpoint::reach(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let mut names: Vec<_> = names().collect();
        found.sort_unstable();
        names.sort_unstable();
        assert_eq!(found, names);
    }

    #[test]
    fn a_point_that_does_not_exist_is_refused_by_name() {
        assert_eq!(parse("answered"), Ok(("answered".into(), 1)));
        assert_eq!(parse("answered:3"), Ok(("answered".into(), 3)));
        for wrong in ["answerd", "answered:", "answered:0", "answered:x", ""] {
            let error = parse(wrong).unwrap_err();
            assert!(
                error.contains(&format!("{wrong:?}")) && error.contains("settled"),
                "{error}"
            );
        }
    }
}
