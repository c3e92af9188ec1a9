//! The life of a container.

use super::*;

#[tokio::test]
async fn an_exit_status_comes_back_with_its_times_and_labels() {
    on_docker(|bench| async move {
        let name = bench.started(&bench.script("exit", "exit 3")).await;
        let state = bench.ended(&name).await;
        assert_eq!(
            (state.status, state.exit_status, state.oom_killed),
            (Status::Exited, Some(3), false)
        );
        assert!(state.started_at.unwrap() <= state.finished_at.unwrap());
        assert_eq!(state.image, bench.image);
        assert_eq!(state.labels.get(LABEL), Some(&bench.id));
        assert_eq!(state.error, None);
        let late = bench.docker.wait(&name, Instant::now()).await.unwrap();
        assert_eq!(
            late,
            WaitEnd::Exited(state),
            "it ended before the deadline, whoever looks when"
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_is_given_once_and_a_container_runs_once() {
    on_docker(|bench| async move {
        let spec = bench.script("once", "echo run >> /output/runs");
        assert_eq!(bench.docker.create(&spec).await.unwrap(), Created::New);
        assert_eq!(bench.docker.create(&spec).await.unwrap(), Created::Exists);
        let state = bench.docker.inspect(&spec.name).await.unwrap().unwrap();
        assert_eq!(
            (state.status, state.exit_status, state.started_at),
            (Status::Created, None, None)
        );
        let early = bench.docker.wait(&spec.name, soon()).await;
        assert!(matches!(early, Err(Error::NotStarted { .. })), "{early:?}");
        bench.docker.start(&spec.name).await.unwrap();
        bench.docker.start(&spec.name).await.unwrap();
        bench.ended(&spec.name).await;
        bench.docker.start(&spec.name).await.unwrap();
        bench.ended(&spec.name).await;
        assert_eq!(
            std::fs::read_to_string(bench.dir.path().join("runs")).unwrap(),
            "run\n"
        );
    })
    .await;
}

#[tokio::test]
async fn a_wait_ends_at_its_deadline_and_stop_ends_the_container() {
    on_docker(|bench| async move {
        let name = bench.started(&bench.script("stop", "sleep 1000")).await;
        let end = bench
            .docker
            .wait(&name, Instant::now() + Duration::from_millis(300))
            .await
            .unwrap();
        assert_eq!(end, WaitEnd::DeadlineReached);
        let begun = Instant::now();
        bench.docker.stop(&name, Duration::from_secs(30)).await.unwrap();
        assert_eq!(bench.ended(&name).await.exit_status, Some(128 + 15));
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the init process passes the signal on"
        );
    })
    .await;
}

#[tokio::test]
async fn a_container_that_will_not_end_is_killed_after_its_grace() {
    on_docker(|bench| async move {
        let script = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
        let name = bench.started(&bench.script("stubborn", script)).await;
        until("its trap", async || {
            bench.docker.output(&name, 100, 0).await.unwrap().stdout == b"ready\n"
        })
        .await;
        bench
            .docker
            .stop(&name, Duration::from_millis(200))
            .await
            .unwrap();
        assert_eq!(bench.ended(&name).await.exit_status, Some(128 + 9));
    })
    .await;
}

#[tokio::test]
async fn what_is_over_or_gone_can_be_ended_and_removed_again() {
    on_docker(|bench| async move {
        let docker = &bench.docker;
        let name = bench.started(&bench.script("twice", "sleep 1000")).await;
        let kept = docker.remove(&name, false).await;
        assert!(
            matches!(kept, Err(Error::Refused { status: 409, .. })),
            "running: {kept:?}"
        );
        docker.kill(&name).await.unwrap();
        assert_eq!(bench.ended(&name).await.exit_status, Some(137));
        docker.kill(&name).await.unwrap();
        docker.stop(&name, Duration::from_secs(1)).await.unwrap();
        docker.remove(&name, false).await.unwrap();
        docker.remove(&name, false).await.unwrap();
        docker.kill(&name).await.unwrap();
        docker.stop(&name, Duration::from_secs(1)).await.unwrap();
        assert_eq!(docker.inspect(&name).await.unwrap(), None);
        assert_eq!(docker.wait(&name, soon()).await.unwrap(), WaitEnd::Gone);
        assert_eq!(docker.peak_memory(&name).await, None);
        let absent = docker.start(&name).await;
        assert!(matches!(absent, Err(Error::NoSuchContainer { .. })), "{absent:?}");
    })
    .await;
}

#[tokio::test]
async fn containers_are_found_by_their_labels() {
    on_docker(|bench| async move {
        for (suffix, job) in [("a", "1"), ("b", "2")] {
            let mut spec = bench.script(suffix, "true");
            spec.labels.insert(label::JOB.to_owned(), job.to_owned());
            bench.docker.create(&spec).await.unwrap();
        }
        bench.docker.start(&bench.name("b")).await.unwrap();
        bench.ended(&bench.name("b")).await;
        let find = async |job: &str| {
            let mut labels = bench.labels();
            labels.insert(label::JOB.to_owned(), job.to_owned());
            let mut found = bench.docker.list(&labels).await.unwrap();
            found.sort_by(|a, b| a.name.cmp(&b.name));
            found
                .into_iter()
                .map(|found| (found.name, found.status))
                .collect::<Vec<_>>()
        };
        let (a, b) = (
            (bench.name("a"), Status::Created),
            (bench.name("b"), Status::Exited),
        );
        assert_eq!(find("").await, [a, b.clone()], "any value");
        assert_eq!(find("2").await, [b]);
        assert_eq!(find("3").await, []);
    })
    .await;
}

#[tokio::test]
async fn a_short_run_returns_what_it_printed_and_leaves_nothing() {
    on_docker(|bench| async move {
        let spec = bench.script("short", "echo 0123456789; seq 1 9999 >&2; echo last >&2; exit 4");
        bench.docker.create(&spec).await.unwrap(); // As a crash would have left it.
        let run = bench.docker.run_to_end(&spec, soon(), 4).await.unwrap();
        assert_eq!((run.state.exit_status, run.timed_out), (Some(4), false));
        assert_eq!(
            (&run.output.stdout[..], run.output.stdout_dropped),
            (&b"0123"[..], 7)
        );
        assert!(
            run.output.stderr_tail.ends_with(b"9999\nlast\n") && run.output.stderr_tail.len() == 16 << 10
        );
        assert_eq!(bench.docker.list(&bench.labels()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_short_run_is_stopped_at_its_deadline_and_leaves_nothing() {
    on_docker(|bench| async move {
        let spec = bench.script("late", "echo begun; sleep 1000");
        let run = bench
            .docker
            .run_to_end(&spec, Instant::now() + Duration::from_secs(1), 100)
            .await
            .unwrap();
        assert!(run.timed_out && run.state.exit_status == Some(143), "{run:?}");
        assert_eq!(run.output.stdout, b"begun\n");
        assert_eq!(bench.docker.list(&bench.labels()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_command_that_is_not_there_is_named_on_stderr() {
    on_docker(|bench| async move {
        let mut spec = bench.script("absent", "");
        spec.entrypoint = vec!["/no/such/program".to_owned()];
        let run = bench.docker.run_to_end(&spec, soon(), 100).await.unwrap();
        assert_eq!(run.state.exit_status, Some(127), "of the init process");
        let stderr = String::from_utf8(run.output.stderr_tail).unwrap();
        assert!(stderr.contains("/no/such/program"), "{stderr}");
    })
    .await;
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_a_short_run_leaves_nothing() {
    on_docker(|bench| async move {
        let mut spec = bench.script("mount", "true");
        // A file where the image has a directory.
        spec.binds.push(Bind::read_only("/etc/hostname", "/input"));
        let error = bench.docker.run_to_end(&spec, soon(), 100).await.unwrap_err();
        assert!(error.to_string().contains("/input"), "{error}");
        assert_eq!(bench.docker.list(&bench.labels()).await.unwrap(), []);
    })
    .await;
}
