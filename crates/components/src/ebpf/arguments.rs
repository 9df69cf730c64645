//! The arguments of `pyroscope.ebpf`: those of the specification, then those that newer upstream versions have.

use std::path::PathBuf;
use std::time::Duration;

use engine::cache::CacheSizes;
use engine::symbol_cache::SymbolWish;
use engine::{Demangle, Settings};
use lang::decode::{FromBlock, FromText};

use crate::receiver::ForwardTo;
use crate::targets::TargetsArg;

/// How names of C++ and Rust are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromText)]
#[text(error = "unknown demangle mode {text}: it is one of none, simplified, templates, full")]
pub enum DemangleArg {
    /// As the linker knows them.
    #[default]
    None,
    /// Without parameters and template arguments.
    Simplified,
    /// Without parameters.
    Templates,
    /// Whole.
    Full,
}

/// Where the name of the thread goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromText)]
#[text(error = "unknown comm {text}: it is one of none, label, stackframe, both")]
pub enum CommArg {
    /// Nowhere.
    #[default]
    None,
    /// Into a label of the sample.
    Label,
    /// Into a frame at the root.
    Stackframe,
    /// Into both.
    Both,
    /// Nowhere, as upstream also takes it.
    #[text("")]
    Empty,
}

/// Profiles the processes of this host through eBPF.
#[derive(Debug, FromBlock)]
#[block(
    rule = has_targets(targets, targets_only),
    rule = is_rate(sample_rate),
    rule = is_interval(collect_interval),
    rule = keeps_frames(collect_user_profile, collect_kernel_profile, kernel_frames),
    rule = is_size_of_pid_cache(pid_cache_size),
    rule = is_size_of_build_id_cache(build_id_cache_size),
    rule = is_size_of_same_file_cache(same_file_cache_size),
    rule = is_size_of_container_id_cache(container_id_cache_size),
    rule = is_size_of_symb_cache(symb_cache_size)
)]
pub struct Arguments {
    /// Targets to group profiles by.
    #[attr(optional)]
    pub targets: Option<TargetsArg>,
    /// Receivers to send collected profiles to.
    #[attr]
    pub forward_to: ForwardTo,
    /// How often profiles are handed over.
    #[attr(default = "15s")]
    pub collect_interval: Duration,
    /// How many times a second and CPU a stack is sampled.
    #[attr(default = 97)]
    pub sample_rate: u32,
    /// How many processes' lists of the code that they made are held in memory.
    #[attr(default = 32)]
    pid_cache_size: u32,
    /// How many symbol tables of files with a build id are held in memory.
    #[attr(default = 64)]
    build_id_cache_size: u32,
    /// How many symbol tables of files without a build id are held in memory.
    #[attr(default = 8)]
    same_file_cache_size: u32,
    /// Of how many cgroups the container is remembered.
    #[attr(default = 1024)]
    container_id_cache_size: u32,
    /// Whether frames of user space are kept.
    #[attr(default = true)]
    collect_user_profile: bool,
    /// Whether frames of the kernel are kept.
    #[attr(default = true)]
    collect_kernel_profile: bool,
    /// How names of C++ and Rust are shown.
    #[attr(default = "none")]
    demangle: DemangleArg,
    /// Whether only processes with a target are profiled.
    #[attr(default = true)]
    targets_only: bool,
    /// Whether frames of the kernel are kept; a newer name of `collect_kernel_profile`.
    #[attr(default = true)]
    kernel_frames: bool,
    /// Where the name of a sample's thread goes.
    #[attr(default = "none")]
    comm: CommArg,
    /// Whether samples have the label `pid`.
    #[attr(default = false)]
    pid_label: bool,
    /// There is no unwinder of these.
    #[attr(optional)]
    python_enabled: Option<bool>,
    /// There is no unwinder of these.
    #[attr(optional)]
    perl_enabled: Option<bool>,
    /// There is no unwinder of these.
    #[attr(optional)]
    php_enabled: Option<bool>,
    /// There is no unwinder of these.
    #[attr(optional)]
    hotspot_enabled: Option<bool>,
    /// There is no unwinder of these.
    #[attr(optional)]
    ruby_enabled: Option<bool>,
    /// There is no unwinder of these.
    #[attr(optional)]
    v8_enabled: Option<bool>,
    /// There is no unwinder of these.
    #[attr(optional)]
    dotnet_enabled: Option<bool>,
    /// Go is unwound and named as any native program, with or without.
    #[attr(optional)]
    #[expect(dead_code, reason = "both values mean the same")]
    go_enabled: Option<bool>,
    /// Accepted without effect.
    #[attr(optional)]
    off_cpu_threshold: Option<f64>,
    /// Accepted without effect.
    #[attr(optional)]
    bpf_fs_root: Option<String>,
    /// Accepted without effect.
    #[attr(optional)]
    obi_process_context_enabled: Option<bool>,
    /// Accepted without effect.
    #[attr(optional)]
    load_probe: Option<bool>,
    /// Accepted without effect.
    #[attr(optional)]
    probe_links: Option<Vec<String>>,
    /// Accepted without effect.
    #[attr(optional)]
    u_probe_links: Option<Vec<String>>,
    /// Whether the profiler logs at level debug.
    #[attr(default = false)]
    pub verbose_mode: bool,
    /// Whether nothing is loaded before there is a target.
    #[attr(default = false)]
    pub lazy_mode: bool,
    /// Always so: what a kernel can do is asked of the kernel, not of its version.
    #[attr(optional)]
    #[expect(dead_code, reason = "both values mean the same")]
    no_kernel_version_check: Option<bool>,
    /// Where symbol tables are kept on disk; by default in the folder of the agent's own data.
    #[attr(optional)]
    symb_cache_path: Option<String>,
    /// Of how many files.
    #[attr(default = 2048)]
    symb_cache_size: u32,
    /// Accepted without effect.
    #[attr(optional)]
    reporter_unsymbolized_stubs: Option<bool>,
    /// Accepted without effect.
    #[attr(optional)]
    cache_rounds: Option<u32>,
    /// Accepted without effect.
    #[attr(optional)]
    go_table_fallback: Option<bool>,
    /// Accepted without effect.
    #[attr(optional)]
    symbols_map_size: Option<u32>,
    /// Accepted without effect.
    #[attr(optional)]
    pid_map_size: Option<u32>,
    /// Accepted without effect.
    #[block]
    debug_info: Option<DebugInfo>,
}

