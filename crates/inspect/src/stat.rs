//! `/proc/PID/stat`.

/// The kernel's `PF_KTHREAD`: the task runs in the kernel only.
const PF_KTHREAD: u64 = 0x0020_0000;

/// What we use of `/proc/PID/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat<'a> {
    /// The process id as the reader's pid namespace sees it.
    pub pid: u32,
    /// The name of the main thread, at most 15 bytes, any byte but NUL.
    pub comm: &'a [u8],
    /// One letter, `Z` for a process that has ended and waits for its parent.
    pub state: u8,
    /// True for a thread of the kernel.
    pub kernel_thread: bool,
    /// How many threads the process has.
    pub threads: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// CPU time in user mode and in the kernel, in clock ticks, of all its threads.
    pub cpu_ticks: u64,
}

impl Stat<'_> {
    /// Whether the main thread has ended; others may run on.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// Reads the text of `/proc/PID/stat`; `None` when it is not such a text.
///
/// The name stands in parentheses and may itself contain spaces, line ends and parentheses: it ends at the *last* `)`.
pub fn parse(text: &[u8]) -> Option<Stat<'_>> {
    let open = text.iter().position(|&b| b == b'(')?;
    let close = text.iter().rposition(|&b| b == b')')?;
    let comm = text.get(open + 1..close)?;
    let pid = number(text[..open].trim_ascii())?.try_into().ok()?;
    let mut fields = text[close + 1..].split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());

    // Field numbers as in proc_pid_stat(5); `nth` counts from the field after the one taken last.
    let state = *fields.next()?.first()?; // 3
    let flags = number(fields.nth(5)?)?; // 9
    let user = number(fields.nth(4)?)?; // 14
    let system = number(fields.next()?)?; // 15
    let threads = number(fields.nth(4)?)?.try_into().ok()?; // 20
    let start_time = number(fields.nth(1)?)?; // 22
    Some(Stat {
        pid,
        comm,
        state,
        kernel_thread: flags & PF_KTHREAD != 0,
        threads,
        start_time,
        cpu_ticks: user.saturating_add(system),
    })
}

fn number(text: &[u8]) -> Option<u64> {
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_comm(comm: &str) -> String {
        format!(
            "4242 ({comm}) S 1 4242 4242 0 -1 4194560 1234 0 0 0 70 30 0 0 20 0 7 0 987654 1000000 500 18446744073709551615 1 1 0"
        )
    }

    #[track_caller]
    fn check_comm(comm: &str) {
        let text = with_comm(comm);
        let stat = parse(text.as_bytes()).unwrap();
        assert_eq!((stat.pid, stat.comm), (4242, comm.as_bytes()));
        assert_eq!((stat.threads, stat.start_time, stat.cpu_ticks, stat.state), (7, 987_654, 100, b'S'));
        assert!(!stat.kernel_thread);
    }

    #[test]
    fn any_name_a_process_can_give_itself() {
        check_comm("bash");
        check_comm("tmux: server");
        check_comm("(sd-pam)");
        check_comm(") R 1 2 3 (");
        check_comm("a\nb");
        check_comm("");
    }

    #[test]
    fn a_kernel_thread_is_told_by_its_flags() {
        let text = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 4 0 0 20 0 1 0 25 0 0";
        assert!(parse(text).unwrap().kernel_thread);
    }

    #[test]
    fn what_is_not_a_stat_line_gives_nothing() {
        for text in ["", "1", "1 (a", "1 )a( S", "1 (a) S 1 2", "x (a) S 0 0 0 0 -1 0 0 0 0 0 0 4 0 0 20 0 1 0 25"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
