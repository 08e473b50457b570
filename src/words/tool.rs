//! What a tool declares, in words.

use crate::topology::spec::{Reach, Repeat, ToolSpec};

/// How far it reaches.
pub fn reach(spec: &ToolSpec) -> &'static str {
    match spec.reach {
        Reach::Inside => "stays inside the project",
        Reach::ReadsOut => "reads outside: others see what it asks for",
        Reach::ActsOut => "acts outside: a person approves every byte before",
    }
}

/// What happens to a call that a crash interrupted.
pub fn repeat(spec: &ToolSpec) -> &'static str {
    match spec.repeat {
        Repeat::Pure => "has no effect, so it is done again after a crash",
        Repeat::Idempotent { .. } => "knows a repetition by its key, so it is done again after a crash",
        Repeat::Queryable => "after a crash it is asked whether it happened",
        Repeat::Once => "is never repeated: after a crash a person is asked",
    }
}

/// What its results are labelled with.
pub fn labels(spec: &ToolSpec) -> String {
    let labels = [(spec.labels.private, "private"), (spec.labels.untrusted, "untrusted")];
    let labels: Vec<&str> = labels.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    if labels.is_empty() { "carry no label".to_owned() } else { format!("are labelled {}", labels.join(", ")) }
}
