//! A thread for questions to file systems, which may never answer. Whoever asks waits for a while and then leaves it to itself.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// The thread. It ends with its handle, or when it has its answer after that.
pub(crate) struct Aside<Q, A> {
    questions: Sender<Q>,
    answers: Receiver<A>,
    /// Is there for as long as the thread.
    runs: Weak<()>,
}

/// What came of a question.
pub(crate) enum Asked<A> {
    Answered(A),
    /// Not in time. The answer would be taken for that of the next question: the handle is of no more use, but for [`Lost`].
    Late,
    /// There is no thread: it could not be started, or had nothing to work with.
    Gone,
}

impl<Q: Send + 'static, A: Send + 'static> Aside<Q, A> {
    /// Starts it. `begin` runs on it and gives what answers, or says why there is none and gives nothing.
    pub(crate) fn start<F: FnMut(Q) -> A>(name: &str, begin: impl FnOnce() -> Option<F> + Send + 'static) -> Self {
        let (questions, asked) = bounded(1);
        let (reply, answers) = bounded(1);
        let alive = Arc::new(());
        let runs = Arc::downgrade(&alive);
        let run = move || {
            let _alive = alive;
            let Some(mut answer) = begin() else { return };
            for question in asked {
                if reply.send(answer(question)).is_err() {
                    return;
                }
            }
        };
        if let Err(error) = thread::Builder::new().name(name.into()).spawn(run) {
            tracing::error!(thread = name, %error, "cannot start a thread");
        }
        Self { questions, answers, runs }
    }

    /// Asks and waits.
    pub(crate) fn ask(&self, question: Q, limit: Duration) -> Asked<A> {
        if self.questions.send(question).is_err() {
            return Asked::Gone;
        }
        match self.answers.recv_timeout(limit) {
            Ok(answer) => Asked::Answered(answer),
            Err(RecvTimeoutError::Timeout) => Asked::Late,
            Err(RecvTimeoutError::Disconnected) => Asked::Gone,
        }
    }
}

/// Threads that were left to themselves and have not come back, each with what it was asked about.
#[derive(Debug)]
pub(crate) struct Lost<D> {
    threads: Vec<(D, Weak<()>)>,
    /// How many there may be, and how many of one thing.
    most: [usize; 2],
}

impl<D: Copy + PartialEq> Lost<D> {
    pub(crate) fn new(most: [usize; 2]) -> Self {
        Self { threads: Vec::new(), most }
    }

    /// True where nothing is to be asked about this now.
    pub(crate) fn is_full(&mut self, about: D) -> bool {
        self.threads.retain(|(_, runs)| runs.strong_count() > 0);
        let same = self.threads.iter().filter(|(other, _)| *other == about).count();
        self.threads.len() >= self.most[0] || same >= self.most[1]
    }

    /// Leaves a thread to itself, which ends when it has its answer.
    pub(crate) fn add<Q, A>(&mut self, about: D, thread: Option<Aside<Q, A>>) {
        self.threads.extend(thread.map(|thread| (about, thread.runs)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_comes_back_is_not_lost_any_more() {
        let mut lost = Lost::new([3, 2]);
        let (open, gate) = bounded::<()>(0);
        let mut leave = |about: u32| {
            let gate = gate.clone();
            let slow = Aside::start("slow", || Some(move |()| _ = gate.recv()));
            assert!(matches!(slow.ask((), Duration::ZERO), Asked::Late));
            lost.add(about, Some(slow));
            [1, 2].map(|about| lost.is_full(about))
        };
        assert_eq!(leave(1), [false, false]);
        assert_eq!(leave(1), [true, false]);
        assert_eq!(leave(2), [true, true]);
        drop(open);
        while lost.is_full(1) || lost.is_full(2) {
            thread::yield_now();
        }
    }
}
