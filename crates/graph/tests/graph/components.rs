//! Components whose whole purpose is to be watched.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use lang::{
    decode::{FromBlock, FromText, GoDuration, IntoValue},
    value::{Value, secret::Secret},
};
use pyrope_graph::{
    Component, ComponentId, Context, Define, Definition, NoExports, RunError, Stability, State, Updates,
};

pub(crate) static ALL: &[&dyn Definition] = &[
    &Define::<Source>::NEW,
    &Define::<Pass>::NEW,
    &Define::<Sink>::NEW,
    &Define::<Broken>::NEW,
    &Define::<Panics>::NEW,
    &Define::<Late>::NEW,
    &Define::<Port>::NEW,
    &Define::<Quits>::NEW,
    &Define::<Preview>::NEW,
    &Define::<Only>::NEW,
    &Define::<Thorough>::NEW,
    &Define::<Strict>::NEW,
];

/// What happened, in order. A service.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<String>>);

impl Journal {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("not poisoned").push(what.into());
    }

    /// Takes what happened so far.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }

    /// Whether something happened, leaving it there.
    pub(crate) fn has(&self, what: &str) -> bool {
        self.0.lock().expect("not poisoned").iter().any(|line| line == what)
    }
}

/// The contexts of running sources, so that a test can export at will. A service.
#[derive(Default)]
pub(crate) struct Hands(Mutex<BTreeMap<ComponentId, Context<Output>>>);

impl Hands {
    pub(crate) fn export(&self, id: &str, value: impl Into<Value>) {
        let hands = self.0.lock().expect("not poisoned");
        let context = hands.get(id).expect("the source runs");
        context.export(Output { output: value.into(), ..Output::default() });
    }

    pub(crate) fn export_other(&self, id: &str, output: impl Into<Value>, other: impl Into<Value>) {
        let hands = self.0.lock().expect("not poisoned");
        hands.get(id).expect("the source runs").export(Output { output: output.into(), other: other.into() });
    }

    /// The sources that run and are no longer in the configuration.
    fn leaving(&self) -> Vec<ComponentId> {
        let hands = self.0.lock().expect("not poisoned");
        hands.iter().filter(|(_, context)| context.leaving().is_cancelled()).map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn health(&self, id: &str, state: State, message: &str) {
        self.0.lock().expect("not poisoned").get(id).expect("the source runs").health(state, message);
    }
}

fn journal<E: IntoValue>(cx: &Context<E>) -> Arc<Journal> {
    cx.service::<Journal>().expect("tests have a journal")
}

pub(crate) struct Output {
    pub(crate) output: Value,
    pub(crate) other: Value,
}

impl Default for Output {
    fn default() -> Self {
        Self { output: Value::Null, other: Value::Null }
    }
}

impl IntoValue for Output {
    fn into_value(self) -> Value {
        Value::object([("output", self.output), ("other", self.other)])
    }
}

#[derive(FromBlock)]
pub(crate) struct Nothing {}

/// Exports what a test hands it.
pub(crate) struct Source;

#[derive(FromBlock)]
pub(crate) struct SourceArguments {
    #[attr(optional)]
    first: Option<Value>,
}

impl Component for Source {
    type Args = SourceArguments;
    type Exports = Output;
    const NAME: &'static str = "test.source";

    async fn run(mut args: Updates<SourceArguments>, cx: Context<Output>) -> Result<(), RunError> {
        let first = args.current().first.clone().unwrap_or(Value::Null);
        cx.export(Output { output: first, ..Output::default() });
        let hands = cx.service::<Hands>().expect("tests have hands");
        hands.0.lock().expect("not poisoned").insert(cx.id().clone(), cx.clone());
        for other in hands.leaving() {
            journal(&cx).note(format!("{} found {other} leaving", cx.id()));
        }
        cx.cancelled().await;
        journal(&cx).note(format!("{} stopped", cx.id()));
        Ok(())
    }
}

/// Gives what it gets, and may take its time to stop.
pub(crate) struct Pass;

#[derive(FromBlock)]
pub(crate) struct PassArguments {
    #[attr]
    input: Value,
    #[attr(default = "0s")]
    linger: Duration,
}

impl Component for Pass {
    type Args = PassArguments;
    type Exports = Output;
    const NAME: &'static str = "test.pass";

