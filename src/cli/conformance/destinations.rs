//! Section 6, where results go: destinations and rules.

use super::configuration::{Setting, code, setting, table};
use super::markdown::Document;
use super::site::{Site, bytes};
use crate::config::{Config, RoutingConfig};
use crate::model::{AttributeSet, Remote, RemoteAe, Route, SendLimits};

pub(super) fn write(d: &mut Document, site: &Site) {
    let remotes = &site.config.remotes;
    let aes = remotes.iter().filter_map(|remote| match remote {
        Remote::Dicom(ae) => Some(remote_ae(ae)),
        Remote::Folder(_) | Remote::Web(_) => None,
    });
    d.table(
        "Remote AEs, `[[remote_ae]]`",
        [
            "AE Title",
            "Address",
            "Called by the AE Title",
            "TLS",
            "Limits",
            "Asked for Storage Commitment (`commit`)",
        ],
        aes,
    );
    let others = remotes.iter().filter_map(|remote| match remote {
        Remote::Dicom(_) => None,
        Remote::Folder(folder) => Some([
            folder.name.to_string(),
            "a directory, `[[folder]]`".to_owned(),
            code(&remote.address()),
            "-".to_owned(),
            limits(folder.limits),
        ]),
        Remote::Web(web) => Some([
            web.name.to_string(),
            "STOW-RS, `[[dicomweb]]`".to_owned(),
            code(&web.url),
            shown(web.token.is_some(), web.identity.is_some()),
            limits(web.limits),
        ]),
    });
    d.table(
        "Other destinations",
        ["Name", "Kind", "Where", "What the node shows", "Limits"],
        others,
    );
    d.text(
        "`magickbox echo NAME` asks a destination whether it answers, as a delivery would: a remote AE by C-ECHO over an \
         association of its own, with TLS where it has it; a directory by writing to it; a DICOMweb server by a request.",
    );
    d.text(
        "A route sends to its destinations what it matches; `$sender` is the remote AE of the calling AE Title. Patterns are regular expressions, searched without regard to \
         case. A later AE Title of a fallback is sent to only when a transfer to the one before it failed. Rules of a \
         `routing.json` follow these in the same order of evaluation; `magickbox route list` prints them. Objects that a \
         bucket made are held against those it was given before they are sent, by the mode of the gate: an object whose \
         Patient ID, Issuer of Patient ID, Patient's Name, Birth Date or Sex, Study Instance UID, Study ID, Accession \
         Number, Study Date or Referring Physician's Name contradicts them is not sent (`repair`, `strict`); missing \
         values are filled in (`repair`) or keep the object from being sent (`strict`). Both append an item to \
         Contributing Equipment Sequence (0018,A001), and add Source Image Sequence (0008,2112) or Source Instance \
         Sequence (0042,0013) to images and documents without references. Objects that are the same as received ones \
         are sent unchanged.",
    );
    table(d, site, "Rules of a `routing.json`, `[routing]`", routing);
    d.table(
        "Routes, `[[route]]`",
        [
            "Name",
            "Called AE Title",
            "Calling AE Title",
            "Outcome",
            "What is sent",
            "To",
            "Ends the search",
            "Gate",
        ],
        site.config.routes.iter().map(route),
    );
}

fn remote_ae(ae: &RemoteAe) -> [String; 6] {
    let tls = ae.tls.as_ref().map_or("no", |tls| match tls.identity {
        Some(_) => "yes, with a certificate of the node",
        None => "yes",
    });
    [
        ae.ae_title.to_string(),
        ae.address.clone(),
        ae.calling.to_string(),
        tls.to_owned(),
        limits(ae.limits),
        if ae.commit { "yes" } else { "no" }.to_owned(),
    ]
}

fn limits(limits: SendLimits) -> String {
    let SendLimits {
        bandwidth,
        associations,
    } = limits;
    let bandwidth = bandwidth.map_or_else(String::new, |b| format!(", {} a second", bytes(b)));
    format!("{associations} at once{bandwidth}")
}

fn shown(token: bool, certificate: bool) -> String {
    let both = [(token, "a token"), (certificate, "a certificate")];
    let shown: Vec<_> = both.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
    if shown.is_empty() {
        "nothing".to_owned()
    } else {
        shown.join(" and ")
    }
}

fn route(route: &Route) -> [String; 8] {
    let pattern = |p: &Option<regex::Regex>, without: &str| {
        p.as_ref()
            .map_or_else(|| without.to_owned(), |p| code(p.as_str()))
    };
    let first = route.to.first();
    let which = first.and_then(|to| to.which.as_ref());
    let sent = which.map_or_else(
        || route.send.name().to_owned(),
        |sets| format!("{} where {}", route.send.name(), chosen(sets)),
    );
    let to: Vec<_> = route.to.iter().map(|to| to.peer.ae_title().as_str()).collect();
    let fallback = first.is_some_and(|to| to.stops);
    let name = if route.enabled { "" } else { " (off)" };
    [
        format!("{}{name}", route.name),
        pattern(&route.called, "any"),
        pattern(&route.calling, "any"),
        first.map_or_else(String::new, |to| pattern(&to.outcome, "success")),
        sent,
        to.join(if fallback { ", else " } else { ", " }),
        if route.last { "yes" } else { "no" }.to_owned(),
        route.gate.word().to_owned(),
    ]
}

fn chosen(sets: &[AttributeSet]) -> String {
    let set = |AttributeSet(patterns): &AttributeSet| {
        let one = patterns
            .iter()
            .map(|(tag, p)| format!("({tag}) is {}", code(p.as_str())));
        one.collect::<Vec<_>>().join(" and ")
    };
    sets.iter().map(set).collect::<Vec<_>>().join(", or ")
}

fn routing(config: &Config) -> Vec<Setting> {
    let RoutingConfig { file, default_pacs } = &config.routing;
    let file = file.as_ref().map(|file| file.display().to_string());
    vec![
        setting(
            "file",
            "the file with the rules, read again when it changes",
            "a path below the data directory, or an absolute one",
            file.unwrap_or_else(|| "routing.json, if it is there".to_owned()),
        ),
        setting(
            "default_pacs",
            "what `$me` and `$port` of the file stand for",
            "an AE Title of `[[remote_ae]]`",
            default_pacs
                .as_ref()
                .map_or_else(|| "none".to_owned(), |pacs| pacs.ae_title.to_string()),
        ),
    ]
}
