//! `[[remote_ae]]`, `[[folder]]` and `[[dicomweb]]`: what takes results.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::require;
use super::tls::pem_file;
use crate::model::{AeTitle, DicomWeb, Folder, Reader, Remote, RemoteAe, RemoteTls, SENDER, SendLimits};

/// Bytes a second that a destination may be limited to.
const BANDWIDTH: RangeInclusive<u64> = 64 << 10..=100 << 30;

/// Associations that a destination may have at once.
const ASSOCIATIONS: RangeInclusive<u64> = 1..=16;

/// The longest URL of a DICOMweb server.
const LONGEST_URL: usize = 1000;

pub(super) fn read_remote_ae(r: &Reader<'_>, own: &AeTitle) -> Option<RemoteAe> {
    let host_port = |text: &str| match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0) => {
            Ok(text.to_owned())
        }
        _ => Err("a host and port, like \"pacs.example:104\""),
    };
    let (ae_title, address) = (name(r, "ae_title"), r.text("address", host_port));
    let calling = r
        .text("calling_ae_title", AeTitle::parse)
        .unwrap_or_else(|| own.clone());
    let wants_tls = r.map().is_some_and(|map| map.contains_key("tls"));
    let tls = wants_tls.then(|| read_tls(&r.table("tls")));
    let limits = read_limits(r);
    let commit = r.flag("commit");
    r.deny_unknown();
    require(r, &["ae_title", "address"]);
    Some(RemoteAe {
        ae_title: ae_title?,
        address: address?,
        calling,
        // A table that is not complete is a finding: nothing is sent without TLS because of it.
        tls: tls.map_or(Some(None), |tls| tls.map(Some))?,
        limits,
        commit: commit.unwrap_or(false),
    })
}

fn read_tls(r: &Reader<'_>) -> Option<RemoteTls> {
    let (ca, identity) = (pem_file(r, "ca"), read_identity(r));
    let name = r.text("name", |text| {
        match rustls::pki_types::ServerName::try_from(text.to_owned()) {
            Ok(_) => Ok(text.to_owned()),
            Err(_) => Err("the name of a host, or an address"),
        }
    });
    r.deny_unknown();
    require(r, &["ca"]);
    Some(RemoteTls {
        ca: ca?,
        identity,
        name,
    })
}

/// The certificate that we show, and its key; both or none.
pub(super) fn read_identity(r: &Reader<'_>) -> Option<(PathBuf, PathBuf)> {
    let (certificate, key) = (pem_file(r, "certificate"), pem_file(r, "key"));
    match (&certificate, &key) {
        (Some(_), None) if r.raw("key").is_none() => r.find("key", "is missing: the certificate's key"),
        (None, Some(_)) if r.raw("certificate").is_none() => {
            r.find("certificate", "is missing: the key's certificate");
        }
        _ => {}
    }
    certificate.zip(key)
}

fn read_limits(r: &Reader<'_>) -> SendLimits {
    let associations = r.whole("associations", ASSOCIATIONS);
    SendLimits {
        bandwidth: r.bytes_within("bandwidth", BANDWIDTH),
        associations: associations.and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
    }
}

fn name(r: &Reader<'_>, key: &'static str) -> Option<AeTitle> {
    r.text(key, |text| match AeTitle::parse(text) {
        Ok(_) if text == SENDER => {
            Err("stands for whoever sent a job's objects, in `to` of a route".to_owned())
        }
        title => title.map_err(|e| e.to_string()),
    })
}

pub(super) fn read_folder(r: &Reader<'_>) -> Option<Folder> {
    let name = name(r, "name");
    let path = r.text("path", |text| {
        let path = Path::new(text);
        if path.is_absolute() {
            Ok(path.to_owned())
        } else {
            Err("the absolute path of a directory")
        }
    });
    let limits = read_limits(r);
    r.deny_unknown();
    require(r, &["name", "path"]);
    Some(Folder {
        name: name?,
        path: path?,
        limits,
    })
}

