//! The built-in `stats` tools: `stats.rank` finds the weakest segment, `stats.compare` compares two proportions.

mod compare;
mod figure;
mod proportion;
mod rank;

use serde_json::{Value, json};

use super::part::{Error, tool_name};
use super::{Call, Callable, Declared, Tool};
use crate::failure::Failure;
use crate::failure::Work;
use crate::topology::spec::ToolSpec;

/// The name under which the built-in tools go.
pub const NAME: &str = "stats";

fn specs() -> Result<Vec<ToolSpec>, Error> {
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
        )?
        .giving(rank::schema()),
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
        )?
        .giving(compare::schema()),
    ])
}

/// The built-in tools.
///
/// # Errors
/// None; the names are fixed.
pub fn open() -> Result<Vec<Tool>, Error> {
    let rows = json!([{ "segment": "new", "delivered": 900, "clicks": 40 }, { "segment": "regular", "delivered": 800, "clicks": 90 }]);
    let ranked = json!({ "rows": rows, "name": "segment", "n": "delivered", "k": "clicks" });
    let compared = json!({ "a": { "n": 900, "k": 40 }, "b": { "n": 800, "k": 90 } });
    type Work = fn(Value) -> Result<Value, Failure>;
    let works: [(Work, Value); 2] = [(rank::rank, ranked), (compare::compare, compared)];
    let made = specs()?.into_iter().zip(works);
    Ok(made.map(|(spec, (work, example))| Tool::callable(Stats { spec, work, example })).collect())
}

struct Stats {
    spec: ToolSpec,
    work: fn(Value) -> Result<Value, Failure>,
    example: Value,
}

impl Declared for Stats {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn example(&self) -> Option<Value> {
        Some(self.example.clone())
    }
}

impl Callable for Stats {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move { (self.work)(call.args) })
    }
}

fn spec(verb: &str, description: &str, args: Value, names: &[&str], data: &[&str]) -> Result<ToolSpec, Error> {
    let spec = ToolSpec::callable(tool_name(NAME, verb)?, description, args).accepting_all(names);
    Ok(ToolSpec { data_args: data.iter().map(|name| (*name).to_owned()).collect(), ..spec })
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
