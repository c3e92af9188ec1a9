//! Who may use the API: free from some networks, elsewhere with a token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::model::{AddressRange, Permission, Token};

use super::door::Peer;
use super::problem::Problem;

/// Who may use the API.
#[derive(Clone, Debug)]
pub struct Access {
    /// From there without a token.
    pub networks: Vec<AddressRange>,
    /// With one of these from elsewhere.
    pub tokens: Vec<Token>,
}

/// Who sent a request: the name of a token, or an address.
#[derive(Clone, Debug)]
pub struct Caller(pub String);

/// Why somebody may not.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// No token, and no free address.
    NoToken(IpAddr),
    /// A token nobody knows.
    UnknownToken,
    /// A browser asks for the page of somebody else.
    ForeignPage(String),
    /// A token that may something else.
    NotThat { name: String, needed: Permission },
}

impl Access {
    fn check(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        needed: Option<Permission>,
    ) -> Result<Caller, Refusal> {
        let shown = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
            .map(|(_, token)| token.trim());
        let token = shown.map(|text| self.token(text));
        if self.networks.iter().any(|range| range.contains(peer)) {
            let name = token
                .flatten()
                .map_or_else(|| peer.to_string(), |t| t.name.clone());
            return Ok(Caller(name));
        }
        let Some(needed) = needed else {
            return Ok(Caller(peer.to_string()));
        };
        match token {
            None => Err(Refusal::NoToken(peer)),
            Some(None) => Err(Refusal::UnknownToken),
            Some(Some(token)) if token.may(needed) => Ok(Caller(token.name.clone())),
            Some(Some(token)) => Err(Refusal::NotThat {
                name: token.name.clone(),
                needed,
            }),
        }
    }

    /// The token of that text. How long it takes tells nothing: hashes are compared, each of them to its end.
    fn token(&self, text: &str) -> Option<&Token> {
        let shown = Sha256::digest(text.as_bytes());
        let mut found = None;
        for token in &self.tokens {
            let differs = token
                .sha256
                .iter()
                .zip(shown.iter())
                .fold(0, |differs, (a, b)| differs | (a ^ b));
            if differs == 0 {
                found = Some(token);
            }
        }
        found
    }
}

/// What a request needs; `None`: nothing.
fn needed(method: &Method, path: &str) -> Option<Permission> {
    let api = path.strip_prefix("/api/v1/").unwrap_or_default();
    let parts: Vec<_> = api.split('/').collect();
    let sees = method == Method::GET || method == Method::HEAD;
    match parts.as_slice() {
        _ if path == "/readyz" => None,
        ["uploads", ..] | ["buckets", _, "memory"] => Some(Permission::Install),
        _ if sees || parts == ["routes", "explain"] => Some(Permission::Read),
        ["jobs", ..] | ["buckets", _, "enable" | "disable"] => Some(Permission::Operate),
        // Whatever comes to be here later is for those who may everything, until somebody says otherwise.
        _ => Some(Permission::Install),
    }
}

/// The page of somebody else that a browser sends a change for: an address that needs no token is a person's, who may
/// look at any page meanwhile (RFC 6454).
fn foreign_page(method: &Method, headers: &HeaderMap) -> Option<String> {
    let origin = headers.get(header::ORIGIN)?.to_str().unwrap_or("?");
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").map(|(_, own)| own);
    let sees = method == Method::GET || method == Method::HEAD;
    (!sees && (own.is_none() || own != host)).then(|| origin.chars().take(100).collect())
}

