//! Numbers: one type for users, three kinds underneath.

use std::{cmp::Ordering, fmt};

use crate::golang::number::format_float;

/// A number. Two of different kinds compare and compute as the larger kind: unsigned < signed < float.
#[derive(Clone, Copy)]
pub enum Number {
    /// 64 bits, signed.
    Int(i64),
    /// 64 bits, unsigned: literals above the signed range, and single bytes.
    Uint(u64),
    /// 64 bits, IEEE 754.
    Float(f64),
}

/// Two numbers brought to one kind.
#[derive(Clone, Copy, Debug)]
pub enum Pair {
    /// Both unsigned.
    Uint(u64, u64),
    /// At least one signed, none a float.
    Int(i64, i64),
    /// At least one a float.
    Float(f64, f64),
}

impl Number {
    /// `int`, `uint` or `float`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Float(_) => "float",
        }
    }

    /// As a signed integer: floats lose their fraction, large unsigned ones wrap.
    pub fn to_i64(self) -> i64 {
        match self {
            Self::Int(int) => int,
            Self::Uint(uint) => uint as i64,
            Self::Float(float) => float as i64,
        }
    }

    /// As an unsigned integer: floats lose their fraction, negative ones wrap.
    pub fn to_u64(self) -> u64 {
        match self {
            Self::Int(int) => int as u64,
            Self::Uint(uint) => uint,
            Self::Float(float) if float < 0.0 => float as i64 as u64,
            Self::Float(float) => float as u64,
        }
    }

    /// As a float.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Uint(uint) => uint as f64,
            Self::Float(float) => float,
        }
    }

    /// Both as the larger kind of the two.
    pub fn promote(self, other: Self) -> Pair {
        match (self, other) {
            (Self::Float(_), _) | (_, Self::Float(_)) => Pair::Float(self.to_f64(), other.to_f64()),
            (Self::Int(_), _) | (_, Self::Int(_)) => Pair::Int(self.to_i64(), other.to_i64()),
            (Self::Uint(a), Self::Uint(b)) => Pair::Uint(a, b),
        }
    }

    /// The same kind and the same bits.
    pub fn is_same(self, other: Self) -> bool {
        self.kind() == other.kind() && self.bits() == other.bits()
    }

    /// The bits, whatever the kind.
    pub(crate) fn bits(self) -> u64 {
        match self {
            Self::Int(int) => int as u64,
            Self::Uint(uint) => uint,
            Self::Float(float) => float.to_bits(),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match self.promote(*other) {
            Pair::Uint(a, b) => a == b,
            Pair::Int(a, b) => a == b,
            Pair::Float(a, b) => a == b,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.promote(*other) {
            Pair::Uint(a, b) => a.partial_cmp(&b),
            Pair::Int(a, b) => a.partial_cmp(&b),
            Pair::Float(a, b) => a.partial_cmp(&b),
        }
    }
}

/// As it converts to a string: integers in decimal, floats in their shortest form without an exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(int) => write!(f, "{int}"),
            Self::Uint(uint) => write!(f, "{uint}"),
            Self::Float(float) => f.write_str(&format_float(*float)),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
