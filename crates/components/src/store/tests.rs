use graph::{Applied, Controller, Services, Settings, Stability, Vocabulary};
use lang::source::Source;
use lang::stdlib::{Host, Stdlib};
use profile::{Labels, ProfileBuilder, ProfileType};
use tokio::time::timeout;

use super::*;
use crate::receiver::Append;

#[track_caller]
fn check_bytes(text: &str, expect: Option<u64>) {
    assert_eq!(Bytes::parse(text).map(|bytes| bytes.0), expect, "{text}");
}

#[test]
fn bytes_have_binary_and_decimal_units() {
    check_bytes("512", Some(512));
    check_bytes("64KiB", Some(65_536));
    check_bytes("2 GiB", Some(2 << 30));
    check_bytes("1.5GB", Some(1_500_000_000));
    check_bytes("GiB", None);
    check_bytes("2Gib", None);
    check_bytes("", None);
}

/// Longer than anything here takes, and shorter than the grace period.
const LONG: Duration = Duration::from_secs(60);

/// A graph whose files are in a folder of their own.
struct Running {
    folder: tempfile::TempDir,
    controller: Controller,
}

impl Running {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let vocabulary = Vocabulary {
            definitions: crate::COMPONENTS,
            stdlib: Stdlib::new(Host::default()),
            minimum_stability: Stability::GenerallyAvailable,
        };
        let services = Services::default().with(Arc::new(Stores::default())).with(Arc::new(Metrics::new()));
        let settings = Settings::new(vocabulary, services, folder.path().into(), Arc::new(()));
        Self { controller: Controller::start(settings), folder }
    }

    /// Loads what has nothing wrong with it.
    async fn apply(&self, text: &str) {
        let load = self.controller.load(vec![Source::new("main.alloy", text)]);
        let outcome = timeout(LONG, load).await.expect("it loads in time");
        assert_eq!((outcome.diagnostics, outcome.applied), (vec![], Applied::Fully));
    }

    /// What a component exports as its receiver.
    fn receiver(&self, id: &str) -> Receiver {
        let snapshot = self.controller.snapshot();
        let exports = snapshot.component(id).expect("it is there").exports();
        let receiver = exports.as_object().and_then(|exports| exports.get(&b"receiver"[..]).cloned());
        Receiver::from_value(&receiver.expect("it exports one")).expect("it has started")
    }

    async fn shut_down(&self) {
        timeout(LONG, self.controller.shutdown()).await.expect("all end in time");
    }
}

fn one_profile() -> Append {
    let mut builder = ProfileBuilder::new();
    builder.add(&[], 1);
    [builder.finish(Labels::empty(), ProfileType::cpu("process_cpu"))].into_iter().collect()
}

const BEHIND_A_RELABEL: &str = r#"
    pyroscope.relabel "r" { forward_to = [pyrope.store.s.receiver] }
    pyrope.store "s" { min_free_bytes = 0 }
"#;

#[tokio::test]
async fn a_store_behind_a_relabel_ends_when_both_are_to() {
    let running = Running::new();
    running.apply(BEHIND_A_RELABEL).await;
    running.apply("").await;
    running.apply(BEHIND_A_RELABEL).await;
    running.shut_down().await;
}

#[tokio::test]
async fn a_store_writes_what_it_took_and_ends_whoever_holds_its_receiver() {
    let running = Running::new();
    running.apply(BEHIND_A_RELABEL).await;
    let receiver = running.receiver("pyrope.store.s");
    receiver.append(one_profile()).await.expect("it is taken");
    running.shut_down().await;
    let error = receiver.append(one_profile()).await.expect_err("it is gone");
    assert_eq!(error.to_string(), "pyrope.store.s has exited");

    let path = running.folder.path().join("pyrope.store.s");
    let config = Config { path, max_age: LONG, max_bytes: 1 << 30, min_free_bytes: 0, partition: PARTITION };
    assert_eq!(Store::open(config).expect("nobody else has it open").stats().windows, 1);
}
