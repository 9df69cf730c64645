//! CPU time from the start of the agent until it is steady: with an empty cache on disk, and with what an earlier run left there.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::load::{Kind, Load};
use super::process::cpu_seconds;
use super::running::Running;
use super::summary::{Reach, Results};
use super::{Folders, Options};

/// The first interval has been named and handed over by then.
const STEADY_AFTER: Duration = Duration::from_secs(20);
const ROUNDS: usize = 5;

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    for kind in [Kind::BareRecursion(30), Kind::Database] {
        let _load = Load::start(kind, folders)?;
        let (mut empty, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS.min(options.pairs) {
            let storage = folders.scratch("storage")?;
            empty.push(until_steady(&storage)?);
            warm.push(until_steady(&storage)?);
        }
        let title = |cache| format!("{}: CPU-s of the first {} s, {cache} cache", kind.name(), STEADY_AFTER.as_secs());
        results.reach_median("settle", &title("empty"), empty, Reach::AtMost(0.5));
        results.reach_median("settle", &title("warm"), warm, Reach::AtMost(0.1));
    }
    Ok(())
}

fn until_steady(storage: &Path) -> anyhow::Result<f64> {
    let agent = Running::start(storage)?;
    sleep(STEADY_AFTER);
    let used = cpu_seconds(agent.pid())?;
    agent.stop()?;
    Ok(used)
}
