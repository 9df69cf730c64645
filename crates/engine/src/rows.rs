//! Builds the unwind rows of the files that samples lie in, and writes them into the kernel.
//!
//! ```text
//! opener ─BuildRequest─▶ rows thread: unwind::compile ──spans──▶ Tables ──▶ trait RowMaps
//!                                          └─ rules, each once
//! sampler ──Repair──▶ waits for the rows, walks ──Repaired──▶ sampler
//! ```

mod checked;
mod counts;
mod extents;
mod repairs;
mod tables;
mod wish;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use abi::rows::{Line, MAX_RULES, VDSO_DEV};
use crossbeam_channel::{Receiver, RecvError, RecvTimeoutError, Sender};
use elf::{Elf, ReadAt};
use hashbrown::HashMap;
use unwind::{Orders, Rule, Rules, Summary};

use self::checked::Checked;
pub use self::counts::RowCounts;
use self::repairs::Repairs;
use self::tables::Tables;
use self::wish::State;
pub(crate) use self::wish::{Wish, seconds};
use self::writer::{Span, Writer};
use crate::kernel::{KernelError, RowMaps};
use crate::opener::FileKey;
use crate::program_file::ProgramFile;
use crate::repair::{Repair, Repaired, Wants};
use crate::vdso;

/// Rows that found no room, could not be written or could not be asked for wait so many seconds.
pub(crate) const PAUSE: u32 = 30;
/// Rules that one file may add to those that all share, and the part of the numbers left. Real libraries have up to seven hundred.
const MOST_NEW_RULES: usize = 4096;
const PART_OF_RULES: usize = 4;
/// With fewer numbers left all rules are forgotten, and all rows with them, if that was not done for so long, in seconds.
const FEW_RULES: usize = 16384;
const RULES_KEPT: u32 = 600;
/// When more files are known than this, those that are closed are forgotten.
const MOST_KNOWN: usize = 8192;

/// What others ask of the thread.
#[derive(Debug)]
pub(crate) enum RowRequest {
    /// The rows of a file that was opened.
    Build(BuildRequest),
    /// Those of a file that had rows, or asked for them.
    Again(FileKey, Wish),
    /// None of a file that cannot be reached.
    Absent(FileKey, Wish),
    /// The rest of a walk that came to code without rows.
    Repair(Box<Repair>),
}

/// What the sampler has of the thread.
pub(crate) struct Asker {
    pub(crate) requests: Sender<RowRequest>,
    pub(crate) repaired: Receiver<Repaired>,
    pub(crate) counts: RowCounts,
}

/// Asks for the rows of a file.
#[derive(Debug)]
pub(crate) struct BuildRequest {
    pub(crate) key: FileKey,
    pub(crate) file: Arc<ProgramFile>,
    pub(crate) path: PathBuf,
    pub(crate) wish: Wish,
}

/// A file that was asked about. Others keep it open, as long as samples lie in it.
struct Known {
    file: Weak<ProgramFile>,
    path: PathBuf,
    wish: Wish,
    /// How many rules it has added.
    rules: usize,
}

