//! Real programs: whether their stacks are whole, and whether perf sees the same functions at work.

mod aliases;
mod perf;
mod roots;
mod seen;
mod shares;

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use buffa::Message as _;
use e2e::{Agent, http};
use rpc::querier::SelectMergeProfileRequest;

use super::api::{PROFILE_TYPE, RECENT_SECONDS, now_ms, walks};
use super::programs::{PROGRAMS, Program};
use super::summary::Results;
use super::{Folders, Options};
use aliases::Aliases;
use roots::End;
use seen::Seen;

/// Samples a second and CPU.
const RATE: f64 = 199.0;
/// How often pyrope hands over.
const INTERVAL: Duration = Duration::from_secs(5);
/// The load has begun before this.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn run(options: &Options, folders: &Folders, results: &mut Results) -> anyhow::Result<()> {
    let (mut near, mut far, mut all) = (0, 0, 0);
    for program in PROGRAMS.iter().filter(|program| options.wants(program.name)) {
        let compared = measure(program, options, folders, results).with_context(|| format!("with {}", program.name))?;
        near += compared.iter().filter(|one| one.near()).count();
        far += compared.iter().filter(|one| one.far()).count();
        all += compared.len();
    }
    let verdict = format_args!("{near} of {all} within 3σ, {far} beyond 5σ and half a point");
    results.add("complete", "shares of functions against perf", verdict);
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
    let (begin, agent) = (Instant::now(), Agent::run(&configuration(program)));
    let status = perf::record(&data, options.watched.as_secs())?.wait()?;
    ensure!(status.success(), "perf record failed");
    drop(load);
    // Handed over, and a walk that waited for rows completed.
    sleep(INTERVAL + Duration::from_secs(3));
    let seen = Seen::of(&profile(&agent, begin)?, 1e9 / RATE);
    let ends = walks(&agent);
    let (status, log) = agent.stop();
    ensure!(status.success(), "the agent failed:\n{log}");
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

/// Profiles this program alone, so that the ends of walks are of its samples.
fn configuration(program: &Program) -> String {
    format!(
        r#"
        discovery.process "all" {{ }}
        discovery.relabel "chosen" {{
            targets = discovery.process.all.targets
            rule {{
                source_labels = ["__meta_process_exe"]
                regex         = "{}"
                action        = "keep"
            }}
            rule {{
                target_label = "service_name"
                replacement  = "chosen"
            }}
        }}
        pyroscope.ebpf "chosen" {{
            targets          = discovery.relabel.chosen.output
            forward_to       = [pyrope.store.local.receiver]
            sample_rate      = {RATE}
            collect_interval = "{}s"
        }}
        pyrope.store "local" {{ }}
        "#,
        program.paths,
        INTERVAL.as_secs(),
    )
}

/// All that was kept since then, whole.
fn profile(agent: &Agent, begin: Instant) -> anyhow::Result<profile::Profile> {
    let since = i64::try_from(begin.elapsed().as_millis()).unwrap_or(RECENT_SECONDS * 1000);
    let now = now_ms();
    let query = SelectMergeProfileRequest {
        profile_typeID: PROFILE_TYPE.to_owned(),
        label_selector: "{}".to_owned(),
        start: now - since,
        end: now + 1000,
        ..Default::default()
    };
    let path = "/querier.v1.QuerierService/SelectMergeProfile";
    let headers = ["Content-Type: application/proto"];
    let answer = http::bytes(&agent.address, "POST", path, &headers, query.encode_to_vec());
    Ok(profile::decode(&answer.context("no answer")?)?)
}
