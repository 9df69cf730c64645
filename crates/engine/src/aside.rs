//! A thread for questions to file systems, which may never answer. Whoever asks waits for a while and then leaves it to itself.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// The thread. It ends with its handle, or when it has its answer after that.
pub(crate) struct Aside<Q, A> {
    questions: Sender<Q>,
    answers: Receiver<A>,
}

/// What came of a question.
pub(crate) enum Asked<A> {
    Answered(A),
    /// Not in time. The answer would be taken for that of the next question: the handle is of no more use.
    Late,
    /// There is no thread: it could not be started, or had nothing to work with.
    Gone,
}

impl<Q: Send + 'static, A: Send + 'static> Aside<Q, A> {
    /// Starts it. `begin` runs on it and gives what answers, or says why there is none and gives nothing.
    pub(crate) fn start<F: FnMut(Q) -> A>(name: &str, begin: impl FnOnce() -> Option<F> + Send + 'static) -> Self {
        let (questions, asked) = bounded(1);
        let (reply, answers) = bounded(1);
        let run = move || {
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
        Self { questions, answers }
    }

    /// Asks and waits, without a limit for as long as it takes.
    pub(crate) fn ask(&self, question: Q, limit: Option<Duration>) -> Asked<A> {
        if self.questions.send(question).is_err() {
            return Asked::Gone;
        }
        let answer = match limit {
            Some(limit) => self.answers.recv_timeout(limit),
            None => self.answers.recv().map_err(RecvTimeoutError::from),
        };
        match answer {
            Ok(answer) => Asked::Answered(answer),
            Err(RecvTimeoutError::Timeout) => Asked::Late,
            Err(RecvTimeoutError::Disconnected) => Asked::Gone,
        }
    }
}
