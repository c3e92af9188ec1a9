//! Which image a stream of the original runs: what stands in its generated `work.sh`.

/// Options of `docker run` whose value is a word of its own.
const WITH_VALUE: &[&str] = &[
    "-a",
    "-e",
    "-h",
    "-l",
    "-m",
    "-p",
    "-u",
    "-v",
    "-w",
    "--cpus",
    "--entrypoint",
    "--env",
    "--gpus",
    "--hostname",
    "--label",
    "--link",
    "--memory",
    "--mount",
    "--name",
    "--net",
    "--network",
    "--publish",
    "--user",
    "--volume",
    "--volumes-from",
    "--workdir",
];

/// The image in the `docker run …` line of a script; `None` where there is no such line, or a variable in its place.
pub fn image_of(script: &str) -> Option<String> {
    let joined = script.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.filter_map(in_line).find(|image| is_reference(image))
}

fn in_line(line: &str) -> Option<String> {
    let words = words(line);
    let run = words
        .windows(2)
        .position(|pair| matches!(pair, [docker, run] if is_docker(docker) && run == "run"))?;
    let mut rest = words.into_iter().skip(run + 2);
    while let Some(word) = rest.next() {
        if !word.starts_with('-') {
            return Some(word);
        }
        if WITH_VALUE.contains(&word.as_str()) {
            rest.next();
        }
    }
    None
}

/// `docker`, `/usr/bin/docker`, `JOB=$(docker`
fn is_docker(word: &str) -> bool {
    let bare = word.rsplit(['/', '(', '`']).next();
    bare == Some("docker")
}

/// The words of a line of a shell script; quotes are taken off, and what a command prints stays within its word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            ('`', None) => {
                quote = Some(c);
                word.push(c);
            }
            (c, Some(open)) if c == open => {
                quote = None;
                if c == '`' {
                    word.push(c);
                }
            }
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, _) => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Whether the engine could know an image by this.
fn is_reference(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 255 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_first_word_behind_the_options() {
        for (script, expected) in [
            (
                "JOB=$(sudo /usr/bin/docker run -d -v \"${DATA}\":/input -v \"${OUT PUT}\":/output \
                 -v `dirname $0`/memory:/memory proct1 /bin/bash -l -c \"/root/work.sh /input /output\" )",
                Some("proct1"),
            ),
            (
                "docker run --rm=true registry:5000/a/b:2 sh",
                Some("registry:5000/a/b:2"),
            ),
            (
                "docker run -i -t \\\n  --memory 4g \\\n  'quoted:1' /bin/sh",
                Some("quoted:1"),
            ),
            ("# docker run commented\ndocker run -d -e A=1 real", Some("real")),
            ("docker run -d $IMAGE sh", None),
            ("docker ps | grep run", None),
            ("gearman -h 127.0.0.1 -f bucket02", None),
            ("docker run", None),
            ("docker run -v", None),
        ] {
            assert_eq!(image_of(script).as_deref(), expected, "{script}");
        }
    }
}
