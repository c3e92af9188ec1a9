//! Which machine takes a push: one that has the bucket; of several the least loaded.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::cli::mb::compute_modules::modules;
use crate::cli::mb::ending::{Ending, complain};
use crate::cli::mb::machines::{Machine, ask_all};
use crate::cli::text::plain;

/// The machine, and how many have the bucket.
pub(super) struct Chosen<'m> {
    pub machine: &'m Machine,
    pub of: usize,
}

/// Asks all machines.
///
/// # Errors
/// None has the bucket; the buckets that there are are named.
pub(super) fn choose<'m>(machines: &'m [Machine], ae_title: &str) -> Result<Chosen<'m>> {
    let (answers, ending) = ask_all(machines, modules);
    let mut titles: Vec<_> = answers
        .iter()
        .flat_map(|(_, modules)| modules.iter().map(|m| plain(&m.ae_title)))
        .collect();
    let able: Vec<_> = answers
        .into_iter()
        .filter(|(_, modules)| modules.iter().any(|m| m.ae_title == ae_title))
        .map(|(machine, _)| machine)
        .collect();
    match able.as_slice() {
        [] if ending == Ending::NoAnswer && titles.is_empty() => {
            Err(anyhow::Error::new(crate::cli::node_client::NotReached::nobody()))
        }
        [] => {
            titles.sort();
            titles.dedup();
            if titles.is_empty() {
                bail!("no machine found that provides aetitle {ae_title}: none of them has a bucket");
            }
            bail!(
                "no machine found that provides aetitle {ae_title}: there are {}",
                titles.join(", ")
            )
        }
        [only] => Ok(Chosen { machine: only, of: 1 }),
        several => least_loaded(several),
    }
}

fn least_loaded<'m>(able: &[&'m Machine]) -> Result<Chosen<'m>> {
    let mut least: Option<(u64, &'m Machine)> = None;
    let asked = std::thread::scope(|scope| {
        let threads: Vec<_> = able
            .iter()
            .map(|m| scope.spawn(|| m.question("getStatus.php")))
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|_| bail!("a thread died")))
            .collect::<Vec<_>>()
    });
    for (machine, status) in able.iter().zip(asked) {
        match status {
            Ok(status) => {
                let load = load(&status);
                // The first of equals.
                if least.is_none_or(|(lowest, _)| load < lowest) {
                    least = Some((load, machine));
                }
            }
            // It may have been the better one, but the push goes on.
            Err(error) => complain(&error),
        }
    }
    let Some((_, machine)) = least else {
        bail!("no machine said how busy it is, cannot push");
    };
    Ok(Chosen {
        machine,
        of: able.len(),
    })
}

/// What a machine has to do: queued and running, over all its buckets.
fn load(status: &Value) -> u64 {
    let number = |row: &[Value], column: usize| match row.get(column) {
        Some(Value::String(text)) => text.trim().parse().unwrap_or(0),
        Some(value) => value.as_u64().unwrap_or(0),
        None => 0u64,
    };
    let rows = status
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_array);
    rows.filter(|row| row.len() == 4)
        .map(|row| number(row, 1).saturating_add(number(row, 2)))
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn load_is_the_sum_of_the_second_and_third_column() {
        assert_eq!(load(&json!([["a", "3", "1", "2"], ["b", "1", "0", "1"]])), 5);
        assert_eq!(load(&json!([["short", "9"], ["b", "x", 2, "1"]])), 2);
        assert_eq!(load(&json!(null)), 0);
    }
}
