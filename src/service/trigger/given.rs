//! The values that a trigger gives parameters, and what these carry.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Zoned;
use serde_json::{Map, Value, json};

use super::due::period;
use crate::actor::history::{self, Bodies};
use crate::journal::RunRow;
use crate::run::desk::Held;
use crate::run::state::State;
use crate::run::view::Texts as _;
use crate::service::error::Error;
use crate::service::project::Project;
use crate::topology::pointer;
use crate::topology::spec::Labels;
use crate::topology::trigger::Given;

/// What came with a firing, to look into.
#[derive(Debug, Clone, Default)]
pub struct Came {
    /// What pointers lead through.
    pub document: Value,
    /// What each of its outermost parts carries; what is not named carries what `otherwise` says.
    pub labels: BTreeMap<String, Labels>,
    /// What the other parts carry.
    pub otherwise: Labels,
}

/// The values of parameters at a firing, and what those of others carry.
///
/// # Errors
/// Which parameter gets none, and why.
pub fn values(
    params: &BTreeMap<String, Given>,
    due: &Zoned,
    came: &Came,
) -> Result<(BTreeMap<String, Value>, Labels), String> {
    let (mut values, mut labels) = (BTreeMap::new(), Labels::default());
    for (name, given) in params {
        let part =
            |of, last| period(due, of, last).map(Value::from).ok_or_else(|| format!("`{name}`: there is no such time"));
        let value = match given {
            Given::Value(value) => value.clone(),
            Given::Last(of) => part(*of, true)?,
            Given::This(of) => part(*of, false)?,
            Given::From(at) => {
                let root = pointer::keys(at).next().unwrap_or_default();
                labels = labels.join(came.labels.get(&root).copied().unwrap_or(came.otherwise));
                match came.document.pointer(at) {
                    None | Some(Value::Null) => {
                        return Err(format!("`{name}` gets no value: nothing is at {at} of what came"));
                    }
                    Some(Value::Array(_)) => return Err(format!("`{name}` gets no value: at {at} is a list")),
                    Some(Value::Object(_)) => return Err(format!("`{name}` gets no value: at {at} is an object")),
                    Some(value) => value.clone(),
                }
            }
        };
        values.insert(name.clone(), value);
    }
    Ok((values, labels))
}

/// What reached the end of a run: its artefacts by name, `message`, and `params`, the parameters of the run.
///
/// # Errors
/// If the run cannot be read.
pub fn ended(project: &Project, row: &RunRow) -> Result<Came, Error> {
    let store = project.store()?;
    let state = project.state(row)?;
    let texts = Bodies::new(Arc::clone(&store), row.id);
    let brief = texts.value(history::started(store.as_ref(), row.id)?.brief).unwrap_or_default();
    let mut parts = vec![("params".to_owned(), brief, history::brief_labels(store.as_ref(), row.id)?)];
    // What came last is what the run came to.
    for message in &state.results {
        let told = json!({ "outcome": message.outcome, "note": texts.value(message.note.digest) });
        parts.push(("message".to_owned(), told, message.labels));
        for (name, held) in &message.desk {
            parts.push((name.to_string(), texts.held(held).unwrap_or_default(), labels(held, &state)));
        }
    }
    let labels = parts.iter().map(|(name, _, labels)| (name.clone(), *labels)).collect();
    let document = parts.into_iter().map(|(name, value, _)| (name, value)).collect::<Map<_, _>>();
    Ok(Came { document: document.into(), labels, otherwise: Labels::default() })
}

/// What the versions carry that something on a desk rests on.
fn labels(held: &Held, state: &State) -> Labels {
    let versions = held.versions().filter_map(|digest| state.versions.get(&digest));
    versions.map(|version| version.labels).fold(Labels::default(), Labels::join)
}
