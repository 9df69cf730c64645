//! Steps through a program and compares.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use iced_x86::{Decoder, DecoderOptions, Mnemonic};
use pyrope_unwind::{Memory as _, Register, Registers, Rule, Stop};

use crate::files::Files;
use crate::shadow::{Call, Shadow};
use crate::tracee::{Stepped, Tracee};

/// What was seen.
#[derive(Default, Debug)]
pub(crate) struct Seen {
    /// Instructions that were executed.
    pub(crate) steps: u64,
    /// Of those, the ones at which a caller was known and our rule named it.
    pub(crate) right: u64,
    /// No caller was known, and our rule named one, or none; by the function.
    pub(crate) unknown: u64,
    /// A caller was known and we had no rule; how often, by place.
    pub(crate) without: BTreeMap<String, u64>,
    /// Our rule named another caller; how often, by place and what was wrong.
    pub(crate) wrong: BTreeMap<String, u64>,
    /// Of those that are right, the ones whose rule is an unusual one.
    pub(crate) unusual: BTreeMap<String, u64>,
    /// How walks up the whole stack ended.
    pub(crate) ends: BTreeMap<String, u64>,
    pub(crate) code: i32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Call,
    Return,
    Other,
}

pub(crate) struct Settings<'a> {
    pub(crate) arguments: &'a [&'a str],
    /// Whether the program itself says where to begin.
    pub(crate) from_trap: bool,
    /// Instructions that are executed at most.
    pub(crate) most: u64,
    /// Whether places in this file alone count.
    pub(crate) only: Option<&'a str>,
    /// Whether stacks are small and lie side by side, and their frames may be moved to larger ones.
    pub(crate) stacks_move: bool,
    /// Every so many steps the whole stack is walked.
    pub(crate) walk: u64,
    /// Whether a place may have no rule.
    pub(crate) may_be_unknown: bool,
}

pub(crate) fn run(program: &Path, settings: &Settings<'_>) -> Seen {
    let tracee = Tracee::start(program, settings.arguments);
    if settings.from_trap {
        tracee.run_to_trap();
    }
    let mut files = Files::of(tracee.pid());
    let (mut shadow, mut seen) = (Shadow::default(), Seen::default());
    let mut kinds: HashMap<u64, (Kind, u64)> = HashMap::new();
    let mut interrupted: Vec<Registers> = Vec::new();
    let mut signal = None;
    let mut registers = tracee.registers();
    while seen.steps < settings.most {
        let pc = registers.pc;
        let sp = registers.get(Register::RSP).unwrap();
        let place = files.place(pc);
        let counts = settings.only.is_none_or(|only| place.as_ref().is_some_and(|(path, _)| path.ends_with(only)));
        if counts {
            compare(&tracee, &mut files, &shadow, &registers, interrupted.last(), settings, &mut seen);
            if settings.walk > 0 && seen.steps % settings.walk == 0 {
                let end = walk(&tracee, &mut files, &registers);
                *seen.ends.entry(end).or_default() += 1;
            }
        }
        let (kind, length) = *kinds.entry(pc).or_insert_with(|| kind(&tracee, pc));
        seen.steps += 1;
        match tracee.step(signal.take()) {
            Stepped::On => {}
            Stepped::Ended(code) => {
                seen.code = code;
                return seen;
            }
            Stepped::Signal(which) => {
                // The next step enters the handler, whose first instruction is where we stop then.
                let before = tracee.registers();
                signal = Some(which);
                match tracee.step(signal.take()) {
                    Stepped::On => {}
                    _ => return seen,
                }
                registers = tracee.registers();
                let place = registers.get(Register::RSP).unwrap();
                let fp = before.get(Register::RBP).unwrap();
                if let Some(to) = tracee.word(place).filter(|_| registers.pc != before.pc) {
                    shadow.call(place, Call { to, fp });
                    interrupted.push(before);
                }
                continue;
            }
        }
        let after = tracee.registers();
        let new = after.get(Register::RSP).unwrap();
        match kind {
            // A call of the next instruction asks for its address.
            Kind::Call if new == sp.wrapping_sub(8) && after.pc != pc + length => {
                let fp = registers.get(Register::RBP).unwrap();
                shadow.call(new, Call { to: pc + length, fp });
            }
            Kind::Return => {
                shadow.returned(sp);
                shadow.moved(sp, new, settings.stacks_move);
            }
            _ => shadow.moved(sp, new, settings.stacks_move),
        }
        if interrupted.last().is_some_and(|before| before.pc == after.pc && before.general == after.general) {
            interrupted.pop();
        }
        registers = after;
    }
    seen
}

