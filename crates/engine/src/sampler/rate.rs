//! At which rate the kernel side samples, and on which CPUs.

use super::Sampler;

/// What went wrong the last time with something that is tried each second: it is said once.
#[derive(Default)]
pub(super) struct Complaint(Option<String>);

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

impl Sampler {
    /// Samples at the rate that the sessions need, if that is possible; it is tried again each second.
    pub(super) fn retry_rate(&mut self) {
        let outcome = self.set_rate();
        if let Some(error) = self.rate_fails.about(outcome.as_ref().map_err(String::as_str).copied()) {
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
        if let Some(error) = self.cpus_fail.about(outcome.as_ref().map_err(String::as_str).copied()) {
            tracing::warn!(error, "cannot follow CPU hotplug; trying again each second");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_lasts_is_said_once() {
        let mut complaint = Complaint::default();
        let said = [Ok(()), Err("a"), Err("a"), Err("b"), Err("b"), Ok(()), Err("b")].map(|o| complaint.about(o));
        assert_eq!(said, [None, Some("a"), None, Some("b"), None, None, Some("b")]);
    }
}
