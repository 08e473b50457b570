//! The recipients of a sequence: read through the audience tool at prepare, checked row by row, written as CSV; a share of
//! them may be held out. Read once more when something leaves for them: whoever is no longer among them is left out, and
//! nobody is added.

use std::collections::{BTreeMap, BTreeSet};

use lettre::Address;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::part::args::{invalid, permanent, quoted};
use super::super::part::record::sha256;
use super::super::{Approved, Call, Callable, Item};
use crate::failure::{Class, Failure};
use crate::id::{Digest, EffectId, RunId};

/// Its name in the run's folder.
pub(super) const FILE: &str = "audience.csv";
/// The name of the list of those who are held out.
pub(super) const HELD_OUT: &str = "holdout.csv";
/// Whom these lists are for.
const LIST_OF: &str = "the mail platform's list";

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

/// A share of the people who get nothing, so that what the mails did can be told from what would have been anyway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holdout {
    pub(super) percent: u8,
    /// The run, which draws them: however often it prepares the same list, it holds out the same people.
    pub(super) seed: RunId,
}

/// The recipients.
pub(super) struct List {
    /// How many.
    pub(super) size: u64,
    /// SHA-256 of the CSV, as `sha256sum` prints it.
    pub(super) digest: String,
    /// Whom a mail goes to, in the order of the query.
    pub(super) people: Vec<Person>,
    title: String,
    csv: Vec<u8>,
    held_out: Option<(String, Vec<u8>)>,
    again: Question,
}

/// A recipient.
pub(super) struct Person {
    pub(super) email: Address,
    /// What the query says of them, by column.
    pub(super) row: Map<String, Value>,
}

/// How the recipients are asked for: at prepare, and again when the list leaves.
#[derive(Clone, Serialize, Deserialize)]
struct Question {
    query: String,
    args: Map<String, Value>,
}

impl List {
    /// The slots of the lists themselves, for `whom`; the people in them are counted by each mail.
    pub(super) fn items(&self, whom: &str) -> Vec<Item> {
        let item = |key: &str, title: &str, bytes: &[u8]| Item {
            key: key.to_owned(),
            recipient: whom.to_owned(),
            recipients: 0,
            title: title.to_owned(),
            media_type: "text/csv".to_owned(),
            bytes: bytes.to_owned(),
            after_ms: 0,
            again: Some(self.again()),
        };
        let held_out = self.held_out.as_ref().map(|(title, bytes)| item(HELD_OUT, title, bytes));
        std::iter::once(item(FILE, &self.title, &self.csv)).chain(held_out).collect()
    }

    /// For the mail platform.
    pub(super) fn for_platform(&self) -> Vec<Item> {
        self.items(LIST_OF)
    }

    /// What is asked once more when something leaves for them.
    pub(super) fn again(&self) -> Value {
        json!(self.again)
    }
}

#[derive(Deserialize)]
struct Answer {
    columns: Vec<String>,
    rows: Vec<Map<String, Value>>,
    #[serde(default)]
    truncated: bool,
}

/// Asks `tool` for the people of `definition`, of whom a share may be held out.
pub(super) async fn resolve(
    tool: &dyn Callable,
    definition: &Definition,
    effect: EffectId,
    holdout: Option<Holdout>,
) -> Result<List, Failure> {
    let again = Question { query: definition.query.clone(), args: definition.args.clone() };
    let answer = ask(tool, &again, effect).await?;
    let all = answer.rows.len();
    if all == 0 {
        return Err(invalid(format!("audience: {} gives nobody", quoted(&definition.query))));
    }
    let emails = addresses(&answer)?;
    let drawn = holdout.map(|of| of.drawn(&emails)).unwrap_or_default();
    let is_drawn = |email: &Address| drawn.contains(&email.to_string().to_lowercase());
    let part = |held: bool| answer.rows.iter().zip(&emails).filter(move |(_, email)| is_drawn(email) == held);
    let people: Vec<Person> =
        part(false).map(|(row, email)| Person { email: email.clone(), row: row.clone() }).collect();
    let csv = csv(&answer.columns, people.iter().map(|person| &person.row))?;
    // How many the artefact says, if that is another number: it is of another time.
    let counted = match definition.size == all as u64 {
        true => format!("{all} people"),
        false => format!("{all} people, counted anew (the audience says {})", definition.size),
    };
    let held: Vec<_> = part(true).map(|(row, _)| row).collect();
    let title = if held.is_empty() { counted.clone() } else { format!("{} of {counted}", people.len()) };
    let held_out = holdout.map(|of| {
        let title = format!("held out: {} of {all} people ({} %, drawn by the run)", held.len(), of.percent);
        Ok((title, self::csv(&answer.columns, held.iter().copied())?))
    });
    let (size, digest) = (people.len() as u64, sha256(&csv).to_string());
    Ok(List { size, digest, people, title, csv, held_out: held_out.transpose()?, again })
}

