//! Bytes that are on the heap or in a mapped file, which makes no difference to who reads them.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::mapping::Mapping;

/// Bytes that do not change. A clone is as good, and takes no more memory.
#[derive(Clone)]
pub struct Bytes(Kind);

#[derive(Clone)]
enum Kind {
    Heap(Arc<Vec<u8>>),
    Mapped(Arc<Mapping>, Range<usize>),
}

impl Bytes {
    /// A part of a mapped file. The range lies in it.
    pub(crate) fn mapped(map: &Arc<Mapping>, range: Range<usize>) -> Self {
        Self(Kind::Mapped(Arc::clone(map), range))
    }

    /// True for what is not on the heap.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Kind::Mapped(..))
    }

    /// True once their file was changed since it was mapped: they may be others by now.
    pub(crate) fn have_changed(&self) -> bool {
        matches!(&self.0, Kind::Mapped(map, _) if map.has_changed())
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kind::Heap(bytes) => bytes,
            Kind::Mapped(map, range) => map.get(range.clone()).unwrap_or_default(),
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Kind::Heap(Arc::new(bytes)))
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes{}", self.len(), if self.is_mapped() { ", mapped" } else { "" })
    }
}
