//! Section 6. The structs are taken apart without `..`: a setting that is not in the statement does not compile.

use std::fmt::Display;

use super::markdown::Document;
use super::security::{access, tls};
use super::site::{Site, bytes, duration};
use crate::config::{ClassifyConfig, Config, DeliveryConfig, DicomConfig, StorageConfig};
use crate::model::Durability;

/// One key of the configuration.
pub(super) struct Setting {
    pub key: &'static str,
    pub meaning: &'static str,
    /// What is allowed, with its unit.
    pub range: &'static str,
    pub value: String,
}

pub(super) fn setting(
    key: &'static str,
    meaning: &'static str,
    range: &'static str,
    value: impl Display,
) -> Setting {
    let value = value.to_string();
    Setting {
        key,
        meaning,
        range,
        value,
    }
}

const TIME: &str = "a length of time, as `30s`, `10m`";
const COUNT: &str = "1 to 10000";
const SIZE: &str = "4 KiB to 1 MiB";

pub(super) fn write(d: &mut Document, site: &Site) {
    d.heading("6", "Configuration");
    d.text(
        "The node reads one TOML file. A key that is not there has its default; an unknown key or a value out of range \
         keeps the node from starting, with the line it stands in.",
    );
    d.heading("6.1", "General Configuration Parameters");
    ae_titles(d, site);
    table(d, site, "Storing, `[storage]`", storage);
    table(d, site, "What a series is, `[classify]`", classify);
    table(d, site, "The audit trail, `[audit]`", super::trail::settings);
    d.heading("6.2", "Configuration of DIMSE Services");
    for (number, service) in [
        ("6.2.1", "Basic Worklist Management Service"),
        ("6.2.2", "Modality Performed Procedure Step Service"),
        ("6.2.3", "Unified Worklist and Procedure Step Service"),
        ("6.2.4", "Instance Availability Notification Service"),
    ] {
        d.heading(number, service);
        d.text("Not applicable.");
    }
    d.heading("6.2.5", "Storage Service");
    table(d, site, "Receiving, `[dicom]`", dicom);
    table(d, site, "How much may wait, `[engine]`", queue);
    table(
        d,
        site,
        "Receiving over TLS, `[dicom.tls]`; without this table there is no such port",
        tls,
    );
    table(d, site, "Who may call", access);
    table(d, site, "Sending, `[delivery]`", delivery);
    super::destinations::write(d, site);
    for (number, service) in [
        ("6.2.6", "Storage Commitment Service"),
        ("6.2.7", "Query/Retrieve Service"),
        ("6.2.8", "Print Management Service"),
        ("6.3", "Configuration of DICOM Web Services"),
        ("6.4", "Configuration of Media Storage Services"),
        ("6.5", "Configuration of Real-Time Video Services"),
        ("6.6", "Configuration of Audit Trail"),
    ] {
        d.heading(number, service);
        d.text(match number {
            "6.3" => "DICOMweb servers that results are sent to, `[[dicomweb]]`, are in 6.2.5.",
            _ => "Not applicable.",
        });
    }
}

/// Settings with their defaults, and with what this node has where the statement is for one.
pub(super) fn table(d: &mut Document, site: &Site, caption: &str, of: fn(&Config) -> Vec<Setting>) {
    let defaults = of(&site.defaults);
    if defaults.is_empty() {
        return;
    }
    let here = of(&site.config);
    if site.file.is_none() {
        let row = |s: Setting| [code(s.key), s.meaning.into(), s.range.into(), s.value];
        d.table(
            caption,
            ["Key", "Meaning", "Range", "Default"],
            defaults.into_iter().map(row),
        );
    } else {
        let row = |(default, here): (Setting, Setting)| {
            let of_here = if default.value == here.value {
                here.value
            } else {
                format!("**{}**", here.value)
            };
            [
                code(default.key),
                default.meaning.into(),
                default.range.into(),
                default.value,
                of_here,
            ]
        };
        let head = ["Key", "Meaning", "Range", "Default", "This Node"];
        d.table(caption, head, defaults.into_iter().zip(here).map(row));
    }
}

pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

fn ae_titles(d: &mut Document, site: &Site) {
    let installed = site.buckets.clone();
    let configured = || site.config.buckets.keys().map(ToString::to_string).collect();
    let (titles, whence): (Vec<String>, _) = match installed {
        Some(titles) => (titles, "of the buckets that are installed on this node"),
        None => (
            configured(),
            "that the configuration names; the node answers to the AE title of every bucket that is installed on it, and \
             `buckets list` shows them",
        ),
    };
    let own = site.config.delivery.calling.to_string();
    let receiving = titles.into_iter().map(|title| [title, "Receiving AE".to_owned()]);
    d.text(&format!(
        "AE titles have 1 to 16 characters, and case matters. Those of the Receiving AE are the ones {whence}."
    ));
    let rows: Vec<_> = receiving
        .chain([[own, "Sending AE, where a remote AE has no other".to_owned()]])
        .collect();
    d.table("AE Titles of the Node", ["AE Title", "Used by"], rows);
}

fn classify(config: &Config) -> Vec<Setting> {
    let ClassifyConfig { rules } = &config.classify;
    vec![setting(
        "rules",
        "the rules that tell the types of a series, by which buckets accept series or leave them out; read when the node \
         starts",
        "the name of a file",
        rules.as_ref().map_or_else(
            || "rules for MR that are built in".to_owned(),
            |path| path.display().to_string(),
        ),
    )]
}

