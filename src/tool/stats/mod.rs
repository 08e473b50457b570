//! The built-in `stats` tools: `stats.rank` finds the weakest segment, `stats.compare` compares two proportions.

mod compare;
mod proportion;
mod rank;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::part::args::invalid;
use super::part::{Error, tool_name};
use super::{Call, Tool};
use crate::failure::Failure;
use crate::failure::Work;
use crate::topology::spec::{Labels, Reach, Repeat, ToolSpec};

/// The name under which the built-in tools go.
pub const NAME: &str = "stats";

/// What the built-in tools declare.
///
/// # Errors
/// None; the names are fixed.
pub fn specs() -> Result<Vec<ToolSpec>, Error> {
    Ok(vec![
        spec(
            "rank",
            "Ranks segments by how far their rate k/n lies below that of all others; names the weakest if its gap is \
             significant (two-sided two-proportion test, Bonferroni over the segments). With a stratum, gaps are \
             adjusted for its mix (Mantel-Haenszel).",
            json!({
                "type": "object",
                "properties": {
                    "rows": { "type": "array", "items": { "type": "object" }, "description": "counts by segment" },
                    "name": { "type": "string", "description": "the column that names the segment" },
                    "n": { "type": "string", "description": "the column that counts all, such as delivered" },
                    "k": { "type": "string", "description": "the column that counts those among n, such as clicks" },
                    "stratum": { "type": "string", "description": "a column to adjust for, such as region" },
                    "base_min": { "type": "integer", "minimum": 1, "description": "smallest n that is judged; default 500" },
                    "alpha": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "description": "default 0.05" }
                },
                "required": ["rows", "name", "n", "k"],
                "additionalProperties": false
            }),
            &["rows", "name", "n", "k", "stratum", "base_min", "alpha"],
            &["rows"],
        )?,
        spec(
            "compare",
            "Compares two proportions a and b: the difference a - b in percentage points with its interval (Newcombe) \
             and a two-sided p-value. Give a and b, or rows, one for each stratum (such as a region), and columns; then \
             \"adjusted\" says what is left with the same mix of strata on both sides (Mantel-Haenszel): if only the mix \
             has moved, nothing.",
            json!({
                "type": "object",
                "properties": {
                    "a": group_schema(),
                    "b": group_schema(),
                    "rows": {
                        "type": "array", "items": { "type": "object" },
                        "description": "counts of both sides by stratum, instead of a and b"
                    },
                    "columns": {
                        "type": "object",
                        "description": "which columns of rows have the counts",
                        "properties": {
                            "a_n": { "type": "string" }, "a_k": { "type": "string" },
                            "b_n": { "type": "string" }, "b_k": { "type": "string" }
                        },
                        "required": ["a_n", "a_k", "b_n", "b_k"],
                        "additionalProperties": false
                    },
                    "alpha": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "description": "default 0.05" }
                },
                "additionalProperties": false
            }),
            &["a", "b", "rows", "columns", "alpha"],
            &["a", "b", "rows"],
        )?,
    ])
}

/// The built-in tools.
///
/// # Errors
/// None; the names are fixed.
pub fn open() -> Result<Vec<Arc<dyn Tool>>, Error> {
    let works: [fn(Value) -> Result<Value, Failure>; 2] = [rank::rank, compare::compare];
    Ok(specs()?.into_iter().zip(works).map(|(spec, work)| Arc::new(Stats { spec, work }) as Arc<dyn Tool>).collect())
}

struct Stats {
    spec: ToolSpec,
    work: fn(Value) -> Result<Value, Failure>,
}

impl Tool for Stats {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move { (self.work)(call.args) })
    }
}

fn spec(verb: &str, description: &str, args: Value, names: &[&str], data: &[&str]) -> Result<ToolSpec, Error> {
    let all = Labels { untrusted: true, private: true };
    Ok(ToolSpec {
        name: tool_name(NAME, verb)?,
        description: description.to_owned(),
        args,
        repeat: Repeat::Pure,
        reach: Reach::Inside,
        accepts: names.iter().map(|name| ((*name).to_owned(), all)).collect::<BTreeMap<_, _>>(),
        labels: Labels::default(),
        call_timeout_ms: 10_000,
        drafts: false,
        connection: None,
        data_args: data.iter().map(|name| (*name).to_owned()).collect(),
    })
}

fn group_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "n": { "type": "integer", "minimum": 0, "description": "how many, such as mails delivered" },
            "k": { "type": "integer", "minimum": 0, "description": "those among n, such as mails clicked" }
        },
        "required": ["n", "k"],
        "additionalProperties": false
    })
}

fn alpha(given: Option<f64>) -> Result<f64, Failure> {
    let alpha = given.unwrap_or(0.05);
    let fits = alpha.is_finite() && alpha > 0.0 && alpha < 1.0;
    if fits { Ok(alpha) } else { Err(invalid(format!("alpha lies between 0 and 1, not {alpha}"))) }
}

/// Counts beyond this are not exact as floats.
const COUNT_MAX: u64 = 1 << 53;

/// A count: a whole number that is not negative. Engines also write one as 12.0.
fn whole(value: &Value) -> Result<u64, String> {
    let whole = value
        .as_u64()
        .or_else(|| value.as_f64().filter(|f| *f >= 0.0 && f.fract() == 0.0 && *f < 9e15).map(|f| f as u64));
    whole.filter(|n| *n <= COUNT_MAX).ok_or_else(|| {
        format!("is to be a whole number, 0 or more, not {}", super::part::args::quoted(&value.to_string()))
    })
}

/// A difference of rates in percentage points: two decimals, and at least three significant digits, so that a small one
/// does not round away.
fn points(difference: f64) -> f64 {
    rounded(difference * 100.0, difference * 100.0)
}

/// A rate in percent, as [`points`]; near 100 the digits that count are those of what is missing.
fn percent(rate: f64) -> f64 {
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
fn short(p: f64) -> f64 {
    format!("{:.2e}", p.max(f64::MIN_POSITIVE)).parse().unwrap_or(p)
}
