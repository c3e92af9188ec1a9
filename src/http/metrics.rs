//! `/metrics`: the numbers of the process, and how many deliveries are not where they belong.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::delivery::Destinations;
use crate::model::{AeTitle, DeliveryState, Remote};
use crate::store::DeliveryCount;
use crate::telemetry::metrics::{self, METRICS};

use super::Context;
use super::api::ask;
use super::problem::Problem;

/// The states that are told; every other one is an end that nobody has to do anything about.
const TOLD: [DeliveryState; 7] = [
    DeliveryState::Waiting,
    DeliveryState::Sending,
    DeliveryState::Retrying,
    DeliveryState::Committing,
    DeliveryState::Uncommitted,
    DeliveryState::Refused,
    DeliveryState::Held,
];

/// Stands for every destination that the configuration does not name: a peer or a rule may name any number of them.
const OTHER: &str = "other";

pub(super) async fn show(State(context): State<Context>) -> Result<impl IntoResponse, Problem> {
    let store = context.store.clone();
    let counted = ask(move || store.deliveries_outstanding()).await?;
    let mut text = METRICS.text();
    let samples: Vec<_> = samples(&context.destinations, &counted)
        .into_iter()
        .map(|((to, state), count)| {
            (
                format!("{{destination=\"{}\",state=\"{state}\"}}", escaped(to)),
                count,
            )
        })
        .collect();
    metrics::family(
        &mut text,
        "deliveries",
        "gauge",
        "Deliveries on their way, and those that a person has to decide about: held, refused, uncommitted.",
        &samples,
    );
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}

/// How many deliveries to each destination are in each state: those that are none, too, so that an alarm has something to
/// compare with.
fn samples<'d>(
    destinations: &'d Destinations,
    counted: &[DeliveryCount],
) -> BTreeMap<(&'d str, &'static str), i128> {
    let all = destinations.names().chain([OTHER]);
    let mut samples: BTreeMap<_, i128> = all
        .flat_map(|name| TOLD.map(|state| ((name, state.name()), 0)))
        .collect();
    for DeliveryCount {
        destination,
        address,
        state,
        count,
    } in counted
    {
        let own = destinations
            .meant(destination, address.as_deref())
            .map(Remote::name);
        let sample = (own.map_or(OTHER, AeTitle::as_str), state.name());
        if let Some(sum) = samples.get_mut(&sample) {
            *sum += i128::from(*count);
        }
    }
    samples
}

/// A label's value: an AE title may have quotation marks.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RemoteAe;

    #[test]
    fn each_destination_of_the_configuration_has_every_state_and_all_others_are_one() {
        let title = |text: &str| AeTitle::parse(text).unwrap();
        let remote = |name| {
            let address = "pacs.example:104".to_owned();
            Remote::Dicom(RemoteAe::plain(title(name), address, title("NODE")))
        };
        let destinations = Destinations::new(vec![remote("PACS"), remote("ARCHIVE")]);
        let count = |to: &str, address: Option<&str>, state, count| DeliveryCount {
            destination: title(to),
            address: address.map(str::to_owned),
            state,
            count,
        };
        let counted = [
            count("PACS", None, DeliveryState::Held, 2),
            count("PACS", Some("10.0.0.1:104"), DeliveryState::Held, 3),
            // A rule gives the address of what the configuration names.
            count("PACS", Some("PACS.example:104"), DeliveryState::Held, 1),
            count("SCANNER 7", None, DeliveryState::Held, 4),
            count("ARCHIVE", None, DeliveryState::Retrying, 5),
        ];
        let samples = samples(&destinations, &counted);
        assert_eq!(samples.len(), 3 * TOLD.len());
        assert_eq!(samples.values().sum::<i128>(), 15);
        assert_eq!(samples[&("PACS", "held")], 3);
        assert_eq!(samples[&("other", "held")], 7);
        assert_eq!(samples[&("ARCHIVE", "retrying")], 5);
        assert_eq!(escaped("A\"B"), "A\\\"B");
    }
}
