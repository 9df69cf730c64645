//! What the answers of a virtual machine mean: facts for the reader, and faults.

use std::fmt;

use abi::WalkEnd;
use e2e::peer::share_with;

use super::answers::Answers;

/// The share of a program's time that its known stack must have: the rest is the program's start.
const LEAST_SHARE: f64 = 0.85;
/// Of `c-signals-bare`, which between two signals is in other functions: for a tenth of its time and more, where a clock is slow.
const LEAST_SHARE_IN_SIGNALS: f64 = 0.7;
/// The share of walks that must reach their end.
const LEAST_COMPLETE: f64 = 0.85;
/// The share of samples that may be lost to a slow machine, by a reason that says so.
const MOST_LOST: f64 = 0.25;
/// Fewer samples of a program prove nothing.
const LEAST_SAMPLES: i64 = 50;
/// Copies of `c-recurse` that run on a CPU which was away, for an instant and for two seconds.
const RETURNED: [&str; 2] = ["returned-0", "returned-2"];
const PERIOD: i64 = 1_000_000_000 / 97;

#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) facts: Vec<String>,
    pub(super) faults: Vec<String>,
}

/// The stack of a program of `e2e/workloads`, root first.
fn known_stack(program: &str) -> Vec<&'static str> {
    let descend = |depth| [&["main"][..], &vec!["descend"; depth]].concat();
    match program {
        "c-recurse" | "c-recurse-bare" | "returned-0" | "returned-2" => [&descend(10)[..], &["busy_leaf"]].concat(),
        "c-deep" => [&descend(900)[..], &["busy_leaf"]].concat(),
        // libc has no name for the frame between the two, and the profile leaves those out.
        "c-signals-bare" => vec!["main", "spin", "on_tick", "busy_leaf"],
        "c-syscalls" => vec!["main", "syscall_loop", "issue_read", "entry_SYSCALL_64*", "do_syscall_64*"],
        _ => vec!["main", "run_plugin", "plugin_entry", "plugin_leaf"],
    }
}

impl Verdict {
    pub(super) fn of(answers: &Answers) -> Self {
        let mut verdict = Self::default();
        let Some(kernel) = &answers.kernel else {
            verdict.faults.push("the kernel did not boot; see the console".to_owned());
            return verdict;
        };
        verdict.facts.push(format!("booted {kernel}, {} bytes of BTF", answers.btf.unwrap_or_default()));
        verdict.programs(answers);
        if answers.loaded.is_some() {
            verdict.account(answers);
            verdict.walks(answers);
            verdict.detached(answers);
            for program in super::PROGRAMS.iter().chain(&RETURNED) {
                verdict.stack(answers, program);
            }
        }
        let complaints = answers.complaints.iter().map(|line| format!("the kernel complains: {line}"));
        verdict.faults.extend(complaints);
        if !answers.ended {
            verdict.faults.push("it did not come to the end in time".to_owned());
        } else if answers.loaded.is_some() && answers.exit != Some(0) {
            verdict.faults.push(format!("pyrope left with {:?}", answers.exit));
        }
        verdict
    }

    pub(super) fn word(&self) -> &'static str {
        if self.faults.is_empty() { "well" } else { "failed" }
    }

    /// Whether the verifier took the programs.
    fn programs(&mut self, answers: &Answers) {
        match answers.loaded {
            Some(seconds) => self.facts.push(format!("programs loaded, {seconds:.1} s after the start")),
            None => {
                let reason = answers.log.iter().rfind(|line| line.contains("did not start"));
                let reason = reason.or(answers.log.last()).map_or("no log", String::as_str);
                self.faults.push(format!("the programs were not loaded: {reason}"));
            }
        }
        let looked: Vec<_> = answers.log.iter().filter_map(|line| instructions(line)).collect();
        if !looked.is_empty() {
            self.facts.push(format!("instructions the verifier looked at: {}", looked.join(", ")));
        }
    }

    /// Whether each sample ended where it should.
    fn account(&mut self, answers: &Answers) {
        let term = |key| answers.logged("profiling session ended", key);
        let (Some(taken), Some(delivered), Some(open), Some(filtered), Some(lost)) =
            (term("taken"), term("delivered"), term("open"), term("filtered"), term("lost"))
        else {
            self.faults.push("no account was given at the end".to_owned());
            return;
        };
        let account = format!("{taken} taken, {delivered} delivered, {filtered} left out, {lost} lost, {open} open");
        if taken != delivered + filtered + lost || open != 0 {
            self.faults.push(format!("the account does not add up: {account}"));
        }
        let reasons = answers.labelled("pyrope_ebpf_samples_lost_total", "reason").filter(|(_, count)| *count > 0);
        let reasons: Vec<_> = reasons.map(|(reason, count)| format!("{reason} {count}")).collect();
        if reasons.iter().any(|reason| reason.starts_with("malformed")) {
            self.faults.push("records of the ring could not be read".to_owned());
        }
        if lost as f64 > taken as f64 * MOST_LOST {
            self.faults.push(format!("too many samples were lost: {}", reasons.join(", ")));
        }
        let reasons = if reasons.is_empty() { String::new() } else { format!("; lost: {}", reasons.join(", ")) };
        self.facts.push(format!("{account}{reasons}"));
    }

    /// How the walks of user stacks ended.
    fn walks(&mut self, answers: &Answers) {
        let ends: Vec<_> = answers.labelled("pyrope_ebpf_walks_total", "end").filter(|(_, count)| *count > 0).collect();
        let all: u64 = ends.iter().map(|(_, count)| count).sum();
        let complete = |name: &str| WalkEnd::ALL.iter().any(|end| end.name() == name && end.complete());
        let complete: u64 = ends.iter().filter(|(end, _)| complete(end)).map(|(_, count)| count).sum();
        let share = complete as f64 / all.max(1) as f64;
        let each: Vec<_> = ends.iter().map(|(end, count)| format!("{end} {count}")).collect();
        let fact = format!("{:.1} % of the walks complete: {}", share * 100.0, each.join(", "));
        if share < LEAST_COMPLETE { &mut self.faults } else { &mut self.facts }.push(fact);
    }

    /// Whether all that was loaded is gone again.
    fn detached(&mut self, answers: &Answers) {
        let counts = |when: &str| answers.objects.get(when).map_or("?", String::as_str);
        let (before, during, after) = (counts("before"), counts("during"), counts("after"));
        let fact = format!("BPF programs, maps and links before, while it ran and after: {before}; {during}; {after}");
        let clean = before != "?" && before == after && before != during;
        if clean { &mut self.facts } else { &mut self.faults }.push(fact);
    }

    /// Whether a program was seen with its functions.
    fn stack(&mut self, answers: &Answers, program: &str) {
        let stacks = answers.stacks.get(program).map(Vec::as_slice).unwrap_or_default();
        let samples = stacks.iter().map(|(_, value)| value).sum::<i64>() / PERIOD;
        let share = share_with(stacks, &known_stack(program));
        let fact = format!("{program}: its known stack in {:.1} % of {samples} samples", share * 100.0);
        let least = if program == "c-signals-bare" { LEAST_SHARE_IN_SIGNALS } else { LEAST_SHARE };
        let proven = samples >= LEAST_SAMPLES && share >= least;
        if !proven && let Some((frames, _)) = stacks.iter().max_by_key(|(_, value)| *value) {
            self.faults.push(format!("{fact}; most common: {}", frames.join(";")));
        } else {
            if proven { &mut self.facts } else { &mut self.faults }.push(fact);
        }
    }
}

