//! Whether a value changed, at a cost that does not grow with it.

use lang::value::Value;

/// Elements that are compared one by one before two values count as different.
const BUDGET: usize = 256;

/// Whether two values are the same: the same allocation, or equal in what can be compared with little work.
///
/// Large lists that are not the same allocation count as different without a look at their elements, so that asking
/// costs the same for ten targets and for ten thousand. A wrong "different" costs one evaluation; there is no wrong
/// "same".
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    let mut budget = BUDGET;
    within(a, b, &mut budget)
}

fn within(a: &Value, b: &Value, budget: &mut usize) -> bool {
    if a.is_same(b) {
        return true;
    }
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && spend(budget, a.len()) && a.iter().zip(b.iter()).all(|(a, b)| within(&a, &b, budget))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && spend(budget, a.len())
                && a.iter().zip(b.iter()).all(|((key, a), (other, b))| key == other && within(a, b, budget))
        }
        (Value::Capsule(a), Value::Capsule(b)) => a.equals(&**b),
        // Numbers of another kind are another value to a component, though `==` holds.
        _ => false,
    }
}

fn spend(budget: &mut usize, cost: usize) -> bool {
    match budget.checked_sub(cost) {
        Some(rest) => {
            *budget = rest;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(count: i32) -> Value {
        Value::array((0..count).map(lang::decode::IntoValue::into_value))
    }

    #[track_caller]
    fn check(a: &Value, b: &Value, expect: bool) {
        assert_eq!(same(a, b), expect);
        assert_eq!(same(b, a), expect);
    }

    #[test]
    fn small_values_are_the_same_when_equal() {
        check(&Value::from("a"), &Value::from("a"), true);
        check(&Value::from("a"), &Value::from("b"), false);
        check(&list(3), &list(3), true);
        check(&list(3), &list(4), false);
        let object = |count| Value::object([("targets", list(count))]);
        check(&object(2), &object(2), true);
        check(&object(2), &object(3), false);
        check(&object(2), &Value::object([("other", list(2))]), false);
        check(&Value::Null, &Value::Bool(false), false);
    }

    #[test]
    fn large_lists_are_the_same_only_when_shared() {
        let large = list(10_000);
        check(&large, &large.clone(), true);
        check(&large, &list(10_000), false);
        check(&Value::array([large.clone()]), &Value::array([large]), true);
    }

    #[test]
    fn nesting_does_not_get_around_the_budget() {
        let wide = || Value::array((0..20).map(|_| list(20)));
        check(&wide(), &wide(), false);
    }
}
