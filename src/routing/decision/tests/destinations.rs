//! The keys of a destination.

use super::*;

#[test]
fn each_key_of_send_is_searched_in_the_outcome_and_all_that_are_found_send() {
    let send = format!(
        r#"{{ "name": "r", "send": [ {{ "success": {}, "fail|partial": {} }}, {{ ".*": {} }} ] }}"#,
        to("A", ""),
        to("B", ""),
        to("C", "")
    );
    for (outcome, expected) in [
        ("success", vec!["A 2", "C 2"]),
        ("failed", vec!["B 2", "C 2"]),
        ("partial", vec!["B 2", "C 2"]),
        // Searched, not compared: a bucket's own word.
        ("unSUCCESSful", vec!["A 2", "C 2"]),
    ] {
        assert_eq!(goes(&send, outcome), expected, "{outcome}");
    }
}

#[test]
fn ip_and_port_say_where_and_me_and_port_are_the_default_pacs() {
    for (place, address) in [
        (r#""IP": "192.168.0.1", "PORT": "403""#, "192.168.0.1:403"),
        (r#""IP": "192.168.0.1", "PORT": 403"#, "192.168.0.1:403"),
        (r#""IP": "2001:db8::7", "PORT": 104"#, "[2001:db8::7]:104"),
        (r#""IP": "$me", "PORT": "$port""#, "pacs.example:104"),
        (r#""IP": "$me", "PORT": "11112""#, "pacs.example:11112"),
    ] {
        let text = format!(
            r#"{{ "name": "r", "send": [ {{ ".*": {{ {place}, "AETitleSender": "me", "AETitleTo": "PACS" }} }} ] }}"#
        );
        let decision = decided(&text, "ProcRSI", "PACS", "success", &offer());
        let Peer::Given(remote) = &decision.plan[0].peer else {
            panic!("{decision:?}")
        };
        assert_eq!(remote.address, address);
    }
}

#[test]
fn aetitlesender_calls_and_aetitleto_is_called() {
    let decision = decided(&rule(""), "ProcRSI", "PACS", "success", &offer());
    let Peer::Given(remote) = &decision.plan[0].peer else {
        panic!("{decision:?}")
    };
    assert_eq!((remote.calling.as_str(), remote.ae_title.as_str()), ("me", "A"));
}

#[test]
fn break_of_a_destination_keeps_later_ones_of_its_rule_for_when_it_fails() {
    let stop = r#", "break": 1"#;
    let send = |first: &str, second: &str| {
        format!(
            r#"{{ "name": "r", "send": [ {{ "succ": {}, "success": {} }}, {{ ".*": {} }} ] }}"#,
            to("A", first),
            to("B", second),
            to("C", "")
        )
    };
    assert_eq!(goes(&send("", ""), "success"), ["A 2", "B 2", "C 2"]);
    assert_eq!(
        goes(&send(r#", "break": "0""#, ""), "success"),
        ["A 2", "B 2", "C 2"]
    );
    assert_eq!(
        goes(&send(stop, ""), "success"),
        ["A 2", "B 2 after 0", "C 2 after 0"]
    );
    assert_eq!(goes(&send("", stop), "success"), ["A 2", "B 2", "C 2 after 1"]);
    assert_eq!(
        goes(&send(stop, stop), "success"),
        ["A 2", "B 2 after 0", "C 2 after 1"]
    );
    // Another rule does not wait.
    let two = format!("{}, {}", send(stop, ""), rule("").replace("\"A\"", "\"C\""));
    assert_eq!(
        goes(&two, "success"),
        ["A 2", "B 2 after 0", "C 2 after 0", "C 2"]
    );
}

#[test]
fn a_destination_that_gets_no_file_keeps_no_other_waiting() {
    let which = r#", "break": 1, "which": [ { "0008,0060": "SR" } ]"#;
    let text = format!(
        r#"{{ "name": "r", "send": [ {{ "success": {} }}, {{ "success": {} }} ] }}"#,
        to("A", which),
        to("B", "")
    );
    assert_eq!(goes(&text, "success"), ["B 2"]);
}

#[test]
fn which_sends_a_file_if_all_patterns_of_a_set_are_found() {
    let which = r#", "which": [ { "0008,103e": "^T1", "0008,0060": "MR" }, { "0008,0060": "SR" } ]"#;
    let text = format!(
        r#"{{ "name": "r", "send": [ {{ "success": {} }} ] }}"#,
        to("A", which)
    );
    let offer = Offer {
        output: vec![
            file("both", &[("0008,103E", "t1 axial"), ("0008,0060", "MR")]),
            file("one", &[("0008,103E", "axial T1"), ("0008,0060", "MR")]),
            file("other set", &[("0008,0060", "SR")]),
            file("nothing", &[]),
            Offered {
                file: "unreadable".into(),
                attributes: Attributes::Unreadable("broken".into()),
            },
        ],
        input: vec![],
        report: vec![],
    };
    let decision = decided(&text, "ProcRSI", "PACS", "success", &offer);
    assert_eq!(decision.plan[0].files, [0, 2]);
    let left: Vec<_> = decision.rules[0].to[0]
        .left_out
        .iter()
        .map(|l| l.file.as_str())
        .collect();
    assert_eq!(left, ["one", "nothing", "unreadable"]);
    assert_eq!(offer.unreadable().unwrap().split(' ').next(), Some("1"));
    // Only what a rule that matches asks for is read.
    let routes = rules(&format!(r#"{{ "routing": [ {text} ] }}"#));
    let facts = |outcome| Facts {
        called: "ProcRSI",
        calling: "PACS",
        outcome,
    };
    let tags: Vec<_> = needed(&routes, facts(&Outcome::Success))[&Direction::Output]
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(tags, ["0008,0060", "0008,103e"]);
    assert!(needed(&routes, facts(&Outcome::Failed)).is_empty());
}

#[test]
fn senderrorasdcm_sends_the_end_of_the_log_along_also_where_there_is_no_result() {
    let text = format!(
        r#"{{ "name": "r", "send": [ {{ "failed": {} }}, {{ ".*": {} }} ] }}"#,
        to("A", r#", "sendErrorAsDcm": 1, "break": 1"#),
        to("B", "")
    );
    let routes = rules(&format!(r#"{{ "routing": [ {text} ] }}"#));
    for (outcome, wanted) in [(Outcome::Failed, true), (Outcome::Success, false)] {
        let facts = Facts {
            called: "ProcRSI",
            calling: "PACS",
            outcome: &outcome,
        };
        assert_eq!(wants_report(&routes, facts), wanted);
    }
    let mut offer = offer();
    offer.report = vec![file("error-report-1.dcm", &[])];
    let decision = decided(&text, "ProcRSI", "PACS", "failed", &offer);
    let made = |decision: &Decision| -> Vec<_> {
        let made = decision.plan.iter();
        made.map(|p| (p.peer.ae_title().to_string(), p.direction.name(), p.after))
            .collect()
    };
    let to = |title: &str, sends, after| (title.to_owned(), sends, after);
    assert_eq!(
        made(&decision),
        [
            to("A", "output", None),
            to("A", "report", None),
            to("B", "output", Some(0))
        ]
    );
    assert!(decision.rules[0].to[0].error_report && !decision.rules[0].to[1].error_report);
    offer.output.clear();
    let decision = decided(&text, "ProcRSI", "PACS", "failed", &offer);
    assert_eq!(made(&decision), [to("A", "report", None)]);
    assert_eq!(decision.rules[0].to[0].verdict, Verdict::Sends);
}
