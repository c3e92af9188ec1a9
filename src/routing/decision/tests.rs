//! What each key of a rule means, one test a row of the original's table, from the text of a routing.json to the decision.

mod destinations;

use proptest::prelude::*;

use super::super::json::{Site, parse};
use super::*;
use crate::model::{AeTitle, RemoteAe, pattern};

fn pacs() -> RemoteAe {
    RemoteAe::plain(
        AeTitle::parse("PACS").unwrap(),
        "pacs.example:104".into(),
        AeTitle::parse("NODE").unwrap(),
    )
}

fn rules(text: &str) -> Vec<Route> {
    let site = Site {
        default_pacs: Some(pacs()),
        ..Site::default()
    };
    parse(text.as_bytes(), &site).unwrap().0
}

/// A destination with that AE title and more keys.
fn to(title: &str, more: &str) -> String {
    format!(r#"{{ "IP": "10.0.0.1", "PORT": 104, "AETitleSender": "me", "AETitleTo": "{title}"{more} }}"#)
}

/// A rule with these keys that sends what succeeded to A.
fn rule(keys: &str) -> String {
    format!(
        r#"{{ "name": "r", {keys} "send": [ {{ "success": {} }} ] }}"#,
        to("A", "")
    )
}

fn file(name: &str, attributes: &[(&str, &str)]) -> Offered {
    let read = attributes
        .iter()
        .map(|(tag, value)| (AttributeTag::parse(tag).unwrap(), (*value).to_owned()));
    Offered {
        file: name.into(),
        attributes: Attributes::Read(read.collect()),
    }
}

fn offer() -> Offer {
    Offer {
        output: vec![file("a.dcm", &[]), file("b.dcm", &[])],
        input: vec![file("i.dcm", &[])],
        report: vec![],
    }
}

fn decided(rules_text: &str, called: &str, calling: &str, outcome: &str, offer: &Offer) -> Decision {
    let outcome = Outcome::from_word(outcome);
    let facts = Facts {
        called,
        calling,
        outcome: &outcome,
    };
    decide(
        &rules(&format!(r#"{{ "routing": [ {rules_text} ] }}"#)),
        facts,
        offer,
    )
}

/// Where the two results of a job of ProcRSI from PACS go.
fn goes(rules: &str, outcome: &str) -> Vec<String> {
    shown(&decided(rules, "ProcRSI", "PACS", outcome, &offer()))
}

fn shown(decision: &Decision) -> Vec<String> {
    let shown = decision.plan.iter().map(|p| {
        let after = p.after.map_or(String::new(), |a| format!(" after {a}"));
        format!("{} {}{after}", p.peer.ae_title(), p.files.len())
    });
    shown.collect()
}

#[test]
fn aetitlein_is_searched_in_the_called_ae_title_without_regard_to_case() {
    for (keys, expected) in [
        (r#""AETitleIn": "rsi","#, true),
        (r#""AETitleIn": "^Proc","#, true),
        (r#""AETitleIn": "^rsi","#, false),
        (r#""AETitleIn": ".*","#, true),
        (r#""AETitleIn": "PACS","#, false),
        ("", true),
    ] {
        assert_eq!(goes(&rule(keys), "success") == ["A 2"], expected, "{keys}");
    }
}

#[test]
fn aetitlefrom_is_searched_in_the_calling_ae_title_and_both_have_to_hold() {
    for (keys, expected) in [
        (r#""AETitleFrom": "pac","#, true),
        (r#""AETitleFrom": "ProcRSI","#, false),
        (r#""AETitleIn": "ProcRSI", "AETitleFrom": "SCANNER","#, false),
        (r#""AETitleIn": "ProcRSI", "AETitleFrom": "PACS","#, true),
    ] {
        assert_eq!(goes(&rule(keys), "success") == ["A 2"], expected, "{keys}");
    }
}

#[test]
fn status_and_enabled_turn_a_rule_off() {
    for key in ["status", "enabled"] {
        for (value, on) in [
            ("0", false),
            ("\"0\"", false),
            ("\"F\"", false),
            ("\"f\"", false),
            ("false", false),
            ("1", true),
            ("\"1\"", true),
            ("\"T\"", true),
            ("true", true),
            ("null", true),
        ] {
            let goes = goes(&rule(&format!("\"{key}\": {value},")), "success");
            assert_eq!(goes == ["A 2"], on, "{key}: {value}");
        }
    }
}

#[test]
fn routedirectory_says_whether_results_or_what_was_received_is_sent() {
    for (keys, direction) in [
        ("", Direction::Output),
        (r#""RouteDirectory": "OUTPUT","#, Direction::Output),
        (r#""RouteDirectory": "INPUT","#, Direction::Input),
    ] {
        let decision = decided(&rule(keys), "ProcRSI", "PACS", "success", &offer());
        assert_eq!(decision.plan[0].direction, direction, "{keys}");
        let files = if direction == Direction::Input { 1 } else { 2 };
        assert_eq!(decision.plan[0].files.len(), files);
    }
}

#[test]
fn break_of_a_rule_that_matched_ends_the_search() {
    let rules = |stop: &str, called: &str| {
        let first = format!(
            r#"{{ "name": "first", "AETitleIn": "{called}", "break": {stop}, "send": [ {{ ".*": {} }} ] }}"#,
            to("A", "")
        );
        let second = format!(
            r#"{{ "name": "second", "send": [ {{ ".*": {} }} ] }}"#,
            to("B", "")
        );
        format!("{first}, {second}")
    };
    for (stop, expected) in [
        ("0", vec!["A 2", "B 2"]),
        ("1", vec!["A 2"]),
        ("\"1\"", vec!["A 2"]),
        ("2", vec!["A 2"]),
    ] {
        assert_eq!(goes(&rules(stop, "Proc"), "success"), expected, "break {stop}");
    }
    // One that did not match ends nothing.
    assert_eq!(goes(&rules("1", "Other"), "success"), ["B 2"]);
    let decision = decided(&rules("1", "Proc"), "ProcRSI", "PACS", "success", &offer());
    assert_eq!(decision.rules[1].not_reached.as_deref(), Some("first"));
}

#[test]
fn what_may_tell_a_person_is_not_shown() {
    let which = r#", "which": [ { "0010,0020": "^X", "0008,0060": "MR" } ]"#;
    let text = format!(
        r#"{{ "name": "r", "send": [ {{ "success": {} }} ] }}"#,
        to("A", which)
    );
    let offer = Offer {
        output: vec![file("f", &[("0010,0020", "12345"), ("0008,0060", "MR")])],
        input: vec![],
        report: vec![],
    };
    let decision = decided(&text, "ProcRSI", "PACS", "success", &offer);
    assert!(!format!("{decision:?}").contains("12345"));
}

fn named(name: &str, send: Direction, titles: &[&str]) -> Route {
    let title = |t: &&str| Destination::named(AeTitle::parse(t).unwrap());
    Route {
        name: name.into(),
        source: RouteSource::Configuration,
        enabled: true,
        called: None,
        calling: None,
        send,
        to: titles.iter().map(title).collect(),
        last: false,
        gate: Default::default(),
    }
}

#[test]
fn a_result_goes_to_each_destination_once() {
    let routes = [
        named("one", Direction::Output, &["PACS", "RESEARCH"]),
        named("two", Direction::Output, &["PACS"]),
        named("back", Direction::Input, &["PACS"]),
    ];
    let outcome = Outcome::Success;
    let facts = Facts {
        called: "A",
        calling: "B",
        outcome: &outcome,
    };
    let decision = decide(&routes, facts, &offer());
    let made: Vec<_> = decision
        .plan
        .iter()
        .map(|p| (p.route.as_str(), p.peer.ae_title().as_str(), p.direction.name()))
        .collect();
    assert_eq!(
        made,
        [
            ("one", "PACS", "output"),
            ("one", "RESEARCH", "output"),
            ("back", "PACS", "input")
        ]
    );
    assert_eq!(decision.rules[1].to[0].verdict, Verdict::Already);
    assert!(decide(&routes, facts, &Offer::default()).plan.is_empty());
}

#[test]
fn without_an_outcome_a_rule_of_the_configuration_sends_success_only() {
    let routes = [named("one", Direction::Output, &["PACS"])];
    for (word, expected) in [("success", 1), ("failed", 0), ("unsuccessful", 0)] {
        let outcome = Outcome::from_word(word);
        let facts = Facts {
            called: "A",
            calling: "B",
            outcome: &outcome,
        };
        assert_eq!(decide(&routes, facts, &offer()).plan.len(), expected, "{word}");
    }
}

/// A rule of the configuration: whether it is on, matches, ends the search, hands over, and to whom.
fn any_route() -> impl Strategy<Value = Route> {
    let titles = proptest::collection::vec(proptest::sample::select(vec!["A", "B", "C"]), 0..4);
    let flags = any::<[bool; 5]>();
    (titles, flags).prop_map(|(titles, [enabled, matches, last, input, stops])| {
        let send = if input {
            Direction::Input
        } else {
            Direction::Output
        };
        let mut route = named("r", send, &titles);
        route.enabled = enabled;
        route.last = last;
        route.called = Some(pattern(if matches { "Proc" } else { "Other" }).unwrap());
        route.to.iter_mut().for_each(|to| to.stops = stops);
        route
    })
}

proptest! {
    #[test]
    fn whatever_the_rules_what_is_planned_can_be_done_and_is_what_is_explained(
        routes in proptest::collection::vec(any_route(), 0..6)
    ) {
        let outcome = Outcome::Success;
        let facts = Facts { called: "ProcRSI", calling: "PACS", outcome: &outcome };
        let Decision { plan, rules } = decide(&routes, facts, &offer());
        for (place, planned) in plan.iter().enumerate() {
            prop_assert!(!planned.files.is_empty());
            prop_assert!(planned.after.is_none_or(|after| after < place));
        }
        // Nothing goes twice to one destination, unless one of the two may not go at all.
        for (place, one) in plan.iter().enumerate().filter(|(_, p)| p.after.is_none()) {
            let twice = |other: &Planned| {
                other.after.is_none() && (&other.peer, other.direction) == (&one.peer, one.direction)
            };
            prop_assert!(!plan.iter().skip(place + 1).any(twice));
        }
        let explained = rules.iter().flat_map(|rule| &rule.to);
        let explained: Vec<_> = explained
            .filter(|to| matches!(to.verdict, Verdict::Sends | Verdict::StandsBy))
            .map(|to| (to.to.as_str(), to.files, to.verdict == Verdict::StandsBy))
            .collect();
        let planned: Vec<_> = plan
            .iter()
            .map(|p| (p.peer.ae_title().as_str(), p.files.len(), p.after.is_some()))
            .collect();
        prop_assert_eq!(explained, planned);
        prop_assert_eq!(rules.len(), routes.len());
    }
}
