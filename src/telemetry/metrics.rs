//! Numbers for a monitoring system, in Prometheus' text format.
//!
//! They belong to the process, as the log does, so they are one static. A crate for a dozen numbers without labels
//! of a peer's choosing would be more code to wire than this is.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The `Content-Type` of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The numbers of this process.
pub static METRICS: Metrics = Metrics::new();

/// A number that only grows.
#[derive(Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn value(&self) -> i128 {
        self.0.load(Ordering::Relaxed).into()
    }
}

/// A number that goes up and down.
#[derive(Debug)]
pub struct Gauge(AtomicI64);

impl Gauge {
    const fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    /// One more.
    pub fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// What it is now.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// This, whatever it was.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    fn value(&self) -> i128 {
        self.0.load(Ordering::Relaxed).into()
    }
}

/// Every number there is.
#[derive(Debug)]
pub struct Metrics {
    /// Connections that are open, whatever they are up to.
    pub connections_open: Gauge,
    /// Associations that are open.
    pub associations_open: Gauge,
    /// Association requests that were accepted.
    pub associations_accepted: Counter,
    /// Association requests that were rejected.
    pub associations_rejected: Counter,
    /// Accepted associations that did not end by release.
    pub associations_aborted: Counter,
    /// Connections that came to no request: no TLS, garbage, silence.
    pub associations_failed: Counter,
    /// Objects answered with Success.
    pub objects_stored: Counter,
    /// Objects answered with a failure.
    pub objects_refused: Counter,
    /// Bytes of the data sets that were stored.
    pub received_bytes: Counter,
    /// Bytes that the fullest disk of the data directory still takes.
    pub disk_free_bytes: Gauge,
    /// 1 while nothing is received because the disk is down to its reserve.
    pub receiving_stopped: Gauge,
    /// Jobs whose files were removed by age or to make room.
    pub jobs_removed: Counter,
    /// Deliveries that arrived whole.
    pub deliveries_sent: Counter,
    /// Deliveries that were refused, the destination or an object of them: a person has to look.
    pub deliveries_refused: Counter,
    /// Deliveries that were given up for now: a person has to look.
    pub deliveries_held: Counter,
    /// When the TLS certificate expires, in seconds since 1970; 0 where there is none.
    pub tls_certificate_expiry: Gauge,
    /// Events of the audit trail that the collector does not have yet.
    pub audit_backlog: Gauge,
    /// Rules in force that say where results go.
    pub routing_rules: Gauge,
    /// 1 while the newest routing.json is not in force.
    pub routing_refused: Gauge,
}

/// Adds a family of numbers as Prometheus reads it; each sample has its labels, in braces, and its value.
pub fn family(text: &mut String, name: &str, kind: &str, help: &str, samples: &[(impl AsRef<str>, i128)]) {
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "# HELP magickbox_{name} {help}\n# TYPE magickbox_{name} {kind}"
    );
    for (label, value) in samples {
        let _ = writeln!(text, "magickbox_{name}{} {value}", label.as_ref());
    }
}

impl Metrics {
    const fn new() -> Self {
        Self {
            connections_open: Gauge::new(),
            associations_open: Gauge::new(),
            associations_accepted: Counter::new(),
            associations_rejected: Counter::new(),
            associations_aborted: Counter::new(),
            associations_failed: Counter::new(),
            objects_stored: Counter::new(),
            objects_refused: Counter::new(),
            received_bytes: Counter::new(),
            disk_free_bytes: Gauge::new(),
            receiving_stopped: Gauge::new(),
            jobs_removed: Counter::new(),
            deliveries_sent: Counter::new(),
            deliveries_refused: Counter::new(),
            deliveries_held: Counter::new(),
            tls_certificate_expiry: Gauge::new(),
            audit_backlog: Gauge::new(),
            routing_rules: Gauge::new(),
            routing_refused: Gauge::new(),
        }
    }

    /// All of them as Prometheus reads them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(&str, i128)]| {
            family(&mut text, name, kind, help, samples);
        };
        family(
            "connections_open",
            "gauge",
            "Connections to the DICOM ports that are open.",
            &[("", self.connections_open.value())],
        );
        family(
            "associations_open",
            "gauge",
            "Associations that are open.",
            &[("", self.associations_open.value())],
        );
        family(
            "associations_total",
            "counter",
            "Associations accepted, rejected, aborted (after they were accepted), and connections that failed before one.",
            &[
                (r#"{result="accepted"}"#, self.associations_accepted.value()),
                (r#"{result="rejected"}"#, self.associations_rejected.value()),
                (r#"{result="aborted"}"#, self.associations_aborted.value()),
                (r#"{result="failed"}"#, self.associations_failed.value()),
            ],
        );
        family(
            "objects_stored_total",
            "counter",
            "Objects that were stored and answered with Success.",
            &[("", self.objects_stored.value())],
        );
        family(
            "objects_refused_total",
            "counter",
            "Objects that were answered with a failure.",
            &[("", self.objects_refused.value())],
        );
        family(
            "received_bytes_total",
            "counter",
            "Bytes of data sets that were stored.",
            &[("", self.received_bytes.value())],
        );
        family(
            "disk_free_bytes",
            "gauge",
            "Bytes that the fullest disk of the data directory still takes.",
            &[("", self.disk_free_bytes.value())],
        );
        family(
            "receiving_stopped",
            "gauge",
            "1 while nothing is received because the disk is down to its reserve.",
            &[("", self.receiving_stopped.value())],
        );
        family(
            "jobs_removed_total",
            "counter",
            "Jobs whose files were removed by age or to make room.",
            &[("", self.jobs_removed.value())],
        );
        family(
            "deliveries_total",
            "counter",
            "Deliveries that arrived whole, were refused (in part, too), or are held: of the latter two a person has to know.",
            &[
                (r#"{result="sent"}"#, self.deliveries_sent.value()),
                (r#"{result="refused"}"#, self.deliveries_refused.value()),
                (r#"{result="held"}"#, self.deliveries_held.value()),
            ],
        );
        family(
            "audit_backlog",
            "gauge",
            "Events of the audit trail that the collector does not have yet; 0 without a collector.",
            &[("", self.audit_backlog.value())],
        );
        family(
            "routing_rules",
            "gauge",
            "Rules in force that say where results go.",
            &[("", self.routing_rules.value())],
        );
        family(
            "routing_refused",
            "gauge",
            "1 while the newest routing.json is not in force, because it is wrong or gone.",
            &[("", self.routing_refused.value())],
        );
        // A certificate that is not there does not expire in 1970.
        let expiry = self.tls_certificate_expiry.value();
        if expiry != 0 {
            family(
                "tls_certificate_expiry_seconds",
                "gauge",
                "When the certificate of the DICOM TLS port expires, in seconds since 1970.",
                &[("", expiry)],
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_sample_of_the_family_above_it() {
        let metrics = Metrics::new();
        metrics.associations_rejected.one();
        metrics.received_bytes.add(7);
        metrics.associations_open.up();
        metrics.associations_open.up();
        metrics.associations_open.down();
        assert!(!metrics.text().contains("tls_certificate"));
        metrics.tls_certificate_expiry.set(-5);
        let text = metrics.text();
        for line in [
            "magickbox_associations_open 1",
            "magickbox_associations_total{result=\"rejected\"} 1",
            "magickbox_received_bytes_total 7",
            "magickbox_tls_certificate_expiry_seconds -5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} not in\n{text}");
        }
        let mut family = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                family = name;
            } else if !line.starts_with("# HELP ") {
                assert!(line.starts_with(family), "{line}");
            }
        }
    }
}
