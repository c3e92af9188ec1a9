//! What the browser loads: made from `page/` by `make editor`, and part of the program.

use axum::http::header;
use axum::response::IntoResponse;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// `GET /`
pub(super) async fn page() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HTML)], include_str!("../page/index.html"))
}

/// `GET /editor.js`
pub(super) async fn script() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, SCRIPT)],
        include_str!("../page/built/editor.js"),
    )
}

/// `GET /editor.css`
pub(super) async fn style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, STYLE)],
        include_str!("../page/built/editor.css"),
    )
}

/// `GET /licences.txt`: of what the script is made of.
pub(super) async fn licences() -> impl IntoResponse {
    include_str!("../page/built/licences.txt")
}
