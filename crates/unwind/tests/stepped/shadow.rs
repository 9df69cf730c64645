//! The frames that calls have made, as seen when they were made.

use std::collections::BTreeMap;

/// Code that was called and has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Where it returns to.
    pub(crate) to: u64,
    /// The frame pointer at the call.
    pub(crate) fp: u64,
}

/// Calls, by the place of their return address. Several stacks live side by side.
#[derive(Default)]
pub(crate) struct Shadow(BTreeMap<u64, Call>);

/// When the stack pointer moves by less, it stays on the same stack.
const SAME_STACK: u64 = 1 << 20;

impl Shadow {
    pub(crate) fn call(&mut self, place: u64, call: Call) {
        // What lies below is over.
        let below: Vec<u64> = self.0.range(place.saturating_sub(4096)..place).map(|(at, _)| *at).collect();
        below.iter().for_each(|at| _ = self.0.remove(at));
        self.0.insert(place, call);
    }

    pub(crate) fn returned(&mut self, place: u64) {
        self.0.remove(&place);
    }

    /// The stack pointer was moved by other means.
    pub(crate) fn moved(&mut self, from: u64, to: u64, stacks_are_small: bool) {
        let most = if stacks_are_small { 4096 } else { SAME_STACK };
        if from.abs_diff(to) < most {
            let gone: Vec<u64> = self.0.range(from.min(to)..from.max(to)).map(|(at, _)| *at).collect();
            gone.iter().for_each(|at| _ = self.0.remove(at));
        }
    }

    pub(crate) fn at(&self, place: u64) -> Option<Call> {
        self.0.get(&place).copied()
    }

    /// The innermost call of the stack, with the place of its return address, that is still there.
    pub(crate) fn innermost(&self, sp: u64, is_there: impl Fn(u64, Call) -> bool) -> Option<(u64, Call)> {
        let mut above = self.0.range(sp..sp.saturating_add(SAME_STACK)).map(|(at, call)| (*at, *call));
        above.find(|(at, call)| is_there(*at, *call))
    }
}
