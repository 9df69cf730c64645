//! Each instruction of real files has the rule that gimli finds for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, HashMap};
use std::fs;

use elf::{Elf, Svma};
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EndianSlice, LittleEndian, RegisterRule, UnwindContext, UnwindSection as _,
};
use object::{Object as _, ObjectSection as _};
use pyrope_unwind::span::{Line, SPAN_BITS, search};
use pyrope_unwind::{Cfa, Frame, Memory, Output, Register, Registers, Rule, Rules, Stop, compile};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

#[derive(Default)]
struct Kept(HashMap<u64, (usize, Vec<Line>)>);

impl Output for Kept {
    fn span(&mut self, number: u64, rows: usize, lines: &[Line]) {
        self.0.insert(number, (rows, lines.to_vec()));
    }
}

/// Memory in which each word is told by its address.
struct Told;

impl Memory for Told {
    fn word(&self, address: u64) -> Option<u64> {
        Some(address.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17))
    }
}

fn registers(pc: u64) -> Registers {
    Registers { pc, general: std::array::from_fn(|at| Some(0x7fff_0000_0000 + at as u64 * 0x10_0000)) }
}

/// What gimli makes of a row: the caller's instruction, stack and frame pointer; `None` where a row of ours could not say it.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Outermost,
    Caller { pc: u64, sp: u64, fp: Option<u64> },
}

fn evaluate(
    expression: gimli::Expression<Slice<'_>>,
    registers: &Registers,
    encoding: gimli::Encoding,
    cfa: Option<u64>,
) -> u64 {
    let mut evaluation = expression.evaluation(encoding);
    if let Some(cfa) = cfa {
        evaluation.set_initial_value(cfa);
    }
    let mut result = evaluation.evaluate().unwrap();
    loop {
        result = match result {
            gimli::EvaluationResult::Complete => break,
            gimli::EvaluationResult::RequiresRegister { register, .. } => {
                let value =
                    if register.0 == 16 { registers.pc } else { registers.general[usize::from(register.0)].unwrap() };
                evaluation.resume_with_register(gimli::Value::Generic(value)).unwrap()
            }
            gimli::EvaluationResult::RequiresMemory { address, .. } => {
                evaluation.resume_with_memory(gimli::Value::Generic(Told.word(address).unwrap())).unwrap()
            }
            other => panic!("{other:?}"),
        };
    }
    match evaluation.result()[0].location {
        gimli::Location::Address { address } => address,
        ref other => panic!("{other:?}"),
    }
}

fn expected(
    row: &gimli::UnwindTableRow<usize>,
    section: &EhFrame<Slice<'_>>,
    encoding: gimli::Encoding,
    registers: &Registers,
) -> Expected {
    let general = |register: gimli::Register| registers.general[usize::from(register.0)].unwrap();
    let compute = |expression: &gimli::UnwindExpression<usize>, cfa| {
        evaluate(expression.get(section).unwrap(), registers, encoding, cfa)
    };
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => general(*register).wrapping_add_signed(*offset),
        CfaRule::Expression(expression) => compute(expression, None),
    };
    let value = |register, same: Option<u64>| match row.register(gimli::Register(register)) {
        // What no instruction speaks of keeps its value.
        None | Some(RegisterRule::SameValue) => same,
        Some(RegisterRule::Undefined) => None,
        Some(RegisterRule::Offset(offset)) => Told.word(cfa.wrapping_add_signed(offset)),
        Some(RegisterRule::ValOffset(offset)) => Some(cfa.wrapping_add_signed(offset)),
        Some(RegisterRule::Register(other)) => Some(general(other)),
        Some(RegisterRule::Expression(expression)) => Told.word(compute(&expression, Some(cfa))),
        Some(RegisterRule::ValExpression(expression)) => Some(compute(&expression, Some(cfa))),
        other => panic!("{other:?}"),
    };
    if row.register(gimli::Register(16)) == Some(RegisterRule::Undefined) {
        return Expected::Outermost;
    }
    let fp = value(6, registers.general[6]);
    Expected::Caller { pc: value(16, None).unwrap(), sp: cfa, fp }
}

/// Whether it is the rule of who has called, which takes from its callee's frame what gimli takes from a register.
fn is_called(rule: &Rule) -> bool {
    matches!(rule, Rule::Frame(Frame { cfa: Cfa::DerefPlus(Register::RSP, ..0, _), .. }))
}

#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    signal: u64,
    called: u64,
    /// Entries that gimli refuses from some place on.
    refused: u64,
    /// No rule of ours can say it: how often, by what gimli said.
    unknown: BTreeMap<String, u64>,
}

