//! Measures: what the plugin says of every output file, and what the bucket left in `measures.json`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::container::{self, Bind, ImageId, Labels, Network, RunSpec, Runtime};
use crate::model::{DeclaredMeasure, Measure, Root, Settings};

use super::output::{self, OutputFile};
use super::run::{STOP_GRACE, capabilities, resources};
use super::{EngineError, blocking, io};

/// Files given to one container of the plugin.
const BATCH: usize = 200;

/// What is read of the plugin's words for a batch, in bytes.
const STDOUT_LIMIT: usize = 8 << 20;

/// Measures kept of one job.
const MOST_MEASURES: usize = 10_000;

/// Problems kept of one job, and the longest text of a problem, a name or a value, in characters.
const MOST_PROBLEMS: usize = 100;
const LONGEST_TEXT: usize = 4096;

/// The largest measures.json that is read, in bytes.
const LARGEST_MEASURES: u64 = 4 << 20;

/// Calls the plugin for each file; a line with a word nobody can guess, the file's
/// number and the exit status ends each answer.
const EACH: &str = "mark=$1; shift; number=0; for file in \"$@\"; do \
    /root/storage/db-plugin.code \"/output/$file\" </dev/null; \
    printf '\\n%s %s %s\\n' \"$mark\" \"$number\" \"$?\"; number=$((number + 1)); done";

/// Measures and what was wrong with some of them, for people.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    /// The measures.
    pub measures: Vec<Measure>,
    /// One line per problem.
    pub problems: Vec<String>,
}

/// Everything a bucket measured: its `measures.json`, then what the plugin says of each output file.
///
/// # Errors
/// Those of the engine and of reading; what is no measure is a problem in the answer.
pub async fn collect(
    runtime: &dyn Runtime,
    plugin: &Plugin<'_>,
    has_plugin: bool,
    declared: &[DeclaredMeasure],
    outputs: &[OutputFile],
) -> Result<Found, EngineError> {
    let mut found = Found::default();
    let path = plugin.output.join("measures.json");
    let left =
        blocking(move || output::read_small(&path, LARGEST_MEASURES).map_err(io("read measures.json")));
    if let Some(bytes) = left.await? {
        read_measures_json(&bytes, &mut found);
    }
    let files: Vec<_> = outputs.iter().map(|f| f.path.clone()).collect();
    if has_plugin && !files.is_empty() {
        match plugin
            .ask(runtime, &files, plugin.settings.timeout, &mut found)
            .await
        {
            Err(error) if error.is_engine_down() => return Err(error.into()),
            // The run itself went well or not without it: its results are not lost over its plugin.
            Err(error) => found.problem(format!("db-plugin.code could not be run: {error}")),
            Ok(()) => {}
        }
    }
    Ok(found.judged(declared))
}

impl Found {
    fn problem(&mut self, text: String) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(text.chars().take(LONGEST_TEXT).collect());
        }
    }

    /// Holds every measure against its declaration; one that is not what was declared is kept, and a problem.
    fn judged(mut self, declared: &[DeclaredMeasure]) -> Self {
        let declared: HashMap<_, _> = declared.iter().map(|d| (d.name.as_str(), d)).collect();
        let mut problems = Vec::new();
        for measure in &mut self.measures {
            if let Some(declaration) = declared.get(measure.name.as_str()) {
                declaration.judge(measure);
            }
            if let Some(problem) = &measure.problem {
                problems.push(format!(
                    "{}: {} of {}: {problem}",
                    measure.source, measure.name, measure.file
                ));
            }
        }
        problems.into_iter().for_each(|problem| self.problem(problem));
        self
    }
}

/// Runs the plugin of a bucket: a container of the same image, no network, `/output` read-only, once per file.
#[derive(Clone, Debug)]
pub struct Plugin<'a> {
    /// Name of its containers; a number is added.
    pub name: String,
    /// The image.
    pub image: ImageId,
    /// Labels by which they are found again.
    pub labels: Labels,
    /// How the bucket is run.
    pub settings: &'a Settings,
    /// The results.
    pub output: PathBuf,
}

