//! One attempt: a request to `push.v1.PusherService/Push`, and what its answer means.

use std::io::Read as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use rpc::push::{CONTENT_TYPE as PROTO, PATH};

use super::arguments::EndpointArguments;
use crate::http_client::{Answer, BuildError, Call, Client, SendError, ServerUrl, UrlError, chain, redacted};

/// What requests say they are from.
const USER_AGENT: &str = concat!("pyrope/", env!("CARGO_PKG_VERSION"));
/// As much of an answer is read, in bytes; a success is empty.
const MAX_ANSWER: usize = 64 << 10;
/// As much of an error's text is kept, in bytes.
const MAX_MESSAGE: usize = 2_048;
/// A server that asks for a longer pause gets this one: by then profiles are too old for it anyway.
const MAX_PAUSE: Duration = Duration::from_secs(3_600);

/// One server to push to, as configured.
pub(super) struct Target {
    /// The address for people and metrics, without a password.
    pub(super) shown: String,
    /// The address to push to; an error when it is none, for an agent with one bad address still serves the others.
    url: Result<ServerUrl, UrlError>,
    client: Client,
    headers: HeaderMap,
    timeout: Duration,
    retry_429: bool,
}

/// Why a push did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What the server or the network said.
    pub(super) message: String,
    pub(super) verdict: Verdict,
}

/// What a failure means for the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It would fail again.
    Final,
    /// It may succeed later.
    Retry,
    /// It may succeed after this time, which the server named; sooner nothing will.
    RetryAfter(Duration),
}

impl Target {
    pub(super) fn new(arguments: &EndpointArguments) -> Result<Self, BuildError> {
        let method = format!("{}{PATH}", arguments.url.trim_end_matches('/'));
        let url = ServerUrl::parse(&arguments.url).and_then(|_| ServerUrl::parse(&method));
        let tls = url.as_ref().is_ok_and(|url| !url.is_plain());
        Ok(Self {
            shown: redacted(&arguments.url),
            url,
            client: Client::new(&arguments.client, tls)?,
            headers: headers(arguments)?,
            timeout: arguments.remote_timeout,
            retry_429: arguments.retry_on_http_429,
        })
    }

    /// Whether there is an address.
    pub(super) fn check(&self) -> Result<(), &UrlError> {
        self.url.as_ref().map(|_| ())
    }

    /// Sends one request.
    pub(super) async fn push(&self, body: Bytes) -> Result<(), Failure> {
        let url = match &self.url {
            Ok(url) => url.clone(),
            Err(error) => return Err(Failure { message: error.to_string(), verdict: Verdict::Final }),
        };
        let call = Call { method: Method::POST, url, headers: self.headers.clone(), body, max_answer: MAX_ANSWER };
        match self.client.send(call, self.timeout).await {
            Ok(answer) => judge(&answer, self.retry_429, SystemTime::now()),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// The headers of every request. Those of the protocol win over configured ones.
fn headers(arguments: &EndpointArguments) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &arguments.headers {
        let wrong = || BuildError::Header(name.clone());
        let parsed = HeaderName::try_from(name.as_str()).map_err(|_| wrong())?;
        headers.insert(parsed, HeaderValue::try_from(value.as_str()).map_err(|_| wrong())?);
    }
    let millis = arguments.remote_timeout.as_millis().clamp(1, 9_999_999_999);
    headers.insert("connect-timeout-ms", HeaderValue::from(u64::try_from(millis).unwrap_or(u64::MAX)));
    headers.insert("connect-protocol-version", HeaderValue::from_static("1"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROTO));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    for hop in ["content-length", "transfer-encoding", "connection", "content-encoding"] {
        headers.remove(hop);
    }
    Ok(headers)
}

/// No answer. What breaks on the way may work later; a sick client does not heal, but its secrets may yet appear.
fn failed(error: &SendError) -> Failure {
    let verdict = match error {
        SendError::Credentials | SendError::Redirects | SendError::Redirect(_) => Verdict::Final,
        _ => Verdict::Retry,
    };
    let code = if matches!(error, SendError::Timeout(_)) { "deadline_exceeded" } else { "unavailable" };
    Failure { message: format!("{code}: {}", chain(error)), verdict }
}

/// What an answer means. Tried again are 408, 5xx and, when wanted, 429.
fn judge(answer: &Answer, retry_429: bool, now: SystemTime) -> Result<(), Failure> {
    let status = answer.status;
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if status == StatusCode::OK && kind.split(';').next().is_some_and(|kind| kind.trim() == PROTO) {
        return Ok(());
    }
    let again = match status {
        StatusCode::TOO_MANY_REQUESTS => retry_429,
        StatusCode::REQUEST_TIMEOUT => true,
        other => other.is_server_error(),
    };
    let verdict = match (again, pause(&answer.headers, now)) {
        (false, _) => Verdict::Final,
        (true, Some(pause)) => Verdict::RetryAfter(pause),
        (true, None) => Verdict::Retry,
    };
    Err(Failure { message: message(answer, kind), verdict })
}

/// `Retry-After`, in seconds or as a date.
fn pause(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(MAX_PAUSE))
}

/// `code: text` of a Connect error; of anything else the status and the beginning of the text.
fn message(answer: &Answer, kind: &str) -> String {
    let body = body(answer);
    if kind.starts_with("application/json")
        && let Ok(json) = serde_json::from_slice::<serde_json::Value>(&body)
        && let Some(code) = json.get("code").and_then(|code| code.as_str())
    {
        let text = json.get("message").and_then(|text| text.as_str()).unwrap_or_default();
        return shortened(&format!("{code}: {text}"));
    }
    if answer.status == StatusCode::OK {
        return format!("the answer is of type {kind:?}: this is no Pyroscope server");
    }
    if let (true, Some(location)) = (answer.status.is_redirection(), answer.headers.get(http::header::LOCATION)) {
        return shortened(&format!("{} to {}", answer.status, redacted(&String::from_utf8_lossy(location.as_bytes()))));
    }
    let text = String::from_utf8_lossy(&body);
    let text = text.trim();
    if text.is_empty() { answer.status.to_string() } else { shortened(&format!("{}: {text}", answer.status)) }
}

/// The body, out of gzip where it is in it.
fn body(answer: &Answer) -> Vec<u8> {
    let mut plain = Vec::new();
    if answer.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip") {
        let decoder = flate2::read::GzDecoder::new(&answer.body[..]);
        // A message that breaks off is still better than none.
        let _ = decoder.take(MAX_ANSWER as u64).read_to_end(&mut plain);
    } else {
        plain.extend_from_slice(&answer.body);
    }
    plain
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(MAX_MESSAGE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Answer {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: headers.collect(), body: Bytes::copy_from_slice(body) }
    }

