use super::*;
use crate::rule::{Cfa, Frame};

/// The distance of the CFA from the stack pointer, byte by byte; a dot where nothing is known.
fn follow(bytes: &[u8], extent: Extent, is_known: bool) -> Option<String> {
    let mut follow = Follow::new(1000);
    let code = Code { bytes, address: 0x1000, extent, is_known };
    let fits = follow.run(code, State::ENTRY);
    let mut text = vec![b'.'; bytes.len()];
    follow.rows(bytes.len(), &mut |start, end, rule| {
        if let Rule::Frame(Frame { cfa: Cfa::Register(_, offset), .. }) = rule {
            text[start..end].fill(b'0' + (offset / 8) as u8);
        }
    });
    fits.then(|| String::from_utf8(text).unwrap())
}

#[track_caller]
fn check(bytes: &[u8], expect: &str) {
    assert_eq!(follow(bytes, Extent::Whole, true).as_deref(), Some(expect));
}

#[test]
fn what_comes_after_a_call_has_the_stack_from_before_it() {
    // push rbx; call; pop rbx; ret
    check(&[0x53, 0xe8, 0, 1, 0, 0, 0x5b, 0xc3], "12222221");
}

#[test]
fn a_call_that_does_not_return_is_known_by_what_follows_it() {
    // test edi, edi; je 13; sub rsp, 8; call; mov eax, 1; ret
    let code = [0x85, 0xff, 0x74, 9, 0x48, 0x83, 0xec, 8, 0xe8, 0, 1, 0, 0, 0xb8, 1, 0, 0, 0, 0xc3];
    check(&code, "1111111122222111111");
}

#[test]
fn a_table_leads_to_what_nothing_else_reaches() {
    // push rbx; jmp rax; nop; pop rbx; ret; xor eax, eax; pop rbx; ret
    let code = [0x53, 0xff, 0xe0, 0x90, 0x5b, 0xc3, 0x31, 0xc0, 0x5b, 0xc3];
    check(&code, "122.212221");
    assert_eq!(follow(&code, Extent::Reached, true).as_deref(), Some("122.212221"));
    // push rbx; jmp rax; mov eax, 1; ret: that is another function.
    let code = [0x53, 0xff, 0xe0, 0xb8, 1, 0, 0, 0, 0xc3];
    assert_eq!(follow(&code, Extent::Reached, true).as_deref(), Some("122......"));
}

#[test]
fn what_may_be_a_function_must_return() {
    let unknown = |code: &[u8]| follow(code, Extent::Reached, false);
    // push rbx; pop rbx; ret
    assert_eq!(unknown(&[0x53, 0x5b, 0xc3]).as_deref(), Some("121"));
    // pop rbx; ret: the end of another.
    assert_eq!(unknown(&[0x5b, 0xc3]), None);
    // sub rsp, 8; call; ud2
    assert_eq!(unknown(&[0x48, 0x83, 0xec, 8, 0xe8, 0, 1, 0, 0, 0x0f, 0x0b]), None);
    // sub rsp, 16; call; add rsp, 16; ret: no compiler calls with such a stack.
    assert_eq!(unknown(&[0x48, 0x83, 0xec, 16, 0xe8, 0, 1, 0, 0, 0x48, 0x83, 0xc4, 16, 0xc3]), None);
}

#[test]
fn where_two_ways_disagree_there_is_no_function() {
    // test edi, edi; je 5; push rbx; ret
    assert_eq!(follow(&[0x85, 0xff, 0x74, 1, 0x53, 0xc3], Extent::Whole, true), None);
    // push rbx; ret
    assert_eq!(follow(&[0x53, 0xc3], Extent::Whole, true), None);
    // 06 is no instruction.
    assert_eq!(follow(&[0x90, 0x06, 0xc3], Extent::Whole, true), None);
}

#[test]
fn a_frame_pointer_made_zero_on_a_stack_without_a_caller_is_the_outermost() {
    // xor ebp, ebp; pop rdi; call; hlt
    let code = [0x31, 0xed, 0x5f, 0xe8, 0, 1, 0, 0, 0xf4];
    let mut follow = Follow::new(1000);
    assert!(follow.run(Code { bytes: &code, address: 0, extent: Extent::Whole, is_known: true }, State::ENTRY));
    let mut rows = Vec::new();
    follow.rows(code.len(), &mut |start, _, rule| rows.push((start, rule)));
    assert_eq!(rows, [(0, State::ENTRY.rule()), (2, Rule::Unknown), (3, Rule::Outermost)]);
}

#[test]
fn work_has_an_end() {
    let mut follow = Follow::new(1000);
    // jmp 0, after a thousand nop
    let mut code = vec![0x90; 1000];
    code.extend([0xe9, 0x13, 0xfc, 0xff, 0xff]);
    let code = Code { bytes: &code, address: 0, extent: Extent::Whole, is_known: true };
    assert!(!follow.run(code, State::ENTRY) && follow.is_spent());
}

proptest::proptest! {
    /// Any bytes, most of them of instructions that matter here.
    #[test]
    fn any_bytes_give_an_answer(
        pieces in proptest::collection::vec((0_usize..16, proptest::prelude::any::<u8>()), 0..200),
        whole: bool,
        is_known: bool,
    ) {
        let mut bytes = vec![0x90];
        for (kind, byte) in pieces {
            let near = byte & 0x3f;
            match kind {
                0 => bytes.extend([0x50 | byte & 7]),
                1 => bytes.extend([0x58 | byte & 7]),
                2 => bytes.extend([0x48, 0x83, 0xec, near & 0x38]),
                3 => bytes.extend([0x48, 0x83, 0xc4, near & 0x38]),
                4 => bytes.extend([0x74, near]),
                5 => bytes.extend([0x75, near | 0xc0]),
                6 => bytes.extend([0xeb, byte]),
                7 => bytes.extend([0xe8, byte, 0, 0, 0]),
                8 => bytes.extend([0xe8, byte, 0xff, 0xff, 0xff]),
                9 => bytes.extend([0xff, 0xe0]),
                10 => bytes.extend([0x48, 0x89, 0xe5]),
                11 => bytes.extend([0xc9]),
                12 => bytes.extend([0x31, 0xed]),
                13 => bytes.extend([0xc3]),
                14 => bytes.extend([0x48, 0x89, 0x6c, 0x24, near]),
                _ => bytes.push(byte),
            }
        }
        let mut follow = Follow::new(50_000);
        let extent = if whole { Extent::Whole } else { Extent::Reached };
        let code = Code { bytes: &bytes, address: 0x1000, extent, is_known };
        if follow.run(code, State::ENTRY) {
            let mut at = 0;
            follow.rows(follow.reached(code), &mut |start, end, _| {
                assert!(at <= start && start < end && end <= bytes.len());
                at = end;
            });
            follow.beyond(0).for_each(|(place, _)| assert!(place < bytes.len()));
        }
    }
}
