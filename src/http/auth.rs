//! Who may use the API: free from some networks, elsewhere with a token.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::model::{AddressRange, Permission, Token};
use crate::store::Store;

use super::door::Peer;
use super::problem::Problem;
use super::trail;

/// Who may use the API.
#[derive(Clone, Debug)]
pub struct Access {
    /// From there without a token.
    pub networks: Vec<AddressRange>,
    /// With one of these from elsewhere.
    pub tokens: Vec<Token>,
}

/// Lets requests in, and tells of those that it does not.
#[derive(Clone)]
pub struct Guard {
    /// Who may.
    pub access: Arc<Access>,
    /// Where it is told.
    pub store: Store,
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
    fn check(&self, peer: IpAddr, headers: &HeaderMap, needed: Option<Needed>) -> Result<Caller, Refusal> {
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
            Some(Some(token)) if needed.is_met_by(token) => Ok(Caller(token.name.clone())),
            Some(Some(token)) => Err(Refusal::NotThat {
                name: token.name.clone(),
                needed: needed.least,
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

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Needed {
    least: Permission,
    /// That will do as well.
    or: Permission,
}

impl Needed {
    fn is_met_by(self, token: &Token) -> bool {
        token.may(self.least) || token.may(self.or)
    }
}

impl From<Permission> for Needed {
    fn from(permission: Permission) -> Self {
        Self {
            least: permission,
            or: permission,
        }
    }
}

/// What a request needs; `None`: nothing.
fn needed(method: &Method, path: &str) -> Option<Needed> {
    let api = path.strip_prefix("/api/v1/").unwrap_or_default();
    if api == "uploads" || api.starts_with("uploads/") {
        // A study may come by it as well as a bucket; who takes it for a bucket needs more than who takes it for a study.
        return Some(Needed {
            least: Permission::Operate,
            or: Permission::Install,
        });
    }
    permission(method, path).map(Needed::from)
}

fn permission(method: &Method, path: &str) -> Option<Permission> {
    let api = path.strip_prefix("/api/v1/").unwrap_or_default();
    let parts: Vec<_> = api.split('/').collect();
    let sees = sees(method, path);
    match parts.as_slice() {
        _ if path == "/readyz" => None,
        _ if path == DELETES => Some(Permission::Operate),
        _ if path == PUSHES => Some(Permission::Operate),
        // It tells who looked at whose study.
        ["audit"] => Some(Permission::Operate),
        ["buckets", _, "memory"] => Some(Permission::Install),
        _ if sees || parts == ["routes", "explain"] => Some(Permission::Read),
        ["jobs", ..] | ["buckets", _, "enable" | "disable"] => Some(Permission::Operate),
        // Whatever comes to be here later is for those who may everything, until somebody says otherwise.
        _ => Some(Permission::Install),
    }
}

/// The address of the original by which a GET deletes, and the one by which a study comes.
const DELETES: &str = "/code/php/deleteStudy.php";
const PUSHES: &str = "/code/php/processZip.php";

/// Where a browser's request comes from (W3C Fetch Metadata).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request only looks.
fn sees(method: &Method, path: &str) -> bool {
    (method == Method::GET || method == Method::HEAD) && path != DELETES
}

/// The page of somebody else that a browser sends a change for: an address that needs no token is a person's, who may
/// look at any page meanwhile (RFC 6454). An image in a page asks by GET and names no origin: then the browser says
/// whether it is of another site, or which page it is on.
fn foreign_page(method: &Method, path: &str, headers: &HeaderMap) -> Option<String> {
    if sees(method, path) {
        return None;
    }
    let text = |name: &HeaderName| Some(headers.get(name)?.to_str().unwrap_or("?"));
    let host = text(&header::HOST);
    let foreign = |page: &&str| {
        let own = page
            .split_once("://")
            .map(|(_, own)| own.split('/').next().unwrap_or(own));
        own.is_none() || own != host
    };
    let site = text(&SITE).filter(|site| !matches!(*site, "same-origin" | "none"));
    let page = text(&header::ORIGIN).or(text(&header::REFERER)).filter(foreign);
    page.or(site).map(|who| who.chars().take(100).collect())
}

/// Lets a request in or not, and writes down who changed what.
pub async fn check(
    State(Guard { access, store }): State<Guard>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if let Some(origin) = foreign_page(&method, &path, request.headers()) {
        let refusal = Refusal::ForeignPage(origin);
        tracing::warn!(peer.addr = %peer, %method, path, ?refusal, "a request was refused");
        tell(&store, peer, &method, &path, &refusal);
        return refusal.into_response();
    }
    let needed = needed(&method, &path);
    let caller = match access.check(peer.ip().to_canonical(), request.headers(), needed) {
        Ok(caller) => caller,
        Err(refusal) => {
            tracing::warn!(peer.addr = %peer, %method, path, ?refusal, "a request was refused");
            tell(&store, peer, &method, &path, &refusal);
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
    } else if !sees(&method, &path) || is_of_the_original(&path) {
        // Clients of the original have no names: where they call from is all that is known of them.
        tracing::info!(caller = caller.0, peer.addr = %peer, %method, path, status, ms, "request");
    }
    response
}

/// Tells the audit trail of a refusal; strangers do not wait for it.
fn tell(store: &Store, peer: SocketAddr, method: &Method, path: &str, refusal: &Refusal) {
    let address = peer.ip().to_canonical().to_string();
    let (name, why) = match refusal {
        Refusal::NoToken(_) => (address.as_str(), "it came without a token".to_owned()),
        Refusal::UnknownToken => (address.as_str(), "its token is not known".to_owned()),
        Refusal::ForeignPage(origin) => (address.as_str(), format!("a page of {origin} asked for it")),
        Refusal::NotThat { name, needed } => (name.as_str(), format!("its token may not {needed}")),
    };
    store.note_alert(trail::refused(name, &address, &format!("{method} {path}"), &why));
}

/// An address of the original.
fn is_of_the_original(path: &str) -> bool {
    path.starts_with("/code/") || path.starts_with("/scratch/")
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
        let needed = needed.map(Needed::from);
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
            foreign_page(&method, "/api/v1/jobs", &headers)
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
    fn a_picture_in_a_page_of_somebody_else_deletes_nothing() {
        let ask = |path: &str, name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("node:2813"));
            headers.insert(name, HeaderValue::from_static(value));
            foreign_page(&Method::GET, path, &headers).is_some()
        };
        for (name, value, refused) in [
            ("origin", "http://evil.example", true),
            ("origin", "null", true),
            ("referer", "http://evil.example/page", true),
            ("referer", "http://node:2813/", false),
            ("sec-fetch-site", "cross-site", true),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "same-origin", false),
            ("sec-fetch-site", "none", false),
            ("user-agent", "Go-http-client/1.1", false),
        ] {
            assert_eq!(ask(DELETES, name, value), refused, "{name}: {value}");
            assert!(!ask("/code/php/getScratch.php", name, value), "{name}: {value}");
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
            (Method::POST, "/api/v1/routes/explain", Some(Read)),
            (Method::PUT, "/api/v1/routes", Some(Install)),
            (Method::HEAD, "/api/v1/uploads/x", Some(Operate)),
            (Method::PATCH, "/api/v1/uploads/x", Some(Operate)),
            (Method::POST, "/api/v1/jobs", Some(Operate)),
            (Method::GET, "/code/php/getScratch.php", Some(Read)),
            (Method::GET, "/scratch/tmp.x/processing.log", Some(Read)),
            (Method::POST, "/code/php/processZip.php", Some(Operate)),
            (Method::GET, "/code/php/deleteStudy.php", Some(Operate)),
            (Method::POST, "/code/php/saveRouting.php", Some(Install)),
            (Method::POST, "/api/v1/something/new", Some(Install)),
        ] {
            let least = needed(&method, path).map(|needed| needed.least);
            assert_eq!(least, permission, "{method} {path}");
        }
    }
}
