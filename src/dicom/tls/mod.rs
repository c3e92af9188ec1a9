//! DICOM over TLS (PS3.15 §B.12, the BCP 195 profile): certificates, versions, cipher suites, and the stream that an
//! association runs on.
//!
//! ```text
//! profile      versions and cipher suites
//! certificate  what a person wants to know of one: until when, and whose
//! load         PEM files become what rustls needs, or an error that names the file
//! server       what is in force, and looking at the files again
//! client       TLS as the one who calls
//! stream       rustls on a blocking socket, one read at a time
//! ```
//!
//! Only TLS is spoken on the port: nothing is upgraded and nothing downgraded. The association above does not know.

mod certificate;
mod client;
mod load;
mod profile;
mod server;
mod stream;

pub use certificate::Certificate;
pub use client::Connector;
pub use load::TlsError;
pub use profile::cipher_suite_names;
pub use server::{Look, Server};
pub use stream::{Client, TlsStream};

#[cfg(test)]
mod tests;
