use std::collections::HashMap;

mod shapes {
    pub struct Square<T>(pub T);

    impl<T: Copy + std::ops::Mul<Output = T>> Square<T> {
        #[inline(always)]
        pub fn area(&self) -> T {
            self.0 * self.0
        }
    }
}

#[inline(never)]
fn count(text: &str) -> HashMap<char, usize> {
    let mut counts = HashMap::new();
    text.chars().filter(|letter| letter.is_alphabetic()).for_each(|letter| *counts.entry(letter).or_default() += 1);
    counts
}

#[inline(never)]
fn total(squares: &[shapes::Square<u64>]) -> u64 {
    squares.iter().map(shapes::Square::area).sum()
}

fn main() {
    let squares: Vec<_> = (0..std::env::args().count() as u64 + 3).map(shapes::Square).collect();
    println!("{} {:?}", total(&squares), count("inlined").len());
}
