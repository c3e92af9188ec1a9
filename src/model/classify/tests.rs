//! The old rules' semantics, a test a row (spec folder, routing.md), then what must hold whatever is asked.

mod refused;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// An object with these values; the tag as `0xGGGGEEEE`.
fn object(values: &[(u32, &[&str])]) -> Attributes {
    let mut object = Attributes::default();
    for (tag, texts) in values {
        object.insert(
            *tag,
            Value::Texts(texts.iter().map(|t| (*t).to_owned()).collect()),
        );
    }
    object
}

fn rules(file: &Json) -> RuleSet {
    RuleSet::parse(&file.to_string()).unwrap()
}

/// The types of a series of these objects.
fn types(file: &Json, series: &[Attributes]) -> Vec<String> {
    let rules = rules(file);
    let mut found = Found::default();
    for (i, object) in series.iter().enumerate() {
        let files = i as u64 + 1;
        evaluate(&rules, Seen { object, files }, &mut found);
    }
    found.names(&rules).into_iter().map(str::to_owned).collect()
}

/// Whether one rule holds for one object.
fn holds(rule: Json, object: &Attributes) -> bool {
    !types(
        &json!([{ "type": "T", "rules": [rule] }]),
        std::slice::from_ref(object),
    )
    .is_empty()
}

const MANUFACTURER: u32 = 0x0008_0070;
const TE: u32 = 0x0018_0081;
const TR: u32 = 0x0018_0080;
const ORIENTATION: u32 = 0x0020_0037;

fn mr() -> Attributes {
    object(&[
        (MANUFACTURER, &["GE MEDICAL SYSTEMS"]),
        (0x0008_0008, &["ORIGINAL", "PRIMARY", "M"]),
        (TE, &["2.984"]),
        (TR, &["7.38"]),
        (ORIENTATION, &["1", "0.00002", "0", "0", "1", "-0"]),
        (0x0043_1039, &["4000", "0", "0", "0"]),
        (0x0008_103E, &[]),
    ])
}

#[test]
fn without_an_operator_a_regular_expression_is_searched_and_case_matters() {
    assert!(holds(
        json!({ "tag": ["0x08", "0x70"], "value": "^GE MED" }),
        &mr()
    ));
    assert!(holds(
        json!({ "tag": ["0x08", "0x70"], "value": "MEDICAL" }),
        &mr()
    ));
    assert!(!holds(
        json!({ "tag": ["0x08", "0x70"], "value": "medical" }),
        &mr()
    ));
    let rule = json!({ "tag": ["0x08", "0x70"], "operator": "regexp", "value": "SYSTEMS$" });
    assert!(holds(rule, &mr()));
}

#[test]
fn a_regular_expression_is_searched_in_each_value_and_in_all_of_them() {
    assert!(holds(
        json!({ "tag": ["0x08", "0x08"], "value": "^PRIMARY$" }),
        &mr()
    ));
    assert!(holds(
        json!({ "tag": ["0x08", "0x08"], "value": r"^ORIGINAL\\PRIMARY" }),
        &mr()
    ));
    assert!(!holds(
        json!({ "tag": ["0x08", "0x08"], "value": "^SECONDARY$" }),
        &mr()
    ));
}

#[test]
fn equal_compares_numbers_as_numbers_and_texts_as_texts() {
    let rule = |value: Json| json!({ "tag": ["0x18", "0x81"], "operator": "==", "value": value });
    assert!(holds(rule(json!("2.9840")), &mr()));
    assert!(holds(rule(json!(2.984)), &mr()));
    assert!(!holds(rule(json!("2.98")), &mr()));
    let text = json!({ "tag": ["0x08", "0x70"], "operator": "==", "value": "GE MEDICAL SYSTEMS" });
    assert!(holds(text, &mr()));
    let absent = json!({ "tag": ["0x18", "0x82"], "operator": "==", "value": 0 });
    assert!(!holds(absent, &mr()));
}

