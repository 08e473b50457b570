//! What a tool declares of itself: the three independent things that the checks and the run rely on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::quiet::Quiet;
use super::wall::Hour;
use crate::id::ToolName;

/// A tool's declaration. The engine of a tool enforces what it says here; a prompt never does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name, such as `performance.query`.
    pub name: ToolName,
    /// What it does, for a model and for people.
    pub description: String,
    /// JSON Schema of its arguments (an object).
    pub args: Value,
    /// What a second execution of one effect would do.
    pub repeat: Repeat,
    /// Where it reaches.
    pub reach: Reach,
    /// Labels that each argument accepts; an argument not named here accepts none.
    pub accepts: BTreeMap<String, Labels>,
    /// Labels that its results carry.
    pub labels: Labels,
    /// One call's time-out.
    pub call_timeout_ms: u64,
    /// Whether it can draft: prepare and perform without reaching anyone.
    pub drafts: bool,
    /// For one that acts on the world: what it acts on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    /// Arguments whose content is what the result is computed from: what a model writes there itself is no evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_args: Vec<String>,
    /// JSON Schema of its results, if it says what they are like. No run relies on it: it is for whoever writes a script or
    /// asks what a tool gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// For one that acts on the world: when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Arc<Quiet>>,
    /// For one that acts on the world: at what time of the day it does what it does on a later day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<Arc<Hour>>,
    /// Whether it asks a model of its own where models run, and does without where none does: a recording keeps what it gave.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_model: bool,
    /// The model of a provider that is told its arguments and may not be told what is private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_private: Option<String>,
}

/// What an outward tool acts on. Whoever is acted for under another one is somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The kind of its `[tools.NAME]`.
    pub kind: String,
    /// What tells this place from others of its kind, as the file says it: a record, an address.
    pub place: BTreeMap<String, String>,
}

impl Connection {
    /// That of a tool of `kind` with these settings.
    pub fn new<'s>(kind: &str, place: impl IntoIterator<Item = (&'s str, &'s str)>) -> Self {
        let place = place.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { kind: kind.to_owned(), place }
    }
}

/// How long a call may take at most, if its tool says nothing else.
const CALL_TIMEOUT_MS: u64 = 10_000;

impl ToolSpec {
    /// One that reads or computes within the project, with `args` as their JSON Schema.
    pub fn callable(name: ToolName, description: &str, args: Value) -> Self {
        Self {
            name,
            description: description.to_owned(),
            args,
            repeat: Repeat::Pure,
            reach: Reach::Inside,
            accepts: BTreeMap::new(),
            labels: Labels::default(),
            call_timeout_ms: CALL_TIMEOUT_MS,
            drafts: false,
            connection: None,
            data_args: Vec::new(),
            result: None,
            quiet: None,
            hour: None,
            asks_model: false,
            refuses_private: None,
        }
    }

    /// One that acts on the world through `connection`; where no model runs, it drafts.
    pub fn outward(name: ToolName, description: &str, args: Value, repeat: Repeat, connection: Connection) -> Self {
        let (reach, connection) = (Reach::ActsOut, Some(connection));
        Self { repeat, reach, drafts: true, connection, ..Self::callable(name, description, args) }
    }

    /// The same, whose arguments of these names take whatever is given: its engine is the boundary.
    #[must_use]
    pub fn accepting_all(self, args: &[&str]) -> Self {
        let all = Labels { untrusted: true, private: true };
        Self { accepts: args.iter().map(|arg| ((*arg).to_owned(), all)).collect(), ..self }
    }

    /// The same, whose results are as `schema` says.
    #[must_use]
    pub fn giving(self, schema: Value) -> Self {
        Self { result: Some(schema), ..self }
    }