/// Lets a request in or not, and writes down who changed what.
pub async fn check(
    State(access): State<Arc<Access>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if let Some(origin) = foreign_page(&method, request.headers()) {
        let refusal = Refusal::ForeignPage(origin);
        tracing::warn!(peer.addr = %peer, %method, path, ?refusal, "a request was refused");
        return refusal.into_response();
    }
    let needed = needed(&method, &path);
    let caller = match access.check(peer.ip().to_canonical(), request.headers(), needed) {
        Ok(caller) => caller,
        Err(refusal) => {
            tracing::warn!(peer.addr = %peer, %method, path, ?refusal, "a request was refused");
            return refusal.into_response();
        }
    };
    request.extensions_mut().insert(caller.clone());
    let begin = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    if method == Method::PATCH {
        // A piece of an upload: there are thousands, and its beginning and its end are written down.
        tracing::debug!(caller = caller.0, peer.addr = %peer, %method, path, status, ms, "request");
    } else if method != Method::GET && method != Method::HEAD {
        tracing::info!(caller = caller.0, peer.addr = %peer, %method, path, status, ms, "request");
    }
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::NoToken(address) => (
                StatusCode::UNAUTHORIZED,
                format!(
                    "from {address} this takes a token: give --token or MAGICKBOX_TOKEN (magickbox token NAME makes one), \
                     or let {address} in by [http] networks"
                ),
            ),
            Self::UnknownToken => (
                StatusCode::UNAUTHORIZED,
                "the node does not know this token: its hash has to stand in the configuration as [[http.token]] \
                 (magickbox token NAME makes one)"
                    .to_owned(),
            ),
            Self::ForeignPage(origin) => (
                StatusCode::FORBIDDEN,
                format!("a page of {origin} may change nothing here"),
            ),
            Self::NotThat { name, needed } => (
                StatusCode::FORBIDDEN,
                format!("the token {name:?} may not do this: it needs {:?} in may", needed.word()),
            ),
        };
        let mut response = Problem::new(status, detail).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"magickbox\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let token = |name: &str, text: &str, may: &[Permission]| Token {
            name: name.to_owned(),
            sha256: Sha256::digest(text).into(),
            may: may.to_vec(),
        };
        Access {
            networks: vec![AddressRange::LOOPBACK_V4],
            tokens: vec![
                token("anna", "one", &[Permission::Install]),
                token("ben", "two", &[Permission::Operate]),
            ],
        }
    }

    fn ask(peer: &str, authorization: &str, needed: Option<Permission>) -> Result<String, Refusal> {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        }
        let caller = access().check(peer.parse::<IpAddr>().unwrap().to_canonical(), &headers, needed);
        caller.map(|caller| caller.0)
    }

    #[test]
    fn a_free_network_needs_no_token_and_every_other_one_does() {
        use Permission::{Install, Operate, Read};
        let far = "192.0.2.7";
        assert_eq!(ask("127.0.0.1", "", Some(Install)).unwrap(), "127.0.0.1");
        assert_eq!(ask("::ffff:127.0.0.1", "", Some(Install)).unwrap(), "127.0.0.1");
        assert_eq!(ask("127.0.0.1", "Bearer one", Some(Install)).unwrap(), "anna");
        assert_eq!(ask(far, "", None).unwrap(), far);
        assert_eq!(ask(far, "bearer one", Some(Install)).unwrap(), "anna");
        assert_eq!(ask(far, "Bearer two", Some(Read)).unwrap(), "ben");
        assert_eq!(ask(far, "Bearer two", Some(Operate)).unwrap(), "ben");
        let not_that = Refusal::NotThat {
            name: "ben".to_owned(),
            needed: Install,
        };
        assert_eq!(ask(far, "Bearer two", Some(Install)), Err(not_that));
        for no_token in ["", "Basic one", "one"] {
            let refused = ask(far, no_token, Some(Read));
            assert_eq!(refused, Err(Refusal::NoToken(far.parse().unwrap())), "{no_token}");
        }
        for unknown in ["Bearer three", "Bearer ", "Bearer onE"] {
            assert_eq!(
                ask(far, unknown, Some(Read)),
                Err(Refusal::UnknownToken),
                "{unknown}"
            );
        }
    }

    #[test]
    fn a_page_of_somebody_else_changes_nothing() {
        let ask = |method: Method, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:2813"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            foreign_page(&method, &headers)
        };
        for (method, origin, refused) in [
            (Method::POST, None, false),
            (Method::POST, Some("http://127.0.0.1:2813"), false),
            (Method::POST, Some("https://evil.example"), true),
            (Method::DELETE, Some("http://127.0.0.1:9090"), true),
            (Method::POST, Some("null"), true),
            (Method::GET, Some("https://evil.example"), false),
        ] {
            assert_eq!(
                ask(method.clone(), origin).is_some(),
                refused,
                "{method} {origin:?}"
            );
        }
    }

    #[test]
    fn what_brings_code_onto_the_node_needs_more_than_what_shows() {
        use Permission::{Install, Operate, Read};
        for (method, path, permission) in [
            (Method::GET, "/readyz", None),
            (Method::GET, "/metrics", Some(Read)),
            (Method::GET, "/api/v1/jobs", Some(Read)),
            (Method::POST, "/api/v1/jobs/x/cancel", Some(Operate)),
            (Method::GET, "/api/v1/buckets/A/log", Some(Read)),
            (Method::GET, "/api/v1/buckets/A/memory", Some(Install)),
            (Method::PUT, "/api/v1/buckets/A/memory", Some(Install)),
            (Method::POST, "/api/v1/buckets/A/disable", Some(Operate)),
            (Method::POST, "/api/v1/buckets/A/rollback", Some(Install)),
            (Method::POST, "/api/v1/buckets", Some(Install)),
            (Method::DELETE, "/api/v1/buckets/A", Some(Install)),
            (Method::HEAD, "/api/v1/uploads/x", Some(Install)),
            (Method::POST, "/api/v1/routes/explain", Some(Read)),
            (Method::PUT, "/api/v1/routes", Some(Install)),
            (Method::POST, "/api/v1/something/new", Some(Install)),
        ] {
            assert_eq!(needed(&method, path), permission, "{method} {path}");
        }
    }
}
