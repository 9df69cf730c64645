//! One store in several threads at once.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use common::*;
use pyrope_store::{Store, TimeRange};

/// Runs `step` in a thread of its own until `over`; says when it has ended.
fn repeat(store: &Store, over: &Arc<AtomicBool>, done: &mpsc::SyncSender<()>, step: impl Fn(&Store) + Send + 'static) {
    let (store, over, done) = (store.clone(), Arc::clone(over), done.clone());
    let repeat = move || {
        while !over.load(Ordering::Relaxed) {
            step(&store);
        }
        done.send(()).unwrap();
    };
    thread::Builder::new().spawn(repeat).unwrap();
}

#[test]
fn writing_asking_and_counting_never_wait_for_each_other_in_a_ring() {
    const WINDOWS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (over, (done, ended)) = (Arc::new(AtomicBool::new(false)), mpsc::sync_channel(4));
    for _ in 0..2 {
        repeat(&store, &over, &done, |store| assert!(store.stats().windows <= WINDOWS));
    }
    repeat(&store, &over, &done, |store| {
        assert_eq!(store.merge_profile(&query("{}", TimeRange::ALL), None).missing, [""; 0])
    });
    let (writes, time) = (store.clone(), base());
    let write = move || {
        for number in 0..WINDOWS {
            let window = [profile("cart", time, &format!("main;call{number} 1"))];
            writes.append(interval(number), &window).unwrap();
        }
        over.store(true, Ordering::Relaxed);
        done.send(()).unwrap();
    };
    thread::Builder::new().spawn(write).unwrap();
    for _ in 0..4 {
        ended.recv_timeout(Duration::from_secs(60)).expect("all threads end");
    }
    assert_eq!(store.stats().windows, WINDOWS);
}
