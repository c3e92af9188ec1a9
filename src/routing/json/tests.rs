//! Files as they occur, and files that are refused.

use proptest::prelude::*;

use super::*;

/// The documentation's own example, with the comments that people put into theirs.
const KNOWN: &str = r#"{ "routing": [
  { // where everything goes
    "name": "Default Rule", "AETitleIn": ".*",
    "send": [ { ".*": { "IP": "$me", "PORT": "$port", "AETitleSender": "ProcDefault", "AETitleTo": "DCM4CHEE" } } ],
    "break": 0
  },
  { "name": "ProcRSI bucket routing of results", "AETitleIn": "ProcRSI", "AETitleFrom": "PACS",
    "send": [ {
      "success": { "IP": "192.168.0.1", "PORT": "403", "AETitleSender": "me", "AETitleTo": "PACS", "break": 1 },
      "failed":  { "IP": "192.168.0.1", "PORT": "403", "AETitleSender": "me", "AETitleTo": "PACS", "break": 1 },
      "partial": { "IP": "192.168.0.1", "PORT": "403", "AETitleSender": "me", "AETitleTo": "PACS", "break": 1 },
    } ],
    "break": 0 }
] }"#;

fn site() -> Site {
    let title = |t: &str| crate::model::AeTitle::parse(t).unwrap();
    Site {
        default_pacs: Some(RemoteAe::plain(
            title("PACS"),
            "pacs.example:104".into(),
            title("NODE"),
        )),
        ..Site::default()
    }
}

/// Every finding of a text that is refused.
fn refused(text: &str) -> Vec<String> {
    let findings = parse(text.as_bytes(), &Site::default()).unwrap_err().0;
    findings.iter().map(ToString::to_string).collect()
}

fn warned(text: &str) -> Vec<String> {
    let (_, warnings) = parse(text.as_bytes(), &site()).unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_as_sites_own_it_is_read_with_its_comments() {
    let (rules, warnings) = parse(KNOWN.as_bytes(), &site()).unwrap();
    assert_eq!(warnings, []);
    let shown: Vec<_> = rules.iter().map(|r| (r.name.as_str(), r.to.len())).collect();
    assert_eq!(
        shown,
        [("Default Rule", 1), ("ProcRSI bucket routing of results", 3)]
    );
    let with_mark = format!("\u{feff}{KNOWN}");
    assert_eq!(parse(with_mark.as_bytes(), &site()).unwrap().0.len(), 2);
}

#[test]
fn the_placeholders_are_refused_without_a_default_pacs() {
    let said = refused(KNOWN);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("4:31: rule \"Default Rule\": send[0]..*.IP: \"$me\": stands for"),
        "{said:?}"
    );
    assert!(said[0].contains("default_pacs in [routing]"), "{said:?}");
}

#[test]
fn every_finding_is_told_with_rule_key_and_place() {
    let text = r#"{ "routing": [
  { "name": "one", "AETitleIn": "(", "RouteDirectory": "BOTH", "break": "often",
    "send": [ { "success": { "IP": "a b", "PORT": 70000, "AETitleSender": "much too long an AE title",
                             "which": [ { "0008": "x", "0008,0060": ["MR"] } ] } } ] },
  { "send": "PACS", "status": "off" },
  7
] }"#;
    let said = refused(text);
    for expected in [
        "2:33: rule \"one\": AETitleIn: \"(\": no regular expression",
        "2:56: rule \"one\": RouteDirectory: \"BOTH\": OUTPUT or INPUT",
        "2:73: rule \"one\": break: \"often\": 0 or 1",
        "3:36: rule \"one\": send[0].success.IP: \"a b\": a host's name",
        "3:51: rule \"one\": send[0].success.PORT: \"70000\": a port from 1 to 65535",
        "3:75: rule \"one\": send[0].success.AETitleSender: \"much too long an AE title\"",
        "3:28: rule \"one\": send[0].success.AETitleTo: is missing",
        "4:51: rule \"one\": send[0].success.which[0].0008: no tag",
        "4:69: rule \"one\": send[0].success.which[0].0008,0060: has to be a text",
        "5:13: rule \"rule 2\": send: has to be a list of objects",
        "5:31: rule \"rule 2\": status: \"off\": 0 or 1",
        "6:3: routing[2]: has to be an object",
    ] {
        assert!(
            said.iter().any(|line| line.contains(expected)),
            "{expected} not in\n{}",
            said.join("\n")
        );
    }
    assert_eq!(said.len(), 12, "{}", said.join("\n"));
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let text = r#"{ "version": 1, "routing": [
  { "name": "r", "AETitelIn": "x", "send": [ { "success": { "IP": "a", "PORT": 1, "AETitleSender": "me",
    "AETitleTo": "A", "sendErrorAsDcm": "1", "which": [] } } ] },
  { "name": "empty" }
] }"#;
    let said = warned(text);
    for expected in [
        "1:3: version: unknown key",
        "2:18: rule \"r\": AETitelIn: unknown key, it has no effect; did you mean \"AETitleIn\"?",
        "which: is empty: no file goes there",
        "rule \"empty\": send: is missing: the rule sends nothing",
    ] {
        assert!(
            said.iter().any(|line| line.contains(expected)),
            "{expected} not in\n{}",
            said.join("\n")
        );
    }
    assert_eq!(said.len(), 4, "{}", said.join("\n"));
}

