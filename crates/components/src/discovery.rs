//! `discovery.*`: what there is to profile, as lists of targets.

pub mod process;
pub mod relabel;
