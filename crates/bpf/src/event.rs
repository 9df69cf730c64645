//! The clock of one CPU with the program attached to it.

use std::collections::BTreeMap;

use engine::kernel::KernelError;
use libbpf_rs::Link;
use rustix::time::{ClockId, clock_gettime};

use crate::notes::Notes;
use crate::pace::Pace;
use crate::perf;

/// Ends when it drops.
pub(crate) struct Event {
    // Before the link, which closes the descriptor.
    notes: Option<Notes>,
    _link: Link,
    fd: i32,
    pace: Pace,
}

impl Event {
    /// Of an event that this link owns, and that began as this says.
    pub(crate) fn new(link: Link, fd: i32, cpu: u32, pace: Pace) -> Self {
        let notes = Notes::of(fd)
            .inspect_err(|error| tracing::debug!(cpu, %error, "the kernel will not be heard if it stops sampling"));
        Self { notes: notes.ok(), _link: link, fd, pace }
    }

    /// Sets another period if it is time for one.
    pub(crate) fn drift(&mut self) {
        let Some(period) = self.pace.change(now()) else { return };
        if let Err(error) = perf::set_period(self.fd, period) {
            tracing::debug!(%error, "the period of a CPU's samples stays as it was");
        }
    }

    /// How often the kernel has stopped it since the last call, until the CPU's next timer tick.
    pub(crate) fn throttled(&mut self) -> u64 {
        self.notes.as_mut().map_or(0, Notes::throttled)
    }
}

/// CLOCK_MONOTONIC in nanoseconds.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Attaches to CPUs. One that has left meanwhile is none; after one that fails the others are left out.
pub(crate) fn attach_all<E>(
    events: &mut BTreeMap<u32, E>,
    missing: &[u32],
    mut attach: impl FnMut(u32) -> Result<E, KernelError>,
    is_online: impl Fn(u32) -> bool,
) -> Result<(), KernelError> {
    for &cpu in missing {
        match attach(cpu) {
            Ok(event) => _ = events.insert(cpu, event),
            Err(_) if !is_online(cpu) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_that_cannot_be_attached_leaves_the_others_as_they_are() {
        let mut events = BTreeMap::from([(0, "first")]);
        let attach = |cpu| if cpu == 2 { Err(KernelError::new("no event")) } else { Ok("new") };
        assert!(attach_all(&mut events, &[1, 2, 3], attach, |cpu| cpu != 2).is_ok(), "it has left");
        assert_eq!(events, BTreeMap::from([(0, "first"), (1, "new"), (3, "new")]));
        assert!(attach_all(&mut events, &[2, 4], attach, |_| true).is_err());
        assert_eq!(events.len(), 3);
    }
}