#[test]
fn what_is_wrong_in_a_rule_that_is_off_does_not_matter() {
    let text = r#"{ "routing": [ { "name": "old", "status": 0, "AETitleIn": "(",
        "send": [ { ".*": { "IP": "$me", "PORT": "$port" } } ] } ] }"#;
    let (rules, warnings) = parse(text.as_bytes(), &Site::default()).unwrap();
    assert!(!rules[0].enabled && rules[0].to.is_empty());
    assert!(
        warnings.iter().all(|w| w.message.ends_with("the rule is off")),
        "{warnings:?}"
    );
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    for (text, expected) in [
        ("", "1:1: is empty"),
        ("[]", "1:1: has to be an object"),
        ("{}", "1:1: routing: is missing"),
        (
            "{ \"routing\": [ { \"name\": \"r\",\n  \"send\": [ { \"success\": ",
            "no JSON",
        ),
        ("{ \"routing\": [] } x", "1:19: no JSON"),
        ("{ 'routing': [] }", "1:3: no JSON"),
    ] {
        let said = refused(text).join("\n");
        assert!(said.contains(expected), "{text}: {said}");
    }
    let error = parse(b"{ \"routing\": [ \xff ] }", &site()).unwrap_err();
    assert_eq!(error.to_string(), "1:16: is no text in UTF-8");
}

#[test]
fn files_rules_and_patterns_are_bounded() {
    let mut large = KNOWN.to_owned();
    large.push_str(&" ".repeat(1 << 20));
    assert!(refused(&large)[0].contains("more than 1024 KiB"));
    let deep = format!("{{ \"routing\": {}", "[".repeat(200_000));
    assert!(refused(&deep)[0].contains("depth"), "{:?}", refused(&deep));
    let many = format!("{{ \"routing\": [ {} ] }}", "{}, ".repeat(501));
    assert!(refused(&many)[0].contains("more than 500 rules"));
    let tag = |n: usize| format!("\"0009,{n:04x}\": \"x\"");
    let sets: Vec<_> = (0..2100).map(tag).collect();
    let text = format!(
        "{{ \"routing\": [ {{ \"send\": [ {{ \"s\": {{ \"IP\": \"a\", \"PORT\": 1, \"AETitleSender\": \"m\", \
         \"AETitleTo\": \"A\", \"which\": [ {{ {} }} ] }} }} ] }} ] }}",
        sets.join(", ")
    );
    let said = refused(&text);
    assert!(
        said.len() == 1 && said[0].contains("more than 2000 patterns"),
        "{said:?}"
    );
}

#[test]
fn of_a_key_that_is_there_twice_the_last_counts() {
    let to =
        |title: &str| format!(r#"{{ "IP": "a", "PORT": 1, "AETitleSender": "m", "AETitleTo": "{title}" }}"#);
    let text = format!(
        r#"{{ "routing": [ {{ "name": "r", "send": [ {{ "s": {}, "s": {} }} ] }} ] }}"#,
        to("A"),
        to("B")
    );
    let (rules, warnings) = parse(text.as_bytes(), &site()).unwrap();
    assert_eq!((rules[0].to.len(), warnings.len()), (1, 1));
    assert_eq!(rules[0].to[0].peer.ae_title().as_str(), "B");
}

proptest! {
    #[test]
    fn no_text_is_too_strange(cut in 0..KNOWN.len(), put in proptest::collection::vec(any::<u8>(), 0..8)) {
        let mut bytes = KNOWN.as_bytes().to_vec();
        let end = (cut + put.len()).min(bytes.len());
        bytes.splice(cut..end, put);
        let _ = parse(&bytes, &site());
        bytes.truncate(cut);
        let _ = parse(&bytes, &Site::default());
    }
}

#[test]
fn what_is_called_over_tls_is_never_called_without() {
    let mut over_tls = site().default_pacs.unwrap();
    over_tls.tls = Some(crate::model::RemoteTls {
        ca: "ca.pem".into(),
        identity: None,
        name: None,
    });
    let default = Site::new(Some(over_tls.clone()), &[]);
    let of = |remote| Site::new(None, &[crate::model::Remote::Dicom(remote)]);
    let by_number = of(RemoteAe {
        address: "[fe80::1]:104".to_owned(),
        ..over_tls.clone()
    });
    let named = of(over_tls);
    let rule = |host: &str, port: &str, to: &str| {
        format!(
            r#"{{ "routing": [ {{ "name": "r", "send": [ {{ "success": {{ "IP": "{host}", "PORT": "{port}",
            "AETitleSender": "me", "AETitleTo": "{to}" }} }} ] }} ] }}"#
        )
    };
    for (site, host, port) in [
        (&default, "$me", "$port"),
        (&named, "pacs.example", "104"),
        (&named, "PACS.example", "104"),
        (&by_number, "FE80:0:0::1", "104"),
    ] {
        let (rules, _) = parse(rule(host, port, "PACS").as_bytes(), site).unwrap();
        assert!(
            matches!(&rules[0].to[0].peer, crate::model::Peer::Named(title) if title.as_str() == "PACS"),
            "{host}"
        );
        let other = parse(rule(host, port, "OTHER").as_bytes(), site);
        let said = other.unwrap_err().to_string();
        assert!(said.contains("AETitleTo") && said.contains("over TLS"), "{said}");
    }
    let (rules, _) = parse(rule("pacs.example", "11112", "OTHER").as_bytes(), &named).unwrap();
    assert!(matches!(&rules[0].to[0].peer, crate::model::Peer::Given(_)));
}
