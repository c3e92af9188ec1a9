//! What is under way: so many deliveries to a destination at once, and those of one study one after the other.

use std::collections::{HashMap, HashSet};

use super::destinations::Wire;
use crate::model::Delivery;

/// The deliveries under way, by destination.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    under_way: HashMap<Wire, HashSet<i64>>,
}

impl Lanes {
    /// A delivery has ended.
    pub fn end(&mut self, wire: &Wire, delivery: i64) {
        if let Some(of_wire) = self.under_way.get_mut(wire) {
            of_wire.remove(&delivery);
            if of_wire.is_empty() {
                self.under_way.remove(wire);
            }
        }
    }

    /// Nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// A look at open deliveries, in order.
    pub fn look(&mut self) -> Look<'_> {
        Look {
            lanes: self,
            studies: HashSet::new(),
        }
    }
}

/// One look at all open deliveries, oldest first.
#[derive(Debug)]
pub(super) struct Look<'l> {
    lanes: &'l mut Lanes,
    /// Studies with an earlier open delivery to the same destination: later ones keep their place behind it.
    studies: HashSet<(Wire, String)>,
}

impl Look<'_> {
    /// Whether a delivery could go now to a destination that has so many at once.
    pub fn is_free(&mut self, wire: &Wire, delivery: &Delivery, most: usize) -> bool {
        let first = self
            .studies
            .insert((wire.clone(), delivery.study_instance_uid.clone()));
        let under_way = self.lanes.under_way.get(wire);
        first && under_way.is_none_or(|ids| ids.len() < most && !ids.contains(&delivery.id))
    }

    /// A delivery goes.
    pub fn begin(&mut self, wire: Wire, delivery: &Delivery) {
        self.lanes.under_way.entry(wire).or_default().insert(delivery.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Destinations;
    use crate::delivery::sender::tests::delivery;
    use crate::model::{AeTitle, Timestamp};

    fn wire(delivery: &Delivery) -> Wire {
        Destinations::default().wire(delivery)
    }

    fn of(id: i64, destination: &str, study: &str) -> Delivery {
        Delivery {
            id,
            destination: AeTitle::parse(destination).unwrap(),
            study_instance_uid: study.to_owned(),
            ..delivery(0, Timestamp::now())
        }
    }

    /// Begins what is free; answers its numbers.
    fn begin(lanes: &mut Lanes, open: &[Delivery], most: usize) -> Vec<i64> {
        let mut look = lanes.look();
        let mut begun = Vec::new();
        for delivery in open {
            if look.is_free(&wire(delivery), delivery, most) {
                look.begin(wire(delivery), delivery);
                begun.push(delivery.id);
            }
        }
        begun
    }

    #[test]
    fn a_destination_has_so_many_at_once_and_delays_no_other() {
        let open = [of(1, "A", "1"), of(2, "A", "2"), of(3, "A", "3"), of(4, "B", "1")];
        let mut lanes = Lanes::default();
        assert_eq!(begin(&mut lanes, &open, 2), [1, 2, 4]);
        assert!(begin(&mut lanes, &open, 2).is_empty());
        lanes.end(&wire(&open[1]), 2);
        assert_eq!(begin(&mut lanes, &[open[0].clone(), open[2].clone()], 2), [3]);
        for delivery in &open {
            lanes.end(&wire(delivery), delivery.id);
        }
        assert!(lanes.is_empty());
    }

    #[test]
    fn of_one_study_a_later_delivery_waits_for_an_earlier_one() {
        let open = [of(1, "A", "1"), of(2, "A", "1"), of(3, "A", "2"), of(4, "B", "1")];
        let mut lanes = Lanes::default();
        assert_eq!(begin(&mut lanes, &open, 9), [1, 3, 4]);
        lanes.end(&wire(&open[0]), 1);
        // The first one is tried again later: its place stays.
        let mut look = lanes.look();
        let mut is_free = |delivery| look.is_free(&wire(delivery), delivery, 9);
        assert!(is_free(&open[0]) && !is_free(&open[1]));
        assert_eq!(begin(&mut lanes, &open[1..], 9), [2]);
    }
}
