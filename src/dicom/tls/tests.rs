use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use super::certificate::Certificate;
use super::profile::cipher_suite_names;
use super::server::{Look, Server};
use crate::config::{ClientCertificate, TlsConfig, TlsVersion};
use crate::model::Timestamp;

/// A self-signed certificate and its key, as PEM.
fn pair(name: &str) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn config(directory: &Path) -> TlsConfig {
    let (certificate, key) = pair("node");
    let (ca, _) = pair("ca");
    for (name, content) in [("node.pem", certificate), ("node.key", key), ("ca.pem", ca)] {
        fs::write(directory.join(name), content).unwrap();
    }
    TlsConfig {
        address: "127.0.0.1:0".parse().unwrap(),
        certificate: directory.join("node.pem"),
        key: directory.join("node.key"),
        client_certificate: ClientCertificate::Required,
        client_ca: Some(directory.join("ca.pem")),
        minimum: TlsVersion::V1_2,
    }
}

#[test]
fn every_cipher_suite_has_forward_secrecy_and_authenticated_encryption() {
    let names: Vec<_> = cipher_suite_names().collect();
    // RFC 9325 §4.2 for TLS 1.2; RFC 8446 §9.1 for TLS 1.3.
    for recommended in [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ] {
        assert!(names.iter().any(|n| n == recommended), "{recommended}: {names:?}");
    }
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let (other_certificate, other_key) = pair("other");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let too_long = "x".repeat((1 << 20) + 1);
    for (name, content, told) in [
        ("node.pem", None, "No such file"),
        ("node.pem", Some(""), "no certificate inside"),
        ("node.pem", Some(other_key.as_str()), "no certificate inside"),
        (
            "node.pem",
            Some(no_certificate),
            "the first certificate is broken",
        ),
        (
            "node.pem",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n"),
            "broken PEM",
        ),
        ("node.pem", Some(too_long.as_str()), "longer than 1 MiB"),
        ("node.pem", Some(other_certificate.as_str()), "does not match"),
        ("node.key", Some(other_key.as_str()), "does not match"),
        ("node.key", Some(""), "no private key inside"),
        ("node.key", Some(encrypted), "not encrypted"),
        ("ca.pem", Some(""), "no certificate inside"),
        ("ca.pem", Some(no_certificate), "certificate 1 is unusable"),
    ] {
        let config = config(directory.path());
        let file = directory.path().join(name);
        match content {
            Some(content) => fs::write(&file, content).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let error = Server::open(config).unwrap_err().to_string();
        assert!(error.contains(told), "{told} not in: {error}");
        assert!(error.contains(name), "{name} not in: {error}");
    }
}

#[test]
fn new_files_are_in_force_at_the_next_look() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let server = Server::open(config.clone()).unwrap();
    assert!(matches!(server.look(), Look::Same));
    let (certificate, key) = pair("renewed");
    fs::write(&config.certificate, &certificate).unwrap();
    // The key is not there yet: nothing to complain of.
    assert!(matches!(server.look(), Look::Same));
    fs::write(&config.key, key).unwrap();
    assert!(matches!(server.look(), Look::New(c) if c.common_name.as_deref() == Some("renewed")));
    assert!(matches!(server.look(), Look::Same));
    assert_eq!(server.certificate().common_name.as_deref(), Some("renewed"));
    // So are new CAs.
    fs::write(config.client_ca.unwrap(), certificate).unwrap();
    assert!(matches!(server.look(), Look::New(_)));
}

#[test]
fn unfit_files_are_told_of_once_and_what_was_before_stays() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let server = Server::open(config.clone()).unwrap();
    let good = fs::read(&config.certificate).unwrap();
    fs::write(&config.certificate, "broken").unwrap();
    let looks = [(); 4].map(|()| server.look());
    assert!(
        matches!(looks, [Look::Same, Look::Unfit(_), Look::Same, Look::Same]),
        "{looks:?}"
    );
    fs::remove_file(&config.certificate).unwrap();
    let looks = [(); 3].map(|()| server.look());
    assert!(
        matches!(looks, [Look::Same, Look::Unfit(_), Look::Same]),
        "{looks:?}"
    );
    assert_eq!(server.certificate().common_name.as_deref(), Some("node"));
    fs::write(&config.certificate, good).unwrap();
    assert!(matches!(server.look(), Look::Same));
}

#[test]
fn a_name_is_told_only_where_it_cannot_be_mistaken_for_anything_else() {
    let long = "x".repeat(65);
    for (name, told) in [
        ("SCANNER 3", true),
        ("", false),
        ("a\nb", false),
        ("\u{1b}[31m", false),
        ("Röntgen", false),
        (long.as_str(), false),
    ] {
        let (pem, _) = pair(name);
        let der =
            <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(
                pem.as_bytes(),
            )
            .unwrap();
        let told = told.then(|| name.to_owned());
        assert_eq!(Certificate::parse(&der).unwrap().common_name, told, "{name:?}");
    }
    assert_eq!(Certificate::parse(b"no certificate"), None);
}

#[test]
fn an_expired_certificate_has_nothing_left() {
    let at = |not_after| Certificate {
        not_after,
        common_name: None,
    };
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(at(Timestamp(0)).left(), Duration::ZERO);
    assert!(at(Timestamp::now().plus(day * 2)).left() > day);
}
