//! What a model is shown: the parts that the journal lists, with their texts. Nothing else reaches it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Place;
use crate::failure::{Class, Failure};
use crate::id::{ArtefactName, Digest, EffectId, RunId};
use crate::journal::Store;
use crate::model::{Ask, Exchange, Incoming, Reply};
use crate::run::event::Part;
use crate::run::input::Brief;
use crate::run::state::Turn;

/// Reads a body of `run` as JSON.
pub(super) fn read(store: &dyn Store, run: RunId, digest: Digest) -> Result<Value, Failure> {
    let bytes = read_bytes(store, run, digest)?;
    serde_json::from_slice(&bytes).map_err(|_| Failure::new(Class::Bug, format!("body {} is not JSON", digest.short())))
}

/// Reads a body of `run`.
pub(super) fn read_bytes(store: &dyn Store, run: RunId, digest: Digest) -> Result<Vec<u8>, Failure> {
    match store.body(run, digest) {
        Ok(Some(body)) => Ok(body.bytes),
        Ok(None) => Err(Failure::new(Class::Permanent, format!("body {} was erased", digest.short()))),
        Err(error) => Err(Failure::new(Class::Permanent, error.to_string())),
    }
}

/// The artefacts on a desk that `wanted` names, by name.
pub(super) fn desk(
    store: &dyn Store,
    run: RunId,
    desk: &BTreeMap<ArtefactName, Digest>,
) -> Result<BTreeMap<ArtefactName, Value>, Failure> {
    desk.iter().map(|(name, digest)| Ok((name.clone(), read(store, run, *digest)?))).collect()
}

/// The request of `turn`'s latest model effect.
pub(super) fn ask(
    place: &Place,
    effect: EffectId,
    turn: &Turn,
    lines_used: Vec<u32>,
    nth: u32,
) -> Result<Ask, Failure> {
    let (store, run) = (place.ports.store.as_ref(), place.run);
    let mut ask = Ask {
        effect,
        plan: std::sync::Arc::clone(&place.pinned.plan),
        agent: turn.agent.clone(),
        brief: Brief::new(),
        message: Incoming {
            from: turn.message.from.as_ref().map_or_else(|| "start".to_owned(), ToString::to_string),
            outcome: turn.message.outcome.to_string(),
            note: String::new(),
            round: turn.message.round,
        },
        desk: BTreeMap::new(),
        checks: BTreeMap::new(),
        turn: nth,
        lines_used,
        so_far: Vec::new(),
        output_tokens_max: place.pinned.plan.team.get(&turn.agent).map_or(0, |member| member.limits.output_tokens),
    };
    for part in &turn.shown {
        show(&mut ask, store, run, part)?;
    }
    Ok(ask)
}

fn show(ask: &mut Ask, store: &dyn Store, run: RunId, part: &Part) -> Result<(), Failure> {
    let broken = |what: &str| Failure::new(Class::Bug, format!("{what} is not what was written"));
    match part {
        Part::Instructions => {}
        Part::Brief(digest) => {
            ask.brief = serde_json::from_value(read(store, run, *digest)?).map_err(|_| broken("the brief"))?;
        }
        Part::Note(digest) => ask.message.note = text(&read(store, run, *digest)?),
        Part::Artefact(name, digest) => {
            ask.desk.insert(name.clone(), read(store, run, *digest)?);
        }
        Part::Findings(name, digest) => {
            ask.checks.insert(name.clone(), read(store, run, *digest)?);
        }
        Part::Reply(digest) => {
            let reply: Reply = serde_json::from_value(read(store, run, *digest)?).map_err(|_| broken("a reply"))?;
            ask.so_far.push(Exchange {
                said: reply.act,
                line: reply.line,
                results: BTreeMap::new(),
                problems: Vec::new(),
            });
        }
        Part::Result(call, digest) => {
            let result = read(store, run, *digest)?;
            let exchange = ask.so_far.last_mut().ok_or_else(|| broken("a result"))?;
            exchange.results.insert(call.clone(), result);
        }
        Part::Problems(digest) => {
            let problems = serde_json::from_value(read(store, run, *digest)?).unwrap_or_default();
            ask.so_far.last_mut().ok_or_else(|| broken("a problem"))?.problems = problems;
        }
    }
    Ok(())
}

/// A note's text; other JSON as it is.
pub(super) fn text(note: &Value) -> String {
    note.as_str().map_or_else(|| note.to_string(), str::to_owned)
}
