//! The programs in the kernel, as the engine sees them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, IntoRawFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use abi::Counter;
use abi::rows::Line;
use engine::kernel::{Kernel, KernelCounters, KernelError, RowMaps, Waker};
use libbpf_rs::{Link, MapCore as _, MapFlags, MapHandle, Object, ProgramMut};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

use crate::event::{self, Event};
use crate::newest::newest_program;
use crate::pace::Pace;
use crate::rings::Rings;
use crate::rows::Rows;
use crate::{cpus, limits, load, memory, perf, selfcheck};

/// Lines of rows for each line of pointers: 16 KiB of code have some 17 lines of rows and one pointer, sixteen to a line, and
/// files have gaps.
const POINTER_SHARE: u32 = 14;

/// The time over which the first ticks of all CPUs are spread, if a period is longer.
const SPREAD: Duration = Duration::from_millis(20);

/// How much kernel memory to take.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Bytes of the sample ring for each CPU; the whole is rounded up to a power of two between 1 and 64 MiB.
    pub ring_bytes_per_cpu: u32,
    /// Bytes of unwind rows. What points to them takes a fourteenth more.
    pub row_bytes: u32,
}

/// The loaded programs. Dropping it detaches and unloads all of them.
pub struct Loaded {
    // Fields drop in this order: what uses the object before the object.
    events: BTreeMap<u32, Event>,
    _tracepoints: Vec<Link>,
    rings: Rings,
    counters: MapHandle,
    seen_files: MapHandle,
    switches: MapHandle,
    wake: Arc<OwnedFd>,
    hz: Option<u32>,
    /// Steps of CPUs that came or went, as of when the events were last looked at.
    cpu_steps: u64,
    throttled: u64,
    /// The BPF program with the highest number, as of the last look.
    newest_program: u32,
    map_bytes: u64,
    object: Object,
}

impl Loaded {
    /// Loads the programs, checks them against this process, and attaches those for process events.
    ///
    /// # Errors
    /// Says what is missing (BTF, a capability, memory, the host's pid namespace) and how to grant it.
    pub fn load(config: Config) -> Result<Self, KernelError> {
        limits::raise_memlock();
        let cpus = cpus::online().len().max(1) as u32;
        let sample_ring = config.ring_bytes_per_cpu.saturating_mul(cpus).clamp(1 << 20, 64 << 20).next_power_of_two();
        let row_lines = config.row_bytes.div_ceil(size_of::<Line>() as u32).max(1);
        let sizes = load::Sizes {
            sample_ring,
            wake_at: u64::from(sample_ring) / 2,
            row_lines,
            pointer_lines: row_lines.div_ceil(POINTER_SHARE),
        };
        let object = load::load(&sizes)?;
        let map = |name: &str| map_named(&object, name);
        let (samples, events, counters, checks) =
            (map("samples")?, map("proc_events")?, map("counters")?, map("self_checks")?);
        let seen_files = map("seen_files")?;
        let switches = switches(&object)?;
        let rings =
            Rings::new(&samples, &events).map_err(|error| limits::failed("cannot map the sample ring", &error))?;
        let map_bytes = object.maps().map(|map| memlock_of(map.as_fd())).sum();
        let mut tracepoints = Vec::new();
        for program in object.progs_mut() {
            match program.name().to_str() {
                Some("self_check") => selfcheck::run(&program, &checks)?,
                Some("find_memory") => _ = memory::find(&program, &map("memory_probe")?)?,
                Some("on_fork" | "on_exec" | "on_exit") => tracepoints.push(program.attach().map_err(|error| {
                    let name = program.name().display();
                    limits::failed(format_args!("cannot attach to process events ({name})"), &error)
                })?),
                // A kernel without hotplug has no such tracepoint.
                Some("on_cpu_step") => tracepoints.extend(program.attach().ok()),
                _ => {}
            }
        }
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| limits::failed("cannot make an eventfd", &error))?;
        Ok(Self {
            events: BTreeMap::new(),
            _tracepoints: tracepoints,
            rings,
            counters,
            seen_files,
            switches,
            wake: Arc::new(wake),
            hz: None,
            cpu_steps: 0,
            throttled: 0,
            newest_program: 0,
            map_bytes,
            object,
        })
    }

    fn attach(&self, cpu: u32, period: u64) -> Result<Event, KernelError> {
        let pace = Pace::new(period, event::now(), u64::from(cpu));
        let event = perf::open_cpu_clock(cpu, pace.set()).map_err(|error| match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => KernelError::new(
                "the kernel does not let this process open perf events for all processes. Run as root or grant CAP_PERFMON (before Linux 5.8: CAP_SYS_ADMIN); in a container also check its seccomp profile; or set the sysctl kernel.perf_event_paranoid to -1.",
            ),
            Some(libc::ENOENT | libc::ENOSYS | libc::EOPNOTSUPP) => KernelError::new(
                "the kernel has no perf events: it was built without CONFIG_PERF_EVENTS. Run a kernel that has them.",
            ),
            Some(libc::EMFILE | libc::ENFILE) => KernelError::new(
                "no file descriptor is left for the perf event of each CPU. Raise the limit (ulimit -n).",
            ),
            _ => KernelError::new(format!("cannot open the perf event of CPU {cpu}: {error}")),
        })?;
        let program = self.program("sample_cpu")?;
        let link = program
            .attach_perf_event(event.as_raw_fd())
            .map_err(|error| limits::failed(format_args!("cannot attach to the perf event of CPU {cpu}"), &error))?;
        // The link owns the event from here on, and closes it when it drops.
        Ok(Event::new(link, event.into_raw_fd(), cpu, pace))
    }

    fn program(&self, name: &str) -> Result<ProgramMut<'_>, KernelError> {
        self.object
            .progs_mut()
            .find(|program| program.name() == name)
            .ok_or_else(|| KernelError::new(format!("the BPF object has no program {name}")))
    }
}

