//! The rules of work.sh and db-plugin.code.

use regex::Regex;

use super::seen::Script;
use super::{LintFinding, Place, Seen};
use crate::bucket::inside;
use crate::bucket::manifest::Manifest;
use crate::model::{Network, Root};

/// What goes beyond the machine.
const NETWORK: &str = r"(?:^|[\s;&|(`])((?:curl|wget|ssh|scp|sftp|storescu|findscu|movescu|getscu|echoscu)\b|git\s+(?:clone|pull|fetch)\b|(?:pip3?|conda|mamba|npm)\s+install\b|apt(?:-get)?\s+(?:-\S+\s+)*(?:install|update)\b|apk\s+add\b|(?:dnf|yum)\s+install\b)";

/// What writes, and where to: redirections, makers of files, and the last argument of those that copy.
const WRITES: [&str; 3] = [
    r#"(?:^|[^<>&=-])>{1,2}\s*["']?(/[\w./$-]+)"#,
    r#"(?:^|[\s;&|(])(?:mkdir|touch|tee)\s+(?:-\S+\s+)*["']?(/[\w./$-]+)"#,
    r#"(?:^|[\s;&|(])(?:cp|mv|ln|rsync|unzip\s.*-d|tar\s.*-C)\s[^;|&]*\s["']?(/[\w./$-]+)["']?\s*(?:$|[;|&])"#,
];

/// Where writing is right, or does no harm.
const WRITABLE: [&str; 8] = [
    "/output",
    "/memory",
    "/tmp",
    "/var/tmp",
    "/dev",
    "/proc",
    "/run",
    "/var/lock",
];

pub(super) fn judge(seen: &Seen, manifest: Option<&Manifest>, found: &mut Vec<LintFinding>) {
    match &seen.work {
        None => found.push(
            LintFinding::error("work-missing", "there is no work.sh")
                .help("it is what a run does, called as /root/work.sh /input /output")
                .at(Place::whole(inside::WORK_SH)),
        ),
        Some(script) => {
            executable(inside::WORK_SH, ["work-missing", "work-mode"], script, found);
            begins_well(inside::WORK_SH, script, found);
            if let Some(text) = script.text() {
                does_what_it_may(&text, manifest, found);
            }
        }
    }
    if let Some(script) = &seen.plugin {
        executable(inside::PLUGIN, ["plugin-mode", "plugin-mode"], script, found);
        begins_well(inside::PLUGIN, script, found);
    }
}

/// What keeps a script from running: fatal for work.sh. Without a plugin that runs there are no measures, but a result.
fn broken(file: &'static str, code: &'static str, message: String) -> LintFinding {
    if file == inside::WORK_SH {
        LintFinding::error(code, message)
    } else {
        LintFinding::warning(code, format!("{message}: there will be no measures"))
    }
}

fn executable(file: &'static str, codes: [&'static str; 2], script: &Script, found: &mut Vec<LintFinding>) {
    let name = file.rsplit('/').next().unwrap_or(file);
    let [no_file, no_mode] = codes;
    if !script.is_file {
        found.push(broken(file, no_file, format!("{name} is no regular file")).at(Place::whole(file)));
    } else if script.mode & 0o111 == 0 {
        found.push(
            broken(file, no_mode, format!("{name} is not executable"))
                .help(format!("chmod +x {name}, then make the image anew"))
                .at(Place::whole(file)),
        );
    }
}

/// The first line, which says what runs it, and the ends of all lines.
fn begins_well(file: &'static str, script: &Script, found: &mut Vec<LintFinding>) {
    const UNIX: &str = "save it with line ends as on Linux: sed -i 's/\\r$//' FILE";
    let Some(bytes) = script
        .bytes
        .as_ref()
        .filter(|bytes| !bytes.starts_with(b"\x7fELF"))
    else {
        return;
    };
    let text = String::from_utf8_lossy(bytes);
    let first = text.split('\n').next().unwrap_or_default();
    let plain = first.trim_end_matches('\r');
    let here = Place::span(file, &text, 0, plain.len());
    if !plain.starts_with("#!") {
        found.push(
            LintFinding::warning("shebang", "the first line does not say what runs it")
                .help("such as #!/bin/sh")
                .at(here),
        );
    } else if plain != first {
        let message = "its lines end as on Windows, and what its first line names is not found".to_owned();
        found.push(broken(file, "line-ends", message).help(UNIX).at(here));
        return;
    } else if script.interpreter_is_there == Some(false) {
        let named = plain.trim_start_matches("#!").trim();
        found.push(
            broken(file, "interpreter", format!("the image has nothing at {named}"))
                .help("install it in the Dockerfile, or name one that is there")
                .at(here),
        );
    }
    if let Some(at) = text.find("\r\n") {
        let start = text
            .get(..at)
            .and_then(|t| t.rfind('\n'))
            .map_or(0, |newline| newline + 1);
        let message = "some lines end as on Windows: the CR becomes a part of the last word";
        found.push(
            LintFinding::warning("line-ends", message)
                .help(UNIX)
                .at(Place::span(file, &text, start, at)),
        );
    }
}

