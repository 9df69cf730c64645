//! Whether a stack ends where real stacks end, judged by its names alone.

use regex::Regex;

/// How a stack ends at its outer end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// At a function where threads or programs begin.
    Root,
    /// At the kernel's entry: the user's part is missing.
    NoUser,
    /// Anywhere else.
    Cut,
}

/// The names at which stacks end.
pub(super) struct Roots {
    user: Regex,
    kernel: Regex,
    entry: Regex,
}

impl Roots {
    pub(super) fn new() -> Self {
        let pattern = |text: &str| Regex::new(text).expect("it is written here");
        Self {
            user: pattern(
                r"^(?:__libc_start_main.*|__libc_start_call_main.*|libc_start_main.*|_dl_start.*|_rt0_\w+|(?:_start|__start|start_thread|thread_start|__clone3?|clone3?|runtime\.(?:goexit|mstart|mstart1|mcall|rt0_go))(?:@.*|\.\w+)*)$",
            ),
            kernel: pattern(
                r"^(?:ret_from_fork\w*|kthread|secondary_startup\w*|x86_64_start_kernel|rest_init|start_kernel|cpu_startup_entry)",
            ),
            entry: pattern(r"^(?:entry_\w+|do_syscall_64|asm_\w+|x64_sys_call|__x64_sys_\w+|exc_\w+|irqentry_\w+)"),
        }
    }

    /// Of a stack whose outermost frames, the outermost first, have these names.
    pub(super) fn end(&self, outermost: &[&str]) -> End {
        let last = &outermost[..outermost.len().min(3)];
        let any = |pattern: &Regex| last.iter().any(|name| pattern.is_match(name));
        if any(&self.user) || any(&self.kernel) {
            End::Root
        } else if any(&self.entry) {
            End::NoUser
        } else {
            End::Cut
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Roots};

    #[test]
    fn a_stack_ends_at_a_root_at_the_kernels_entry_or_nowhere() {
        let roots = Roots::new();
        for root in ["_start", "__libc_start_main@@GLIBC_2.34", "__clone3", "runtime.goexit.abi0", "ret_from_fork_asm"]
        {
            assert_eq!(roots.end(&[root, "main"]), End::Root, "{root}");
        }
        assert_eq!(roots.end(&["", "__libc_start_call_main", "main"]), End::Root);
        assert_eq!(roots.end(&["main", "a", "b", "_start"]), End::Cut);
        assert_eq!(roots.end(&["entry_SYSCALL_64_after_hwframe", "do_syscall_64"]), End::NoUser);
        assert_eq!(roots.end(&["_started"]), End::Cut);
        assert_eq!(roots.end(&[]), End::Cut);
    }
}
