//! Starts, pages, receiving.

use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use super::history::Laid;
use super::pdus::Object;
use super::sender::Association;
use super::support::node::Node;

/// Of the objects that are received: small, so that the store has more to do than the disk.
const SIZE: usize = 64 << 10;

/// Associations at once.
const ASSOCIATIONS: u64 = 4;

/// Times of one kind, in the order in which they were measured.
pub struct Times(pub Vec<Duration>);

impl Times {
    /// The middle one.
    pub fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// The longest.
    pub fn worst(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }
}

/// The node without a history and the one with a long one.
pub struct Pair {
    none: Node,
    long: Node,
}

/// What is measured of both.
pub struct Both {
    pub none: Times,
    pub long: Times,
}

impl Both {
    const fn new() -> Self {
        Self {
            none: Times(Vec::new()),
            long: Times(Vec::new()),
        }
    }
}

/// The original's client gives up after a second.
const LIST_FIRST: Duration = Duration::from_millis(500);
const LIST: Duration = Duration::from_millis(100);
const DELETE: Duration = Duration::from_millis(50);

/// Times of the original's pages, with what is wanted.
pub type Legacy = Vec<(&'static str, Times, Duration)>;

/// Times of the API on the long history, by what was asked.
pub type Pages = Vec<(&'static str, Times)>;

impl Pair {
    /// Starts both.
    ///
    /// # Errors
    /// The log of the one that does not start.
    pub fn start(binary: &Path, homes: &[PathBuf; 2], config: &str) -> Result<Self> {
        Ok(Self {
            none: Node::start(binary, &homes[0], config)?,
            long: Node::start(binary, &homes[1], config)?,
        })
    }

    /// What the node with the long history has logged.
    pub fn log(&self) -> String {
        format!("log of the node with the long history:\n{}", self.long.log())
    }

    /// Kills and starts both by turns; from the program's start until it is ready.
    ///
    /// # Errors
    /// As [`Pair::start`].
    pub fn restarts(&mut self, times: u32) -> Result<Both> {
        let mut both = Both::new();
        for _ in 0..times {
            for (node, measured) in [(&mut self.none, &mut both.none), (&mut self.long, &mut both.long)] {
                node.kill()?;
                let begin = Instant::now();
                node.restart()?;
                measured.0.push(begin.elapsed());
            }
        }
        Ok(both)
    }

    /// Asks the node with the long history for its jobs.
    ///
    /// # Errors
    /// When it answers anything but what is there.
    pub fn pages(&self, laid: &Laid) -> Result<Pages> {
        let client = Client::new(&self.long);
        let first = |path: &str| -> Result<Times> {
            let times = (0..50).map(|_| Ok(client.get(path)?.0));
            Ok(Times(times.collect::<Result<_>>()?))
        };
        let details = laid.some.iter().map(|id| {
            let (time, job) = client.get(&format!("/jobs/{id}"))?;
            ensure!(job["id"] == id.as_str(), "job {id} is {job}");
            Ok(time)
        });
        Ok(vec![
            ("the first page, 100 jobs with their measures", first("/jobs")?),
            ("every later page, to the oldest job", later(&client, laid)?),
            (
                "jobs that are done, one stream",
                first("/jobs?state=done&stream=Count")?,
            ),
            ("jobs that are queued", first("/jobs?state=queued")?),
            (
                "one job with its steps and deliveries",
                Times(details.collect::<Result<_>>()?),
            ),
        ])
    }

    /// Asks the node with the long history as the original's client does.
    ///
    /// # Errors
    /// When it answers anything but what is there.
    pub fn legacy(&self, laid: &Laid) -> Result<Legacy> {
        let client = Client::new(&self.long);
        let list = || {
            let (time, jobs) = client.get_at(&client.legacy("getScratch.php"))?;
            ensure!(jobs.is_array(), "getScratch.php answers {jobs}");
            Ok::<_, anyhow::Error>(time)
        };
        let first = Times(vec![list()?]);
        let unchanged = (0..20).map(|_| list()).collect::<Result<_>>()?;
        let (_, queued) = client.get("/jobs?state=queued&limit=1")?;
        let queued = queued["jobs"][0]["id"].as_str().unwrap_or_default().to_owned();
        let api = self.long.api();
        let changed = (0..20).map(|n| {
            let verb = if n % 2 == 0 { "hold" } else { "release" };
            let answer = api.act(&queued, verb)?;
            ensure!(answer.status == 200, "{verb}: {answer:?}");
            list()
        });
        let changed = changed.collect::<Result<_>>()?;
        let deleted = laid.some.iter().map(|id| {
            let page = client.legacy(&format!("deleteStudy.php?scratchdir=tmp.{id}"));
            Ok(client.get_at(&page)?.0)
        });
        let deleted = deleted.collect::<Result<_>>()?;
        Ok(vec![
            ("getScratch.php, the first time", first, LIST_FIRST),
            ("getScratch.php, nothing changed", Times(unchanged), LIST),
            ("getScratch.php, one job changed", Times(changed), LIST),
            ("deleteStudy.php", Times(deleted), DELETE),
        ])
    }

    /// Both receive the same objects by turns; one time is that of all objects of a round.
    ///
    /// # Errors
    /// When an object is not answered with Success, or is not in the store afterwards.
    pub fn receive(&self, bucket: &str, objects: u32, rounds: u32) -> Result<Both> {
        let mut both = Both::new();
        let nodes = [&self.none, &self.long];
        for node in nodes {
            send(node.dicom_port(), bucket, 0..u64::from(objects.min(200)))?;
        }
        for round in 1..=u64::from(rounds) {
            let objects = u64::from(objects);
            let numbers = round * objects.max(200)..round * objects.max(200) + objects;
            // Nobody is always first.
            for turn in 0..2 {
                let of_long = (round + turn) % 2 == 1;
                let time = send(nodes[usize::from(of_long)].dicom_port(), bucket, numbers.clone())?;
                let times = if of_long { &mut both.long } else { &mut both.none };
                times.0.push(time);
            }
        }
        for node in nodes {
            let all = u64::from(objects) * u64::from(rounds) + u64::from(objects.min(200));
            node.api()
                .wait_for_job(Duration::from_secs(10), "every object in the store", |job| {
                    job.state == "receiving" && job.instances == all
                })?;
        }
        Ok(both)
    }
}

fn later(client: &Client, laid: &Laid) -> Result<Times> {
    let (mut times, mut seen) = (Vec::new(), 0);
    let mut path = "/jobs".to_owned();
    loop {
        let (time, page) = client.get(&path)?;
        if path.contains('?') {
            times.push(time);
        }
        seen += page["jobs"].as_array().map_or(0, Vec::len);
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/jobs?before={next}");
    }
    ensure!(
        seen == laid.jobs as usize,
        "{seen} of {} jobs are on the pages",
        laid.jobs
    );
    Ok(Times(times))
}

/// A client that keeps its connection.
struct Client {
    agent: ureq::Agent,
    base: String,
}

impl Client {
    fn new(node: &Node) -> Self {
        Self {
            agent: ureq::Agent::new_with_defaults(),
            base: format!("{}/api/v1", node.ready().http),
        }
    }

    /// The time until the answer is here, and what it is.
    fn get(&self, path: &str) -> Result<(Duration, Value)> {
        self.get_at(&format!("{}{path}", self.base))
    }

    /// A page of the original, as a URL.
    fn legacy(&self, page: &str) -> String {
        self.base.replace("/api/v1", &format!("/code/php/{page}"))
    }

    /// The same of any URL.
    fn get_at(&self, url: &str) -> Result<(Duration, Value)> {
        let begin = Instant::now();
        let text = self
            .agent
            .get(url)
            .call()
            .with_context(|| url.to_owned())?
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_string()?;
        let time = begin.elapsed();
        Ok((time, serde_json::from_str(&text)?))
    }
}

/// Sends objects of these numbers over four associations at once.
fn send(port: u16, bucket: &str, numbers: std::ops::Range<u64>) -> Result<Duration> {
    let (first, count) = (numbers.start, numbers.end - numbers.start);
    let mut associations = Vec::new();
    for _ in 0..ASSOCIATIONS {
        let association = Association::open(port, bucket)?;
        associations.push((Object::new(SIZE, association.maximum()), association));
    }
    let start = Barrier::new(associations.len() + 1);
    thread::scope(|scope| {
        let start = &start;
        let senders: Vec<_> = associations
            .into_iter()
            .zip(0..)
            .map(|((mut object, mut association), i)| {
                let part = first + count * i / ASSOCIATIONS..first + count * (i + 1) / ASSOCIATIONS;
                scope.spawn(move || -> Result<()> {
                    start.wait();
                    for n in part {
                        association.store(&mut object, n)?;
                    }
                    association.release()
                })
            })
            .collect();
        start.wait();
        let begin = Instant::now();
        for sender in senders {
            sender.join().map_err(|_| anyhow!("a sender panicked"))??;
        }
        Ok(begin.elapsed())
    })
}