/// Runs until the requests end.
pub(crate) fn run(
    requests: &Receiver<RowRequest>,
    maps: Box<dyn RowMaps>,
    repaired: Sender<Repaired>,
    counts: RowCounts,
) {
    let mut builder = match Builder::begin(maps, repaired, counts) {
        Ok(builder) => builder,
        Err(error) => {
            tracing::error!(%error, "no unwind rows can be written; stacks are walked by frame pointers alone");
            return;
        }
    };
    builder.build_vdso();
    loop {
        let next = match builder.repairs.next() {
            // What was asked for meanwhile comes before the next span.
            Some(_) if builder.repairs.wanted_span().is_some() => requests.recv_timeout(Duration::ZERO),
            Some(until) => requests.recv_deadline(until),
            None => builder.wait(requests).map_err(|_| RecvTimeoutError::Disconnected),
        };
        if builder.counts.0.stopping.load(Relaxed) {
            return;
        }
        match next {
            Ok(RowRequest::Build(request)) => builder.build(request),
            Ok(RowRequest::Again(key, wish)) => builder.build_again(&key, &wish),
            Ok(RowRequest::Absent(key, wish)) => builder.leave_absent(key, &wish),
            Ok(RowRequest::Repair(repair)) => builder.repair(repair),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        builder.load_next_span();
        let Builder { tables, rules, repairs, counts, .. } = &mut builder;
        let late = repairs.give_up(|key, offset| rule_at(tables, rules, key, offset));
        counts.leave_unrepaired(late);
    }
}

struct Builder {
    tables: Tables,
    rules: Rules,
    rules_written: usize,
    /// Since when, in seconds, there are these rules.
    rules_since: u32,
    /// The rule of files that have no unwind tables.
    frame_pointer: u16,
    /// The rule of files whose rows find no room.
    absent: u16,
    known: HashMap<FileKey, Known>,
    /// Of the file whose spans were built last, for as long as walks wait.
    orders: Option<(FileKey, Orders)>,
    repairs: Repairs,
    counts: RowCounts,
}

impl Builder {
    fn begin(maps: Box<dyn RowMaps>, repaired: Sender<Repaired>, counts: RowCounts) -> Result<Self, KernelError> {
        let mut rules = Rules::default();
        let [frame_pointer, absent, awaited] = first_rules(&mut rules);
        let mut builder = Self {
            tables: Tables::new(maps, awaited),
            rules,
            rules_written: 0,
            rules_since: seconds(),
            frame_pointer,
            absent,
            known: HashMap::new(),
            orders: None,
            repairs: Repairs::new(repaired),
            counts,
        };
        builder.write_rules()?;
        Ok(builder)
    }

    fn build(&mut self, request: BuildRequest) {
        let BuildRequest { key, file, path, wish } = request;
        if self.known.len() >= MOST_KNOWN {
            self.known.retain(|_, known| known.file.strong_count() > 0);
        }
        let has_rows = self.tables.renew(&key, &wish);
        let rules = self.known.get(&key).map_or(0, |before| before.rules);
        self.known.insert(key, Known { file: Arc::downgrade(&file), path, wish, rules });
        if has_rows {
            // Spans of it may be wanted, for which it had to be open.
            self.go_on(Wants::File(key));
        } else {
            self.try_build(key, &file);
        }
    }

    fn repair(&mut self, repair: Box<Repair>) {
        let rule = |key, offset| rule_at(&self.tables, &self.rules, key, offset);
        let done = self.repairs.begin(repair, rule);
        self.counts.0.repaired.fetch_add(u64::from(done), Relaxed);
    }

    fn build_again(&mut self, key: &FileKey, wish: &Wish) {
        match self.known.get(key).and_then(|known| known.file.upgrade()) {
            Some(file) => self.try_build(*key, &file),
            // It is closed, or there was no room to ask for it: it is opened again, and asked for by that.
            None => _ = wish.not_reached(seconds()),
        }
    }

    /// Without a table for it the kernel side would send each stack in a file, to be walked later.
    fn leave_absent(&mut self, key: FileKey, wish: &Wish) {
        if let Err(error) = self.tables.publish_absent(key, Arc::clone(wish), self.absent) {
            tracing::debug!(?key, %error, "the absence of unwind rows cannot be written");
        }
        self.show();
    }

    fn try_build(&mut self, key: FileKey, file: &ProgramFile) {
        let Some(known) = self.known.get(&key) else { return };
        let (path, wish) = (known.path.clone(), &Arc::clone(&known.wish));
        let path = path.display();
        self.forget_rules();
        let begin = Instant::now();
        let checked = Checked::new(file);
        match self.build_file(key, &checked, Arc::clone(wish), || checked.result()) {
            Ok(Some(summary)) => {
                let took = begin.elapsed();
                tracing::debug!(%path, rows = summary.rows, malformed = summary.malformed, ?took, "unwind rows built");
                self.count(&summary, took.as_nanos() as u64);
                self.go_on(Wants::File(key));
            }
            Ok(None) if self.build_in_parts(key, &checked, wish) => {
                tracing::debug!(%path, "no room for all unwind rows at once: they come span by span");
                self.go_on(Wants::File(key));
            }
            Ok(None) => {
                self.counts.0.refused.fetch_add(1, Relaxed);
                wish.ask_from(seconds() + PAUSE);
                self.leave_absent(key, wish);
                tracing::debug!(%path, "no room for unwind rows: those of other files are in use");
            }
            // That was said, and it is not asked again.
            Err(_) if file.is_silent() => {
                wish.ask_from(u32::MAX);
                self.leave_absent(key, wish);
            }
            Err(error) => {
                wish.ask_from(seconds() + PAUSE);
                self.leave_absent(key, wish);
                tracing::warn!(%path, %error, "the unwind rows of a file cannot be had");
            }
        }
        self.show();
    }

    /// Goes on with walks that waited for these rows.
    fn go_on(&mut self, wants: Wants) {
        let done = self.repairs.built(wants, |key, offset| rule_at(&self.tables, &self.rules, key, offset));
        self.counts.0.repaired.fetch_add(done, Relaxed);
    }

    /// Gives a file a table whose spans come when they are asked for. False if there is no room for that either.
    fn build_in_parts(&mut self, key: FileKey, file: &Checked<'_>, wish: &Wish) -> bool {
        let Ok((elf, _)) = Elf::parse(file) else { return false };
        let spans = unwind::spans_of(&elf);
        let published = self.tables.publish_awaited(key, Arc::clone(wish), &spans);
        published.unwrap_or_else(|error| {
            tracing::debug!(%error, "a table of unwind rows cannot be written");
            false
        })
    }

    /// Builds a span that walks wait for.
    fn load_next_span(&mut self) {
        let Some((key, span)) = self.repairs.wanted_span() else { return };
        let wants = Wants::Span(key, span);
        let Some(file) = self.known.get(&key).and_then(|known| known.file.upgrade()) else {
            // It is closed. The sample that wants the span has it opened again.
            return self.repairs.want_file(key);
        };
        match self.load_span(key, &file, span) {
            Ok(true) => {
                self.counts.0.spans.fetch_add(1, Relaxed);
                self.go_on(wants);
            }
            result => {
                if let Err(error) = result {
                    tracing::warn!(%error, "unwind rows cannot be had");
                }
                self.counts.0.refused.fetch_add(1, Relaxed);
                let Self { tables, rules, repairs, .. } = self;
                let gone = repairs.refused(wants, |key, offset| rule_at(tables, rules, key, offset));
                self.counts.leave_unrepaired(gone);
            }
        }
        self.show();
    }

    /// Waits for a request while no walk waits for rows.
    fn wait(&mut self, requests: &Receiver<RowRequest>) -> Result<RowRequest, RecvError> {
        self.orders = None;
        requests.recv()
    }

    /// Builds one span. False if there is no room.
    fn load_span(&mut self, key: FileKey, file: &ProgramFile, span: u64) -> Result<bool, KernelError> {
        let file = Checked::new(file);
        let Ok((elf, _)) = Elf::parse(&file) else { return Ok(false) };
        let begin = Instant::now();
        self.allow_rules(&key);
        let mut output = Span::default();
        let kept = self.orders.take().filter(|(other, _)| *other == key);
        let (_, orders) = self.orders.insert(kept.unwrap_or_else(|| (key, Orders::default())));
        let summary = unwind::compile_span(&elf, span, orders, &mut self.rules, &mut output);
        self.note_rules(&key);
        self.write_rules()?;
        file.result()?;
        self.counts.0.rows.fetch_add(summary.rows, Relaxed);
        self.counts.0.nanoseconds.fetch_add(begin.elapsed().as_nanos() as u64, Relaxed);
        self.tables.load(key, span, output.rows, &output.lines)
    }

    /// Says what the kernel holds now.
    fn show(&self) {
        let counts = &self.counts.0;
        counts.evicted.store(self.tables.evicted, Relaxed);
        counts.tables.store(self.tables.len() as u64, Relaxed);
        counts.partial.store(self.tables.partial() as u64, Relaxed);
        counts.bytes.store(u64::from(self.tables.lines_used()) * size_of::<Line>() as u64, Relaxed);
        counts.tight.store(self.tables.is_tight(), Relaxed);
        counts.rules_refused.store(self.rules.refused(), Relaxed);
    }

    fn build_vdso(&mut self) {
        let Some(image) = vdso::own_image() else { return };
        let key = FileKey { ino: 0, dev: VDSO_DEV, version: 0 };
        if let Err(error) = self.build_file(key, &image[..], State::always(), || Ok(())) {
            tracing::warn!(%error, "the unwind rows of the vDSO cannot be written");
        }
        self.show();
    }

    /// `None` if there is no room. `read` says whether all could be read.
    fn build_file<R: ReadAt + Clone>(
        &mut self,
        key: FileKey,
        file: R,
        wish: Wish,
        read: impl Fn() -> Result<(), KernelError>,
    ) -> Result<Option<Summary>, KernelError> {
        self.allow_rules(&key);
        let mut writer = Writer::new(&mut self.tables);
        let summary = match Elf::parse(file) {
            Ok((elf, _)) if elf.is_64_bit() => unwind::compile(&elf, &mut self.rules, &mut writer),
            // Code in another format, or none; its writers may have kept frame pointers. Stacks of 32-bit code are not walked.
            _ => Summary::default(),
        };
        let draft = writer.finish();
        self.note_rules(&key);
        let Some(draft) = draft? else { return Ok(None) };
        if let Err(error) = read().and_then(|()| self.write_rules()) {
            self.tables.discard(&draft);
            return Err(error);
        }
        let otherwise = if summary.rows == 0 { self.frame_pointer } else { 0 };
        Ok(self.tables.publish(key, wish, draft, otherwise)?.then_some(summary))
    }

    /// Lets a file add what is left of its share of rules.
    fn allow_rules(&mut self, key: &FileKey) {
        let added = self.known.get(key).map_or(0, |known| known.rules);
        let share = MOST_NEW_RULES.saturating_sub(added);
        self.rules.allow(share.min(self.rules.left() / PART_OF_RULES));
    }

    /// Notes what it added.
    fn note_rules(&mut self, key: &FileKey) {
        if let Some(known) = self.known.get_mut(key) {
            known.rules += self.rules.list().len() - self.rules_written;
        }
    }

    /// Where few numbers are left, forgets all rules and all rows, which are built again when they are asked for.
    fn forget_rules(&mut self) {
        let now = seconds();
        if self.rules.left() >= FEW_RULES || now.saturating_sub(self.rules_since) < RULES_KEPT {
            return;
        }
        self.rules_since = now;
        if let Err(error) = self.tables.withdraw_all() {
            tracing::error!(%error, "cannot withdraw the unwind tables");
            return;
        }
        tracing::info!("numbers of unwind rules run short: all unwind rows are built again when they are asked for");
        self.rules.begin_anew();
        self.rules_written = 0;
        _ = first_rules(&mut self.rules);
        self.known.values_mut().for_each(|known| known.rules = 0);
        if let Err(error) = self.write_rules() {
            tracing::error!(%error, "cannot write unwind rules");
        }
        self.build_vdso();
    }

    /// Writes the rules that are new.
    fn write_rules(&mut self) -> Result<(), KernelError> {
        let new = &self.rules.list()[self.rules_written..];
        if new.is_empty() {
            return Ok(());
        }
        let new: Vec<_> = new.iter().map(|rule| abi::rows::Rule::from(*rule)).collect();
        self.tables.maps().set_rules(self.rules_written as u32, &new)?;
        self.rules_written += new.len();
        Ok(())
    }

    fn count(&self, summary: &Summary, nanoseconds: u64) {
        let counts = &self.counts.0;
        counts.built.fetch_add(1, Relaxed);
        counts.rows.fetch_add(summary.rows, Relaxed);
        counts.malformed.fetch_add(summary.malformed, Relaxed);
        counts.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }
}

/// The numbers of the rules for files without tables, without room and whose rows are awaited: always the same.
fn first_rules(rules: &mut Rules) -> [u16; 3] {
    [Rule::FramePointer, Rule::Absent, Rule::Awaited].map(|rule| rules.number(rule))
}

/// The rule of a place in a file, as the kernel side would find it; `None` for a file without a table.
fn rule_at(tables: &Tables, rules: &Rules, key: FileKey, offset: u64) -> Option<Rule> {
    let number = tables.rule_at(&key, offset)?;
    rules.list().get(usize::from(number)).copied()
}

const _: () = assert!(MAX_RULES == 1 << 16, "the numbers of rules have 16 bits");

#[cfg(test)]
mod tests;
