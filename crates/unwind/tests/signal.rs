//! Which frames are the kernel's: those from which a signal handler returns, and no others that only say that their place is
//! exact.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::process::Command;

use elf::Elf;
use pyrope_unwind::span::{Line, SPAN_BITS, search};
use pyrope_unwind::{Cfa, Frame, Output, Register, Rule, Rules, SavedFp, SavedRa, compile};

#[derive(Default)]
struct Kept(HashMap<u64, (usize, Vec<Line>)>);

impl Output for Kept {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        self.0.insert(number, (rows, lines.to_vec()));
    }
}

/// The rules at each place of a file where these bytes stand in its code, so many bytes further on.
fn rules_at(image: &Vec<u8>, code: &[u8], further: u64) -> Vec<Rule> {
    let elf = Elf::parse(image).unwrap().0;
    let (mut rules, mut kept) = (Rules::default(), Kept::default());
    compile(&elf, &mut rules, &mut kept);
    let text = elf.section(".text").unwrap();
    let (start, size) = (text.offset.0 as usize, text.size as usize);
    let found = image[start..start + size].windows(code.len()).enumerate().filter(|(_, bytes)| *bytes == code);
    let rule = |at: usize| {
        let offset = (start + at) as u64 + further;
        let (rows, lines) = &kept.0[&(offset >> SPAN_BITS)];
        rules.list()[usize::from(search(lines, *rows, (offset & 0x3fff) as u32))]
    };
    found.map(|(at, _)| rule(at)).collect()
}

#[test]
fn the_c_library_returns_from_a_handler_by_the_frame_of_the_kernel() {
    let image = std::fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    // mov rax, 15; syscall
    let restore = [0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05];
    assert_eq!(rules_at(&image, &restore, 0), [Rule::Signal]);
}

#[test]
fn a_frame_that_is_only_exact_is_as_its_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let [source, program] = ["exact.s", "exact"].map(|name| folder.path().join(name));
    let code = "
        .globl _start
        _start:
            .cfi_startproc
            .cfi_signal_frame
            .cfi_def_cfa %rbp, 144
            .cfi_rel_offset %rip, 8
            .cfi_rel_offset %rbp, 0
            nop
            nop
            ud2
            .cfi_endproc
    ";
    std::fs::write(&source, code).unwrap();
    let built = Command::new("cc").args(["-nostdlib", "-static", "-o"]).arg(&program).arg(&source).status();
    assert!(built.unwrap().success());
    let image = std::fs::read(&program).unwrap();
    let cfa = Cfa::Register(Register::RBP, 144);
    let frame = Frame { cfa, fp: SavedFp::AtCfa(-144), ra: SavedRa::AtCfa(-136) };
    assert_eq!(rules_at(&image, &[0x90, 0x90, 0x0f, 0x0b], 1), [Rule::Frame(frame)]);
}
