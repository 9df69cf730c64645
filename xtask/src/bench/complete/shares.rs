//! Whether two samplings of the same seconds agree.

use std::collections::BTreeSet;

use super::super::seen::Selves;

/// The functions that are compared: those with the largest shares.
const COMPARED: usize = 20;

/// A function in both samplings.
pub(super) struct Compared {
    pub(super) function: String,
    /// Shares of all samples.
    pub(super) ours: f64,
    pub(super) theirs: f64,
    /// The difference in standard deviations.
    pub(super) sigmas: f64,
}

impl Compared {
    /// Whether chance alone makes such a difference in one of some 400 cases.
    pub(super) fn near(&self) -> bool {
        self.sigmas <= 3.0
    }

    /// Whether the difference is more than five standard deviations and half a percent point.
    pub(super) fn far(&self) -> bool {
        let difference = (self.ours - self.theirs).abs();
        difference > 5.0 * difference / self.sigmas.max(f64::MIN_POSITIVE) + 0.005
    }
}

/// The functions with the most samples in both together.
pub(super) fn compare(ours: &Selves, theirs: &Selves) -> Vec<Compared> {
    let [n, m] = [ours, theirs].map(|selves| selves.values().sum::<u64>().max(1) as f64);
    let functions: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let of = |selves: &Selves, function| selves.get(function).copied().unwrap_or(0) as f64;
    let mut compared: Vec<(f64, Compared)> = functions
        .into_iter()
        .map(|function| {
            let (one, other) = (of(ours, function), of(theirs, function));
            let pooled = (one + other) / (n + m);
            let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
            let (ours, theirs) = (one / n, other / m);
            let sigmas = if deviation > 0.0 { (ours - theirs).abs() / deviation } else { 0.0 };
            (pooled, Compared { function: function.clone(), ours, theirs, sigmas })
        })
        .collect();
    compared.sort_by(|one, other| other.0.total_cmp(&one.0));
    compared.into_iter().take(COMPARED).map(|(_, compared)| compared).collect()
}

#[cfg(test)]
mod tests {
    use super::{Selves, compare};

    #[test]
    fn chance_is_told_from_a_difference() {
        let selves =
            |counts: [u64; 3]| -> Selves { ["a", "b", "c"].map(str::to_owned).into_iter().zip(counts).collect() };
        let compared = compare(&selves([5000, 4000, 1000]), &selves([5050, 3950, 1000]));
        assert_eq!(compared[0].function, "a");
        assert!(compared.iter().all(|one| one.near() && !one.far()));
        // A standard deviation is 0.7 points in a half, 0.4 in a tenth.
        let compared = compare(&selves([5000, 4000, 1000]), &selves([5500, 4000, 500]));
        assert!(compared[0].sigmas > 7.0 && compared[0].sigmas < 7.2 && compared[0].far(), "{}", compared[0].sigmas);
        assert!(compared[1].near() && compared[2].far());
    }
}
