//! Operators by their codes.

/// How many operands an operator has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arity {
    /// None that an expression could give: only the name of a function.
    Name,
    One,
    Two,
    Three,
}

/// An operator: its code, how it is written, and its operands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    code: [u8; 2],
    pub(super) text: &'static str,
    pub(super) arity: Arity,
}

const fn operator(code: [u8; 2], text: &'static str, arity: Arity) -> Operator {
    Operator { code, text, arity }
}

/// All of them, sorted by code. Source: the Itanium C++ ABI, 5.1.3.
const OPERATORS: [Operator; 59] = [
    operator(*b"aN", "&=", Arity::Two),
    operator(*b"aS", "=", Arity::Two),
    operator(*b"aa", "&&", Arity::Two),
    operator(*b"ad", "&", Arity::One),
    operator(*b"an", "&", Arity::Two),
    operator(*b"aw", "co_await", Arity::One),
    operator(*b"cl", "()", Arity::Name),
    operator(*b"cm", ",", Arity::Two),
    operator(*b"co", "~", Arity::One),
    operator(*b"dV", "/=", Arity::Two),
    operator(*b"dX", "[...]=", Arity::Three),
    operator(*b"da", "delete[]", Arity::One),
    operator(*b"de", "*", Arity::One),
    operator(*b"di", "=", Arity::Two),
    operator(*b"dl", "delete", Arity::One),
    operator(*b"ds", ".*", Arity::Two),
    operator(*b"dt", ".", Arity::Two),
    operator(*b"dv", "/", Arity::Two),
    operator(*b"dx", "]=", Arity::Two),
    operator(*b"eO", "^=", Arity::Two),
    operator(*b"eo", "^", Arity::Two),
    operator(*b"eq", "==", Arity::Two),
    operator(*b"ge", ">=", Arity::Two),
    operator(*b"gt", ">", Arity::Two),
    operator(*b"ix", "[]", Arity::Two),
    operator(*b"lS", "<<=", Arity::Two),
    operator(*b"le", "<=", Arity::Two),
    operator(*b"ls", "<<", Arity::Two),
    operator(*b"lt", "<", Arity::Two),
    operator(*b"mI", "-=", Arity::Two),
    operator(*b"mL", "*=", Arity::Two),
    operator(*b"mi", "-", Arity::Two),
    operator(*b"ml", "*", Arity::Two),
    operator(*b"mm", "--", Arity::One),
    operator(*b"na", "new[]", Arity::Name),
    operator(*b"ne", "!=", Arity::Two),
    operator(*b"ng", "-", Arity::One),
    operator(*b"nt", "!", Arity::One),
    operator(*b"nw", "new", Arity::Name),
    operator(*b"oR", "|=", Arity::Two),
    operator(*b"oo", "||", Arity::Two),
    operator(*b"or", "|", Arity::Two),
    operator(*b"pL", "+=", Arity::Two),
    operator(*b"pl", "+", Arity::Two),
    operator(*b"pm", "->*", Arity::Two),
    operator(*b"pp", "++", Arity::One),
    operator(*b"ps", "+", Arity::One),
    operator(*b"pt", "->", Arity::Two),
    operator(*b"qu", "?", Arity::Three),
    operator(*b"rM", "%=", Arity::Two),
    operator(*b"rS", ">>=", Arity::Two),
    operator(*b"rm", "%", Arity::Two),
    operator(*b"rs", ">>", Arity::Two),
    operator(*b"ss", "<=>", Arity::Two),
    operator(*b"sz", "sizeof", Arity::One),
    operator(*b"te", "typeid", Arity::One),
    operator(*b"ti", "typeid", Arity::One),
    operator(*b"tw", "throw", Arity::One),
    operator(*b"tr", "throw", Arity::Name),
];

/// The operator of a code.
pub(super) fn find(code: [u8; 2]) -> Option<Operator> {
    OPERATORS.iter().find(|operator| operator.code == code).copied()
}
