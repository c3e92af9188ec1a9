//! The built-in rules, on real objects and on headers as each vendor writes them.

mod vendors;

use std::path::{Path, PathBuf};

use super::*;
use crate::dicom::header::read_attributes;
use crate::model::classify::{Attributes, Found, Seen, Value, evaluate};

fn built_in() -> RuleSet {
    load_rules(&ClassifyConfig::default()).unwrap()
}

fn types_of(objects: &[Attributes]) -> Vec<String> {
    let rules = built_in();
    let mut found = Found::default();
    for (i, object) in objects.iter().enumerate() {
        let files = i as u64 + 1;
        evaluate(&rules, Seen { object, files }, &mut found);
    }
    found.names(&rules).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_tilted_slice_has_the_orientation_it_is_nearest_to() {
    let oriented = |text: &str| {
        let mut object = Attributes::default();
        object.insert(
            0x0020_0037,
            Value::Texts(text.split('\\').map(str::to_owned).collect()),
        );
        types_of(&[object])
    };
    assert_eq!(oriented("1\\0\\0\\0\\1\\0"), ["axial"]);
    assert_eq!(oriented("1\\0\\0\\0\\0.94\\-0.34"), ["axial"]);
    assert_eq!(oriented("-0\\1\\0\\-0\\-0\\-1"), ["sag"]);
    assert_eq!(oriented("0.98\\0.17\\0\\0\\0.1\\-0.99"), ["coronal"]);
    assert_eq!(oriented("1\\0\\0"), [""; 0]);
    assert_eq!(types_of(&[Attributes::default()]), [""; 0]);
}

fn data_of(name: &str) -> Option<Vec<PathBuf>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = std::env::var_os("MAGICKBOX_DATA").map_or_else(beside, PathBuf::from);
    let Ok(entries) = std::fs::read_dir(data.join(name)) else {
        let missing = data.join(name);
        assert!(
            std::env::var_os("CI").is_none(),
            "there is no {}",
            missing.display()
        );
        eprintln!("SKIPPED: there is no {}", missing.display());
        return None;
    };
    let mut files: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    files.sort();
    Some(files)
}

fn types_of_files(files: &[PathBuf]) -> Vec<String> {
    let wanted = wanted(&built_in());
    let objects: Vec<_> = files
        .iter()
        .map(|f| read_attributes(f, &wanted).unwrap())
        .collect();
    types_of(&objects)
}

#[test]
fn real_series_are_what_they_are() {
    let cases: [(&str, &[&str]); 4] = [
        ("ge-spgr", &["MR", "GE", "sag", "T1"]),
        // A few attributes only: by its name.
        ("t1-brain", &["MR", "axial", "T1"]),
        ("transfer-syntaxes", &["MR", "Siemens", "axial", "EPI", "fMRI"]),
        ("enhanced-mr", &["MR", "T1"]),
    ];
    for (folder, expected) in cases {
        if let Some(files) = data_of(folder) {
            assert_eq!(types_of_files(&files), expected, "{folder}");
        }
    }
}

#[test]
fn a_file_of_rules_that_cannot_be_used_is_told_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.json");
    let load = || {
        load_rules(&ClassifyConfig {
            rules: Some(path.clone()),
        })
    };
    assert!(load().unwrap_err().to_string().contains("rules.json: "));
    std::fs::write(&path, r#"[ { "type": "A", "rules": [ { "tag": 7 } ] } ]"#).unwrap();
    let error = load().unwrap_err().to_string();
    assert!(
        error.contains("rules.json: [0].rules[0].tag: a tag is"),
        "{error}"
    );
    std::fs::write(&path, "// none\n[]").unwrap();
    assert_eq!(load().unwrap(), RuleSet::default());
}
