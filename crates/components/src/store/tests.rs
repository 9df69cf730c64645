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

    /// Loads a configuration; says what is wrong with it.
    async fn load(&self, text: &str) -> (String, Applied) {
        let load = self.controller.load(vec![Source::new("main.alloy", text)]);
        let outcome = timeout(LONG, load).await.expect("it loads in time");
        let said: Vec<_> = outcome.diagnostics.iter().map(ToString::to_string).collect();
        (said.join("; "), outcome.applied)
    }

    /// Loads what has nothing wrong with it.
    async fn apply(&self, text: &str) {
        assert_eq!(self.load(text).await, (String::new(), Applied::Fully));
    }

    /// A folder in the one of this graph.
    fn folder(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Waits until a component says how it is in these words.
    async fn health(&self, id: &str, expect: &str) {
        let deadline = std::time::Instant::now() + LONG;
        loop {
            let health = self.controller.snapshot().component(id).expect("it is there").health();
            if health.message.contains(expect) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{id} says {:?} and not {expect:?}", health.message);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How many windows are in a store that nobody has open.
    fn windows(&self, name: &str) -> u64 {
        let path = self.folder.path().join(name);
        let config = Config { path, max_age: LONG, max_bytes: 1 << 30, min_free_bytes: 0, partition: PARTITION };
        Store::open(config).expect("nobody else has it open").stats().windows
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
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later");
    builder.interval(now.as_nanos() as i64, 1_000_000_000).add(&[], 1);
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
    assert_eq!(running.windows("pyrope.store.s"), 1);
}

fn in_folder(id: &str, path: &str) -> String {
    format!("pyrope.store {id:?} {{\n path = {path:?}\n min_free_bytes = 0\n}}\n")
}

#[tokio::test]
async fn two_stores_with_one_folder_are_an_error_that_names_the_other() {
    let running = Running::new();
    let folder = running.folder("x");
    let both = in_folder("a", &folder) + &in_folder("b", &folder);
    let (said, applied) = running.load(&both).await;
    assert!(said.contains("x is that of pyrope.store.") && said.contains("a path of its own"), "{said}");
    assert_eq!(applied, Applied::Not);

    // Also one that comes later, and one that writes the path in other words.
    running.apply(&in_folder("b", &folder)).await;
    let link = running.folder("link");
    std::os::unix::fs::symlink(&folder, &link).expect("a link");
    let (said, applied) = running.load(&(in_folder("a", &link) + &in_folder("b", &folder))).await;
    assert!(said.contains("is that of pyrope.store.b;"), "{said}");
    assert_eq!(applied, Applied::Partly);
    running.receiver("pyrope.store.b").append(one_profile()).await.expect("the first goes on");
    running.shut_down().await;
    assert_eq!(running.windows("x"), 1);
}

#[tokio::test]
async fn a_folder_goes_over_to_another_component_at_a_reload() {
    let running = Running::new();
    let folder = running.folder("x");
    let with = |id: &str| {
        let relabel = format!("pyroscope.relabel \"r\" {{ forward_to = [pyrope.store.{id}.receiver] }}\n");
        relabel + &in_folder(id, &folder)
    };
    running.apply(&with("a")).await;
    let receiver = running.receiver("pyroscope.relabel.r");
    receiver.append(one_profile()).await.expect("it is taken");
    running.apply(&with("b")).await;
    running.health("pyrope.store.b", "storing in").await;
    receiver.append(one_profile()).await.expect("it is taken by the other");
    running.shut_down().await;
    assert_eq!(running.windows("x"), 2);
}

#[tokio::test]
async fn two_components_exchange_their_folders_at_a_reload() {
    let running = Running::new();
    let (x, y) = (running.folder("x"), running.folder("y"));
    running.apply(&(in_folder("a", &x) + &in_folder("b", &y))).await;
    running.apply(&(in_folder("a", &y) + &in_folder("b", &x))).await;
    running.health("pyrope.store.a", &format!("storing in {y}")).await;
    running.health("pyrope.store.b", &format!("storing in {x}")).await;
    // One alone cannot have the other's.
    running.apply(&(in_folder("a", &x) + &in_folder("b", &x))).await;
    running.health("pyrope.store.a", &format!("still storing in {y}: the folder {x} is that of pyrope.store.b;")).await;
    running.shut_down().await;
}