#[test]
fn not_equal_is_the_opposite_of_equal() {
    let rule = |value: &str| json!({ "tag": ["0x18", "0x81"], "operator": "!=", "value": value });
    assert!(holds(rule("3"), &mr()));
    assert!(!holds(rule("2.984"), &mr()));
    let absent = json!({ "tag": ["0x18", "0x82"], "operator": "!=", "value": "0" });
    assert!(holds(absent, &mr()));
}

#[test]
fn less_and_greater_hold_between_numbers_only() {
    let rule = |operator: &str, value: &str| json!({ "tag": ["0x18", "0x81"], "operator": operator, "value": value });
    assert!(holds(rule("<", "3"), &mr()));
    assert!(!holds(rule("<", "2.984"), &mr()));
    assert!(holds(rule(">", "2"), &mr()));
    assert!(!holds(rule(">", "3"), &mr()));
    for (group, element) in [("0x08", "0x70"), ("0x08", "0x08"), ("0x18", "0x82")] {
        for operator in ["<", ">"] {
            let rule = json!({ "tag": [group, element], "operator": operator, "value": 0 });
            assert!(!holds(rule, &mr()), "{group} {operator}");
        }
    }
}

#[test]
fn exist_holds_for_an_empty_attribute_too_and_notexist_is_its_opposite() {
    for (group, element, there) in [
        ("0x08", "0x103e", true),
        ("0x08", "0x70", true),
        ("0x18", "0x82", false),
    ] {
        let rule = |operator: &str| json!({ "tag": [group, element], "operator": operator });
        assert_eq!(holds(rule("exist"), &mr()), there, "{element}");
        assert_eq!(holds(rule("notexist"), &mr()), !there, "{element}");
    }
}

#[test]
fn contains_wants_one_of_several_values_or_a_part_of_one() {
    let rule = |element: &str, value: &str| json!({ "tag": ["0x08", element], "operator": "contains", "value": value });
    assert!(holds(rule("0x08", "PRIMARY"), &mr()));
    assert!(!holds(rule("0x08", "PRIM"), &mr()));
    assert!(holds(rule("0x70", "MEDICAL"), &mr()));
    assert!(!holds(rule("0x103e", "T1"), &mr()));
}

#[test]
fn approx_wants_every_value_to_be_near_and_as_many_of_them() {
    let rule = |value: Json, level: Json| json!({ "tag": ["0x20", "0x37"], "operator": "approx", "value": value, "approxLevel": level });
    let axial = json!([1, 0, 0, 0, 1, 0]);
    assert!(holds(rule(axial.clone(), json!("0.0004")), &mr()));
    assert!(!holds(rule(axial.clone(), json!(0.00001)), &mr()));
    assert!(!holds(rule(json!([1, 0, 0]), json!("0.0004")), &mr()));
    assert!(!holds(rule(json!([1, 0, 0, 0, 0, -1]), json!("0.0004")), &mr()));
    // Without a level, a ten thousandth.
    let near = json!({ "tag": ["0x20", "0x37"], "operator": "approx", "value": axial });
    assert!(holds(near, &mr()));
    let one = json!({ "tag": ["0x18", "0x81"], "operator": "approx", "value": "3", "approxLevel": "0.1" });
    assert!(holds(one, &mr()));
}

#[test]
fn negate_turns_a_rule_round() {
    let tilted = object(&[(ORIENTATION, &["0.8", "0.6", "0", "0", "1", "0"])]);
    let rule = |negate: &str| {
        json!({ "tag": ["0x20", "0x37"], "value": [1, 0, 0, 0, 1, 0], "operator": "approx", "approxLevel": "0.0004",
                "negate": negate })
    };
    // Every value but two is near: as a whole it is not.
    assert!(holds(rule("yes"), &tilted) && !holds(rule("no"), &tilted));
    assert!(!holds(rule("yes"), &mr()) && holds(rule("no"), &mr()));
    let pattern = json!({ "tag": ["0x08", "0x70"], "value": "^SIEMENS", "negate": "yes" });
    assert!(holds(pattern, &mr()));
}

