//! Errors as problem details (RFC 9457): one mapping from what can go wrong to a status.

use axum::Json;
use axum::extract::rejection::{FormRejection, JsonRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::bucket::{ChangeError, InstallError, MemoryError, RemoveError, UploadError};
use crate::store::StoreError;

/// The media type of problem details.
pub(super) const KIND: &str = "application/problem+json";

/// An answer that is no success.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Whether asking for the same again would be answered with the same.
    pub fn is_the_callers(&self) -> bool {
        self.status.is_client_error()
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// A refusal of axum's own, in its words where they are for people.
    pub fn of_axum(status: StatusCode, words: String) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                status,
                "the body has more than 2 MiB, the most that is taken here",
            ),
            _ => Self::new(status, words),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let body = json!({ "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail });
        let mut response = (self.status, Json(body)).into_response();
        let kind = HeaderValue::from_static(KIND);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// What is ours to mend goes to the log, once, here; the caller hears that it is ours.
pub(super) fn ours(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a request failed");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the node failed to do this; its log says why",
    )
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        ours(&error)
    }
}

impl From<InstallError> for Problem {
    fn from(error: InstallError) -> Self {
        let status = match &error {
            InstallError::NoSuchImage { .. } => StatusCode::NOT_FOUND,
            InstallError::Taken { .. } => StatusCode::CONFLICT,
            InstallError::NoInfo { .. }
            | InstallError::Manifest { .. }
            | InstallError::NoWorkSh { .. }
            | InstallError::Archive(_)
            | InstallError::Forbidden { .. }
            | InstallError::TooLarge { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            InstallError::Engine(engine) if engine.is_engine_down() => StatusCode::SERVICE_UNAVAILABLE,
            InstallError::Engine(_) => StatusCode::BAD_GATEWAY,
            InstallError::Io(_) | InstallError::Store(_) => return ours(&error),
            InstallError::Upload(_) => StatusCode::CONFLICT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RemoveError> for Problem {
    fn from(error: RemoveError) -> Self {
        let status = match &error {
            RemoveError::NotInstalled(_) => StatusCode::NOT_FOUND,
            RemoveError::Busy { .. } => StatusCode::CONFLICT,
            RemoveError::Io(_) | RemoveError::Store(_) => return ours(&error),
        };
        Self::new(status, error.to_string())
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let status = match error {
            ChangeError::NotInstalled(_) => StatusCode::NOT_FOUND,
            ChangeError::NoVersionBefore(_) | ChangeError::ImageGone { .. } => StatusCode::CONFLICT,
            ChangeError::Install(error) => return error.into(),
            ChangeError::Store(error) => return error.into(),
        };
        Self::new(status, error.to_string())
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        let status = match &error {
            UploadError::NoSuch(_) => StatusCode::NOT_FOUND,
            UploadError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            UploadError::Offset { .. } | UploadError::Incomplete { .. } => StatusCode::CONFLICT,
            UploadError::TakenOver => StatusCode::LOCKED,
            UploadError::Differs { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            UploadError::Busy | UploadError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            UploadError::Broken(_) => StatusCode::BAD_REQUEST,
            UploadError::Silent(_) => StatusCode::REQUEST_TIMEOUT,
            UploadError::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
            UploadError::Io(_) => return ours(&error),
        };
        Self::new(status, error.to_string())
    }
}

impl From<MemoryError> for Problem {
    fn from(error: MemoryError) -> Self {
        let status = match error {
            MemoryError::NotInstalled(_) => StatusCode::NOT_FOUND,
            MemoryError::InUse(_) => StatusCode::CONFLICT,
            MemoryError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            MemoryError::NotATar(_) | MemoryError::Hostile { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            MemoryError::Upload(error) => return error.into(),
            MemoryError::Store(error) => return error.into(),
            MemoryError::Io(_) => return ours(&error),
        };
        Self::new(status, error.to_string())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::of_axum(rejection.status(), rejection.body_text())
    }
}

impl From<FormRejection> for Problem {
    fn from(rejection: FormRejection) -> Self {
        Self::of_axum(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AeTitle;

    #[test]
    fn every_refusal_has_its_status() {
        let title = AeTitle::parse("A").unwrap();
        let own = || "x".to_owned();
        for (error, status) in [
            (InstallError::NoSuchImage { reference: own() }, 404),
            (
                InstallError::Taken {
                    ae_title: title.clone(),
                    image: own(),
                },
                409,
            ),
            (InstallError::NoInfo { reference: own() }, 422),
            (InstallError::NoWorkSh { reference: own() }, 422),
            (InstallError::Store(StoreError::Closed), 500),
        ] {
            assert_eq!(Problem::from(error).status.as_u16(), status);
        }
        assert_eq!(
            Problem::from(RemoveError::NotInstalled(title)).status.as_u16(),
            404
        );
    }
}
