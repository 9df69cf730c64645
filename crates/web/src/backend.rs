//! What the server asks of the rest of the program.

use std::future::Future;
use std::pin::Pin;

use store::Store;

/// A reload in progress; the error is the text to show.
pub type Reload = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Answers for the program behind the server. Its methods are called on the server's thread too and must not block, but
/// for [`status`](Self::status), [`metrics`](Self::metrics) and [`open_metrics`](Self::open_metrics), which run on a
/// blocking thread.
pub trait Backend: Send + Sync + 'static {
    /// The store with this name, or the first by name; with its name. Asked for each query, so a store can come, go and
    /// be replaced.
    fn store(&self, name: Option<&str>) -> Option<(String, Store)>;

    /// All stores by name, in order.
    fn stores(&self) -> Vec<(String, Store)> {
        self.store(None).into_iter().collect()
    }

    /// Says that somebody looks, and waits a moment if stores have to catch up with what is being sampled.
    fn look(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }

    /// Whether the first configuration is loaded.
    fn is_ready(&self) -> bool;

    /// The components that are unhealthy, by name.
    fn unhealthy(&self) -> Vec<String>;

    /// Reads the configuration again.
    fn reload(&self) -> Reload;

    /// All metrics in Prometheus's text format 0.0.4.
    fn metrics(&self) -> String;

    /// All metrics in OpenMetrics 1.0, with its end mark.
    fn open_metrics(&self) -> String;

    /// What the page's view *Agent* shows, but for the stores.
    fn status(&self) -> serde_json::Value;
}
