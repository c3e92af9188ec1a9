//! Which requests are told to the audit trail, and as what: one table, pure.

use axum::http::Method;
use percent_encoding::percent_decode_str;

use crate::model::{AuditAction, AuditKind, JobId};

use super::super::legacy::{job_at_the_end, job_in, job_named};

/// What a request is told as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub kind: AuditKind,
    pub action: AuditAction,
    /// Who writes the event when it goes well.
    pub by: By,
    pub job: Option<JobId>,
    pub bucket: Option<String>,
}

/// Who writes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The change itself, in its transaction, where it takes the event along; else what every request goes through, before
    /// the answer is given.
    Everyone,
    /// The store, which knows more: what a push brought.
    Store,
    /// The answer, which says whose results are in it; without any it shows no study, and is not told.
    Answer,
}

/// What a request is told as; `None`: it shows and changes nothing of a study, of where results go or of what runs.
pub(super) fn told(method: &Method, path: &str, query: &str) -> Option<Told> {
    let told = as_a_whole(method, path, query)?;
    if method != Method::HEAD {
        return Some(told);
    }
    // Who asks for the head of an answer learns that something is there, and is given nothing of it.
    match (told.by, told.kind) {
        (By::Answer, _) => None,
        (_, AuditKind::Exported) => Some(Told {
            kind: AuditKind::Accessed,
            ..told
        }),
        _ => Some(told),
    }
}

