//! Tokens for a client's own credentials (RFC 6749, section 4.4).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::sync::Mutex;

use super::auth::{Source, typed};
use super::url::{ServerUrl, basic, escape, redacted};
use super::{Answer, BuildError, Call, Client, HttpClientArguments, OAuth2, SendError, chain};

/// A token is renewed this long before it ends.
const EARLY: Duration = Duration::from_secs(10);
/// How long a token is kept whose server does not say.
const UNSAID: Duration = Duration::from_secs(300);
/// The longest answer that a token comes in, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// How long to wait for a token.
const WAIT: Duration = Duration::from_secs(10);

/// Gets tokens and keeps the one that is good.
pub(super) struct Tokens {
    client: Client,
    url: ServerUrl,
    id: String,
    secret: Source,
    /// The form without the credentials.
    form: String,
    /// Whether the server wants the credentials in the form, which shows when it refuses them in a header.
    in_form: AtomicBool,
    current: Mutex<Option<(HeaderValue, Instant)>>,
}

impl Tokens {
    pub(super) fn new(arguments: &OAuth2) -> Result<Self, BuildError> {
        let endpoint = ServerUrl::parse(&arguments.token_url)?;
        let client_arguments = HttpClientArguments {
            proxy: arguments.proxy.clone(),
            tls_config: arguments.tls_config.clone(),
            ..HttpClientArguments::bare()
        };
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        if !arguments.scopes.is_empty() {
            form.push(("scope", arguments.scopes.join(" ")));
        }
        form.extend(arguments.endpoint_params.iter().map(|(name, value)| (name.as_str(), value.clone())));
        Ok(Self {
            client: Client::new(&client_arguments, !endpoint.is_plain())?,
            url: endpoint,
            id: arguments.client_id.clone(),
            secret: Source::new(&arguments.client_secret, &arguments.client_secret_file),
            form: form.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect::<Vec<_>>().join("&"),
            in_form: AtomicBool::new(false),
            current: Mutex::new(None),
        })
    }

    /// The header with a token that is good now. Those who ask while one is on its way wait for that one.
    pub(super) async fn header(&self) -> Result<HeaderValue, SendError> {
        let mut current = self.current.lock().await;
        if let Some((header, until)) = &*current
            && Instant::now() < *until
        {
            return Ok(header.clone());
        }
        let (header, lasts) = self.ask().await?;
        *current = Some((header.clone(), Instant::now() + lasts));
        Ok(header)
    }

    async fn ask(&self) -> Result<(HeaderValue, Duration), SendError> {
        let secret = String::from_utf8_lossy(&self.secret.read()?).into_owned();
        let in_form = self.in_form.load(Ordering::Relaxed);
        let mut answer = self.post(&secret, in_form).await?;
        if !in_form && answer.status.is_client_error() {
            answer = self.post(&secret, true).await?;
            self.in_form.store(answer.status.is_success(), Ordering::Relaxed);
        }
        self.read(&answer)
    }

    async fn post(&self, secret: &str, in_form: bool) -> Result<Answer, SendError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let mut body = self.form.clone();
        if in_form {
            body.push_str(&format!("&client_id={}&client_secret={}", escape(&self.id), escape(secret)));
        } else {
            let pair = format!("{}:{}", escape(&self.id), escape(secret));
            headers.insert(AUTHORIZATION, basic(pair.as_bytes()).map_err(|()| SendError::Credentials)?);
        }
        let call = Call {
            method: Method::POST,
            url: self.url.clone(),
            headers,
            body: Bytes::from(body),
            max_answer: MAX_ANSWER,
        };
        Box::pin(self.client.send(call, WAIT)).await.map_err(|error| self.failed(chain(&error)))
    }

    fn read(&self, answer: &Answer) -> Result<(HeaderValue, Duration), SendError> {
        if !answer.status.is_success() {
            return Err(self.failed(format!("the answer is {}", answer.status)));
        }
        let json: serde_json::Value =
            serde_json::from_slice(&answer.body).map_err(|_| self.failed("the answer is not JSON".to_owned()))?;
        let Some(token) = json.get("access_token").and_then(|token| token.as_str()).filter(|token| !token.is_empty())
        else {
            return Err(self.failed("the answer has no access_token".to_owned()));
        };
        let kind = match json.get("token_type").and_then(|kind| kind.as_str()) {
            None | Some("") => "Bearer",
            Some(kind) if kind.eq_ignore_ascii_case("bearer") => "Bearer",
            Some(kind) => kind,
        };
        // Some servers write the number as a string.
        let seconds = json.get("expires_in").and_then(|value| match value {
            serde_json::Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        });
        let lasts = seconds.filter(|seconds| *seconds > 0).map_or(UNSAID, Duration::from_secs);
        Ok((typed(kind, token.as_bytes())?, lasts.min(Duration::from_secs(86_400)).saturating_sub(EARLY)))
    }

    fn failed(&self, reason: String) -> SendError {
        SendError::Token { url: redacted(&self.url.uri().to_string()), reason }
    }
}
