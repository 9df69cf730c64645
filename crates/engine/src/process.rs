//! Births, execs and deaths of processes, for whoever wants to know.

use abi::ProcessEvent;
use crossbeam_channel::{Receiver, Sender, TrySendError};

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessChange {
    /// It was forked; it runs its parent's program until it executes another.
    Forked {
        /// Its id.
        pid: u32,
    },
    /// It runs another program now.
    Executed {
        /// Its id.
        pid: u32,
    },
    /// Its last thread ended.
    Exited {
        /// Its id.
        pid: u32,
    },
    /// Events were lost; only a scan of /proc tells the truth.
    Missed,
}

impl ProcessChange {
    pub(crate) fn from_event(event: &ProcessEvent) -> Self {
        let pid = event.tgid;
        match event.kind {
            abi::kind::FORK => Self::Forked { pid },
            abi::kind::EXEC => Self::Executed { pid },
            _ => Self::Exited { pid },
        }
    }
}

/// How many changes wait for a slow subscriber; then it is told [`ProcessChange::Missed`] once and has to scan.
const WAITING: usize = 4096;

struct Subscriber {
    sender: Sender<ProcessChange>,
    missed: bool,
}

/// Hands changes to subscribers. A full channel costs the subscriber those changes, never the sampler its time.
#[derive(Default)]
pub(crate) struct Subscribers(Vec<Subscriber>);

pub(crate) fn channel() -> (Sender<ProcessChange>, Receiver<ProcessChange>) {
    crossbeam_channel::bounded(WAITING)
}

impl Subscribers {
    pub(crate) fn add(&mut self, sender: Sender<ProcessChange>) {
        self.0.push(Subscriber { sender, missed: false });
    }

    pub(crate) fn publish(&mut self, change: ProcessChange) {
        self.0.retain_mut(|subscriber| {
            if subscriber.missed && subscriber.sender.try_send(ProcessChange::Missed).is_ok() {
                subscriber.missed = false;
            }
            match subscriber.sender.try_send(change) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    subscriber.missed = true;
                    true
                }
                Err(TrySendError::Disconnected(_)) => false,
            }
        });
    }
}