/// Upload of debug information.
#[derive(Debug, FromBlock)]
#[expect(dead_code, reason = "accepted so that existing configurations load; nothing reads them")]
pub struct DebugInfo {
    /// Accepted without effect.
    #[attr(default = true)]
    on_target_symbolization: bool,
    /// Accepted without effect.
    #[attr(default = false)]
    upload: bool,
    /// Accepted without effect.
    #[attr(default = 262_144)]
    cache_size: u32,
    /// Accepted without effect.
    #[attr(default = false)]
    strip_text_section: bool,
    /// Accepted without effect.
    #[attr(default = 256)]
    queue_size: u32,
    /// Accepted without effect.
    #[attr(default = 16)]
    worker_num: u32,
}

/// The highest rate: one sample each 100 microseconds.
const MOST_RATE: u32 = 10_000;

/// The largest size of a cache: memory is short long before.
const MOST_CACHED: u32 = 1_000_000;

/// The shortest interval.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

fn has_targets(targets: &Option<TargetsArg>, targets_only: &bool) -> Result<(), &'static str> {
    match targets {
        None if *targets_only => {
            Err("missing required attribute \"targets\"; set targets_only = false to profile every process")
        }
        _ => Ok(()),
    }
}

fn is_rate(rate: &u32) -> Result<(), String> {
    match rate {
        1..=MOST_RATE => Ok(()),
        _ => Err(format!("sample_rate must be between 1 and {MOST_RATE}, got {rate}")),
    }
}

fn is_interval(interval: &Duration) -> Result<(), &'static str> {
    if *interval < LEAST_INTERVAL { Err("collect_interval must be at least 100ms") } else { Ok(()) }
}

fn is_size_of_pid_cache(size: &u32) -> Result<(), String> {
    is_cache_size("pid_cache_size", *size)
}