pub(crate) fn map_named(object: &Object, name: &str) -> Result<MapHandle, KernelError> {
    map_where(object, name, |map| map == name)
}

/// `struct switches` of `bpf/lib/knobs.bpf.h`: the variables of the object, to which libbpf gives a name that has its own in front.
fn switches(object: &Object) -> Result<MapHandle, KernelError> {
    map_where(object, ".bss", |map| map.to_str().is_some_and(|name| name.ends_with(".bss")))
}

fn map_where(object: &Object, name: &str, is_it: impl Fn(&OsStr) -> bool) -> Result<MapHandle, KernelError> {
    let map = object.maps().find(|map| is_it(map.name()));
    let map = map.ok_or_else(|| KernelError::new(format!("the BPF object has no map {name}")))?;
    MapHandle::try_from(&map).map_err(|error| limits::failed(format_args!("cannot open the BPF map {name}"), &error))
}

/// `memlock` of the map's fdinfo: what the kernel says it holds.
fn memlock_of(fd: BorrowedFd<'_>) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok()).unwrap_or(0)
}

impl Kernel for Loaded {
    fn sample(&mut self, hz: Option<u32>) -> Result<(), KernelError> {
        if self.hz != hz {
            self.events.clear();
            self.hz = hz;
        }
        self.follow_cpus().map(|_| ())
    }

    fn follow_cpus(&mut self) -> Result<usize, KernelError> {
        let Some(hz) = self.hz else { return Ok(0) };
        // The event of a CPU that was away is dead, also if nobody looked while it was.
        let steps = self.counters().get(Counter::CpuSteps);
        if std::mem::replace(&mut self.cpu_steps, steps) != steps {
            self.events.clear();
        }
        let online = cpus::online();
        self.events.retain(|cpu, _| online.contains(cpu));
        let period = 1_000_000_000 / u64::from(hz.max(1));
        let missing: Vec<u32> = online.into_iter().filter(|cpu| !self.events.contains_key(cpu)).collect();
        let (begin, apart) = (Instant::now(), Duration::from_nanos(period).min(SPREAD) / missing.len().max(1) as u32);
        let mut events = std::mem::take(&mut self.events);
        let mut place = 0;
        let attach = |cpu| {
            // Not all at once, then and later.
            std::thread::sleep((apart * place).saturating_sub(begin.elapsed()));
            place += 1;
            self.attach(cpu, period)
        };
        let attached = event::attach_all(&mut events, &missing, attach, |cpu| cpus::online().contains(&cpu));
        events.values_mut().for_each(Event::drift);
        self.events = events;
        attached.map(|()| self.events.len())
    }

    fn newest_program(&mut self) -> Option<u32> {
        let newest = newest_program(self.newest_program)?;
        self.newest_program = newest;
        Some(newest)
    }

    fn wait(&mut self, timeout: Duration) {
        let ring = crate::perf::borrow(self.rings.epoll_fd());
        let mut fds = [PollFd::from_borrowed_fd(ring, PollFlags::IN), PollFd::new(&*self.wake, PollFlags::IN)];
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
        if rustix::event::poll(&mut fds, Some(&timeout)).is_ok() && fds[1].revents().contains(PollFlags::IN) {
            let mut count = [0; 8];
            _ = rustix::io::read(&*self.wake, &mut count);
        }
    }

    fn drain(&mut self, each: &mut dyn FnMut(&[u8])) {
        self.rings.drain(each);
    }

    fn forget_file(&mut self, tag: u64) {
        let slot = abi::seen_slot(tag).to_ne_bytes();
        if let Err(error) = self.seen_files.update(&slot, &0_u64.to_ne_bytes(), MapFlags::ANY) {
            tracing::debug!(%error, "the path of a file will not be sent again");
        }
    }

    fn read_comm(&mut self, wanted: bool) -> Result<(), KernelError> {
        let switches = u64::from(wanted).to_ne_bytes();
        let set = self.switches.update(&0_u32.to_ne_bytes(), &switches, MapFlags::ANY);
        set.map_err(|error| limits::failed("cannot set whether samples carry the names of threads", &error))
    }

    fn counters(&mut self) -> KernelCounters {
        let mut totals = KernelCounters::default();
        if let Ok(Some(cpus)) = self.counters.lookup_percpu(&0_u32.to_ne_bytes(), MapFlags::ANY) {
            for cpu in cpus {
                for (total, value) in totals.0.iter_mut().zip(cpu.as_chunks::<8>().0) {
                    *total += u64::from_ne_bytes(*value);
                }
            }
        }
        self.throttled += self.events.values_mut().map(Event::throttled).sum::<u64>();
        totals.0[Counter::Throttled as usize] = self.throttled;
        totals
    }

    fn waker(&self) -> Waker {
        let wake = Arc::clone(&self.wake);
        Arc::new(move || _ = rustix::io::write(&*wake, &1_u64.to_ne_bytes()))
    }

    fn map_bytes(&self) -> u64 {
        self.map_bytes
    }

    fn row_maps(&self) -> Option<Box<dyn RowMaps>> {
        let rows = Rows::of(&self.object).inspect_err(|error| tracing::error!(%error, "no unwind rows can be written"));
        Some(Box::new(rows.ok()?))
    }
}

const _: () = assert!(Counter::ALL.len() < 64, "the counters of a CPU are one small map value");