impl Plugin<'_> {
    /// Asks the plugin about files, given relative to the output.
    ///
    /// # Errors
    /// Those of the engine; a plugin that fails is a problem of its own, not an error.
    async fn ask(
        &self,
        runtime: &dyn Runtime,
        files: &[String],
        limit: Duration,
        found: &mut Found,
    ) -> container::Result<()> {
        let deadline = Instant::now() + limit;
        for (number, batch) in files.chunks(BATCH).enumerate() {
            let mark = uuid::Uuid::new_v4().simple().to_string();
            let spec = self.spec(number, &mark, batch);
            let output = runtime.run_to_end(&spec, deadline, STDOUT_LIMIT).await?;
            if output.timed_out {
                found.problem("db-plugin.code was stopped by its time limit".to_owned());
            }
            read_answers(&output.output.stdout, &mark, batch, found);
        }
        Ok(())
    }

    fn spec(&self, number: usize, mark: &str, files: &[String]) -> RunSpec {
        let mut command = vec![EACH.to_owned(), "db-plugin".to_owned(), mark.to_owned()];
        command.extend_from_slice(files);
        RunSpec {
            name: format!("{}-{number}", self.name),
            image: self.image.clone(),
            entrypoint: vec!["/bin/sh".into(), "-c".into()],
            command,
            env: [("MERCURE_OUT_DIR".to_owned(), "/output".to_owned())].into(),
            labels: self.labels.clone(),
            binds: vec![Bind::read_only(&self.output, "/output")],
            resources: resources(self.settings),
            gpus: Vec::new(),
            network: Network::None,
            user: self.settings.user.clone(),
            capabilities: capabilities(self.settings),
            read_only_root: self.settings.root == Root::ReadOnly,
            stop_grace: STOP_GRACE,
        }
    }
}

/// Takes the plugin's words apart, answer by answer.
fn read_answers(stdout: &[u8], mark: &str, files: &[String], found: &mut Found) {
    let text = String::from_utf8_lossy(stdout);
    let mut answers = HashMap::new();
    let divider = format!("\n{mark} ");
    let mut parts = text.split(&divider);
    let mut answer = parts.next().unwrap_or_default();
    for part in parts {
        let (line, after) = part.split_once('\n').unwrap_or((part, ""));
        let (number, status) = line.split_once(' ').unwrap_or((line, ""));
        // By number, not by order: of a flood of words the engine keeps only the end.
        answers.insert(number.parse::<usize>().ok(), (answer.trim(), status.trim()));
        answer = after;
    }
    for (number, file) in files.iter().enumerate() {
        let Some((answer, status)) = answers.get(&Some(number)) else {
            found.problem(format!("db-plugin.code gave no answer for {file}"));
            continue;
        };
        if *status != "0" {
            found.problem(format!(
                "db-plugin.code ended with exit status {status} for {file}"
            ));
        }
        match serde_json::from_str(answer) {
            _ if answer.is_empty() => {}
            Ok(Value::Object(map)) => flat(file, "db-plugin", &map, found),
            _ => found.problem(format!(
                "db-plugin.code printed no JSON object for {file}{}",
                no_numbers(answer.as_bytes())
            )),
        }
    }
}

/// Reads a `measures.json`: an object of name and value, or name and `{"value": …, "unit": …}`.
fn read_measures_json(bytes: &[u8], found: &mut Found) {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => flat("measures.json", "measures.json", &map, found),
        Ok(_) => found.problem("measures.json is no JSON object".to_owned()),
        Err(error) => found.problem(format!("measures.json is not JSON: {error}{}", no_numbers(bytes))),
    }
}

/// What is to be said of a text that is no JSON, perhaps because its program wrote what is no number as one.
fn no_numbers(text: &[u8]) -> &'static str {
    let has = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
    if has(b"NaN") || has(b"Infinity") {
        "; NaN and Infinity are no numbers of JSON: leave such a measure out"
    } else {
        ""
    }
}

