//! Walks as the kernel side does: rows of the file, else the frame pointer.

use std::cell::Cell;

use unwind::rule::{Cfa, SavedFp, SavedRa};
use unwind::{Memory, Register, Registers, Rule, Stop};

use super::capture::{Sample, Space};
use super::image::Images;

/// A walk: the addresses, the innermost first.
pub(super) struct Walk {
    pub(super) frames: Vec<u64>,
    /// By which rule the caller of each frame was found.
    pub(super) rules: Vec<Rule>,
    pub(super) end: End,
    /// The walk needed what perf does not capture.
    pub(super) uncaptured: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At a return address or a frame pointer of zero.
    Zero,
    /// A rule, or the want of one.
    Stop(Stop),
    /// The caller would not lie further up.
    Backwards,
    /// An address in no code.
    NotCode,
    /// Too deep.
    Deep,
}

impl End {
    /// Whether the outermost frame was reached.
    pub(super) fn complete(self) -> bool {
        matches!(self, Self::Zero | Self::Stop(Stop::Outermost))
    }
}

/// As deep as the kernel side goes.
const MOST_FRAMES: usize = 8192;

/// Bytes below the stack pointer that nobody overwrites.
const RED_ZONE: u64 = 128;

/// What perf captured, which begins at the stack pointer.
struct Stack<'a> {
    sample: &'a Sample<'a>,
    /// Something below was asked for.
    asked_below: Cell<bool>,
    /// Where the rule at hand finds the frame pointer, by its table.
    popped: Cell<Option<u64>>,
}

impl Memory for Stack<'_> {
    fn word(&self, address: u64) -> Option<u64> {
        let [fp, sp] =
            [Register::RBP, Register::RSP].map(|register| self.sample.general[usize::from(register.number())]);
        if (sp.saturating_sub(RED_ZONE)..sp).contains(&address) {
            // What was popped is still there, and tables go on to say so: then the register has it, too.
            if self.popped.get() == Some(address) {
                return Some(fp);
            }
            self.asked_below.set(true);
        }
        self.sample.word(address)
    }
}

/// Where a rule by the stack pointer finds the saved frame pointer.
fn saved_at(rule: Rule, registers: &Registers) -> Option<u64> {
    let Rule::Frame(frame) = rule else { return None };
    match (frame.cfa, frame.fp) {
        (Cfa::Register(register, offset), SavedFp::AtCfa(at)) => {
            Some(registers.get(register)?.wrapping_add_signed((offset + at).into()))
        }
        _ => None,
    }
}

pub(super) fn walk(sample: &Sample<'_>, space: &Space, images: &mut Images) -> Walk {
    let mut walk = Walk { frames: Vec::new(), rules: Vec::new(), end: End::Deep, uncaptured: false };
    let stack = Stack { sample, asked_below: Cell::new(false), popped: Cell::new(None) };
    let mut registers = Registers { pc: sample.pc, general: sample.general.map(Some) };
    let mut exact = true;
    while walk.frames.len() < MOST_FRAMES {
        let at = registers.pc.wrapping_sub(u64::from(!exact));
        let Some((start, mapping)) = space.find(at) else {
            walk.end = End::NotCode;
            // What was interrupted is a frame wherever it is.
            if walk.frames.is_empty() {
                walk.frames.push(registers.pc);
            }
            break;
        };
        let image = images.get(&mapping.path);
        let rule = image.as_ref().map(|image| images.rule(image, at - start + mapping.offset)).unwrap_or_default();
        walk.frames.push(registers.pc);
        walk.rules.push(rule);
        stack.popped.set(saved_at(rule, &registers));
        match step(&registers, exact, rule, image.is_some(), &stack) {
            Ok(caller) => (exact, registers) = (rule == Rule::Signal, caller),
            Err(end) => {
                walk.end = end;
                break;
            }
        }
    }
    walk.uncaptured = stack.asked_below.get();
    walk
}

fn step(registers: &Registers, exact: bool, rule: Rule, described: bool, stack: &Stack<'_>) -> Result<Registers, End> {
    let known = |register| registers.get(register);
    let rule = match rule {
        Rule::Unknown | Rule::FramePointer => {
            let lost = End::Stop(Stop::NoRule);
            match (known(Register::RBP), known(Register::RSP)) {
                (Some(0), _) => return Err(if described && rule == Rule::Unknown { lost } else { End::Zero }),
                (Some(fp), Some(sp)) if fp >= sp && fp & 7 == 0 => Rule::FramePointer,
                _ => return Err(lost),
            }
        }
        rule => rule,
    };
    let caller = registers.caller(rule, stack).map_err(End::Stop)?;
    if caller.pc == 0 {
        return Err(End::Zero);
    }
    let (Some(above), Some(sp)) = (caller.get(Register::RSP), known(Register::RSP)) else { return Err(End::Backwards) };
    if !matches!(rule, Rule::Signal | Rule::OtherStack) && (above < sp || (above == sp && !exact)) {
        return Err(End::Backwards);
    }
    Ok(caller)
}

/// A rule's kind, for counting.
pub(super) fn kind(rule: Rule) -> &'static str {
    match rule {
        Rule::Unknown => "no rule",
        Rule::Absent => "no room for rules",
        Rule::Awaited => "rules that were not asked for",
        Rule::OtherStack => "another stack",
        Rule::Outermost => "outermost",
        Rule::Signal => "signal",
        Rule::FramePointer => "frame pointer",
        Rule::Frame(frame) => match (frame.cfa, frame.fp, frame.ra) {
            (Cfa::Plt(_), ..) => "linkage table",
            (Cfa::Deref(..) | Cfa::DerefPlus(..), ..) => "aligned frame",
            (_, _, SavedRa::In(_)) => "return address in a register",
            (_, SavedFp::At(..) | SavedFp::In(_) | SavedFp::Lost, _) => "rare frame pointer",
            (Cfa::Register(register, _), ..) if register != Register::RSP && register != Register::RBP => {
                "by another register"
            }
            (_, _, SavedRa::AtCfa(-8)) => "plain",
            _ => "return address elsewhere",
        },
    }
}
