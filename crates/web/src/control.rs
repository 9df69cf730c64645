//! Readiness, health, reload, metrics and status.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode, Uri};

use crate::api::store_name;
use crate::backend::Backend;
use crate::exposition::{OPEN_METRICS, TEXT, wants_open_metrics};
use crate::status;

type Shared = State<Arc<dyn Backend>>;

/// The routes below `/-/`, `/metrics`, and the agent's own.
pub(crate) fn routes(backend: Arc<dyn Backend>) -> Router {
    Router::new()
        .route("/-/ready", get(ready))
        .route("/-/healthy", get(healthy))
        .route("/-/reload", get(reload).post(reload))
        .route("/metrics", get(metrics))
        .route("/api/v0/agent/status", get(agent_status))
        .with_state(backend)
}

async fn ready(State(backend): Shared) -> Response {
    if backend.is_ready() {
        "pyrope is ready.\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "pyrope is not ready.\n").into_response()
    }
}

async fn healthy(State(backend): Shared) -> Response {
    let unhealthy = backend.unhealthy();
    if unhealthy.is_empty() {
        "All pyrope components are healthy.\n".into_response()
    } else {
        let text = format!("unhealthy components: {}\n", unhealthy.join(", "));
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    }
}

async fn reload(State(backend): Shared) -> Response {
    match backend.reload().await {
        Ok(()) => "config reloaded\n".into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error + "\n").into_response(),
    }
}

async fn metrics(State(backend): Shared, headers: HeaderMap) -> Response {
    let open = wants_open_metrics(&headers);
    let text = tokio::task::spawn_blocking(move || if open { backend.open_metrics() } else { backend.metrics() });
    match text.await {
        Ok(text) => ([(CONTENT_TYPE, if open { OPEN_METRICS } else { TEXT })], text).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be gathered\n").into_response(),
    }
}

async fn agent_status(State(backend): Shared, uri: Uri) -> Response {
    let name = store_name(&uri);
    match tokio::task::spawn_blocking(move || status::status(backend.as_ref(), name.as_deref())).await {
        Ok(status) => Json(status).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the status could not be gathered\n").into_response(),
    }
}
