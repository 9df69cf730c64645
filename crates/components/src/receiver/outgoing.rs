//! One profile on its way, with its pprof bytes.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use profile::{Labels, Profile};

use crate::metrics::Counter;

/// The largest uncompressed pprof that is put into one push, in bytes. Servers let through 2 MB at once by default.
pub const MAX_PUSH_BYTES: usize = 1_800_000;
/// Where a profile that is too large is split; its parts come out smaller than this.
const SPLIT_BYTES: usize = 1_500_000;
const SPLIT_SAMPLES: usize = 15_000;
/// The fastest, as the Go agents use.
const GZIP_LEVEL: u32 = 1;

/// A profile and, once somebody asked for them, its pprof bytes. A clone, and one under other labels, shares both.
#[derive(Clone)]
pub struct Outgoing {
    profile: Profile,
    pprofs: Arc<OnceLock<Arc<[Pprof]>>>,
    /// Counts the bytes in gzip when they are made.
    bytes: Option<Counter>,
}

/// One pprof message.
#[derive(Clone)]
pub struct Pprof {
    /// The message in gzip.
    pub gzip: Bytes,
    /// Length of the message before gzip, in bytes.
    pub uncompressed: usize,
}

impl Outgoing {
    /// A profile to send.
    pub fn new(profile: Profile) -> Self {
        Self { profile, pprofs: Arc::default(), bytes: None }
    }

    /// The same, whose bytes in gzip are counted once they are made.
    #[must_use]
    pub fn counted(self, bytes: Counter) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Its labels.
    pub fn labels(&self) -> &Labels {
        &self.profile.labels
    }

    /// The same profile under other labels. They are not in the pprof, so its bytes are shared.
    #[must_use]
    pub fn with_labels(&self, labels: Labels) -> Self {
        Self { profile: self.profile.with_labels(labels), ..self.clone() }
    }

    /// The profile as pprof: one message, or several when it is larger than [`MAX_PUSH_BYTES`]. A stack that alone
    /// is larger makes a message that is too.
    ///
    /// Encodes at the first call, which costs milliseconds for a large profile.
    pub fn pprofs(&self) -> Arc<[Pprof]> {
        let pprofs = self.pprofs.get_or_init(|| {
            let pprofs = self.encode();
            if let Some(bytes) = &self.bytes {
                bytes.add(pprofs.iter().map(|pprof| pprof.gzip.len() as u64).sum());
            }
            pprofs
        });
        Arc::clone(pprofs)
    }

    fn encode(&self) -> Arc<[Pprof]> {
        let whole = self.profile.encode();
        if whole.len() <= MAX_PUSH_BYTES {
            return Arc::from([Pprof::new(&whole)]);
        }
        drop(whole);
        let parts = self.profile.split(SPLIT_SAMPLES, SPLIT_BYTES);
        parts.iter().map(|part| Pprof::new(&part.encode())).collect()
    }
}

impl Pprof {
    fn new(message: &[u8]) -> Self {
        Self { gzip: Bytes::from(profile::gzip(message, GZIP_LEVEL)), uncompressed: message.len() }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.profile.fmt(f)
    }
}

impl fmt::Debug for Pprof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pprof of {} bytes, {} in gzip", self.uncompressed, self.gzip.len())
    }
}

#[cfg(test)]
mod tests {
    use profile::{Function, Line, ProfileBuilder, ProfileType};

    use super::*;

    fn profile_of(stacks: u64, name_len: usize) -> Profile {
        let mut builder = ProfileBuilder::new();
        for number in 0..stacks {
            let function = builder.function(&Function::named(format!("{number:0name_len$}")));
            let location = builder.location(None, number, &[Line { function, line: 1 }]);
            builder.add(&[location], 1);
        }
        builder.finish(Labels::empty(), ProfileType::cpu("process_cpu"))
    }

    #[test]
    fn the_bytes_are_made_once_for_all_labels_and_clones() {
        let bytes = Counter::default();
        let outgoing = Outgoing::new(profile_of(3, 8)).counted(bytes.clone());
        let other = outgoing.with_labels([("a", "b")].into_iter().collect());
        let (first, second) = (outgoing.pprofs(), other.clone().pprofs());
        assert_eq!(first[0].gzip.as_ptr(), second[0].gzip.as_ptr());
        assert_eq!(bytes.get(), first[0].gzip.len() as u64);
        assert_eq!(other.labels().to_string(), r#"{a="b"}"#);
    }

    #[test]
    fn a_large_profile_goes_out_in_parts_that_sum_up() {
        let whole = profile_of(4_000, 1_000);
        let pprofs = Outgoing::new(whole.clone()).pprofs();
        assert_eq!(pprofs.len(), 3);
        let parts = pprofs.iter().map(|pprof| {
            assert!(pprof.uncompressed <= MAX_PUSH_BYTES, "{pprof:?}");
            profile::decode(&pprof.gzip).expect("it decodes")
        });
        assert_eq!(parts.map(|part| part.total()).sum::<i64>(), whole.total());
    }
}
