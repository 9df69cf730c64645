//! The header that says who asks.

use http::header::HeaderValue;
use lang::value::secret::Secret;

use super::oauth2::Tokens;
use super::url::basic;
use super::{BuildError, HttpClientArguments, SendError};

/// Where the header `Authorization` comes from.
pub(super) enum Credentials {
    None,
    Basic { username: String, password: Source },
    Typed { kind: String, credentials: Source },
    OAuth2(Box<Tokens>),
}

/// A secret, or the file that holds it.
pub(super) enum Source {
    Inline(Secret),
    File(String),
}

impl Credentials {
    pub(super) fn new(arguments: &HttpClientArguments) -> Result<Self, BuildError> {
        let bearer = |credentials| Self::Typed { kind: "Bearer".to_owned(), credentials };
        let some = if let Some(auth) = &arguments.basic_auth {
            Self::Basic { username: auth.username.clone(), password: Source::new(&auth.password, &auth.password_file) }
        } else if let Some(auth) = &arguments.authorization {
            let credentials = Source::new(&auth.credentials, &auth.credentials_file);
            Self::Typed { kind: auth.kind.clone(), credentials }
        } else if let Some(oauth2) = &arguments.oauth2 {
            Self::OAuth2(Box::new(Tokens::new(oauth2)?))
        } else if !arguments.bearer_token.reveal().is_empty() || !arguments.bearer_token_file.is_empty() {
            bearer(Source::new(&arguments.bearer_token, &arguments.bearer_token_file))
        } else {
            Self::None
        };
        Ok(some)
    }

    /// The header of the next request.
    pub(super) async fn header(&self) -> Result<Option<HeaderValue>, SendError> {
        match self {
            Self::None => Ok(None),
            Self::Basic { username, password } => {
                let mut pair = format!("{username}:").into_bytes();
                pair.extend(password.read()?);
                basic(&pair).map(Some).map_err(|()| SendError::Credentials)
            }
            Self::Typed { kind, credentials } => typed(kind, &credentials.read()?).map(Some),
            Self::OAuth2(tokens) => tokens.header().await.map(Some),
        }
    }
}

impl Source {
    pub(super) fn new(inline: &Secret, file: &str) -> Self {
        if file.is_empty() { Self::Inline(inline.clone()) } else { Self::File(file.to_owned()) }
    }

    /// The secret as it is now; white space around it in a file does not count.
    pub(super) fn read(&self) -> Result<Vec<u8>, SendError> {
        match self {
            Self::Inline(secret) => Ok(secret.reveal().as_bytes().to_vec()),
            Self::File(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(bytes.trim_ascii().to_vec()),
                Err(source) => Err(SendError::SecretFile { path: path.clone(), source }),
            },
        }
    }
}

/// `Bearer …` and the like.
pub(super) fn typed(kind: &str, credentials: &[u8]) -> Result<HeaderValue, SendError> {
    let mut text = format!("{kind} ").into_bytes();
    text.extend_from_slice(credentials);
    let mut value = HeaderValue::from_bytes(&text).map_err(|_| SendError::Credentials)?;
    value.set_sensitive(true);
    Ok(value)
}
