//! Looks on while an agent works: whether it answers and goes on counting, and what memory it takes.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::{Agent, http};

/// The budget of memory, in KiB.
const BUDGET: u64 = 60 << 10;

/// A thread that asks again and again until [`Watch::end`].
pub struct Watch {
    pid: u32,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The longest time to an answer
    pub answer: Duration,
    /// The longest time in which no sample was delivered
    pub silence: Duration,
    /// The most memory that was resident, in KiB
    pub resident: u64,
}

impl Watch {
    /// Begins. The agent samples a program that never rests.
    pub fn begin(agent: &Agent) -> Self {
        let (address, stop) = (agent.address.clone(), Arc::new(AtomicBool::new(false)));
        let run = {
            let stop = Arc::clone(&stop);
            move || {
                let (mut seen, mut delivered, mut since) = (Seen::default(), 0.0, Instant::now());
                while !stop.load(Relaxed) {
                    let asked = Instant::now();
                    let metrics = http::get(&address, "/metrics").unwrap().body;
                    seen.answer = seen.answer.max(asked.elapsed());
                    let lines = metrics.lines().filter(|line| line.starts_with("pyrope_ebpf_samples_delivered_total"));
                    let now: f64 = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
                    if now > delivered {
                        (delivered, since) = (now, Instant::now());
                    }
                    seen.silence = seen.silence.max(since.elapsed());
                    thread::sleep(Duration::from_millis(20));
                }
                seen
            }
        };
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(run).unwrap();
        Self { pid: agent.pid(), stop, thread }
    }

    /// What was seen until now.
    pub fn end(self) -> Seen {
        self.stop.store(true, Relaxed);
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        Seen { resident: most.unwrap(), ..self.thread.join().unwrap() }
    }
}

impl Seen {
    /// Whether it answered within a second, delivered within a second more than its `interval`, and kept its budget of memory.
    #[track_caller]
    pub fn check(self, interval: Duration) {
        let second = Duration::from_secs(1);
        let good = self.answer <= second && self.silence <= interval + second && self.resident <= BUDGET;
        assert!(good, "{self:?}");
    }
}
