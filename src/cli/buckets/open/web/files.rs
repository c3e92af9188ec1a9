//! The bucket's files as the page edits them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::bucket::inside;
use crate::cli::buckets::open::LARGEST_FILE;
use crate::container::{Edited, Error, OpenFile};

use super::{Answer, Failure, Shared};

/// What may be edited: the name on the page, and where it is.
pub(super) const FILES: [(&str, &str); 3] = [
    ("work.sh", inside::WORK_SH),
    ("info.json", inside::INFO_JSON),
    ("db-plugin.code", inside::PLUGIN),
];

/// The version of a file that is not there.
const ABSENT: &str = "absent";

fn place(name: &str) -> Result<&'static str, Failure> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, path)| *path)
        .ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("{name} is not edited here")))
}

/// Changes with content, mode and owner.
fn version(file: Option<&OpenFile>) -> String {
    let Some(file) = file else {
        return ABSENT.to_owned();
    };
    let mut hash = Sha256::new();
    hash.update(format!("{:o} {} {}\n", file.mode, file.uid, file.gid));
    hash.update(&file.bytes);
    hash.finalize()
        .iter()
        .take(16)
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A file for the page: no `text` if it is none.
fn shown(name: &str, path: &str, file: Option<&OpenFile>) -> Value {
    let text = file.map(|f| std::str::from_utf8(&f.bytes).ok());
    json!({
        "name": name,
        "path": path,
        "version": version(file),
        "exists": file.is_some(),
        "mode": file.map(|f| format!("{:04o}", f.mode)),
        "executable": file.is_some_and(|f| f.mode & 0o111 != 0),
        "text": text.unwrap_or(Some("")),
    })
}

/// All of them.
pub(super) async fn all(page: &Shared) -> Result<Vec<Value>, Failure> {
    let mut files = Vec::new();
    for (name, path) in FILES {
        files.push(match page.read(path).await {
            Ok(file) => shown(name, path, file.as_ref()),
            // Too large, or a directory: shown with its reason, and not edited.
            Err(error @ (Error::TooLarge { .. } | Error::WrongKind { .. })) => {
                json!({ "name": name, "path": path, "exists": true, "version": "", "problem": error.to_string() })
            }
            Err(error) => return Err(error.into()),
        });
    }
    Ok(files)
}

/// `GET /api/files`: the versions of all, for a page that looks whether something changed underneath.
pub(super) async fn list(State(page): State<Shared>) -> Answer<Json<Vec<Value>>> {
    Ok(Json(all(&page).await?))
}

/// `PUT /api/files/{name}`: writes a file in the place of the version that `If-Match` names; 412 and what is there now
/// if that is another.
pub(super) async fn put(
    State(page): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<(StatusCode, Json<Value>)> {
    let path = place(&name)?;
    let expected = headers
        .get(header::IF_MATCH)
        .and_then(|v| v.to_str().ok())
        .map(|v| v.trim_matches('"').to_owned())
        .ok_or_else(|| {
            Failure::new(
                StatusCode::PRECONDITION_REQUIRED,
                "If-Match is missing: the version that is edited",
            )
        })?;
    if body.len() as u64 > LARGEST_FILE {
        return Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("{name} is larger than {LARGEST_FILE} bytes"),
        ));
    }
    // One at a time, so that what was compared is what is replaced; the shell beside it is not held up.
    let _writing = page.writing.lock().await;
    let there = page.read(path).await?;
    if version(there.as_ref()) != expected {
        return Ok((
            StatusCode::PRECONDITION_FAILED,
            Json(shown(&name, path, there.as_ref())),
        ));
    }
    let new_mode = if name == "info.json" { 0o644 } else { 0o755 };
    let edited = Edited {
        path: there.as_ref().map_or(path, |f| &f.path),
        mode: there.as_ref().map_or(new_mode, |f| f.mode),
        uid: there.as_ref().map_or(0, |f| f.uid),
        gid: there.as_ref().map_or(0, |f| f.gid),
        bytes: &body,
    };
    page.docker().write_open(page.container(), &[edited]).await?;
    let now = page.read(path).await?;
    Ok((StatusCode::OK, Json(shown(&name, path, now.as_ref()))))
}
