//! What a call of `NAME.query` asks, whatever the engine: a named query, or a text where that is offered; and how it is
//! declared.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::query::Query;
use crate::failure::Failure;
use crate::id::Digest;
use crate::tool::part::args::{invalid, quoted, read};
use crate::topology::plan::ParamKind;

/// What can be asked.
#[derive(Debug, Clone, Copy)]
pub(in crate::tool) struct Offer<'c> {
    pub(in crate::tool) queries: &'c BTreeMap<String, Query>,
    pub(in crate::tool) free_sql: bool,
}

/// One statement with its parameters, taken from the arguments.
#[derive(Debug, Clone)]
pub(in crate::tool) struct Ask {
    pub(in crate::tool) sql: String,
    pub(in crate::tool) args: Map<String, Value>,
    /// The query that was named; none if the text was given.
    pub(in crate::tool) query: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    query: Option<String>,
    sql: Option<String>,
    #[serde(default)]
    args: Map<String, Value>,
}

impl Ask {
    /// What the arguments of a call of `tool` ask, of what is offered.
    ///
    /// # Errors
    /// What does not fit, for whoever gave them.
    pub(in crate::tool) fn of(tool: &str, args: Value, offer: Offer<'_>) -> Result<Self, Failure> {
        let args: Args = read(tool, args)?;
        match (args.query, args.sql) {
            (Some(name), None) => {
                let query = offer.queries.get(&name).ok_or_else(|| {
                    let known: Vec<_> = offer.queries.keys().map(String::as_str).collect();
                    invalid(format!("there is no query {}; there is: {}", quoted(&name), known.join(", ")))
                })?;
                fits(&name, query, &args.args)?;
                Ok(Self { sql: query.sql.clone(), args: args.args, query: Some(name) })
            }
            (None, Some(sql)) if offer.free_sql => Ok(Self { sql, args: args.args, query: None }),
            (None, Some(_)) => {
                Err(invalid("SQL text is not taken here (free_sql = true would allow it): name a query"))
            }
            _ if offer.free_sql => Err(invalid("give either \"query\" (a name) or \"sql\" (one SELECT)")),
            _ => Err(invalid("give \"query\": the name of a query")),
        }
    }

    /// Where the statement comes from, as the result tells it.
    pub(in crate::tool) fn source(&self) -> Value {
        match &self.query {
            Some(name) => json!({ "query": name }),
            None => json!({ "sql_digest": Digest::of("callsheet sql 1", &[self.sql.as_bytes()]) }),
        }
    }
}

fn fits(name: &str, query: &Query, args: &Map<String, Value>) -> Result<(), Failure> {
    if let Some(unknown) = args.keys().find(|key| !query.args.contains_key(*key)) {
        return Err(invalid(format!("the query {name} has no argument {}", quoted(unknown))));
    }
    for (arg, kind) in &query.args {
        let value = args.get(arg).ok_or_else(|| invalid(format!("the query {name} needs the argument {arg}")))?;
        let right = match kind {
            ParamKind::String => value.is_string(),
            ParamKind::Integer => value.is_i64(),
            ParamKind::Number => value.is_number(),
            ParamKind::Boolean => value.is_boolean(),
        };
        if !right {
            return Err(invalid(format!("the argument {arg} of the query {name} is to be a {}", kind.word())));
        }
    }
    Ok(())
}

/// The arguments; `tables` are those that free SQL may ask, with their columns and types, as far as they are known.
pub(in crate::tool) fn arguments(offer: &Offer<'_>, tables: &[String]) -> Value {
    let mut properties = Map::new();
    if !offer.queries.is_empty() {
        let names: Vec<_> = offer.queries.keys().collect();
        properties.insert("query".into(), json!({ "type": "string", "enum": names, "description": lines(offer) }));
    }
    if offer.free_sql {
        let known = if tables.is_empty() { String::new() } else { format!(" of {}", tables.join("; ")) };
        let description = match offer.queries.is_empty() {
            true => format!("one SELECT{known}"),
            false => format!("one SELECT{known}; instead of a query"),
        };
        properties.insert("sql".into(), json!({ "type": "string", "description": description }));
    }
    properties.insert("args".into(), values(offer));
    let required: &[&str] = match (offer.queries.is_empty(), offer.free_sql) {
        (false, false) => &["query"],
        (true, true) => &["sql"],
        _ => &[],
    };
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The arguments of a call that is answered: the first named query, or a look into `table`.
pub(in crate::tool) fn example(offer: &Offer<'_>, table: Option<&str>) -> Value {
    let Some((name, query)) = offer.queries.first_key_value() else {
        let from = table.map(|table| format!("* FROM {table} LIMIT 5"));
        return json!({ "sql": format!("SELECT {}", from.as_deref().unwrap_or("1 AS one")) });
    };
    let value = |(arg, kind): (&String, &ParamKind)| {
        let value = match kind {
            ParamKind::String => json!(arg.to_uppercase()),
            ParamKind::Integer => json!(1),
            ParamKind::Number => json!(1.5),
            ParamKind::Boolean => json!(true),
        };
        (arg.clone(), value)
    };
    let args: Map<String, Value> = query.args.iter().map(value).collect();
    if args.is_empty() { json!({ "query": name }) } else { json!({ "query": name, "args": args }) }
}

/// What each query answers, a line each.
fn lines(offer: &Offer<'_>) -> String {
    let line = |(name, query): (&String, &Query)| {
        let args: Vec<_> = query.args.keys().map(String::as_str).collect();
        format!("{name}({}): {}", args.join(", "), query.description)
    };
    offer.queries.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The values of parameters: those of the queries with their types. Which query needs which is in the queries' lines.
fn values(offer: &Offer<'_>) -> Value {
    let mut kinds: BTreeMap<&String, Vec<ParamKind>> = BTreeMap::new();
    for (arg, kind) in offer.queries.values().flat_map(|query| &query.args) {
        let known = kinds.entry(arg).or_default();
        if !known.contains(kind) {
            known.push(*kind);
        }
    }
    let typed = |(arg, kinds): (&String, Vec<ParamKind>)| match kinds[..] {
        [kind] => (arg.clone(), json!({ "type": kind.word() })),
        _ => (arg.clone(), json!({})),
    };
    let properties: Map<String, Value> = kinds.into_iter().map(typed).collect();
    if offer.free_sql {
        let description = "values of the :name parameters";
        return json!({ "type": "object", "properties": properties, "description": description });
    }
    let description = "the arguments that the query names";
    json!({ "type": "object", "properties": properties, "description": description, "additionalProperties": false })
}
