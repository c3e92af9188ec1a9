//! Section 8, and the settings of who may call.

use std::path::Path;

use super::configuration::{Setting, code, setting};
use super::markdown::Document;
use super::site::Site;
use super::trail;
use crate::config::{ClientCertificate, Config, TlsConfig, TlsVersion};
use crate::dicom::tls::cipher_suite_names;
use crate::model::{Caller, Remote};

pub(super) fn write(d: &mut Document, site: &Site) {
    d.heading("8", "Security");
    d.heading("8.1", "Introduction");
    d.text(
        "The node is made for the network of a hospital's imaging systems, not for the internet. The container of a bucket \
         has no network unless its description asks for one.",
    );
    d.heading("8.2", "External Network Requirements");
    d.text(who_may_connect(site));
    d.text("DNS only for remote AEs that are given by name. No time server, directory or configuration service is used.");
    d.heading("8.3", "TCP Port Configuration");
    ports(d, site);
    d.heading("8.4", "DICOM Security Profiles Support");
    security(d);
    d.heading("8.5", "User Identity Negotiation Support");
    d.text("See 7.2.1.2: an identity is accepted and not used. None is sent.");
    d.heading("8.6", "Web Services Security Features");
    d.text("Not applicable.");
    d.heading("8.7", "Other Security Features");
    d.list([
        "Logs and events hold AE titles, addresses, UIDs and statuses, never an attribute of a patient.",
        "Nothing that a peer sends becomes part of a path unless it is a valid UID or AE title.",
        "Every wait for a peer has an end, and every peer's share of associations has a limit (6.2.5).",
    ]);
}

/// Who is let in.
fn who_may_connect(_: &Site) -> &'static str {
    "A peer may call from the networks in `[dicom] networks` with any calling AE title, or as one of the `[[caller]]`s. \
     Anybody else is rejected with 1/1/3, before it is told whether the called AE title exists. Without a configuration \
     only this machine may call: nothing is taken from the network until somebody says from whom."
}

/// The settings of who may call.
pub(super) fn access(config: &Config) -> Vec<Setting> {
    let networks: Vec<_> = config.dicom.networks.iter().map(ToString::to_string).collect();
    let mut settings = vec![setting(
        "networks",
        "`[dicom]`: peers there may call with any AE title",
        "addresses and networks",
        networks.join(", "),
    )];
    settings.extend(config.callers.iter().map(|caller| {
        setting(
            "[[caller]]",
            "`ae_title`, `addresses`, `buckets`: who else may call, from where, and whom; what is absent holds for all",
            "a table for each",
            told(caller),
        )
    }));
    settings
}

fn told(
    Caller {
        ae_title,
        addresses,
        buckets,
    }: &Caller,
) -> String {
    let list = |items: Vec<String>| items.join(", ");
    let title = ae_title
        .as_ref()
        .map_or("any AE title".to_owned(), ToString::to_string);
    let from = addresses.as_ref().map_or("anywhere".to_owned(), |a| {
        list(a.iter().map(ToString::to_string).collect())
    });
    let called = buckets.as_ref().map_or("every AE title".to_owned(), |b| {
        list(b.iter().map(ToString::to_string).collect())
    });
    format!("{title} from {from} to {called}")
}

/// The profiles of PS3.15.
fn security(d: &mut Document) {
    d.text(
        "The BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 §B.12), as server, where `[dicom.tls]` is \
         configured (6.2.5): TLS 1.3 and 1.2, nothing older, on a port of its own; by default a client has to show a \
         certificate of a CA that the site accepts. The name in it goes to the log; who may call is decided as without TLS. \
         Certificate revocation lists are not looked at. These cipher suites are taken:",
    );
    d.list(
        cipher_suite_names()
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str),
    );
    d.text(
        "The Sending AE uses TLS with a remote AE that has a table `tls`: versions 1.2 and 1.3 and the cipher suites above; \
         the peer's certificate has to be of a CA of `ca` and for the host of its address, or for `name`; the node shows the \
         certificate of `certificate` and `key` where they are given. Nothing is sent without TLS to such a peer.",
    );
    trail::write(d);
    d.text("No digital signatures, no encrypted media.");
}

fn ports(d: &mut Document, site: &Site) {
    let row = |port: String, direction: &str, what: &str| [port, direction.to_owned(), what.to_owned()];
    let tls = site.config.dicom.tls.as_ref();
    let tls = tls.map(|tls| row(tls.address.to_string(), "in", "DICOM over TLS, Receiving AE"));
    let own = [
        row(site.config.dicom.address.to_string(), "in", "DICOM, Receiving AE"),
        row(
            site.config.http.address.to_string(),
            "in",
            if site.config.http.tls.is_some() {
                "HTTPS, administration; not DICOM"
            } else {
                "HTTP, administration; not DICOM"
            },
        ),
    ];
    let remote = site
        .config
        .remotes
        .iter()
        .filter_map(|remote| match remote {
            Remote::Dicom(ae) if ae.tls.is_some() => Some((ae.address.clone(), "DICOM over TLS, Sending AE")),
            Remote::Dicom(ae) => Some((ae.address.clone(), "DICOM, Sending AE")),
            Remote::Web(web) => Some((web.url.clone(), "DICOMweb, Sending AE")),
            Remote::Folder(_) => None,
        })
        .map(|(address, what)| row(address, "out", what));
    let collector = site.config.audit.collector.as_ref();
    let collector = collector.map(|c| row(c.address.clone(), "out", "syslog, audit messages"));
    d.table(
        "TCP Ports",
        ["Address and Port", "Direction", "For"],
        own.into_iter().chain(tls).chain(remote).chain(collector),
    );
}

/// The settings of TLS.
pub(super) fn tls(config: &Config) -> Vec<Setting> {
    let file = |path: &Path| code(&path.display().to_string());
    let absent = || "none".to_owned();
    // What would hold for a table with nothing but what it has to have.
    let (mut at, mut own, mut key, mut ca) = ("0.0.0.0:2762".to_owned(), absent(), absent(), absent());
    let (mut client, mut version) = (ClientCertificate::Required, TlsVersion::V1_2);
    if let Some(TlsConfig {
        address,
        certificate,
        key: key_file,
        client_certificate,
        client_ca,
        minimum,
    }) = &config.dicom.tls
    {
        (at, own, key) = (address.to_string(), file(certificate), file(key_file));
        ca = client_ca.as_deref().map_or_else(absent, file);
        (client, version) = (*client_certificate, *minimum);
    }
    let client = match client {
        ClientCertificate::None => "none",
        ClientCertificate::Optional => "optional",
        ClientCertificate::Required => "required",
    };
    let version = match version {
        TlsVersion::V1_2 => "1.2",
        TlsVersion::V1_3 => "1.3",
    };
    vec![
        setting(
            "address",
            "where the Receiving AE listens for TLS",
            "address and port",
            at,
        ),
        setting(
            "certificate",
            "the node's certificate and the CAs between it and the root; read again within seconds of a change",
            "a PEM file",
            own,
        ),
        setting("key", "its private key, not encrypted", "a PEM file", key),
        setting(
            "client_certificate",
            "whether a peer has to show a certificate",
            "`none`, `optional`, `required`",
            client,
        ),
        setting(
            "client_ca",
            "the CAs whose certificates a peer may show",
            "a PEM file",
            ca,
        ),
        setting(
            "minimum",
            "the oldest version of TLS that is spoken",
            "`1.2`, `1.3`",
            version,
        ),
    ]
}
