//! A program that does nothing for ever, in the fewest bytes that run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command};

/// Where it is loaded.
const BASE: u32 = 0x40_0000;
/// A jump to itself, in 32-bit and in 64-bit code.
const CODE: [u8; 2] = [0xeb, 0xfe];

/// It while it runs; killed when this drops.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(file: &Path) -> Self {
        Self(Command::new(file).spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It cannot end by itself.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Writes it for one of the two, and says at which address it spins.
pub(crate) fn write(file: &Path, is_64_bit: bool) -> u64 {
    let (header, entry) = if is_64_bit { (64, 56) } else { (52, 32) };
    let (code, end) = (BASE + header + entry, header + entry + CODE.len() as u32);
    let mut image = b"\x7fELF".to_vec();
    image.extend([if is_64_bit { 2 } else { 1 }, 1, 1]);
    image.resize(16, 0);
    let half = |image: &mut Vec<u8>, value: u16| image.extend(value.to_le_bytes());
    let word = |image: &mut Vec<u8>, value: u32| image.extend(value.to_le_bytes());
    // As wide as an address of its class.
    let wide = |image: &mut Vec<u8>, value: u32| {
        image.extend(value.to_le_bytes());
        image.resize(image.len() + if is_64_bit { 4 } else { 0 }, 0);
    };
    let machine = if is_64_bit { 62 } else { 3 };
    for value in [2, machine] {
        half(&mut image, value);
    }
    word(&mut image, 1);
    for value in [code, header, 0] {
        wide(&mut image, value);
    }
    word(&mut image, 0);
    for value in [header, entry, 1, 0, 0, 0] {
        half(&mut image, value as u16);
    }
    // One segment, which is the whole file: to be read and run.
    let (kind, flags, align) = (1, 5, 0x1000);
    word(&mut image, kind);
    if is_64_bit {
        word(&mut image, flags);
    }
    for value in [0, BASE, BASE, end, end] {
        wide(&mut image, value);
    }
    if !is_64_bit {
        word(&mut image, flags);
    }
    wide(&mut image, align);
    image.extend(CODE);
    fs::write(file, image).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    code.into()
}