fn is_size_of_build_id_cache(size: &u32) -> Result<(), String> {
    is_cache_size("build_id_cache_size", *size)
}

fn is_size_of_same_file_cache(size: &u32) -> Result<(), String> {
    is_cache_size("same_file_cache_size", *size)
}

fn is_size_of_container_id_cache(size: &u32) -> Result<(), String> {
    is_cache_size("container_id_cache_size", *size)
}

fn is_size_of_symb_cache(size: &u32) -> Result<(), String> {
    is_cache_size("symb_cache_size", *size)
}

fn is_cache_size(name: &str, size: u32) -> Result<(), String> {
    match size {
        1..=MOST_CACHED => Ok(()),
        _ => Err(format!("{name} must be between 1 and {MOST_CACHED}, got {size}")),
    }
}

fn keeps_frames(user: &bool, kernel: &bool, kernel_too: &bool) -> Result<(), &'static str> {
    if *user || (*kernel && *kernel_too) {
        return Ok(());
    }
    Err("nothing is left to collect: collect_user_profile and collect_kernel_profile are both false")
}

impl Arguments {
    /// How the engine samples for it.
    pub fn settings(&self) -> Settings {
        Settings {
            sample_rate: self.sample_rate,
            collect_interval: self.collect_interval,
            demangle: match self.demangle {
                DemangleArg::None => Demangle::None,
                DemangleArg::Simplified => Demangle::Simplified,
                DemangleArg::Templates => Demangle::Templates,
                DemangleArg::Full => Demangle::Full,
            },
            collect_kernel: self.collect_kernel_profile && self.kernel_frames,
            collect_user: self.collect_user_profile,
            targets_only: self.targets_only,
            comm_label: matches!(self.comm, CommArg::Label | CommArg::Both),
            comm_frame: matches!(self.comm, CommArg::Stackframe | CommArg::Both),
            pid_label: self.pid_label,
            caches: CacheSizes([
                self.pid_cache_size,
                self.build_id_cache_size,
                self.same_file_cache_size,
                self.container_id_cache_size,
            ]),
            symbol_cache: SymbolWish {
                // A folder of our own in it: what else is there is not ours.
                folder: self.symb_cache_path.as_ref().map(|path| PathBuf::from(path).join("pyrope")),
                files: self.symb_cache_size,
            },
        }
    }

    /// How many targets were given, matched or not.
    pub fn target_count(&self) -> usize {
        self.targets.as_ref().map_or(0, |targets| targets.list.len())
    }

