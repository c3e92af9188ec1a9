//! What there is to give to runs, and whether a run fits into it.

use crate::model::{AeTitle, GpuId, Resources};

/// What there is to give to runs, in all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capacity {
    /// Processors.
    pub cpus: f64,
    /// Bytes of memory.
    pub memory: u64,
    /// Graphics processors, each to one run at a time; given in this order.
    pub gpus: Vec<GpuId>,
}

/// Comparing sums of fractions of processors.
pub const EPSILON: f64 = 1e-6;

/// What a run asks for beyond all there is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{ae_title} asks for {asked}, this node has {offered} to give: change it in info.json or [bucket.\"{ae_title}\"], or \
     what the node gives in [engine] {key}"
)]
pub struct Shortage {
    /// The bucket's AE title.
    pub ae_title: AeTitle,
    /// What it asks for.
    pub asked: String,
    /// What there is.
    pub offered: String,
    /// The key of `[engine]` that says how much there is.
    pub key: &'static str,
}

impl Capacity {
    /// Whether one run of that bucket fits when nothing else runs.
    ///
    /// # Errors
    /// The first thing of which there is too little, with both amounts.
    pub fn check(&self, ae_title: &AeTitle, asked: &Resources) -> Result<(), Shortage> {
        let short = |key, asked: String, offered: String| {
            Err(Shortage {
                ae_title: ae_title.clone(),
                asked,
                offered,
                key,
            })
        };
        let iec = |bytes: u64| bytesize::ByteSize::b(bytes).display().iec().to_string();
        if asked.cpus > self.cpus + EPSILON {
            return short("cpus", format!("{} cpus", asked.cpus), self.cpus.to_string());
        }
        if asked.memory > self.memory {
            return short(
                "memory",
                format!("{} of memory", iec(asked.memory)),
                iec(self.memory),
            );
        }
        if asked.gpus as usize > self.gpus.len() {
            let offered = match self.gpus.len() {
                0 => "none".to_owned(),
                n => n.to_string(),
            };
            return short("gpus", format!("{} gpus", asked.gpus), offered);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_names_both_amounts_and_the_keys_that_change_them() {
        let mut capacity = Capacity {
            cpus: 2.0,
            memory: 8 << 30,
            gpus: Vec::new(),
        };
        let title = AeTitle::parse("Brain").unwrap();
        let asked = |cpus, memory, gpus| Resources {
            cpus,
            memory,
            gpus,
            ..Resources::default()
        };
        let said = |capacity: &Capacity, asked| capacity.check(&title, &asked).unwrap_err().to_string();
        assert!(
            said(&capacity, asked(2.5, 1, 0)).starts_with("Brain asks for 2.5 cpus, this node has 2 to give")
        );
        assert!(
            said(&capacity, asked(1.0, 16 << 30, 0)).contains("16.0 GiB of memory, this node has 8.0 GiB")
        );
        let none = said(&capacity, asked(1.0, 1, 1));
        for part in [
            "Brain asks for 1 gpus",
            "has none to give",
            "[bucket.\"Brain\"]",
            "[engine] gpus",
        ] {
            assert!(none.contains(part), "{none}");
        }
        capacity.gpus = vec![GpuId::parse("0").unwrap()];
        assert_eq!(capacity.check(&title, &asked(2.0, 8 << 30, 1)), Ok(()));
        assert!(said(&capacity, asked(1.0, 1, 2)).contains("asks for 2 gpus, this node has 1 to give"));
    }
}
