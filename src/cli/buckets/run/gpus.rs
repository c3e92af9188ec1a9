//! The graphics processors of a run without a node.

use anyhow::{Result, bail};

use crate::model::GpuId;

/// Reads one name of `--gpus`.
///
/// # Errors
/// What a name looks like.
pub fn read(text: &str) -> Result<GpuId, String> {
    GpuId::parse(text).map_err(str::to_owned)
}

/// Those of `--gpus`, else the first ones of the machine by index; as many as the bucket asks for, like on a node.
///
/// # Errors
/// When another number is given, or one twice.
pub fn choose(asked: u32, given: Option<Vec<GpuId>>) -> Result<Vec<GpuId>> {
    let Some(given) = given else {
        return Ok((0..asked)
            .filter_map(|n| GpuId::parse(&n.to_string()).ok())
            .collect());
    };
    if given.len() != asked as usize {
        bail!(
            "--gpus names {} and the bucket asks for {asked}: name as many, or change resources.gpus in its info.json",
            given.len()
        );
    }
    for (i, gpu) in given.iter().enumerate() {
        if let Some(other) = given.iter().take(i).find(|other| gpu.may_be(other)) {
            bail!(
                "--gpus: {other} and {gpu} may be the same device: name each once, and all in the same way"
            );
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gets_as_many_gpus_as_its_bucket_asks_for_and_none_twice() {
        let ids = |names: &[&str]| -> Vec<_> { names.iter().map(|n| GpuId::parse(n).unwrap()).collect() };
        assert_eq!(choose(0, None).unwrap(), []);
        assert_eq!(choose(2, None).unwrap(), ids(&["0", "1"]));
        assert_eq!(choose(1, Some(ids(&["3"]))).unwrap(), ids(&["3"]));
        for (asked, given) in [
            (0, ids(&["0"])),
            (2, ids(&["0"])),
            (2, ids(&["0", "0"])),
            (2, ids(&["0", "GPU-a"])),
        ] {
            let error = choose(asked, Some(given)).unwrap_err().to_string();
            assert!(error.contains("--gpus"), "{error}");
        }
    }
}