    async fn run(mut args: Updates<PassArguments>, cx: Context<Output>) -> Result<(), RunError> {
        journal(&cx).note(format!("{} started", cx.id()));
        let mut linger = Duration::ZERO;
        while let Some(args) = args.changed().await {
            linger = args.linger;
            cx.export(Output { output: args.input.clone(), ..Output::default() });
        }
        if !linger.is_zero() {
            tokio::time::sleep(linger).await;
        }
        journal(&cx).note(format!("{} stopped", cx.id()));
        Ok(())
    }
}

/// Notes each version of its arguments.
pub(crate) struct Sink;

#[derive(FromBlock)]
pub(crate) struct SinkArguments {
    #[attr(optional)]
    number: Option<i64>,
    #[attr(optional)]
    text: Option<String>,
    #[attr(optional)]
    any: Option<Value>,
    #[attr(optional)]
    password: Secret,
    #[attr(optional)]
    #[expect(dead_code, reason = "read from the block, not from here")]
    headers: BTreeMap<String, Vec<Secret>>,
    #[attr(default = "1s")]
    flush: GoDuration,
    #[attr(optional)]
    bytes: Vec<u8>,
    #[block]
    part: Vec<Part>,
    #[block]
    rule: Vec<Rule>,
}

#[derive(FromBlock)]
#[block(validate = Rule::validate)]
pub(crate) struct Rule {
    #[attr(default = "keep")]
    action: Action,
    #[attr(optional)]
    label: String,
}

#[derive(Clone, Copy, Default, PartialEq, FromText)]
#[text(error = "unrecognized action type {text}")]
pub(crate) enum Action {
    #[default]
    Keep,
    Replace,
}

impl Rule {
    fn validate(&mut self) -> Result<(), String> {
        let labelled = self.action == Action::Keep || !self.label.is_empty();
        if labelled { Ok(()) } else { Err("action replace requires a label".to_owned()) }
    }
}

#[derive(FromBlock)]
pub(crate) struct Part {
    #[label]
    #[expect(dead_code, reason = "read from the block, not from here")]
    label: String,
    #[attr]
    #[expect(dead_code, reason = "read from the block, not from here")]
    key: Secret,
}

impl SinkArguments {
    fn shown(&self) -> String {
        let any = self.any.as_ref().map(|value| match value {
            Value::Array(array) => format!("{} elements", array.len()),
            other => format!("{other:?}"),
        });
        let number = self.number.map(|number| number.to_string());
        let rules = (!self.rule.is_empty()).then(|| format!("{} rules", self.rule.len()));
        let bytes = (!self.bytes.is_empty()).then(|| format!("{:?}", self.bytes));
        [number, self.text.clone(), any, bytes, rules].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

impl Component for Sink {
    type Args = SinkArguments;
    type Exports = NoExports;
    const NAME: &'static str = "test.sink";

    async fn run(mut args: Updates<SinkArguments>, cx: Context<NoExports>) -> Result<(), RunError> {
        cx.built();
        let mut flush = Duration::ZERO;
        while let Some(args) = args.changed().await {
            flush = args.flush.to_duration().unwrap_or_default();
            assert!(args.password.reveal().is_empty() || args.part.len() < 9, "arguments hold together");
            journal(&cx).note(format!("{} got {}", cx.id(), args.shown()));
        }
        tokio::time::sleep(flush).await;
        journal(&cx).note(format!("{} flushed", cx.id()));
        Ok(())
    }
}

/// Cannot be built.
pub(crate) struct Broken;

impl Component for Broken {
    type Args = Nothing;
    type Exports = NoExports;
    const NAME: &'static str = "test.broken";

    async fn run(_: Updates<Nothing>, _: Context<NoExports>) -> Result<(), RunError> {
        Err(RunError::new("no such device").with_help("plug it in"))
    }
}

/// Panics where it is told to.
pub(crate) struct Panics;

#[derive(FromBlock)]
#[block(validate = PanicsArguments::validate)]
pub(crate) struct PanicsArguments {
    #[attr]
    at: String,
}

impl PanicsArguments {
    fn validate(&mut self) -> Result<(), String> {
        assert_ne!(self.at, "decoding", "told to");
        Ok(())
    }
}

impl Component for Panics {
    type Args = PanicsArguments;
    type Exports = NoExports;
    const NAME: &'static str = "test.panics";

    async fn run(mut args: Updates<PanicsArguments>, cx: Context<NoExports>) -> Result<(), RunError> {
        let at = args.current().at.clone();
        assert_ne!(at, "building", "told to");
        cx.built();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_ne!(at, "running", "told to");
        cx.cancelled().await;
        Ok(())
    }
}

/// Takes its time before it exports.
pub(crate) struct Late;

#[derive(FromBlock)]
pub(crate) struct LateArguments {
    #[attr]
    after: Duration,
    #[attr(optional)]
    fail: bool,
}

impl Component for Late {
    type Args = LateArguments;
    type Exports = Output;
    const NAME: &'static str = "test.late";

    async fn run(mut args: Updates<LateArguments>, cx: Context<Output>) -> Result<(), RunError> {
        let args = args.current();
        tokio::time::sleep(args.after).await;
        if args.fail {
            return Err(RunError::new("gave up"));
        }
        cx.export(Output { output: "late".into(), ..Output::default() });
        cx.cancelled().await;
        Ok(())
    }
}

/// Listens on a port for as long as it runs.
pub(crate) struct Port;

#[derive(FromBlock)]
pub(crate) struct PortArguments {
    #[attr]
    address: String,
}

impl Component for Port {
    type Args = PortArguments;
    type Exports = NoExports;
    const NAME: &'static str = "test.port";

    async fn run(mut args: Updates<PortArguments>, cx: Context<NoExports>) -> Result<(), RunError> {
        let listener = tokio::net::TcpListener::bind(&args.current().address).await?;
        cx.built();
        cx.cancelled().await;
        // Closing takes a while.
        tokio::task::yield_now().await;
        drop(listener);
        Ok(())
    }
}

/// Returns, or fails, a second after it was built.
pub(crate) struct Quits;

#[derive(FromBlock)]
pub(crate) struct QuitsArguments {
    #[attr(optional)]
    error: Option<String>,
}

impl Component for Quits {
    type Args = QuitsArguments;
    type Exports = NoExports;
    const NAME: &'static str = "test.quits";

    async fn run(mut args: Updates<QuitsArguments>, cx: Context<NoExports>) -> Result<(), RunError> {
        cx.built();
        journal(&cx).note(format!("{} started", cx.id()));
        tokio::time::sleep(Duration::from_secs(1)).await;
        match &args.current().error {
            Some(error) => Err(RunError::new(error)),
            None => Ok(()),
        }
    }
}

/// Not settled yet.
pub(crate) struct Preview;

impl Component for Preview {
    type Args = Nothing;
    type Exports = NoExports;
    const NAME: &'static str = "test.preview";
    const STABILITY: Stability = Stability::PublicPreview;

    async fn run(_: Updates<Nothing>, cx: Context<NoExports>) -> Result<(), RunError> {
        cx.built();
        cx.cancelled().await;
        Ok(())
    }
}

/// There is only one.
pub(crate) struct Only;

impl Component for Only {
    type Args = Nothing;
    type Exports = Output;
    const NAME: &'static str = "test.only";
    const LABEL: bool = false;

    async fn run(_: Updates<Nothing>, cx: Context<Output>) -> Result<(), RunError> {
        cx.export(Output { output: "only".into(), ..Output::default() });
        cx.cancelled().await;
        Ok(())
    }
}

/// Takes long to read its arguments.
pub(crate) struct Thorough;

#[derive(FromBlock)]
#[block(validate = ThoroughArguments::validate)]
pub(crate) struct ThoroughArguments {
    #[attr]
    number: i64,
}

impl ThoroughArguments {
    fn validate(&mut self) -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    }
}

impl Component for Thorough {
    type Args = ThoroughArguments;
    type Exports = NoExports;
    const NAME: &'static str = "test.thorough";

