//! `magickbox adopt`: a node takes over what a data directory of the original has.
//!
//! ```text
//! tree      what is there; reading only
//! image     which image a stream runs
//! bucket    an installed bucket becomes one of ours
//! history   a finished job becomes one of ours
//! rules     its routing rules become ours
//! report    what people see of it
//! ```
//!
//! Without `--yes` nothing is changed, here or there; with it everything is copied, and the source stays as it is. What
//! is here already stays, so that it can be done again after a mistake was mended or a kill.

mod bucket;
mod history;
mod image;
mod report;
mod rules;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::history::Taken;
use self::report::{Line, Report};
use self::tree::Tree;
use super::buckets::run::leftovers;
use crate::bucket::Buckets;
use crate::config::Config;
use crate::container::{Docker, DockerConfig, Runtime};
use crate::files;
use crate::model::{
    AeTitle, AuditAction, AuditEvent, AuditKind, AuditParticipant, JobId, Layout, Place, Timestamp,
};
use crate::node;
use crate::store::Store;

/// Take over the buckets, routing rules and finished jobs of the original's data directory
#[derive(Args, Debug)]
pub struct Adopt {
    /// Data directory of the original, mostly /data; nothing in it is changed
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Do it; without this only what would be done is shown. The node may not be running
    #[arg(long)]
    yes: bool,
    /// The image of a bucket whose work.sh does not tell; may be given several times
    #[arg(long, value_name = "AETITLE=IMAGE", value_parser = named_image)]
    image: Vec<(AeTitle, String)>,
    /// Leave finished jobs where they are
    #[arg(long)]
    without_jobs: bool,
    /// Take of finished jobs the results and papers only, not what they received
    #[arg(long)]
    without_input: bool,
    /// Configuration file of this node
    #[arg(long, env = "MAGICKBOX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory of this node [default: that of the configuration, /data]
    #[arg(long, env = "MAGICKBOX_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What the audit trail says, before anything is taken over.
fn event(tree: &Tree) -> AuditEvent {
    let us = AuditParticipant::node(None).asking();
    let event = AuditEvent::new(AuditKind::SoftwareChanged, AuditAction::Execute, vec![us]);
    event.saying(format!(
        "magickbox adopt takes over from another installation: {} buckets, {} jobs",
        tree.streams.len(),
        tree.jobs.len()
    ))
}

fn named_image(text: &str) -> Result<(AeTitle, String), String> {
    let (title, image) = text
        .rsplit_once('=')
        .filter(|(_, image)| !image.is_empty())
        .ok_or("AETITLE=IMAGE, like ProcT1=t1:latest")?;
    let title = AeTitle::parse(title).map_err(|error| error.to_string())?;
    Ok((title, image.to_owned()))
}

impl Adopt {
    /// Shows, or does it. The exit status is 1 when something cannot be taken over as it is.
    ///
    /// # Errors
    /// That there is no such directory, that the node runs, what engine, store or disk say.
    pub fn run(self) -> Result<ExitCode> {
        let from =
            std::fs::canonicalize(&self.from).with_context(|| format!("read {}", self.from.display()))?;
        let mut config = Config::load(self.config.as_deref())?;
        config.data = std::path::absolute(self.data.clone().unwrap_or(config.data))?;
        ensure!(
            std::fs::canonicalize(&config.data).ok().as_ref() != Some(&from),
            "{} is the data directory of this node: --data has to name another one",
            from.display()
        );
        let tree = Tree::read(&from)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let report = runtime.block_on(async {
            if self.yes {
                self.take_over(config, &tree).await
            } else {
                self.look(&config, &tree).await
            }
        })?;
        report.print(&from);
        Ok(if report.is_whole() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    async fn look(&self, config: &Config, tree: &Tree) -> Result<Report> {
        let docker = connect(config).await?;
        let images = self.images();
        let mut report = self.report(config, tree);
        if let Some(from) = &tree.routing {
            report.rules_fit(rules::look(from, &config.data, config));
        }
        let id = JobId::generate(Timestamp::now());
        for stream in &tree.streams {
            let named = bucket::image(stream, &images);
            let looked = match &named {
                Ok(image) => bucket::look(&docker, stream, image, &leftovers::labels(&id))
                    .await
                    .map(drop),
                Err(_) => Ok(()),
            };
            report.buckets.push(Line::of(
                stream,
                named.and_then(|image| looked.map(|()| image)),
                &[],
            ));
        }
        Ok(report)
    }

    async fn take_over(&self, config: Config, tree: &Tree) -> Result<Report> {
        let layout = Layout::new(config.data.clone());
        let _held = node::lock(&layout)?;
        let store_path = layout.path(Place::Store);
        files::make_directory(store_path.parent().unwrap_or(Path::new("/")))?;
        let store = Store::open(&store_path).with_context(|| format!("open {}", store_path.display()))?;
        let docker = connect(&config).await?;
        store.audit(event(tree)).await?;
        let (images, engine) = (docker.images(), Arc::new(docker));
        let mut report = self.report(&config, tree);
        report.done = true;
        if let Some(from) = &tree.routing {
            let looked = rules::look(from, &config.data, &config);
            report.rules_fit(looked.and_then(|fitting| fitting.take_over().map(|()| fitting)));
        }
        let capacity = node::capacity(engine.as_ref(), &config.engine).await?;
        let runtime: Arc<dyn Runtime> = engine;
        let buckets = Buckets::open(
            store.clone(),
            layout.clone(),
            (runtime.clone(), images),
            config.buckets,
            capacity,
        )?
        .with_forbidden(config.engine.forbid.clone());
        let named = self.images();
        for stream in &tree.streams {
            let taken = async {
                let image = bucket::image(stream, &named)?;
                // Only the image that was installed has a right to its memory.
                let id = JobId::generate(Timestamp::now());
                bucket::look(runtime.as_ref(), stream, image, &leftovers::labels(&id)).await?;
                Ok((image, bucket::take_over(&buckets, stream, image).await?))
            };
            report.buckets.push(match taken.await {
                Ok((image, notes)) => Line::of(stream, Ok(image), &notes),
                Err(error) => Line::of(stream, Err(error), &[]),
            });
        }
        if !self.without_jobs {
            self.take_jobs(&layout, &store, tree, &mut report).await;
        }
        store.close();
        Ok(report)
    }

    /// One that is damaged keeps no other from being taken.
    async fn take_jobs(&self, layout: &Layout, store: &Store, tree: &Tree, report: &mut Report) {
        let bar = report::progress(tree.jobs.len());
        for job in &tree.jobs {
            let taken = history::take_over(layout, store, job, !self.without_input).await;
            match taken.with_context(|| format!("take {} over", job.directory.display())) {
                Ok(Taken::Whole) => report.jobs_taken += 1,
                Ok(Taken::But(files)) => {
                    report.jobs_taken += 1;
                    report.files_left_out += files;
                }
                Ok(Taken::Already) => report.jobs_already += 1,
                Err(error) => report.jobs_failed.push(error),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
    }

    fn images(&self) -> BTreeMap<AeTitle, String> {
        self.image.iter().cloned().collect()
    }

    fn report(&self, config: &Config, tree: &Tree) -> Report {
        Report {
            data: config.data.clone(),
            rules: tree.rules.clone(),
            nameless: tree.nameless.clone(),
            jobs: if self.without_jobs {
                None
            } else {
                Some(tree.jobs.len())
            },
            without_end: tree.without_end,
            ..Report::default()
        }
    }
}

async fn connect(config: &Config) -> Result<Docker> {
    let config = DockerConfig {
        endpoint: config.engine.docker.clone(),
        ..DockerConfig::default()
    };
    Ok(Docker::connect(config).await?)
}
