//! Real programs: whether their stacks are whole, and whether perf sees the same functions at work.

mod aliases;
mod perf;

mod shares;

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2e::Agent;

use super::api::{self, walks};
use super::chosen::configuration;
use super::programs::{PROGRAMS, Program};
use super::roots::End;
use super::seen::Seen;
use super::summary::{Reach, Results};
use super::{Folders, Options};
use aliases::Aliases;

/// Samples a second and CPU.
const RATE: f64 = 199.0;
/// How often pyrope hands over.
const INTERVAL: Duration = Duration::from_secs(5);
/// The load has begun before this.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let (mut near, mut far, mut all) = (0_u32, 0_u32, 0_u32);
    for program in PROGRAMS.iter().filter(|program| options.wants(program.name)) {
        let compared = measure(program, options, folders, results).with_context(|| format!("with {}", program.name))?;
        near += compared.iter().filter(|one| one.near()).count() as u32;
        far += compared.iter().filter(|one| one.far()).count() as u32;
        all += compared.len() as u32;
    }
    let share = f64::from(near) / f64::from(all).max(1.0) * 100.0;
    let verdict = format_args!("{share:.1} ({near} of {all})");
    results.judge("complete", "% of shares of functions within 3σ of perf's", share, verdict, Reach::AtLeast(95.0));
    results.reach("complete", "shares of functions beyond 5σ and half a point", f64::from(far), Reach::AtMost(0.0));
    Ok(())
}

fn measure(
    program: &Program,
    options: &Options,
    folders: &Folders,
    results: &mut Results,
) -> anyhow::Result<Vec<shares::Compared>> {
    let data = folders.scratch("perf")?.join("perf.data");
    let load = (program.start)(folders)?;
    sleep(SETTLE);
    let (begin, agent) = (Instant::now(), Agent::run(&configuration(program.paths, RATE, INTERVAL)));
    let status = perf::record(&data, options.watched.as_secs())?.wait()?;
    ensure!(status.success(), "perf record failed");
    drop(load);
    // Handed over, and a walk that waited for rows completed.
    sleep(INTERVAL + Duration::from_secs(3));
    let seen = Seen::of(&kept(program, &agent, begin, folders)?, 1e9 / RATE);
    let (ends, refused) = (walks(&agent), api::refused(&agent));
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
    results.reach(
        "complete",
        &format!("{}: % of samples that end at a root, by names", program.name),
        seen.percent(End::Root),
        Reach::AtLeast(99.5),
    );
    let mut add = |what: &str, value: String| results.add("complete", &format!("{}: {what}", program.name), value);
    add("samples", seen.samples.to_string());
    add(
        "by names",
        format!(
            "{:.2} % end at a root, {:.2} % have no user part, {:.2} % end elsewhere",
            seen.percent(End::Root),
            seen.percent(End::NoUser),
            seen.percent(End::Cut)
        ),
    );
    add("ends of walks", ends);
    add("files whose unwind rows found no room", refused.to_string());
    for (frames, count) in seen.cuts(6) {
        add(&format!("{count} samples end at"), frames.to_owned());
    }
    let (theirs, files) = perf::selves(&data, program.threads)?;
    let aliases = Aliases::of(&files);
    let compared = shares::compare(&aliases.join(&seen.selves), &aliases.join(&theirs));
    add("samples of perf", theirs.values().sum::<u64>().to_string());
    for one in &compared {
        if !one.near() {
            let (ours, theirs) = (one.ours * 100.0, one.theirs * 100.0);
            add(&one.function, format!("{ours:.2} % by pyrope, {theirs:.2} % by perf: {:.1}σ", one.sigmas));
        }
    }
    Ok(compared)
}

/// All of its profiles in one, which stays as a file for other readers.
fn kept(program: &Program, agent: &Agent, begin: Instant, folders: &Folders) -> anyhow::Result<profile::Profile> {
    let folder = folders.kept("profiles");
    fs::create_dir_all(&folder)?;
    let bytes = api::pprof(agent, "{}", begin)?;
    fs::write(folder.join(format!("{}.pb", program.name)), &bytes)?;
    Ok(profile::decode(&bytes)?)
}
