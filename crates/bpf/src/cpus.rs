//! Which CPUs are online.

use std::fs;

/// The online CPUs, in order; just CPU 0 where the kernel does not say.
pub(crate) fn online() -> Vec<u32> {
    match fs::read_to_string("/sys/devices/system/cpu/online") {
        Ok(text) => parse(&text),
        Err(_) => vec![0],
    }
}

/// A kernel CPU list such as `0-3,8`. What cannot be read is left out.
fn parse(text: &str) -> Vec<u32> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            cpus.extend(first..=last.min(first.saturating_add(65_535)));
        }
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lists_and_ranges() {
        assert_eq!(parse("0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(parse("0"), [0]);
        assert_eq!(parse("x,2"), [2]);
        assert_eq!(parse(""), [0_u32; 0]);
    }
}
