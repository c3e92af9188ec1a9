//! Logs: to stderr, with the same names for the same things everywhere. Metrics: numbers for a monitoring system.

pub mod metrics;

use tracing_subscriber::EnvFilter;

/// Names of log fields.
pub mod field {
    /// The number of an association, unique while the node runs.
    pub const ASSOCIATION: &str = "association.id";
    /// Calling AE title.
    pub const CALLING: &str = "ae.calling";
    /// Called AE title.
    pub const CALLED: &str = "ae.called";
    /// Common name of the certificate that a peer has shown over TLS.
    pub const TLS_CLIENT: &str = "tls.client";
    /// Address and port of a peer.
    pub const PEER: &str = "peer.addr";
    /// A job's name.
    pub const JOB: &str = "job.id";
    /// A delivery's number.
    pub const DELIVERY: &str = "delivery.id";
    /// A DIMSE command field, 4 hex digits.
    pub const COMMAND: &str = "dimse.command";
    /// A DIMSE status, 4 hex digits.
    pub const STATUS: &str = "dimse.status";
    /// Bytes of data sets.
    pub const BYTES: &str = "bytes";
}

/// Starts logging to stderr; `MAGICKBOX_LOG` says what (`info`, `debug`, `magickbox=debug,bollard=warn` …).
pub fn start() {
    let filter = EnvFilter::try_from_env("MAGICKBOX_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours =
        std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .try_init();
}
