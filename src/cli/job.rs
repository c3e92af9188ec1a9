//! `magickbox job`: what an operator sees of jobs and does to them, over the API of a running node.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::node_client::{NodeArgs, NodeClient};

/// Look at jobs, and decide about them: hold, release, cancel, retry, restart, complete, priority
#[derive(Args, Debug)]
pub struct JobCommand {
    #[command(flatten)]
    node: NodeArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// The newest jobs
    List(List),
    /// One job, with everything that happened to it
    Show(One),
    /// Let a job wait: one in the queue is not run, results of another are not sent
    Hold(One),
    /// Let a held job go on from where it was held, or send what the gate holds as it is
    Release(Release),
    /// End a job; what it received stays
    Cancel(One),
    /// Run a failed job again, or send again what was refused or held
    Retry(One),
    /// Make a new job from the original input of one that is over
    Restart(One),
    /// Take a set that is still arriving as complete
    Complete(One),
    /// How soon a job is wanted: urgent, normal or off-peak
    Priority(Prioritize),
}

#[derive(Args, Debug)]
struct List {
    /// Of this AE title only
    #[arg(long, value_name = "AETITLE")]
    stream: Option<String>,
    /// In this state only
    #[arg(long)]
    state: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

#[derive(Args, Debug)]
struct One {
    /// The job's name
    job: String,
}

#[derive(Args, Debug)]
struct Release {
    /// The job's name
    job: String,
    /// One delivery of it, by the number that `show` has: you have looked at it, and it is right
    #[arg(long, value_name = "NUMBER")]
    delivery: Option<i64>,
}

#[derive(Args, Debug)]
struct Prioritize {
    /// The job's name
    job: String,
    /// urgent, normal or off-peak
    priority: String,
}

impl JobCommand {
    /// Asks the node and prints its answer.
    ///
    /// # Errors
    /// What the node refused, or why it could not be reached.
    pub fn run(self) -> Result<()> {
        let node = self.node.client()?;
        let act =
            |job: &str, what: &str, body: Value| node.post(&format!("jobs/{}/{what}", encoded(job)), &body);
        let (job, verb) = match &self.command {
            Command::List(list) => return list.run(&node),
            Command::Show(one) => {
                show(&node.get(&format!("jobs/{}", encoded(&one.job)))?);
                return Ok(());
            }
            Command::Priority(wanted) => {
                let body = json!({ "priority": wanted.priority });
                show_line(&act(&wanted.job, "priority", body)?);
                return Ok(());
            }
            Command::Hold(one) => (&one.job, "hold"),
            Command::Release(Release {
                job,
                delivery: Some(number),
            }) => {
                show_line(&act(job, &format!("deliveries/{number}/release"), json!({}))?);
                return Ok(());
            }
            Command::Release(Release { job, delivery: None }) => (job, "release"),
            Command::Cancel(one) => (&one.job, "cancel"),
            Command::Retry(one) => (&one.job, "retry"),
            Command::Restart(one) => (&one.job, "restart"),
            Command::Complete(one) => (&one.job, "complete"),
        };
        show_line(&act(job, verb, json!({}))?);
        Ok(())
    }
}

impl List {
    fn run(&self, node: &NodeClient) -> Result<()> {
        let mut query = format!("jobs?limit={}", self.limit);
        for (key, value) in [("stream", &self.stream), ("state", &self.state)] {
            if let Some(value) = value {
                query.push_str(&format!("&{key}={}", encoded(value)));
            }
        }
        let answer = node.get(&query)?;
        println!("{HEADING}");
        for job in answer.get("jobs").and_then(Value::as_array).into_iter().flatten() {
            show_line(job);
        }
        Ok(())
    }
}

const HEADING: &str =
    "JOB                       AE TITLE          STATE       OUTCOME   PRIORITY  OBJECTS  REASON";

/// One job in one line; names are at most 64 characters, most 24.
fn show_line(job: &Value) {
    let text = |key: &str| job.get(key).and_then(Value::as_str).unwrap_or("-");
    let objects = job.get("instances").and_then(Value::as_u64).unwrap_or(0);
    println!(
        "{:<24}  {:<16}  {:<10}  {:<8}  {:<8}  {objects:>7}  {}",
        printable(text("id")),
        printable(text("stream")),
        text("state"),
        printable(text("outcome")),
        text("priority"),
        printable(&remark(job)),
    );
}

/// Why it ended as it did, or until when it is held.
fn remark(job: &Value) -> String {
    let text = |key: &str| job.get(key).and_then(Value::as_str);
    match text("held_until") {
        Some(until) => format!("held until {until}"),
        None => text("reason").unwrap_or("-").to_owned(),
    }
}

/// A job whole: what is known, then deliveries, then what happened, oldest first.
fn show(job: &Value) {
    let shown = [
        "id",
        "stream",
        "state",
        "outcome",
        "reason",
        "priority",
        "held_until",
        "calling_ae_title",
        "instances",
        "bytes",
        "received_at",
        "queued_at",
        "started_at",
        "ended_at",
        "attempt",
        "exit_status",
        "made_from",
        "superseded_by",
        "removed_at",
        "removed_why",
        "directory",
    ];
    for key in shown {
        match job.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => println!("{key:<17}  {}", printable(text)),
            Some(value) => println!("{key:<17}  {value}"),
        }
    }
    let list = |key: &str| {
        job.get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let text =
        |value: &Value, key: &str| printable(value.get(key).and_then(Value::as_str).unwrap_or_default());
    for delivery in list("deliveries") {
        let (to, state, error) = (
            text(&delivery, "destination"),
            text(&delivery, "state"),
            text(&delivery, "error"),
        );
        let number = delivery.get("id").and_then(Value::as_i64).unwrap_or_default();
        println!(
            "delivery {number:<8}  to {to}: {state}{} {error}",
            place_of(&delivery)
        );
        let instances = delivery.get("instances").and_then(Value::as_array);
        for line in instances.into_iter().flatten().filter_map(remark_on_object) {
            println!("                   {line}");
        }
    }
    for event in list("events") {
        println!(
            "{}  {:<10}  {}",
            text(&event, "at"),
            text(&event, "kind"),
            text(&event, "text")
        );
    }
}

/// When it is tried again, or what it keeps its place behind.
fn place_of(delivery: &Value) -> String {
    let behind = delivery.get("behind").filter(|behind| !behind.is_null());
    let ahead =
        behind.and_then(|behind| Some((behind.get("delivery")?.as_i64()?, behind.get("job")?.as_str()?)));
    match (ahead, delivery.get("next_at").and_then(Value::as_str)) {
        (Some((number, job)), _) => format!(
            " behind delivery {number} of the same study (job {})",
            printable(job)
        ),
        (None, Some(at)) => format!(" until {}", printable(at)),
        (None, None) => String::new(),
    }
}

/// An object of which there is more to say than that it is there or waits for its first try.
fn remark_on_object(object: &Value) -> Option<String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let (state, status) = (text("state")?, text("status"));
    let lost = text("commitment").filter(|reason| *reason != "0000");
    let why = text("not_committed").unwrap_or_default();
    let not_kept = lost.map(|reason| format!("not committed: {reason} {why}"));
    if not_kept.is_none() && (state == "sent" || (status.is_none() && text("reason").is_none())) {
        return None;
    }
    let parts = [
        text("sop_instance_uid"),
        Some(state),
        status,
        text("meaning"),
        text("reason"),
        not_kept.as_deref(),
    ];
    Some(printable(
        &parts.into_iter().flatten().collect::<Vec<_>>().join("  "),
    ))
}

/// A bucket's or a peer's words on a terminal: nothing that steers it.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
