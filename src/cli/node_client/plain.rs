//! Requests beside the API: any path, any answer.

use std::io::Read;
use std::time::Duration;

use super::{CONNECT, Failed, NodeClient, PATIENCE};

/// Time for a body that is made while it is sent.
const LONGEST_POST: Duration = Duration::from_secs(24 * 3600);

impl NodeClient {
    /// GET of any path of the node, with headers: the answer as it comes, whatever its status. Until it begins it may
    /// take `time`, and so each piece of it.
    pub fn fetch(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        time: Duration,
    ) -> std::result::Result<ureq::http::Response<ureq::Body>, Failed> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .config()
            .timeout_global(None)
            .timeout_connect(Some(CONNECT.min(time)))
            .timeout_recv_response(Some(time))
            .timeout_per_read(Some(time))
            .build();
        request
            .call()
            .map_err(|error| Failed::NotReached(self.not_reached(&error)))
    }

    /// POST to any path of the node of a body whose length nobody knows yet; the answer's text.
    pub fn post_stream(
        &self,
        path: &str,
        content_type: &str,
        body: &mut dyn Read,
    ) -> std::result::Result<String, Failed> {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let request = request
            .header("Content-Type", content_type)
            .config()
            .timeout_global(Some(LONGEST_POST))
            .timeout_recv_response(Some(PATIENCE))
            .build();
        let sent = request.send(ureq::SendBody::from_reader(body));
        let mut response = sent.map_err(|error| Failed::NotReached(self.not_reached(&error)))?;
        let status = response.status();
        let text = response.body_mut().read_to_string();
        let text = text.map_err(|error| Failed::NotReached(self.not_reached(&error)))?;
        if status.is_success() {
            return Ok(text);
        }
        Err(Failed::Refused {
            status: status.as_u16(),
            detail: format!("{} answered {status}", self.url),
        })
    }
}
