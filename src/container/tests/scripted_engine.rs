//! An engine that is away, hangs or restarts, played by a few lines of script; these need no Docker.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::*;

const VERSION: &str = r#"{"ApiVersion":"1.41","Version":"20.10"}"#;
const RUNNING: &str = r#"{"Image":"sha256:0000000000000000000000000000000000000000000000000000000000000000","State":{"Status":"running"}}"#;
const EXITED: &str = r#"{"Image":"sha256:0000000000000000000000000000000000000000000000000000000000000000","State":{"Status":"exited","ExitCode":3}}"#;

struct Socket(tempfile::TempDir);

impl Socket {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("docker.sock")
    }

    fn config(&self) -> DockerConfig {
        DockerConfig {
            endpoint: format!("unix://{}", self.path().display()),
            call_timeout: Duration::from_millis(200),
            patience: Duration::from_millis(400),
        }
    }

    /// Listens, as an engine that has started.
    fn listen(&self) -> UnixListener {
        let _ = std::fs::remove_file(self.path());
        UnixListener::bind(self.path()).unwrap()
    }
}

/// Takes the next request; returns its first line.
async fn request(listener: &UnixListener) -> (UnixStream, String) {
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(peer.read_u8().await.unwrap());
    }
    let line = String::from_utf8(bytes)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    (peer, line)
}

/// Answers the next request, which must be for what is expected.
async fn answer(listener: &UnixListener, expected: &str, body: &str) {
    let (mut peer, line) = request(listener).await;
    assert!(line.contains(expected), "{line} is not {expected}");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    peer.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

async fn connect(socket: &Socket, listener: &UnixListener) -> Docker {
    let (docker, ()) = tokio::join!(
        Docker::connect(socket.config()),
        answer(listener, "/version", VERSION)
    );
    docker.unwrap()
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_named() {
    let socket = Socket::new();
    let error = Docker::connect(socket.config()).await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_engine_down(),
        "{error:?}"
    );
    assert!(error.to_string().contains(&socket.config().endpoint), "{error}");
    drop(socket.listen()); // A socket that nobody listens on any more.
    let error = Docker::connect(socket.config()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    for endpoint in [
        "tcp://127.0.0.1:2375",
        "/var/run/docker.sock",
        "unix://relative",
        "",
    ] {
        let config = DockerConfig {
            endpoint: endpoint.to_owned(),
            ..DockerConfig::default()
        };
        let error = Docker::connect(config).await.unwrap_err();
        assert!(matches!(error, Error::BadEndpoint { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_engine_that_hangs_is_given_up_at_the_deadline_of_the_call() {
    let socket = Socket::new();
    let listener = socket.listen();
    let (connected, _open) = tokio::join!(Docker::connect(socket.config()), request(&listener));
    let error = connected.unwrap_err();
    assert!(
        matches!(error, Error::TimedOut { .. }) && error.is_engine_down(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_wait_outlives_a_restart_of_the_engine() {
    let socket = Socket::new();
    let listener = socket.listen();
    let docker = connect(&socket, &listener).await;
    let engine = async {
        answer(&listener, "GET /containers/c/json", RUNNING).await;
        let (waiting, line) = request(&listener).await;
        assert!(
            line.contains("POST /containers/c/wait?condition=not-running"),
            "{line}"
        );
        drop((waiting, listener)); // The engine goes …
        let listener = socket.listen(); // … and is back.
        answer(&listener, "GET /containers/c/json", EXITED).await;
    };
    let (end, ()) = tokio::join!(docker.wait("c", soon()), engine);
    assert!(matches!(
        end.unwrap(),
        WaitEnd::Exited(ContainerState {
            exit_status: Some(3),
            engine_was_away: true,
            ..
        })
    ));
}

#[tokio::test]
async fn patience_with_an_engine_that_is_away_ends() {
    let socket = Socket::new();
    let listener = socket.listen();
    let docker = connect(&socket, &listener).await;
    drop(listener);
    for error in [
        docker.wait("c", soon()).await.unwrap_err(),
        docker.inspect("c").await.unwrap_err(),
        docker.remove("c", true).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, Error::Unreachable { waited, .. } if waited >= socket.config().patience),
            "{error:?}"
        );
    }
    let end = docker
        .wait("c", Instant::now() + Duration::from_millis(100))
        .await
        .unwrap();
    assert_eq!(
        end,
        WaitEnd::DeadlineReached,
        "a deadline is kept although nobody answers"
    );
    let error = docker.info().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unreachable {
                waited: Duration::ZERO,
                ..
            }
        ),
        "at once: {error:?}"
    );
}

/// The beginning of an answer, cut off before its end.
const LOG_CUT_OFF: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                           23\r\n\x01\0\0\0\0\0\0\x1b1970-01-01T00:00:07.5Z one\n\r\n";

#[tokio::test]
async fn a_log_is_read_on_where_it_broke_off() {
    let socket = Socket::new();
    let listener = socket.listen();
    let docker = connect(&socket, &listener).await;
    let file = socket.0.path().join("log");
    let engine = async {
        answer(&listener, "/containers/c/json", RUNNING).await;
        let (mut peer, line) = request(&listener).await;
        assert!(line.contains("follow=true") && line.contains("since=0"), "{line}");
        peer.write_all(LOG_CUT_OFF.as_bytes()).await.unwrap();
        drop((peer, listener));
        let listener = socket.listen();
        answer(&listener, "/containers/c/json", RUNNING).await;
        answer(&listener, "since=7", "").await; // Ends politely, and too early.
        answer(&listener, "/containers/c/json", EXITED).await;
        let lines = "\x01\0\0\0\0\0\0\x1b1970-01-01T00:00:07.5Z one\n\x02\0\0\0\0\0\0\x1b1970-01-01T00:00:07.6Z two\n";
        answer(&listener, "follow=false&stdout=true&stderr=true&since=7", lines).await;
    };
    let (copy, ()) = tokio::join!(docker.follow_logs("c", &file, 1000), engine);
    assert_eq!(copy.unwrap().broken.map(|e| e.to_string()), None);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntwo\n");
}

#[tokio::test]
async fn a_log_whose_engine_stays_away_is_broken_and_kept() {
    let socket = Socket::new();
    let listener = socket.listen();
    let docker = connect(&socket, &listener).await;
    let file = socket.0.path().join("log");
    let engine = async {
        answer(&listener, "/containers/c/json", RUNNING).await;
        let (mut peer, _) = request(&listener).await;
        peer.write_all(LOG_CUT_OFF.as_bytes()).await.unwrap();
        drop((peer, listener));
    };
    let (copy, ()) = tokio::join!(docker.follow_logs("c", &file, 1000), engine);
    let copy = copy.unwrap();
    assert!(matches!(copy.broken, Some(Error::Unreachable { .. })), "{copy:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\n");
}
