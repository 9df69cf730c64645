//! Has files closed that are no longer in use, and has the kernel side forget them.

use super::Sampler;
use crate::namer::{CloseFiles, NamerEvent};

/// How often it says which files are in use while room for unwind rows is short, in nanoseconds.
const MARK_EVERY: u64 = 10_000_000_000;
/// How often it looks for files that are no longer in use, in nanoseconds; sooner when there are many.
pub(super) const FILES_EVERY: u64 = 60_000_000_000;

impl Sampler {
    /// Has files closed that no interval holds, and of too many files those that are needed least.
    pub(super) fn forget_files(&mut self, now: u64) {
        let turn = now.saturating_sub(self.files_looked_at) >= FILES_EVERY;
        // Those whose stacks are all known are seen to be in use only here.
        let rows = self.rows.counts.is_tight() && now.saturating_sub(self.files_marked_at) >= MARK_EVERY;
        if !turn && !rows && !self.interner.is_crowded() {
            return;
        }
        self.files_marked_at = now;
        if turn {
            self.files_looked_at = now;
            self.interner.next_turn();
        }
        for session in self.sessions.values() {
            self.interner.mark_files(session.window.stacks(), false);
        }
        let forgotten = self.interner.to_forget();
        if forgotten.is_empty() {
            return;
        }
        let close = CloseFiles {
            files: forgotten.iter().map(|(number, _)| *number).collect(),
            appended: self.interner.appended(),
            processes: self.processes.since(self.interner.processes_known()),
        };
        let synced = self.interner.synced();
        // A namer that is behind is asked again next time; until then there is no room for more files.
        if self.namer.try_send(NamerEvent::Close(Box::new(close))).is_ok() {
            self.interner.mark_synced(synced, self.processes.len());
            let tags = self.interner.forget(&forgotten);
            self.forget_in_kernel(&tags);
        }
    }

    /// A file that was not reached through its process may be through the next one, or by its path.
    pub(super) fn forget_unreached(&mut self) {
        let tags = self.interner.unreached();
        self.forget_in_kernel(&tags);
    }

    /// Has the kernel side tell of these files anew.
    fn forget_in_kernel(&mut self, tags: &[u64]) {
        tags.iter().for_each(|tag| self.kernel.forget_file(*tag));
    }
}
