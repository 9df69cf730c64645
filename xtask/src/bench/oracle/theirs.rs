//! Walks by framehop.

use std::collections::HashMap;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{Error, Module, Unwinder as _};

use super::capture::{Sample, Space};
use super::image::{Bytes, Images};

/// A walk: the addresses, the innermost first, and whether the outermost frame was reached.
pub(super) struct Walk {
    pub(super) frames: Vec<u64>,
    pub(super) error: Option<Error>,
}

/// Unwinders by process.
#[derive(Default)]
pub(super) struct Unwinders(HashMap<i32, (u64, UnwinderX86_64<Bytes>)>);

impl Unwinders {
    pub(super) fn walk(&mut self, sample: &Sample<'_>, space: &Space, images: &mut Images) -> Walk {
        if self.0.get(&sample.pid).is_none_or(|(version, _)| *version != space.version) {
            self.0.insert(sample.pid, (space.version, unwinder(space, images)));
        }
        let mut walk = Walk { frames: Vec::new(), error: None };
        let Some((_, unwinder)) = self.0.get(&sample.pid) else { return walk };
        let registers = UnwindRegsX86_64::new(sample.pc, sample.general[7], sample.general[6]);
        // Its cache knows rules by the address alone: one that lived longer would mix processes.
        let mut cache = CacheX86_64::<_>::new();
        let mut read = |address| sample.word(address).ok_or(());
        let mut frames = unwinder.iter_frames(sample.pc, registers, &mut cache, &mut read);
        loop {
            match frames.next() {
                Ok(Some(frame)) => walk.frames.push(frame.address()),
                Ok(None) => return walk,
                Err(error) => {
                    walk.error = Some(error);
                    return walk;
                }
            }
        }
    }
}

fn unwinder(space: &Space, images: &mut Images) -> UnwinderX86_64<Bytes> {
    let mut unwinder = UnwinderX86_64::new();
    for (start, mapping) in space.mappings() {
        let Some(image) = images.get(&mapping.path) else { continue };
        let Some(bias) = image.bias(start, mapping.offset) else { continue };
        unwinder.add_module(Module::new(mapping.path.clone(), start..mapping.end, bias, image.sections()));
    }
    unwinder
}