    /// The first argument that takes neither label, of a tool that asks outside, where both would meet in it: the rule of two.
    /// What acts on the world has its gate.
    pub fn bars(&self, labels: Labels) -> Option<&str> {
        let both = labels.untrusted && labels.private && self.reach == Reach::ReadsOut;
        let args = self.args.get("properties").and_then(Value::as_object).filter(|_| both);
        let neither = |arg: &&String| self.accepts.get(*arg).is_none_or(|takes| !takes.untrusted && !takes.private);
        args?.keys().find(neither).map(String::as_str)
    }

    /// Why it may not be called with what carries these labels, if it may not.
    pub fn refusal(&self, labels: Labels) -> Option<String> {
        let name = &self.name;
        if let Some(model) = self.refuses_private.as_ref().filter(|_| labels.private) {
            return Some(format!("{name} tells {model}, which may not be told what is private, and that was shown"));
        }
        let arg = self.bars(labels)?;
        Some(format!(
            "{name} is asked outside, and {arg} takes neither what is private nor what others wrote: both were shown"
        ))
    }

    /// How `now`, the tool of this name as it is now, differs from this, in what a run relies on when it acts: a sentence
    /// each. A plan that is older than `connection` says nothing of it.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, was: String, is: String| {
            if was != is {
                changes.push(format!("{what} was {was} and is {is}"));
            }
        };
        compare("repeat", self.repeat.to_string(), now.repeat.to_string());
        compare("reach", self.reach.word().to_owned(), now.reach.word().to_owned());
        compare("drafts", self.drafts.to_string(), now.drafts.to_string());
        let Some(was) = &self.connection else { return changes };
        let none = Connection::new("none", []);
        let is = now.connection.as_ref().unwrap_or(&none);
        compare("kind", was.kind.clone(), is.kind.clone());
        let names: std::collections::BTreeSet<&String> = was.place.keys().chain(is.place.keys()).collect();
        for name in names.into_iter().filter(|_| was.kind == is.kind) {
            let of =
                |place: &BTreeMap<String, String>| place.get(name).map_or("nothing".to_owned(), |of| format!("{of:?}"));
            compare(name, of(&was.place), of(&is.place));
        }
        changes
    }
}

/// What a second execution of one effect would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "class", rename_all = "snake_case")]
pub enum Repeat {
    /// Nothing: it has no effect.
    Pure,
    /// Nothing, if the key is the same and younger than this.
    Idempotent {
        /// How long the sink remembers a key.
        key_age_ms: u64,
    },
    /// Harm, but the sink can be asked by effect id whether the first one happened.
    Queryable,
    /// Harm, and nobody can tell: a person is asked.
    #[default]
    Once,
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pure => f.write_str("pure"),
            Self::Idempotent { key_age_ms } => write!(f, "idempotent for {key_age_ms} ms"),
            Self::Queryable => f.write_str("queryable"),
            Self::Once => f.write_str("once"),
        }
    }
}

impl Reach {
    /// The word for it in files and output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::ReadsOut => "reads_out",
            Self::ActsOut => "acts_out",
        }
    }
}

/// Where a tool reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Nothing outside the project.
    Inside,
    /// It asks something outside, and what it asks is seen there.
    ReadsOut,
    /// It acts on the world: it needs a permit.
    ActsOut,
}

/// Labels on a body: what its reader must not be led by, and what must not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Written by somebody outside: may carry instructions.
    #[serde(default)]
    pub untrusted: bool,
    /// About people, or not to be shown.
    #[serde(default)]
    pub private: bool,
}

impl Labels {
    /// Whether it says nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What is said of it after something that carries it: `, private, untrusted`; nothing if it says nothing.
    pub fn told(self) -> String {
        let words = [(self.private, ", private"), (self.untrusted, ", untrusted")];
        words.into_iter().filter_map(|(is, word)| is.then_some(word)).collect()
    }

    /// What carries both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { untrusted: self.untrusted || other.untrusted, private: self.private || other.private }
    }

    /// Whether an argument that accepts `self` takes a value labelled `other`.
    pub fn accepts(self, other: Self) -> bool {
        (self.untrusted || !other.untrusted) && (self.private || !other.private)
    }
}
