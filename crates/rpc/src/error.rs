//! Errors of the Connect protocol: sixteen codes, an HTTP status for each, and a JSON body.

use std::fmt;

use serde::Deserialize;

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The caller gave up.
    Canceled,
    /// Nobody knows.
    Unknown,
    /// The request makes no sense.
    InvalidArgument,
    /// It took too long.
    DeadlineExceeded,
    /// There is no such thing.
    NotFound,
    /// There is such a thing already.
    AlreadyExists,
    /// The caller may not.
    PermissionDenied,
    /// Too much, or too fast.
    ResourceExhausted,
    /// The server is not in the state for it.
    FailedPrecondition,
    /// A conflict; the whole may succeed when begun anew.
    Aborted,
    /// Outside of the valid range.
    OutOfRange,
    /// The server cannot do that.
    Unimplemented,
    /// The server is broken.
    Internal,
    /// The server is not there for the moment.
    Unavailable,
    /// Data is lost.
    DataLoss,
    /// The caller did not say who he is.
    Unauthenticated,
}

/// Each code, its name on the wire, and its HTTP status.
const CODES: [(Code, &str, u16); 16] = [
    (Code::Canceled, "canceled", 499),
    (Code::Unknown, "unknown", 500),
    (Code::InvalidArgument, "invalid_argument", 400),
    (Code::DeadlineExceeded, "deadline_exceeded", 504),
    (Code::NotFound, "not_found", 404),
    (Code::AlreadyExists, "already_exists", 409),
    (Code::PermissionDenied, "permission_denied", 403),
    (Code::ResourceExhausted, "resource_exhausted", 429),
    (Code::FailedPrecondition, "failed_precondition", 400),
    (Code::Aborted, "aborted", 409),
    (Code::OutOfRange, "out_of_range", 400),
    (Code::Unimplemented, "unimplemented", 501),
    (Code::Internal, "internal", 500),
    (Code::Unavailable, "unavailable", 503),
    (Code::DataLoss, "data_loss", 500),
    (Code::Unauthenticated, "unauthenticated", 401),
];

impl Code {
    /// The name on the wire, for instance `invalid_argument`.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The status of a response with this code.
    pub fn http_status(self) -> u16 {
        self.row().2
    }

    /// The code with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        CODES.iter().find(|(_, known, _)| *known == name).map(|(code, _, _)| *code)
    }

    /// What a response with this status means when its body does not say: for instance one of a proxy.
    pub fn from_http_status(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    fn row(self) -> &'static (Self, &'static str, u16) {
        CODES.iter().find(|(code, _, _)| *code == self).expect("every code has its row")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The answer of a server that refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("server answered {status} {code}: {message}")]
pub struct RemoteError {
    /// HTTP status.
    pub status: u16,
    /// The code in the body, or what the status means.
    pub code: Code,
    /// The message in the body, or the beginning of a body that is not Connect's.
    pub message: String,
}

/// How much of a foreign body goes into a message.
const EXCERPT_BYTES: usize = 200;

#[derive(Deserialize)]
struct Body {
    code: String,
    #[serde(default)]
    message: String,
}

impl RemoteError {
    /// Reads the response to a unary call that has another status than 200.
    pub fn from_response(status: u16, body: &[u8]) -> Self {
        let parsed: Option<Body> = serde_json::from_slice(body).ok();
        if let Some(Body { code, message }) = parsed
            && let Some(code) = Code::from_name(&code)
        {
            return Self { status, code, message };
        }
        let excerpt = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]);
        let message = match excerpt.trim() {
            "" => "no message".to_owned(),
            text => text.to_owned(),
        };
        Self { status, code: Code::from_http_status(status), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expect: &str) {
        assert_eq!(RemoteError::from_response(status, body.as_bytes()).to_string(), expect);
    }

    #[test]
    fn a_connect_body_tells_code_and_message() {
        let body = r#"{"code":"resource_exhausted","message":"push rate limit (4 MB) exceeded","details":[]}"#;
        check(429, body, "server answered 429 resource_exhausted: push rate limit (4 MB) exceeded");
        check(400, r#"{"code":"invalid_argument"}"#, "server answered 400 invalid_argument: ");
    }

    #[test]
    fn without_one_the_status_must_do() {
        check(502, "<html>Bad Gateway</html>", "server answered 502 unavailable: <html>Bad Gateway</html>");
        check(401, "", "server answered 401 unauthenticated: no message");
        check(500, r#"{"code":"strange"}"#, r#"server answered 500 unknown: {"code":"strange"}"#);
        assert_eq!(RemoteError::from_response(500, &[0xff; 1000]).message.chars().count(), 200);
    }

    #[test]
    fn codes_have_names_and_a_status() {
        for (code, name, status) in CODES {
            assert_eq!((code.name(), code.http_status(), Code::from_name(name)), (name, status, Some(code)));
        }
        assert_eq!(Code::from_name("ok"), None);
    }
}
