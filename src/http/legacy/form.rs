//! `multipart/form-data` (RFC 7578), part by part, in memory that does not grow with it.
//!
//! Our own, because the library for it (multer 3.1) reads ahead whatever has arrived, with no bound but that of the whole
//! form: a push of gigabytes over a fast line would lie in memory. A story of its own (two gigabytes) holds this.

use std::io;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use memchr::memmem::Finder;

/// As long as nothing may come from a client.
const SILENCE: Duration = Duration::from_secs(60);

/// Bytes of a part's headers, and of what comes before the first part.
const MOST_HEADERS: usize = 8 << 10;

/// The longest boundary (RFC 2046 §5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// Why a form cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    #[error("the body has to be multipart/form-data, with a boundary")]
    NoForm,
    #[error("the form is damaged: {0}")]
    Damaged(&'static str),
    #[error("the form ends too early")]
    CutOff,
    #[error("{what} of the form is longer than {most} bytes")]
    TooLong { what: &'static str, most: usize },
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("nothing came for {} s", SILENCE.as_secs())]
    Silent,
}

/// A form that is being read.
pub(super) struct Form {
    body: BodyDataStream,
    buffer: BytesMut,
    delimiter: Finder<'static>,
    within: Within,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Before a delimiter: in a part, or in front of the first.
    Part,
    /// Right behind a delimiter.
    Delimiter,
    /// Behind the last one.
    End,
}

impl Form {
    pub fn new(headers: &HeaderMap, body: Body) -> Result<Self, FormError> {
        let kind = headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let kind = kind.ok_or(FormError::NoForm)?;
        let (media, rest) = kind.split_once(';').ok_or(FormError::NoForm)?;
        let boundary = parameter(rest, "boundary").ok_or(FormError::NoForm)?;
        let fits = (1..=LONGEST_BOUNDARY).contains(&boundary.len()) && !boundary.ends_with(' ');
        if !media.trim().eq_ignore_ascii_case("multipart/form-data") || !fits {
            return Err(FormError::NoForm);
        }
        let delimiter = format!("\r\n--{boundary}");
        Ok(Self {
            body: body.into_data_stream(),
            // The first delimiter has no end of a line before it.
            buffer: BytesMut::from(&b"\r\n"[..]),
            delimiter: Finder::new(delimiter.as_bytes()).into_owned(),
            within: Within::Part,
        })
    }

    /// Reads on; whether anything came.
    async fn fill(&mut self) -> Result<bool, FormError> {
        match tokio::time::timeout(SILENCE, self.body.next()).await {
            Err(_) => Err(FormError::Silent),
            Ok(None) => Ok(false),
            Ok(Some(Err(error))) => Err(io::Error::other(error).into()),
            Ok(Some(Ok(piece))) => {
                self.buffer.extend_from_slice(&piece);
                Ok(true)
            }
        }
    }

    async fn need(&mut self, bytes: usize) -> Result<(), FormError> {
        while self.buffer.len() < bytes {
            if !self.fill().await? {
                return Err(FormError::CutOff);
            }
        }
        Ok(())
    }

    /// The name of the next part; what is left of the one before is passed over. `None` at the end.
    pub async fn next(&mut self) -> Result<Option<String>, FormError> {
        while self.piece().await?.is_some() {}
        if self.within == Within::End {
            return Ok(None);
        }
        self.need(2).await?;
        if self.buffer.starts_with(b"--") {
            self.within = Within::End;
            return Ok(None);
        }
        let head = self.head().await?;
        self.within = Within::Part;
        let head = String::from_utf8_lossy(&head);
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim()
                .eq_ignore_ascii_case("content-disposition")
                .then_some(value)
        });
        let name = disposition.and_then(|value| parameter(value, "name"));
        name.map(Some).ok_or(FormError::Damaged("a part has no name"))
    }

    /// The headers of a part, with the end of the line of its delimiter.
    async fn head(&mut self) -> Result<Bytes, FormError> {
        loop {
            let end = memchr::memmem::find(&self.buffer, b"\r\n\r\n");
            if end.unwrap_or(self.buffer.len()) > MOST_HEADERS {
                return Err(FormError::TooLong {
                    what: "the head of a part",
                    most: MOST_HEADERS,
                });
            }
            if let Some(at) = end {
                let head = self.buffer.split_to(at + 2).freeze();
                // The last of these four bytes may be the first of an empty part's delimiter.
                let _ = self.buffer.split_to(2);
                return Ok(head);
            }
            if !self.fill().await? {
                return Err(FormError::CutOff);
            }
        }
    }

    /// The next piece of the part; `None` at its end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, FormError> {
        while self.within == Within::Part {
            let delimiter = self.delimiter.needle().len();
            match self.delimiter.find(&self.buffer) {
                Some(0) => {
                    let _ = self.buffer.split_to(delimiter);
                    self.within = Within::Delimiter;
                }
                Some(at) => return Ok(Some(self.buffer.split_to(at).freeze())),
                // What may be the beginning of a delimiter stays.
                None if self.buffer.len() >= delimiter => {
                    let sure = self.buffer.len() - (delimiter - 1);
                    return Ok(Some(self.buffer.split_to(sure).freeze()));
                }
                None if self.fill().await? => {}
                None => return Err(FormError::CutOff),
            }
        }
        Ok(None)
    }

    /// The rest of the part as a text of at most so many bytes.
    pub async fn text(&mut self, most: usize) -> Result<String, FormError> {
        let mut text = Vec::new();
        while let Some(piece) = self.piece().await? {
            text.extend_from_slice(&piece);
            if text.len() > most {
                return Err(FormError::TooLong {
                    what: "a field",
                    most,
                });
            }
        }
        String::from_utf8(text).map_err(|_| FormError::Damaged("a field is not UTF-8"))
    }
}

