//! `/proc/PID/status`.

/// What we use of `/proc/PID/status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The user who started the process (the real id, not the effective one).
    pub real_uid: Option<u32>,
    /// The process id in the innermost pid namespace it is in: what the process itself calls `getpid()`.
    pub namespace_pid: Option<u32>,
    /// In how many nested pid namespaces the reader can see it, 1 for a process of the reader's own.
    pub namespace_depth: usize,
}

/// Reads the text of `/proc/PID/status`; a line that lacks or is garbled leaves its field empty.
pub fn parse(text: &[u8]) -> Status {
    let mut status = Status::default();
    for line in text.split(|&b| b == b'\n') {
        if let Some(rest) = line.strip_prefix(b"Uid:") {
            status.real_uid = numbers(rest).next();
        } else if let Some(rest) = line.strip_prefix(b"NSpid:") {
            status.namespace_pid = numbers(rest).last();
            status.namespace_depth = numbers(rest).count();
            // NSpid comes after Uid and is the last of what we want; the rest of the page is skipped.
            break;
        }
    }
    status
}

fn numbers(text: &[u8]) -> impl Iterator<Item = u32> {
    text.split(u8::is_ascii_whitespace).filter_map(|word| str::from_utf8(word).ok()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_in_a_container_has_a_pid_of_its_own_there() {
        let text = b"Name:\tjava\nUmask:\t0022\nTgid:\t31337\nUid:\t1000\t0\t0\t0\nGid:\t0\t0\t0\t0\nNStgid:\t31337\t12\t1\nNSpid:\t31337\t12\t1\nThreads:\t4\n";
        assert_eq!(parse(text), Status { real_uid: Some(1000), namespace_pid: Some(1), namespace_depth: 3 });
    }

    #[test]
    fn missing_lines_leave_fields_empty() {
        assert_eq!(parse(b"Name:\tx\nUid:\tbad\n"), Status::default());
    }
}
