//! One source, several receivers.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use futures_util::future::{BoxFuture, join_all};
use tokio::time::timeout_at;

use super::{Append, AppendError, ProfilesReceiver, Receiver};
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
    fn append(&self, profiles: Append) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(async move {
            let started = Instant::now();
            let children = self.children();
            if children.is_empty() {
                self.refused.add(profiles.profiles().len() as u64);
            }
            let appends = children.iter().enumerate().map(|(at, child)| in_time(at, child, profiles.clone()));
            let errors: Vec<_> = join_all(appends).await.into_iter().filter_map(Result::err).collect();
            self.refused.add((errors.len() * profiles.profiles().len()) as u64);
            self.latency.observe(started.elapsed().as_secs_f64());
            if errors.is_empty() {
                self.entries.add(profiles.profiles().len() as u64);
            }
            AppendError::collect(errors)
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
async fn in_time(at: usize, child: &Receiver, profiles: Append) -> Result<(), AppendError> {
    let deadline = profiles.deadline();
    let append = child.append(profiles);
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), append).await.unwrap_or(Err(AppendError::Late(at + 1))),
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
        watched: Option<Instant>,
        got: Arc<Mutex<Vec<usize>>>,
    }

    impl ProfilesReceiver for Child {
        fn append(&self, profiles: Append) -> BoxFuture<'_, Result<(), AppendError>> {
            Box::pin(async move {
                self.got.lock().unwrap().push(profiles.profiles().len());
                if self.hangs {
                    std::future::pending::<()>().await;
                }
                if self.fails { Err(AppendError::Exited("pyroscope.relabel.x".to_owned())) } else { Ok(()) }
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
