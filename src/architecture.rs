//! The walls of the house, held by a test: which module may import which.

use std::collections::BTreeMap;
use std::path::Path;

/// Who may import whom; what is not listed may be imported by `node` and `cli` only.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("model", &[]),
    ("files", &[]),
    ("telemetry", &[]),
    ("config", &["model"]),
    ("dicom", &["model", "config"]),
    ("store", &["model"]),
    ("container", &[]),
    ("audit", &["model", "config", "telemetry", "dicom", "store"]),
    ("routing", &["model", "files", "telemetry", "dicom"]),
    (
        "stage",
        &["model", "config", "files", "telemetry", "dicom", "store"],
    ),
    ("bucket", &["model", "files", "store", "container"]),
    (
        "scp",
        &["model", "config", "telemetry", "dicom", "store", "stage"],
    ),
    (
        "delivery",
        &["model", "config", "files", "telemetry", "dicom", "store"],
    ),
    (
        "http",
        &[
            "model",
            "files",
            "routing",
            "stage",
            "telemetry",
            "store",
            "container",
            "bucket",
            "delivery",
        ],
    ),
];
const ENGINE: &[&str] = &[
    "model",
    "files",
    "dicom",
    "routing",
    "store",
    "container",
    "stage",
    "bucket",
];

fn sources(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_use_of_another_module_is_one_the_plan_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    allowed.insert("engine", ENGINE);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in files {
        let relative = file.strip_prefix(&root).unwrap();
        let first = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let module = first.trim_end_matches(".rs");
        let Some(may) = allowed.get(module) else { continue };
        let text = std::fs::read_to_string(&file).unwrap();
        // Unit tests may use what they like.
        let code = text.split("#[cfg(test)]").next().unwrap();
        // Points at which tests kill the node may stand anywhere.
        let code = code.replace("crate::failpoint::", "");
        for part in code.split("crate::").skip(1) {
            let other: String = part
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            seen += 1;
            if other != module && !may.contains(&other.as_str()) {
                wrong.push(format!("{} imports {other}", relative.display()));
            }
        }
    }
    assert!(seen > 50, "the test reads nothing");
    assert!(
        wrong.is_empty(),
        "not in the plan of src/lib.rs:\n{}",
        wrong.join("\n")
    );
}