/// Compares a file; `None` if it has no table.
fn compare(path: &str) -> Option<Tally> {
    let bytes = fs::read(path).ok()?;
    let file = object::File::parse(bytes.as_slice()).unwrap();
    let section = file.section_by_name(".eh_frame")?;
    let text = file.section_by_name(".text").map_or(0, |text| text.address());
    let mut frames = EhFrame::new(section.data().unwrap(), LittleEndian);
    frames.set_address_size(8);
    let bases = BaseAddresses::default().set_eh_frame(section.address()).set_text(text);

    let (elf, _) = Elf::parse(&bytes).unwrap();
    let (mut rules, mut kept) = (Rules::default(), Kept::default());
    let summary = compile(&elf, &mut rules, &mut kept);
    assert_eq!(summary.malformed, 0, "{path}");
    let rule_at = |address: u64| {
        let offset = elf.file_offset(Svma(address)).unwrap().0;
        let number = kept
            .0
            .get(&(offset >> SPAN_BITS))
            .map_or(0, |(rows, lines)| search(lines, *rows, (offset & 0x3fff) as u32));
        rules.list()[usize::from(number)]
    };

    let mut tally = Tally::default();
    let mut context = UnwindContext::new();
    let mut entries = frames.entries(&bases);
    while let Some(entry) = entries.next().unwrap() {
        let gimli::CieOrFde::Fde(partial) = entry else { continue };
        let fde = partial.parse(gimli::EhFrame::cie_from_offset).unwrap();
        if fde.len() == 0 || fde.initial_address() == 0 {
            continue;
        }
        let encoding = fde.cie().encoding();
        let mut table = fde.rows(&frames, &bases, &mut context).unwrap();
        loop {
            let row = match table.next_row() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                // It wants the register and the distance of a CFA given together after an expression; the C library does not.
                Err(gimli::Error::CfiInstructionInInvalidContext) => {
                    tally.refused += 1;
                    break;
                }
                Err(error) => panic!("{path}: {error}"),
            };
            if row.start_address() >= row.end_address() {
                continue;
            }
            for address in [row.start_address(), row.end_address() - 1] {
                // Some linkers leave entries of code that they left out.
                if elf.file_offset(Svma(address)).is_none() {
                    continue;
                }
                tally.rows += 1;
                let rule = rule_at(address);
                if fde.is_signal_trampoline() && rule == Rule::Signal {
                    tally.signal += 1;
                    continue;
                }
                // Who stands within a call has called: the register by which gimli finds the frame is where its callee put it.
                if is_called(&rule) {
                    tally.called += 1;
                    continue;
                }
                let registers = registers(address);
                let expected = expected(row, &frames, encoding, &registers);
                let ours = match registers.caller(rule, &Told) {
                    Ok(caller) => Expected::Caller {
                        pc: caller.pc,
                        sp: caller.get(Register::RSP).unwrap(),
                        fp: caller.get(Register::RBP),
                    },
                    Err(Stop::Outermost) => Expected::Outermost,
                    Err(_) => {
                        *tally.unknown.entry(format!("{:?}", row.cfa())).or_default() += 1;
                        continue;
                    }
                };
                assert_eq!(ours, expected, "{path} at {address:#x}: {rule:?}");
            }
        }
    }
    Some(tally)
}

#[test]
fn each_row_of_the_machines_binaries_is_that_of_gimli() {
    let own = std::env::current_exe().unwrap();
    let mut files = vec![own.to_str().unwrap().to_owned()];
    for folder in ["/usr/lib/x86_64-linux-gnu", "/usr/bin", "/lib64"] {
        let list = fs::read_dir(folder).into_iter().flatten().flatten();
        files.extend(
            list.filter(|file| file.metadata().is_ok_and(|data| data.is_file()))
                .map(|file| file.path().display().to_string()),
        );
    }
    let most = std::env::var("UNWIND_FILES").ok().and_then(|most| most.parse().ok()).unwrap_or(60);
    files.retain(|file| {
        fs::File::open(file).is_ok_and(|file| {
            let mut magic = [0; 4];
            std::io::Read::read_exact(&mut &file, &mut magic).is_ok() && magic == *b"\x7fELF"
        })
    });
    let mut all = Tally::default();
    let mut compared = 0;
    for file in files.iter().take(most) {
        let Some(tally) = compare(file) else { continue };
        compared += 1;
        all.rows += tally.rows;
        all.signal += tally.signal;
        all.called += tally.called;
        all.refused += tally.refused;
        for (said, count) in tally.unknown {
            *all.unknown.entry(said).or_default() += count;
        }
    }
    let unknown: u64 = all.unknown.values().sum();
    println!(
        "{compared} files, {} places, {} in signal frames, {} in calls, {} entries refused by gimli, {unknown} without a rule: {:?}",
        all.rows, all.signal, all.called, all.refused, all.unknown
    );
    assert!(compared > 10 && all.rows > 50_000);
    assert!(unknown * 100_000 <= all.rows, "{:?}", all.unknown);
}