    /// Which of the given arguments change nothing.
    pub fn without_effect(&self) -> Vec<&'static str> {
        let given = [
            // There is no unwinder to switch on.
            ("python_enabled", self.python_enabled == Some(true)),
            ("perl_enabled", self.perl_enabled == Some(true)),
            ("php_enabled", self.php_enabled == Some(true)),
            ("hotspot_enabled", self.hotspot_enabled == Some(true)),
            ("ruby_enabled", self.ruby_enabled == Some(true)),
            ("v8_enabled", self.v8_enabled == Some(true)),
            ("dotnet_enabled", self.dotnet_enabled == Some(true)),
            ("off_cpu_threshold", self.off_cpu_threshold.is_some_and(|threshold| threshold > 0.0)),
            ("bpf_fs_root", self.bpf_fs_root.is_some()),
            ("obi_process_context_enabled", self.obi_process_context_enabled.is_some()),
            ("load_probe", self.load_probe == Some(true)),
            ("probe_links", self.probe_links.as_ref().is_some_and(|links| !links.is_empty())),
            ("u_probe_links", self.u_probe_links.as_ref().is_some_and(|links| !links.is_empty())),
            ("reporter_unsymbolized_stubs", self.reporter_unsymbolized_stubs == Some(true)),
            ("cache_rounds", self.cache_rounds.is_some()),
            ("go_table_fallback", self.go_table_fallback.is_some()),
            ("symbols_map_size", self.symbols_map_size.is_some()),
            ("pid_map_size", self.pid_map_size.is_some()),
            ("debug_info", self.debug_info.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }

    /// Logs them, if there are any.
    pub fn warn_of_what_has_no_effect(&self, id: &str) {
        let names = self.without_effect();
        if !names.is_empty() {
            let arguments = names.join(", ");
            tracing::warn!(component_id = id, arguments, "these arguments are accepted but have no effect yet");
        }
    }
}

#[cfg(test)]
mod tests {
    use graph::{Stability, Vocabulary, validate};
    use lang::{
        source::Source,
        stdlib::{Host, Stdlib},
    };

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        let vocabulary = Vocabulary {
            definitions: crate::COMPONENTS,
            stdlib: Stdlib::new(Host::default()),
            minimum_stability: Stability::GenerallyAvailable,
        };
        let found = validate(&[Source::new("", text)], &vocabulary);
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expect, "{text}");
    }

    /// One of these components between two others, with more arguments.
    fn ebpf(arguments: &str) -> String {
        format!(
            "pyroscope.ebpf \"x\" {{\n forward_to = [pyroscope.write.w.receiver]\n {arguments}\n}}\n\
             pyroscope.write \"w\" {{ }}\ndiscovery.process \"p\" {{ }}"
        )
    }

    #[test]
    fn what_does_not_go_together_is_said_without_a_run() {
        let targets = "1:1: missing required attribute \"targets\"; set targets_only = false to profile every process";
        check("pyroscope.ebpf \"x\" { forward_to = [] }", &[targets]);
        check(&ebpf(""), &[targets]);
        check(&ebpf("targets = null"), &[targets]);
        let rate = "1:1: sample_rate must be between 1 and 10000, got 0";
        check(&ebpf("targets = discovery.process.p.targets\n sample_rate = 0"), &[rate]);
        check(&ebpf("targets = []\n collect_interval = \"1ms\""), &["1:1: collect_interval must be at least 100ms"]);
        let frames = "1:1: nothing is left to collect: collect_user_profile and collect_kernel_profile are both false";
        check(&ebpf("targets = []\n collect_user_profile = false\n kernel_frames = false"), &[frames]);
        check(&ebpf("sample_rate = 0"), &[targets, rate]);
        for cache in ["pid_cache", "build_id_cache", "same_file_cache", "container_id_cache", "symb_cache"] {
            let name = format!("{cache}_size");
            let expect = |size: &str| format!("1:1: {name} must be between 1 and 1000000, got {size}");
            check(&ebpf(&format!("targets = []\n {name} = 1")), &[]);
            check(&ebpf(&format!("targets = []\n {name} = 0")), &[&expect("0")]);
            check(&ebpf(&format!("targets = []\n {name} = 1000001")), &[&expect("1000001")]);
        }
    }

    #[test]
    fn others_are_asked_too() {
        check(
            "discovery.process \"x\" { refresh_interval = \"0s\" }",
            &["1:1: refresh_interval must be greater than 0"],
        );
        check("pyrope.store \"x\" { max_bytes = 5 }", &["1:1: max_bytes must be at least 1MiB"]);
        let both = "pyroscope.write \"x\" {\n endpoint {\n url = sys.env(\"URL\")\n bearer_token = \"a\"\n \
                    bearer_token_file = \"b\"\n }\n}";
        let one = "2:2: at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be configured";
        check(both, &[one]);
    }

    #[test]
    fn what_could_turn_out_well_is_not_refused() {
        check(&ebpf("targets = discovery.process.p.targets"), &[]);
        check(&ebpf("targets = []"), &[]);
        check(&ebpf("targets_only = false"), &[]);
        check(&ebpf("targets_only = sys.env(\"ALL\") != \"1\""), &[]);
        check(&ebpf("targets = encoding.from_json(sys.env(\"TARGETS\"))"), &[]);
        check(&ebpf("targets = []\n sample_rate = sys.env(\"RATE\")\n collect_interval = sys.env(\"EVERY\")"), &[]);
        check(&ebpf("targets = []\n collect_user_profile = false\n kernel_frames = sys.env(\"K\") == \"1\""), &[]);
        check("pyrope.store \"x\" { max_bytes = sys.env(\"BYTES\") }", &[]);
        let rule = "discovery.relabel \"r\" {\n targets = []\n rule {\n action = sys.env(\"A\")\n regex = \"a\"\n }\n}";
        check(rule, &[]);
    }
}
