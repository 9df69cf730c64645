//! Windows into partitions.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use profile::Profile;
use rusqlite::Connection;

use crate::ingest::{Detail, add_profile};
use crate::open::Interval;
use crate::partition::{FileError, Partition, lock, read, write};
use crate::retention::{Limits, free_bytes, now};
use crate::series::{Series, SeriesTable};
use crate::store::{Inner, Store};
use crate::window::{Pair, Window};

/// The partition that is written to.
pub(crate) struct Writer {
    partition: Arc<Partition>,
    connection: Connection,
}

/// What an append wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Distinct stacks, counted in each series.
    pub stacks: usize,
    /// Series and times.
    pub entries: usize,
}

/// Why a window is lost to the store.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// There is less space than must stay free, and no older data to drop.
    #[error(
        "the file system of {path} has {free} bytes free, fewer than min_free_bytes = {min_free_bytes}: free some space, \
         or lower min_free_bytes"
    )]
    LowSpace {
        /// The folder.
        path: std::path::PathBuf,
        /// What is free.
        free: u64,
        /// What must stay free.
        min_free_bytes: u64,
    },
    /// The file system is full, and there is no older data to drop.
    #[error("no space left for the store in {path}: free some, or lower max_bytes")]
    Full {
        /// The folder.
        path: std::path::PathBuf,
    },
    /// The file could not be written.
    #[error("write to the store in {path}")]
    Write {
        /// The folder.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Store {
    /// Writes the profiles of one interval in one transaction. When this returns, what was open of the interval is
    /// gone, and queries see the window in its place.
    ///
    /// After a failure the window is lost and counted in [`Stats::failed_windows`](crate::Stats), and the open interval
    /// is gone as well.
    pub fn append(&self, interval: Interval, profiles: &[Arc<Profile>]) -> Result<Appended, AppendError> {
        let inner = &*self.inner;
        let mut writer = lock(&inner.writer);
        let result = inner.append(&mut writer, interval, profiles);
        match &result {
            Ok(_) => *lock(&inner.message) = None,
            Err(error) => {
                write(&inner.state).open.close(interval);
                inner.counts.failed_windows.fetch_add(1, Ordering::Relaxed);
                *lock(&inner.message) = Some(chain(error));
            }
        }
        inner.trim();
        result
    }
}

/// The error and its sources in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl Writer {
    /// Folds the log into the file.
    pub(crate) fn close(self) {
        crate::schema::close(self.connection);
        self.partition.unload_index();
        self.partition.measure();
    }

    fn is_full(&self, limits: &Limits, last: i64) -> bool {
        let length = i64::try_from(limits.partition.as_millis()).unwrap_or(i64::MAX);
        let spans = self.partition.span().is_some_and(|(first, _)| last.saturating_sub(first) >= length);
        let windows = self.partition.windows() > 0;
        let full = || self.partition.with_dictionary(|dictionary| dictionary.is_full()).unwrap_or(true);
        spans || (windows && self.partition.bytes() >= limits.partition_bytes()) || full()
    }
}

impl Inner {
    fn append(
        &self,
        writer: &mut Option<Writer>,
        interval: Interval,
        profiles: &[Arc<Profile>],
    ) -> Result<Appended, AppendError> {
        if profiles.iter().all(|profile| profile.samples().is_empty()) {
            write(&self.state).open.close(interval);
            return Ok(Appended::default());
        }
        self.find_folder(writer)
            .map_err(|error| AppendError::Write { path: self.path.clone(), source: Box::new(error) })?;
        if self.retain(now()) {
            *writer = None;
        }
        let limits = *read(&self.limits);
        if let Ok(free) = free_bytes(&self.path)
            && free < limits.min_free_bytes
        {
            let min_free_bytes = limits.min_free_bytes;
            return Err(AppendError::LowSpace { path: self.path.clone(), free, min_free_bytes });
        }
        let mut set_aside = false;
        loop {
            let result =
                self.ready(writer, &limits, profiles).and_then(|writer| self.write(writer, interval, profiles));
            match result {
                Ok(appended) => return Ok(appended),
                Err(error) if error.is_full() && self.drop_oldest("the file system is full") => {}
                Err(error) if error.is_full() => return Err(AppendError::Full { path: self.path.clone() }),
                Err(error) if error.is_damage() && !set_aside => {
                    set_aside = true;
                    self.set_aside_newest(writer, &error);
                }
                Err(error) => {
                    // Begin anew from the file the next time, whatever state the connection is in.
                    if let Some(Writer { partition, .. }) = writer.take()
                        && partition.windows() == 0
                    {
                        partition.remove();
                    }
                    return Err(AppendError::Write { path: self.path.clone(), source: Box::new(error) });
                }
            }
        }
    }

