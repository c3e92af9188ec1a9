//! Talking HTTP to a node.

mod plain;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde_json::Value;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Which node, and by what right.
#[derive(Args, Clone, Debug)]
pub struct NodeArgs {
    /// The node
    #[arg(
        long,
        env = "MAGICKBOX_NODE",
        value_name = "URL",
        default_value = "http://127.0.0.1:2813",
        global = true
    )]
    pub node: String,
    /// Token for a node that does not know this machine's address (magickbox token)
    #[arg(
        long,
        env = "MAGICKBOX_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        global = true
    )]
    pub token: Option<String>,
    /// File with the token, so that it stands on no command line
    #[arg(
        long,
        env = "MAGICKBOX_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "token",
        global = true
    )]
    pub token_file: Option<PathBuf>,
    /// PEM file with the CAs that vouch for a node at https://; without it, those this machine trusts
    #[arg(long, env = "MAGICKBOX_CA", value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
}

impl NodeArgs {
    /// A client of that node.
    ///
    /// # Errors
    /// A URL that is none, a file that cannot be read.
    pub fn client(&self) -> Result<NodeClient> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("read the token file {}", file.display()))?;
                Some(text.trim().to_owned())
            }
            (None, None) => None,
        };
        let token = token.filter(|token| !token.is_empty());
        if token
            .as_ref()
            .is_some_and(|t| t.chars().any(|c| !c.is_ascii_graphic()))
        {
            bail!("the token has characters that no token has: give it as magickbox token printed it");
        }
        NodeClient::open(&self.node, token, self.ca.as_deref())
    }
}

/// A node that is reached over its API.
pub struct NodeClient {
    agent: ureq::Agent,
    url: String,
    authorization: Option<String>,
}

/// The node was not reached, in the words of whoever has to mend it: the root of every error that says so.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotReached(String);

impl NotReached {
    /// None of several was.
    pub fn nobody() -> Self {
        Self("no machine answered".to_owned())
    }
}

/// Why a request came to nothing.
#[derive(Debug)]
pub enum Failed {
    /// The node said no.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        detail: String,
    },
    /// It was not reached, or the connection broke: another try may work.
    NotReached(anyhow::Error),
}

impl From<Failed> for anyhow::Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused { detail, .. } => anyhow!(detail),
            Failed::NotReached(error) => error,
        }
    }
}

/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Time for an answer: installing loads a whole image, and reads a whole memory out of it.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Time for an answer to a question.
const ANSWER: Duration = Duration::from_secs(60);

/// The CAs that this machine trusts, where Debian, Fedora and SUSE keep them.
const SYSTEM_CAS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

impl NodeClient {
    /// A client of the node at that URL, without a token.
    pub fn new(url: &str) -> Self {
        Self {
            agent: agent(None),
            url: url.trim_end_matches('/').to_owned(),
            authorization: None,
        }
    }

    /// A client of the node at that URL.
    ///
    /// # Errors
    /// A URL that is none, CAs that cannot be read.
    pub fn open(url: &str, token: Option<String>, ca: Option<&std::path::Path>) -> Result<Self> {
        let tls = match url.split_once("://") {
            Some(("http", rest)) if !rest.is_empty() => None,
            Some(("https", rest)) if !rest.is_empty() => Some(tls(ca)?),
            _ => bail!("--node {url:?} is no address of a node: give one like http://127.0.0.1:2813"),
        };
        Ok(Self {
            agent: agent(tls),
            authorization: token.map(|token| format!("Bearer {token}")),
            ..Self::new(url)
        })
    }