/// A parameter of a header, quoted or not.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        let (name, value) = match rest.find(['=', ';']) {
            Some(at) if rest.get(at..=at) == Some("=") => (rest.get(..at)?, rest.get(at + 1..)?),
            // A value without a name, such as the kind of a disposition.
            Some(at) => {
                rest = rest.get(at + 1..)?;
                continue;
            }
            None => return None,
        };
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (value, after) = value.split_once(';').unwrap_or((value, ""));
                (value.trim().to_owned(), after)
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

/// What is in quotes, and what comes behind them.
fn unquote(text: &str) -> Option<(String, &str)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, text.get(at + 1..)?)),
            _ => value.push(c),
        }
    }
    None
}

/// The parts of a body that comes in pieces of that size: names and contents, or why it cannot be read.
#[cfg(feature = "fuzzing")]
pub fn parts(kind: &str, body: &[u8], piece: usize) -> Result<Vec<(String, Vec<u8>)>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let read = runtime.block_on(read(kind, body, piece));
    read.map_err(|error| error.to_string())
}

/// Reads a form that comes in pieces of that size.
#[cfg(any(test, feature = "fuzzing"))]
async fn read(kind: &str, body: &[u8], piece: usize) -> Result<Vec<(String, Vec<u8>)>, FormError> {
    let mut headers = HeaderMap::new();
    let kind = axum::http::HeaderValue::from_str(kind).map_err(|_| FormError::NoForm)?;
    headers.insert(header::CONTENT_TYPE, kind);
    let pieces: Vec<_> = body
        .chunks(piece.max(1))
        .map(|p| Ok::<_, io::Error>(Bytes::copy_from_slice(p)))
        .collect();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let mut form = Form::new(&headers, body)?;
    let mut parts = Vec::new();
    while let Some(name) = form.next().await? {
        let mut content = Vec::new();
        while let Some(piece) = form.piece().await? {
            content.extend_from_slice(&piece);
        }
        parts.push((name, content));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: &str = "multipart/form-data; boundary=b1";

    #[tokio::test]
    async fn parts_come_out_as_they_went_in_however_they_are_cut() {
        let body = b"preamble\r\n--b1\r\nContent-Disposition: form-data; name=\"theFile\"; filename=\"a\\\"b\"\r\n\
            Content-Type: application/octet-stream\r\n\r\nbin\r\n--b0\r\nary\r\n--b1 \r\ncontent-disposition: form-data; \
            name=empty\r\n\r\n\r\n--b1--\r\nepilogue";
        for piece in [1, 2, 3, 7, 1000] {
            let parts = read(KIND, body, piece).await.unwrap();
            let expected = [
                ("theFile".to_owned(), b"bin\r\n--b0\r\nary".to_vec()),
                ("empty".to_owned(), Vec::new()),
            ];
            assert_eq!(parts, expected, "pieces of {piece}");
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused() {
        for kind in [
            "text/plain",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed; boundary=b1",
        ] {
            assert!(
                matches!(read(kind, b"", 9).await, Err(FormError::NoForm)),
                "{kind}"
            );
        }
        for (body, error) in [
            (&b""[..], "ends too early"),
            (
                b"--b1\r\nContent-Disposition: form-data; name=x\r\n\r\nhalf",
                "ends too early",
            ),
            (
                b"--b1\r\nContent-Disposition: form-data\r\n\r\n\r\n--b1--",
                "has no name",
            ),
        ] {
            let said = read(KIND, body, 5).await.unwrap_err().to_string();
            assert!(said.contains(error), "{said}");
        }
        // Whole at once: what comes behind it is not taken for its end.
        let long = [
            b"--b1\r\nX: ".as_slice(),
            &[b'y'; 9_000],
            b"\r\n\r\nContent-Disposition: form-data; name=x\r\n\r\nz\r\n--b1--",
        ];
        let said = read(KIND, &long.concat(), 20_000).await.unwrap_err().to_string();
        assert!(said.contains("longer than 8192"), "{said}");
        let endless = [b"--b1\r\nX: ".as_slice(), &[b'y'; 20_000]].concat();
        let said = read(KIND, &endless, 500).await.unwrap_err().to_string();
        assert!(said.contains("longer than 8192"), "{said}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(body in proptest::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _ = runtime.block_on(read(KIND, &body, piece));
        }

        #[test]
        fn no_header_is_too_strange(text in ".{0,80}") {
            let _ = parameter(&text, "name");
        }
    }
}