impl Holdout {
    /// Those whom the seed draws of `emails`: the share, rounded down.
    fn drawn(self, emails: &[Address]) -> BTreeSet<String> {
        let count = emails.len() * usize::from(self.percent) / 100;
        let emails = emails.iter().map(|email| email.to_string().to_lowercase());
        let mut ranked: Vec<(Digest, String)> = emails
            .map(|email| (Digest::of("callsheet holdout 1", &[self.seed.0.as_bytes(), email.as_bytes()]), email))
            .collect();
        ranked.sort();
        ranked.into_iter().take(count).map(|(_, email)| email).collect()
    }
}

async fn ask(tool: &dyn Callable, question: &Question, effect: EffectId) -> Result<Answer, Failure> {
    let ask = Call { effect, args: json!(question), is_live: false };
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
    match resolve(tool, &definition, call.effect, None).await {
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
    let may = may_get(tool, item.item.again.as_ref(), item.effect).await?;
    let (bytes, dropped) = only(&item.item.bytes, &may)?;
    item.item.bytes = bytes;
    Ok((item, dropped))
}

/// Who may be written to now: the addresses, in lower case, that the question of an item gives.
pub(super) async fn may_get(
    tool: &dyn Callable,
    again: Option<&Value>,
    effect: EffectId,
) -> Result<BTreeSet<String>, Failure> {
    let unknown = "it was approved under a callsheet that did not note how its people are asked for, so consent cannot be read once more: discard it and run the campaign anew";
    let again = again.cloned().ok_or_else(|| permanent(format!("audience: {unknown}")))?;
    let question: Question = super::super::part::args::read("audience", again)?;
    let answer = ask(tool, &question, effect).await?;
    let emails = answer.rows.iter().filter_map(|row| row.get("email").and_then(Value::as_str));
    Ok(emails.map(str::to_lowercase).collect())
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

fn addresses(answer: &Answer) -> Result<Vec<Address>, Failure> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut emails = Vec::new();
    for (place, row) in answer.rows.iter().enumerate() {
        // Nobody of the team wrote the rows.
        let wrong = |why: String| Err(permanent(format!("audience: row {}: {why}", place + 1)));
        let Some(email) = row.get("email").and_then(Value::as_str) else {
            return wrong("has no text in the column email".to_owned());
        };
        match email.parse::<Address>() {
            Ok(address) if harmless(email) == email => emails.push(address),
            _ => return wrong(format!("{} is no address that a list can carry", quoted(email))),
        }
        if let Some(first) = seen.insert(email.to_lowercase(), place + 1) {
            return wrong(format!("{} is already in row {first}: let the query give each once", quoted(email)));
        }
    }
    Ok(emails)
}

fn csv<'r>(columns: &[String], rows: impl Iterator<Item = &'r Map<String, Value>>) -> Result<Vec<u8>, Failure> {
    let bug = |why: String| Failure::new(Class::Bug, format!("{FILE}: {why}"));
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(columns.iter().map(|name| harmless(name))).map_err(|why| bug(why.to_string()))?;
    for row in rows {
        let cells = columns.iter().map(|column| match row.get(column) {
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
