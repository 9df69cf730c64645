//! From what a session counted to what the namer needs.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::account::Account;
use crate::namer::{Counted, Group, Job};
use crate::session::SessionState;

use super::interner::Interner;
use super::processes::Processes;

fn count_ends(account: &Account, ends: &[u32; abi::WalkEnd::ALL.len()]) {
    for (end, count) in abi::WalkEnd::ALL.into_iter().zip(ends) {
        account.end(end, u64::from(*count));
    }
}

/// What the namer needs of a window, and how many of its samples match no target. How the walks of the others ended is
/// counted once, when the window is over.
pub(super) fn job(
    session: &SessionState,
    interner: &mut Interner,
    processes: &Processes,
    now: u64,
    open: bool,
) -> (Job, u64) {
    let window = &session.window;
    let mut labels = Vec::new();
    let mut place_of = HashMap::new();
    let by_bucket: Vec<Option<Group>> = window
        .buckets
        .iter()
        .zip(&window.ends)
        .map(|(bucket, ends)| {
            let of_bucket = session.final_labels(bucket)?;
            if !open {
                count_ends(&session.shared.account, ends);
            }
            let place = *place_of.entry(of_bucket.clone()).or_insert_with(|| {
                labels.push(of_bucket);
                labels.len() as u32 - 1
            });
            Some(Group { labels: place, thread: session.thread(bucket) })
        })
        .collect();
    // Those with the same labels come one after the other.
    let mut number_of: BTreeMap<Group, u32> = by_bucket.iter().flatten().map(|group| (*group, 0)).collect();
    number_of.values_mut().zip(0..).for_each(|(number, at)| *number = at);
    let by_bucket: Vec<Option<u32>> = by_bucket.iter().map(|group| number_of.get(&(*group)?).copied()).collect();
    let mut counted = Vec::with_capacity(window.counts().len());
    let (mut samples, mut filtered) = (0, 0);
    for ((bucket, node), count) in window.counts() {
        match by_bucket[bucket as usize] {
            Some(group) => {
                samples += u64::from(count);
                counted.push(Counted { group, node, count });
            }
            None => filtered += u64::from(count),
        }
    }
    counted.sort_unstable_by_key(|c| (c.group, c.node));
    let start = unix_nanos() - i64::try_from(now.saturating_sub(window.start)).unwrap_or(0);
    let job = Job {
        interval: session.interval,
        open,
        samples,
        start_nanos: start,
        duration_nanos: i64::try_from(now.saturating_sub(window.start)).unwrap_or(0),
        settings: session.settings.clone(),
        labels,
        groups: number_of.into_keys().collect(),
        counted,
        appended: interner.appended(),
        newest_program: None,
        processes: processes.since(interner.processes_known()),
        sink: Arc::clone(&session.sink),
        shared: Arc::clone(&session.shared),
    };
    (job, filtered)
}

fn unix_nanos() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as i64)
}
