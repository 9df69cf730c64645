//! Which profiles of an append were not taken, and why.

use std::collections::BTreeSet;

use super::AppendError;

/// Profiles that a receiver did not take: all, or some of them.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct NotTaken {
    which: Which,
    why: AppendError,
}

#[derive(Debug)]
enum Which {
    All,
    /// By their places in the append.
    Some(BTreeSet<usize>),
}

/// Nothing of an append was taken.
impl From<AppendError> for NotTaken {
    fn from(why: AppendError) -> Self {
        Self { which: Which::All, why }
    }
}

impl NotTaken {
    /// Of single profiles: the place of each in the append, and why it was not taken.
    pub fn some(errors: impl IntoIterator<Item = (usize, AppendError)>) -> Result<(), Self> {
        let (places, whys) = errors.into_iter().unzip();
        match AppendError::collect(whys) {
            Some(why) => Err(Self { which: Which::Some(places), why }),
            None => Ok(()),
        }
    }

    /// What several receivers say of one append of `count` profiles: a profile that one of them did not take is in it.
    pub fn of_any(each: Vec<Self>, count: usize) -> Result<(), Self> {
        let places = each.iter().flat_map(|not_taken| not_taken.places(count)).collect();
        match AppendError::collect(each.into_iter().map(|not_taken| not_taken.why).collect()) {
            Some(why) => Err(Self { which: Which::Some(places), why }),
            None => Ok(()),
        }
    }

    /// The places of the profiles in an append of `count`.
    pub fn places(&self, count: usize) -> Vec<usize> {
        match &self.which {
            Which::All => (0..count).collect(),
            Which::Some(places) => places.iter().copied().collect(),
        }
    }

    /// The same of the append that the profiles were picked from: `places` says from where.
    #[must_use]
    pub fn picked_from(self, places: &[usize]) -> Self {
        let which = self.places(places.len()).into_iter().filter_map(|at| places.get(at).copied()).collect();
        Self { which: Which::Some(which), ..self }
    }
}
