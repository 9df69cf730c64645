//! Letters that are not ASCII, packed as RFC 3492 says, with `_` in place of `-`.

/// Longer identifiers would take long: each letter moves those behind it.
const LONGEST: usize = 1024;

pub(super) fn decode(name: &str) -> Option<String> {
    let (basic, packed) = name.rsplit_once('_').unwrap_or(("", name));
    if name.len() > LONGEST || packed.is_empty() {
        return None;
    }
    let mut letters: Vec<char> = basic.chars().collect();
    let mut digits = packed.bytes();
    let (mut code, mut at, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut first = true;
    while digits.len() > 0 {
        let (mut delta, mut weight) = (0_u32, 1_u32);
        for position in (36_u32..).step_by(36) {
            let digit = match digits.next()? {
                digit @ b'a'..=b'z' => digit - b'a',
                digit @ b'0'..=b'9' => digit - b'0' + 26,
                _ => return None,
            };
            delta = delta.checked_add(u32::from(digit).checked_mul(weight)?)?;
            let threshold = position.saturating_sub(bias).clamp(1, 26);
            if u32::from(digit) < threshold {
                break;
            }
            weight = weight.checked_mul(36 - threshold)?;
        }
        let count = u32::try_from(letters.len()).ok()? + 1;
        at = at.checked_add(delta)?;
        code = code.checked_add(at / count)?;
        at %= count;
        letters.insert(at as usize, char::from_u32(code)?);
        at += 1;
        bias = adapt(delta / if first { 700 } else { 2 }, count);
        first = false;
    }
    Some(letters.into_iter().collect())
}

fn adapt(mut delta: u32, count: u32) -> u32 {
    delta += delta / count;
    let mut steps = 0;
    while delta > 35 * 26 / 2 {
        delta /= 35;
        steps += 36;
    }
    steps + 36 * delta / (delta + 38)
}
