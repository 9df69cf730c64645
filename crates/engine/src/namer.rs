//! The namer thread: turns counted stacks into profiles with names.

mod files;
mod frames;
mod names;

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use inspect::ProcessKey;
use profile::{Labels, LocationId, Profile, ProfileBuilder, ProfileType, SampleLabel};

use crate::account::{Filtered, Lost};
use crate::batch::{Batch, Sink};
use crate::beside::Beside;
use crate::budget::Budget;
use crate::frame::Space;
use crate::opener::OpenedFile;
use crate::session::{Settings, Shared};
use crate::stacks::{Appended, Node, Replica};
use crate::symbol_cache::SymbolCache;
use crate::thread::Thread;

pub(crate) use frames::Frames;
use frames::LEFT_OUT;

/// Deeper stacks are cut to this many frames, one of which stands for those that were left out.
const MOST_FRAMES: usize = 1000;
/// So many of them are at the root end of a stack that was cut.
const OUTER_FRAMES: usize = 250;
/// Larger profiles are split.
const MOST_SAMPLES: usize = 15_000;
const MOST_BYTES: usize = 1_500_000;

/// How often a stack was seen in a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) group: u32,
    pub(crate) node: Node,
    pub(crate) count: u32,
}

/// Samples of one profile that say the same of their thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    /// Which of [`Job::labels`].
    pub(crate) labels: u32,
    pub(crate) thread: Thread,
}

/// An interval to be named and handed over.
pub(crate) struct Job {
    pub(crate) interval: u64,
    pub(crate) open: bool,
    pub(crate) samples: u64,
    pub(crate) start_nanos: i64,
    pub(crate) duration_nanos: i64,
    pub(crate) settings: Settings,
    /// The distinct final labels.
    pub(crate) labels: Vec<Labels>,
    /// Sorted.
    pub(crate) groups: Vec<Group>,
    /// Sorted by group.
    pub(crate) counted: Vec<Counted>,
    pub(crate) appended: Appended,
    /// The number of the newest BPF program that may be in it.
    pub(crate) newest_program: Option<u32>,
    /// Processes that are new, in the order of their numbers.
    pub(crate) processes: Vec<ProcessKey>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) shared: Arc<Shared>,
}

/// Files to be closed, once all frames so far have their names.
pub(crate) struct CloseFiles {
    pub(crate) files: Vec<u64>,
    pub(crate) appended: Appended,
    /// As in [`Job`].
    pub(crate) processes: Vec<ProcessKey>,
}

pub(crate) enum NamerEvent {
    File(OpenedFile),
    /// Debug files of a file, found later.
    Beside(u64, Beside),
    Window(Box<Job>),
    Close(Box<CloseFiles>),
    /// A process runs code that it made itself.
    OwnCode(ProcessKey),
    /// Memory is short: half of the symbol tables are to go.
    Shed,
    /// Where symbol tables are kept from now on.
    KeepIn(Option<SymbolCache>),
    /// Dropped when everything before it is done.
    Barrier(Sender<()>),
}

/// Runs until the events end.
pub(crate) fn run(events: &Receiver<NamerEvent>, budget: Budget, frames: Frames) {
    let mut namer = Namer { symbol_bytes: budget.symbol_bytes(), frames, ..Namer::default() };
    for event in events {
        match event {
            NamerEvent::File(file) => namer.file(file),
            NamerEvent::Beside(file, beside) => namer.frames.set_beside(file, beside, &namer.replica.frames),
            NamerEvent::Window(job) => namer.window(*job),
            NamerEvent::Close(close) => namer.close(*close),
            NamerEvent::OwnCode(process) => namer.frames.hold(process),
            NamerEvent::Shed => namer.shed(),
            NamerEvent::KeepIn(place) => namer.frames.keep_in(place.as_ref()),
            NamerEvent::Barrier(done) => drop(done),
        }
    }
    namer.frames.keep_all();
}

/// What became of an interval's stacks.
#[derive(Default)]
struct Tally {
    /// Samples that have no frame left.
    empty: u64,
    /// Stacks that were cut to [`MOST_FRAMES`].
    cut: u64,
}

fn fits(profile: &Profile) -> bool {
    profile.samples().len() <= MOST_SAMPLES && profile.encoded_bound() <= MOST_BYTES
}

/// What a profile shows of the thread of a group.
struct Shown {
    group: u32,
    labels: Vec<SampleLabel>,
    frame: Option<LocationId>,
}

