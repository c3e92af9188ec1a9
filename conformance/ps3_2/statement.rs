//! `conformance/STATEMENT.md` is what the program says of itself (PS3.2 Annex N).

use std::fs;
use std::path::Path;

use super::tables;
use crate::needs;
use crate::support::images::Bucket;
use crate::support::under_test::{MAGICKBOX, TestNode, run};

fn printed(arguments: &[&str]) -> String {
    let ran = run(MAGICKBOX, &[&["conformance"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

/// `make statement` writes the file anew.
#[test]
fn the_file_is_what_the_program_prints_for_its_defaults() {
    let printed = printed(&[]);
    if std::env::var_os("MAGICKBOX_BLESS").is_some() {
        fs::write(tables::path(), &printed).unwrap();
    }
    let kept = fs::read_to_string(tables::path()).unwrap_or_default();
    let differs = printed.lines().zip(kept.lines()).find(|(a, b)| a != b);
    assert!(
        printed == kept,
        "conformance/STATEMENT.md is not what `magickbox conformance` prints: `make statement` writes it; first: {differs:?}"
    );
}

/// The template's sections, in its order; what is not supported says so under its heading.
#[test]
fn sections_stand_in_the_order_of_the_template() {
    let text = printed(&[]);
    let mut at = 0;
    for heading in [
        "\n## 1 Overview\n",
        "\n### 1.1 Content and Transfer\n",
        "\n### 1.2 DIMSE Services\n",
        "\n### 1.3 DICOM Web Services\n",
        "\n### 1.4 Media Services\n",
        "\n### 1.5 Real-Time Video Services\n",
        "\n### 1.6 De-identification Profiles\n",
        "\n### 1.7 Specific Character Sets\n",
        "\n## 2 Table of Contents\n",
        "\n## 3 Introduction\n",
        "\n## 4 Implementation Model\n",
        "\n## 5 Service and Interoperability Description\n",
        "\n#### 5.2.5 Storage Service\n",
        "\n## 6 Configuration\n",
        "\n## 7 Network and Media Communication Details\n",
        "\n### 7.3 Status Codes\n",
        "\n## 8 Security\n",
        "\n### 8.4 DICOM Security Profiles Support\n",
        "\n## Annex A.A ",
        "\n## Annex A.E ",
    ] {
        let found = text[at..].find(heading);
        at += found.unwrap_or_else(|| panic!("{heading:?} is missing or too early"));
    }
}

#[test]
fn a_site_gets_its_own_titles_ports_and_limits() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config/full.toml");
    let text = printed(&["--config", file.to_str().unwrap()]);
    for expected in [
        "| ProcT1 | Receiving AE |",
        "| NODE | Sending AE",
        "| PACS | pacs.example:104 | RESEARCH |",
        "| volumes to the PACS (off) | `^ProcT1$` | `SCANNER` | `success\\|partial` | output where (0008,0060) is `MR\\|SR` \
         and (0008,103e) is `^T1` | PACS, else ARCHIVE, else RESEARCH, else CLOUD, else $sender | yes | repair |",
        "| 0.0.0.0:104 | in | DICOM, Receiving AE |",
        "(`private_sop_classes`): `1.2.840.113619.4.30`.",
        "`durability = \"none\"` is configured",
        "| 30s | **20s** |",
        "no byte for 5m, or one object took more than 30m",
    ] {
        assert!(text.contains(expected), "«{expected}» is missing in\n{text}");
    }
}

#[test]
fn a_running_node_tells_the_titles_of_its_buckets() {
    needs!(Docker);
    let node = TestNode::with(&Bucket::fixture("count"), "");
    let text = printed(&["--node", &node.ready().http]);
    assert!(text.contains("| Count | Receiving AE |"), "{text}");
}
