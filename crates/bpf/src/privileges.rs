//! Which capabilities this process lacks, for messages.

/// What profiling takes: name, number (linux/capability.h), and whether CAP_SYS_ADMIN stands for it.
const NEEDED: [(&str, u32, bool); 6] = [
    ("BPF", 39, true),
    ("PERFMON", 38, true),
    ("SYS_PTRACE", 19, false),
    ("DAC_READ_SEARCH", 2, false),
    ("CHECKPOINT_RESTORE", 40, true),
    ("SYSLOG", 34, false),
];
/// Without one of these nothing loads.
const TO_LOAD: [&str; 2] = ["BPF", "PERFMON"];
const SYS_ADMIN: u32 = 21;

/// Why the kernel does not let this process load programs, and what to do.
pub(crate) fn remedy() -> String {
    remedy_for(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// The same for a process with this `/proc/PID/status`.
fn remedy_for(status: &str) -> String {
    let missing = missing(status);
    if !missing.iter().any(|name| TO_LOAD.contains(name)) {
        return "The process has CAP_BPF and CAP_PERFMON, so it is something else. Capabilities inside a user namespace do not count: run outside of it. A seccomp profile can forbid bpf(). Before Linux 5.11 CAP_SYS_RESOURCE is needed too, or no limit of locked memory (ulimit -l unlimited). Where kernel.lockdown is `confidentiality`, reading kernel memory is forbidden to every BPF program. If it is none of these, the kernel's verifier refused the programs: run with logging { level = \"debug\" } for its reasons, and please report them with the kernel's version.".to_owned();
    }
    let names: Vec<String> = missing.iter().map(|name| format!("CAP_{name}")).collect();
    let flags: Vec<String> = missing.iter().map(|name| format!("--cap-add={name}")).collect();
    format!(
        "The process lacks {}. Run as root, or grant what it lacks (docker: {}; Kubernetes: securityContext.capabilities.add; systemd: AmbientCapabilities).",
        names.join(", "),
        flags.join(" ")
    )
}

fn missing(status: &str) -> Vec<&'static str> {
    let held = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    let has = |number: u32| held.unwrap_or(0) >> number & 1 == 1;
    let lacks = |(_, number, by_admin): &&(&str, u32, bool)| !(has(*number) || *by_admin && has(SYS_ADMIN));
    NEEDED.iter().filter(lacks).map(|(name, ..)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u64 = (1 << 41) - 1;

    fn status(held: u64) -> String {
        format!("Name:\tpyrope\nCapPrm:\t{ALL:016x}\nCapEff:\t{held:016x}\nCapBnd:\t{ALL:016x}\n")
    }

    #[track_caller]
    fn check(held: u64, expect: &[&str]) {
        assert_eq!(missing(&status(held)), expect);
    }

    #[test]
    fn only_what_is_missing_is_named() {
        check(ALL, &[]);
        check(ALL & !(1 << 38), &[]);
        check(ALL & !(1 << 38) & !(1 << SYS_ADMIN), &["PERFMON"]);
        check(1 << SYS_ADMIN, &["SYS_PTRACE", "DAC_READ_SEARCH", "SYSLOG"]);
        check(0, &["BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "CHECKPOINT_RESTORE", "SYSLOG"]);
        let text = remedy_for(&status(ALL & !(1 << 38) & !(1 << SYS_ADMIN)));
        assert!(text.starts_with("The process lacks CAP_PERFMON. Run as root,") && !text.contains("CAP_BPF"), "{text}");
    }

    #[test]
    fn with_all_that_loading_takes_other_reasons_are_named() {
        let text = remedy_for(&status(ALL & !(1 << 34)));
        assert!(text.starts_with("The process has CAP_BPF and CAP_PERFMON") && !text.contains("Run as root"), "{text}");
    }
}
