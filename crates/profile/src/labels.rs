//! The label set of a series: immutable, sorted by name, shared.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One name and its value.
type Pair = (Arc<str>, Arc<str>);

/// A set of `(name, value)` pairs, sorted by name in byte order, each name once.
///
/// An empty value means that the label is absent, as in Prometheus, so it is never kept. A clone costs a counter.
#[derive(Clone)]
pub struct Labels(Arc<[Pair]>);

impl Labels {
    /// The set without labels.
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// The value of `name`, or `None` when the set lacks it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.position(name).ok().map(|at| &*self.0[at].1)
    }

    /// The same set with `name` set to `value`; an empty `value` removes it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            return self.without(name);
        }
        let mut pairs = self.0.to_vec();
        match self.position(name) {
            Ok(at) => pairs[at].1 = Arc::from(value),
            Err(at) => pairs.insert(at, (Arc::from(name), Arc::from(value))),
        }
        Self(Arc::from(pairs))
    }

    /// The same set lacking `name`.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        match self.position(name) {
            Err(_) => self.clone(),
            Ok(at) => {
                let mut pairs = self.0.to_vec();
                pairs.remove(at);
                Self(Arc::from(pairs))
            }
        }
    }

    /// The labels whose name passes `keep`.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        self.0.iter().filter(|(name, _)| keep(name)).cloned().collect()
    }

    /// Name and value in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(have, _)| (**have).cmp(name))
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Of several pairs with the same name the last one counts.
impl<N: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut pairs: Vec<Pair> = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, first| later.0 == first.0);
        pairs.retain(|(_, value)| !value.is_empty());
        Self(Arc::from(pairs))
    }
}

/// `{a="b", c="d"}`, with quotes, backslashes and line feeds in values escaped.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (name, value)) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{name}=\"")?;
            for character in value.chars() {
                match character {
                    '"' => f.write_str("\\\"")?,
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    other => write!(f, "{other}")?,
                }
            }
            f.write_str("\"")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expect: &str) {
        let labels: Labels = pairs.iter().copied().collect();
        assert_eq!(labels.to_string(), expect);
    }

    #[test]
    fn a_set_is_sorted_and_the_last_of_equal_names_counts() {
        check(&[], "{}");
        check(&[("b", "2"), ("a", "1")], r#"{a="1", b="2"}"#);
        check(&[("a", "1"), ("b", "2"), ("a", "3")], r#"{a="3", b="2"}"#);
    }

    #[test]
    fn an_empty_value_is_an_absent_label() {
        check(&[("a", ""), ("b", "2")], r#"{b="2"}"#);
        check(&[("a", "1"), ("a", "")], "{}");
        let labels: Labels = [("a", "1")].into_iter().collect();
        assert_eq!(labels.with("a", ""), Labels::empty());
        assert_eq!(labels.get("b"), None);
    }

    #[test]
    fn values_are_escaped() {
        check(&[("a", "say \"hi\"\\\n")], r#"{a="say \"hi\"\\\n"}"#);
    }

    #[test]
    fn with_and_without_give_new_sets() {
        let labels: Labels = [("b", "2")].into_iter().collect();
        let more = labels.with("a", "1").with("c", "3").with("b", "4");
        assert_eq!(more.to_string(), r#"{a="1", b="4", c="3"}"#);
        assert_eq!(more.without("b").without("nothing").to_string(), r#"{a="1", c="3"}"#);
        assert_eq!(labels.to_string(), r#"{b="2"}"#);
    }
}
