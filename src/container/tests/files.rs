//! Reading an image without running it.

use super::*;

async fn open(bench: &Bench) -> Box<dyn ImageFiles> {
    bench
        .docker
        .open_image(&bench.image, &bench.labels())
        .await
        .unwrap()
}

#[tokio::test]
async fn files_are_read_through_links_with_their_modes() {
    on_docker(|bench| async move {
        let files = open(&bench).await;
        let info = files
            .read_file("/root/storage/info.json", 1 << 20)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (info.mode, &info.bytes[..]),
            (0o644, &br#"{"AETitle":"Test"}"#[..])
        );
        let work = files.stat("/root/work.sh").await.unwrap().unwrap();
        assert_eq!(
            work,
            FileStat {
                kind: FileKind::File,
                mode: 0o750,
                size: 10
            }
        );
        assert!(work.is_executable());
        assert_eq!(
            files.read_file("/root/work.sh", 10).await.unwrap().unwrap().bytes,
            b"#!/bin/sh\n"
        );
        assert_eq!(
            files
                .read_file("/root/storage/empty", 0)
                .await
                .unwrap()
                .unwrap()
                .bytes,
            b""
        );
        assert_eq!(
            files
                .read_file("/root/storage/memory/state", 10)
                .await
                .unwrap()
                .unwrap()
                .bytes,
            b"1"
        );
        files.close().await.unwrap();
        assert_eq!(bench.docker.list(&bench.labels()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    on_docker(|bench| async move {
        let files = open(&bench).await;
        let absent = [
            "/root/storage/db-plugin.code",
            "/no/such/dir/file",
            "/root/storage/lost",
            "/root/storage/out",
        ];
        for path in absent {
            assert_eq!(files.stat(path).await.unwrap(), None, "{path}");
            assert_eq!(files.read_file(path, 100).await.unwrap(), None, "{path}");
            let tar = bench.dir.path().join("tar");
            assert_eq!(files.export_dir(path, &tar, 100).await.unwrap(), None, "{path}");
            assert!(!tar.exists());
        }
        files.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_too_large_or_of_the_wrong_kind_is_refused_by_name() {
    on_docker(|bench| async move {
        let files = open(&bench).await;
        let error = files.read_file("/bin/busybox", 1000).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "/bin/busybox of the image is larger than 1000 bytes"
        );
        let error = files.read_file("/root/storage", 1000).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "/root/storage of the image is not a regular file"
        );
        let tar = bench.dir.path().join("memory.tar");
        let error = files
            .export_dir("/root/storage/info.json", &tar, 1000)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "/root/storage/info.json of the image is not a directory"
        );
        let error = files
            .export_dir("/root/storage/memory", &tar, 4000)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "/root/storage/memory of the image is larger than 4000 bytes"
        );
        assert!(!tar.exists());
        for path in ["/root/storage/loop", "/root/storage/info.json/x"] {
            let error = files.stat(path).await.unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains(&format!("look at {path} of the image")),
                "{error}"
            );
        }
        files.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_directory_comes_as_a_tar_of_relative_names() {
    on_docker(|bench| async move {
        let files = open(&bench).await;
        let path = bench.dir.path().join("memory.tar");
        let size = files
            .export_dir("/root/storage/memory", &path, 1 << 20)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
        let mut tar = tar::Archive::new(std::fs::File::open(&path).unwrap());
        let mut names: Vec<_> = tar
            .entries()
            .unwrap()
            .map(|e| e.unwrap().path().unwrap().display().to_string())
            .collect();
        names.sort();
        assert_eq!(names, ["./", "./deep/", "./deep/er", "./state"]);
        files.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn forgetting_to_close_leaves_nothing_and_a_crash_leaves_something_to_find() {
    on_docker(|bench| async move {
        let files = open(&bench).await;
        let left = bench
            .docker
            .list(&Labels::from([(
                label::KIND.to_owned(),
                label::KIND_FILES.to_owned(),
            )]))
            .await
            .unwrap();
        assert!(
            left.iter()
                .any(|found| found.labels.get(LABEL) == Some(&bench.id)),
            "{left:?}"
        );
        drop(files);
        until("its removal", async || {
            bench.docker.list(&bench.labels()).await.unwrap().is_empty()
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn images_are_looked_up_and_never_pulled() {
    on_docker(|bench| async move {
        let by_id = bench.docker.resolve_image(bench.image.as_str()).await.unwrap();
        assert_eq!(by_id.id, bench.image);
        assert!(
            by_id.size_bytes > 100_000 && by_id.created.is_some() && !by_id.architecture.is_empty(),
            "{by_id:?}"
        );
        for reference in ["no-such-image:1", "../info", "", "a b"] {
            let error = bench.docker.resolve_image(reference).await.unwrap_err();
            assert!(
                matches!(error, Error::NoSuchImage { .. }),
                "{reference}: {error:?}"
            );
        }
        let nothing: ImageId = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
        let error = bench
            .docker
            .open_image(&nothing, &bench.labels())
            .await
            .err()
            .unwrap();
        assert!(matches!(error, Error::NoSuchImage { .. }), "{error:?}");
        let mut spec = bench.script("nothing", "true");
        spec.image = nothing;
        let error = bench.docker.create(&spec).await.unwrap_err();
        assert!(matches!(error, Error::NoSuchImage { .. }), "{error:?}");
        for text in ["", "sha256:", "latest", "sha256:ABCD"] {
            assert!(text.parse::<ImageId>().is_err(), "{text}");
        }
        let info = bench.docker.info().await.unwrap();
        assert!(
            info.cpus > 0 && info.memory_bytes > 1 << 20 && info.api_version.starts_with("1."),
            "{info:?}"
        );
    })
    .await;
}
