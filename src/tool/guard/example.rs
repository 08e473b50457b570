//! An example of a rule as what the rule is tried on.

use serde_json::{Map, Value, json};

use super::super::check::Read;
use super::rule::{Example, Kind, Rule};

/// What a rule is tried on.
pub(super) struct Tried {
    pub(super) body: Value,
    pub(super) calls: Vec<Read>,
    pub(super) recipients: Option<u64>,
}

/// The key under which an example has rows that the run read.
const ROWS: &str = "rows";

pub(super) fn body(rule: &Rule, example: &Example) -> Tried {
    let default = if rule.kind == Kind::Subject { "subject" } else { "text" };
    let field = rule.fields.first().map_or(default, String::as_str);
    let alone = |value: Value| {
        let mut item = Map::new();
        item.insert(field.to_owned(), value);
        Value::Object(item)
    };
    let (body, rows, recipients) = match example {
        Example::Text(text) => (listed(rule, alone(Value::from(text.as_str()))), None, None),
        Example::Number(number) if rule.kind == Kind::Audience => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count of people in an example"
            )]
            let count = number.max(0.0) as u64;
            (json!({}), None, Some(count))
        }
        Example::Number(number) => (listed(rule, alone(json!(number))), None, None),
        Example::Body(fields) => {
            let mut fields: Map<String, Value> = fields.clone().into_iter().collect();
            let rows = fields.remove(ROWS);
            let top = rule.each.as_deref().and_then(|each| each.split('.').next());
            let whole = Value::Object(fields);
            // An example of an item may stand for the whole list.
            let is_item = top.is_some_and(|top| whole.get(top).is_none());
            (if is_item { listed(rule, whole) } else { whole }, rows, None)
        }
    };
    let calls = rows.map(|rows| Read::example(json!({ ROWS: rows }))).into_iter().collect();
    Tried { body, calls, recipients }
}

/// The item within the list that the rule is for.
fn listed(rule: &Rule, item: Value) -> Value {
    let Some(each) = &rule.each else { return item };
    each.rsplit('.').fold(json!([item]), |inner, key| json!({ key: inner }))
}
