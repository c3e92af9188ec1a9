//! Files of rules that are refused, and why.

use super::*;

#[test]
fn everything_that_cannot_be_understood_is_told_with_its_place() {
    let file = json!([
        { "rules": [] },
        { "type": "A" },
        { "type": "B", "id": "B", "rules": [
            { "value": "x" },
            { "tag": "0x08", "value": "x" },
            { "tag": ["0x08", "0xfffff"], "value": "x" },
            { "tag": ["Manufakturer"], "value": "x" },
            { "tag": ["0x08", "0x70"] },
            { "tag": ["0x08", "0x70"], "value": "(?<x" },
            { "tag": ["0x08", "0x70"], "operator": "like", "value": "x" },
            { "tag": ["0x08", "0x70"], "operator": ">", "value": "big" },
            { "tag": ["0x08", "0x70"], "operator": "approx", "value": ["a"] },
            { "tag": ["0x08", "0x70"], "operator": "approx", "value": 1, "approxLevel": "near" },
            { "rule": "C" },
            { "tag": ["0x08", "0x70"], "value": "x", "negate": 1 },
        ] },
        { "type": "C", "id": "B", "rules": [] },
        7,
    ]);
    let error = RuleSet::parse(&file.to_string()).unwrap_err().to_string();
    for expected in [
        "[0].type: is missing",
        "[1].rules: is missing",
        "[2].rules[0].tag: is missing",
        "[2].rules[1].tag: a tag is",
        "[2].rules[2].tag: a tag is",
        "[2].rules[3].tag: \"Manufakturer\" is no attribute's keyword",
        "[2].rules[4].value: is missing: regexp compares with it",
        "[2].rules[5].value: \"(?<x\": no regular expression",
        "[2].rules[6].operator: \"like\": one of: ==, !=",
        "[2].rules[7].value: > compares with a number",
        "[2].rules[8].value: approx compares with",
        "[2].rules[9].approxLevel: a number",
        "[2].rules[10].rule: \"C\" is the id of no type",
        "[2].rules[11].negate: \"yes\" or \"no\"",
        "[3].id: \"B\" is the id of [2] already",
        "[4]: has to be a table",
    ] {
        assert!(error.contains(expected), "{expected} not in\n{error}");
    }
}

#[test]
fn types_that_include_themselves_or_grow_beyond_measure_are_refused() {
    let circle = json!([
        { "type": "A", "id": "A", "rules": [{ "rule": "B" }] },
        { "type": "B", "id": "B", "rules": [{ "rule": "A" }] },
    ]);
    let error = RuleSet::parse(&circle.to_string()).unwrap_err().to_string();
    assert!(error.contains("type \"A\" includes itself"), "{error}");
    let bomb: Vec<_> = (0..15)
        .map(|i| {
            let rule = json!({ "rule": format!("{}", i + 1) });
            let rules = if i == 14 {
                json!([])
            } else {
                json!([rule, rule, rule, rule, rule, rule])
            };
            json!({ "type": "T", "id": format!("{i}"), "rules": rules })
        })
        .collect();
    let error = RuleSet::parse(&json!(bomb).to_string()).unwrap_err().to_string();
    assert!(error.contains("more than 10000 rules"), "{error}");
}

#[test]
fn limits_are_refused_by_name() {
    assert_eq!(RuleSet::parse(&" ".repeat(2 << 20)), Err(RulesError::TooLong));
    let many = json!(vec![json!({ "type": "T", "rules": [] }); 1001]);
    let error = RuleSet::parse(&many.to_string()).unwrap_err().to_string();
    assert!(error.contains("1001 types: at most 1000"), "{error}");
    let huge = json!([{ "type": "T", "rules": [{ "tag": ["0x08", "0x70"], "value": "(a{900}){900}" }] }]);
    let error = RuleSet::parse(&huge.to_string()).unwrap_err().to_string();
    assert!(error.contains("[0].rules[0].value"), "{error}");
    assert!(RuleSet::parse(&"[".repeat(100_000)).is_err());
}
