//! One source, several receivers.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use futures_util::future::{BoxFuture, join_all};
use tokio::time::timeout_at;

use super::{Append, AppendError, NotTaken, ProfilesReceiver, Receiver};
use crate::metrics::{Counter, Histogram, Scope};

/// Hands profiles to all children of `forward_to` at once; one that fails, or is slow, does not keep the others from
/// theirs.
pub struct Fanout {
    children: RwLock<Arc<[Receiver]>>,
    latency: Histogram,
    entries: Counter,
    refused: Counter,
}

impl Fanout {
    /// A fan-out that counts into `scope`, the one of the component that has `forward_to`.
    pub fn new(scope: &Scope, children: Vec<Receiver>) -> Self {
        let latency = "How long handing profiles to all children of forward_to took, in seconds.";
        let entries = "Profiles that every child of forward_to took.";
        let refused =
            "Profiles that a child of forward_to did not take, once for each child, or that had none to go to.";
        Self {
            children: RwLock::new(Arc::from(children)),
            latency: scope.histogram("pyroscope_fanout_latency", latency, &[]),
            entries: scope.counter("pyroscope_forwarded_entries_total", entries, &[]),
            refused: scope.counter("pyrope_forward_refused_entries_total", refused, &[]),
        }
    }

    /// Other children from the next profiles on.
    pub fn replace(&self, children: Vec<Receiver>) {
        *self.children.write().unwrap_or_else(PoisonError::into_inner) = Arc::from(children);
    }