#[derive(Default)]
struct Namer {
    replica: Replica,
    frames: Frames,
    /// Frame → its location in the profile being built, if the number in front is that profile's.
    located: Vec<(u32, LocationId)>,
    profile: u32,
    /// What symbol tables may take.
    symbol_bytes: usize,
}

impl Namer {
    /// Brings the replica up to date, and names what is new.
    fn follow(&mut self, appended: Appended, mut processes: Vec<ProcessKey>) {
        if appended.restart {
            self.frames.restart();
            self.located.clear();
            self.profile = 0;
            heap::trim();
        }
        self.replica.apply(appended);
        self.frames.processes.append(&mut processes);
        self.frames.name(&self.replica.frames);
        self.located.resize(self.replica.frames.len(), (0, LocationId(0)));
    }

    fn file(&mut self, file: OpenedFile) {
        let number = file.file;
        if self.frames.files.add(file) {
            self.frames.name(&self.replica.frames);
            self.frames.close(number);
        }
    }

    fn close(&mut self, close: CloseFiles) {
        self.follow(close.appended, close.processes);
        for file in close.files {
            self.frames.close(file);
        }
        self.frames.trim(self.symbol_bytes);
    }

    fn shed(&mut self) {
        self.frames.trim(self.frames.symbol_bytes() / 2);
        heap::trim();
    }

    fn window(&mut self, mut job: Job) {
        self.frames.set_newest_program(job.newest_program);
        self.follow(std::mem::take(&mut job.appended), std::mem::take(&mut job.processes));
        let (mut profiles, mut tally) = (Vec::new(), Tally::default());
        let labels_of = |counted: &Counted| job.groups[counted.group as usize].labels;
        for counted in job.counted.chunk_by(|a, b| labels_of(a) == labels_of(b)) {
            let labels = job.labels[labels_of(&counted[0]) as usize].clone();
            let profile = self.profile(&job, labels, counted, &mut tally);
            match profile.samples().is_empty() {
                true => {}
                false if fits(&profile) => profiles.push(profile),
                false => profiles.extend(profile.split(MOST_SAMPLES, MOST_BYTES)),
            }
        }
        let Tally { empty, cut } = tally;
        let samples = job.samples - empty;
        let batch = Batch { interval: job.interval, open: job.open, samples, profiles };
        let taken = (job.sink)(batch);
        if !job.open {
            job.shared.account.filter(Filtered::NoFrames, empty);
            job.shared.account.cut(cut);
            match taken {
                Ok(()) => job.shared.account.deliver(samples),
                Err(batch) => job.shared.account.lose(Lost::SinkFull, batch.samples),
            }
            job.shared.account.end_naming(job.samples);
        }
        self.frames.trim(self.symbol_bytes);
    }

    fn profile(&mut self, job: &Job, labels: Labels, counted: &[Counted], tally: &mut Tally) -> Profile {
        let settings = &job.settings;
        let period = settings.period() as i64;
        let mut builder = ProfileBuilder::new();
        builder.interval(job.start_nanos, job.duration_nanos).period(period);
        self.profile += 1;
        self.frames.begin_profile();
        let (mut ids, mut stack) = (Vec::new(), Vec::new());
        let most = MOST_FRAMES - usize::from(settings.comm_frame);
        let mut shown: Option<Shown> = None;
        for counted in counted {
            self.replica.stack(counted.node, &mut ids);
            ids.retain(|frame| {
                let kernel = self.replica.frames[*frame as usize].space == Space::KERNEL;
                if kernel { settings.collect_kernel } else { settings.collect_user }
            });
            if ids.is_empty() {
                tally.empty += u64::from(counted.count);
                continue;
            }
            let cut = ids.len() > most;
            if cut {
                tally.cut += 1;
                ids.drain(most - 1 - OUTER_FRAMES..ids.len() - OUTER_FRAMES);
            }
            stack.clear();
            for frame in &ids {
                let located = &mut self.located[*frame as usize];
                if located.0 != self.profile {
                    *located = (self.profile, self.frames.locate(*frame, settings.demangle, &mut builder));
                }
                stack.push(located.1);
            }
            if cut {
                stack.insert(stack.len() - OUTER_FRAMES, self.frames.locate_none(LEFT_OUT, &mut builder));
            }
            let shown = match &shown {
                Some(known) if known.group == counted.group => known,
                _ => shown.insert(self.show(job, counted.group, &mut builder)),
            };
            stack.extend(shown.frame);
            builder.add_labelled(&stack, &shown.labels, i64::from(counted.count) * period);
        }
        let name = labels.get("__name__").unwrap_or("process_cpu").to_owned();
        builder.finish(labels, ProfileType::cpu(name))
    }

