//! Destinations: what takes the results that we send.

use std::path::PathBuf;

use super::super::AeTitle;

/// The name of a destination that stands for whoever sent the job's objects.
pub const SENDER: &str = "$sender";

/// How much of us a destination gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendLimits {
    /// Bytes a second, over all its associations; `None`: as fast as it goes.
    pub bandwidth: Option<u64>,
    /// Deliveries under way at once, each over an association of its own; those of one study go one after the other.
    pub associations: usize,
}

impl Default for SendLimits {
    fn default() -> Self {
        Self {
            bandwidth: None,
            associations: 1,
        }
    }
}

/// TLS as the one who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTls {
    /// PEM file with the CAs that vouch for the peer.
    pub ca: PathBuf,
    /// PEM files with the certificate that we show and its key; `None`: we show none.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that has to be in the peer's certificate; `None`: the host of its address.
    pub name: Option<String>,
}

/// A peer that takes what we send, by DICOM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteAe {
    /// Its AE title: the called AE title of our associations to it.
    pub ae_title: AeTitle,
    /// `host:port`.
    pub address: String,
    /// The AE title we call it with.
    pub calling: AeTitle,
    /// TLS below the association; `None`: bare TCP.
    pub tls: Option<RemoteTls>,
    /// How much of us it gets.
    pub limits: SendLimits,
    /// Whether it is asked for storage commitment of what it took.
    pub commit: bool,
}

impl RemoteAe {
    /// One that is called over bare TCP, without limits of its own.
    #[must_use]
    pub fn plain(ae_title: AeTitle, address: String, calling: AeTitle) -> Self {
        Self {
            ae_title,
            address,
            calling,
            tls: None,
            limits: SendLimits::default(),
            commit: false,
        }
    }
}

/// A directory that takes what we send, as Part 10 files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name in routes.
    pub name: AeTitle,
    /// The directory; it has to be there.
    pub path: PathBuf,
    /// How much of us it gets.
    pub limits: SendLimits,
}

/// A DICOMweb server that takes what we send (STOW-RS, PS3.18 §10.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DicomWeb {
    /// Its name in routes.
    pub name: AeTitle,
    /// Where its `studies` resource is below, as `https://pacs.example/dicom-web`.
    pub url: String,
    /// The file with the token of `Authorization: Bearer`.
    pub token: Option<PathBuf>,
    /// PEM file with the CAs that vouch for the server; `None`: none is needed, for `http://`.
    pub ca: Option<PathBuf>,
    /// PEM files with the certificate that we show and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// How much of us it gets.
    pub limits: SendLimits,
}

/// A destination of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// `[[remote_ae]]`
    Dicom(RemoteAe),
    /// `[[folder]]`
    Folder(Folder),
    /// `[[dicomweb]]`
    Web(DicomWeb),
}

impl Remote {
    /// What routes call it.
    #[must_use]
    pub const fn name(&self) -> &AeTitle {
        match self {
            Self::Dicom(remote) => &remote.ae_title,
            Self::Folder(folder) => &folder.name,
            Self::Web(web) => &web.name,
        }
    }

    /// How much of us it gets.
    #[must_use]
    pub const fn limits(&self) -> SendLimits {
        match self {
            Self::Dicom(remote) => remote.limits,
            Self::Folder(folder) => folder.limits,
            Self::Web(web) => web.limits,
        }
    }

    /// What it is, in a word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dicom(RemoteAe { tls: None, .. }) => "dicom",
            Self::Dicom(_) => "dicom-tls",
            Self::Folder(_) => "folder",
            Self::Web(_) => "dicomweb",
        }
    }

    /// Where it is: `host:port`, a directory, or a URL.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Dicom(remote) => remote.address.clone(),
            Self::Folder(folder) => folder.path.display().to_string(),
            Self::Web(web) => web.url.clone(),
        }
    }
}
