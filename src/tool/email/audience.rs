//! The recipients of a sequence: read through the audience tool at prepare, checked row by row, written as CSV.

use std::collections::BTreeMap;

use lettre::Address;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::super::part::args::{invalid, permanent, quoted};
use super::super::{Call, Item, Tool};
use crate::failure::{Class, Failure};

/// Its name in the run's folder.
pub(super) const FILE: &str = "audience.csv";

/// Characters at which a spreadsheet takes a cell for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

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
pub(super) async fn resolve(tool: &dyn Tool, definition: &Definition, call: &Call) -> Result<List, Failure> {
    let ask = Call { args: json!({ "query": definition.query, "args": definition.args }), ..call.clone() };
    let answer = tool.call(ask).await.map_err(|why| Failure { reason: format!("audience: {}", why.reason), ..why })?;
    let answer: Answer = serde_json::from_value(answer)
        .map_err(|why| permanent(format!("audience: {} gives no columns and rows: {why}", tool.spec().name)))?;
    let size = answer.rows.len() as u64;
    if answer.truncated {
        return Err(permanent("audience: the result is cut off: raise the caps of its tool"));
    }
    if size == 0 {
        return Err(invalid(format!("audience: {} gives nobody", quoted(&definition.query))));
    }
    addresses(&answer)?;
    let csv = csv(&answer)?;
    let digest = Sha256::digest(&csv).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(List { size, said: definition.size, digest, csv })
}

fn addresses(answer: &Answer) -> Result<(), Failure> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (place, row) in answer.rows.iter().enumerate() {
        // Nobody of the team wrote the rows.
        let wrong = |why: String| Err(permanent(format!("audience: row {}: {why}", place + 1)));
        let Some(email) = row.get("email").and_then(Value::as_str) else {
            return wrong("has no text in the column email".to_owned());
        };
        if email.parse::<Address>().is_err() || email.starts_with(FORMULA) {
            return wrong(format!("{} is no address that a list can carry", quoted(email)));
        }
        if let Some(first) = seen.insert(email.to_lowercase(), place + 1) {
            return wrong(format!("{} is already in row {first}: let the query give each once", quoted(email)));
        }
    }
    Ok(())
}

fn csv(answer: &Answer) -> Result<Vec<u8>, Failure> {
    let bug = |why: String| Failure::new(Class::Bug, format!("audience.csv: {why}"));
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

/// Text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() }
}