fn as_a_whole(method: &Method, path: &str, query: &str) -> Option<Told> {
    use AuditAction::{Create, Delete, Read, Update};
    use AuditKind::{Accessed, Deleted, Exported, Imported, NetworkChanged, SoftwareChanged, TrailRead};
    use By::{Answer, Everyone, Store};
    let of_job = |kind, action, by, job: &str| Told {
        kind,
        action,
        by,
        job: JobId::parse(job).ok(),
        bucket: None,
    };
    let of_bucket = |kind, action, bucket: &str| Told {
        kind,
        action,
        by: Everyone,
        job: None,
        bucket: Some(bucket.to_owned()),
    };
    let plain = |kind, action, by| Told {
        kind,
        action,
        by,
        job: None,
        bucket: None,
    };
    let named = |kind, action, key| Told {
        job: job_in(query, key),
        ..plain(kind, action, Everyone)
    };
    let looks = method == Method::GET || method == Method::HEAD;
    // As the handlers get them: a name written otherwise is the same name.
    let parts: Vec<_> = path
        .split('/')
        .skip(1)
        .map(|part| percent_decode_str(part).decode_utf8_lossy())
        .collect();
    let parts: Vec<_> = parts.iter().map(AsRef::as_ref).collect();
    Some(match parts.as_slice() {
        ["api", "v1", "audit"] => plain(TrailRead, Read, Everyone),
        ["api", "v1", "jobs", id] | ["api", "v1", "jobs", id, "log" | "series"] if looks => {
            of_job(Accessed, Read, Everyone, id)
        }
        ["api", "v1", "jobs"] if looks => plain(Accessed, Read, Answer),
        ["api", "v1", "jobs"] if !looks => plain(Imported, Create, Store),
        ["api", "v1", "jobs", id, ..] if !looks => of_job(Accessed, Update, Everyone, id),
        ["api", "v1", "routes", "explain"] => return None,
        ["api", "v1", "routes", ..] if !looks => plain(NetworkChanged, Update, Everyone),
        ["api", "v1", "buckets", name, "log"] if looks => of_bucket(Accessed, Read, name),
        ["api", "v1", "buckets", name, "measures" | "memory"] if looks => of_bucket(Exported, Read, name),
        ["api", "v1", "buckets"] if !looks => plain(SoftwareChanged, Create, Everyone),
        ["api", "v1", "buckets", name] if method == Method::DELETE => {
            of_bucket(SoftwareChanged, Delete, name)
        }
        ["api", "v1", "buckets", name, ..] if !looks => of_bucket(SoftwareChanged, Update, name),
        ["scratch", directory, "processing.log"] => Told {
            job: job_named(directory),
            ..plain(Accessed, Read, Everyone)
        },
        ["code", "php", "getScratch.php"] => plain(Accessed, Read, Answer),
        ["code", "php", "getOutputZip.php"] => named(Exported, Read, "folder"),
        ["code", "php", "db.php"] => Told {
            job: job_at_the_end(query, "query"),
            ..plain(Exported, Read, Everyone)
        },
        ["code", "php", "processZip.php"] => plain(Imported, Create, Store),
        ["code", "php", "deleteStudy.php"] => named(Deleted, Delete, "scratchdir"),
        ["code", "php", "saveRouting.php"] => plain(NetworkChanged, Update, Everyone),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses that are not told, with the reason.
    const UNTOLD: [(&str, &str); 21] = [
        ("GET /api/v1/node", "the node itself"),
        ("GET /api/v1/associations", "who called: no study"),
        (
            "GET /api/v1/commitments",
            "who asked for what to be kept: no study",
        ),
        ("GET /api/v1/routes", "the configuration"),
        ("GET /api/v1/routes/file", "the configuration"),
        (
            "POST /api/v1/routes/explain",
            "what rules would do; changes nothing",
        ),
        ("GET /api/v1/buckets", "what is installed"),
        ("GET /api/v1/buckets/{}", "what is installed"),
        ("GET /api/v1/remote-aes", "the configuration"),
        ("POST /api/v1/remote-aes/{}/echo", "whether a destination answers"),
        ("POST /api/v1/uploads", "its end is told"),
        ("GET /readyz", "whether the node serves"),
        ("GET /metrics", "numbers"),
        ("GET /code/php/getInstalledBuckets.php", "what is installed"),
        ("GET /code/php/getStatus.php", "how busy the node is"),
        ("GET /code/php/getArchive.php", "a list that names no patient"),
        ("GET /code/php/timing.php", "how long jobs took"),
        ("GET /code/php/getRoutingLog.php", "what was sent where: UIDs"),
        ("PATCH /api/v1/uploads/{}", "a piece: its end is told"),
        ("GET /api/v1/uploads/{}", "how far it is"),
        ("DELETE /api/v1/uploads/{}", "it came to nothing"),
    ];

    /// Every address of the API, as the sources write them down.
    fn addresses() -> Vec<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
        let mut found = Vec::new();
        for (directory, before) in [(root.clone(), "/api/v1"), (root.join("legacy"), "/code/php")] {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if !path.is_file() {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap();
                for route in text.split(".route(").skip(1) {
                    let address = route.split('"').nth(1).unwrap();
                    let handlers = route.split(&format!("\"{address}\"")).nth(1).unwrap();
                    let handlers = &handlers[..handlers.find("\n        .").unwrap_or(handlers.len())];
                    let in_place = path.ends_with("http/mod.rs") || address.starts_with("/scratch/");
                    let address = if in_place {
                        address.to_owned()
                    } else {
                        format!("{before}{address}")
                    };
                    for method in ["get", "post", "put", "delete", "patch"] {
                        let calls = [format!("{method}("), format!("{method}::<")];
                        let used = handlers.match_indices(&calls[0]).any(|(at, _)| {
                            !handlers[..at]
                                .ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':')
                        });
                        if used {
                            found.push(format!("{} {address}", method.to_uppercase()));
                        }
                    }
                }
            }
        }
        found
    }

    #[test]
    fn every_address_is_told_or_says_why_it_is_not() {
        let all = addresses();
        assert!(all.len() > 40, "{all:?}");
        for address in all {
            let (method, path) = address.split_once(' ').unwrap();
            let shape: String = path
                .split('/')
                .map(|part| if part.starts_with('{') { "{}" } else { part })
                .collect::<Vec<_>>()
                .join("/");
            let told = told(&method.parse().unwrap(), &shape.replace("{}", "x1"), "");
            let untold = UNTOLD
                .iter()
                .any(|(known, _)| *known == format!("{method} {shape}"));
            assert!(told.is_some() != untold, "{method} {shape}: {told:?}");
        }
    }

    #[test]
    fn what_a_person_does_to_a_study_names_its_job() {
        for (method, path, query, kind, action) in [
            (
                "GET",
                "/api/v1/jobs/j1",
                "",
                AuditKind::Accessed,
                AuditAction::Read,
            ),
            (
                "GET",
                "/api/v1/jobs/j1/log",
                "",
                AuditKind::Accessed,
                AuditAction::Read,
            ),
            (
                "GET",
                "/api/v1/jobs/j1/series",
                "",
                AuditKind::Accessed,
                AuditAction::Read,
            ),
            (
                "POST",
                "/api/v1/jobs/j1/cancel",
                "",
                AuditKind::Accessed,
                AuditAction::Update,
            ),
            (
                "POST",
                "/api/v1/jobs/j1/deliveries/7/release",
                "",
                AuditKind::Accessed,
                AuditAction::Update,
            ),
            (
                "GET",
                "/scratch/tmp.j1/processing.log",
                "",
                AuditKind::Accessed,
                AuditAction::Read,
            ),
            (
                "GET",
                "/code/php/getOutputZip.php",
                "a=b&folder=tmp.j1",
                AuditKind::Exported,
                AuditAction::Read,
            ),
            (
                "GET",
                "/code/php/db.php",
                "sender=me&query=%2Fscratch%2Ftmp.j1%2F",
                AuditKind::Exported,
                AuditAction::Read,
            ),
            (
                "GET",
                "/code/php/deleteStudy.php",
                "scratchdir=tmp.j1",
                AuditKind::Deleted,
                AuditAction::Delete,
            ),
        ] {
            let told = told(&method.parse().unwrap(), path, query).unwrap();
            assert_eq!((told.kind, told.action), (kind, action), "{path}");
            assert_eq!(told.job, JobId::parse("j1").ok(), "{path}");
        }
    }

    #[test]
    fn who_asks_for_the_head_only_is_given_nothing() {
        let told = |path| told(&Method::HEAD, path, "folder=tmp.j1");
        for path in ["/api/v1/jobs", "/code/php/getScratch.php"] {
            assert_eq!(told(path), None, "{path}");
        }
        for path in [
            "/code/php/getOutputZip.php",
            "/code/php/db.php",
            "/api/v1/buckets/A/measures",
            "/api/v1/buckets/A/memory",
        ] {
            assert_eq!(told(path).unwrap().kind, AuditKind::Accessed, "{path}");
        }
    }

    #[test]
    fn however_an_address_is_written_it_names_the_job_that_its_handler_takes() {
        for (method, path, query) in [
            ("GET", "/api/v1/jobs/%6a1", ""),
            ("POST", "/api/v1/jobs/j%31/cancel", ""),
            ("GET", "/scratch/tmp%2Ej1/processing.log", ""),
            (
                "GET",
                "/code/php/getOutputZip.php",
                "scratchdir=tmp.j2&folder=tmp.j1",
            ),
            ("GET", "/code/php/getOutputZip.php", "%66older=tmp.%6a1"),
            (
                "GET",
                "/code/php/deleteStudy.php",
                "folder=tmp.j2&scratchdir=tmp.j1",
            ),
        ] {
            let told = told(&method.parse().unwrap(), path, query).unwrap();
            assert_eq!(told.job, JobId::parse("j1").ok(), "{path}?{query}");
        }
        let of_bucket = told(&Method::DELETE, "/api/v1/buckets/%41", "").unwrap();
        assert_eq!(of_bucket.bucket.as_deref(), Some("A"));
    }
}
