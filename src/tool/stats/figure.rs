//! Figures as they are read and shown: counts that are whole, rates and differences with the digits that count.

use serde_json::{Value, json};

use super::super::part::args::{invalid, quoted};
use crate::failure::Failure;

/// The level of a test: 0.05 if none is given.
pub(super) fn alpha(given: Option<f64>) -> Result<f64, Failure> {
    let alpha = given.unwrap_or(0.05);
    let fits = alpha.is_finite() && alpha > 0.0 && alpha < 1.0;
    if fits { Ok(alpha) } else { Err(invalid(format!("alpha lies between 0 and 1, not {alpha}"))) }
}

/// Counts beyond this are not exact as floats.
const COUNT_MAX: u64 = 1 << 53;

/// A count: a whole number that is not negative. Engines also write one as 12.0.
pub(super) fn whole(value: &Value) -> Result<u64, String> {
    let whole = value
        .as_u64()
        .or_else(|| value.as_f64().filter(|f| *f >= 0.0 && f.fract() == 0.0 && *f < 9e15).map(|f| f as u64));
    whole
        .filter(|n| *n <= COUNT_MAX)
        .ok_or_else(|| format!("is to be a whole number, 0 or more, not {}", quoted(&value.to_string())))
}

/// A difference of rates in percentage points: two decimals, and at least three significant digits, so that a small one
/// does not round away.
pub(super) fn points(difference: f64) -> f64 {
    rounded(difference * 100.0, difference * 100.0)
}

/// A rate in percent, as [`points`]; near 100 the digits that count are those of what is missing.
pub(super) fn percent(rate: f64) -> f64 {
    let percent = rate * 100.0;
    let rest = 100.0 - percent;
    rounded(percent, if rest > 0.0 && rest < percent { rest } else { percent })
}

/// `value` with two decimals, and with three significant digits of `least`.
fn rounded(value: f64, least: f64) -> f64 {
    let magnitude = if least == 0.0 { 0.0 } else { least.abs().log10().floor() };
    let decimals = (2.0 - magnitude).clamp(2.0, 15.0) as usize;
    // Adding zero turns -0.0 into 0.0.
    format!("{value:.decimals$}").parse().unwrap_or(value) + 0.0
}

/// A p-value with three significant digits; never zero, which no test gives.
pub(super) fn short(p: f64) -> f64 {
    format!("{:.2e}", p.max(f64::MIN_POSITIVE)).parse().unwrap_or(p)
}

/// The schema of an object of these types with these fields, all of which are there but for those in `optional`.
pub(super) fn object(kinds: &Value, fields: &Value, optional: &[&str]) -> Value {
    let names = fields.as_object().into_iter().flatten().map(|(name, _)| name);
    let required: Vec<&String> = names.filter(|name| !optional.contains(&name.as_str())).collect();
    json!({ "type": kinds, "properties": fields, "required": required, "additionalProperties": false })
}
