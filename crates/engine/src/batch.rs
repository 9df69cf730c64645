//! What a session hands over.

use profile::Profile;

/// The profiles of one interval of one session: one for each set of final labels, or several where one would be too
/// large.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Counts the intervals of the session, from 0.
    pub interval: u64,
    /// Whether the interval is still open: the profiles are what it holds so far, and the next batch replaces them.
    pub open: bool,
    /// How many samples they stand for.
    pub samples: u64,
    /// The profiles.
    pub profiles: Vec<Profile>,
}

/// Takes batches. Called on the namer thread, so it must not block: it gives the batch back when it has no room, and
/// the engine counts its samples as lost.
pub type Sink = Box<dyn Fn(Batch) -> Result<(), Batch> + Send + Sync>;
