//! The recipients of a sequence: read through the audience tool at prepare, checked row by row, written as CSV. Read once
//! more when the list leaves: whoever is no longer among them is left out, and nobody is added.

use std::collections::{BTreeMap, BTreeSet};

use lettre::Address;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::part::args::{invalid, permanent, quoted};
use super::super::part::record::sha256;
use super::super::{Approved, Call, Callable, Item};
use crate::failure::{Class, Failure};
use crate::id::EffectId;

/// Its name in the run's folder.
pub(super) const FILE: &str = "audience.csv";

/// Characters at which a spreadsheet takes a cell for a formula, in each width that one reads as the same.
const FORMULA: [char; 12] = [
    '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\u{fe66}', '\u{fe62}', '\u{fe63}', '\u{fe6b}',
];

/// Characters at which some spreadsheet begins another cell or line, whatever the quotes say.
const BREAKS: [char; 6] = ['\t', '\n', '\r', ';', '\u{b}', '\u{c}'];

/// Whom to reach, by query; an artefact may have more fields.
#[derive(Deserialize)]
pub(super) struct Definition {
    query: String,
    #[serde(default)]
    args: Map<String, Value>,
    /// How many there were when it was written: an estimate. Who is counted is who is there when it is prepared.
    size: u64,
}

/// The recipients.
pub(super) struct List {
    /// How many.
    pub(super) size: u64,
    /// How many its artefact says.
    said: u64,
    /// SHA-256 of the CSV, as `sha256sum` prints it.
    pub(super) digest: String,
    csv: Vec<u8>,
    again: Question,
}

/// How the recipients are asked for: at prepare, and again when the list leaves.
#[derive(Clone, Serialize, Deserialize)]
struct Question {
    query: String,
    args: Map<String, Value>,
}

impl List {
    /// How many, and how many the artefact says, if that is another number: it is of another time.
    fn title(&self) -> String {
        match self.said == self.size {
            true => format!("{} people", self.size),
            false => format!("{} people, counted anew (the audience says {})", self.size, self.said),
        }
    }

