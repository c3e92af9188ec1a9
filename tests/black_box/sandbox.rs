//! What a bucket can see and do while it runs.

use crate::needs;
use crate::support::images::Bucket;
use crate::support::part10::Object;
use crate::support::senders;
use crate::support::under_test::TestNode;

#[test]
fn a_bucket_finds_its_surroundings_as_the_contract_says() {
    needs!(Docker, Dcmtk);
    let node = TestNode::with(
        &Bucket::fixture("looks"),
        "[bucket.Looks]\narguments = \"--quick 'two words'\"\n",
    );
    let object = Object::new();
    object.write(&node.scratch("sent"));
    assert!(senders::storescu(node.dicom_port(), "Looks", &node.scratch("sent")).success);
    let job = node.wait_for_end("Looks");
    let log = node.api().log(&job.id).unwrap();
    let study = format!("MB_STUDY_INSTANCE_UID={}", object.study);
    let id = format!("MB_JOB={}", job.id);
    for line in [
        "input: read-only",
        "memory: seed",
        "networks: lo ",
        "tmp: executable",
        "on its error stream",
        "MB_AETITLE_CALLED=Looks",
        "MB_AETITLE_CALLER=SENDER",
        "MB_ARGUMENTS=--quick 'two words'",
        "MERCURE_IN_DIR=/input",
        "MERCURE_OUT_DIR=/output",
        "MONAI_INPUTPATH=/input",
        "MONAI_OUTPUTPATH=/output",
        "HOLOSCAN_INPUT_PATH=/input",
        "HOLOSCAN_OUTPUT_PATH=/output",
        &study,
        &id,
    ] {
        assert!(log.lines().any(|l| l == line), "no line `{line}` in:\n{log}");
    }
    assert!(log.contains("MB_CPUS=1") && log.contains("MB_MEMORY="), "{log}");
}
