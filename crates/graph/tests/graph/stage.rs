//! A graph with a journal, and what tests ask of it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use lang::{
    render::render,
    source::Source,
    stdlib::{Host, Stdlib},
};
use pyrope_graph::{Applied, Blocks, Controller, Http, Logging, Outcome, Services, Settings, Stability, Vocabulary};

use crate::components::{ALL, Hands, Journal};

pub(crate) struct Stage {
    pub(crate) controller: Controller,
    pub(crate) journal: Arc<Journal>,
    pub(crate) hands: Arc<Hands>,
}

pub(crate) fn vocabulary() -> Vocabulary {
    Vocabulary {
        definitions: ALL,
        stdlib: Stdlib::new(Host::default()),
        minimum_stability: Stability::GenerallyAvailable,
    }
}

/// Notes what config blocks say.
struct Noted(Arc<Journal>);

impl Blocks for Noted {
    fn logging(&self, logging: &Logging) {
        self.0.note(format!("logging {:?} {:?}", logging.level, logging.format));
    }

    fn http(&self, http: &Http) {
        if let Some(basic) = http.auth.as_ref().and_then(|auth| auth.basic.as_ref()) {
            self.0.note(format!("http asks {:?} for {:?}", basic.username, basic.password));
        }
    }
}

impl Stage {
    /// An empty graph that waits a minute for components to stop.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (journal, hands) = (Arc::<Journal>::default(), Arc::<Hands>::default());
        let services = Services::default().with(Arc::clone(&journal)).with(Arc::clone(&hands));
        let blocks = Arc::new(Noted(Arc::clone(&journal)));
        let mut settings = Settings::new(vocabulary(), services, PathBuf::from("/nowhere"), blocks);
        settings.grace = Duration::from_secs(60);
        change(&mut settings);
        Self { controller: Controller::start(settings), journal, hands }
    }

    pub(crate) async fn load(&self, text: &str) -> Outcome {
        self.controller.load(vec![Source::new("main.alloy", text)]).await
    }

    /// Loads what has nothing wrong with it; says what the load did.
    #[track_caller]
    pub(crate) fn apply(&self, text: &str) -> impl Future<Output = String> {
        let place = std::panic::Location::caller();
        let text = text.to_owned();
        async move {
            let outcome = self.load(&text).await;
            assert_eq!(render(&outcome.diagnostics, false), "", "at {place}");
            assert_eq!(outcome.applied, Applied::Fully, "at {place}");
            self.settle().await;
            changes(&outcome)
        }
    }

    /// Waits until nothing more happens without time passing.
    pub(crate) async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// What happened, but for the settings of the log.
    pub(crate) fn happened(&self) -> Vec<String> {
        let mut lines = self.journal.take();
        lines.retain(|line| !line.starts_with("logging "));
        lines
    }

    pub(crate) fn health(&self, id: &str) -> String {
        let snapshot = self.controller.snapshot();
        let component = snapshot.component(id).expect("it is in the graph");
        let health = component.health();
        format!("{}: {}", health.state, health.message)
    }
}

/// `+started ~updated -stopped`
pub(crate) fn changes(outcome: &Outcome) -> String {
    let mark = |mark: &'static str, ids: &[pyrope_graph::ComponentId]| {
        ids.iter().map(|id| format!("{mark}{id}")).collect::<Vec<_>>()
    };
    let changes = &outcome.changes;
    let all = [mark("+", &changes.started), mark("~", &changes.updated), mark("-", &changes.stopped)];
    all.concat().join(" ")
}

pub(crate) fn shown(outcome: &Outcome) -> String {
    render(&outcome.diagnostics, false)
}
