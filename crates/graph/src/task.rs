//! One run of one component.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::{
    cell::Cell,
    component::RunError,
    context::Seat,
    define::{Arguments, Definition, Started},
    health::State,
};

/// A component that was started. Dropping it lets the component run on without a way to stop it; the graph does not.
pub(crate) struct Run {
    cell: Arc<Cell>,
    cancel: CancellationToken,
    leaving: CancellationToken,
    deliver: Box<dyn Fn(Arguments) + Send + Sync>,
    settled: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    task: JoinHandle<End>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It returned.
    Returned,
    /// It failed after it was built.
    Failed,
    /// It could not be built.
    NotBuilt(RunError),
}

/// What became of building a component.
pub(crate) enum Building {
    Done,
    /// It did not say so in time, and goes on.
    Slow,
    Failed(RunError),
}

impl Run {
    /// Starts a component on the runtime.
    pub(crate) fn start(definition: &dyn Definition, arguments: Arguments, seat: Seat) -> Self {
        let (cell, cancel, leaving) = (Arc::clone(&seat.cell), seat.cancel.clone(), seat.leaving.clone());
        cell.begin();
        let Started { deliver, settled, run } = definition.start(arguments, seat);
        cell.set_run(State::Healthy, "started component");
        let watched = Arc::clone(&cell);
        let task = tokio::spawn(async move {
            let result = AssertUnwindSafe(run).catch_unwind().await;
            ended(&watched, result)
        });
        debug!(node_id = %cell.id(), "started component");
        Self { cell, cancel, leaving, deliver, settled, task }
    }

    /// Gives it new arguments.
    pub(crate) fn deliver(&self, arguments: Arguments) {
        (self.deliver)(arguments);
    }

    /// Waits until it has dealt with its latest arguments, or has ended.
    pub(crate) fn settled(&self) -> BoxFuture<'static, ()> {
        (self.settled)()
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until it is built, has ended, or took too long.
    pub(crate) async fn built(&mut self, wait: Duration, stop: &CancellationToken) -> Building {
        let mut built = self.cell.watch_built();
        tokio::select! {
            biased;
            end = &mut self.task => match end {
                Ok(End::NotBuilt(error)) => Building::Failed(error),
                Ok(End::Returned | End::Failed) => Building::Done,
                Err(error) => Building::Failed(RunError::new(format!("component panicked: {error}"))),
            },
            _ = built.wait_for(|built| *built) => Building::Done,
            () = tokio::time::sleep(wait) => {
                warn!(node_id = %self.cell.id(), waited = ?wait, "component is still being built; going on without");
                Building::Slow
            }
            () = stop.cancelled() => Building::Slow,
        }
    }

    /// Tells it that it is to stop soon.
    pub(crate) fn leave(&self) {
        self.leaving.cancel();
    }

    /// Asks it to stop and waits until it has. One that takes longer than the grace period is cut off.
    pub(crate) async fn stop(self, grace: Duration) {
        self.leave();
        let Self { cell, cancel, leaving: _, deliver, settled, mut task } = self;
        cancel.cancel();
        drop((deliver, settled));
        if task.is_finished() {
            return;
        }
        if timeout(grace, &mut task).await.is_err() {
            warn!(node_id = %cell.id(), ?grace, "component did not stop in time and was cut off; what it held is lost");
            task.abort();
        }
    }
}

/// Turns the end of a run into the component's health.
fn ended(cell: &Cell, result: Result<Result<(), RunError>, Box<dyn Any + Send>>) -> End {
    let id = cell.id();
    match result {
        Ok(Ok(())) => {
            cell.set_run(State::Exited, "component shut down cleanly");
            debug!(node_id = %id, "node exited without error");
            End::Returned
        }
        Ok(Err(error)) if !cell.is_built() => {
            cell.set_run(State::Unknown, "component created");
            not_built(cell, error)
        }
        Ok(Err(error)) => {
            cell.set_run(State::Exited, format!("component shut down with error: {error}"));
            error!(node_id = %id, err = %error, "node exited with error");
            End::Failed
        }
        Err(panic) => {
            let message = format!("component panicked: {}", words_of(&*panic));
            cell.set_run(State::Unhealthy, message.clone());
            error!(node_id = %id, err = message, "node exited with error");
            if cell.is_built() { End::Failed } else { not_built(cell, RunError::new(message)) }
        }
    }
}

fn not_built(cell: &Cell, error: RunError) -> End {
    cell.set_evaluation(State::Unhealthy, format!("component evaluation failed: building component: {error}"));
    End::NotBuilt(error)
}

/// What a panic said.
pub(crate) fn words_of(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
