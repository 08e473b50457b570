//! The check `sources`: a ledger of claims. Each claim of an artefact names the result or the artefact that it comes from and
//! the place in it; the place is looked up, and every number of the artefact has to be that of a claim.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::{Check, Finding, Read, Sight};
use super::part::args::quoted;
use super::part::prose::found::Found;
use super::part::prose::written;
use super::part::prose::{moment, text};
use crate::run::body;
use crate::topology::pointer::{self, below};

/// The check's name.
pub const NAME: &str = "sources";

/// Keys that a value at a wrong place is told of.
const KEYS_MAX: usize = 12;

/// What `[checks.sources]` says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What lists of claims are called, wherever they stand.
    pub lists: Vec<String>,
    /// Fields whose numbers are no claims, such as a question that was asked.
    pub free: Vec<String>,
    /// Numbers that need no claim.
    pub numbers_allowed: Vec<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { lists: vec!["claims".to_owned()], free: Vec::new(), numbers_allowed: Vec::new() }
    }
}

/// A claim as it is written: in the list of claims, with whatever else its schema has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What it says.
    #[serde(default)]
    pub says: String,
    /// A tool that was called in the turn, `market.read`, or `market.read#2` for the second call of it; or an artefact that was
    /// read.
    pub source: String,
    /// JSON pointer into the result, or into the artefact.
    pub at: String,
    /// The number that stands there, as precisely as it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Value>,
    /// The words that stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
}

/// A claim, and where in the artefact it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// JSON pointer into the artefact.
    pub at: String,
    /// It, if it can be read as one.
    pub claim: Result<Claim, String>,
}

