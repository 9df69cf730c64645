//! What the rest of the program tells the sampler thread.

use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::batch::Sink;
use crate::process::ProcessChange;
use crate::session::{Settings, Shared};
use crate::symbol_cache::SymbolCache;
use crate::target::TargetChange;

/// Number of a session, never used again.
pub(crate) type SessionId = u64;

pub(crate) enum Command {
    Open {
        id: SessionId,
        settings: Settings,
        shared: Arc<Shared>,
        sink: Sink,
        /// Says whether sampling runs.
        started: Sender<Result<(), String>>,
    },
    Set(SessionId, Settings),
    /// They hold from this time on, by the clock of the records.
    Targets(SessionId, TargetChange, u64),
    /// Delivers what was counted, then forgets the session; the sender drops when all is handed over.
    Close(SessionId, Sender<()>),
    /// Brings all accounts up to date; the sender drops when that is done.
    Balance(Sender<()>),
    Subscribe(Sender<ProcessChange>),
    /// Where tables of symbols are kept.
    KeepSymbols(Option<SymbolCache>),
    /// Ends the threads. Sessions still open are closed first.
    Stop(Sender<()>),
}