/// What the log says of the verifier's work on a program: its name and a number.
fn instructions(line: &str) -> Option<String> {
    let (_, fields) = line.split_once("the verifier looked at a program\" program=")?;
    let (program, processed) = fields.split_once(" processed=\"")?;
    Some(format!("{program} {}", processed.split(' ').next()?))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts.iter().try_for_each(|fact| writeln!(f, "  {fact}"))?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "  fault: {fault}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDED: &str = "objects before 0 0 0\nobjects during 9 16 4\nobjects after 0 0 0\n\
        log msg=\"profiling session ended\" taken=10 delivered=9 open=0 filtered=1 lost=0\n";

    #[track_caller]
    fn check(text: &str, faults: &[&str]) {
        let mut verdict = Verdict::of(&Answers::parse(text));
        verdict.faults.retain(|fault| !fault.contains("known stack") && !fault.contains("of the walks"));
        assert_eq!(verdict.faults, faults);
    }

    #[test]
    fn a_kernel_that_says_nothing_did_not_boot() {
        check("", &["the kernel did not boot; see the console"]);
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_log() {
        check(
            "kernel 5.10\nlog msg=\"profiling did not start\" err=x\nend\n",
            &["the programs were not loaded: msg=\"profiling did not start\" err=x"],
        );
    }

    #[test]
    fn a_complaint_of_the_kernel_is_a_fault() {
        let text = format!("kernel 5.10\nloaded 1\n{ENDED}exit 0\ncomplaint BUG: scheduling while atomic\nend\n");
        check(&text, &["the kernel complains: BUG: scheduling while atomic"]);
    }

    #[test]
    fn what_is_left_in_the_kernel_is_a_fault() {
        let text = format!("kernel 5.10\nloaded 1\n{ENDED}exit 0\nend\n").replace("after 0 0 0", "after 0 1 0");
        check(&text, &["BPF programs, maps and links before, while it ran and after: 0 0 0; 9 16 4; 0 1 0"]);
    }

    #[test]
    fn the_verifiers_work_is_told() {
        let line =
            r#"level=debug msg="the verifier looked at a program" program=on_fork processed="99 insns (limit 1)""#;
        assert_eq!(instructions(line).as_deref(), Some("on_fork 99"));
    }

    #[test]
    fn the_account_must_add_up() {
        check(&format!("kernel 5.10\nloaded 1\n{ENDED}exit 0\nend\n"), &[]);
        let text = format!("kernel 5.10\nloaded 1\n{}exit 0\nend\n", ENDED.replace("delivered=9", "delivered=8"));
        check(&text, &["the account does not add up: 10 taken, 8 delivered, 1 left out, 0 lost, 0 open"]);
    }

    #[test]
    fn a_program_must_be_seen_often_and_with_its_stack() {
        let answers = Answers::parse("kernel 5.10\nloaded 1\n");
        let verdict = Verdict::of(&answers);
        assert!(verdict.faults.contains(&"c-deep: its known stack in 0.0 % of 0 samples".to_owned()), "{verdict}");
        assert!(verdict.faults.contains(&"it did not come to the end in time".to_owned()), "{verdict}");
    }
}
