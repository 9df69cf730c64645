//! What the engine asks of the kernel side. The real one is `crates/bpf`; tests use a fake.

use std::sync::Arc;
use std::time::Duration;

use abi::Counter;
use abi::rows::{FILES_IN_BUCKET, Line, Rule, Table};

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

    /// Has the kernel side take the file with this [tag](abi::rows::file_tag) for one that no sample has shown: with the
    /// next sample that does, it sends the file's path and wakes us. Nothing to do where paths are not sent.
    fn forget_file(&mut self, _tag: u64) {}

    /// Whether samples carry the names of their threads from now on; at first they do not. Nothing to do where it makes no
    /// difference.
    fn read_comm(&mut self, _wanted: bool) -> Result<(), KernelError> {
        Ok(())
    }

    /// The number of the BPF program that was loaded last; `None` where that cannot be told. Numbers count up.
    fn newest_program(&mut self) -> Option<u32> {
        None
    }

    /// Totals so far.
    fn counters(&mut self) -> KernelCounters;

    /// Wakes [`wait`](Self::wait).
    fn waker(&self) -> Waker;

    /// Kernel memory that the maps hold, in bytes.
    fn map_bytes(&self) -> u64;

    /// Where unwind rows are written; `None` for one that has none.
    fn row_maps(&self) -> Option<Box<dyn RowMaps>> {
        None
    }
}

/// The unwind rows in the kernel, written by a thread of its own. Places are numbers of elements.
pub trait RowMaps: Send {
    /// How many lines there are.
    fn lines(&self) -> u32;

    /// How many lines of pointers to lines there are.
    fn pointer_lines(&self) -> u32;

    /// Writes rows.
    fn set_lines(&mut self, first: u32, lines: &[Line]) -> Result<(), KernelError>;

    /// Writes the pointers of spans.
    fn set_pointers(&mut self, first: u32, lines: &[Line]) -> Result<(), KernelError>;

    /// Reads rows back; `None` if they cannot be read.
    fn line(&self, at: u32) -> Option<Line>;

    /// Reads pointers of spans back.
    fn pointers(&self, at: u32) -> Option<Line>;

    /// Writes rules.
    fn set_rules(&mut self, first: u32, rules: &[Rule]) -> Result<(), KernelError>;

    /// Writes a table to the place that its number names. The first place has none, but how often numbers came again: with
    /// another number there what was remembered of tables is forgotten.
    fn set_table(&mut self, place: u32, table: &Table) -> Result<(), KernelError>;

    /// Says which tables the files of a bucket have.
    fn set_bucket(&mut self, bucket: u32, files: &[u64; FILES_IN_BUCKET]) -> Result<(), KernelError>;

    /// Has the kernel side forget the rules of all places, because a table's number is used again.
    fn clear_recent(&mut self) -> Result<(), KernelError>;
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
