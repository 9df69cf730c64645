use std::{path::PathBuf, time::Duration};

use graph::{ComponentId, Services};
use lang::{eval::Scope, source::Source, stdlib::Host, stdlib::Stdlib, syntax};
use profile::{ProfileBuilder, ProfileType};
use tokio::sync::watch;

use super::*;

/// Keeps the labels of what it gets.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<String>>>);

impl ProfilesReceiver for Sink {
    fn append(&self, profiles: Append) -> BoxFuture<'_, Result<(), NotTaken>> {
        let labels: Vec<_> = profiles.profiles().iter().map(|profile| profile.labels().to_string()).collect();
        let refused = labels.iter().enumerate().filter(|(_, labels)| labels.contains("refused"));
        let result = NotTaken::some(refused.map(|(at, labels)| (at, AppendError::Labels(labels.clone()))));
        self.0.lock().unwrap().push(labels.join(" "));
        Box::pin(async { result })
    }
}

struct Running {
    receiver: Receiver,
    arguments: watch::Sender<Arc<Arguments>>,
    sink: Sink,
    metrics: Metrics,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), RunError>>,
}

fn arguments(rules: &str, sink: &Sink) -> Result<Arguments, String> {
    let source = Source::new("t.alloy", format!("forward_to = [sink, null]\n{rules}"));
    let parsed = syntax::parse_file(&source);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let variables = [("sink", Receiver::new(sink.clone()).into_value())];
    let scope = Scope::new(Stdlib::new(Host::default()), variables);
    let body = parsed.file.body().expect("a file has a body");
    lang::decode::decode_body(&body, &scope).map_err(|errors: Vec<_>| errors[0].to_string())
}

impl Running {
    async fn start(rules: &str) -> Self {
        let (sink, metrics, cancel) = (Sink::default(), Metrics::new(), CancellationToken::new());
        let (sender, updates) = Updates::channel(arguments(rules, &sink).expect("the arguments are right"));
        let services = Services::default().with(Arc::new(metrics.clone()));
        let id = ComponentId::new(PyroscopeRelabel::NAME, Some("x"));
        let cx = Context::detached(id, PathBuf::new(), services, cancel.clone());
        let task = tokio::spawn(PyroscopeRelabel::run(updates, cx.clone()));
        let receiver = loop {
            let receiver = cx.exports().as_object().and_then(|object| object.get(&b"receiver"[..]).cloned());
            match receiver.as_ref().and_then(|value| value.downcast::<Receiver>()) {
                Some(receiver) => break receiver.clone(),
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        };
        Self { receiver, arguments: sender, sink, metrics, cancel, task }
    }

    /// Sends profiles of these label sets; gives back what came out: a line a push.
    async fn send(&self, sets: &[&str]) -> Result<String, String> {
        let append: Append = sets.iter().map(|set| profile(set)).collect();
        self.receiver.append(append).await.map_err(|error| error.to_string())?;
        Ok(std::mem::take(&mut *self.sink.0.lock().unwrap()).join("\n"))
    }

    /// The number of a metric.
    fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.text();
        let line = text.lines().find(|line| line.starts_with(&format!("pyroscope_relabel_{name}{{")));
        let number = line.and_then(|line| line.rsplit(' ').next()).unwrap_or_else(|| panic!("no {name} in {text}"));
        number.parse().unwrap_or_else(|_| panic!("{number} is a number"))
    }
}

fn profile(set: &str) -> profile::Profile {
    let labels = set.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
    ProfileBuilder::new().finish(labels, ProfileType::cpu("process_cpu"))
}

const RULES: &str = r#"
    rule {
      source_labels = ["env"]
      regex         = "dev"
      action        = "drop"
    }
    rule {
      source_labels = ["service_name"]
      regex         = "(.*)-svc"
      target_label  = "service_name"
    }
    rule {
      regex  = "only"
      action = "labeldrop"
    }
"#;

#[tokio::test]
async fn profiles_are_rewritten_or_dropped_and_counted() {
    let running = Running::start(RULES).await;
    let sets = ["service_name=cart-svc env=prod", "env=dev", "only=1", "", "service_name=other"];
    for round in 0..2 {
        let came = running.send(&sets).await.expect("it takes them");
        assert_eq!(came, r#"{env="prod", service_name="cart"} {} {service_name="other"}"#, "round {round}");
    }
    let counts =
        ["profiles_processed", "profiles_written", "profiles_dropped", "cache_hits", "cache_misses", "cache_size"]
            .map(|name| running.metric(name));
    assert_eq!(counts, [10, 6, 4, 4, 4, 4]);
    assert_eq!(running.send(&["env=dev"]).await.as_deref(), Ok(""), "nothing is handed on when nothing is left");
}

#[tokio::test]
async fn what_is_refused_behind_it_is_told_by_the_place_in_front_of_it() {
    let running = Running::start(RULES).await;
    let sets = ["env=dev", "a=1", "env=dev", "a=refused", "a=2", "env=dev"];
    let append: Append = sets.iter().map(|set| profile(set)).collect();
    let not_taken = running.receiver.append(append).await.expect_err("one is refused");
    assert_eq!(not_taken.places(sets.len()), [3]);
}

#[tokio::test]
async fn other_rules_take_effect_at_once() {
    let running = Running::start(RULES).await;
    assert_eq!(running.send(&["env=dev a=1"]).await.as_deref(), Ok(""));
    let next = "max_cache_size = 1\nrule {\nregex = \"env\"\naction = \"labeldrop\"\n}";
    running.arguments.send_replace(Arc::new(arguments(next, &running.sink).expect("right")));
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while running.send(&["env=dev a=1"]).await.as_deref() != Ok(r#"{a="1"}"#) {
        assert!(std::time::Instant::now() < deadline, "the new rules never held");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.send(&["a=1", "a=2", "a=3"]).await.expect("it takes them");
    assert_eq!(running.metric("cache_size"), 1);
}

#[tokio::test]
async fn names_that_servers_of_old_refuse_are_not_set_by_replace() {
    let rules = r#"
        rule {
          target_label = "otel.scope"
          replacement  = "x"
        }
        rule {
          source_labels = ["a"]
          target_label  = "$1"
        }
        rule {
          source_labels = ["a"]
          target_label  = "up.per"
          action        = "uppercase"
        }
    "#;
    let running = Running::start(rules).await;
    assert_eq!(running.send(&["a=x.y"]).await.as_deref(), Ok(r#"{a="x.y", up.per="X.Y"}"#));
}

#[tokio::test]
async fn after_its_end_it_says_so() {
    let running = Running::start("").await;
    assert_eq!(running.send(&["a=1"]).await.as_deref(), Ok(r#"{a="1"}"#));
    running.cancel.cancel();
    running.task.await.expect("no panic").expect("a clean end");
    let error = running.receiver.append([profile("a=1")].into_iter().collect()).await.expect_err("it is gone");
    assert_eq!(error.to_string(), "pyroscope.relabel.x has exited");
}

#[tokio::test]
async fn after_its_end_it_holds_nobody_though_it_is_held() {
    let Running { receiver: _held, arguments, sink, cancel, task, .. } = Running::start("").await;
    cancel.cancel();
    task.await.expect("no panic").expect("a clean end");
    drop(arguments);
    assert_eq!(Arc::strong_count(&sink.0), 1);
}

#[test]
fn a_cache_without_room_is_refused() {
    let error = arguments("max_cache_size = 0", &Sink::default()).expect_err("it is refused");
    assert_eq!(error, "must provide a positive size");
}
