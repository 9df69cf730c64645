//! What the page's view *Agent* shows: what the program says of itself, and its stores.

use serde_json::{Value, json};
use store::Store;

use crate::backend::Backend;

/// The status as JSON. `store` in it is the store with this name, or the first; null when there is none at all.
pub(crate) fn status(backend: &dyn Backend, name: Option<&str>) -> Value {
    let asked = match (backend.store(name), name) {
        (Some((name, store)), _) => describe(&name, &store),
        (None, Some(name)) => json!({ "name": name, "message": "there is no store of this name" }),
        (None, None) => Value::Null,
    };
    let all: Vec<Value> = backend.stores().iter().map(|(name, store)| describe(name, store)).collect();
    let mut status = backend.status();
    if let Some(fields) = status.as_object_mut() {
        fields.insert("store".to_owned(), asked);
        fields.insert("stores".to_owned(), all.into());
    }
    status
}

fn describe(name: &str, store: &Store) -> Value {
    let stats = store.stats();
    json!({
        "name": name,
        "path": stats.path.display().to_string(),
        "bytes": stats.bytes,
        "max_bytes": stats.max_bytes,
        "max_age_s": stats.max_age.as_secs(),
        "oldest_ms": stats.oldest_ms,
        "newest_ms": stats.newest_ms,
        "failed_windows": stats.failed_windows,
        "message": stats.message,
    })
}
