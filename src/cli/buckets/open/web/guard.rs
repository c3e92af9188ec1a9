//! Who may ask: the browser that was given the page's address, and no page of another site in it.
//!
//! The socket listens on loopback, but every page that a browser shows can reach that. So a request has to name this
//! address as its host (a name that was bent to 127.0.0.1 has another), has to carry the key (as a cookie that no other
//! site can have sent), and what changes something has to come from this page.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What a request is held against.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    key: String,
    port: u16,
}

impl Guard {
    pub fn new(port: u16) -> Self {
        // 244 random bits.
        let half = || uuid::Uuid::new_v4().simple().to_string();
        Self {
            key: half() + &half(),
            port,
        }
    }

    /// What the person opens; the key in it becomes a cookie, and leaves the address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/?key={}", self.port, self.key)
    }

    /// Cookies know no ports, so its name has it: two buckets may be open.
    fn cookie(&self) -> String {
        format!("magickbox-open-{}", self.port)
    }

    fn is_here(&self, host: &str) -> bool {
        ["127.0.0.1", "localhost"]
            .iter()
            .any(|name| host == format!("{name}:{}", self.port))
    }

    fn host<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        self.is_here(host).then_some(host)
    }

    fn has_key(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie();
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(given, value)| given == name && self.is_key(value))
    }

    /// In a time that tells nothing of how much of it is right.
    fn is_key(&self, given: &str) -> bool {
        given.len() == self.key.len()
            && given
                .bytes()
                .zip(self.key.bytes())
                .fold(0, |different, (a, b)| different | (a ^ b))
                == 0
    }

    fn refusal(&self, request: &Request) -> Option<(StatusCode, &'static str)> {
        let headers = request.headers();
        let Some(host) = self.host(headers) else {
            return Some((StatusCode::MISDIRECTED_REQUEST, "this page is at 127.0.0.1 only"));
        };
        if !self.has_key(headers) {
            return Some((
                StatusCode::FORBIDDEN,
                "open the address that `buckets open` printed: its key is missing here",
            ));
        }
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        let own = format!("http://{host}");
        let origin = headers.get(header::ORIGIN);
        let foreign = match origin {
            Some(origin) => *origin != own.as_str(),
            None => changes,
        };
        foreign.then_some((StatusCode::FORBIDDEN, "asked by a page of another site"))
    }

    /// The answer to the address as it was printed: the key goes into a cookie.
    fn let_in(&self, request: &Request) -> Option<Response> {
        if request.uri().path() != "/" || request.method() != Method::GET {
            return None;
        }
        let key = request.uri().query()?.strip_prefix("key=")?;
        let host = self.host(request.headers())?;
        if !self.is_key(key) {
            return None;
        }
        let cookie = format!("{}={key}; Path=/; HttpOnly; SameSite=Strict", self.cookie());
        let mut answer = StatusCode::SEE_OTHER.into_response();
        let place = HeaderValue::from_str(&format!("http://{host}/")).ok()?;
        answer.headers_mut().insert(header::LOCATION, place);
        answer
            .headers_mut()
            .insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).ok()?);
        Some(answer)
    }
}

/// Lets in who may ask, and says in every answer what a browser may do with it.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut answer = match guard.let_in(&request) {
        Some(answer) => answer,
        None => match guard.refusal(&request) {
            Some((status, why)) => (status, format!("{why}\n")).into_response(),
            None => next.run(request).await,
        },
    };
    let rules = [
        // Styles may be inline since the editor makes its own; scripts may not.
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ];
    for (name, value) in rules {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn ask(guard: &Guard, method: &str, headers: &[(&str, &str)]) -> Option<StatusCode> {
        let mut request = Request::builder().method(method).uri("/api/bucket");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        guard
            .refusal(&request.body(Body::empty()).unwrap())
            .map(|(status, _)| status)
    }

    #[test]
    fn only_this_page_in_a_browser_that_has_the_key_may_ask() {
        let guard = Guard::new(9090);
        let cookie = format!("a=b; magickbox-open-9090={}", guard.key);
        let with = |more: &[(&'static str, &'static str)]| {
            let mut headers = vec![("cookie", cookie.as_str())];
            headers.extend(more);
            headers
        };
        let here = ("host", "127.0.0.1:9090");
        let own = ("origin", "http://127.0.0.1:9090");
        assert_eq!(ask(&guard, "GET", &with(&[here])), None);
        assert_eq!(ask(&guard, "PUT", &with(&[here, own])), None);
        assert_eq!(
            ask(&guard, "PUT", &with(&[here])),
            Some(StatusCode::FORBIDDEN),
            "nobody says from where"
        );
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:9091",
            "http://localhost:9090",
        ] {
            assert_eq!(
                ask(&guard, "GET", &with(&[here, ("origin", origin)])),
                Some(StatusCode::FORBIDDEN),
                "{origin}"
            );
        }
        for host in ["evil.example:9090", "127.0.0.1", "127.0.0.1:9091"] {
            assert_eq!(
                ask(&guard, "GET", &with(&[("host", host)])),
                Some(StatusCode::MISDIRECTED_REQUEST),
                "{host}"
            );
        }
        let wrong = format!("magickbox-open-9090={}", "0".repeat(64));
        for cookies in ["", "magickbox-open-9090=", &wrong] {
            assert_eq!(
                ask(&guard, "GET", &[here, ("cookie", cookies)]),
                Some(StatusCode::FORBIDDEN),
                "{cookies}"
            );
        }
    }
}
