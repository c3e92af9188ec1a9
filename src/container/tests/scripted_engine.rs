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

/// Takes the next request; returns its head.
async fn request_head(listener: &UnixListener) -> (UnixStream, String) {
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(peer.read_u8().await.unwrap());
    }
    (peer, String::from_utf8(bytes).unwrap())
}

/// Takes the next request; returns its first line.
async fn request(listener: &UnixListener) -> (UnixStream, String) {
    let (peer, head) = request_head(listener).await;
    let line = head.lines().next().unwrap().to_owned();
    (peer, line)
}

/// Answers the next request, which must be for what is expected.
async fn answer(listener: &UnixListener, expected: &str, body: &str) {
    let (peer, line) = request(listener).await;
    assert!(line.contains(expected), "{line} is not {expected}");
    say(peer, "200 OK", body).await;
}

async fn say(mut peer: UnixStream, status: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
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

/// The container that a bench would make, with these graphics processors.
fn with_gpus(gpus: &[&str]) -> RunSpec {
    RunSpec {
        name: "c".to_owned(),
        image: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
        entrypoint: vec!["/bin/sh".to_owned()],
        command: Vec::new(),
        env: BTreeMap::new(),
        labels: Labels::new(),
        binds: Vec::new(),
        resources: Resources::default(),
        gpus: gpus.iter().map(|&name| name.to_owned()).collect(),
        capabilities: Vec::new(),
        network: Network::None,
        user: None,
        read_only_root: false,
        stop_grace: Duration::from_secs(1),
    }
}

/// What an engine is asked for when that container is made.
async fn asked_for(gpus: &[&str]) -> serde_json::Value {
    let socket = Socket::new();
    let listener = socket.listen();
    let docker = connect(&socket, &listener).await;
    let engine = async {
        let (mut peer, head) = request_head(&listener).await;
        assert!(head.starts_with("POST /containers/create?"), "{head}");
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map(|(_, length)| length.parse().unwrap());
        let mut body = vec![0; length.unwrap()];
        peer.read_exact(&mut body).await.unwrap();
        say(peer, "201 Created", r#"{"Id":"1","Warnings":[]}"#).await;
        serde_json::from_slice(&body).unwrap()
    };
    let spec = with_gpus(gpus);
    let (made, body) = tokio::join!(docker.create(&spec), engine);
    assert_eq!(made.unwrap(), Created::New);
    body
}

#[tokio::test]
async fn a_container_asks_for_its_gpus_and_no_others() {
    let requests = async |gpus: &[&str]| asked_for(gpus).await["HostConfig"]["DeviceRequests"].take();
    assert_eq!(requests(&[]).await, serde_json::Value::Null);
    assert_eq!(
        requests(&["1", "3"]).await,
        serde_json::json!([{ "DeviceIDs": ["1", "3"], "Capabilities": [["gpu"]] }])
    );
    assert_eq!(
        requests(&["nvidia.com/gpu=1"]).await,
        serde_json::json!([{ "Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=1"] }])
    );
}

#[tokio::test]
async fn an_engine_that_cannot_give_a_gpu_is_told_from_one_that_failed() {
    const CREATED: &str = r#"{"Image":"sha256:0000000000000000000000000000000000000000000000000000000000000000","State":{"Status":"created"}}"#;
    for (words, is_final) in [
        (
            r#"could not select device driver \"\" with capabilities: [[gpu]]"#,
            true,
        ),
        (
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=7",
            true,
        ),
        (
            "error running hook #0: nvidia-container-cli: device error: 7: unknown device",
            true,
        ),
        ("no space left on device", false),
    ] {
        let socket = Socket::new();
        let listener = socket.listen();
        let docker = connect(&socket, &listener).await;
        let engine = async {
            answer(&listener, "GET /containers/c/json", CREATED).await;
            let (peer, line) = request(&listener).await;
            assert!(line.contains("POST /containers/c/start"), "{line}");
            say(
                peer,
                "500 Internal Server Error",
                &format!(r#"{{"message":"{words}"}}"#),
            )
            .await;
        };
        let (started, ()) = tokio::join!(docker.start("c"), engine);
        let error = started.unwrap_err();
        assert_eq!(matches!(error, Error::NoGpu { .. }), is_final, "{error:?}");
        assert_eq!(matches!(error, Error::Failed { .. }), !is_final, "{error:?}");
    }
}