fn flat(file: &str, source: &str, map: &Map<String, Value>, found: &mut Found) {
    for (name, value) in map {
        if found.measures.len() == MOST_MEASURES {
            found.problem(format!("more than {MOST_MEASURES} measures: the rest is dropped"));
            return;
        }
        let (value, unit) = match value {
            Value::Object(inner) => (inner.get("value"), inner.get("unit").and_then(Value::as_str)),
            plain => (Some(plain), None),
        };
        match value {
            Some(Value::String(text)) if text.chars().count() > LONGEST_TEXT => {
                found.problem(format!(
                    "{source}: {name} of {file} is longer than {LONGEST_TEXT} characters"
                ));
            }
            _ if name.chars().count() > LONGEST_TEXT => {
                found.problem(format!("{source}: a name of {file} is too long"))
            }
            Some(value @ (Value::Number(_) | Value::String(_) | Value::Bool(_))) => {
                found
                    .measures
                    .push(Measure::new(file, source, name, value.clone(), unit));
            }
            _ => found.problem(format!(
                "{source}: {name} of {file} is no number, text or truth value"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answers(stdout: &str, files: &[&str]) -> Found {
        let mut found = Found::default();
        let files: Vec<_> = files.iter().map(|f| (*f).to_owned()).collect();
        read_answers(stdout.as_bytes(), "MARK", &files, &mut found);
        found
    }

    #[test]
    fn each_answer_belongs_to_its_file() {
        let found = answers(
            "{\"a\": 1}\n\nMARK 0 0\n\nMARK 1 0\n{\"b\": \"x\"}\nMARK 2 0\n",
            &["1", "2", "3"],
        );
        let named: Vec<_> = found
            .measures
            .iter()
            .map(|m| (m.file.as_str(), m.name.as_str()))
            .collect();
        assert_eq!(named, [("1", "a"), ("3", "b")]);
        assert_eq!(found.problems, Vec::<String>::new());
    }

    #[test]
    fn answers_whose_beginning_was_lost_shift_nothing() {
        let found = answers("1}\n\nMARK 1 0\n{\"b\": 2}\nMARK 2 0\n", &["1", "2", "3"]);
        assert_eq!(
            found.measures.iter().map(|m| m.file.as_str()).collect::<Vec<_>>(),
            ["3"]
        );
        assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
    }

    #[test]
    fn what_is_no_answer_is_a_problem_and_no_measure() {
        let found = answers(
            "Traceback …\nMARK 0 1\n[1]\nMARK 1 0\n{\"n\": {\"x\": 1}}\nMARK 2 0\n",
            &["1", "2", "3", "4"],
        );
        assert_eq!(found.measures, []);
        assert_eq!(found.problems.len(), 5, "{:?}", found.problems);
    }

    #[test]
    fn what_python_writes_for_no_number_is_told_by_its_name() {
        let mut found = Found::default();
        read_measures_json(br#"{"a": 1, "b": NaN}"#, &mut found);
        let mut printed = answers("{\"n\": -Infinity}\nMARK 0 0\n", &["1"]);
        found.problems.append(&mut printed.problems);
        assert_eq!((found.measures.len(), found.problems.len()), (0, 2));
        for problem in &found.problems {
            assert!(
                problem.contains("NaN and Infinity are no numbers of JSON"),
                "{problem}"
            );
        }
        read_measures_json(br#"{"a": 1,"#, &mut found);
        assert!(!found.problems[2].contains("NaN"));
    }

    #[test]
    fn a_measures_json_may_give_units() {
        let mut found = Found::default();
        let text =
            json!({ "brain": { "value": 1200.5, "unit": "mL" }, "side": "left", "bad": [1] }).to_string();
        read_measures_json(text.as_bytes(), &mut found);
        assert_eq!(found.measures.len(), 2);
        assert_eq!(
            found
                .measures
                .iter()
                .find(|m| m.name == "brain")
                .unwrap()
                .unit
                .as_deref(),
            Some("mL")
        );
        assert_eq!(found.problems.len(), 1);
    }
}
