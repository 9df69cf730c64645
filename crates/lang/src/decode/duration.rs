//! Durations as configurations write them.

use std::{fmt, time::Duration};

use super::{FromValue, IntoValue, Shape};
use crate::{
    golang::duration,
    value::{Text, Value, ValueError},
};

/// A signed duration of nanoseconds, written as `1h30m`. Most arguments want a [`Duration`], which refuses negative
/// ones; this type is for those that give them a meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration {
    /// The length in nanoseconds.
    pub nanos: i64,
}

impl GoDuration {
    /// As an unsigned duration, if it is not negative.
    pub fn to_duration(self) -> Option<Duration> {
        u64::try_from(self.nanos).ok().map(Duration::from_nanos)
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::format(self.nanos))
    }
}

impl FromValue for GoDuration {
    const SHAPE: Shape = Shape::Text("duration");

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let text = Text::from_value(value)?;
        let nanos = duration::parse(&text.to_string_lossy()).map_err(|error| ValueError::new(value, error))?;
        Ok(Self { nanos })
    }
}

impl IntoValue for GoDuration {
    fn into_value(self) -> Value {
        self.to_string().into()
    }
}

impl FromValue for Duration {
    const SHAPE: Shape = Shape::Text("duration");

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let duration = GoDuration::from_value(value)?;
        duration.to_duration().ok_or_else(|| ValueError::new(value, "must not be negative"))
    }
}

impl IntoValue for Duration {
    fn into_value(self) -> Value {
        GoDuration { nanos: i64::try_from(self.as_nanos()).unwrap_or(i64::MAX) }.into_value()
    }
}