/// Where a claim comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum From<'a> {
    /// A call of the turn, by its place among all that the run has made.
    Call(usize, &'a Value),
    /// An artefact.
    Artefact(&'a Value),
}

/// The check.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sources;

impl Check for Sources {
    fn name(&self) -> &str {
        NAME
    }

    fn settings(&self) -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    fn looks_back(&self) -> bool {
        true
    }

    fn examine(&self, body: &Value, sight: &Sight<'_>, settings: &Value) -> Vec<Finding> {
        let mut found = Found::of(NAME);
        match serde_json::from_value::<Settings>(settings.clone()) {
            Ok(settings) => examine(body, sight, &settings, &mut found),
            // What is not understood is not passed over.
            Err(why) => found.must("settings", "", format!("[checks.sources] cannot be read: {why}")),
        }
        found.all
    }
}

fn examine(body: &Value, sight: &Sight<'_>, settings: &Settings, found: &mut Found) {
    let parts = parts(body, settings);
    let mut numbers = settings.numbers_allowed.clone();
    for entry in &parts.claims {
        // The numbers of a claim that does not hold are told of with it, and not once more.
        numbers.extend(entry.claim.iter().flat_map(claimed));
        if let Err(why) = entry.claim.as_ref().map_err(Clone::clone).and_then(|claim| holds(claim, sight)) {
            found.must("source", &entry.at, why);
        }
    }
    for (at, value) in &parts.numbers {
        if !numbers.iter().any(|known| (known - value).abs() < 1e-9) {
            found.must(
                "number",
                at,
                format!("{value} is the number of no claim: add a claim with its source, or leave it out"),
            );
        }
    }
    for (at, said) in &parts.texts {
        for number in unclaimed(said, &numbers) {
            let number = quoted(&number);
            found.must(
                "number",
                at,
                format!("{number} is the number of no claim: add a claim with its source, or leave it out"),
            );
        }
    }
}

/// The claims of an artefact, in their order.
pub fn claims(body: &Value, settings: &Value) -> Vec<Entry> {
    let settings = serde_json::from_value(settings.clone()).unwrap_or_default();
    parts(body, &settings).claims
}

/// What an artefact consists of, as the check reads it.
#[derive(Default)]
struct Parts {
    claims: Vec<Entry>,
    texts: Vec<(String, String)>,
    numbers: Vec<(String, f64)>,
}

/// What says where a claim comes from, and what stands there: no text of the artefact's own.
const POINTERS: [&str; 4] = ["source", "at", "number", "quote"];

fn parts(body: &Value, settings: &Settings) -> Parts {
    let mut parts = Parts::default();
    collect("", body, false, settings, &mut parts);
    parts
}

fn collect(at: &str, value: &Value, is_claim: bool, settings: &Settings, parts: &mut Parts) {
    match value {
        Value::String(text) => parts.texts.push((at.to_owned(), text.clone())),
        Value::Number(number) => parts.numbers.extend(number.as_f64().map(|number| (at.to_owned(), number))),
        Value::Array(list) => {
            for (nth, item) in list.iter().enumerate() {
                collect(&format!("{at}/{nth}"), item, false, settings, parts);
            }
        }
        Value::Object(map) => {
            for (key, inner) in map {
                let below = below(at, key);
                let is_free = settings.free.contains(key) || (is_claim && POINTERS.contains(&key.as_str()));
                match inner.as_array().filter(|_| settings.lists.contains(key)) {
                    Some(list) => {
                        for (nth, item) in list.iter().enumerate() {
                            let at = format!("{below}/{nth}");
                            collect(&at, item, true, settings, parts);
                            parts.claims.push(Entry { claim: read(item), at });
                        }
                    }
                    None if is_free => {}
                    None => collect(&below, inner, false, settings, parts),
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn read(item: &Value) -> Result<Claim, String> {
    let says = || "a claim says { source, at } and a number or a quote that stands there".to_owned();
    let claim = Claim::deserialize(item).map_err(|_| says())?;
    let is_number = claim.number.as_ref().is_none_or(|number| number.is_number() || number.is_null());
    if is_number { Ok(claim) } else { Err("the number of a claim is a number, not a text".to_owned()) }
}

/// The numbers for which a claim stands: its own, and those of the words that it quotes.
fn claimed(claim: &Claim) -> Vec<f64> {
    let own = claim.number.as_ref().and_then(Value::as_f64);
    let quoted = claim.quote.iter().flat_map(|quote| {
        let chars = written::chars(&text::plain(quote));
        let numbers = written::written(&chars, &moment::items(&chars));
        numbers.into_iter().flat_map(|(number, _)| number.readings.into_iter().map(|reading| reading.value))
    });
    own.into_iter().chain(quoted).collect()
}

/// The numbers of a text for which no claim stands. One that is rounded is the number that it is rounded from.
fn unclaimed(text: &str, known: &[f64]) -> Vec<String> {
    let chars = written::chars(&text::plain(text));
    let near = |value: f64, step: f64| known.iter().any(|known| (known.abs() - value).abs() <= 0.5 * step + 1e-9);
    let numbers = written::written(&chars, &moment::items(&chars)).into_iter();
    let open = numbers.filter(|(number, around)| {
        !written::is_no_claim(number, around)
            && !number.readings.iter().any(|reading| near(reading.value, reading.step))
    });
    open.map(|(number, _)| number.shown).collect()
}

/// Where `source` leads: to a call of the turn, or to an artefact that was read.
///
/// # Errors
/// A sentence that whoever wrote it can mend it by.
pub fn found<'a>(source: &str, sight: &Sight<'a>) -> Result<From<'a>, String> {
    let (name, nth) = match source.split_once('#') {
        Some((name, nth)) => {
            let wrong = || format!("{} is no call: write the tool, # and which call of it, from 1", quoted(source));
            (name, Some(nth.parse::<usize>().ok().and_then(|nth| nth.checked_sub(1)).ok_or_else(wrong)?))
        }
        None => (source, None),
    };
    let own = |read: &Read| read.is_own && read.tool.as_str() == name;
    let calls: Vec<(usize, &Read)> = sight.calls.iter().enumerate().filter(|(_, read)| own(read)).collect();
    match (calls.as_slice(), nth) {
        ([], None) => match sight.desk.iter().find(|(artefact, _)| artefact.as_str() == name) {
            Some((_, body)) => Ok(From::Artefact(body)),
            None => {
                Err(format!("there is no result and no artefact {}: there are {}", quoted(source), there_is(sight)))
            }
        },
        ([], Some(_)) => Err(format!("{name} was not called in this turn: there are {}", there_is(sight))),
        ([(place, read)], None) => Ok(From::Call(*place, &read.result)),
        // Who asks the same once more has the same twice.
        ([(place, read), others @ ..], None) if others.iter().all(|(_, other)| other.result == read.result) => {
            Ok(From::Call(*place, &read.result))
        }
        (many, None) => Err(format!(
            "{name} was called {} times in this turn: say which, {name}#1 to {name}#{}",
            many.len(),
            many.len()
        )),
        (calls, Some(nth)) => match calls.get(nth) {
            Some((place, read)) => Ok(From::Call(*place, &read.result)),
            None => Err(format!("{name} was called {} times in this turn, so there is no {source}", calls.len())),
        },
    }
}

fn there_is(sight: &Sight<'_>) -> String {
    let mut names: Vec<&str> = Vec::new();
    let tools = sight.calls.iter().filter(|read| read.is_own).map(|read| read.tool.as_str());
    for name in tools.chain(sight.desk.keys().map(|name| name.as_str())) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Whether what a claim says stands at its place.
fn holds(claim: &Claim, sight: &Sight<'_>) -> Result<(), String> {
    let source = &claim.source;
    let whole = match found(source, sight)? {
        From::Call(_, result) if !body::is_result(result) => return Err(format!("{source} gave no result")),
        From::Call(_, whole) | From::Artefact(whole) => whole,
    };
    let value =
        pointed(whole, &claim.at).map_err(|why| format!("{source} has nothing at {}: {why}", quoted(&claim.at)))?;
    let number = claim.number.as_ref().filter(|number| !number.is_null());
    let quote = claim.quote.as_deref().map(str::trim).filter(|quote| !quote.is_empty());
    if number.is_none() && quote.is_none() {
        return Err("a claim names the number, or quotes the words, that stand at its place".to_owned());
    }
    let place = format!("{source} at {}", if claim.at.is_empty() { "its top" } else { &claim.at });
    if value.is_array() || value.is_object() {
        return Err(format!("{place} is not one value: point at a number or a text in it, it has {}", keys(value)));
    }
    if let Some(number) = number {
        let there = value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        let there = there.ok_or_else(|| format!("{place} is no number: it is {}", short(value)))?;
        if !is_rounded(number, there) {
            return Err(format!("{place} is {}, and not {number}", short(value)));
        }
    }
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let all = value.as_str().map_or_else(|| value.to_string(), words);
    match quote.filter(|quote| !all.contains(&words(quote))) {
        Some(quote) => Err(format!("{} does not stand in {place}: quote its words exactly", quoted(quote))),
        None => Ok(()),
    }
}

/// Whether `said` is `there`, as precisely as it is said.
fn is_rounded(said: &Value, there: f64) -> bool {
    let text = said.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let step = 10_f64.powi(-i32::try_from(decimals).unwrap_or(300));
    said.as_f64().is_some_and(|said| (said - there).abs() <= 0.5 * step + 1e-9)
}

/// What a JSON pointer leads to.
fn pointed<'v>(whole: &'v Value, pointer: &str) -> Result<&'v Value, String> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err("write a JSON pointer, such as /rows/0/clicks".to_owned());
    }
    let mut value = whole;
    for key in pointer::keys(pointer) {
        let inner = match value {
            Value::Array(list) => key.parse::<usize>().ok().and_then(|nth| list.get(nth)),
            other => other.get(&key),
        };
        value = inner.ok_or_else(|| format!("before {} there is {}", quoted(&key), keys(value)))?;
    }
    Ok(value)
}

/// What can stand next in a pointer.
fn keys(value: &Value) -> String {
    match value {
        Value::Array(list) if list.is_empty() => "an empty list".to_owned(),
        Value::Array(list) => format!("/0 to /{}", list.len() - 1),
        Value::Object(map) => map.keys().take(KEYS_MAX).map(|key| format!("/{key}")).collect::<Vec<_>>().join(", "),
        other => format!("{}, which has no parts", short(other)),
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}
