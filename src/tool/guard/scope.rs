//! What a rule looks at: the texts and numbers of an artefact, or of something that would leave.

use serde_json::Value;

use super::super::part::shown::Shown;
use super::rule::Rule;
use crate::topology::pointer::below;

/// A text or a number, and where it stands.
pub(super) struct Piece {
    /// JSON pointer into the artefact, or the name of a part of what leaves.
    pub(super) at: String,
    /// The key that it stands under.
    pub(super) field: String,
    pub(super) value: Value,
}

impl Piece {
    pub(super) fn text(&self) -> &str {
        self.value.as_str().unwrap_or_default()
    }
}

/// What a rule holds for by itself: an artefact, an item of its list, something that would leave.
pub(super) struct Group {
    pub(super) at: String,
    pub(super) pieces: Vec<Piece>,
    /// How many people it reaches, of what would leave.
    pub(super) recipients: Option<u64>,
}

/// The groups of an artefact.
///
/// # Errors
/// If it has not the list that the rule speaks of.
pub(super) fn of_body(rule: &Rule, body: &Value) -> Result<Vec<Group>, String> {
    let group = |at: String, value: &Value| {
        let mut pieces = Vec::new();
        walk(&at, "", value, &mut pieces);
        pieces.retain(|piece| wanted(rule, piece));
        Group { at, pieces, recipients: None }
    };
    let Some(each) = &rule.each else { return Ok(vec![group(String::new(), body)]) };
    let list = each.split('.').try_fold(body, |at, key| at.get(key)).and_then(Value::as_array);
    let list = list.ok_or_else(|| format!("there is no list {each}, whose items the rule is for"))?;
    let base = format!("/{}", each.replace('.', "/"));
    Ok(list.iter().enumerate().map(|(nth, item)| group(format!("{base}/{nth}"), item)).collect())
}

fn wanted(rule: &Rule, piece: &Piece) -> bool {
    rule.fields.is_empty() || rule.fields.contains(&piece.field)
}

fn walk(at: &str, field: &str, value: &Value, pieces: &mut Vec<Piece>) {
    match value {
        Value::String(_) | Value::Number(_) => {
            pieces.push(Piece { at: at.to_owned(), field: field.to_owned(), value: value.clone() });
        }
        Value::Array(list) => {
            for (nth, item) in list.iter().enumerate() {
                walk(&format!("{at}/{nth}"), field, item, pieces);
            }
        }
        Value::Object(map) => {
            for (key, inner) in map {
                walk(&below(at, key), key, inner, pieces);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// What a part of something that leaves is called where a rule names its fields: texts are `text`, lists are `rows`, a header is its
/// name in small letters. Of headers, only the subject is looked at where no field is named.
pub(super) fn of_parts(rule: &Rule, parts: &[Shown], recipients: u64) -> Group {
    let piece = |part: &Shown| {
        let (at, field, text) = match part {
            Shown::Field { name, value } => (name.clone(), name.to_lowercase(), value.clone()),
            Shown::Text { name, text } => (name.clone(), "text".to_owned(), text.clone()),
            Shown::Rows(rows) => ("rows".to_owned(), "rows".to_owned(), rows.join("\n")),
            Shown::File { name, .. } => (name.clone(), "file".to_owned(), name.clone()),
        };
        let by_default = !matches!(part, Shown::Field { .. }) || field == "subject";
        let piece = Piece { at, field, value: Value::from(text) };
        let looked_at = if rule.fields.is_empty() { by_default } else { wanted(rule, &piece) };
        looked_at.then_some(piece)
    };
    Group { at: String::new(), pieces: parts.iter().filter_map(piece).collect(), recipients: Some(recipients) }
}
