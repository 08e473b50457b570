//! Exactly what the files say: every value with its place, nothing resolved, nothing defaulted but what a file may leave out.
//! Whether names exist and what follows from them is for `check`.

pub mod agent;
pub mod handoff;
pub mod names;
pub mod project;
pub mod rehearsal;
pub mod rule;
mod syntax;
pub mod topology;
mod tree;
pub mod trigger;
pub mod walk;

pub use tree::Tree;

use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::fault::{At, Code, Fault, Place};
use crate::id::NanoUsd;
pub use walk::Entries;

/// A file as far as it could be read, and what is wrong with it.
#[derive(Debug)]
pub struct Read<T> {
    /// What it says; none if it is no TOML.
    pub value: Option<T>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
    /// Every text value in it, for rules about texts.
    pub texts: Vec<At<String>>,
    /// Values that were read under a key that was probably meant: what is wrong with such a value is no cause of its own.
    pub guessed: Vec<Place>,
}

/// Limits of an agent as written; what is absent is inherited.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Turns within a run, and where that is written.
    pub turns: Option<At<u32>>,
    /// Steps within a turn.
    pub steps_per_turn: Option<u32>,
    /// Tokens of one reply.
    pub output_tokens: Option<u64>,
    /// One call's time-out.
    pub call_timeout_ms: Option<u64>,
    /// The longest silence within a reply.
    pub idle_timeout_ms: Option<u64>,
    /// Tokens within a run; `Some(None)` is "unlimited".
    pub tokens: Option<Option<u64>>,
    /// Money within a run; `Some(None)` is "unlimited".
    pub cost: Option<Option<NanoUsd>>,
}

fn read<T>(file: &Arc<str>, text: &str, from: impl FnOnce(&mut walk::Reader, &DeTable<'_>) -> Option<T>) -> Read<T> {
    let unread = |fault| Read { value: None, faults: vec![fault], texts: vec![], guessed: vec![] };
    let table = match walk::parse(text) {
        Ok(table) => table,
        Err((span, said)) => return unread(syntax::fault(text, &Place { file: file.clone(), span }, &said)),
    };
    let mut reader = walk::Reader::new(file);
    if table.get_ref().is_empty() {
        let instead = "begin it with schema_version = 1";
        let fault = Fault::new(Code::MissingKey, &Place::top(file), format!("{file} is empty"), instead);
        return unread(fault.with_edit(Place::top(file), "schema_version = 1\n"));
    }
    let value = from(&mut reader, table.get_ref());
    let mut texts = vec![];
    for node in table.get_ref().values() {
        collect(file, node, &mut texts);
    }
    let guessed: Vec<Place> = reader.guessed.iter().map(|span| reader.place(span.clone())).collect();
    let mut faults = reader.faults;
    faults.retain(|fault| fault.code != Code::WrongValue || !guessed.contains(&fault.place));
    Read { value, faults, texts, guessed }
}

fn collect(file: &Arc<str>, node: &walk::Node<'_>, texts: &mut Vec<At<String>>) {
    match node.get_ref() {
        DeValue::String(text) => {
            let place = Place { file: file.clone(), span: node.span() };
            texts.push(At { value: text.to_string(), place });
        }
        DeValue::Array(array) => array.iter().for_each(|node| collect(file, node, texts)),
        DeValue::Table(table) => table.values().for_each(|node| collect(file, node, texts)),
        _ => {}
    }
}

/// Keys of `limits`.
const LIMITS: [&str; 7] =
    ["turns", "steps_per_turn", "output_tokens", "call_timeout", "idle_timeout", "tokens", "cost_usd"];

/// Largest count of anything; far above any use, far below an overflow.
const COUNT_MAX: u64 = 1_000_000_000_000;

/// Largest count of turns, rounds, restarts or people.
const SMALL_MAX: u64 = 1_000_000;

fn limits(reader: &mut walk::Reader, node: Option<&walk::Node<'_>>) -> Limits {
    let Some(keys) = node.and_then(|node| reader.table(node, &LIMITS)) else { return Limits::default() };
    let mut limits = Limits::default();
    if let Some(node) = keys.get("turns") {
        limits.turns = small(reader, node).map(|n| reader.at(node.span(), n));
    }
    limits.steps_per_turn = keys.get("steps_per_turn").and_then(|node| small(reader, node));
    limits.output_tokens = keys.get("output_tokens").and_then(|node| reader.integer(node, 1, COUNT_MAX));
    limits.call_timeout_ms = keys.get("call_timeout").and_then(|node| reader.duration(node));
    limits.idle_timeout_ms = keys.get("idle_timeout").and_then(|node| reader.duration(node));
    limits.tokens = keys
        .get("tokens")
        .and_then(|node| reader.or_unlimited(node, |reader, node| reader.integer(node, 1, COUNT_MAX)));
    limits.cost = keys.get("cost_usd").and_then(|node| reader.or_unlimited(node, walk::Reader::money));
    limits
}

/// A count from 1.
fn small(reader: &mut walk::Reader, node: &walk::Node<'_>) -> Option<u32> {
    reader.integer(node, 1, SMALL_MAX).and_then(|n| u32::try_from(n).ok())
}
