//! One round: a fresh receiver, a warm-up, the objects, and what it all took.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde::Serialize;

use super::limits;
use super::measure::{Cpu, FamilyMemory, REST, peak_memory};
use super::pdus::{self, MAXIMUM_PDU, Object};
use super::peer::{Peer, Receiver, Template};
use super::scenario::{Scenario, Way};
use super::sender::{Association, pour};
use super::support::wait::wait_until;

/// The object of the warm-up: small, and not counted among the others.
const WARM_UP: usize = 64 << 10;

/// Directories with so many files of the usual size.
pub const SLICE_FILES: &str = "files-";

/// What one round took.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Objects or associations.
    pub objects: usize,
    /// Bytes of data sets.
    pub bytes: u64,
    pub wall_seconds: f64,
    /// User and system time of the receiver and its children until it rests.
    pub server_cpu_seconds: f64,
    pub sender_cpu_seconds: f64,
    /// Of the receiver; `None` where there is none.
    pub peak_memory_bytes: Option<u64>,
}

/// The directory of one round. Its files are emptied behind it, not removed: ext4 goes round the numbers of files that
/// were removed within the last minutes one by one, and a round behind another would measure that (it doubled the cost
/// of a plain write). The whole is removed at the end of the run.
pub struct Home(PathBuf);

impl Home {
    /// A new one below a directory.
    pub fn new(directory: &Path) -> Result<Self> {
        Ok(Self(tempfile::tempdir_in(directory)?.keep()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        empty(&self.0);
    }
}

fn empty(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => empty(&entry.path()),
            Ok(kind) if kind.is_file() => drop(fs::File::create(entry.path())),
            _ => {}
        }
    }
}

/// What all rounds share.
pub struct Bench {
    /// Everything is written below it.
    pub directory: PathBuf,
    pub template: Template,
    /// The longest PDU that the fast sender uses, whatever the receiver offers.
    pub maximum_pdu: usize,
}

impl Bench {
    /// Runs one round of so many objects.
    ///
    /// # Errors
    /// When the receiver does not start, an object is not answered with Success, or is not on the disk.
    pub fn round(&self, scenario: Scenario, peer: Peer, objects: usize) -> Result<Sample> {
        let home = Home::new(&self.directory)?;
        // What the round before left to the disk is finished before this one begins.
        rustix::fs::sync();
        let size = pdus::data_set_length(scenario.size());
        if let Some(limit) = peer.limit() {
            let before = Cpu::of_self();
            let wall = limits::run(limit, home.path(), objects, size, scenario.associations(objects))?;
            return Ok(sample(objects, size, wall, Cpu::of_self().since(before), None));
        }
        let several = scenario.associations(objects) > 1;
        let receiver = peer.start(home.path(), &self.template, several, size)?;
        self.with(&receiver, scenario, peer, objects, home.path())
            .map_err(|e| {
                anyhow!(
                    "{e:#}; the receiver's log ends with:\n{}",
                    last_lines(&receiver.log())
                )
            })
    }

    fn with(
        &self,
        receiver: &Receiver,
        scenario: Scenario,
        peer: Peer,
        objects: usize,
        home: &Path,
    ) -> Result<Sample> {
        let maximum = if peer == Peer::Sink {
            MAXIMUM_PDU
        } else {
            warm_up(receiver)?
        };
        let prepared = Prepared::new(
            self,
            receiver,
            scenario,
            peer,
            objects,
            maximum.min(self.maximum_pdu),
        )?;
        rustix::fs::sync();
        let server_before = Cpu::of_family_at_rest(receiver.id(), REST);
        let memory = receiver.forks.then(|| FamilyMemory::watch(receiver.id()));
        let sender_before = Cpu::of_self();
        let size = pdus::data_set_length(scenario.size());
        let wall = prepared.send()?;
        let sender = Cpu::of_self().since(sender_before);
        let peak = memory.map_or_else(|| peak_memory(receiver.id()), FamilyMemory::peak);
        let rest = scenario.rest(peer);
        let server = Cpu::of_family_at_rest(receiver.id(), rest).since(server_before);
        if scenario.way() != Way::Echo {
            stored(home, objects, size)?;
        }
        let bytes = if scenario.way() == Way::Echo { 0 } else { size };
        let mut sample = sample(objects, bytes, wall, sender, Some(peak));
        sample.server_cpu_seconds = server.as_secs_f64();
        Ok(sample)
    }
}

fn sample(objects: usize, size: usize, wall: Duration, own: Duration, peak: Option<u64>) -> Sample {
    Sample {
        objects,
        bytes: (objects * size) as u64,
        wall_seconds: wall.as_secs_f64(),
        // Where there is no receiver, what we used is what it took.
        server_cpu_seconds: own.as_secs_f64(),
        sender_cpu_seconds: if peak.is_some() { own.as_secs_f64() } else { 0.0 },
        peak_memory_bytes: peak,
    }
}