    fn show(&mut self, job: &Job, group: u32, builder: &mut ProfileBuilder) -> Shown {
        let thread = job.groups[group as usize].thread;
        let name = thread.name().filter(|_| job.settings.comm_frame);
        let frame = name.map(|name| self.frames.locate_none(&name, builder));
        Shown { group, labels: thread.labels(job.settings.comm_label), frame }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use inspect::{Avma, Proc, maps::Maps};
    use profile::Line;
    use symbolize::Mode;

    use super::*;
    use crate::cache::CacheLimits;
    use crate::files::FileCounts;
    use crate::frame::Frame;
    use crate::program_file::ProgramFile;
    use crate::stacks::{ROOT, Stacks};
    use crate::symbol_cache::SymbolCounts;

    /// This very program, and where in it a function of its own is.
    fn program() -> (OpenedFile, u64) {
        let address = program as *const () as u64;
        let mut proc = Proc::open().unwrap();
        let mut maps = Maps::new(proc.maps(std::process::id()).unwrap());
        let mapping = maps.find(|mapping| mapping.contains(Avma(address))).unwrap();
        let handle = Some(Arc::new(File::open("/proc/self/exe").unwrap().into()));
        let file = OpenedFile {
            file: 0,
            path: "/exe".into(),
            build_id: "".into(),
            handle,
            segments: Vec::new(),
            beside: Beside::default(),
            left: None,
        };
        (file, address - mapping.start.0 + mapping.offset.0)
    }

    fn folded(namer: &mut Namer) -> String {
        let mut builder = ProfileBuilder::new();
        namer.frames.begin_profile();
        let location = namer.frames.locate(0, Mode::None, &mut builder);
        builder.add(&[location], 1);
        builder.finish([("__name__", "cpu")].into_iter().collect(), ProfileType::cpu("cpu".to_owned())).folded()
    }

    #[test]
    fn a_file_is_closed_when_its_frames_have_names_whether_it_came_before_or_after() {
        for early in [false, true] {
            let (file, offset) = program();
            let counts = FileCounts::default();
            let frames = Frames::new(counts.clone(), SymbolCounts::default(), CacheLimits::default());
            let mut namer = Namer { frames, ..Namer::default() };
            let mut stacks = Stacks::new();
            stacks.push(ROOT, Frame { space: Space::file(0), address: offset });
            let appended = Appended { restart: true, ..stacks.since((0, 0)) };
            let close = CloseFiles { files: vec![0], appended, processes: Vec::new() };
            if early {
                namer.close(close);
                assert!(!folded(&mut namer).contains("program"));
                namer.file(file);
            } else {
                namer.file(file);
                assert_eq!(counts.open(), 1);
                namer.close(close);
            }
            assert!(folded(&mut namer).contains("program"), "{}", folded(&mut namer));
            assert_eq!((counts.open(), counts.nameless()), (0, 0));
            assert!(namer.frames.files.get(0).is_none());
        }
    }

    #[test]
    fn frames_are_named_again_when_a_debug_file_is_found() {
        let (file, offset) = program();
        let folder = tempfile::tempdir().unwrap();
        let stripped = folder.path().join("stripped");
        let mut strip = std::process::Command::new("strip");
        assert!(strip.arg("-o").arg(&stripped).arg(std::env::current_exe().unwrap()).status().unwrap().success());
        let mut namer = Namer::default();
        let mut stacks = Stacks::new();
        stacks.push(ROOT, Frame { space: Space::file(0), address: offset });
        let handle = Some(Arc::new(File::open(&stripped).unwrap().into()));
        let whole = file.handle.clone();
        namer.file(OpenedFile { handle, ..file });
        namer.follow(Appended { restart: true, ..stacks.since((0, 0)) }, Vec::new());
        assert!(!folded(&mut namer).contains("program"));

        let beside = Beside { debug: whole, ..Beside::default() };
        namer.frames.set_beside(0, beside.clone(), &namer.replica.frames);
        namer.frames.set_beside(7, beside, &namer.replica.frames);
        namer.follow(stacks.since((1, 1)), Vec::new());
        assert!(folded(&mut namer).contains("program"), "{}", folded(&mut namer));
    }

    #[test]
    fn a_frame_keeps_its_name_when_its_file_is_closed_with_more_to_be_read() {
        let (file, offset) = program();
        let mut namer = Namer::default();
        let mut stacks = Stacks::new();
        stacks.push(ROOT, Frame { space: Space::file(0), address: offset });
        namer.file(file);
        namer.follow(Appended { restart: true, ..stacks.since((0, 0)) }, Vec::new());
        namer.frames.set_beside(0, Beside::default(), &namer.replica.frames);
        namer.frames.close(0);
        namer.follow(stacks.since((1, 1)), Vec::new());
        assert!(folded(&mut namer).contains("program"), "{}", folded(&mut namer));
    }

    #[test]
    fn a_mapping_says_whether_its_places_have_names_and_every_place_has_one() {
        let (file, offset) = program();
        let nameless = OpenedFile { file: 1, handle: None, ..program().0 };
        let mut namer = Namer::default();
        let mut stacks = Stacks::new();
        let frames = [
            Frame { space: Space::file(0), address: offset },
            Frame { space: Space::file(1), address: offset },
            Frame { space: Space::process(0), address: 0x1000 },
        ];
        let places = frames.iter().fold(ROOT, |parent, frame| stacks.push(parent, *frame));
        assert_ne!(places, ROOT);
        namer.file(file);
        namer.file(nameless);
        namer.follow(Appended { restart: true, ..stacks.since((0, 0)) }, Vec::new());
        let mut builder = ProfileBuilder::new();
        namer.frames.begin_profile();
        let mut named = |frame| namer.frames.locate(frame, Mode::None, &mut builder);
        let locations = [named(0), named(1), named(2)];
        builder.add(&locations, 1);
        let profile = builder.finish([("__name__", "cpu")].into_iter().collect(), ProfileType::cpu("cpu".to_owned()));
        let tables = profile.tables();
        let mapping =
            |location: LocationId| &tables.mappings()[tables.locations()[location.index()].mapping.unwrap().index()];
        assert_eq!(locations.map(|location| mapping(location).has_functions), [true, false, true]);
        assert_eq!(&*mapping(locations[2]).filename, "");
    }

    const INLINED: &str = "
        #include <stdlib.h>
        static inline __attribute__((always_inline)) int inner(int value) {
            return value * rand();
        }
        static inline __attribute__((always_inline)) int middle(int value) {
            return inner(value) + inner(value + 1);
        }
        __attribute__((noinline)) int outer(int value) {
            return middle(value) ^ middle(value + 2);
        }
        int main(int argc, char **argv) {
            return outer(argc);
        }
    ";

    #[test]
    fn calls_that_were_put_in_line_are_shown_with_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("inlined.c"), folder.path().join("inlined"));
        std::fs::write(&source, INLINED).unwrap();
        let status = std::process::Command::new("cc").args(["-g", "-O2", "-o"]).args([&program, &source]).status();
        assert!(status.unwrap().success());
        let handle = Arc::new(ProgramFile::from(File::open(&program).unwrap()));
        let elf = elf::Elf::parse(Arc::clone(&handle)).unwrap().0;
        let text = elf.section(".text").unwrap().offset.0;
        let mut namer = Namer::default();
        let file = OpenedFile {
            file: 0,
            path: "/inlined".into(),
            build_id: "".into(),
            handle: Some(handle),
            segments: Vec::new(),
            beside: Beside::default(),
            left: None,
        };
        namer.file(file);
        let mut stacks = Stacks::new();
        let frames: Vec<Frame> = (0..512).map(|at| Frame { space: Space::file(0), address: text + at }).collect();
        frames.iter().for_each(|frame| _ = stacks.push(ROOT, *frame));
        namer.follow(Appended { restart: true, ..stacks.since((0, 0)) }, Vec::new());
        let mut builder = ProfileBuilder::new();
        namer.frames.begin_profile();
        for frame in 0..frames.len() as u32 {
            let location = namer.frames.locate(frame, Mode::None, &mut builder);
            builder.add(&[location], 1);
        }
        let profile = builder.finish([("__name__", "cpu")].into_iter().collect(), ProfileType::cpu("cpu".to_owned()));
        let tables = profile.tables();
        let shown = |location: &profile::Location| {
            let line = |line: &Line| {
                let function = &tables.functions()[line.function.index()];
                assert_eq!(&*function.filename, source.to_str().unwrap());
                format!("{}:{}", function.name, line.line)
            };
            location.lines.iter().map(line).collect::<Vec<_>>().join(" ")
        };
        let all: Vec<String> =
            tables.locations().iter().filter(|location| location.lines.len() > 1).map(shown).collect();
        assert!(all.iter().any(|lines| lines == "inner:4 middle:7 outer:10"), "{all:#?}");
    }
}