    /// The slot of the list itself; the people in it are counted by each mail.
    pub(super) fn item(&self) -> Item {
        Item {
            key: FILE.to_owned(),
            recipient: "the mail platform's list".to_owned(),
            recipients: 0,
            title: self.title(),
            media_type: "text/csv".to_owned(),
            bytes: self.csv.clone(),
            again: Some(json!(self.again)),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    columns: Vec<String>,
    rows: Vec<Map<String, Value>>,
    #[serde(default)]
    truncated: bool,
}

/// Asks `tool` for the people of `definition`.
pub(super) async fn resolve(tool: &dyn Callable, definition: &Definition, effect: EffectId) -> Result<List, Failure> {
    let again = Question { query: definition.query.clone(), args: definition.args.clone() };
    let answer = ask(tool, &again, effect).await?;
    let size = answer.rows.len() as u64;
    if size == 0 {
        return Err(invalid(format!("audience: {} gives nobody", quoted(&definition.query))));
    }
    addresses(&answer)?;
    let csv = csv(&answer)?;
    let digest = sha256(&csv).to_string();
    Ok(List { size, said: definition.size, digest, csv, again })
}

async fn ask(tool: &dyn Callable, question: &Question, effect: EffectId) -> Result<Answer, Failure> {
    let ask = Call { effect, args: json!(question) };
    let answer = tool.call(ask).await.map_err(|why| Failure { reason: format!("audience: {}", why.reason), ..why })?;
    let answer: Answer = serde_json::from_value(answer)
        .map_err(|why| permanent(format!("audience: {} gives no columns and rows: {why}", tool.spec().name)))?;
    if answer.truncated {
        return Err(permanent("audience: the result is cut off: raise the caps of its tool"));
    }
    Ok(answer)
}

/// What is wrong with an audience when it is written: its people are asked for and counted, and forgotten again.
pub(super) async fn foresee(tool: &dyn Callable, call: Call) -> Result<Vec<String>, Failure> {
    // Its schema tells what is wrong with its shape.
    let Ok(definition) = serde_json::from_value::<Definition>(call.args) else { return Ok(Vec::new()) };
    match resolve(tool, &definition, call.effect).await {
        Ok(list) if list.size != definition.size => {
            let (said, size) = (definition.size, list.size);
            Ok(vec![format!("audience: size says {said}, and {} gives {size}", quoted(&definition.query))])
        }
        Ok(_) => Ok(Vec::new()),
        Err(why) if matches!(why.class, Class::Invalid | Class::Policy) => Ok(vec![why.reason]),
        Err(why) => Err(why),
    }
}

/// The approved list without the rows of those who are no longer among the people that its query gives, and who they
/// are. What stays is byte for byte what was approved.
pub(super) async fn without_withdrawn(
    tool: &dyn Callable,
    mut item: Approved,
) -> Result<(Approved, Vec<String>), Failure> {
    let unknown = "it was approved under a callsheet that did not note how its people are asked for, so consent cannot be read once more: discard it and run the campaign anew";
    let again = item.item.again.clone().ok_or_else(|| permanent(format!("audience: {unknown}")))?;
    let question: Question = super::super::part::args::read("audience", again)?;
    let answer = ask(tool, &question, item.effect).await?;
    let emails = answer.rows.iter().filter_map(|row| row.get("email").and_then(Value::as_str));
    let may: BTreeSet<String> = emails.map(str::to_lowercase).collect();
    let (bytes, dropped) = only(&item.item.bytes, &may)?;
    item.item.bytes = bytes;
    Ok((item, dropped))
}

/// The rows of `csv` whose address is one of `may`, unchanged, and the addresses of the others.
fn only(csv: &[u8], may: &BTreeSet<String>) -> Result<(Vec<u8>, Vec<String>), Failure> {
    let bug = |why: String| Failure::new(Class::Bug, format!("{FILE}: {why}"));
    let mut reader = csv::Reader::from_reader(csv);
    let headers = reader.headers().map_err(|why| bug(why.to_string()))?.clone();
    let column = headers.iter().position(|name| name == "email").ok_or_else(|| bug("no column email".to_owned()))?;
    let rows = reader.into_records().collect::<Result<Vec<_>, _>>().map_err(|why| bug(why.to_string()))?;
    let place = |row: &csv::StringRecord| row.position().and_then(|at| usize::try_from(at.byte()).ok());
    let starts =
        rows.iter().map(place).collect::<Option<Vec<_>>>().ok_or_else(|| bug("a row is nowhere".to_owned()))?;
    let ends = starts.iter().skip(1).copied().chain([csv.len()]);
    let mut kept = csv[..starts.first().copied().unwrap_or(csv.len())].to_vec();
    let mut dropped = Vec::new();
    for ((row, start), end) in rows.iter().zip(&starts).zip(ends) {
        let email = row.get(column).unwrap_or_default();
        if may.contains(&email.to_lowercase()) {
            kept.extend_from_slice(&csv[*start..end]);
        } else {
            dropped.push(email.to_owned());
        }
    }
    Ok((kept, dropped))
}

fn addresses(answer: &Answer) -> Result<(), Failure> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (place, row) in answer.rows.iter().enumerate() {
        // Nobody of the team wrote the rows.
        let wrong = |why: String| Err(permanent(format!("audience: row {}: {why}", place + 1)));
        let Some(email) = row.get("email").and_then(Value::as_str) else {
            return wrong("has no text in the column email".to_owned());
        };
        if email.parse::<Address>().is_err() || harmless(email) != email {
            return wrong(format!("{} is no address that a list can carry", quoted(email)));
        }
        if let Some(first) = seen.insert(email.to_lowercase(), place + 1) {
            return wrong(format!("{} is already in row {first}: let the query give each once", quoted(email)));
        }
    }
    Ok(())
}

fn csv(answer: &Answer) -> Result<Vec<u8>, Failure> {
    let bug = |why: String| Failure::new(Class::Bug, format!("{FILE}: {why}"));
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(answer.columns.iter().map(|name| harmless(name))).map_err(|why| bug(why.to_string()))?;
    for row in &answer.rows {
        let cells = answer.columns.iter().map(|column| match row.get(column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => harmless(text),
            Some(other) => other.to_string(),
        });
        csv.write_record(cells).map_err(|why| bug(why.to_string()))?;
    }
    csv.into_inner().map_err(|why| bug(why.to_string()))
}

/// Text that no spreadsheet takes for a formula: not at its start, and not where one begins another cell within it.
fn harmless(text: &str) -> String {
    let mut safe = String::new();
    for piece in text.split_inclusive(BREAKS) {
        let begins = piece.trim_start_matches(|c: char| is_passed_over(c)).starts_with(FORMULA);
        safe.push_str(if begins { "'" } else { "" });
        safe.push_str(piece);
    }
    let passed = text.trim_start_matches(|c: char| is_passed_over(c) || BREAKS.contains(&c));
    let hidden = passed.len() < text.len() && passed.starts_with(FORMULA) && !safe.starts_with('\'');
    if hidden { format!("'{safe}") } else { safe }
}

/// What may stand before a formula and is dropped by some: spaces, quotes, what nobody sees.
fn is_passed_over(c: char) -> bool {
    let unseen = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let space = c.is_whitespace() || c.is_control();
    (space && !BREAKS.contains(&c)) || unseen || c == '"'
}
