//! Queries take turns, so that what they take together is bounded.

use std::sync::Arc;

use connectrpc::ConnectError;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::AbortOnDropHandle;

/// Queries that run at the same time. Each takes memory for its answer, so there are few.
pub(crate) const RUNNING: usize = 2;

/// Queries that wait for those. A page asks three at a time.
const WAITING: usize = 32;

/// Who runs and who waits.
pub(super) struct Queue {
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

/// A place in the queue. Giving it up is leaving the queue.
pub(super) struct Place<'a> {
    running: &'a Arc<Semaphore>,
    waiting: SemaphorePermit<'a>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(RUNNING)), waiting: Semaphore::new(WAITING) }
    }
}

impl Queue {
    /// Takes a place if there is one.
    pub(super) fn enter(&self) -> Result<Place<'_>, ConnectError> {
        let waiting = self.waiting.try_acquire().map_err(|_| {
            ConnectError::resource_exhausted(format!(
                "{WAITING} queries wait already: try again in a moment, with shorter ranges or fewer queries at a time"
            ))
        })?;
        Ok(Place { running: &self.running, waiting })
    }
}

impl Place<'_> {
    /// Waits for a turn and runs `query` on a blocking thread. A query that nobody waits for any more does not begin.
    pub(super) async fn run<T: Send + 'static>(
        self,
        query: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ConnectError> {
        let turn = Arc::clone(self.running).acquire_owned().await.expect("nobody closes it");
        drop(self.waiting);
        let task = tokio::task::spawn_blocking(move || {
            let answer = query();
            // The turn ends with the query, not with its client: who goes away makes no room.
            drop(turn);
            answer
        });
        let answer = AbortOnDropHandle::new(task).await;
        answer.map_err(|_| ConnectError::internal("the query ended in a panic; please report it"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use connectrpc::ErrorCode;
    use tokio::sync::oneshot;
    use tokio::task::{JoinHandle, yield_now};

    use super::*;
    use crate::serve::runtime;

    /// A query that runs until what is returned is dropped.
    async fn slow_query(queue: &Arc<Queue>) -> oneshot::Sender<()> {
        let (begun, begins) = oneshot::channel();
        let (go, goes) = oneshot::channel::<()>();
        let queue = Arc::clone(queue);
        tokio::spawn(async move {
            let query = move || {
                begun.send(()).unwrap();
                _ = goes.blocking_recv();
            };
            queue.enter().unwrap().run(query).await.unwrap();
        });
        begins.await.unwrap();
        go
    }

    /// A query that counts itself when it runs.
    fn count(queue: &Arc<Queue>, ran: &Arc<AtomicUsize>) -> JoinHandle<()> {
        let (queue, ran) = (Arc::clone(queue), Arc::clone(ran));
        tokio::spawn(async move {
            let query = move || _ = ran.fetch_add(1, Ordering::Relaxed);
            queue.enter().unwrap().run(query).await.unwrap();
        })
    }

    #[test]
    fn what_is_no_query_has_threads_while_queries_run() {
        runtime().unwrap().block_on(async {
            let queue = Arc::new(Queue::default());
            let _slow = [slow_query(&queue).await, slow_query(&queue).await];
            let metrics = tokio::task::spawn_blocking(|| "metrics");
            let metrics = tokio::time::timeout(Duration::from_secs(20), metrics).await.expect("a free thread");
            assert_eq!(metrics.unwrap(), "metrics");
        });
    }

    #[test]
    fn some_queries_wait_and_more_are_refused() {
        runtime().unwrap().block_on(async {
            let (queue, ran) = (Arc::new(Queue::default()), Arc::default());
            let slow = [slow_query(&queue).await, slow_query(&queue).await];
            let waiting: Vec<_> = (0..WAITING).map(|_| count(&queue, &ran)).collect();
            while queue.waiting.available_permits() > 0 {
                yield_now().await;
            }
            let refusal = queue.enter().err().unwrap();
            assert_eq!(refusal.code, ErrorCode::ResourceExhausted);
            assert_eq!(ran.load(Ordering::Relaxed), 0);
            drop(slow);
            for query in waiting {
                query.await.unwrap();
            }
            assert_eq!(ran.load(Ordering::Relaxed), WAITING);
        });
    }

    #[test]
    fn a_query_whose_client_has_gone_leaves_its_place_and_never_runs() {
        runtime().unwrap().block_on(async {
            let (queue, ran) = (Arc::new(Queue::default()), Arc::default());
            let slow = [slow_query(&queue).await, slow_query(&queue).await];
            let gone = count(&queue, &ran);
            while queue.waiting.available_permits() == WAITING {
                yield_now().await;
            }
            gone.abort();
            assert!(gone.await.unwrap_err().is_cancelled());
            assert_eq!(queue.waiting.available_permits(), WAITING);
            drop(slow);
            // Turns are taken in order: it would have run before this one.
            count(&queue, &ran).await.unwrap();
            assert_eq!(ran.load(Ordering::Relaxed), 1);
        });
    }
}
