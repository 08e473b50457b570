//! The built-in `history` tools: `history.runs` lists the project's own runs, `history.result` says what one came to, what
//! people decided in it, and what it spent. They read what the journal says, and change nothing.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::part::args::read;
use super::part::outbox::blocking;
use super::part::{Error, tool_name};
use super::{Call, Callable, Declared, Tool};
use crate::failure::{Failure, Work};
use crate::topology::spec::{Labels, ToolSpec};

/// The name under which the tools go.
pub const NAME: &str = "history";

/// Runs of a list, unless it says how many.
const RUNS: usize = 20;
/// Most runs of a list.
const RUNS_MAX: usize = 100;

/// Where the past of a project is read.
pub trait Past: Send + Sync {
    /// The runs, newest first, so many at most: an object each, as `history.runs` declares it.
    ///
    /// # Errors
    /// If it cannot be read.
    fn runs(&self, wanted: &Wanted, most: usize) -> Result<Vec<Value>, Failure>;

    /// What one run came to, as `history.result` declares it.
    ///
    /// # Errors
    /// If there is no such run, or it cannot be read.
    fn result(&self, run: u64) -> Result<Value, Failure>;
}

/// Which runs are wanted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only those of this topology.
    pub topology: Option<String>,
    /// Only those in this state.
    pub status: Option<String>,
    runs: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    run: u64,
}

/// The tools, over `past`.
///
/// # Errors
/// None; their names are fixed.
pub fn open(past: &Arc<dyn Past>) -> Result<Vec<Tool>, Error> {
    let tool = |spec, act| Tool::callable(History { spec, act, past: Arc::clone(past) });
    Ok(vec![tool(runs_spec()?, Act::Runs), tool(result_spec()?, Act::Result)])
}

/// What runs say was written by models, tools and people, about whatever they had.
const LABELS: Labels = Labels { untrusted: true, private: true };

fn runs_spec() -> Result<ToolSpec, Error> {
    let does = "Lists the project's own runs, newest first: what each was about, what it came to, and what it spent.";
    let args = json!({
        "type": "object",
        "properties": {
            "topology": { "type": "string", "description": "only runs of this one" },
            "status": { "type": "string", "description": "only runs in this state, such as done, rejected or failed" },
            "runs": { "type": "integer", "minimum": 1, "maximum": RUNS_MAX, "description": format!("most of them; {RUNS} if it is not said") },
        },
        "required": [], "additionalProperties": false,
    });
    let spec = ToolSpec::callable(tool_name(NAME, "runs")?, does, args).accepting_all(&["topology", "status"]);
    let spec = spec.giving(json!({
        "type": "object",
        "properties": { "runs": { "type": "array", "items": run_schema() } },
        "required": ["runs"], "additionalProperties": false,
    }));
    Ok(ToolSpec { labels: LABELS, ..spec })
}

fn result_spec() -> Result<ToolSpec, Error> {
    let does = "Says of one run what reached its end, what people decided and why, what left, what came of that as far as somebody attached it, and what it spent.";
    let args = json!({
        "type": "object",
        "properties": { "run": { "type": "integer", "minimum": 1, "description": "its number, as the list of runs gives it" } },
        "required": ["run"], "additionalProperties": false,
    });
    let mut result = run_schema();
    let told = json!({ "type": "array", "items": {
        "type": "object",
        "properties": {
            "at": { "type": "string" }, "from": { "type": "string" }, "what": { "type": "string" }, "text": { "type": "string" },
        },
        "required": ["at", "from", "what", "text"], "additionalProperties": false,
    } });
    result["properties"]["results"] = json!({ "type": "array", "items": {
        "type": "object",
        "properties": {
            "from": { "type": ["string", "null"] }, "outcome": { "type": "string" }, "note": { "type": "string" },
            "artefacts": { "type": "object", "description": "what was on its desk, by name; null if it is too large or was erased" },
        },
        "required": ["from", "outcome", "note", "artefacts"], "additionalProperties": false,
    } });
    result["properties"]["attached"] = json!({ "type": "array", "items": {
        "type": "object",
        "description": "what came of the run, such as opens, clicks and revenue, as a person attached it; the last one counts, and the others are what it was before",
        "properties": {
            "version": { "type": "integer" }, "at": { "type": "string" }, "by": { "type": "string" }, "file": { "type": "string" },
            "columns": { "type": "array", "items": { "type": "string" } },
            "rows": { "type": "array", "items": { "type": "object", "description": "a value for each column" } },
            "row_count": { "type": "integer", "description": "how many there are: the last ones are left out where they are too many" },
        },
        "required": ["version", "at", "by", "file", "columns", "rows", "row_count"], "additionalProperties": false,
    } });
    result["properties"]["decisions"] = told.clone();
    result["properties"]["left"] = told;
    if let Some(required) = result["required"].as_array_mut() {
        required.extend(["results", "decisions", "left", "attached"].map(Value::from));
    }
    let spec = ToolSpec::callable(tool_name(NAME, "result")?, does, args).accepting_all(&["run"]).giving(result);
    Ok(ToolSpec { labels: LABELS, ..spec })
}

fn run_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "run": { "type": "integer" }, "topology": { "type": "string" },
            "status": { "type": "string", "description": "running, waiting, paused, stuck, done, rejected, failed, cancelled, stopped" },
            "rehearsal": { "type": "boolean", "description": "true if no model ran: its money is what they would have cost" },
            "params": { "type": "object" }, "began": { "type": "string" }, "changed": { "type": "string" },
            "steps": { "type": "integer" }, "tokens": { "type": "integer" }, "usd": { "type": "number" },
            "waiting_for": { "type": ["string", "null"] },
        },
        "required": ["run", "topology", "status", "rehearsal", "params", "began", "changed", "steps", "tokens", "usd", "waiting_for"],
        "additionalProperties": false,
    })
}

#[derive(Clone, Copy)]
enum Act {
    Runs,
    Result,
}

struct History {
    spec: ToolSpec,
    act: Act,
    past: Arc<dyn Past>,
}

impl Declared for History {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }
}

impl Callable for History {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let (name, past) = (self.spec.name.to_string(), Arc::clone(&self.past));
            match self.act {
                Act::Runs => {
                    let wanted: Wanted = read(&name, call.args)?;
                    let most = wanted.runs.unwrap_or(RUNS).clamp(1, RUNS_MAX);
                    blocking(move || Ok(json!({ "runs": past.runs(&wanted, most)? }))).await
                }
                Act::Result => {
                    let Which { run } = read(&name, call.args)?;
                    blocking(move || past.result(run)).await
                }
            }
        })
    }
}
