//! How a component is doing.

use std::{fmt, time::SystemTime};

/// From best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Does its work.
    Healthy,
    /// Did not say yet.
    Unknown,
    /// Does not do its work, or not all of it.
    Unhealthy,
    /// Ended by itself.
    Exited,
}

impl State {
    /// All of them, best first.
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Unknown, Self::Unhealthy, Self::Exited];

    /// The word for it, in metrics and in the API: `healthy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Unhealthy => "unhealthy",
            Self::Exited => "exited",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A state, why, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub state: State,
    /// Why it is in it, in a sentence.
    pub message: String,
    /// When it was last reported.
    pub time: SystemTime,
}

impl Health {
    /// A state that begins now.
    pub fn now(state: State, message: impl Into<String>) -> Self {
        Self { state, message: message.into(), time: SystemTime::now() }
    }
}

/// The three views of a component's health.
#[derive(Clone, Debug)]
pub(crate) struct Views {
    /// Whether it runs.
    pub(crate) run: Health,
    /// Whether its arguments could be evaluated.
    pub(crate) evaluation: Health,
    /// What it says itself.
    pub(crate) reported: Option<Health>,
}

impl Views {
    /// Of a component that was just made.
    pub(crate) fn created() -> Self {
        let created = Health::now(State::Unknown, "component created");
        Self { run: created.clone(), evaluation: created, reported: None }
    }

    /// The worst of the three; among equals the latest. Of what is healthy, what the component says itself: that tells
    /// more than that it was started or evaluated, which happens at any time and says nothing new.
    pub(crate) fn effective(&self) -> &Health {
        let views = [(&self.run, false), (&self.evaluation, false)];
        let views = views.into_iter().chain(self.reported.as_ref().map(|reported| (reported, true)));
        let worst =
            views.max_by_key(|(health, own)| (health.state, health.state == State::Healthy && *own, health.time));
        worst.map_or(&self.run, |(health, _)| health)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_worst_counts_then_what_it_says_itself_then_the_latest() {
        let at = |second, state, message: &str| Health {
            state,
            message: message.to_owned(),
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
        };
        let mut views = Views {
            run: at(2, State::Healthy, "started component"),
            evaluation: at(1, State::Healthy, "component evaluated"),
            reported: None,
        };
        assert_eq!(views.effective().message, "started component");
        views.reported = Some(at(0, State::Healthy, "sampling 97 times a second"));
        assert_eq!(views.effective().message, "sampling 97 times a second");
        views.evaluation = at(9, State::Unhealthy, "component evaluation failed");
        assert_eq!(views.effective().message, "component evaluation failed");
        views.reported = Some(at(10, State::Unhealthy, "no route"));
        assert_eq!(views.effective().message, "no route");
        views.evaluation = at(11, State::Healthy, "component evaluated");
        assert_eq!(views.effective().message, "no route");
        views.run = at(1, State::Exited, "component shut down cleanly");
        assert_eq!(views.effective().message, "component shut down cleanly");
    }
}
