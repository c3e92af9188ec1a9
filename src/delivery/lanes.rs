//! What is under way: so many deliveries to a destination at once.

use std::collections::{HashMap, HashSet};

use super::destinations::Wire;

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

    /// Whether one more may go to a destination that has so many at once.
    pub fn has_room(&self, wire: &Wire, most: usize) -> bool {
        self.under_way.get(wire).is_none_or(|ids| ids.len() < most)
    }

    /// A delivery is to go to a destination that has so many at once; whether it goes now.
    pub fn begin(&mut self, wire: &Wire, delivery: i64, most: usize) -> bool {
        self.has_room(wire, most) && self.under_way.entry(wire.clone()).or_default().insert(delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Destinations;
    use crate::delivery::sender::tests::delivery;
    use crate::model::{AeTitle, Delivery, Timestamp};

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

    #[test]
    fn a_destination_has_so_many_at_once_and_delays_no_other() {
        let open = [of(1, "A", "1"), of(2, "A", "2"), of(3, "A", "3"), of(4, "B", "1")];
        let mut lanes = Lanes::default();
        let begin = |lanes: &mut Lanes| -> Vec<i64> {
            let goes = |d: &&Delivery| lanes.begin(&wire(d), d.id, 2);
            open.iter().filter(goes).map(|d| d.id).collect()
        };
        assert_eq!(begin(&mut lanes), [1, 2, 4]);
        assert!(begin(&mut lanes).is_empty());
        lanes.end(&wire(&open[1]), 2);
        assert!(!lanes.begin(&wire(&open[0]), 1, 2), "it is under way");
        assert!(lanes.begin(&wire(&open[2]), 3, 2));
        for delivery in &open {
            lanes.end(&wire(delivery), delivery.id);
        }
        assert!(lanes.is_empty());
    }
}