#[test]
fn an_index_takes_one_value_of_several() {
    let rule = |index: Json, value: &str| json!({ "tag": ["0x43", "0x1039", index], "operator": "==", "value": value });
    assert!(holds(rule(json!("0"), "4000"), &mr()));
    assert!(holds(rule(json!(1), "0"), &mr()));
    assert!(!holds(rule(json!("4"), "0"), &mr()));
    // Without one, four values are not a number.
    let all = json!({ "tag": ["0x43", "0x1039"], "operator": "==", "value": "4000" });
    assert!(!holds(all, &mr()));
}

#[test]
fn num_files_counts_the_objects_of_the_series() {
    let file = json!([{ "type": "many", "rules": [{ "tag": ["NumFiles"], "operator": ">", "value": "2" }] }]);
    assert_eq!(types(&file, &[mr(), mr()]), [""; 0]);
    assert_eq!(types(&file, &[mr(), mr(), mr()]), ["many"]);
}

#[test]
fn classify_type_is_what_was_found_so_far_above_it_in_the_file() {
    let ge = json!({ "type": "GE", "rules": [{ "tag": ["0x08", "0x70"], "value": "^GE" }] });
    let ours = json!({ "type": "ours", "rules": [{ "tag": ["ClassifyType"], "operator": "contains", "value": "GE" }] });
    assert_eq!(types(&json!([ge, ours]), &[mr()]), ["GE", "ours"]);
    // Below it, it is seen with the next object.
    assert_eq!(types(&json!([ours, ge]), &[mr()]), ["GE"]);
    assert_eq!(types(&json!([ours, ge]), &[mr(), mr()]), ["ours", "GE"]);
}

#[test]
fn a_key_of_the_series_json_or_a_keyword_of_the_standard_is_a_tag_too() {
    assert!(holds(json!({ "tag": ["Manufacturer"], "value": "^GE" }), &mr()));
    assert!(holds(
        json!({ "tag": ["EchoTime"], "operator": "<", "value": 3 }),
        &mr()
    ));
    let spaced = object(&[(0x0018_0088, &["1.2"])]);
    assert!(holds(
        json!({ "tag": ["SliceSpacing"], "operator": "==", "value": "1.2" }),
        &spaced
    ));
}

#[test]
fn a_value_may_be_another_attribute_of_the_object() {
    let rule = json!({ "tag": ["0x18", "0x81"], "operator": "<", "value": ["0x18", "0x80"] });
    assert!(holds(rule.clone(), &mr()));
    assert!(!holds(rule, &object(&[(TE, &["9"]), (TR, &["7"])])));
}

#[test]
fn all_rules_of_a_type_have_to_hold_and_of_several_types_of_one_name_any_will_do() {
    let rule = |value: &str| json!({ "tag": ["0x08", "0x70"], "value": value });
    let file = json!([
        { "type": "A", "rules": [rule("GE"), rule("SIEMENS")] },
        { "type": "B", "rules": [rule("SIEMENS")] },
        { "type": "B", "rules": [rule("GE"), rule("MEDICAL")] },
        { "type": "B", "rules": [rule("SYSTEMS")] },
    ]);
    assert_eq!(types(&file, &[mr()]), ["B"]);
}

#[test]
fn a_rule_includes_another_type_by_its_id_and_may_be_turned_round() {
    let file = |key: &str, negate: &str| {
        json!([
            { "type": "mine", "rules": [{ key: "GEBYMANUFACTURER", "negate": negate }, { "tag": ["0x18", "0x81"], "operator": "<", "value": 3 }] },
            { "type": "GE", "id": "GEBYMANUFACTURER",
              "rules": [{ "tag": ["0x08", "0x70"], "value": "^GE" }, { "tag": ["0x08", "0x08"], "value": "PRIMARY" }] },
        ])
    };
    assert_eq!(types(&file("rule", "no"), &[mr()]), ["mine", "GE"]);
    assert_eq!(types(&file("rule", "yes"), &[mr()]), ["GE"]);
    assert_eq!(types(&file("notrule", "no"), &[mr()]), ["GE"]);
    // One rule of the type does not hold: its opposite does.
    let derived = object(&[(MANUFACTURER, &["GE"]), (TE, &["2"])]);
    assert_eq!(
        types(&file("rule", "yes"), std::slice::from_ref(&derived)),
        ["mine"]
    );
}

