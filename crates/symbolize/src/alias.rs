//! Which of several names for one address to show.

use std::cmp::Ordering;

/// Orders names of one address, the one to show first: fewest leading underscores, then shortest, then by the alphabet.
///
/// `malloc` comes before `__libc_malloc`, a complete constructor (`C1`) before its base constructor (`C2`). How strongly a
/// name is bound is compared before this is asked.
pub(crate) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let underscores = |name: &[u8]| name.iter().take_while(|&&byte| byte == b'_').count();
    underscores(a).cmp(&underscores(b)).then_with(|| a.len().cmp(&b.len())).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plainest_name_comes_first() {
        for (first, second) in [
            ("malloc", "__libc_malloc"),
            ("read", "__read"),
            ("_Z1fv", "__Z"),
            ("ab", "abc"),
            ("_ZN1AC1Ev", "_ZN1AC2Ev"),
        ] {
            assert_eq!(compare(first.as_bytes(), second.as_bytes()), Ordering::Less, "{first} {second}");
        }
    }
}
