//! `pyrope.store`: keeps profiles in the embedded database, for the page.

mod folders;
mod stores;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use graph::{Component, Context, RunError, State, Updates};
use lang::decode::{FromBlock, FromValue, IntoValue, Shape};
use lang::value::{Type, Value, ValueError};
use store::{Config, Stats, Store};

use crate::metrics::{Metrics, Scope};
use crate::receiver::Receiver;

pub use self::stores::Stores;
use self::writer::Writer;

/// How much time one file of the database spans.
const PARTITION: Duration = Duration::from_secs(6 * 3600);
/// A database file cannot be much smaller.
const LEAST_BYTES: Bytes = Bytes(1 << 20);
/// How often a folder is tried that could not be opened.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How long others may hold on to the receiver of the folder before, once they could have the new one.
const HAND_OVER: Duration = Duration::from_secs(10);

/// A number of bytes: a number, or text such as `2GiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Reads `512`, `64KiB`, `2 GiB`, `1.5GB`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let number: f64 = text[..digits].parse().ok()?;
        let unit = match text[digits..].trim() {
            "" | "B" => 1_u64,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            "KB" | "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            _ => return None,
        };
        let bytes = number * unit as f64;
        (bytes.is_finite() && bytes < 1e18).then_some(Self(bytes as u64))
    }
}

impl FromValue for Bytes {
    const SHAPE: Shape = Shape::Text("bytes");

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let text = match value {
            Value::Null => return Ok(Self(0)),
            Value::String(_) | Value::Number(_) => String::from_value(value)?,
            _ => return Err(ValueError::wrong_type(value, Type::String)),
        };
        Self::parse(&text).ok_or_else(|| {
            ValueError::new(
                value,
                "is not a number of bytes: write a number, or one with KiB, MiB or GiB, such as \"2GiB\"",
            )
        })
    }
}

impl IntoValue for Bytes {
    fn into_value(self) -> Value {
        self.0.into_value()
    }
}

/// Keeps profiles on this host's disk.
#[derive(Clone, Debug, FromBlock)]
#[block(validate = Arguments::check)]
pub struct Arguments {
    /// The folder; `<storage.path>/<component id>` unless given.
    #[attr(optional)]
    path: Option<String>,
    /// Older profiles are dropped.
    #[attr(default = "168h")]
    max_age: Duration,
    /// The folder never grows past this: damaged files are dropped first, then older profiles.
    #[attr(default = "2GiB")]
    max_bytes: Bytes,
    /// What stays free on the file system: older profiles are dropped first.
    #[attr(default = "1GiB")]
    min_free_bytes: Bytes,
}

impl Arguments {
    fn check(&mut self) -> Result<(), String> {
        if self.max_age.is_zero() {
            return Err("max_age must be greater than 0".to_owned());
        }
        if self.max_bytes < LEAST_BYTES {
            return Err("max_bytes must be at least 1MiB".to_owned());
        }
        Ok(())
    }

    fn config(&self, data_path: PathBuf) -> Config {
        Config {
            path: self.path.as_ref().map_or(data_path, PathBuf::from),
            max_age: self.max_age,
            max_bytes: self.max_bytes.0,
            min_free_bytes: self.min_free_bytes.0,
            partition: PARTITION,
        }
    }
}

/// What others refer to.
#[derive(Default)]
pub struct Exports {
    receiver: Option<Receiver>,
}

impl IntoValue for Exports {
    fn into_value(self) -> Value {
        Value::object([("receiver", self.receiver.into_value())])
    }
}

/// The component.
pub struct PyropeStore;

impl Component for PyropeStore {
    type Args = Arguments;
    type Exports = Exports;
    const NAME: &'static str = "pyrope.store";

    async fn run(mut args: Updates<Arguments>, cx: Context<Exports>) -> Result<(), RunError> {
        let label = cx.id().to_string();
        let stores = cx.service::<Stores>().unwrap_or_default();
        let metrics = cx.service::<Metrics>().unwrap_or_default();
        let mut config = args.current().config(cx.data_path());
        let folders = Arc::clone(stores.folders());
        let (claim, mut store) = folders.open(&config, &cx).await?;
        let mut claim = Some(claim);
        let mut before: Option<Writer> = None;
        loop {
            let (writer, receiver) = Writer::start(store.clone(), Arc::clone(&stores), cx.clone())?;
            stores.put(&label, store.clone());
            let scope = metrics_of(&store, &metrics.component(&label, "/"));
            cx.export(Exports { receiver: Some(receiver) });
            // The store before this one is done when nobody holds its receiver any more.
            if let Some(before) = before.take() {
                tokio::select! {
                    () = before.ended() => {}
                    () = cx.cancelled() => {}
                    () = tokio::time::sleep(HAND_OVER) => {}
                }
                before.end().await;
            }
            cx.health(State::Healthy, format!("storing in {}", config.path.display()));
            // Other limits apply at once; another folder is another store, from when it can be opened.
            let mut wanted: Option<Config> = None;
            let moved = loop {
                tokio::select! {
                    () = cx.cancelled() => break None,
                    next = args.changed() => {
                        let Some(next) = next else { break None };
                        let new = next.config(cx.data_path());
                        if new.path == config.path {
                            store.set_limits(&new);
                            if wanted.take().is_some() {
                                cx.health(State::Healthy, format!("storing in {}", config.path.display()));
                            }
                            continue;
                        }
                        wanted = Some(new);
                    }
                    () = tokio::time::sleep(TRY_AGAIN), if wanted.is_some() => {}
                }
                let Some(new) = &wanted else { continue };
                // Given up first, so that two components can exchange their folders.
                drop(claim.take());
                match folders.open(new, &cx).await {
                    Ok((claimed, opened)) => {
                        claim = Some(claimed);
                        break Some((new.clone(), opened));
                    }
                    Err(error) => {
                        claim = folders.open(&config, &cx).await.ok().map(|(claim, _)| claim);
                        cx.health(State::Unhealthy, format!("still storing in {}: {error}", config.path.display()));
                    }
                }
            };
            let Some((new, opened)) = moved else {
                cx.export(Exports::default());
                stores.remove(&label);
                // The writer is the last to hold the store, but for queries, and closes it.
                drop((scope, store));
                writer.end().await;
                return Ok(());
            };
            (config, store, before) = (new, opened, Some(writer));
        }
    }
}

/// What the store holds and lost, for as long as the scope lives.
fn metrics_of(store: &Store, scope: &Scope) -> Scope {
    let read = |read: fn(&Stats) -> u64| {
        let store = store.clone();
        move || read(&store.stats()) as f64
    };
    scope.gauge_from(
        "pyrope_store_bytes",
        "Bytes on disk, those of damaged files too.",
        &[],
        read(|stats| stats.bytes),
    );
    let failed = "Intervals that could not be written; their profiles are lost to the store.";
    scope.counter_from("pyrope_store_failed_windows_total", failed, &[], read(|stats| stats.failed_windows));
    let dropped = "Files dropped because of age, size or free space.";
    scope.counter_from("pyrope_store_dropped_partitions_total", dropped, &[], read(|stats| stats.dropped_partitions));
    let damaged = "Files set aside because they could not be read.";
    scope.counter_from("pyrope_store_damaged_files_total", damaged, &[], read(|stats| stats.damaged_files));
    scope.clone()
}

#[cfg(test)]
mod tests;
