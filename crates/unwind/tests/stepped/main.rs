//! Real programs, stepped through one instruction at a time: at each, the rule of the place leads to the frame that the calls
//! so far have made.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bare;
mod built;
mod check;
mod files;
mod programs;
mod shadow;
mod tracee;
