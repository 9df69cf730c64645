//! The metrics of this process: a registry that components come to and go from, written as text for scrapers.
//!
//! ```text
//!  component ──[Metrics::component(id)]──▶ Scope ──counter, gauge, histogram, …_from──▶ families ──▶ text 0.0.4
//!                                          │ dropped: its series go                           └────▶ OpenMetrics
//! ```
//!
//! Families of one name are shared by all scopes; a series belongs to the scope that asked for it last, so that a
//! component that is replaced by one of the same id goes on counting where the old one stopped.

mod encode;
mod values;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::values::{BUCKETS, Counter, Gauge, Histogram};

/// The registry. One a process; a clone is the same one.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<Registry>>);

/// Registers series under labels of its own. Its series leave the registry when the last clone is dropped.
#[derive(Clone)]
pub struct Scope(Arc<Owner>);

struct Owner {
    metrics: Metrics,
    id: u64,
    labels: Vec<(&'static str, String)>,
}

#[derive(Default)]
struct Registry {
    families: BTreeMap<&'static str, Family>,
    owners: u64,
}

struct Family {
    kind: Kind,
    help: &'static str,
    series: BTreeMap<LabelSet, Series>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Names and values in the order in which they are written.
type LabelSet = Vec<(&'static str, String)>;

struct Series {
    owner: u64,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    Read(Arc<dyn Fn() -> f64 + Send + Sync>),
}

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The scope of a component: every series carries `component_id` and `component_path`.
    pub fn component(&self, id: &str, path: &str) -> Scope {
        self.scope(vec![("component_id", id.to_owned()), ("component_path", path.to_owned())])
    }

    /// The scope of the process itself, without labels.
    pub fn process(&self) -> Scope {
        self.scope(Vec::new())
    }

    /// All metrics in Prometheus's text format 0.0.4.
    pub fn text(&self) -> String {
        encode::encode(&self.read(), encode::Format::Text)
    }

    /// All metrics in OpenMetrics 1.0. A counter whose name lacks `_total` is given it there, for the format demands it.
    pub fn openmetrics(&self) -> String {
        encode::encode(&self.read(), encode::Format::OpenMetrics)
    }

    fn scope(&self, labels: LabelSet) -> Scope {
        let mut registry = self.lock();
        registry.owners += 1;
        Scope(Arc::new(Owner { metrics: self.clone(), id: registry.owners, labels }))
    }

    /// What there is, so that callbacks run without the lock.
    fn read(&self) -> Vec<encode::Family> {
        let registry = self.lock();
        let families = registry.families.iter().filter(|(_, family)| !family.series.is_empty());
        families
            .map(|(name, family)| encode::Family {
                name,
                kind: family.kind,
                help: family.help,
                series: family.series.iter().map(|(labels, series)| (labels.clone(), series.source.clone())).collect(),
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope {
    /// The counter of this name and these labels, made when it is not there yet. `name` is written as it is, so it
    /// carries its `_total`.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        match self.register(name, help, Kind::Counter, labels, || Source::Counter(Counter::default())) {
            Source::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// The gauge of this name and these labels, made when it is not there yet.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        match self.register(name, help, Kind::Gauge, labels, || Source::Gauge(Gauge::default())) {
            Source::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The histogram of this name and these labels with the buckets of [`BUCKETS`], made when it is not there yet.
    pub fn histogram(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        match self.register(name, help, Kind::Histogram, labels, || Source::Histogram(Histogram::default())) {
            Source::Histogram(histogram) => histogram,
            _ => Histogram::default(),
        }
    }

    /// A counter that somebody else keeps; `read` is asked at each scrape and must not block.
    pub fn counter_from(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.replace(name, help, Kind::Counter, labels, Source::Read(Arc::new(read)));
    }

    /// A gauge that somebody else keeps; `read` is asked at each scrape and must not block.
    pub fn gauge_from(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.replace(name, help, Kind::Gauge, labels, Source::Read(Arc::new(read)));
    }

    /// The source under this name and these labels. One of another kind is left alone and the new one not registered:
    /// names are constants, so this shows in the first test.
    fn register(
        &self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: &[(&'static str, &str)],
        make: impl FnOnce() -> Source,
    ) -> Source {
        let mut registry = self.0.metrics.lock();
        let family = registry.families.entry(name).or_insert_with(|| Family { kind, help, series: BTreeMap::new() });
        debug_assert_eq!(family.kind, kind, "{name} is of one kind");
        if family.kind != kind {
            return make();
        }
        let owner = self.0.id;
        let series = family.series.entry(self.labels(labels)).or_insert_with(|| Series { owner, source: make() });
        series.owner = owner;
        series.source.clone()
    }

    fn replace(
        &self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: &[(&'static str, &str)],
        source: Source,
    ) {
        self.register(name, help, kind, labels, || source.clone());
        let mut registry = self.0.metrics.lock();
        let family = registry.families.get_mut(name).filter(|family| family.kind == kind);
        if let Some(series) = family.and_then(|family| family.series.get_mut(&self.labels(labels))) {
            series.source = source;
        }
    }

    fn labels(&self, own: &[(&'static str, &str)]) -> LabelSet {
        let own = own.iter().map(|(name, value)| (*name, (*value).to_owned()));
        self.0.labels.iter().cloned().chain(own).collect()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut registry = self.metrics.lock();
        for family in registry.families.values_mut() {
            family.series.retain(|_, series| series.owner != self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_write_every_kind() {
        let metrics = Metrics::new();
        let scope = metrics.component("pyroscope.write.a", "/");
        scope.counter("sent_total", "What was sent.", &[("endpoint", "a\"b\\c\nd")]).add(3);
        scope.counter("cache_hits", "", &[]).add(1);
        scope.gauge("depth", "How deep.", &[]).set(1.5);
        let latency = scope.histogram("latency", "How \"long\".", &[("type", "push")]);
        latency.observe(0.003);
        latency.observe(1.0);
        latency.observe(100.0);
        let process = metrics.process();
        process.gauge_from("open_files", "", &[], || 7.0);
        insta::assert_snapshot!(metrics.text(), @r#"
        # TYPE cache_hits counter
        cache_hits{component_id="pyroscope.write.a",component_path="/"} 1
        # HELP depth How deep.
        # TYPE depth gauge
        depth{component_id="pyroscope.write.a",component_path="/"} 1.5
        # HELP latency How "long".
        # TYPE latency histogram
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="0.005"} 1
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="0.01"} 1
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="0.025"} 1
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="0.05"} 1
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="0.1"} 1
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="0.25"} 1
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="0.5"} 1
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="1"} 2
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="2.5"} 2
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="5"} 2
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="10"} 2
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="+Inf"} 3
        latency_sum{component_id="pyroscope.write.a",component_path="/",type="push"} 101.003
        latency_count{component_id="pyroscope.write.a",component_path="/",type="push"} 3
        # TYPE open_files gauge
        open_files 7
        # HELP sent_total What was sent.
        # TYPE sent_total counter
        sent_total{component_id="pyroscope.write.a",component_path="/",endpoint="a\"b\\c\nd"} 3
        "#);
        let open = metrics.openmetrics();
        let sent = open.split_inclusive('\n').filter(|line| {
            ["sent", "cache_hits", "EOF", "latency "].iter().any(|name| line.contains(name)) || line.contains("le=\"1")
        });
        insta::assert_snapshot!(sent.collect::<String>(), @r#"
        # TYPE cache_hits counter
        cache_hits_total{component_id="pyroscope.write.a",component_path="/"} 1.0
        # HELP latency How \"long\".
        # TYPE latency histogram
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="1.0"} 2.0
        latency_bucket{component_id="pyroscope.write.a",component_path="/",type="push",le="10.0"} 2.0
        # HELP sent What was sent.
        # TYPE sent counter
        sent_total{component_id="pyroscope.write.a",component_path="/",endpoint="a\"b\\c\nd"} 3.0
        # EOF
        "#);
    }

    #[test]
    fn the_series_of_a_component_go_with_it() {
        let metrics = Metrics::new();
        let (one, two) = (metrics.component("one", "/"), metrics.component("two", "/"));
        one.counter("events_total", "", &[]).add(1);
        two.counter("events_total", "", &[]).add(2);
        drop(one);
        assert_eq!(
            metrics.text(),
            "# TYPE events_total counter\nevents_total{component_id=\"two\",component_path=\"/\"} 2\n"
        );
        drop(two);
        assert_eq!(metrics.text(), "");
        assert_eq!(metrics.openmetrics(), "# EOF\n");
    }

    #[test]
    fn a_successor_of_the_same_id_goes_on_counting() {
        let metrics = Metrics::new();
        let old = metrics.component("same", "/");
        let counter = old.counter("events_total", "", &[]);
        counter.add(1);
        let new = metrics.component("same", "/");
        new.counter("events_total", "", &[]).add(1);
        drop(old);
        counter.add(1);
        assert!(metrics.text().ends_with("} 3\n"), "{}", metrics.text());
    }

    #[test]
    fn asking_again_gives_the_same_series_and_callbacks_are_replaced() {
        let metrics = Metrics::new();
        let scope = metrics.process();
        scope.counter("a_total", "", &[("k", "v")]).add(1);
        scope.counter("a_total", "", &[("k", "v")]).add(1);
        scope.counter_from("b_total", "", &[], || 1.0);
        scope.counter_from("b_total", "", &[], || 2.0);
        assert_eq!(metrics.text(), "# TYPE a_total counter\na_total{k=\"v\"} 2\n# TYPE b_total counter\nb_total 2\n");
    }
}