/// A C-ECHO and a small object over an association of their own; says which PDUs the receiver takes.
pub fn warm_up(receiver: &Receiver) -> Result<usize> {
    let mut association = Association::open(receiver.port, receiver.called)?;
    let maximum = association.maximum();
    association.echo()?;
    association.store(&mut Object::new(WARM_UP, maximum), 0)?;
    association.release()?;
    Ok(maximum)
}

/// Everything that can be done before the clock starts.
struct Prepared {
    port: u16,
    called: &'static str,
    way: Way,
    raw: bool,
    objects: u64,
    object: Object,
    command: Command,
}

impl Prepared {
    fn new(
        bench: &Bench,
        receiver: &Receiver,
        scenario: Scenario,
        peer: Peer,
        objects: usize,
        maximum: usize,
    ) -> Result<Self> {
        let object = Object::new(scenario.size(), maximum);
        let way = scenario.way();
        let mut command = Command::new("true");
        if let Way::Program(program) = way {
            let files = bench.directory.join(format!("{SLICE_FILES}{objects}"));
            write_files(&files, scenario.size(), objects)?;
            command = Command::new(program);
            command
                .env_remove("TCP_NODELAY")
                .args(["-aet", "BENCH", "-aec", receiver.called, "+sd", "127.0.0.1"])
                .arg(receiver.port.to_string())
                .arg(files);
        }
        Ok(Self {
            port: receiver.port,
            called: receiver.called,
            way,
            raw: peer == Peer::Sink,
            objects: objects as u64,
            object,
            command,
        })
    }

    fn send(mut self) -> Result<Duration> {
        if let Way::Together(associations) = self.way {
            return self.together(associations as u64);
        }
        let begin = Instant::now();
        match self.way {
            Way::Program(program) => {
                let output = self.command.output()?;
                let said = String::from_utf8_lossy(&output.stderr);
                ensure!(output.status.success(), "{program}: {}: {said}", output.status);
            }
            Way::Held => {
                let open = |_| Association::open(self.port, self.called);
                let mut held = (0..self.objects).map(open).collect::<Result<Vec<_>>>()?;
                for (association, n) in held.iter_mut().zip(1..) {
                    association.store(&mut self.object, n)?;
                }
                held.into_iter().try_for_each(Association::release)?;
            }
            Way::OneByOne | Way::Echo | Way::Together(_) => {
                for n in 1..=self.objects {
                    let mut association = Association::open(self.port, self.called)?;
                    match self.way {
                        Way::Echo => association.echo()?,
                        _ => association.store(&mut self.object, n)?,
                    }
                    association.release()?;
                }
            }
        }
        Ok(begin.elapsed())
    }

    /// Each association has its thread and an equal part of the objects; from the first one's begin to the last
    /// one's end.
    fn together(self, associations: u64) -> Result<Duration> {
        let start = Arc::new(Barrier::new(associations as usize));
        let (port, called, raw) = (self.port, self.called, self.raw);
        let workers: Vec<_> = (0..associations)
            .map(|i| {
                let part = 1 + self.objects * i / associations..1 + self.objects * (i + 1) / associations;
                let (mut object, start) = (self.object.clone(), start.clone());
                thread::spawn(move || -> Result<(Instant, Instant)> {
                    start.wait();
                    let begin = Instant::now();
                    if raw {
                        pour(port, &mut object, part)?;
                    } else {
                        let mut association = Association::open(port, called)?;
                        for n in part {
                            association.store(&mut object, n)?;
                        }
                        association.release()?;
                    }
                    Ok((begin, Instant::now()))
                })
            })
            .collect();
        let joined = workers
            .into_iter()
            .map(|w| w.join().map_err(|_| anyhow!("a sender panicked"))?);
        let times = joined.collect::<Result<Vec<_>>>()?;
        let begin = times.iter().map(|t| t.0).min().context("no associations")?;
        let end = times.iter().map(|t| t.1).max().context("no associations")?;
        Ok(end - begin)
    }
}

/// Writes the files of the stock senders once.
pub fn write_files(directory: &Path, size: usize, objects: usize) -> Result<()> {
    if directory.exists() {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    for n in 1..=objects as u64 {
        fs::write(directory.join(format!("{n}.dcm")), pdus::part10(size, n))?;
    }
    Ok(())
}

/// As many files of at least that size have to lie below the receiver's directory.
pub fn stored(home: &Path, objects: usize, size: usize) -> Result<()> {
    let look = || (count(home, size as u64) >= objects).then_some(());
    wait_until(Duration::from_secs(10), "all objects on the disk", look)
        .with_context(|| format!("{} of {objects} are there", count(home, size as u64)))
}

fn count(directory: &Path, size: u64) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => count(&entry.path(), size),
            Ok(meta) => usize::from(meta.len() >= size),
            Err(_) => 0,
        })
        .sum()
}

pub fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
