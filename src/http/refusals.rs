//! Requests that are refused: each is told as a problem (RFC 9457), whoever refuses it, and told so that it is heard.
//!
//! Handlers say what is wrong by [`Problem`]. A wrong method, a path or a body that axum does not take never comes to
//! one: axum answers in plain words or in none. This is the one place where those become problems too.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::problem::{KIND, Problem};

/// As long as nothing may come of a body; who reads one piece by piece waits less, and says more.
const SILENCE: Duration = Duration::from_secs(90);

/// The most that is read of a body that is refused, in bytes, and for how long: who still sends does not hear an answer.
const DRAINED: usize = 64 << 20;
const DRAINING: Duration = Duration::from_secs(10);

/// The most of axum's words, in bytes.
const WORDS: usize = 4 << 10;

/// Serves a request; what is no success becomes a problem where it is none yet.
pub(super) async fn tell(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let (method, waits) = (head.method.clone(), head.headers.contains_key(header::EXPECT));
    let body = Incoming::new(body, SILENCE);
    let rest = body.clone();
    let pieces = futures_util::stream::unfold(body, |body| async move { Some((body.next().await?, body)) });
    let response = next
        .run(Request::from_parts(head, Body::from_stream(pieces)))
        .await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let silent = rest.drain(waits).await;
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == KIND);
    if is_problem && !silent {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let problem = if silent {
        let why = format!("nothing came for {} s", SILENCE.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, why)
    } else {
        let words = to_bytes(body, WORDS).await.unwrap_or_default();
        problem(
            status,
            &method,
            &head.headers,
            String::from_utf8_lossy(&words).into_owned(),
        )
    };
    head.headers.remove(header::CONTENT_LENGTH);
    let mut response = problem.into_response();
    for (name, value) in &head.headers {
        if name != header::CONTENT_TYPE {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// What axum's answer is for people.
fn problem(status: StatusCode, method: &Method, headers: &HeaderMap, words: String) -> Problem {
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = headers
            .get(header::ALLOW)
            .and_then(|allowed| allowed.to_str().ok());
        let allowed = allowed.unwrap_or("none").replace(',', ", ");
        return Problem::new(
            status,
            format!("{method} does nothing here; what does: {allowed}"),
        );
    }
    let reason = status.canonical_reason().unwrap_or_default().to_lowercase();
    Problem::of_axum(status, if words.is_empty() { reason } else { words })
}

/// The body of a request, which is still there when its handler is done with it.
#[derive(Clone)]
struct Incoming(Arc<Mutex<Source>>);

struct Source {
    body: BodyDataStream,
    /// As long as nothing may come.
    silence: Duration,
    /// It was asked for: whoever waits for that sends.
    begun: bool,
    /// Nothing more comes.
    over: bool,
    /// Since nothing came in time.
    silent: bool,
}

impl Incoming {
    fn new(body: Body, silence: Duration) -> Self {
        Self(Arc::new(Mutex::new(Source {
            body: body.into_data_stream(),
            silence,
            begun: false,
            over: false,
            silent: false,
        })))
    }

    async fn next(&self) -> Option<Result<Bytes, axum::Error>> {
        self.0.lock().await.next().await
    }

    /// Reads what nobody wants, so that the answer is heard; whether nothing came in time.
    ///
    /// `waits`: a client that waits to be asked for the body does so still, if nobody did.
    async fn drain(&self, waits: bool) -> bool {
        let reading = async {
            let mut source = self.0.lock().await;
            let mut read = 0;
            while read <= DRAINED
                && (source.begun || !waits)
                && let Some(Ok(piece)) = source.next().await
            {
                read += piece.len();
            }
            source.silent
        };
        // Whether it was read to its end or not, the answer is the same.
        timeout(DRAINING, reading).await.unwrap_or(false)
    }
}

impl Source {
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        if self.over {
            return None;
        }
        self.begun = true;
        let piece = timeout(self.silence, self.body.next()).await;
        self.over = !matches!(piece, Ok(Some(Ok(_))));
        self.silent = piece.is_err();
        piece.unwrap_or_else(|late| Some(Err(axum::Error::new(io::Error::from(late)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stalled() -> Incoming {
        let pieces = futures_util::stream::pending::<Result<Bytes, io::Error>>();
        Incoming::new(Body::from_stream(pieces), Duration::from_millis(20))
    }

    #[tokio::test]
    async fn a_body_that_stops_coming_is_waited_for_no_longer() {
        let body = stalled();
        assert!(body.next().await.unwrap().is_err());
        assert!(body.next().await.is_none());
        assert!(body.drain(false).await, "it is known as the reason");
    }

    #[tokio::test]
    async fn a_client_that_waits_to_be_asked_for_its_body_is_not_asked_to_throw_it_away() {
        assert!(!stalled().drain(true).await);
        assert!(stalled().drain(false).await);
    }
}
