//! What a kind of component is.

use std::fmt;

use lang::{
    decode::{FromBlock, IntoValue},
    value::Value,
};

use crate::{context::Context, updates::Updates};

/// A kind of component: what it takes, what it gives, how it runs.
///
/// A component is one async function and owns its state. New arguments arrive as a value, not as a call from
/// elsewhere; what it gives to others it hands to [`Context::export`].
///
/// ```
/// use pyrope_graph::{Component, Context, RunError, Updates};
/// use lang::{decode::{FromBlock, IntoValue}, value::Value};
///
/// /// Gives what it gets.
/// struct Passthrough;
///
/// #[derive(FromBlock)]
/// struct Arguments {
///     #[attr]
///     input: String,
/// }
///
/// #[derive(Default)]
/// struct Exports {
///     output: String,
/// }
///
/// impl IntoValue for Exports {
///     fn into_value(self) -> Value {
///         Value::object([("output", Value::from(self.output))])
///     }
/// }
///
/// impl Component for Passthrough {
///     type Args = Arguments;
///     type Exports = Exports;
///     const NAME: &'static str = "demo.passthrough";
///
///     async fn run(mut args: Updates<Arguments>, cx: Context<Exports>) -> Result<(), RunError> {
///         while let Some(args) = args.changed().await {
///             cx.export(Exports { output: args.input.clone() });
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Component: Sized + Send + 'static {
    /// What the block of the component holds.
    type Args: FromBlock + Send + Sync + 'static;

    /// What others can refer to. Becomes an object; its default is what they see before the first export and names
    /// the fields there are. [`NoExports`] for none.
    type Exports: IntoValue + Default + Send + 'static;

    /// The name in the configuration: `pyroscope.write`.
    const NAME: &'static str;

    /// How settled it is; a run has a minimum.
    const STABILITY: Stability = Stability::GenerallyAvailable;

    /// Whether its block needs a label.
    const LABEL: bool = true;

    /// Runs until `cx` is cancelled. `args` yields the current arguments at once and then each new version.
    ///
    /// It exports, or says [`Context::built`], before its first long wait: until then it is being built, and the load
    /// of whatever depends on it waits. An error before that is a failure to build, which fails a first load; an
    /// error or a return after it leaves the component exited until the next load. A panic makes it unhealthy and
    /// touches nothing else.
    fn run(args: Updates<Self::Args>, cx: Context<Self::Exports>) -> impl Future<Output = Result<(), RunError>> + Send;
}

/// The exports of a component that exports nothing: an empty object.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoExports;

impl IntoValue for NoExports {
    fn into_value(self) -> Value {
        Value::object::<&str>([])
    }
}

/// How settled a component is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stability {
    /// May change or go.
    Experimental,
    /// May change.
    PublicPreview,
    /// Stays.
    #[default]
    GenerallyAvailable,
}

impl Stability {
    /// The word for it, on the command line too: `generally-available`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Experimental => "experimental",
            Self::PublicPreview => "public-preview",
            Self::GenerallyAvailable => "generally-available",
        }
    }
}

impl fmt::Display for Stability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Stability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Experimental, Self::PublicPreview, Self::GenerallyAvailable];
        all.into_iter().find(|stability| stability.name() == text).ok_or_else(|| {
            let names = all.map(Self::name).join(", ");
            format!("invalid stability level {text:?}: it is one of {names}")
        })
    }
}

/// Why a component ended.
///
/// Any error turns into one with `?`; the message is the whole chain of its sources.
#[derive(Debug)]
pub struct RunError {
    message: String,
    help: Option<String>,
}

impl RunError {
    /// From a message: lower case, what was attempted and what came of it.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl<E: std::error::Error> From<E> for RunError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            message.push_str(": ");
            message.push_str(&error.to_string());
            source = error.source();
        }
        Self::new(message)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("connecting to {0}")]
    struct Connecting(&'static str, #[source] std::io::Error);

    #[test]
    fn an_error_says_its_whole_chain_once() {
        let error: RunError = Connecting("the server", std::io::Error::other("no route")).into();
        assert_eq!(error.to_string(), "connecting to the server: no route");
        assert_eq!(error.with_help("call someone").help(), Some("call someone"));
    }

    #[test]
    fn stability_levels_have_names() {
        assert_eq!("public-preview".parse(), Ok(Stability::PublicPreview));
        assert!("beta".parse::<Stability>().is_err());
        assert!(Stability::Experimental < Stability::GenerallyAvailable);
    }
}
