//! What a container prints.

use super::*;

const PLENTY: u64 = 1 << 20;

#[tokio::test]
async fn a_log_is_followed_while_it_is_printed_and_has_both_streams() {
    on_docker(|bench| async move {
        let script =
            "echo first; echo problem >&2; until [ -e /output/go ]; do sleep 0.05; done; printf last";
        let name = bench.started(&bench.script("follow", script)).await;
        let file = bench.dir.path().join("processing.log");
        let following = tokio::spawn({
            let (docker, name, file) = (bench.docker.clone(), name.clone(), file.clone());
            async move { docker.follow_logs(&name, &file, PLENTY).await.unwrap() }
        });
        let text = || std::fs::read_to_string(&file).unwrap_or_default();
        until("the first lines", async || {
            text().contains("first\n") && text().contains("problem\n")
        })
        .await;
        assert_eq!(text().len(), "first\nproblem\n".len());
        std::fs::write(bench.dir.path().join("go"), "").unwrap();
        let copy = following.await.unwrap();
        assert!(text().ends_with("\nlast"), "{}", text());
        assert_eq!(
            (copy.printed, copy.dropped, copy.broken.map(|e| e.to_string())),
            (18, 0, None)
        );
        let followed = text();
        let copy = bench.docker.fetch_logs(&name, &file, PLENTY).await.unwrap();
        assert_eq!(
            (text().len(), copy.printed),
            (followed.len(), 18),
            "fetching again replaces the file"
        );
    })
    .await;
}

#[tokio::test]
async fn a_log_that_is_too_long_keeps_both_ends() {
    on_docker(|bench| async move {
        let name = bench.started(&bench.script("flood", "seq 100000 199999")).await;
        let file = bench.dir.path().join("processing.log");
        let copy = bench.docker.follow_logs(&name, &file, 200_000).await.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            (copy.printed, copy.broken.map(|e| e.to_string())),
            (700_000, None)
        );
        assert!(text.starts_with("100000\n") && text.ends_with("\n199999\n") && text.len() <= 200_000);
        assert!(text.contains(&format!("\n[{} bytes", copy.dropped)));
        bench.docker.fetch_logs(&name, &file, 200_000).await.unwrap();
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            text,
            "fetched as followed"
        );
    })
    .await;
}

#[tokio::test]
async fn fetching_from_what_is_gone_leaves_the_file_as_it_was() {
    on_docker(|bench| async move {
        let file = bench.dir.path().join("processing.log");
        std::fs::write(&file, "what was followed").unwrap();
        let absent = bench.docker.fetch_logs(&bench.name("gone"), &file, PLENTY).await;
        assert!(matches!(absent, Err(Error::NoSuchContainer { .. })), "{absent:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was followed");
        assert_eq!(std::fs::read_dir(bench.dir.path()).unwrap().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_our_fault() {
    on_docker(|bench| async move {
        let name = bench.started(&bench.script("nowhere", "echo lost")).await;
        let error = bench
            .docker
            .follow_logs(&name, Path::new("/no/such/dir/log"), PLENTY)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error:?}");
        assert!(error.to_string().contains("/no/such/dir/log"));
    })
    .await;
}
