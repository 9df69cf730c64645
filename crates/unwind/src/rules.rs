//! The numbers of rules: the same rule has the same number in all files.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use crate::rule::Rule;

/// Slots of the table of rules asked for lately; a power of two.
const RECENT: usize = 1024;
/// Rules that have a number at most: what 16 bits tell apart.
const MOST: usize = 1 << 16;

/// A dictionary of rules. Number 0 is [`Rule::Unknown`].
#[derive(Debug)]
pub struct Rules {
    by_rule: HashMap<Rule, u16>,
    list: Vec<Rule>,
    recent: Vec<(Rule, u16)>,
    refused: u64,
    most: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            by_rule: HashMap::from([(Rule::Unknown, 0)]),
            list: vec![Rule::Unknown],
            recent: vec![(Rule::Unknown, 0); RECENT],
            refused: 0,
            most: MOST,
        }
    }
}

impl Rules {
    /// Numbers so many more rules at most from now on, so that no file takes the numbers of all others.
    pub fn allow(&mut self, more: usize) {
        self.most = self.list.len().saturating_add(more).min(MOST);
    }

    /// Forgets all numbers, but not how often there was none.
    pub fn begin_anew(&mut self) {
        *self = Self { refused: self.refused, ..Self::default() };
    }

    /// How many more rules can have a number.
    pub fn left(&self) -> usize {
        MOST - self.list.len()
    }

    /// The number of a rule; 0 for a new one when all numbers are taken.
    #[inline]
    pub fn number(&mut self, rule: Rule) -> u16 {
        let slot = self.slot(&rule);
        let (recent, number) = self.recent[slot];
        if recent == rule {
            return number;
        }
        let number = match self.by_rule.get(&rule) {
            Some(number) => *number,
            None if self.list.len() >= self.most => {
                self.refused += 1;
                return 0;
            }
            None => {
                let number = self.list.len() as u16;
                self.list.push(rule);
                self.by_rule.insert(rule, number);
                number
            }
        };
        self.recent[slot] = (rule, number);
        number
    }

    /// The rules by number. It only grows, until all are forgotten.
    pub fn list(&self) -> &[Rule] {
        &self.list
    }

    /// How often a rule got no number.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// A cheap mix of what differs between frames; any other rule goes through the hasher.
    fn slot(&self, rule: &Rule) -> usize {
        use crate::rule::{Cfa, SavedFp};
        let mixed = match rule {
            Rule::Frame(frame) => {
                let cfa = match frame.cfa {
                    Cfa::Register(register, offset) => (offset as u64) << 5 | u64::from(register.number()),
                    _ => return self.by_rule.hasher().hash_one(rule) as usize & (RECENT - 1),
                };
                let fp = match frame.fp {
                    SavedFp::Same => 0,
                    SavedFp::AtCfa(offset) | SavedFp::At(_, offset) => (offset as u64) << 1 | 1,
                    SavedFp::In(register) => u64::from(register.number()) << 8 | 3,
                    SavedFp::Lost => 2,
                };
                cfa << 20 ^ fp
            }
            Rule::Unknown => 1,
            Rule::Outermost => 2,
            Rule::Signal => 3,
            Rule::FramePointer => 4,
            Rule::Absent => 5,
            Rule::OtherStack => 6,
            Rule::Awaited => 7,
        };
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (RECENT - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Cfa, Frame, Register};

    #[test]
    fn a_rule_keeps_its_number() {
        let mut rules = Rules::default();
        let rule = |offset| Rule::Frame(Frame { cfa: Cfa::Register(Register::RSP, offset), ..Frame::ENTRY });
        assert_eq!(rules.number(Rule::Unknown), 0);
        for offset in 0..5000 {
            assert_eq!(rules.number(rule(offset)), offset as u16 + 1);
        }
        for offset in (0..5000).rev() {
            assert_eq!(rules.number(rule(offset)), offset as u16 + 1);
            assert_eq!(rules.list()[offset as usize + 1], rule(offset));
        }
    }

    #[test]
    fn when_all_numbers_are_taken_new_rules_are_unknown() {
        let mut rules = Rules::default();
        let rule = |offset| Rule::Frame(Frame { cfa: Cfa::Deref(Register::RBP, offset), ..Frame::ENTRY });
        let last = (0..MOST as i32 + 10).map(|offset| rules.number(rule(offset))).last();
        assert_eq!((last, rules.list().len(), rules.refused()), (Some(0), MOST, 11));
        assert_eq!(rules.number(rule(5)), 6);
    }

    #[test]
    fn one_file_takes_no_more_numbers_than_it_may() {
        let mut rules = Rules::default();
        let rule = |offset| Rule::Frame(Frame { cfa: Cfa::Deref(Register::RBP, offset), ..Frame::ENTRY });
        rules.allow(2);
        assert_eq!([1, 2, 3, 1].map(|offset| rules.number(rule(offset))), [1, 2, 0, 1]);
        rules.allow(2);
        assert_eq!([3, 2].map(|offset| rules.number(rule(offset))), [3, 2]);
        assert_eq!(rules.refused(), 1);
        rules.begin_anew();
        assert_eq!([3, 2].map(|offset| rules.number(rule(offset))), [1, 2]);
        assert_eq!((rules.refused(), rules.left()), (1, MOST - 3));
    }
}
