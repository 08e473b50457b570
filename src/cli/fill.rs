//! A person's answer on a terminal: asked for field by field, until nothing is wrong with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::exit::Stop;
use super::paint::{Block, Safe, Tone, say, toned};
use super::sheet::fields;
use super::typed::Typed;
use crate::id::{ArtefactName, Outcome};
use crate::run::input::Say;
use crate::service::form::{Form, Sheet};
use crate::topology::fault::nearest;

/// What is filled in, by artefact.
pub(super) type Writes = BTreeMap<ArtefactName, Value>;

/// Asks for an answer, line by line, until nothing is wrong with it; none if the input ends. An empty line keeps what was
/// typed before.
pub(super) async fn fill(typed: &mut Typed, form: &Form) -> Option<Say> {
    let sheet = &form.sheet;
    if sheet.is_sentence {
        loop {
            say("your answer, in a sentence:");
            let line = typed.line().await?;
            if !line.is_empty() {
                return Some(form.say(sheet.outcomes.first()?.clone(), Writes::new(), line));
            }
        }
    }
    let mut kept: BTreeMap<(ArtefactName, String), String> = BTreeMap::new();
    loop {
        let outcome = outcome(typed, sheet).await?;
        let mut writes = Writes::new();
        if form.has_to_write(&outcome) {
            for (name, schema) in &sheet.writes {
                let mut body = Value::Object(Map::new());
                for (field, is_needed, what) in fields(schema) {
                    let key = (name.clone(), field.clone());
                    let before = kept.get(&key).map(|text| format!(" [{}]", Safe(text))).unwrap_or_default();
                    let needed = if is_needed { "" } else { ", or an empty line" };
                    say(format!("{}, {}{needed}:{before}", Safe(&field), Safe(&what)));
                    let line = typed.line().await?;
                    if !line.is_empty() {
                        kept.insert(key.clone(), line);
                    }
                    if let Some(text) = kept.get(&key) {
                        let of = schema["properties"].get(&field);
                        put(&mut body, std::slice::from_ref(&field), value(of, text));
                    }
                }
                writes.insert(name.clone(), body);
            }
        }
        let faults = form.faults(&outcome, &writes);
        if faults.is_empty() {
            say("a remark for whoever is next, or an empty line:");
            let remark = typed.line().await?;
            return Some(form.say(outcome, writes, remark));
        }
        say(format!("{} {}", toned(Tone::Bad, "not yet:"), Block(&faults.join("\n"))));
        say("an empty line keeps what is in brackets");
    }
}

async fn outcome(typed: &mut Typed, sheet: &Sheet) -> Option<Outcome> {
    if let [only] = sheet.outcomes.as_slice() {
        return Some(only.clone());
    }
    let words: Vec<&str> = sheet.outcomes.iter().map(Outcome::as_str).collect();
    loop {
        say(format!("outcome, one of {}:", words.join(", ")));
        let line = typed.line().await?;
        match chosen(sheet, Some(&line)) {
            Ok(outcome) => return Some(outcome),
            Err(stop) => say(Block(&stop.text)),
        }
    }
}

/// The outcome of this word, or the only one.
pub(super) fn chosen(sheet: &Sheet, word: Option<&str>) -> Result<Outcome, Stop> {
    let words = || sheet.outcomes.iter().map(Outcome::as_str).collect::<Vec<_>>().join(", ");
    match (word, sheet.outcomes.as_slice()) {
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Stop::input(format!("choose one with --outcome: {}", words()))),
        (Some(word), outcomes) => outcomes.iter().find(|of| of.as_str() == word).cloned().ok_or_else(|| {
            let meant = nearest(word, outcomes.iter().map(Outcome::as_str));
            let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
            Stop::input(format!("--outcome {word}: there are {}{meant}", words()))
        }),
    }
}

/// Puts a value where keys lead, making tables on the way.
pub(super) fn put(at: &mut Value, keys: &[String], value: Value) {
    let Some((last, before)) = keys.split_last() else {
        *at = value;
        return;
    };
    let mut at = at;
    for key in before {
        if !at.get(key).is_some_and(Value::is_object) {
            at[key.as_str()] = Value::Object(Map::new());
        }
        at = &mut at[key.as_str()];
    }
    at[last.as_str()] = value;
}

/// What was typed, as its schema wants it: a text as it stands; anything else as TOML, if it is that.
pub(super) fn value(schema: Option<&Value>, text: &str) -> Value {
    let is_text = schema.and_then(|schema| schema.get("type")).is_some_and(|kind| kind == "string");
    let read = || toml::from_str::<Value>(&format!("typed = {text}")).ok()?.get("typed").cloned();
    if is_text { Value::from(text) } else { read().unwrap_or_else(|| Value::from(text)) }
}