#[test]
fn a_type_once_found_stays_and_one_of_the_series_is_judged_with_each_object() {
    let file = |check: Option<&str>| {
        let mut one =
            json!({ "type": "T", "rules": [{ "tag": ["0x18", "0x81"], "operator": "<", "value": 3 }] });
        if let Some(check) = check {
            one["check"] = check.into();
        }
        json!([one])
    };
    let long = object(&[(TE, &["90"])]);
    assert_eq!(types(&file(None), &[mr(), long.clone()]), ["T"]);
    assert_eq!(types(&file(Some("SeriesLevel")), &[mr(), long.clone()]), [""; 0]);
    assert_eq!(types(&file(Some("SeriesLevel")), &[long, mr()]), ["T"]);
}

#[test]
fn comments_are_allowed() {
    let text = "// ours\n[ { \"type\": \"T//1\", /* all\n of it */ \"rules\": [] } ] // end";
    let rules = RuleSet::parse(text).unwrap();
    assert_eq!(rules.types()[0].name, "T//1");
    assert!(RuleSet::parse(&format!("\u{feff}{text}")).is_ok());
    let error = RuleSet::parse("/* a\n */ [ {\n ? } ]").unwrap_err().to_string();
    assert!(error.starts_with("line 3, column 2"), "{error}");
}

fn any_value() -> impl Strategy<Value = Json> {
    prop_oneof![
        any::<f64>().prop_map(|n| json!(n)),
        ".{0,8}".prop_map(|t| json!(t)),
        Just(json!("0x08")),
        Just(json!("yes")),
        Just(json!("SeriesLevel")),
        proptest::collection::vec(any::<i32>(), 0..7).prop_map(|l| json!(l)),
        Just(json!(["0x18", "0x81"])),
        Just(json!(["NumFiles"])),
        Just(json!(null)),
    ]
}

fn any_rule() -> impl Strategy<Value = Json> {
    let key = proptest::sample::select(vec!["value", "approxLevel", "negate", "rule", "index"]);
    let operator = proptest::sample::select(vec![
        "==", "!=", "<", ">", "exist", "notexist", "contains", "approx", "regexp", "?",
    ]);
    let tag = proptest::sample::select(vec![
        json!(["0x08", "0x70"]),
        json!(["0x43", "0x1039", "2"]),
        json!(["NumFiles"]),
        json!(["ClassifyType"]),
        json!(["EchoTime"]),
    ]);
    (operator, tag, proptest::collection::vec((key, any_value()), 0..4)).prop_map(|(operator, tag, more)| {
        let mut rule = json!({ "operator": operator, "tag": tag });
        for (key, value) in more {
            rule[key] = value;
        }
        rule
    })
}

proptest! {
    #[test]
    fn whatever_stands_in_a_file_and_in_an_object_nothing_panics(
        rules in proptest::collection::vec(any_rule(), 0..4),
        texts in proptest::collection::vec(".{0,12}", 0..5),
        numbers in proptest::collection::vec(any::<f64>(), 0..5),
    ) {
        let file = json!([{ "type": "T", "id": "T", "check": "SeriesLevel", "rules": rules }, { "type": "U", "rules": [{ "notrule": "T" }] }]);
        if let Ok(rules) = RuleSet::parse(&file.to_string()) {
            let mut object = Attributes::default();
            object.insert(MANUFACTURER, Value::Texts(texts));
            object.insert(0x0043_1039, Value::Texts(numbers.iter().map(f64::to_string).collect()));
            object.insert(TE, Value::Opaque);
            let mut found = Found::default();
            for files in 1..4 {
                evaluate(&rules, Seen { object: &object, files }, &mut found);
            }
            // Exactly one of the two holds of each object.
            prop_assert!(found.holds(0) || found.holds(1));
        }
    }

    #[test]
    fn no_text_is_too_strange_for_a_rule_file(text in r#"[\[\]{}":,/*\\ a-z0-9\n]{0,200}"#) {
        let _ = RuleSet::parse(&text);
    }
}
