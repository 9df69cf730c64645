//! At which rate the kernel side samples, and on which CPUs.

use super::Sampler;

/// What went wrong the last time with something that is tried each second: it is said once.
#[derive(Default)]
struct Complaint(Option<String>);

impl Complaint {
    /// The failure, if there is one and it is another than the last time.
    fn about<'a>(&mut self, outcome: Result<(), &'a str>) -> Option<&'a str> {
        let failure = outcome.err();
        if self.0.as_deref() == failure {
            return None;
        }
        self.0 = failure.map(str::to_owned);
        failure
    }
}

/// What was said of sampling.
#[derive(Default)]
pub(super) struct Said {
    rate: Complaint,
    cpus: Complaint,
    throttling: Throttling,
}

/// What was said of samples that the kernel does not let come.
#[derive(Default)]
struct Throttling {
    stops: u64,
    said: Option<u64>,
}

/// How long nothing more is said of it, in nanoseconds.
const QUIET: u64 = 60_000_000_000;

impl Throttling {
    /// How often the kernel stopped the samples of a CPU since this was said last, if it is to be said again.
    fn notice(&mut self, stops: u64, now: u64) -> Option<u64> {
        let new = stops.saturating_sub(self.stops);
        if new == 0 || self.said.is_some_and(|said| now.saturating_sub(said) < QUIET) {
            return None;
        }
        *self = Self { stops, said: Some(now) };
        Some(new)
    }
}

impl Sampler {
    /// Says that samples are missing because the kernel stopped them.
    pub(super) fn tell_of_throttling(&mut self, stops: u64) {
        if let Some(stops) = self.said.throttling.notice(stops, super::now()) {
            tracing::warn!(
                stops,
                "samples are missing: the kernel stopped those of a CPU until its next timer tick, because more came in one tick than the sysctl kernel.perf_event_max_sample_rate allows. Raise it (its default is 100000), or lower sample_rate. The kernel lowers it by itself where profilers take more time than kernel.perf_cpu_time_max_percent."
            );
        }
    }

    /// Samples at the rate that the sessions need, if that is possible; it is tried again each second.
    pub(super) fn retry_rate(&mut self) {
        let outcome = self.set_rate();
        if let Some(error) = self.said.rate.about(outcome.as_ref().map_err(String::as_str).copied()) {
            tracing::error!(error, "cannot change the sample rate; trying again each second");
        }
    }

    pub(super) fn set_rate(&mut self) -> Result<(), String> {
        let rate = self.sessions.values().map(|session| session.settings.sample_rate).max();
        if rate.unwrap_or(0) == self.rate {
            return Ok(());
        }
        // What was taken at the old rate is read before the first sample of the new one.
        self.kernel.sample(None).map_err(|error| error.to_string())?;
        self.drain();
        self.rate = 0;
        if let Err(error) = self.kernel.sample(rate) {
            // The CPUs that it came to before the one that failed would go on, for nobody.
            _ = self.kernel.sample(None);
            return Err(error.to_string());
        }
        self.rate = rate.unwrap_or(0);
        Ok(())
    }

    /// Samples the CPUs that came, if that is possible.
    pub(super) fn follow_cpus(&mut self) {
        let outcome = self.kernel.follow_cpus().map(|_| ()).map_err(|error| error.to_string());
        if let Some(error) = self.said.cpus.about(outcome.as_ref().map_err(String::as_str).copied()) {
            tracing::warn!(error, "cannot follow CPU hotplug; trying again each second");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_is_said_once_a_minute_and_only_while_there_is_some() {
        let mut throttling = Throttling::default();
        let at = |second: u64| second * 1_000_000_000;
        let said = [(0, 1), (3, 2), (9, 3), (9, 63), (9, 200), (10, 300), (10, 400)]
            .map(|(stops, second)| throttling.notice(stops, at(second)));
        assert_eq!(said, [None, Some(3), None, Some(6), None, Some(1), None]);
    }

    #[test]
    fn a_failure_that_lasts_is_said_once() {
        let mut complaint = Complaint::default();
        let said = [Ok(()), Err("a"), Err("a"), Err("b"), Err("b"), Ok(()), Err("b")].map(|o| complaint.about(o));
        assert_eq!(said, [None, Some("a"), None, Some("b"), None, None, Some("b")]);
    }
}
