//! What the engine asks of the kernel side. The real one is `crates/bpf`; tests use a fake.

use std::sync::Arc;
use std::time::Duration;

use abi::Counter;

/// Makes the thread that waits in [`Kernel::wait`] return soon. Cheap to call from any thread.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Totals of the kernel side since it was loaded, by [`Counter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelCounters(pub [u64; Counter::ALL.len()]);

impl KernelCounters {
    /// The total of one counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }
}

impl Default for KernelCounters {
    fn default() -> Self {
        Self([0; Counter::ALL.len()])
    }
}

/// Why the kernel side does not do what was asked. The message says what is missing and how to grant it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct KernelError {
    /// What is missing, and the remedy.
    pub message: String,
}

impl KernelError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// The kernel side: sampling, and the records it leaves in its rings.
pub trait Kernel {
    /// Samples every online CPU this many times a second from now on; `None` stops. Changing the rate restarts the
    /// periods but loses no sample that was taken.
    fn sample(&mut self, hz: Option<u32>) -> Result<(), KernelError>;

    /// Follows CPUs that came or went since the last call. Returns how many are sampled.
    fn follow_cpus(&mut self) -> Result<usize, KernelError>;

    /// Waits until a record wants attention, the [`Waker`] is called, or the time is over.
    fn wait(&mut self, timeout: Duration);

    /// Hands over every record that is in the rings, oldest first in each.
    fn drain(&mut self, each: &mut dyn FnMut(&[u8]));

    /// Totals so far.
    fn counters(&mut self) -> KernelCounters;

    /// Wakes [`wait`](Self::wait).
    fn waker(&self) -> Waker;

    /// Kernel memory that the maps hold, in bytes.
    fn map_bytes(&self) -> u64;
}

/// No kernel side at all. Stands in for the real one while that hands over records.
pub(crate) struct Absent;

impl Kernel for Absent {
    fn sample(&mut self, _hz: Option<u32>) -> Result<(), KernelError> {
        Ok(())
    }

    fn follow_cpus(&mut self) -> Result<usize, KernelError> {
        Ok(0)
    }

    fn wait(&mut self, _timeout: Duration) {}

    fn drain(&mut self, _each: &mut dyn FnMut(&[u8])) {}

    fn counters(&mut self) -> KernelCounters {
        KernelCounters::default()
    }

    fn waker(&self) -> Waker {
        Arc::new(|| ())
    }

    fn map_bytes(&self) -> u64 {
        0
    }
}
