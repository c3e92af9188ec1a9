//! Talking HTTP to a node.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

/// A node that is reached over its API.
pub struct NodeClient {
    agent: ureq::Agent,
    url: String,
}

/// Time for an answer: installing reads a whole memory out of an image.
const PATIENCE: Duration = Duration::from_secs(600);

impl NodeClient {
    /// A client of the node at that URL.
    pub fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(PATIENCE))
            .build();
        Self {
            agent: config.into(),
            url: url.trim_end_matches('/').to_owned(),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.url)
    }

    fn answer(&self, sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value> {
        let mut response = sent.with_context(|| {
            format!(
                "reach the node at {}: is it running? (--node URL or MAGICKBOX_NODE names another)",
                self.url
            )
        })?;
        let status = response.status();
        let text = response
            .body_mut()
            .read_to_string()
            .context("read the node's answer")?;
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(value);
        }
        let detail = value
            .get("detail")
            .and_then(Value::as_str)
            .map_or_else(|| status.to_string(), str::to_owned);
        Err(anyhow!(detail))
    }

    /// GET
    pub fn get(&self, path: &str) -> Result<Value> {
        self.answer(self.agent.get(self.at(path)).call())
    }

    /// POST of JSON
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.answer(self.agent.post(self.at(path)).send_json(body))
    }

    /// DELETE
    pub fn delete(&self, path: &str) -> Result<Value> {
        self.answer(self.agent.delete(self.at(path)).call())
    }
}
