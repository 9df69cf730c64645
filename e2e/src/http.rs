//! One HTTP request over a socket, without a client that would hide what is sent.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header lines, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Sends a request with these header lines and this body; `None` if there is no answer.
pub fn request(address: &str, method: &str, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Option<Answer> {
    let (head, body) = exchange(address, method, path, headers, body.as_ref())?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
}

/// The same, for an answer that is not text; `None` if it has another status than 200.
pub fn bytes(address: &str, method: &str, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let (head, body) = exchange(address, method, path, headers, body.as_ref())?;
    (head.split_whitespace().nth(1)? == "200").then_some(body)
}

/// The header lines of the answer, in lower case, and its body.
fn exchange(address: &str, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    )
    .ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase(), &answer[end + 4..]);
    let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_vec() };
    Some((head, body))
}

/// GET without anything.
pub fn get(address: &str, path: &str) -> Option<Answer> {
    request(address, "GET", path, &[], "")
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let (size, rest) = (String::from_utf8_lossy(&body[..end]), &body[end + 2..]);
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        out.extend_from_slice(&rest[..size]);
        body = rest.get(size + 2..).unwrap_or_default();
    }
    out
}
