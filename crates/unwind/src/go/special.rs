//! The functions of Go's runtime that do not return as others do.

/// What is special about a function in assembly, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// Nothing.
    None,
    /// A goroutine or a thread begins with it. Since Go 1.17 the table says so too.
    Outermost,
    /// What a signal handler returns to.
    Signal,
    /// The kernel calls it for a signal: the table says that it has no caller, but that is the return from the handler.
    Handler,
    /// It moves to the stack of the thread, and returns to the one it comes from. Since Go 1.17 the table says so too.
    Moves,
    /// The same, but what it calls does not return to it.
    Leaves,
}

impl Special {
    pub(super) fn of(name: &str) -> Self {
        let Some(name) = name.strip_prefix("runtime.") else {
            let is_start = name.starts_with("_rt0_") && !name.ends_with("_lib");
            return match name {
                _ if is_start => Self::Outermost,
                // Up to Go 1.16.
                "time.now" => Self::Moves,
                _ => Self::None,
            };
        };
        match name {
            "goexit" | "mstart" | "rt0_go" => Self::Outermost,
            "sigreturn" | "sigreturn__sigaction" => Self::Signal,
            "sigtramp" | "cgoSigtramp" => Self::Handler,
            "mcall" | "morestack" | "switchToCrashStack0" => Self::Leaves,
            "systemstack" | "asmcgocall" | "cgocallback" | "cgocallback_gofunc" | "gogo" | "sigfwd" | "callCgoMmap"
            | "callCgoMunmap" | "callCgoSigaction" | "nanotime1" | "nanotime" | "walltime1" | "walltime" => Self::Moves,
            _ => Self::None,
        }
    }
}
