//! Reads the two rings in bounded portions.

use std::cell::RefCell;
use std::rc::Rc;

use libbpf_rs::{MapHandle, RingBuffer, RingBufferBuilder};

/// Records copied out in one go. At most this many full-size records are held outside the ring.
const PORTION: usize = 128;

/// Words of records that were copied out: each is its length in bytes, then its bytes in whole words.
type Portion = Rc<RefCell<Vec<u64>>>;

pub(crate) struct Rings {
    ring: RingBuffer<'static>,
    portion: Portion,
}

impl Rings {
    pub(crate) fn new(samples: &MapHandle, process_events: &MapHandle) -> libbpf_rs::Result<Self> {
        let portion = Portion::default();
        let mut builder = RingBufferBuilder::new();
        for map in [samples, process_events] {
            let portion = Rc::clone(&portion);
            builder.add(map, move |record| {
                keep(&mut portion.borrow_mut(), record);
                0
            })?;
        }
        Ok(Self { ring: builder.build()?, portion })
    }

    pub(crate) fn epoll_fd(&self) -> i32 {
        self.ring.epoll_fd()
    }

    /// Hands over all records; returns when the rings are empty.
    pub(crate) fn drain(&self, each: &mut dyn FnMut(&[u8])) {
        loop {
            let read = self.ring.consume_raw_n(PORTION);
            let mut portion = self.portion.borrow_mut();
            records(&portion, each);
            portion.clear();
            if read < PORTION as i32 {
                return;
            }
        }
    }
}

fn keep(portion: &mut Vec<u64>, record: &[u8]) {
    portion.push(record.len() as u64);
    let (words, rest) = record.as_chunks::<8>();
    portion.extend(words.iter().map(|word| u64::from_ne_bytes(*word)));
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        portion.push(u64::from_ne_bytes(last));
    }
}

fn records(mut portion: &[u64], each: &mut dyn FnMut(&[u8])) {
    use zerocopy::IntoBytes as _;
    while let Some((&len, rest)) = portion.split_first() {
        let len = len as usize;
        let (record, next) = rest.split_at(len.div_ceil(8));
        each(&record.as_bytes()[..len]);
        portion = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut portion = Vec::new();
        for record in [&b"12345678"[..], b"", b"abc", b"123456789"] {
            keep(&mut portion, record);
        }
        let mut out = Vec::new();
        records(&portion, &mut |record| out.push(record.to_vec()));
        assert_eq!(out, [&b"12345678"[..], b"", b"abc", b"123456789"]);
    }
}