    fn children(&self) -> Arc<[Receiver]> {
        Arc::clone(&self.children.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ProfilesReceiver for Fanout {
    fn append(&self, profiles: Append) -> BoxFuture<'_, Result<(), NotTaken>> {
        Box::pin(async move {
            let started = Instant::now();
            let children = self.children();
            let count = profiles.profiles().len();
            let appends = children.iter().enumerate().map(|(at, child)| in_time(at, child, profiles.clone()));
            let not_taken: Vec<_> = join_all(appends).await.into_iter().filter_map(Result::err).collect();
            self.latency.observe(started.elapsed().as_secs_f64());
            if children.is_empty() {
                self.refused.add(count as u64);
                return Ok(());
            }
            self.refused.add(not_taken.iter().map(|child| child.places(count).len() as u64).sum());
            let result = NotTaken::of_any(not_taken, count);
            let refused = result.as_ref().err().map_or(0, |refused| refused.places(count).len());
            self.entries.add(count.saturating_sub(refused) as u64);
            result
        })
    }

    fn show_open(&self, open: Append) {
        for child in self.children().iter() {
            child.show_open(open.clone());
        }
    }

    fn watched_until(&self) -> Option<Instant> {
        self.children().iter().filter_map(|child| child.watched_until()).max()
    }
}

/// Hands profiles to the child at a place, for as long as their source waits.
async fn in_time(at: usize, child: &Receiver, profiles: Append) -> Result<(), NotTaken> {
    let deadline = profiles.deadline();
    let append = child.append(profiles);
    match deadline {
        Some(deadline) => {
            let late = |_| Err(AppendError::Late(at + 1).into());
            timeout_at(deadline.into(), append).await.unwrap_or_else(late)
        }
        None => append.await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use profile::{Labels, ProfileBuilder, ProfileType};

    use super::*;
    use crate::metrics::Metrics;

    #[derive(Default)]
    struct Child {
        fails: bool,
        hangs: bool,
        refuses: &'static [usize],
        watched: Option<Instant>,
        got: Arc<Mutex<Vec<usize>>>,
    }

    impl ProfilesReceiver for Child {
        fn append(&self, profiles: Append) -> BoxFuture<'_, Result<(), NotTaken>> {
            Box::pin(async move {
                self.got.lock().unwrap().push(profiles.profiles().len());
                if self.hangs {
                    std::future::pending::<()>().await;
                }
                if self.fails {
                    return Err(AppendError::Exited("pyroscope.relabel.x".to_owned()).into());
                }
                NotTaken::some(self.refuses.iter().map(|at| (*at, AppendError::Labels(format!("no {at}")))))
            })
        }

        fn watched_until(&self) -> Option<Instant> {
            self.watched
        }
    }

    fn two_profiles() -> Append {
        let profile = || ProfileBuilder::new().finish(Labels::empty(), ProfileType::cpu("process_cpu"));
        [profile(), profile()].into_iter().collect()
    }

    #[tokio::test]
    async fn a_failing_child_does_not_stop_the_others() {
        let metrics = Metrics::new();
        let scope = metrics.process();
        let got = Arc::new(Mutex::new(Vec::new()));
        let fails = Receiver::new(Child { fails: true, ..Child::default() });
        let works = Receiver::new(Child { got: got.clone(), ..Child::default() });
        let fanout = Fanout::new(&scope, vec![fails.clone(), works.clone(), fails]);

        let error = fanout.append(two_profiles()).await.expect_err("two of three fail");
        assert_eq!(error.to_string(), "pyroscope.relabel.x has exited; pyroscope.relabel.x has exited");
        assert_eq!(*got.lock().unwrap(), [2]);
        assert!(metrics.text().contains("pyroscope_forwarded_entries_total 0\n"));
        assert!(metrics.text().contains("pyrope_forward_refused_entries_total 4\n"));
        assert!(metrics.text().contains("pyroscope_fanout_latency_count 1\n"));

        fanout.replace(vec![works]);
        fanout.append(two_profiles()).await.expect("all children work");
        assert_eq!(*got.lock().unwrap(), [2, 2]);
        assert!(metrics.text().contains("pyroscope_forwarded_entries_total 2\n"));
    }

    #[tokio::test]
    async fn each_profile_is_counted_as_what_became_of_it() {
        let metrics = Metrics::new();
        let scope = metrics.process();
        let refuses = |refuses| Receiver::new(Child { refuses, ..Child::default() });
        let fanout = Fanout::new(&scope, vec![refuses(&[0]), refuses(&[]), refuses(&[0, 2])]);
        let four = || two_profiles().profiles().iter().cloned().cycle().take(4).collect::<Append>();
        let counts = |forwarded: u64, refused: u64| {
            let text = metrics.text();
            assert!(text.contains(&format!("pyroscope_forwarded_entries_total {forwarded}\n")), "{text}");
            assert!(text.contains(&format!("pyrope_forward_refused_entries_total {refused}\n")), "{text}");
        };
        let error = fanout.append(four()).await.expect_err("two refuse some");
        assert_eq!(error.places(4), [0, 2]);
        let words = "invalid labels in profile: no 0";
        assert_eq!(error.to_string(), format!("{words}; {words}; invalid labels in profile: no 2"));
        counts(2, 3);
        fanout.replace(Vec::new());
        fanout.append(four()).await.expect("nobody refuses");
        counts(2, 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_child_keeps_nothing_from_the_others_and_is_waited_for_until_the_deadline() {
        let (metrics, begin) = (Metrics::new(), tokio::time::Instant::now());
        let scope = metrics.process();
        let got = Arc::new(Mutex::new(Vec::new()));
        let slow = Receiver::new(Child { hangs: true, ..Child::default() });
        let works = Receiver::new(Child { got: got.clone(), ..Child::default() });
        let fanout = Fanout::new(&scope, vec![slow, works]);

        let append = fanout.append(two_profiles().until(begin.into_std() + Duration::from_secs(15)));
        tokio::pin!(append);
        assert!(futures_util::poll!(&mut append).is_pending());
        assert_eq!(*got.lock().unwrap(), [2], "the other has them at once");
        assert_eq!(append.await.expect_err("one is slow").to_string(), "receiver 1 of forward_to is too slow");
        assert_eq!(begin.elapsed().as_secs(), 15);
        assert!(metrics.text().contains("pyrope_forward_refused_entries_total 2\n"));
    }

    #[test]
    fn the_open_interval_is_wanted_for_as_long_as_any_child_wants_it() {
        let now = Instant::now();
        let child = |watched| Receiver::new(Child { watched, ..Child::default() });
        let later = now + Duration::from_secs(5);
        let scope = Metrics::new().process();
        let fanout = Fanout::new(&scope, vec![child(None), child(Some(later)), child(Some(now))]);
        assert_eq!(fanout.watched_until(), Some(later));
        assert_eq!(Fanout::new(&scope, vec![child(None)]).watched_until(), None);
    }
}
