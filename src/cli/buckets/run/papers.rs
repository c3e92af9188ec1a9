//! proc.json, measures.json and record.json of a run: what a node keeps beside OUTPUT.

use std::path::Path;

use anyhow::{Context, Result};

use crate::bucket::Installed;
use crate::container::{Runtime, label};
use crate::engine::measures::{self, Found, Plugin};
use crate::engine::output::{self, Hashed, Listing, OutputFile};
use crate::engine::record;
use crate::engine::report::{self, Made, Wanted};
use crate::files;
use crate::model::{Ended, Outcome, Verdict};
use crate::stage::SeriesView;

use super::job::Here;

/// Judges the run, measures it, and writes its papers.
pub(super) async fn write(
    runtime: &dyn Runtime,
    here: &Here,
    bucket: &Installed,
    ended: &Ended,
    (inputs, left_out): (&[OutputFile], Vec<SeriesView>),
) -> Result<(Verdict, Found)> {
    let memory = bucket.manifest.settings.resources.memory;
    let (output, kept, of_end) = (here.path("OUTPUT"), here.path("proc.json"), ended.clone());
    let judged = tokio::task::spawn_blocking(move || judge(&output, &kept, &of_end, memory));
    let (verdict, mut listing) = judged.await??;
    let plugin = Plugin {
        name: format!("{}-measures", here.container()),
        image: bucket.image.clone(),
        labels: here.labels(label::KIND_MEASURES),
        settings: &bucket.manifest.settings,
        output: here.path("OUTPUT"),
    };
    let declared = &bucket.manifest.measures;
    let mut found =
        measures::collect(runtime, &plugin, bucket.row.has_plugin, declared, &listing.files).await?;
    found.problems.extend(listing.problem());
    if report::is_wanted(bucket, &verdict, &found.measures) {
        let wanted = wanted(here, bucket, &verdict, inputs, &found);
        match tokio::task::spawn_blocking(move || report::make(&wanted)).await? {
            Ok(Made::Written(file)) => listing.files.push(*file),
            Ok(Made::Not(why)) => found.problems.push(why),
            Err(error) => found.problems.push(format!("no report was made: {error}")),
        }
    }
    files::replace_file(&here.path("measures.json"), &record::pretty(&found.measures))?;
    let run = record::Run {
        job: &here.job,
        bucket: Some(bucket),
        verdict: &verdict,
        input: inputs.iter().map(Hashed::from).collect(),
        output: listing.files.iter().map(Hashed::from).collect(),
        left_out,
        problems: &found.problems,
    };
    files::replace_file(&here.path("record.json"), &record::pretty(&record::record(&run)))?;
    Ok((verdict, found))
}

fn wanted(
    here: &Here,
    bucket: &Installed,
    verdict: &Verdict,
    inputs: &[OutputFile],
    found: &Found,
) -> Wanted {
    Wanted {
        job: here.job.clone(),
        bucket: bucket.clone(),
        node: "buckets run".to_owned(),
        input: here.path("INPUT"),
        output: here.path("OUTPUT"),
        own: here.directory.clone(),
        inputs: inputs.iter().map(|f| f.path.clone()).collect(),
        measures: found.measures.clone(),
        complete: verdict.outcome == Outcome::Success,
    }
}

/// Moves the bucket's proc.json beside OUTPUT, decides, and reads what is left there.
fn judge(output: &Path, kept: &Path, ended: &Ended, memory: u64) -> Result<(Verdict, Listing)> {
    let own = record::take_proc_json(&output.join("proc.json"), kept).context("keep proc.json")?;
    let verdict = Verdict::decide(ended, memory, own.as_ref());
    if own.is_none() {
        files::replace_file(kept, &record::proc_json(&verdict)).context("write proc.json")?;
    }
    let listing = output::files(output).with_context(|| {
        format!(
            "read {}: what the bucket wrote there belongs to the user it ran as",
            output.display()
        )
    })?;
    Ok((verdict, listing))
}