fn storage(config: &Config) -> Vec<Setting> {
    let StorageConfig {
        durability,
        reserve,
        resume,
        reserve_files,
        keep,
        make_room,
        commit_for,
        commit_completes,
    } = &config.storage;
    let durability = match durability {
        Durability::Instance => "instance",
        Durability::Association => "association",
        Durability::None => "none",
    };
    vec![
        setting(
            "durability",
            "what an object has to survive before it is answered with Success: a loss of power; a loss of power after its \
             association was released; nothing but a crash of the program",
            "`instance`, `association`, `none`",
            durability,
        ),
        setting(
            "reserve",
            "what is left free on the disk: below it associations are rejected for the moment, and objects answered A700",
            "a size",
            bytes(*reserve),
        ),
        setting(
            "resume",
            "what has to be free again before receiving goes on; a quarter above `reserve` unless set",
            "a size, not below `reserve`",
            bytes(*resume),
        ),
        setting(
            "reserve_files",
            "the same for the number of files the disk still takes; receiving goes on a quarter above",
            "1 to 1000000000",
            reserve_files,
        ),
        setting(
            "keep",
            "how long the files of a job are kept after its end, unless its bucket says something else; the history of jobs \
             is never removed",
            "an age, as `30d`, or `forever`",
            keep,
        ),
        setting(
            "make_room",
            "while less is free, the oldest jobs that are over are removed; never one with results that are not delivered, \
             or of a bucket that keeps them `forever`",
            "a size",
            make_room.map_or_else(|| "none".to_owned(), bytes),
        ),
        setting(
            "commit_for",
            "how long objects are kept that storage commitment was given for, whatever `keep` and `make_room` say; counted \
             from the answer",
            "an age, as `30d`, or `forever`",
            commit_for,
        ),
        setting(
            "commit_completes",
            "whether a request for storage commitment that lists all of an open set starts its job at once; not where a \
             scanner asks series by series",
            "`true`, `false`",
            commit_completes,
        ),
    ]
}

/// Of `[engine]` only what a peer sees of it.
fn queue(config: &Config) -> Vec<Setting> {
    vec![
        setting(
            "queue",
            "jobs of one AE title that may wait; beyond, associations to it are rejected for the moment, and the first \
             object of another study is answered A700",
            "1 to 1000000",
            config.engine.queue,
        ),
        setting(
            "hold",
            "time an operator has to release a job that is held; then it is cancelled, and nothing of it is sent",
            TIME,
            duration(config.engine.hold),
        ),
    ]
}

fn dicom(config: &Config) -> Vec<Setting> {
    let DicomConfig {
        address,
        networks: _, // under "Who may call"
        associations,
        associations_per_address,
        artim,
        idle,
        object_time,
        maximum_pdu,
        associate_request,
        asynchronous_operations,
        private_sop_classes,
        tls: _, // a table of its own
    } = &config.dicom;
    let private: Vec<_> = private_sop_classes.iter().map(ToString::to_string).collect();
    vec![
        setting(
            "address",
            "where the Receiving AE listens",
            "address and port",
            address,
        ),
        setting("associations", "associations open at once", COUNT, associations),
        setting(
            "associations_per_address",
            "of those, from one peer address",
            COUNT,
            associations_per_address,
        ),
        setting(
            "artim",
            "ARTIM: time for the whole A-ASSOCIATE-RQ, and for the peer to close at the end",
            TIME,
            duration(*artim),
        ),
        setting(
            "idle",
            "time without a byte from the peer before A-ABORT",
            TIME,
            duration(*idle),
        ),
        setting(
            "object_time",
            "time for one object, from its command to its last byte",
            TIME,
            duration(*object_time),
        ),
        setting(
            "maximum_pdu",
            "maximum length of P-DATA-TF that is offered",
            SIZE,
            bytes((*maximum_pdu).into()),
        ),
        setting(
            "associate_request",
            "longest A-ASSOCIATE-RQ that is read",
            SIZE,
            bytes((*associate_request).into()),
        ),
        setting(
            "asynchronous_operations",
            "requests a peer may send before the first is answered, where it asks for that",
            "1 to 1000",
            asynchronous_operations,
        ),
        setting(
            "private_sop_classes",
            "private SOP classes that are stored too",
            "UIDs",
            if private.is_empty() {
                "none".to_owned()
            } else {
                private.join(", ")
            },
        ),
    ]
}

fn delivery(config: &Config) -> Vec<Setting> {
    let DeliveryConfig {
        calling,
        first_retry,
        longest_retry,
        give_up,
        connect,
        response,
        commit_timeout,
        commit_tries,
    } = &config.delivery;
    vec![
        setting(
            "calling_ae_title",
            "the node's AE title when it sends",
            "an AE title",
            calling,
        ),
        setting(
            "first_retry",
            "wait after the first failure; doubled each time, and up to a quarter less, for each delivery its own",
            TIME,
            duration(*first_retry),
        ),
        setting(
            "longest_retry",
            "longest wait between two tries",
            TIME,
            duration(*longest_retry),
        ),
        setting(
            "give_up",
            "time after which a delivery is held",
            TIME,
            duration(*give_up),
        ),
        setting(
            "connect",
            "time for a connection to open",
            TIME,
            duration(*connect),
        ),
        setting(
            "response",
            "time for the peer to answer one message",
            TIME,
            duration(*response),
        ),
        setting(
            "commit_timeout",
            "time for a remote AE with `commit = true` to say that it keeps what it took",
            TIME,
            duration(*commit_timeout),
        ),
        setting(
            "commit_tries",
            "how often it is asked before the delivery is shown as not committed",
            "1 to 100",
            commit_tries,
        ),
    ]
}