    /// Where the node is.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn at(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.url)
    }

    /// Why a node was not reached, in the words of whoever has to mend it.
    fn not_reached(&self, error: &ureq::Error) -> anyhow::Error {
        let why = match error {
            ureq::Error::HostNotFound => "no machine of that name is known".to_owned(),
            ureq::Error::ConnectionFailed => "the connection failed".to_owned(),
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                format!(
                    "no answer within {} s: a wrong address, or a firewall between",
                    CONNECT.as_secs()
                )
            }
            ureq::Error::Timeout(_) => "it took the request and did not answer in time".to_owned(),
            ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
                "connection refused: is it running?".to_owned()
            }
            // Which the system tells by words only.
            ureq::Error::Io(io) if io.to_string().contains("lookup address") => {
                "no machine of that name is known".to_owned()
            }
            ureq::Error::Io(io) if io.to_string().contains("certificate") => {
                format!("{io} (--ca FILE names the CA that vouches for it)")
            }
            ureq::Error::Protocol(_) => {
                let other = if self.url.starts_with("https:") {
                    "http"
                } else {
                    "https"
                };
                format!("what answers there is no such node; perhaps it is one at {other}://")
            }
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => format!("that is no URL ({error})"),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
                format!("{error} (--ca FILE names the CA that vouches for it)")
            }
            other => other.to_string(),
        };
        anyhow::Error::new(NotReached(format!(
            "the node at {} was not reached: {why} (--node URL or MAGICKBOX_NODE names another)",
            self.url
        )))
    }

    fn answer(
        &self,
        sent: std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> std::result::Result<Value, Failed> {
        let mut response = sent.map_err(|error| Failed::NotReached(self.not_reached(&error)))?;
        let status = response.status();
        let text = response.body_mut().read_to_string();
        let text = text.map_err(|error| Failed::NotReached(self.not_reached(&error)))?;
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(value);
        }
        let detail = value.get("detail").and_then(Value::as_str).map_or_else(
            || format!("{} answered {status}: is that a node of magickbox?", self.url),
            str::to_owned,
        );
        Err(Failed::Refused {
            status: status.as_u16(),
            detail,
        })
    }

    fn with<B>(&self, request: ureq::RequestBuilder<B>, time: Duration) -> ureq::RequestBuilder<B> {
        let request = match &self.authorization {
            Some(authorization) => request.header("Authorization", authorization),
            None => request,
        };
        request.config().timeout_global(Some(time)).build()
    }

    /// GET
    pub fn get(&self, path: &str) -> Result<Value> {
        Ok(self.ask(path)?)
    }

    /// GET, with the refusal as it came.
    pub fn ask(&self, path: &str) -> std::result::Result<Value, Failed> {
        self.ask_within(path, ANSWER)
    }

    /// The same for who waits only so long.
    pub fn ask_within(&self, path: &str, time: Duration) -> std::result::Result<Value, Failed> {
        self.answer(self.with(self.agent.get(self.at(path)), time).call())
    }

    /// POST of JSON
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.try_post(path, body)?)
    }

    /// POST of JSON, with the refusal as it came.
    pub fn try_post(&self, path: &str, body: &Value) -> std::result::Result<Value, Failed> {
        let request = self.with(self.agent.post(self.at(path)), PATIENCE);
        self.answer(request.send_json(body))
    }

    /// PUT of JSON
    pub fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.with(self.agent.put(self.at(path)), PATIENCE);
        Ok(self.answer(request.send_json(body))?)
    }

    /// PATCH with a piece of an upload, within `time`.
    pub fn patch(
        &self,
        path: &str,
        offset: u64,
        piece: &[u8],
        time: Duration,
    ) -> std::result::Result<(), Failed> {
        let request = self
            .with(self.agent.patch(self.at(path)), time)
            .header("Upload-Offset", offset.to_string())
            .header("Content-Type", "application/offset+octet-stream");
        self.answer(request.send(piece)).map(drop)
    }

    /// GET of something large: how long it is, and it.
    pub fn download(&self, path: &str) -> Result<(u64, impl Read + use<>)> {
        let request = match &self.authorization {
            Some(authorization) => self
                .agent
                .get(self.at(path))
                .header("Authorization", authorization),
            None => self.agent.get(self.at(path)),
        };
        let request = request
            .config()
            .timeout_global(None)
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(ANSWER))
            .build();
        let sent = request.call();
        match sent {
            Ok(response) if response.status().is_success() => {
                let body = response.into_body();
                let length = body.content_length().unwrap_or(0);
                let reader = body.into_with_config().limit(u64::MAX).reader();
                Ok((length, reader))
            }
            refused => match self.answer(refused) {
                Err(failed) => Err(failed.into()),
                Ok(_) => bail!("{} answered with nothing to read", self.url),
            },
        }
    }

    /// DELETE
    pub fn delete(&self, path: &str) -> Result<Value> {
        let request = self.with(self.agent.delete(self.at(path)), PATIENCE);
        Ok(self.answer(request.call())?)
    }
}

fn agent(tls: Option<TlsConfig>) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(PATIENCE))
        // A token goes to the node that was named and to nobody else.
        .max_redirects(0);
    match tls {
        Some(tls) => config.tls_config(tls).build().into(),
        None => config.build().into(),
    }
}

fn tls(ca: Option<&std::path::Path>) -> Result<TlsConfig> {
    let file = match ca {
        Some(file) => file.to_owned(),
        None => SYSTEM_CAS
            .iter()
            .map(PathBuf::from)
            .find(|file| file.exists())
            .context("this machine has no file of trusted CAs: give one with --ca FILE")?,
    };
    let pem = std::fs::read(&file).with_context(|| format!("read the CAs in {}", file.display()))?;
    let roots: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if roots.is_empty() {
        bail!("{} has no certificate (PEM) in it", file.display());
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_before_anything_is_sent() {
        for url in ["", "node", "ftp://node", "http://", "127.0.0.1:2813"] {
            let error = NodeClient::open(url, None, None).err().unwrap().to_string();
            assert!(
                error.contains(&format!("{url:?}")) && error.contains("http://127"),
                "{error}"
            );
        }
    }
}
