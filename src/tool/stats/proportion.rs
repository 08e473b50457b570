//! Proportions and their differences: Newcombe's interval, the two-proportion z test, and Mantel-Haenszel over strata.
//! Pure arithmetic; no JSON, no choice of a winner.

use serde_json::{Value, json};
use statrs::distribution::{ContinuousCDF, Normal};

/// `k` of `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    pub(super) n: u64,
    pub(super) k: u64,
}

impl Count {
    pub(super) fn rate(self) -> f64 {
        if self.n == 0 { 0.0 } else { self.k as f64 / self.n as f64 }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { n: self.n.saturating_add(other.n), k: self.k.saturating_add(other.k) }
    }

    pub(super) fn shown(self) -> Value {
        json!({ "n": self.n, "k": self.k, "rate": super::figure::percent(self.rate()) })
    }

    /// What is shown of it, as a schema.
    pub(super) fn schema() -> Value {
        let fields = json!({ "n": { "type": "integer" }, "k": { "type": "integer" }, "rate": { "type": "number" } });
        super::figure::object(&json!("object"), &fields, &[])
    }
}

/// A difference of two proportions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    /// First less second.
    pub(super) difference: f64,
    /// Lower end of the interval.
    pub(super) low: f64,
    /// Upper end of the interval.
    pub(super) high: f64,
    /// Two-sided.
    pub(super) p: f64,
}

/// `a` less `b`: Newcombe's hybrid score interval (his method 10) and the pooled z test. Neither is empty.
pub(super) fn compare(a: Count, b: Count, alpha: f64) -> Difference {
    let (pa, pb) = (a.rate(), b.rate());
    let z = z_of(alpha);
    let ((la, ua), (lb, ub)) = (wilson(a, z), wilson(b, z));
    let difference = pa - pb;
    let low = difference - ((pa - la).powi(2) + (ub - pb).powi(2)).sqrt();
    let high = difference + ((ua - pa).powi(2) + (pb - lb).powi(2)).sqrt();
    let pooled = a.plus(b).rate();
    let error = (pooled * (1.0 - pooled) * (1.0 / a.n as f64 + 1.0 / b.n as f64)).sqrt();
    Difference { difference, low, high, p: two_sided(difference, error) }
}

/// `a` less `b` over pairs of one stratum each: the Mantel-Haenszel risk difference, with the variance of Greenland and
/// Robins, and the Cochran-Mantel-Haenszel test without continuity correction. `None` if no stratum has both.
pub(super) fn adjusted(pairs: &[(Count, Count)], alpha: f64) -> Option<Difference> {
    let (mut weighted, mut weights, mut variance) = (0.0, 0.0, 0.0);
    let (mut excess, mut spread) = (0.0, 0.0);
    for (a, b) in pairs.iter().filter(|(a, b)| a.n > 0 && b.n > 0) {
        let (na, ka, nb, kb) = (a.n as f64, a.k as f64, b.n as f64, b.k as f64);
        let all = na + nb;
        let hits = ka + kb;
        weighted += (ka * nb - kb * na) / all;
        weights += na * nb / all;
        variance += (ka * (na - ka) * nb.powi(3) + kb * (nb - kb) * na.powi(3)) / (na * nb * all * all);
        excess += ka - na * hits / all;
        spread += na * nb * hits * (all - hits) / (all * all * (all - 1.0).max(1.0));
    }
    if weights == 0.0 {
        return None;
    }
    let difference = weighted / weights;
    let reach = z_of(alpha) * variance.sqrt() / weights;
    Some(Difference {
        difference,
        low: (difference - reach).max(-1.0),
        high: (difference + reach).min(1.0),
        p: two_sided(excess, spread.sqrt()),
    })
}

fn wilson(count: Count, z: f64) -> (f64, f64) {
    let (n, p) = (count.n as f64, count.rate());
    let centre = p + z * z / (2.0 * n);
    let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    ((centre - reach) / whole, (centre + reach) / whole)
}

fn z_of(alpha: f64) -> f64 {
    Normal::standard().inverse_cdf(1.0 - alpha / 2.0)
}

fn two_sided(distance: f64, error: f64) -> f64 {
    // Without any spread nothing can be told apart.
    if error > 0.0 { (2.0 * Normal::standard().sf((distance / error).abs())).min(1.0) } else { 1.0 }
}
