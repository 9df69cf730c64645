//! From batches to receivers, with what is counted on the way.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use engine::Batch;

use crate::metrics::{Counter, Scope};
use crate::receiver::{Append, Fanout, Origin, Outgoing, ProfilesReceiver as _};

/// So many services have series of their own in metrics; those that come later share one.
const MOST_SERVICES: usize = 500;
/// That one's name.
const OTHER_SERVICES: &str = "(other)";

/// Hands batches to the receivers.
pub(super) struct Forward<'a> {
    id: &'a str,
    fanout: &'a Fanout,
    scope: &'a Scope,
    source: u64,
    dropped: Counter,
    /// Those that have series of their own, and the one that others share.
    services: HashMap<String, Made>,
}

/// What was made for a service.
#[derive(Clone)]
struct Made {
    profiles: Counter,
    samples: Counter,
    bytes: Counter,
}

impl<'a> Forward<'a> {
    /// `source` is a number that no other source has; `dropped` counts profiles that were not taken.
    pub(super) fn new(id: &'a str, fanout: &'a Fanout, scope: &'a Scope, source: u64, dropped: Counter) -> Self {
        Self { id, fanout, scope, source, dropped, services: HashMap::new() }
    }

    /// Waits for receivers for at most `patience`.
    pub(super) async fn batch(&mut self, batch: Batch, patience: Duration) {
        let origin = Origin { source: self.source, interval: batch.interval };
        if batch.open {
            self.fanout.show_open(batch.profiles.into_iter().collect::<Append>().of(origin));
            return;
        }
        let count = batch.profiles.len();
        let mut profiles = Vec::with_capacity(count);
        for profile in batch.profiles {
            let made = self.made(profile.labels.get("service_name").unwrap_or("unspecified"));
            made.profiles.add(1);
            made.samples.add(profile.samples().len() as u64);
            profiles.push(Outgoing::new(profile).counted(made.bytes.clone()));
        }
        let append = profiles.into_iter().collect::<Append>().of(origin);
        // The next batch comes after an interval: who is slower than that goes without.
        if let Err(error) = self.fanout.append(append.until(Instant::now() + patience)).await {
            self.dropped.add(error.places(count).len() as u64);
            tracing::warn!(component_id = self.id, err = %error, "profiles were not taken");
        }
    }

    fn made(&mut self, service: &str) -> Made {
        let known = self.services.contains_key(service) || self.services.len() < MOST_SERVICES;
        let service = if known { service } else { OTHER_SERVICES };
        if let Some(made) = self.services.get(service) {
            return made.clone();
        }
        let counter = |name, help| self.scope.counter(name, help, &[("service_name", service)]);
        let made = Made {
            profiles: counter("pyroscope_ebpf_pprofs_total", "Profiles made, by service."),
            samples: counter("pyroscope_ebpf_pprof_samples_total", "Samples in these profiles, by service."),
            bytes: counter("pyroscope_ebpf_pprof_bytes_total", "Bytes of these profiles as pprof in gzip, by service."),
        };
        self.services.insert(service.to_owned(), made.clone());
        made
    }
}
