//! The built-in `stats` tools: `stats.rank` finds the weakest segment, `stats.compare` compares two proportions.

mod proportion;
mod rank;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::part::args::{invalid, read};
use super::part::{Error, tool_name};
use super::{Call, Tool};
use crate::failure::Failure;
use crate::failure::Work;
use crate::topology::spec::{Labels, Reach, Repeat, ToolSpec};
use proportion::Count;

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
        )?,
        spec(
            "compare",
            "Compares two proportions a and b: the difference a - b in percentage points with its interval (Newcombe) \
             and a two-sided p-value.",
            json!({
                "type": "object",
                "properties": {
                    "a": group_schema(),
                    "b": group_schema(),
                    "alpha": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "description": "default 0.05" }
                },
                "required": ["a", "b"],
                "additionalProperties": false
            }),
            &["a", "b", "alpha"],
        )?,
    ])
}

/// The built-in tools.
///
/// # Errors
/// None; the names are fixed.
pub fn open() -> Result<Vec<Arc<dyn Tool>>, Error> {
    let works: [fn(Value) -> Result<Value, Failure>; 2] = [rank::rank, compare];
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

fn spec(verb: &str, description: &str, args: Value, names: &[&str]) -> Result<ToolSpec, Error> {
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
    })
}

fn group_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "n": { "type": "integer", "minimum": 1 }, "k": { "type": "integer", "minimum": 0 } },
        "required": ["n", "k"],
        "additionalProperties": false
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compared {
    a: Group,
    b: Group,
    alpha: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    n: Value,
    k: Value,
}

fn compare(args: Value) -> Result<Value, Failure> {
    let args: Compared = read("stats.compare", args)?;
    let alpha = alpha(args.alpha)?;
    let group = |name: &str, group: &Group| {
        let count = Count {
            n: whole(&group.n).map_err(|why| invalid(format!("{name}.n {why}")))?,
            k: whole(&group.k).map_err(|why| invalid(format!("{name}.k {why}")))?,
        };
        if count.n == 0 || count.k > count.n {
            return Err(invalid(format!("{name}: k = {} of n = {} is no proportion", count.k, count.n)));
        }
        Ok(count)
    };
    let (a, b) = (group("a", &args.a)?, group("b", &args.b)?);
    let found = proportion::compare(a, b, alpha);
    Ok(json!({
        "a": a.shown(), "b": b.shown(), "difference_pp": points(found.difference),
        "interval_pp": [points(found.low), points(found.high)], "p_value": short(found.p),
        "significant": found.p < alpha, "alpha": alpha,
    }))
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

/// A difference of rates in percentage points, with two decimals.
fn points(difference: f64) -> f64 {
    // Adding zero turns -0.0 into 0.0.
    (difference * 10_000.0).round() / 100.0 + 0.0
}

/// A p-value with three significant digits.
fn short(p: f64) -> f64 {
    format!("{p:.2e}").parse().unwrap_or(p)
}