/// What work.sh looks like doing. A guess: it is read, not run.
fn does_what_it_may(text: &str, manifest: Option<&Manifest>, found: &mut Vec<LintFinding>) {
    let has_no_network = manifest.is_none_or(|m| m.settings.network == Network::None);
    let shared_memory = manifest.is_some_and(|m| m.settings.parallel > 1);
    let read_only = manifest.is_some_and(|m| m.settings.root == Root::ReadOnly);
    let network = Regex::new(NETWORK).ok();
    let writes: Vec<Regex> = WRITES.iter().filter_map(|p| Regex::new(p).ok()).collect();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.trim_end();
        let place = |from: usize, to: usize| Place::span(inside::WORK_SH, text, start + from, start + to);
        if !code.trim_start().starts_with('#') {
            let calls = network
                .as_ref()
                .and_then(|r| r.captures(code))
                .and_then(|c| c.get(1));
            if let Some(call) = calls.filter(|_| has_no_network) {
                found.push(
                    LintFinding::warning(
                        "network",
                        format!(
                            "looks as if it needs the network, which it does not ask for: {}",
                            call.as_str()
                        ),
                    )
                    .help("put it into the Dockerfile, or ask for it in info.json: \"network\": \"bridge\"")
                    .at(place(call.start(), call.end())),
                );
            }
            for target in writes.iter().filter_map(|r| r.captures(code)?.get(1)) {
                let path = target.as_str();
                let below = |folder: &str| path == folder || path.starts_with(&format!("{folder}/"));
                let (code, message, help) = if below(inside::INPUT) {
                    (
                        "writes-input",
                        "looks as if it writes to /input, which is read-only",
                        "write to /output, or copy the input to /tmp first",
                    )
                } else if below(inside::MEMORY_AT_RUN_TIME) && shared_memory {
                    (
                        "writes-memory",
                        "looks as if it writes to /memory, which is read-only with parallel above 1",
                        "set parallel to 1",
                    )
                } else if WRITABLE.iter().any(|folder| below(folder)) {
                    continue;
                } else if read_only {
                    (
                        "writes-elsewhere",
                        "looks as if it writes to the root file system, which it asks to have read-only",
                        "write to /tmp, /output or /memory, or take root out of info.json",
                    )
                } else {
                    (
                        "writes-elsewhere",
                        "looks as if it writes to where nothing is kept",
                        "what is not in /output or /memory is gone when the run ends",
                    )
                };
                found.push(
                    LintFinding::warning(code, format!("{message}: {path}"))
                        .help(help)
                        .at(place(target.start(), target.end())),
                );
            }
        }
        start += line.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str, info: &str) -> Vec<(&'static str, usize)> {
        let manifest = Manifest::parse(info.as_bytes()).unwrap();
        let mut found = Vec::new();
        does_what_it_may(text, Some(&manifest), &mut found);
        found
            .iter()
            .map(|f| (f.code, f.place.as_ref().unwrap().line.unwrap()))
            .collect()
    }

    #[test]
    fn what_it_looks_like_doing_is_found_by_line() {
        let plain = r#"{ "AETitle": "A" }"#;
        for (text, expected) in [
            ("#!/bin/sh\ncurl -O http://x/y\n", vec![("network", 2)]),
            ("pip3 install nibabel", vec![("network", 1)]),
            ("apt-get -y install x && true", vec![("network", 1)]),
            ("# curl is not called\necho curly", vec![]),
            ("mkdir -p /data/x", vec![("writes-elsewhere", 1)]),
            ("echo x > /root/log.txt", vec![("writes-elsewhere", 1)]),
            ("echo x >/output/a 2>/dev/null", vec![]),
            ("echo x >\"$2/a\"; cp -r /input/. /output/", vec![]),
            ("cp a.txt /srv/b.txt", vec![("writes-elsewhere", 1)]),
            ("cp -r /opt/model /tmp/", vec![]),
            ("touch /input/done", vec![("writes-input", 1)]),
            ("echo a >>/memory/db", vec![]),
            ("test 3 -gt 2 && cat <<EOF\n=>/x\nEOF\n", vec![]),
        ] {
            assert_eq!(codes(text, plain), expected, "{text}");
        }
        assert_eq!(
            codes("curl http://x", r#"{ "AETitle": "A", "network": "bridge" }"#),
            []
        );
        assert_eq!(
            codes("echo a >>/memory/db", r#"{ "AETitle": "A", "parallel": 2 }"#),
            [("writes-memory", 1)]
        );
    }
}
