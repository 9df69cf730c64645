//! The query API of Pyroscope over the embedded store.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use connectrpc::{ConnectRpcService, Limits, Router as Services};
use http::{StatusCode, Uri};

use crate::access::percent_decode;
use crate::backend::Backend;

mod flamegraph;
mod names;
mod queue;
mod service;
mod tree;
mod validate;

pub(crate) use queue::RUNNING;
use service::Querier;

/// The largest request, in bytes; queries are small.
const MAX_REQUEST: usize = 1 << 20;

/// Which store a request asks for, from `?store=NAME`.
#[derive(Clone)]
struct StoreName(String);

/// `/querier.v1.QuerierService/*` and `/ready`.
pub(crate) fn routes(backend: Arc<dyn Backend>) -> Router {
    let services = Services::new().add_service(Arc::new(Querier::new(Arc::clone(&backend))));
    let limits = Limits::default().with_max_request_body_size(MAX_REQUEST).with_max_message_size(MAX_REQUEST);
    let service = ConnectRpcService::new(services).with_limits(limits);
    Router::new()
        .route_service("/querier.v1.QuerierService/{method}", service)
        .layer(from_fn(name_store))
        .route("/ready", get(ready).with_state(backend))
}

async fn name_store(mut request: Request, next: Next) -> Response {
    if let Some(name) = store_name(request.uri()) {
        request.extensions_mut().insert(StoreName(name));
    }
    next.run(request).await
}

/// The store that `?store=NAME` asks for.
pub(crate) fn store_name(uri: &Uri) -> Option<String> {
    uri.query()?.split('&').find_map(|part| part.strip_prefix("store=")).map(percent_decode)
}

async fn ready(State(backend): State<Arc<dyn Backend>>) -> Response {
    if backend.is_ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}
