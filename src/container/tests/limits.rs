//! What a container may and may not do.

use super::*;

#[tokio::test]
async fn out_of_memory_is_seen_whatever_the_exit_status() {
    // The pauses are for the engine, which may miss what happens at a container's very beginning or end
    // (containerd issue 8180).
    on_docker(|bench| async move {
        let dies = bench
            .started(&bench.script("oom", "sleep 0.2; exec tail /dev/zero"))
            .await;
        let state = bench.ended(&dies).await;
        assert_eq!(
            (state.oom_killed, state.exit_status),
            (true, Some(137)),
            "{state:?}"
        );
        let goes_on = bench
            .started(&bench.script("oom-0", "tail /dev/zero; sleep 0.2; exit 0"))
            .await;
        let state = bench.ended(&goes_on).await;
        assert_eq!(
            (state.oom_killed, state.exit_status),
            (true, Some(0)),
            "{state:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn only_what_is_writable_can_be_written() {
    on_docker(|bench| async move {
        let (input, odd) = (bench.dir.path().join("input"), bench.dir.path().join("a:b,c"));
        std::fs::create_dir(&input).unwrap();
        std::fs::create_dir(&odd).unwrap();
        let script = "for dir in / /input /root /odd /output /tmp /dev/shm; do
                        if touch $dir/x 2>/dev/null; then echo $dir; fi; done
                      cp /bin/busybox /tmp/true; /tmp/true && echo executes";
        let mut spec = bench.script("writes", script);
        spec.binds
            .extend([Bind::read_only(&input, "/input"), Bind::writable(&odd, "/odd")]);
        assert_eq!(
            bench.says(&spec).await,
            "/odd\n/output\n/tmp\n/dev/shm\nexecutes\n"
        );
        assert!(odd.join("x").exists() && !input.join("x").exists());
        spec.read_only_root = false;
        assert_eq!(
            bench.says(&spec).await,
            "/\n/root\n/odd\n/output\n/tmp\n/dev/shm\nexecutes\n"
        );
    })
    .await;
}

#[tokio::test]
async fn a_bind_whose_source_is_missing_is_refused_and_not_made() {
    on_docker(|bench| async move {
        let missing = bench.dir.path().join("missing");
        let mut spec = bench.script("missing", "true");
        spec.binds.push(Bind::read_only(&missing, "/input"));
        let error = bench.docker.create(&spec).await.unwrap_err();
        assert!(matches!(error, Error::Refused { status: 400, .. }), "{error:?}");
        assert!(
            error.to_string().contains(&missing.display().to_string()),
            "{error}"
        );
        assert!(!missing.exists());
    })
    .await;
}

#[tokio::test]
async fn a_container_has_little_power_and_no_network() {
    on_docker(|bench| async move {
        let script = "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; ls /sys/class/net; ulimit -c
                      cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; echo $MB_JOB; id -u";
        let mut spec = bench.script("power", script);
        spec.env.insert("MB_JOB".to_owned(), "a b=c\nd".to_owned());
        let text = bench.says(&spec).await;
        // CHOWN is bit 0, DAC_OVERRIDE 1, FOWNER 3.
        let expected = "CapEff: 000000000000000b CapBnd: 000000000000000b NoNewPrivs: 1 Seccomp: 2 lo 0 32 a b=c d 0";
        assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), expected);
        spec.user = Some("1234:5678".to_owned());
        spec.network = Network::Bridge;
        let text = bench.says(&spec).await;
        assert!(text.contains("CapEff:\t0000000000000000") && text.contains("eth0") && text.ends_with("\n1234\n"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn memory_is_measured_while_it_runs() {
    on_docker(|bench| async move {
        let script = "head -c 3000000 /dev/zero > /tmp/x; echo ready; exec sleep 1000";
        let name = bench.started(&bench.script("memory", script)).await;
        until("its file", async || {
            bench.docker.output(&name, 100, 0).await.unwrap().stdout == b"ready\n"
        })
        .await;
        let peak = bench.docker.peak_memory(&name).await.unwrap();
        assert!((3_000_000..64 << 20).contains(&peak), "{peak}");
        bench.docker.kill(&name).await.unwrap();
        bench.ended(&name).await;
        assert_eq!(bench.docker.peak_memory(&name).await, None, "ended");
    })
    .await;
}

#[tokio::test]
async fn more_cpus_than_there_are_is_refused_in_words() {
    on_docker(|bench| async move {
        let mut spec = bench.script("cpus", "true");
        spec.resources.cpus = 100_000.0;
        let error = bench.docker.create(&spec).await.unwrap_err();
        assert!(
            matches!(error, Error::Refused { status: 400, .. }) && error.to_string().contains("CPUs"),
            "{error:?}"
        );
    })
    .await;
}