pub(super) fn read_dicomweb(r: &Reader<'_>) -> Option<DicomWeb> {
    let name = name(r, "name");
    let url = r.text("url", |text| {
        let rest = text.strip_prefix("https://").or(text.strip_prefix("http://"));
        let shaped = |rest: &str| {
            !rest.is_empty()
                && !rest.starts_with('/')
                && text.len() <= LONGEST_URL
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#' && b != b'@')
        };
        match rest {
            Some(rest) if shaped(rest) => Ok(text.trim_end_matches('/').to_owned()),
            _ => Err("a URL without a query, like \"https://pacs.example/dicom-web\""),
        }
    });
    let token = r.text("token", |text| match text {
        "" => Err("the name of a file with a token"),
        name => Ok(PathBuf::from(name)),
    });
    let (ca, identity) = (pem_file(r, "ca"), read_identity(r));
    let encrypted = url.as_ref().is_none_or(|url| url.starts_with("https://"));
    if encrypted && ca.is_none() && r.raw("ca").is_none() {
        r.find(
            "ca",
            "is missing: a PEM file with the CAs that vouch for the server",
        );
    }
    if !encrypted && (token.is_some() || identity.is_some()) {
        let how = "has to be https:// where a token or a certificate is shown";
        r.find("url", how);
    }
    let limits = read_limits(r);
    r.deny_unknown();
    require(r, &["name", "url"]);
    Some(DicomWeb {
        name: name?,
        url: url?,
        token,
        ca,
        identity,
        limits,
    })
}

/// Every destination of the file; two of one name are a finding.
pub(super) fn all(
    top: &Reader<'_>,
    remote_aes: &[RemoteAe],
    folders: &[Folder],
    dicomwebs: &[DicomWeb],
) -> Vec<Remote> {
    let aes = remote_aes.iter().cloned().map(Remote::Dicom);
    let folders = folders.iter().cloned().map(Remote::Folder);
    let webs = dicomwebs.iter().cloned().map(Remote::Web);
    let kinds = [
        ("remote_ae", aes.collect::<Vec<_>>()),
        ("folder", folders.collect()),
        ("dicomweb", webs.collect()),
    ];
    let mut all: Vec<Remote> = Vec::new();
    for (kind, remotes) in kinds {
        for (i, remote) in remotes.into_iter().enumerate() {
            if all.iter().any(|other| other.name() == remote.name()) {
                top.find(
                    &format!("{kind}[{i}]"),
                    format!("{} is there twice", remote.name()),
                );
            }
            all.push(remote);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;
    use crate::model::{Remote, SendLimits};

    fn read(text: &str) -> Result<Vec<Remote>, String> {
        let config = Config::parse(Path::new("x.toml"), text);
        config
            .map(|config| config.remotes)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_of_destination_is_read_with_its_limits() {
        let remotes = read(include_str!("../../fixtures/config/full.toml")).unwrap();
        let shown: Vec<_> = remotes
            .iter()
            .map(|r| (r.name().as_str(), r.kind(), r.address()))
            .collect();
        let expected = [
            ("PACS", "dicom", "pacs.example:104"),
            ("ARCHIVE", "dicom-tls", "archive.example:2762"),
            ("SCANNER", "dicom", "[2001:db8:7::9]:104"),
            ("RESEARCH", "folder", "/srv/research"),
            ("CLOUD", "dicomweb", "https://pacs.example/dicom-web"),
        ];
        assert_eq!(
            shown,
            expected.map(|(name, kind, address)| (name, kind, address.to_owned()))
        );
        let limits = SendLimits {
            bandwidth: Some(10 << 20),
            associations: 2,
        };
        assert_eq!(remotes[0].limits(), limits);
        assert_eq!(remotes[1].limits(), SendLimits::default());
    }

    #[test]
    fn a_destination_that_would_be_sent_to_otherwise_than_it_says_is_found() {
        let text = "[[remote_ae]]\nae_title = \"A\"\naddress = \"a:1\"\nassociations = 0\ntls = { certificate = \"c\", name = \"a b\" }\n\
                    [[folder]]\nname = \"$sender\"\npath = \"below\"\nbandwidth = 1\n\
                    [[dicomweb]]\nname = \"W\"\nurl = \"http://w/x\"\ntoken = \"t\"\n\
                    [[dicomweb]]\nname = \"W\"\nurl = \"https://w/x?y\"\n\
                    [[dicomweb]]\nname = \"V\"\nurl = \"https://w/x\"\n";
        let error = read(text).unwrap_err();
        for expected in [
            "remote_ae[0].associations: ",
            "remote_ae[0].tls.ca: is missing",
            "remote_ae[0].tls.key: is missing: the certificate's key",
            "remote_ae[0].tls.name: \"a b\": the name of a host",
            "folder[0].name: \"$sender\": stands for whoever sent",
            "folder[0].path: \"below\": the absolute path",
            "folder[0].bandwidth: ",
            "dicomweb[0].url: has to be https:// where a token",
            "dicomweb[1].url: \"https://w/x?y\": a URL without a query",
            "dicomweb[2].ca: is missing",
        ] {
            assert!(error.contains(expected), "{expected} not in\n{error}");
        }
        let twice =
            "[[remote_ae]]\nae_title = \"A\"\naddress = \"a:1\"\n[[folder]]\nname = \"A\"\npath = \"/a\"\n";
        assert!(read(twice).unwrap_err().contains("folder[0]: A is there twice"));
    }
}