    /// The writer for this window: the one there is, or that of the newest file, or of a new file.
    fn ready<'a>(
        &self,
        writer: &'a mut Option<Writer>,
        limits: &Limits,
        profiles: &[Arc<Profile>],
    ) -> Result<&'a mut Writer, FileError> {
        let times = || profiles.iter().map(|profile| milliseconds(profile.time_nanos));
        let checkpoint_pages = limits.checkpoint_pages();
        if writer.is_none()
            && let Some(newest) = read(&self.state).partitions.last().cloned()
        {
            let connection = newest.open_writer(checkpoint_pages)?;
            *writer = Some(Writer { partition: newest, connection });
        }
        if let Some(full) = writer.take_if(|writer| writer.is_full(limits, times().max().unwrap_or(0))) {
            full.close();
        }
        match writer {
            Some(writer) => Ok(writer),
            None => {
                let first = times().min().unwrap_or(0);
                let (partition, connection) = Partition::create(&self.path, first, checkpoint_pages)?;
                Ok(writer.insert(Writer { partition: Arc::new(partition), connection }))
            }
        }
    }

    fn write(&self, writer: &mut Writer, interval: Interval, profiles: &[Arc<Profile>]) -> Result<Appended, FileError> {
        let Writer { partition, connection } = writer;
        let (mut series_slot, mut dictionary_slot) = partition.tables_mut()?;
        let (Some(series), Some(dictionary)) = (&mut *series_slot, &mut *dictionary_slot) else {
            unreachable!("tables_mut loads both");
        };
        let first_series = series.len();
        let mark = dictionary.mark();
        let mut window = Window::default();
        for profile in profiles {
            add_to_window(&mut window, series, dictionary, profile);
        }
        if window.entries.is_empty() {
            // What the dictionary learned is in no file: forget it.
            *series_slot = None;
            *dictionary_slot = None;
            write(&self.state).open.close(interval);
            return Ok(Appended::default());
        }
        match partition.write_window(connection, &window, dictionary, &mark, series, first_series) {
            Ok(id) => {
                let mut state = write(&self.state);
                partition.publish(id, &window, series.len());
                state.open.close(interval);
                if !state.partitions.iter().any(|known| Arc::ptr_eq(known, partition)) {
                    state.partitions.push(partition.clone());
                }
            }
            Err(error) => {
                // The tables have what the file lacks: load them again from the file.
                *series_slot = None;
                *dictionary_slot = None;
                return Err(error);
            }
        }
        drop((series_slot, dictionary_slot));
        partition.measure();
        Ok(Appended { stacks: window.pairs.len(), entries: window.entries.len() })
    }

    /// Takes the newest file out of use.
    fn set_aside_newest(&self, writer: &mut Option<Writer>, error: &FileError) {
        let partition = match writer.take() {
            Some(writer) => writer.partition,
            None => match read(&self.state).partitions.last().cloned() {
                Some(newest) => newest,
                None => return,
            },
        };
        self.set_aside(&partition, error);
    }

    /// Takes a file out of use that cannot be read.
    pub(crate) fn set_aside(&self, partition: &Arc<Partition>, error: &FileError) {
        write(&self.state).partitions.retain(|other| !Arc::ptr_eq(other, partition));
        self.counts.damaged_files.fetch_add(1, Ordering::Relaxed);
        let aside = partition
            .set_aside()
            .map_or_else(|error: io::Error| format!("not renamed: {error}"), |path| path.display().to_string());
        self.measure_aside();
        tracing::warn!(
            path = %partition.path.display(), aside, reason = %error,
            "a file of the store cannot be used; it was set aside and its profiles are missing"
        );
    }
}

fn milliseconds(nanos: i64) -> i64 {
    nanos.div_euclid(1_000_000)
}

/// Adds the samples of `profile`: an entry for the series, and one for each set of sample labels.
fn add_to_window(
    window: &mut Window,
    series: &mut SeriesTable,
    dictionary: &mut crate::dictionary::Dictionary,
    profile: &Profile,
) {
    let tables = profile.tables();
    let mut pairs: Vec<Vec<Pair>> = vec![Vec::new(); tables.label_sets().len()];
    if pairs.len() == 1 {
        pairs[0].reserve(tables.samples().len());
    }
    add_profile(dictionary, profile, Detail::Frames, |sample, node| {
        if sample.value != 0 {
            pairs[sample.labels.index()].push((node, sample.value));
        }
    });
    // Sets that differ only in numbers are one series.
    let mut by_series: Vec<(u32, Vec<Pair>)> = Vec::new();
    for (labels, pairs) in tables.label_sets().iter().zip(pairs) {
        if pairs.is_empty() {
            continue;
        }
        let id = series.intern(Series::of(profile, labels));
        match by_series.iter_mut().find(|(known, _)| *known == id) {
            Some((_, known)) => known.extend(pairs),
            None => by_series.push((id, pairs)),
        }
    }
    let duration = u64::try_from(milliseconds(profile.duration_nanos)).unwrap_or(0);
    for (id, pairs) in by_series {
        window.push(id, milliseconds(profile.time_nanos), duration, profile.period, pairs);
    }
}
