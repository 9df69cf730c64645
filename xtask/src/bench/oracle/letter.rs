//! Walks by the letter of the tables: every register, every expression, as the crate gimli reads them. Slow: asked when two differ.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, EvaluationResult, Expression, LittleEndian, Location,
    Register, RegisterRule, UnwindContext, UnwindExpression, UnwindSection as _, Value,
};

use super::capture::{Sample, Space};
use super::image::{Image, Images};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// How a walk by the letter ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The tables say that the frame has no caller.
    Outermost,
    /// No table describes the code.
    NoTable,
    /// A word or register is not known: not captured, or saved nowhere.
    NotKnown,
}

/// A walk: the addresses, the innermost first.
pub(super) struct Walk {
    pub(super) frames: Vec<u64>,
    pub(super) end: End,
}

/// Registers that a function leaves as they were, by their numbers in DWARF. Source: System V ABI, AMD64 supplement, figure 3.4.
const KEPT: [u16; 6] = [3, 6, 12, 13, 14, 15];
const STACK_POINTER: u16 = 7;
const RETURN_ADDRESS: u16 = 16;
const MOST_FRAMES: usize = 8192;

#[derive(Clone, Copy)]
struct Frame {
    pc: u64,
    /// Not a return address.
    exact: bool,
    general: [Option<u64>; 16],
}

pub(super) fn walk(sample: &Sample<'_>, space: &Space, images: &mut Images) -> Walk {
    let mut frame = Frame { pc: sample.pc, exact: true, general: sample.general.map(Some) };
    let mut walk = Walk { frames: vec![frame.pc], end: End::NotKnown };
    while walk.frames.len() < MOST_FRAMES {
        let at = frame.pc.wrapping_sub(u64::from(!frame.exact));
        let found = space.find(at).and_then(|(start, mapping)| {
            let image = images.get(&mapping.path)?;
            let bias = image.bias(start, mapping.offset)?;
            Some((image, bias))
        });
        let Some((image, bias)) = found else {
            walk.end = End::NoTable;
            break;
        };
        match caller(&frame, &image, at.wrapping_sub(bias), sample) {
            Ok(next) => {
                walk.frames.push(next.pc);
                frame = next;
            }
            Err(end) => {
                walk.end = end;
                break;
            }
        }
    }
    walk
}

/// The caller by the table of an image, of code at this address of the image.
fn caller(frame: &Frame, image: &Image, address: u64, sample: &Sample<'_>) -> Result<Frame, End> {
    let [section, header] = image.exceptions().ok_or(End::NoTable)?;
    let bases = BaseAddresses::default().set_eh_frame(section.0).set_eh_frame_hdr(header.0);
    let eh_frame = EhFrame::new(section.1, LittleEndian);
    let parsed = EhFrameHdr::new(header.1, LittleEndian).parse(&bases, 8).map_err(|_| End::NoTable)?;
    let table = parsed.table().ok_or(End::NoTable)?;
    let fde = table.fde_for_address(&eh_frame, &bases, address, EhFrame::cie_from_offset).map_err(|_| End::NoTable)?;
    let mut context = UnwindContext::new();
    let row = fde.unwind_info_for_address(&eh_frame, &bases, &mut context, address).map_err(|_| End::NoTable)?;
    let known = |register: Register| match register.0 {
        RETURN_ADDRESS => Some(frame.pc),
        number => frame.general.get(usize::from(number)).copied().flatten(),
    };
    let evaluate = |expression: &UnwindExpression<usize>, first: Option<u64>| {
        let expression = expression.get(&eh_frame).ok()?;
        evaluate(expression, fde.cie().encoding(), first, &known, sample)
    };
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            known(*register).map(|value| value.wrapping_add_signed(*offset))
        }
        CfaRule::Expression(expression) => evaluate(expression, None),
    };
    let cfa = cfa.ok_or(End::NotKnown)?;
    let saved = |number: u16| match row.register(Register(number)) {
        Some(RegisterRule::Offset(offset)) => {
            let at = cfa.wrapping_add_signed(offset);
            // What was popped is in its register again; perf captures nothing below the stack pointer.
            if frame.exact && at < sample.general[7] { known(Register(number)) } else { sample.word(at) }
        }
        Some(RegisterRule::ValOffset(offset)) => Some(cfa.wrapping_add_signed(offset)),
        Some(RegisterRule::Register(register)) => known(register),
        Some(RegisterRule::Expression(expression)) => sample.word(evaluate(&expression, Some(cfa))?),
        Some(RegisterRule::ValExpression(expression)) => evaluate(&expression, Some(cfa)),
        Some(RegisterRule::SameValue) => known(Register(number)),
        _ if number == STACK_POINTER => Some(cfa),
        _ if KEPT.contains(&number) => known(Register(number)),
        _ => None,
    };
    if row.register(Register(RETURN_ADDRESS)) == Some(RegisterRule::Undefined) {
        return Err(End::Outermost);
    }
    let pc = saved(RETURN_ADDRESS).ok_or(End::NotKnown)?;
    if pc == 0 {
        return Err(End::Outermost);
    }
    let general = std::array::from_fn(|number| saved(number as u16));
    Ok(Frame { pc, exact: fde.is_signal_trampoline(), general })
}

fn evaluate(
    expression: Expression<Slice<'_>>,
    encoding: gimli::Encoding,
    first: Option<u64>,
    known: &impl Fn(Register) -> Option<u64>,
    sample: &Sample<'_>,
) -> Option<u64> {
    let mut evaluation = expression.evaluation(encoding);
    if let Some(first) = first {
        evaluation.set_initial_value(first);
    }
    let mut state = evaluation.evaluate().ok()?;
    loop {
        state = match state {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresRegister { register, .. } => {
                evaluation.resume_with_register(Value::Generic(known(register)?)).ok()?
            }
            EvaluationResult::RequiresMemory { address, .. } => {
                evaluation.resume_with_memory(Value::Generic(sample.word(address)?)).ok()?
            }
            _ => return None,
        };
    }
    match evaluation.result().first()?.location {
        Location::Address { address } => Some(address),
        _ => None,
    }
}
