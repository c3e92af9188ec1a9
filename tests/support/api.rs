//! The node's HTTP API, as a client sees it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::wait::wait_until;

/// One job as the API tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Job {
    pub id: String,
    pub stream: String,
    pub state: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub called_ae_title: String,
    pub calling_ae_title: String,
    pub study_instance_uid: String,
    pub instances: u64,
    pub attempt: u32,
    pub exit_status: Option<i64>,
    pub oom_killed: bool,
    pub timed_out: bool,
    pub directory: String,
    #[serde(default)]
    pub removed_at: Option<String>,
    #[serde(default)]
    pub removed_why: Option<String>,
    #[serde(default)]
    pub measures: Vec<Measure>,
    #[serde(default)]
    pub deliveries: Vec<Delivery>,
    #[serde(default)]
    pub events: Vec<Value>,
}

/// One measured value.
#[derive(Clone, Debug, Deserialize)]
pub struct Measure {
    pub file: String,
    pub source: String,
    pub name: String,
    pub value: Value,
    pub unit: Option<String>,
    pub declared: bool,
    #[serde(default)]
    pub problem: Option<String>,
}

/// A job's result on its way to one destination.
#[derive(Clone, Debug, Deserialize)]
pub struct Delivery {
    pub id: i64,
    pub destination: String,
    #[serde(default)]
    pub address: Option<String>,
    pub route: String,
    pub state: String,
    pub attempts: u32,
    pub error: Option<String>,
    #[serde(default)]
    pub gate: Value,
    /// The delivery that has to be over before it goes.
    #[serde(default)]
    pub behind: Value,
    #[serde(default)]
    pub instances: Vec<DeliveredInstance>,
}

/// One object of a delivery.
#[derive(Clone, Debug, Deserialize)]
pub struct DeliveredInstance {
    pub sop_instance_uid: String,
    pub state: String,
    pub status: Option<String>,
    #[serde(default)]
    pub commitment: Option<String>,
    pub meaning: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
}

impl Job {
    /// Whether nothing more will happen to it.
    pub fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "done" | "held" | "cancelled" | "failed")
    }
}

/// An answer of the node, whatever its status.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The `detail` of a problem.
    pub fn detail(&self) -> &str {
        self.body
            .get("detail")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// A client of one node.
#[derive(Clone)]
pub struct Api {
    base: String,
    agent: ureq::Agent,
}

impl Api {
    /// A client of the node at that URL.
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self {
            base: base.to_owned(),
            agent: config.into(),
        }
    }

    /// Whether the node serves.
    pub fn is_ready(&self) -> bool {
        self.agent
            .get(format!("{}/readyz", self.base))
            .call()
            .is_ok_and(|r| r.status() == 200)
    }

    /// What the node tells a monitoring system.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn metrics(&self) -> Result<String> {
        let url = format!("{}/metrics", self.base);
        Ok(self.agent.get(url).call()?.body_mut().read_to_string()?)
    }

    /// One number of [`Api::metrics`], by its name with its labels, without the prefix; `None` where there is none.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn metric(&self, name: &str) -> Result<Option<i64>> {
        let text = self.metrics()?;
        let value = |line: &str| {
            line.strip_prefix("magickbox_")?
                .strip_prefix(name)?
                .strip_prefix(' ')?
                .parse()
                .ok()
        };
        Ok(text.lines().find_map(value))
    }

    /// Reads one resource.
    ///
    /// # Errors
    /// When the node does not answer, answers with a problem, or in another shape.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let mut response = self.agent.get(format!("{}{path}", self.base)).call()?;
        let text = response.body_mut().read_to_string()?;
        if response.status() != 200 {
            bail!("GET {path}: {} {text}", response.status());
        }
        serde_json::from_str(&text).with_context(|| format!("GET {path}: {text}"))
    }

    /// Every job the node knows, newest first.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn jobs(&self) -> Result<Vec<Job>> {
        #[derive(Deserialize)]
        struct Page {
            jobs: Vec<Job>,
            next: Option<String>,
        }
        let mut page: Page = self.get("/api/v1/jobs")?;
        let mut jobs = page.jobs;
        while let Some(before) = page.next {
            page = self.get(&format!("/api/v1/jobs?before={before}"))?;
            jobs.append(&mut page.jobs);
        }
        Ok(jobs)
    }

    /// One job, whole.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn job(&self, id: &str) -> Result<Job> {
        self.get(&format!("/api/v1/jobs/{id}"))
    }

    /// What the job's container has written so far.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn log(&self, id: &str) -> Result<String> {
        let url = format!("{}/api/v1/jobs/{id}/log", self.base);
        Ok(self.agent.get(url).call()?.body_mut().read_to_string()?)
    }

    /// Asks the node to install an image.
    ///
    /// # Errors
    /// When the node does not answer; a refusal is an [`Answer`].
    pub fn install(&self, image: &str, force: bool) -> Result<Answer> {
        let url = format!("{}/api/v1/buckets", self.base);
        let mut response = self
            .agent
            .post(url)
            .send_json(json!({ "image": image, "force": force }))?;
        let text = response.body_mut().read_to_string()?;
        let body = serde_json::from_str(&text).with_context(|| format!("installing {image}: {text}"))?;
        Ok(Answer {
            status: response.status().as_u16(),
            body,
        })
    }

    /// Sends a text as it is; a refusal is an [`Answer`].
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn put_text(&self, path: &str, text: &str) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        let mut response = self.agent.put(url).send(text)?;
        let body = response.body_mut().read_to_string()?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: serde_json::from_str(&body).with_context(|| format!("PUT {path}: {body}"))?,
        })
    }

    /// Asks for something to be done to a job: `hold`, `cancel`, ….
    ///
    /// # Errors
    /// When the node does not answer; a refusal is an [`Answer`].
    pub fn act(&self, id: &str, verb: &str) -> Result<Answer> {
        self.act_with(id, verb, &json!({}))
    }

    /// The same, with a body.
    ///
    /// # Errors
    /// As [`Api::act`].
    pub fn act_with(&self, id: &str, verb: &str, body: &Value) -> Result<Answer> {
        let url = format!("{}/api/v1/jobs/{id}/{verb}", self.base);
        let mut response = self.agent.post(url).send_json(body)?;
        let text = response.body_mut().read_to_string()?;
        let body = serde_json::from_str(&text).with_context(|| format!("{verb} {id}: {text}"))?;
        Ok(Answer {
            status: response.status().as_u16(),
            body,
        })
    }

    /// Waits until some job is as wanted, and reads it whole.
    ///
    /// # Errors
    /// When none is before the deadline; then all jobs are told as they stand.
    pub fn wait_for_job(&self, deadline: Duration, what: &str, wanted: impl Fn(&Job) -> bool) -> Result<Job> {
        let look = || {
            let jobs = self.jobs().ok()?;
            // The list leaves out what is long, so the job is read again before it is judged.
            jobs.iter()
                .filter_map(|j| self.job(&j.id).ok())
                .find(|job| wanted(job))
        };
        wait_until(deadline, what, look).with_context(|| format!("jobs: {:#?}", self.jobs()))
    }
}
