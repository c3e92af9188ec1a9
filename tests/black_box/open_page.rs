//! The page beside `buckets open`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::needs;
use crate::open::{Image, start};
use crate::support::PATIENCE;
use crate::support::under_test::scratch;
use crate::support::wait::wait_until;
use crate::terminal::Terminal;

/// The page of a shell that is kept open by its input.
struct Page {
    child: Child,
    port: u16,
    key: String,
    home: TempDir,
}

impl Page {
    fn of(image: &Image) -> Self {
        let home = scratch();
        let mut child = start(image, &["--discard"], home.path());
        let mut said = String::new();
        let mut err = child.stderr.take().unwrap();
        let (mut piece, url) = ([0; 512], "http://127.0.0.1:");
        while !said.contains("/local") {
            let read = err.read(&mut piece).unwrap();
            assert!(read > 0, "{said}");
            said.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        std::thread::spawn(move || std::io::copy(&mut err, &mut std::io::sink()));
        let place = said.split(url).nth(1).unwrap().split_whitespace().next().unwrap();
        let (port, key) = place.split_once("/?key=").unwrap();
        Self {
            child,
            port: port.parse().unwrap(),
            key: key.to_owned(),
            home,
        }
    }

    /// One request; status and body.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        socket
            .write_all(format!("{request}\r\n{body}").as_bytes())
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// One request as the page itself sends it.
    fn asks(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> (u16, String) {
        let host = format!("127.0.0.1:{}", self.port);
        let cookie = format!("magickbox-open-{}={}", self.port, self.key);
        let origin = format!("http://{host}");
        let headers = [("Host", host.as_str()), ("Cookie", &cookie), ("Origin", &origin)];
        self.ask(method, path, &[&headers, more].concat(), body)
    }

    fn file(&self, name: &str) -> Value {
        let (status, body) = self.asks("GET", "/api/files", &[], "");
        assert_eq!(status, 200, "{body}");
        let files: Vec<Value> = serde_json::from_str(&body).unwrap();
        files.into_iter().find(|f| f["name"] == name).unwrap()
    }

    /// The shell is left.
    fn ends(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn the_page_is_for_whoever_was_given_its_address_and_for_no_other_site() {
    needs!(Docker);
    let image = Image::new("guard");
    let page = Page::of(&image);
    let host = format!("127.0.0.1:{}", page.port);
    let cookie = format!("magickbox-open-{}={}", page.port, page.key);
    let own = ("Host", host.as_str());
    for path in [
        "/",
        "/editor.js",
        "/api/bucket",
        "/api/run/events",
        "/?key=0",
        "/licences.txt",
    ] {
        assert_eq!(page.ask("GET", path, &[own], "").0, 403, "{path}");
    }
    let with_key = ("Cookie", cookie.as_str());
    assert_eq!(
        page.ask("GET", "/api/bucket", &[("Host", "rebound.example"), with_key], "")
            .0,
        421
    );
    let foreign = [own, with_key, ("Origin", "http://evil.example")];
    for (method, path) in [
        ("PUT", "/api/files/work.sh"),
        ("POST", "/api/run"),
        ("DELETE", "/api/run"),
    ] {
        assert_eq!(page.ask(method, path, &foreign, "{}").0, 403, "{method} {path}");
        assert_eq!(
            page.ask(method, path, &[own, with_key], "{}").0,
            403,
            "{method} {path}"
        );
    }
    assert_eq!(page.asks("GET", "/api/bucket", &[], "").0, 200);
    assert_eq!(page.ask("GET", &format!("/?key={}", page.key), &[own], "").0, 303);

    let elsewhere = page.asks("POST", "/api/run", &[], r#"{ "directory": "/etc" }"#);
    assert_eq!(elsewhere.0, 403, "{elsewhere:?}");
    assert!(elsewhere.1.contains("--data"), "{elsewhere:?}");
    assert_eq!(page.ends(), Some(0));
    assert!(!image.is_open());
}

#[test]
fn the_page_writes_only_over_the_version_it_showed() {
    needs!(Docker);
    let image = Image::new("writes");
    let mut page = Page::of(&image);
    let before = page.file("work.sh");
    let version = format!("\"{}\"", before["version"].as_str().unwrap());
    let put = |page: &Page, version: &str, text: &str| {
        page.asks("PUT", "/api/files/work.sh", &[("If-Match", version)], text)
    };
    let (status, saved) = put(&page, &version, "#!/bin/sh\necho from the page\n");
    assert_eq!(status, 200, "{saved}");
    let (status, there) = put(&page, &version, "#!/bin/sh\necho too late\n");
    assert_eq!(status, 412, "{there}");
    assert!(there.contains("from the page"), "{there}");
    assert_eq!(page.file("work.sh")["mode"], before["mode"], "still executable");
    let stdin = page.child.stdin.as_mut().unwrap();
    stdin.write_all(b"echo '# by hand' >>/root/work.sh\n").unwrap();
    let changed = wait_until(PATIENCE, "the line of the shell", || {
        let file = page.file("work.sh");
        file["text"]
            .as_str()
            .unwrap()
            .ends_with("# by hand\n")
            .then_some(file)
    });
    assert!(
        changed.unwrap()["text"]
            .as_str()
            .unwrap()
            .contains("from the page")
    );
    assert_eq!(page.asks("PUT", "/api/files/work.sh", &[], "x").0, 428);
    assert_eq!(
        page.asks("PUT", "/api/files/passwd", &[("If-Match", "x")], "x").0,
        404
    );
    assert_eq!(page.ends(), Some(0));
}

#[test]
fn edits_that_are_only_on_the_page_are_asked_about() {
    needs!(Docker);
    let image = Image::new("drafts");
    let mut terminal = Terminal::open(image.name(), scratch());
    let before = terminal.shows("/local");
    let place = before.split("http://127.0.0.1:").nth(1).unwrap();
    let (port, key) = place
        .split_whitespace()
        .next()
        .unwrap()
        .split_once("/?key=")
        .unwrap();
    let page = Page {
        child: Command::new("true").stdin(Stdio::piped()).spawn().unwrap(),
        port: port.parse().unwrap(),
        key: key.to_owned(),
        home: scratch(),
    };
    assert_eq!(page.asks("POST", "/api/drafts", &[], r#"["work.sh"]"#).0, 204);
    terminal.shows("# ");
    terminal.types("exit\n");
    terminal.shows("The page has edits of work.sh");
    terminal.shows("back to the shell: ");
    terminal.types("w\n");
    terminal.shows("is as it was");
    assert_eq!(terminal.ends(), Some(0));
}