fn kind(tracee: &Tracee, pc: u64) -> (Kind, u64) {
    let mut bytes = [0; 16];
    let count = tracee.bytes(pc, &mut bytes);
    let instruction = Decoder::with_ip(64, &bytes[..count], pc, DecoderOptions::NONE).decode();
    let kind = match instruction.mnemonic() {
        Mnemonic::Call => Kind::Call,
        Mnemonic::Ret => Kind::Return,
        _ => Kind::Other,
    };
    (kind, instruction.len() as u64)
}

fn compare(
    tracee: &Tracee,
    files: &mut Files,
    shadow: &Shadow,
    registers: &Registers,
    interrupted: Option<&Registers>,
    settings: &Settings<'_>,
    seen: &mut Seen,
) {
    let pc = registers.pc;
    let Some(rule) = files.rule(pc) else { return };
    let wrong = |what: String, files: &mut Files, seen: &mut Seen| {
        let (path, offset) = files.place(pc).unwrap();
        let name = path.rsplit('/').next().unwrap();
        *seen.wrong.entry(format!("{name}+{offset:#x} {rule:?}: {what}")).or_default() += 1;
    };
    let is_there = |place, call: Call| tracee.word(place) == Some(call.to);
    let sp = registers.get(Register::RSP).unwrap();
    let expected = shadow.innermost(sp, is_there);
    match registers.caller(rule, tracee) {
        Ok(caller) if rule == Rule::Signal => {
            let Some(before) = interrupted else { return seen.unknown += 1 };
            if (caller.pc, caller.general) == (before.pc, before.general) {
                seen.right += 1;
                *seen.unusual.entry(format!("{rule:?}")).or_default() += 1;
            } else {
                wrong(format!("not the interrupted registers: {caller:x?} {before:x?}"), files, seen);
            }
        }
        Ok(caller) => {
            let place = caller.get(Register::RSP).unwrap().wrapping_sub(8);
            let expected = if rule == Rule::OtherStack {
                shadow.at(place).map(|call| (place, call)).filter(|(place, call)| is_there(*place, *call))
            } else {
                expected
            };
            let Some((at, call)) = expected else { return seen.unknown += 1 };
            let fp = caller.get(Register::RBP);
            if at > place && settings.stacks_move {
                // The frames lie where no call has made them.
                seen.unknown += 1;
            } else if at != place {
                wrong("another frame".to_string(), files, seen);
            } else if caller.pc != call.to {
                wrong("another caller".to_string(), files, seen);
            } else if fp.is_some() && fp != Some(call.fp) {
                wrong("another frame pointer".to_string(), files, seen);
            } else {
                seen.right += 1;
                if !matches!(rule, Rule::Frame(_)) {
                    *seen.unusual.entry(format!("{rule:?}")).or_default() += 1;
                }
            }
        }
        Err(Stop::Outermost) => seen.unknown += 1,
        Err(Stop::NoRule) if settings.may_be_unknown => {
            seen.unknown += 1;
            let (path, offset) = files.place(pc).unwrap();
            let name = path.rsplit('/').next().unwrap();
            *seen.without.entry(format!("{name}+{offset:#x}")).or_default() += 1;
        }
        Err(stop) if expected.is_none() => {
            _ = stop;
            seen.unknown += 1;
        }
        Err(stop) => wrong(format!("{stop:?}"), files, seen),
    }
}

/// How a walk up the whole stack ends.
fn walk(tracee: &Tracee, files: &mut Files, registers: &Registers) -> String {
    let (mut now, mut exact) = (*registers, true);
    let mut last = String::new();
    for depth in 0..200 {
        let at = now.pc - u64::from(!exact);
        let Some((path, offset)) = files.place(at) else { return format!("no code after {last}") };
        last = format!("{}+{offset:#x}", path.rsplit('/').next().unwrap());
        let Some(rule) = files.rule(at) else { return format!("no file, depth {depth}") };
        match now.caller(rule, tracee) {
            Err(Stop::Outermost) => return "outermost".to_owned(),
            Err(stop) => return format!("{stop:?} at {last}"),
            Ok(caller) if caller.pc == 0 => return "root".to_owned(),
            Ok(_) if matches!(rule, Rule::OtherStack) && now.get(Register::RBP) == Some(0) => return "root".to_owned(),
            Ok(caller) => {
                exact = rule == Rule::Signal;
                now = caller;
            }
        }
    }
    "deep".to_owned()
}
