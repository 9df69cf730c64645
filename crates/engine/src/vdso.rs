//! The code that the kernel maps into every process.

use inspect::{Avma, Mapping, Proc, maps::Maps, memory};

/// What our own process has of it: the kernel maps the same image everywhere.
pub(crate) fn own_image() -> Option<Vec<u8>> {
    let mut proc = Proc::open().ok()?;
    let own = std::process::id();
    let vdso = Maps::new(proc.maps(own).ok()?).find(Mapping::is_vdso)?;
    let (start, end) = (vdso.start, vdso.end);
    let mut image = vec![0; usize::try_from(end.0 - start.0).ok()?.min(1 << 20)];
    let read = memory::read(own, Avma(start.0), &mut image).ok()?;
    image.truncate(read);
    Some(image)
}