    async fn run(mut args: Updates<ThoroughArguments>, cx: Context<NoExports>) -> Result<(), RunError> {
        cx.built();
        while let Some(args) = args.changed().await {
            journal(&cx).note(format!("{} got {}", cx.id(), args.number));
        }
        Ok(())
    }
}

/// Wants its arguments to go together.
pub(crate) struct Strict;

#[derive(FromBlock)]
#[block(rule = is_rate(rate), rule = is_order(low, high), validate = StrictArguments::validate)]
#[expect(dead_code, reason = "there to be checked")]
pub(crate) struct StrictArguments {
    #[attr(optional)]
    any: Option<Value>,
    #[attr(default = 97)]
    rate: i64,
    #[attr(default = 0)]
    low: i64,
    #[attr(default = 9)]
    high: i64,
    #[attr(optional)]
    name: String,
    #[block]
    rule: Vec<Rule>,
}

fn is_rate(rate: &i64) -> Result<(), &'static str> {
    if *rate == 0 { Err("rate must not be 0") } else { Ok(()) }
}

fn is_order(low: &i64, high: &i64) -> Result<(), &'static str> {
    if low > high { Err("low is above high") } else { Ok(()) }
}

impl StrictArguments {
    fn validate(&mut self) -> Result<(), String> {
        if self.name == "2" { Err("2 is no name".to_owned()) } else { Ok(()) }
    }
}

impl Component for Strict {
    type Args = StrictArguments;
    type Exports = NoExports;
    const NAME: &'static str = "test.strict";

    async fn run(_: Updates<StrictArguments>, cx: Context<NoExports>) -> Result<(), RunError> {
        cx.built();
        cx.cancelled().await;
        Ok(())
    }
}