    #[track_caller]
    fn check(answer: &Answer, expect: &str) {
        // 1994-11-06T08:49:00Z, 37 seconds before the example of RFC 9110.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_740);
        let shown = match judge(answer, true, now) {
            Ok(()) => "ok".to_owned(),
            Err(failure) => format!("{:?}: {}", failure.verdict, failure.message),
        };
        assert_eq!(shown, expect);
    }

    const JSON: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn only_an_answer_of_the_protocol_is_a_success() {
        check(&answer(200, &[("content-type", "application/proto")], b""), "ok");
        check(&answer(200, &[("content-type", "application/proto; x=y")], b""), "ok");
        check(
            &answer(200, &[("content-type", "text/html")], b"<html>"),
            r#"Final: the answer is of type "text/html": this is no Pyroscope server"#,
        );
        check(&answer(302, &[("location", "http://a:b@c/")], b""), "Final: 302 Found to http://a:xxxxx@c/");
    }

    #[test]
    fn server_errors_timeouts_and_429_are_tried_again_and_no_other_4xx() {
        let error = br#"{"code":"invalid_argument","message":"label name too long"}"#;
        check(&answer(400, &[JSON], error), "Final: invalid_argument: label name too long");
        check(&answer(401, &[], b"no\n"), "Final: 401 Unauthorized: no");
        check(&answer(404, &[], b""), "Final: 404 Not Found");
        check(&answer(413, &[], b""), "Final: 413 Payload Too Large");
        check(&answer(408, &[], b""), "Retry: 408 Request Timeout");
        check(&answer(429, &[JSON], br#"{"code":"resource_exhausted"}"#), "Retry: resource_exhausted: ");
        check(&answer(500, &[JSON], b"{}"), "Retry: 500 Internal Server Error: {}");
        check(&answer(503, &[], b""), "Retry: 503 Service Unavailable");
    }

    #[test]
    fn a_server_names_the_pause_in_seconds_or_as_a_date() {
        check(&answer(429, &[("retry-after", "7")], b""), "RetryAfter(7s): 429 Too Many Requests");
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        check(&answer(503, &[("retry-after", date)], b""), "RetryAfter(37s): 503 Service Unavailable");
        let past = "Sun, 06 Nov 1994 08:00:00 GMT";
        check(&answer(503, &[("retry-after", past)], b""), "RetryAfter(0ns): 503 Service Unavailable");
        check(&answer(503, &[("retry-after", "99999999")], b""), "RetryAfter(3600s): 503 Service Unavailable");
        check(&answer(503, &[("retry-after", "soon")], b""), "Retry: 503 Service Unavailable");
        check(&answer(400, &[("retry-after", "7")], b""), "Final: 400 Bad Request");
    }

    #[test]
    fn messages_are_read_out_of_gzip_and_are_short() {
        let error = profile::gzip(br#"{"code":"unauthenticated","message":"who"}"#, 1);
        check(&answer(401, &[JSON, ("content-encoding", "gzip")], &error), "Final: unauthenticated: who");
        let long = "é".repeat(9_000);
        let Err(failure) = judge(&answer(500, &[], long.as_bytes()), true, SystemTime::now()) else { panic!("500") };
        assert!(failure.message.len() <= MAX_MESSAGE);
    }
}
