//! The hand-off of profiles from one component to the next: what `forward_to` names and `receiver` exports.
//!
//! A source makes an [`Append`] and gives it to a [`Fanout`] of [`Receiver`]s. Whatever must see pprof bytes asks the
//! [`Outgoing`] for them; they are made once, however many ask and however often the labels were changed on the way.

mod fanout;
mod not_taken;
mod outgoing;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use lang::decode::{FromValue, IntoValue, Shape};
use lang::value::capsule::{CapsuleType, downcast_ref};
use lang::value::{Capsule, Value, ValueError};
use profile::Profile;

pub use self::fanout::Fanout;
pub use self::not_taken::NotTaken;
pub use self::outgoing::{MAX_PUSH_BYTES, Outgoing, Pprof};

/// Profiles on their way, each with its own labels. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Append {
    profiles: Arc<[Outgoing]>,
    origin: Option<Origin>,
    deadline: Option<Instant>,
}

/// Which interval of which source profiles are of, so that what was shown of an open interval can be told from it when
/// it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The source: a number of its own within this process.
    pub source: u64,
    /// Counts its intervals.
    pub interval: u64,
}

impl Append {
    /// The profiles.
    pub fn profiles(&self) -> &[Outgoing] {
        &self.profiles
    }

    /// Which interval they are of, where the source has intervals.
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// The same with an origin.
    #[must_use]
    pub fn of(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// Until when the source waits for receivers, where it does not wait for ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The same with a deadline.
    #[must_use]
    pub fn until(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Other profiles of the same origin and deadline: what a component that changes labels or drops profiles hands on.
    #[must_use]
    pub fn with_profiles(&self, profiles: impl IntoIterator<Item = Outgoing>) -> Self {
        Self { profiles: profiles.into_iter().collect(), ..self.clone() }
    }
}

impl FromIterator<Outgoing> for Append {
    fn from_iter<I: IntoIterator<Item = Outgoing>>(profiles: I) -> Self {
        Self { profiles: profiles.into_iter().collect(), ..Self::default() }
    }
}

impl FromIterator<Profile> for Append {
    fn from_iter<I: IntoIterator<Item = Profile>>(profiles: I) -> Self {
        profiles.into_iter().map(Outgoing::new).collect()
    }
}

/// Why profiles were not taken. What a receiver took and then lost is not told here but counted there.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A profile's labels are not what a server takes.
    #[error("invalid labels in profile: {0}")]
    Labels(String),
    /// The component is gone.
    #[error("{0} has exited")]
    Exited(String),
    /// The receiver could not take them, in its own words.
    #[error("{0}")]
    Refused(String),
    /// A receiver did not come to an end with them by the deadline: the one at this place in `forward_to`.
    #[error("receiver {0} of forward_to is too slow")]
    Late(usize),
    /// Several of these.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<AppendError>),
}

impl AppendError {
    /// All of them as one, if there are any.
    fn collect(mut errors: Vec<AppendError>) -> Option<AppendError> {
        match errors.len() {
            0 | 1 => errors.pop(),
            _ => Some(Self::Several(errors)),
        }
    }
}

/// Something that takes profiles.
pub trait ProfilesReceiver: Send + Sync + 'static {
    /// Takes profiles, or says which of them it does not take. Who waits gives up at the deadline and drops
    /// this: what was taken before that has to be said before that.
    fn append(&self, profiles: Append) -> BoxFuture<'_, Result<(), NotTaken>>;

    /// The interval so far, about once a second while somebody looks; each replaces the one before, and the next
    /// [`append`](Self::append) all of them. Receivers that cannot show it ignore it.
    fn show_open(&self, _open: Append) {}

    /// Until when somebody looks at the open interval, `None` for nobody: lets a source skip the work.
    fn watched_until(&self) -> Option<Instant> {
        None
    }
}

/// A receiver as configurations pass it around. A clone is the same one.
#[derive(Clone)]
pub struct Receiver(Arc<dyn ProfilesReceiver>);

impl Receiver {
    /// Wraps one.
    pub fn new(receiver: impl ProfilesReceiver) -> Self {
        Self(Arc::new(receiver))
    }

    /// Wraps one that is shared already.
    pub fn shared(receiver: Arc<dyn ProfilesReceiver>) -> Self {
        Self(receiver)
    }
}

impl std::ops::Deref for Receiver {
    type Target = dyn ProfilesReceiver;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capsule({:?})", Self::NAME)
    }
}

impl Capsule for Receiver {
    fn type_name(&self) -> &'static str {
        Self::NAME
    }

    fn equals(&self, other: &dyn Capsule) -> bool {
        downcast_ref::<Self>(other).is_some_and(|other| Arc::ptr_eq(&self.0, &other.0))
    }
}

impl CapsuleType for Receiver {
    const NAME: &'static str = "pyroscope.Appendable";
}

impl FromValue for Receiver {
    const SHAPE: Shape = Shape::Capsule(Self::NAME);

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Arc::<Self>::from_value(value).map(|receiver| (*receiver).clone())
    }
}

impl IntoValue for Receiver {
    fn into_value(self) -> Value {
        Value::capsule(self)
    }
}

/// The argument `forward_to`: a list of receivers in which null stands for none.
#[derive(Clone, Debug, Default)]
pub struct ForwardTo(pub Vec<Receiver>);

impl FromValue for ForwardTo {
    const SHAPE: Shape = Shape::Array(&Shape::Capsule(Receiver::NAME));

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let receivers = Vec::<Option<Receiver>>::from_value(value)?;
        Ok(Self(receivers.into_iter().flatten().collect()))
    }
}

impl IntoValue for ForwardTo {
    fn into_value(self) -> Value {
        self.0.into_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl ProfilesReceiver for Nowhere {
        fn append(&self, _: Append) -> BoxFuture<'_, Result<(), NotTaken>> {
            Box::pin(async { Ok(()) })
        }
    }

    #[test]
    fn forward_to_skips_null_and_refuses_what_is_no_receiver() {
        let receiver = Receiver::new(Nowhere).into_value();
        let list = Value::array([Value::Null, receiver.clone(), Value::Null]);
        assert_eq!(ForwardTo::from_value(&list).map(|list| list.0.len()).ok(), Some(1));
        assert_eq!(ForwardTo::from_value(&Value::Null).map(|list| list.0.len()).ok(), Some(0));
        let wrong = ForwardTo::from_value(&Value::array([receiver, Value::from("x")])).expect_err("a string is none");
        assert_eq!(wrong.to_string(), "[1] should be capsule, got string");
        let secret = lang::value::secret::Secret::new("x").into_value();
        let wrong = ForwardTo::from_value(&Value::array([secret])).expect_err("a secret is none");
        assert_eq!(
            wrong.to_string(),
            r#"[0] expected capsule("pyroscope.Appendable"), got capsule("alloytypes.Secret")"#
        );
    }

    #[test]
    fn a_receiver_equals_itself_alone() {
        let receiver = Receiver::new(Nowhere);
        assert!(receiver.clone().into_value() == receiver.clone().into_value());
        assert!(receiver.into_value() != Receiver::new(Nowhere).into_value());
    }
}
