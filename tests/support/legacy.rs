//! A client of the original's addresses, written from the contract: it gives up after a second, puts what it is told
//! unescaped into URLs, finds keys by a part of their name, and sends the fields of a push in random order.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// As long as the client waits for anything but a push or a file.
pub const SECOND: Duration = Duration::from_secs(1);

/// As long as this machine may be busy otherwise.
pub const PATIENT: Duration = Duration::from_secs(120);

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Lower case, without the status line.
    pub head: String,
    pub body: Vec<u8>,
    pub took: Duration,
}

impl Reply {
    /// The body as a text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A client of one node.
#[derive(Clone)]
pub struct Client {
    address: String,
    random: std::cell::Cell<u64>,
}

impl Client {
    /// A client of the node at that URL. The seed decides the order of fields.
    pub fn new(url: &str, seed: u64) -> Self {
        eprintln!("the seed of the client is {seed}");
        Self {
            address: url.strip_prefix("http://").unwrap().to_owned(),
            random: std::cell::Cell::new(seed | 1),
        }
    }

    fn random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x
    }

    /// Sends these bytes and reads until the node closes; `None` when it does not answer.
    pub fn raw(
        &self,
        timeout: Duration,
        send: impl FnOnce(&mut TcpStream) -> std::io::Result<()>,
    ) -> Option<Reply> {
        let begin = Instant::now();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(timeout)).unwrap();
        stream.set_write_timeout(Some(timeout)).unwrap();
        // A node that refuses need not read all.
        let _ = send(&mut stream);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let took = begin.elapsed();
        let at = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
        let (line, head) = head.split_once("\r\n").unwrap_or((&head, ""));
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut body = bytes[at + 4..].to_vec();
        if head.contains("transfer-encoding: chunked") {
            body = unchunk(&body);
        }
        Some(Reply {
            status,
            head: head.to_owned(),
            body,
            took,
        })
    }

    /// Sends a form of one field, as a page of the original does.
    pub fn post_field(&self, target: &str, name: &str, value: &str) -> Reply {
        let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
        let body = format!("{name}={value}");
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.raw(PATIENT, |stream| stream.write_all((head + &body).as_bytes()))
            .expect("an answer")
    }

    /// Asks for a target as it stands, with more headers.
    #[track_caller]
    pub fn get_with(&self, target: &str, headers: &[(&str, &str)], timeout: Duration) -> Reply {
        let headers: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n\
             Connection: close\r\n{headers}\r\n",
            self.address
        );
        let reply = self.raw(timeout, |stream| stream.write_all(request.as_bytes()));
        reply.unwrap_or_else(|| panic!("no answer to {target:?}"))
    }

    /// Asks as the client does: for a second, without a look at the status.
    #[track_caller]
    pub fn get(&self, target: &str) -> Reply {
        let reply = self.get_with(target, &[], PATIENT);
        // What takes longer it never hears. A machine that runs other tests gets more: what an answer costs is measured by the
        // benchmark.
        assert!(reply.took < 15 * SECOND, "{target}: {:?}", reply.took);
        reply
    }

    /// The list, checked as the client relies on it.
    #[track_caller]
    pub fn list(&self) -> Vec<Map<String, Value>> {
        let list = self.get("/code/php/getScratch.php").json();
        let list = list.as_array().expect("an array, always");
        let jobs: Vec<_> = list.iter().map(|job| job.as_object().unwrap().clone()).collect();
        for job in &jobs {
            for part in ["pid", "scratchdir"] {
                let keys: Vec<_> = job.keys().filter(|key| key.contains(part)).collect();
                assert_eq!(keys.len(), 1, "{keys:?}");
                let value = job[keys[0]].as_str().unwrap();
                let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                assert!(!value.is_empty() && value.chars().all(fits), "{part} {value:?}");
            }
            for key in [
                "CallerIP",
                "AETitleCalled",
                "AETitleCaller",
                "received",
                "lastChangedTime",
            ] {
                assert!(job[key].is_string(), "{key} of {job:?}");
            }
            let has_log = job["lastChangedTime"] != "0";
            for key in ["processingTime", "processingLogSize", "processingLast"] {
                assert_eq!(
                    job.get(key).is_some_and(Value::is_number),
                    has_log,
                    "{key} of {job:?}"
                );
            }
        }
        jobs
    }

    /// Pushes a zip as the client does: the file first, then the fields in random order.
    pub fn push(&self, zip: &[u8], fields: &[(&str, &str)]) -> Option<Reply> {
        let mut fields = fields.to_vec();
        for i in (1..fields.len()).rev() {
            fields.swap(i, usize::try_from(self.random() % (i as u64 + 1)).unwrap());
        }
        let mut parts = vec![("theFile", zip)];
        parts.extend(fields.iter().map(|(name, value)| (*name, value.as_bytes())));
        self.push_parts(&parts)
    }

    /// Pushes parts in their order.
    pub fn push_parts(&self, parts: &[(&str, &[u8])]) -> Option<Reply> {
        let mut body = Vec::new();
        for (name, content) in parts {
            body.extend(part(name));
            body.extend(*content);
            body.extend(b"\r\n");
        }
        body.extend(END);
        self.raw(PATIENT, |stream| {
            stream.write_all(&head_of_push(body.len() as u64))?;
            stream.write_all(&body)
        })
    }
}

/// The end of a form.
pub const END: &[u8] = b"--0123boundary--\r\n";

/// The head of a part.
pub fn part(name: &str) -> Vec<u8> {
    let file = if name == "theFile" {
        "; filename=\"dir_0123\"\r\nContent-Type: application/octet-stream"
    } else {
        ""
    };
    format!("--0123boundary\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").into_bytes()
}

/// The head of a push of so many bytes.
pub fn head_of_push(bytes: u64) -> Vec<u8> {
    format!(
        "POST /code/php/processZip.php HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: {bytes}\r\n\
         Content-Type: multipart/form-data; boundary=0123boundary\r\n\r\n"
    )
    .into_bytes()
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(at) = bytes.windows(2).position(|w| w == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..at]).unwrap_or("0"), 16).unwrap_or(0);
        let Some(piece) = bytes.get(at + 2..at + 2 + length).filter(|_| length > 0) else {
            break;
        };
        out.extend(piece);
        bytes = bytes.get(at + 4 + length..).unwrap_or_default();
    }
    out
}
