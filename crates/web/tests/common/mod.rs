//! A server over a small store, asked through its router.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part of this")]

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use profile::{Function, Line, LocationId, Profile, ProfileBuilder, ProfileType};
use pyrope_web::{Access, Backend, Reload, router};
use store::{Config, Interval, Store};
use tower::ServiceExt as _;

pub(crate) const CPU: &str = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";

/// How long after the first profiles there is a large one, in milliseconds.
pub(crate) const LATER: i64 = 120_000;

pub(crate) struct TestBackend {
    pub(crate) store: Option<Store>,
    pub(crate) ready: AtomicBool,
    pub(crate) unhealthy: Vec<String>,
    pub(crate) reload: Result<(), String>,
    /// Counts looks and lets none end.
    pub(crate) looks: Option<Arc<AtomicUsize>>,
}

impl Backend for TestBackend {
    fn store(&self, name: Option<&str>) -> Option<(String, Store)> {
        let known = name.is_none_or(|name| name == "local");
        self.store.clone().filter(|_| known).map(|store| ("local".to_owned(), store))
    }

    fn look(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let Some(looks) = &self.looks else { return Box::pin(std::future::ready(())) };
        looks.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::pending())
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    fn unhealthy(&self) -> Vec<String> {
        self.unhealthy.clone()
    }

    fn reload(&self) -> Reload {
        let result = self.reload.clone();
        Box::pin(async move { result })
    }

    fn metrics(&self) -> String {
        "# HELP taken_total Samples taken.\n# TYPE taken_total counter\ntaken_total 5\n".to_owned()
    }

    fn open_metrics(&self) -> String {
        "# HELP taken Samples taken.\n# TYPE taken counter\ntaken_total 5\n# EOF\n".to_owned()
    }

    fn status(&self) -> serde_json::Value {
        serde_json::json!({ "version": "test" })
    }
}

pub(crate) fn backend(store: Option<Store>) -> TestBackend {
    TestBackend { store, ready: AtomicBool::new(true), unhealthy: Vec::new(), reload: Ok(()), looks: None }
}

pub(crate) struct Server {
    pub(crate) router: Router,
    _folder: tempfile::TempDir,
    /// The time of the first profile, Unix milliseconds.
    pub(crate) time: i64,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Server {
    /// Two services, one of them with the stacks of the flame graph that the API's documentation draws.
    pub(crate) fn with_profiles() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let time = now / 60_000 * 60_000 - 600_000;
        let profiles = [
            profile("cart", time, &[("a;b;e", 1), ("a;c", 2), ("a;c;d", 1)]),
            profile("db", time + 15_000, &[("run", 7)]),
        ];
        store.append(Interval { source: 1, number: 1 }, &profiles).unwrap();
        let names: Vec<String> = (0..200).map(|at| format!("main;function_{at}")).collect();
        let stacks: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        store.append(Interval { source: 1, number: 2 }, &[profile("large", time + LATER, &stacks)]).unwrap();
        Self::new(backend(Some(store)), Access::new("127.0.0.1:1".parse().unwrap(), None, false), folder, time)
    }

    pub(crate) fn of(backend: TestBackend, access: Access) -> Self {
        Self::new(backend, access, tempfile::tempdir().unwrap(), 0)
    }

    fn new(backend: TestBackend, access: Access, folder: tempfile::TempDir, time: i64) -> Self {
        Self { router: router(access, Arc::new(backend)), _folder: folder, time }
    }

    pub(crate) fn send(&self, request: Request<Body>) -> Answer {
        let router = self.router.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let response = router.oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes().to_vec();
            Answer { status: parts.status, headers: parts.headers, bytes }
        })
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).header("host", "localhost:12345").body(Body::empty()).unwrap())
    }

    /// A call in JSON.
    pub(crate) fn call(&self, method: &str, body: &str) -> Answer {
        self.request(Method::POST, method, "application/json", body.as_bytes().to_vec())
    }

    pub(crate) fn request(&self, verb: Method, method: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let request = Request::builder()
            .method(verb)
            .uri(format!("/querier.v1.QuerierService/{method}"))
            .header("host", "localhost:12345")
            .header("content-type", content_type);
        self.send(request.body(Body::from(body)).unwrap())
    }
}

pub(crate) fn open(path: &Path) -> Store {
    Store::open(Config {
        path: path.to_owned(),
        max_age: Duration::from_secs(7 * 24 * 3600),
        max_bytes: 1 << 30,
        min_free_bytes: 0,
        partition: Duration::from_secs(6 * 3600),
    })
    .unwrap()
}

fn profile(service: &str, time_ms: i64, stacks: &[(&str, i64)]) -> Arc<Profile> {
    let mut builder = ProfileBuilder::new();
    builder.interval(time_ms * 1_000_000, 15_000_000_000).period(10_000_000);
    for (stack, value) in stacks {
        let stack: Vec<LocationId> = stack
            .rsplit(';')
            .map(|name| {
                let function = builder.function(&Function::named(name));
                builder.location(None, 0, &[Line { function, line: 0 }])
            })
            .collect();
        builder.add(&stack, *value);
    }
    let labels = [("service_name", service), ("otel.scope.name", "pyrope")].into_iter().collect();
    Arc::new(builder.finish(labels, ProfileType::cpu("process_cpu")))
}
