//! A node with a bucket that hands studies back and notes each run, and where its results go.

use std::fs;

use tempfile::TempDir;

use super::pacs::Pacs;
use crate::support::PATIENCE;
use crate::support::images::Bucket;
use crate::support::under_test::TestNode;
use crate::support::wait::wait_until;

/// The bucket's AE title.
pub const TITLE: &str = "Copy";

/// `copy`, with a line in its memory for each run.
pub fn bucket() -> Bucket {
    let script = "#!/bin/sh\nset -e\necho run >>/memory/diary\ncp \"$1\"/*.dcm \"$2\"/\ncount=$(ls \"$2\" | wc -l)\n\
                  printf '{ \"objects\": %s }\\n' \"$count\" >\"$2/measures.json\"\necho \"copied $count objects\"\n";
    Bucket::fixture("copy").with_file("work.sh", script)
}

/// What the bucket writes for a study of so many objects.
pub fn log_of(objects: usize) -> String {
    format!("copied {objects} objects\n")
}

/// A configuration: results go to these, sets are complete after that time.
pub fn config(destinations: &[&Pacs], quiet: &str) -> String {
    let mut text = format!(
        "[delivery]\nfirst_retry = \"1s\"\nlongest_retry = \"2s\"\nresponse = \"3s\"\nconnect = \"3s\"\n\
         [bucket.{TITLE}]\ncomplete = {{ level = \"study\", quiet = \"{quiet}\", cap = \"90m\" }}\n"
    );
    for pacs in destinations {
        text += &pacs.remote_ae();
        text += &format!("[[route]]\nname = \"to {0}\"\nto = [\"{0}\"]\n", pacs.title);
    }
    text
}

/// A node with that bucket.
#[track_caller]
pub fn node(home: TempDir, config: &str, variables: &[(&str, &str)]) -> TestNode {
    let node = TestNode::start_in(home, config, variables);
    node.install(&bucket());
    node
}

/// How often the bucket ran.
pub fn runs(node: &TestNode) -> usize {
    let diary = fs::read_to_string(node.bucket(TITLE).join("memory/diary")).unwrap_or_default();
    diary.lines().count()
}

/// Waits until the node has died by itself.
#[track_caller]
pub fn wait_for_death(node: &mut TestNode, of: &str) {
    wait_until(PATIENCE, &format!("the node to die: {of}"), || {
        node.is_dead().then_some(())
    })
    .unwrap();
}
