//! What a sample says of its thread, beside its stack.

use std::sync::Arc;

use profile::{SampleLabel, SampleLabelValue};

/// The name of a thread as the kernel keeps it, up to the first NUL; empty where it was not read.
pub(crate) type Comm = [u8; 16];

/// What tells samples of one stack apart, as far as somebody wants to know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Thread {
    /// Its name; empty where that does not matter.
    pub(crate) comm: Comm,
    /// The id of its process; 0 where that does not matter.
    pub(crate) pid: u32,
}

impl Thread {
    /// Its name, if it has one.
    pub(crate) fn name(&self) -> Option<Arc<str>> {
        let name = self.comm.split(|byte| *byte == 0).next().filter(|name| !name.is_empty())?;
        Some(Arc::from(&*String::from_utf8_lossy(name)))
    }

    /// The labels of its samples, with its name or without.
    pub(crate) fn labels(&self, with_name: bool) -> Vec<SampleLabel> {
        let label = |key: &str, value| SampleLabel { key: Arc::from(key), value: SampleLabelValue::Text(value) };
        let name = self.name().filter(|_| with_name).map(|name| label("comm", name));
        let pid = (self.pid != 0).then(|| label("pid", Arc::from(&*self.pid.to_string())));
        name.into_iter().chain(pid).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(comm: &[u8], pid: u32) -> Thread {
        let mut thread = Thread { pid, ..Thread::default() };
        thread.comm[..comm.len()].copy_from_slice(comm);
        thread
    }

    #[track_caller]
    fn check(thread: Thread, with_name: bool, expect: &[(&str, &str)]) {
        let labels = thread.labels(with_name);
        let labels = labels.iter().map(|label| match &label.value {
            SampleLabelValue::Text(text) => (&*label.key, &**text),
            SampleLabelValue::Number(..) => panic!("a number"),
        });
        assert_eq!(labels.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn labels_are_what_is_known_and_wanted() {
        check(thread(b"main\0x", 7), true, &[("comm", "main"), ("pid", "7")]);
        check(thread(b"main", 7), false, &[("pid", "7")]);
        check(thread(b"kworker/0:1-even", 0), true, &[("comm", "kworker/0:1-even")]);
        check(thread(b"\xffoo", 0), true, &[("comm", "\u{fffd}oo")]);
        check(thread(b"", 0), true, &[]);
    }
}
