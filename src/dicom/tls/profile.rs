//! What is negotiated: the BCP 195 profile (PS3.15 §B.12, RFC 9325).

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use crate::config::TlsVersion;

/// Cipher suites, best first: those that RFC 9325 §4.2 recommends, and the two of TLS 1.3 with the same ciphers.
/// All have forward secrecy and authenticated encryption. DHE is left out: ECDHE is in every suite that is asked for.
pub(super) const CIPHER_SUITES: [SupportedCipherSuite; 6] = [
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// ring, restricted to [`CIPHER_SUITES`].
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: CIPHER_SUITES.to_vec(),
        ..ring::default_provider()
    })
}

/// The names of [`CIPHER_SUITES`] as IANA registers them.
pub fn cipher_suite_names() -> impl Iterator<Item = String> {
    let names = CIPHER_SUITES.iter().filter_map(|suite| suite.suite().as_str());
    // rustls tells the suites of TLS 1.3 by a prefix of its own.
    names.map(|name| name.replacen("TLS13_", "TLS_", 1))
}

/// The versions spoken; 1.3 is taken where the peer has it.
pub(super) fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
    static LATER: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match minimum {
        TlsVersion::V1_2 => &BOTH,
        TlsVersion::V1_3 => &LATER,
    }
}
