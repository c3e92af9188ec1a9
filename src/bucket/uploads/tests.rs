use futures_util::{StreamExt, stream};

use super::*;

const ROOM: u64 = 1 << 20;

fn uploads(directory: &std::path::Path, largest: u64) -> Uploads {
    Uploads::open(Layout::new(directory.to_owned()), largest, Arc::new(|| ROOM)).unwrap()
}

fn about(key: &str) -> About {
    About {
        key: key.to_owned(),
        name: "a.tar".to_owned(),
        by: "anna".to_owned(),
    }
}

fn body(pieces: &[&'static str]) -> impl Stream<Item = std::io::Result<Bytes>> + Send + use<> {
    stream::iter(
        pieces
            .iter()
            .map(|p| Ok(Bytes::from_static(p.as_bytes())))
            .collect::<Vec<_>>(),
    )
}

/// sha256sum of "hello, world"
const HELLO: &str = "09ca7e4eaa6e8ae9c7d261167129184883644d07dfba7cbfbc4c8a2e08360d5b";

#[tokio::test]
async fn an_upload_goes_on_where_it_broke_off_also_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let first = uploads(home.path(), ROOM);
    let id = first.begin(about("k"), Some(12)).unwrap();
    let broken = stream::iter([
        Ok(Bytes::from_static(b"hello")),
        Err(std::io::Error::other("cable cut")),
    ]);
    let error = first.append(&id, 0, broken).await.unwrap_err();
    assert!(matches!(error, UploadError::Broken(_)), "{error}");
    drop(first);

    let again = uploads(home.path(), ROOM);
    assert_eq!(again.begin(about("k"), Some(12)).unwrap(), id);
    let progress = again.progress(&id).await.unwrap();
    assert_eq!(progress.offset, 5);
    assert!(
        progress.sha256.starts_with("2cf24dba5fb0a30e"),
        "{}",
        progress.sha256
    );
    let error = again.append(&id, 0, body(&["hello"])).await.unwrap_err();
    assert!(
        matches!(error, UploadError::Offset { expected: 5, .. }),
        "{error}"
    );
    let error = again.whole(&id, 12, HELLO).await.unwrap_err();
    assert!(
        matches!(error, UploadError::Incomplete { there: 5, .. }),
        "{error}"
    );
    assert_eq!(again.append(&id, 5, body(&[", wor", "ld"])).await.unwrap(), 12);
    let error = again.whole(&id, 12, &"0".repeat(64)).await.unwrap_err();
    assert!(matches!(error, UploadError::Differs { .. }), "{error}");
    let whole = again.whole(&id, 12, HELLO).await.unwrap();
    assert_eq!(fs::read(&whole.path).unwrap(), b"hello, world");
    again.discard(&id).unwrap();
    assert_eq!(files::entries(&home.path().join("uploads")).unwrap().len(), 0);
}

#[tokio::test]
async fn a_file_that_changed_on_the_disk_is_not_taken_for_what_was_sent() {
    let home = tempfile::tempdir().unwrap();
    let uploads = uploads(home.path(), ROOM);
    let id = uploads.begin(about("k"), None).unwrap();
    uploads.append(&id, 0, body(&["hello, world"])).await.unwrap();
    fs::write(home.path().join(format!("uploads/{id}.part")), "hello, there").unwrap();
    let error = uploads.whole(&id, 12, HELLO).await.unwrap_err();
    assert!(matches!(error, UploadError::Differs { .. }), "{error}");
}

#[tokio::test]
async fn what_is_too_large_or_finds_no_room_is_refused_before_and_while_it_comes() {
    let home = tempfile::tempdir().unwrap();
    let small = uploads(home.path(), 8);
    assert!(matches!(
        small.begin(about("k"), Some(9)),
        Err(UploadError::TooLarge { limit: 8 })
    ));
    let id = small.begin(about("k"), None).unwrap();
    let error = small.append(&id, 0, body(&["hello", "world"])).await.unwrap_err();
    assert!(matches!(error, UploadError::TooLarge { limit: 8 }), "{error}");
    let large = uploads(home.path(), u64::MAX);
    assert!(matches!(
        large.begin(about("l"), Some(ROOM + 1)),
        Err(UploadError::NoRoom { .. })
    ));
}

#[tokio::test]
async fn who_comes_later_takes_over_from_a_connection_that_hangs() {
    let home = tempfile::tempdir().unwrap();
    let uploads = uploads(home.path(), ROOM);
    let id = uploads.begin(about("k"), None).unwrap();
    let (hanging, hangs) = tokio::sync::oneshot::channel();
    let silence = stream::once(async move {
        hanging.send(()).unwrap();
        std::future::pending().await
    });
    let connection = body(&["hello"]).chain(silence);
    let (first, same) = (uploads.clone(), id.clone());
    let first = tokio::spawn(async move { first.append(&same, 0, connection).await });
    hangs.await.unwrap();
    assert_eq!(uploads.progress(&id).await.unwrap().offset, 5);
    let ended = first.await.unwrap().unwrap_err();
    assert!(matches!(ended, UploadError::TakenOver), "{ended}");
    assert_eq!(uploads.append(&id, 5, body(&[", world"])).await.unwrap(), 12);
}

#[test]
fn what_nobody_goes_on_with_is_thrown_away_and_so_is_what_belongs_to_nothing() {
    let home = tempfile::tempdir().unwrap();
    let first = uploads(home.path(), ROOM);
    let id = first.begin(about("k"), None).unwrap();
    fs::write(
        home.path().join("uploads/0123456789abcdef0123456789abcdef.part"),
        "x",
    )
    .unwrap();
    let again = uploads(home.path(), ROOM);
    assert_eq!(files::entries(&home.path().join("uploads")).unwrap().len(), 2);
    again.expire_now(SystemTime::now());
    assert!(again.known(&id).is_ok());
    again.expire_now(SystemTime::now() + KEPT + Duration::from_secs(60));
    assert!(matches!(again.known(&id), Err(UploadError::NoSuch(_))));
    assert_eq!(files::entries(&home.path().join("uploads")).unwrap().len(), 0);
}
