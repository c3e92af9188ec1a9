//! What comes out is a zip that others read, from any byte on.

use std::fs;
use std::path::Path;
use std::process::Command;

use futures_util::StreamExt;

use super::*;

async fn read(plan: &Plan, from: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut pieces = std::pin::pin!(stream(plan.clone(), from));
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    bytes
}

/// What Python's zipfile makes of it: names and contents, or its complaint.
fn python(zip: &Path) -> String {
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  for i in z.infolist(): print(i.filename, i.file_size)";
    let said = Command::new("python3").args(["-c", script]).arg(zip).output().unwrap();
    String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap()
}

#[tokio::test]
async fn a_directory_becomes_a_zip_of_the_length_that_was_announced() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("OUTPUT");
    fs::create_dir_all(root.join("sub/empty")).unwrap();
    fs::write(root.join("b.dcm"), vec![7; 700_000]).unwrap();
    fs::write(root.join("sub/日本 ü.txt"), "text").unwrap();
    fs::write(root.join("none"), "").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("sub/etc")).unwrap();
    let plan = Plan::of_directory(&root, "tmp.x/OUTPUT/").unwrap();
    let bytes = read(&plan, 0).await;
    assert_eq!(bytes.len() as u64, plan.length);
    let zip = dir.path().join("x.zip");
    fs::write(&zip, &bytes).unwrap();
    let expected = "tmp.x/OUTPUT/ 0\ntmp.x/OUTPUT/b.dcm 700000\ntmp.x/OUTPUT/none 0\ntmp.x/OUTPUT/sub/ 0\n\
                    tmp.x/OUTPUT/sub/empty/ 0\ntmp.x/OUTPUT/sub/日本 ü.txt 4\n";
    assert_eq!(python(&zip), expected);

    let again = Plan::of_directory(&root, "tmp.x/OUTPUT/").unwrap();
    assert_eq!(again.tag, plan.tag);
    for from in [1, 29, 100_000, 700_010, plan.length - 1] {
        let rest = read(&again, from).await;
        assert!(rest == bytes[usize::try_from(from).unwrap()..], "from byte {from}");
    }
    fs::write(root.join("none"), "more").unwrap();
    assert_ne!(Plan::of_directory(&root, "tmp.x/OUTPUT/").unwrap().tag, plan.tag);
}

#[tokio::test]
async fn numbers_beyond_32_bits_get_the_large_forms() {
    let dir = tempfile::tempdir().unwrap();
    let large = dir.path().join("large");
    // Holes: they take no room.
    fs::File::create(&large).unwrap().set_len((4 << 30) + 5).unwrap();
    fs::write(dir.path().join("small"), "text").unwrap();
    let files = || ["large", "small"].map(|name| (name.to_owned(), dir.path().join(name)));
    let plan = Plan::of_files(files(), "d/").unwrap();
    // From the small one's head on: the content of the large one is summed, and not kept.
    let from = plan.entries[2].offset;
    assert!(from > 4 << 30);
    let tail = read(&plan, from).await;
    assert_eq!(from + tail.len() as u64, plan.length);
    let zip = dir.path().join("x.zip");
    let mut file = fs::File::create(&zip).unwrap();
    // The large one's head, then its hole.
    let mut head = std::pin::pin!(stream(plan.clone(), 0));
    for _ in 0..2 {
        std::io::Write::write_all(&mut file, &head.next().await.unwrap().unwrap()).unwrap();
    }
    let behind = plan.entries[1].entry.behind(0).len() as u64;
    let sum = read_range(&plan, from - behind, from, &tail);
    std::os::unix::fs::FileExt::write_all_at(&file, &sum.await, from - behind).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &tail, from).unwrap();
    assert_eq!(python(&zip), format!("d/ 0\nd/large {}\nd/small 4\n", (4_u64 << 30) + 5));
}

/// The bytes before a tail that is known, without reading all of it again: the sum stands in the directory too.
async fn read_range(plan: &Plan, from: u64, to: u64, tail: &[u8]) -> Vec<u8> {
    let entry = &plan.entries[1].entry;
    let directory = usize::try_from(plan.directory - to).unwrap() + plan.entries[0].entry.central(0, 0).len();
    let sum = u32::from_le_bytes(tail[directory + 16..directory + 20].try_into().unwrap());
    let behind = entry.behind(sum);
    assert_eq!(behind.len() as u64, to - from);
    behind
}

#[tokio::test]
async fn a_file_that_became_shorter_ends_the_answer_and_not_with_a_zip() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "12345").unwrap();
    let plan = Plan::of_directory(dir.path(), "d/").unwrap();
    fs::write(dir.path().join("a"), "1").unwrap();
    let pieces: Vec<_> = stream(plan, 0).collect().await;
    assert!(pieces.last().unwrap().is_err());
}

#[tokio::test]
async fn a_directory_that_became_a_link_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (root, secret) = (dir.path().join("OUTPUT"), dir.path().join("secret"));
    for directory in [root.join("sub"), secret.clone()] {
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("a"), "12345").unwrap();
    }
    let plan = Plan::of_directory(&root, "d/").unwrap();
    fs::remove_dir_all(root.join("sub")).unwrap();
    std::os::unix::fs::symlink(&secret, root.join("sub")).unwrap();
    let pieces: Vec<_> = stream(plan, 0).collect().await;
    assert!(pieces.last().unwrap().is_err());
}
