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
    let said = Command::new("python3")
        .args(["-c", script])
        .arg(zip)
        .output()
        .unwrap();
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
        assert!(
            rest == bytes[usize::try_from(from).unwrap()..],
            "from byte {from}"
        );
    }
    fs::write(root.join("none"), "more").unwrap();
    assert_ne!(Plan::of_directory(&root, "tmp.x/OUTPUT/").unwrap().tag, plan.tag);
}

/// CRC-32 of 4 GiB and five zeros.
const OF_ZEROS: u32 = 0xb1c2_a1a3;

#[test]
fn numbers_beyond_32_bits_get_the_large_forms() {
    let dir = tempfile::tempdir().unwrap();
    let large = dir.path().join("large");
    // Holes: they take no room.
    fs::File::create(&large).unwrap().set_len((4 << 30) + 5).unwrap();
    fs::write(dir.path().join("small"), "text").unwrap();
    let files = ["large", "small"].map(|name| (name.to_owned(), dir.path().join(name)));
    let plan = Plan::of_files(files, "d/").unwrap();
    let mut sum = flate2::Crc::new();
    sum.update(b"text");
    let (sums, contents) = ([0, OF_ZEROS, sum.sum()], [&b""[..], b"", b"text"]);
    let zip = dir.path().join("x.zip");
    let file = fs::File::create(&zip).unwrap();
    let put = |bytes: &[u8], at: u64| std::os::unix::fs::FileExt::write_all_at(&file, bytes, at).unwrap();
    let mut directory = Vec::new();
    for ((planned, sum), content) in plan.entries.iter().zip(sums).zip(contents) {
        let (entry, local) = (&planned.entry, planned.entry.local());
        put(&local, planned.offset);
        put(content, planned.offset + local.len() as u64);
        put(
            &entry.behind(sum),
            planned.offset + local.len() as u64 + entry.bytes,
        );
        directory.extend(entry.central(sum, planned.offset));
    }
    put(&directory, plan.directory);
    let length = directory.len() as u64;
    put(
        &super::format::end(3, length, plan.directory),
        plan.directory + length,
    );
    assert_eq!(fs::metadata(&zip).unwrap().len(), plan.length);
    assert!(plan.entries[2].offset > 4 << 30);
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
                  print([(i.filename, i.file_size, hex(i.CRC)) for i in z.infolist()], z.read('d/small'))\n\
                  print(z.open('d/large').read(9))";
    let said = Command::new("python3")
        .args(["-c", script])
        .arg(&zip)
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap();
    let expected = "('d/large', 4294967301, '0xb1c2a1a3'), ('d/small', 4, '0x3b8ba7c7')] b'text'";
    assert!(said.contains(expected) && said.contains("b'\\x00"), "{said}");
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

#[tokio::test]
async fn names_that_other_systems_take_for_paths_or_commands_are_made_plain() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("OUTPUT");
    fs::create_dir(&root).unwrap();
    for name in [
        &b"a\\b"[..],
        b"new\nline",
        "ü \"q\"".as_bytes(),
        b"\xff\xfe",
        b"100%",
    ] {
        fs::write(root.join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    }
    let plan = Plan::of_directory(&root, "tmp.x/OUTPUT/").unwrap();
    let names: Vec<_> = plan
        .entries
        .iter()
        .map(|planned| planned.entry.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "tmp.x/OUTPUT/",
            "tmp.x/OUTPUT/%FF%FE",
            "tmp.x/OUTPUT/100%",
            "tmp.x/OUTPUT/a%5Cb",
            "tmp.x/OUTPUT/new%0Aline",
            "tmp.x/OUTPUT/ü \"q\"",
        ]
    );
    assert_eq!(read(&plan, 0).await.len() as u64, plan.length);
}
