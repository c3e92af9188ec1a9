//! The Docker implementation against a real engine, with an image of nothing but busybox.
//!
//! Without an engine the tests say so and pass, unless the environment has `CI`: then they fail.

mod files;
mod limits;
mod logs;
mod run;
mod scripted_engine;

use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;
use tokio::sync::OnceCell;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::Instant;

use super::*;

const BUSYBOX: &str = "/bin/busybox";
const LABEL: &str = "magickbox.test";

/// What a test works with: an engine, the image, and a name under which its containers are found.
struct Bench {
    docker: Docker,
    image: ImageId,
    id: String,
    dir: tempfile::TempDir,
}

/// Runs a test on the real engine and removes the containers it made, whether it passes or fails.
async fn on_docker<F: Future<Output = ()> + 'static>(test: impl FnOnce(Bench) -> F) {
    let docker = match Docker::connect(DockerConfig::default()).await {
        Ok(docker) if Path::new(BUSYBOX).exists() => docker,
        found => {
            let missing = found
                .err()
                .map_or(format!("no {BUSYBOX}: install busybox-static"), |e| e.to_string());
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            return eprintln!("SKIPPED: {missing}");
        }
    };
    let dir = tempfile::tempdir().unwrap();
    let id = dir
        .path()
        .file_name()
        .unwrap()
        .to_string_lossy()
        .trim_start_matches('.')
        .to_owned();
    let bench = Bench {
        image: image(&docker).await,
        docker: docker.clone(),
        id: id.clone(),
        dir,
    };
    // As a task of its own, so that what comes after runs even if it panics.
    let outcome = LocalSet::new()
        .run_until(async { spawn_local(test(bench)).await })
        .await;
    for left in docker
        .list(&Labels::from([(LABEL.to_owned(), id)]))
        .await
        .unwrap()
    {
        docker.remove(&left.name, true).await.unwrap();
    }
    if let Err(error) = outcome {
        std::panic::resume_unwind(error.into_panic());
    }
}

impl Bench {
    fn name(&self, suffix: &str) -> String {
        format!("magickbox-test-{}-{suffix}", self.id)
    }

    fn labels(&self) -> Labels {
        Labels::from([(LABEL.to_owned(), self.id.clone())])
    }

    /// A container that runs a shell script and sees the bench's directory at /output.
    fn script(&self, suffix: &str, script: &str) -> RunSpec {
        RunSpec {
            name: self.name(suffix),
            image: self.image.clone(),
            entrypoint: vec!["/bin/sh".to_owned(), "-c".to_owned()],
            command: vec![script.to_owned()],
            env: BTreeMap::new(),
            labels: self.labels(),
            binds: vec![Bind::writable(self.dir.path(), "/output")],
            resources: Resources {
                cpus: 0.5,
                memory_bytes: 64 << 20,
                shm_bytes: 1 << 20,
                pids_limit: 32,
                tmp_bytes: 4 << 20,
            },
            gpus: Vec::new(),
            network: Network::None,
            user: None,
            capabilities: Vec::new(),
            read_only_root: true,
            stop_grace: Duration::from_secs(5),
        }
    }

    /// Creates and starts a container.
    async fn started(&self, spec: &RunSpec) -> String {
        assert_eq!(self.docker.create(spec).await.unwrap(), Created::New);
        self.docker.start(&spec.name).await.unwrap();
        spec.name.clone()
    }

    /// Waits for a container's own end.
    async fn ended(&self, name: &str) -> ContainerState {
        match self.docker.wait(name, soon()).await.unwrap() {
            WaitEnd::Exited(state) => state,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Runs a script to its end and returns what it printed.
    async fn says(&self, spec: &RunSpec) -> String {
        let run = self.docker.run_to_end(spec, soon(), 1 << 20).await.unwrap();
        assert_eq!(run.state.exit_status, Some(0), "{run:?}");
        String::from_utf8(run.output.stdout).unwrap()
    }
}

/// A deadline that is only reached when something is wrong.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Looks until a condition holds.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let deadline = soon();
    while !condition().await {
        assert!(looks.tick().await < deadline, "waited in vain for {what}");
    }
}

/// The image: busybox, and the files a bucket has. It is made once and found again by its content.
async fn image(docker: &Docker) -> ImageId {
    static IMAGE: OnceCell<ImageId> = OnceCell::const_new();
    let made = IMAGE.get_or_init(|| async {
        let tar = image_tar();
        let mut hash = DefaultHasher::new();
        tar.hash(&mut hash);
        let (repository, tag) = ("magickbox-test/container", format!("{:016x}", hash.finish()));
        let reference = format!("{repository}:{tag}");
        if docker.resolve_image(&reference).await.is_err() {
            let options = CreateImageOptionsBuilder::new()
                .from_src("-")
                .repo(repository)
                .tag(&tag)
                .build();
            let import =
                docker
                    .client()
                    .create_image(Some(options), Some(bollard::body_full(tar.into())), None);
            import.try_collect::<Vec<_>>().await.unwrap();
        }
        docker.resolve_image(&reference).await.unwrap().id
    });
    made.await.clone()
}

fn image_tar() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |kind: tar::EntryType, path: &str, mode: u32, content: &[u8], target: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        if target.is_empty() {
            tar.append_data(&mut header, path, content).unwrap();
        } else {
            tar.append_link(&mut header, path, target).unwrap();
        }
    };
    use tar::EntryType::{Directory, Regular, Symlink};
    for dir in ["bin", "proc", "sys", "dev", "output", "input", "opt"] {
        add(Directory, dir, 0o755, b"", "");
    }
    add(Directory, "root", 0o700, b"", "");
    add(Directory, "tmp", 0o1777, b"", "");
    add(
        Regular,
        "bin/busybox",
        0o755,
        &std::fs::read(BUSYBOX).unwrap(),
        "",
    );
    for tool in [
        "sh", "cat", "cp", "grep", "head", "id", "ls", "seq", "sleep", "tail", "touch", "true",
    ] {
        add(Symlink, &format!("bin/{tool}"), 0o777, b"", "busybox");
    }
    add(Regular, "opt/work.sh", 0o750, b"#!/bin/sh\n", "");
    add(Symlink, "root/work.sh", 0o777, b"", "../opt/work.sh");
    add(Directory, "root/storage", 0o755, b"", "");
    add(
        Regular,
        "root/storage/info.json",
        0o644,
        br#"{"AETitle":"Test"}"#,
        "",
    );
    add(Regular, "root/storage/empty", 0o600, b"", "");
    add(Directory, "opt/first", 0o2755, b"", "");
    add(Regular, "opt/first/state", 0o640, b"1", "");
    add(Directory, "opt/first/deep", 0o755, b"", "");
    add(Regular, "opt/first/deep/er", 0o644, &[b'x'; 5000], "");
    add(Symlink, "root/storage/memory", 0o777, b"", "/opt/first");
    add(Symlink, "root/storage/lost", 0o777, b"", "/nowhere");
    add(Symlink, "root/storage/loop", 0o777, b"", "loop");
    add(
        Symlink,
        "root/storage/out",
        0o777,
        b"",
        "../../../../../../../../proc/self/status",
    );
    tar.into_inner().unwrap()
}
