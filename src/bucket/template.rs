//! The files a new bucket begins with.

use std::fmt::Write;

use serde_json::Value;

use super::schema::{KEYS, Kind};
use crate::model::AeTitle;

/// Which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// A shell script that returns what it receives.
    Shell,
    /// A Python program that derives a series.
    Python,
}

/// A file of a new bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFile {
    /// Its name below the bucket's directory.
    pub name: &'static str,
    /// Whether it has to be executable.
    pub executable: bool,
    /// Its content.
    pub content: String,
}

/// Text of the template, its name below the bucket's directory, whether it is executable.
type Source = (&'static str, bool, &'static str);

const COMMON: [Source; 4] = [
    ("db-plugin.code", true, include_str!("template/db-plugin.code")),
    (".dockerignore", false, include_str!("template/dockerignore")),
    ("host/apt.conf", false, include_str!("template/apt.conf")),
    ("README.md", false, include_str!("template/README.md")),
];
const SHELL: [Source; 3] = [
    ("Dockerfile", false, include_str!("template/shell/Dockerfile")),
    ("work.sh", true, include_str!("template/shell/work.sh")),
    ("info.json", false, include_str!("template/shell/info.json")),
];
const PYTHON: [Source; 4] = [
    ("Dockerfile", false, include_str!("template/python/Dockerfile")),
    ("work.sh", true, include_str!("template/python/work.sh")),
    ("main.py", false, include_str!("template/python/main.py")),
    ("info.json", false, include_str!("template/python/info.json")),
];

/// The files of a new bucket; beside them it has an empty directory `memory`.
#[must_use]
pub fn files(template: Template, name: &str, ae_title: &AeTitle, base: &str) -> Vec<TemplateFile> {
    let main = match template {
        Template::Shell => "",
        Template::Python => "\n| `main.py` | `/root/main.py` | the program that work.sh starts |",
    };
    let fill = |text: &str| {
        text.replace("@NAME@", name)
            .replace("@NAME_JSON@", &Value::from(name).to_string())
            .replace("@AETITLE@", ae_title.as_str())
            .replace("@AETITLE_JSON@", &Value::from(ae_title.as_str()).to_string())
            .replace("@BASE@", base)
            .replace("@MAIN@", main)
            .replace("@KEYS@", &keys())
    };
    let own: &[Source] = match template {
        Template::Shell => &SHELL,
        Template::Python => &PYTHON,
    };
    own.iter()
        .chain(&COMMON)
        .map(|(name, executable, text)| TemplateFile {
            name,
            executable: *executable,
            content: fill(text),
        })
        .collect()
}

/// The keys of info.json as a table for people.
fn keys() -> String {
    let mut table = "| key | default | what it is |\n| --- | --- | --- |\n".to_owned();
    for key in KEYS {
        let allowed = match key.kind {
            Kind::Words(words) => format!(" One of: {}.", words.join(", ")),
            Kind::List(words) => format!(" Of: {}.", words.join(", ")),
            Kind::Whole(from, to) => format!(" From {from} to {to}."),
            _ if key.default.is_empty() && !key.example.is_empty() => format!(" Such as `{}`.", key.example),
            _ => String::new(),
        };
        let default = match key.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        // Writing to a String does not fail.
        let _ = writeln!(table, "| `{}` | {default} | {}{allowed} |", key.path, key.doc);
    }
    table.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Manifest;

    #[test]
    fn both_templates_are_whole_and_their_description_is_one_a_node_takes() {
        let title = AeTitle::parse(r#"Pro"c 1"#).unwrap();
        for template in [Template::Shell, Template::Python] {
            let files = files(template, "hello", &title, "magickbox/base:bookworm");
            for file in &files {
                assert!(!file.content.contains('@'), "{}: {}", file.name, file.content);
                assert!(file.content.ends_with('\n'), "{}", file.name);
            }
            let info = files.iter().find(|f| f.name == "info.json").unwrap();
            let manifest = Manifest::parse(info.content.as_bytes()).unwrap();
            assert_eq!(
                (manifest.name.as_str(), manifest.ae_title),
                ("hello", title.clone())
            );
            let readme = files.iter().find(|f| f.name == "README.md").unwrap();
            assert!(readme.content.contains("| `complete.quiet` | `\"15s\"` |"));
        }
    }
}
