//! `callsheet tools`: what each tool takes, how it is called, what it reaches and how it repeats, and which agents use it.

use serde_json::{Map, Value, json};

use super::argument::{arguments, kind};
use super::exit::{Exit, Stop};
use super::layout;
use super::paint::{self, Safe, Tone, columns, out, raw, say, toned};
use super::session::Session;
use crate::service::error::Error;
use crate::service::tools::{Uncalled, Users, call as by_hand, tools as tools_of, users};
use crate::tool::Tool;
use crate::topology::check::{NamedQuery, Queries};
use crate::topology::fault::nearest;
use crate::topology::spec::{Reach, ToolSpec};
use crate::words::tool::{labels, reach, repeat};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Such as performance.query, or performance for all of its tools
    name: Option<String>,
    /// Calls the tool with these arguments, as JSON or as an inline table of TOML, and prints what it gives; no run is told
    #[arg(long, value_name = "ARGS", requires = "name")]
    call: Option<String>,
    /// Prints NDJSON: one JSON object for each tool
    #[arg(long)]
    json: bool,
}

/// How wide a line is where no terminal sets it.
const WIDTH: usize = 80;
/// Where texts beside a word begin.
const INDENT: usize = 12;

pub(super) async fn tools(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let tools = tools_of(&session.project).map_err(Error::Faulty)?;
    let is_wanted = |name: &str| match &args.name {
        Some(wanted) => name == wanted || name.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('.')),
        None => true,
    };
    let wanted: Vec<_> = tools.values().filter(|tool| is_wanted(tool.spec().name.as_str())).collect();
    if let (true, Some(wanted)) = (wanted.is_empty(), &args.name) {
        let names: Vec<&str> = tools.keys().map(|name| name.as_str()).collect();
        let meant =
            nearest(wanted, names.iter().copied()).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        return Err(Stop::input(format!("there is no tool {wanted}{meant}\nthere are: {}", names.join(", "))));
    }
    if let Some(typed) = &args.call {
        let [tool] = wanted.as_slice() else {
            let names: Vec<&str> = wanted.iter().map(|tool| tool.spec().name.as_str()).collect();
            return Err(Stop::input(format!("--call calls one tool: name it, of {}", names.join(", "))));
        };
        return call(tool, typed, args.json).await;
    }
    let Users { of: users, faulty } = users(&session.project);
    for tool in wanted {
        let (spec, queries) = (tool.spec(), tool.queries());
        let of = users.get(spec.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        if args.json {
            let used: Vec<Value> =
                of.iter().map(|(member, topology)| json!({ "member": member, "topology": topology })).collect();
            let results: Map<String, Value> =
                queries.into_iter().filter_map(|(name, NamedQuery { result, .. })| Some((name, result?))).collect();
            let example = example(spec, tool.example()).1;
            paint::json(&json!({ "tool": spec, "example": example, "results_by_query": results, "used_by": used }));
        } else {
            print(spec, tool.example(), &queries, of);
        }
    }
    if !args.json && args.name.is_none() {
        say("callsheet tools NAME shows one of them alone");
    }
    if !faulty.is_empty() && !args.json {
        say(format!(
            "{} has faults, so this list does not say who uses the tools there: callsheet check tells them",
            Safe(&faulty.join(", "))
        ));
    }
    Ok(Exit::Done)
}

/// Calls a tool by hand, and prints its result.
async fn call(tool: &Tool, typed: &str, as_line: bool) -> Result<Exit, Stop> {
    let name = &tool.spec().name;
    let args = written(typed)?;
    let result = by_hand(tool, args).await.map_err(|why| match why {
        Uncalled::ActsOut => Stop::input(format!(
            "{name} acts on the world: only a run does that, with what a person approved. callsheet run --rehearse shows what it \
             would do"
        )),
        Uncalled::Args(wrong) => {
            Stop::input(format!("{}\ncallsheet tools {name} shows what it takes", wrong.join("\n")))
        }
        Uncalled::Failed(why) => Stop::failed(format!("{name}: {}", why.reason)),
        Uncalled::Silent(after_ms) => Stop::failed(format!("{name} did not answer within {after_ms} ms")),
    })?;
    if as_line {
        paint::json(&result);
    } else {
        let pretty = serde_json::to_string_pretty(&result).unwrap_or_default();
        pretty.lines().for_each(|line| raw(Safe(line)));
    }
    Ok(Exit::Done)
}

/// Arguments as they are typed: JSON, or the inline table that a rehearsal has.
fn written(typed: &str) -> Result<Value, Stop> {
    let typed = typed.trim();
    let typed = typed.strip_prefix("args").and_then(|rest| rest.trim_start().strip_prefix('=')).unwrap_or(typed);
    let table = || {
        toml::from_str::<Value>(&format!("args = {typed}"))
            .ok()
            .and_then(|mut table| table.get_mut("args").map(Value::take))
    };
    let args = serde_json::from_str(typed).ok().or_else(table).filter(Value::is_object);
    args.ok_or_else(|| {
        Stop::input("--call takes the arguments as JSON, '{\"query\": \"x\"}', or as TOML, '{ query = \"x\" }'")
    })
}

fn print(spec: &ToolSpec, works: Option<Value>, queries: &Queries, users: &[(String, String)]) {
    out(toned(Tone::Strong, Safe(spec.name.as_str())));
    told("", &spec.description);
    for (name, schema, is_required) in arguments(&spec.args) {
        let needed = if is_required { ", required" } else { "" };
        told(&name, &format!("{}{needed}", kind(schema)));
        let description = schema["description"].as_str().unwrap_or_default();
        description.lines().for_each(|line| told("", line));
        for (inner, of, is_required) in arguments(schema) {
            let needed = if is_required { ", required" } else { "" };
            told("", &format!("{name}.{inner}: {}{needed}", kind(of)));
        }
    }
    // As it is typed, however long: a table of one line cannot be wrapped.
    let (place, call) = example(spec, works);
    told("example", place);
    raw(format!("{:INDENT$}{}", "", Safe(&call)));
    if spec.reach == Reach::ActsOut {
        told("", "ARTEFACT stands for an artefact of your team, or for a path into one");
    }
    given(spec, queries);
    told("reach", reach(spec));
    told("repeat", repeat(spec));
    told("results", &labels(spec));
    let used: Vec<String> = users.iter().map(|(member, topology)| format!("{member} of {topology}")).collect();
    told("used by", if used.is_empty() { "nobody yet".to_owned() } else { used.join(", ") }.as_str());
    out("");
}

/// Prints what a tool gives, and what a template makes of it.
fn given(spec: &ToolSpec, queries: &Queries) {
    let Some(result) = &spec.result else { return };
    let of_query = |(name, known): (&String, &NamedQuery)| Some((name.clone(), known.result.clone()?));
    let of_queries: Vec<(String, Value)> = queries.iter().filter_map(of_query).collect();
    told("gives", &shape(result));
    for (name, result) in &of_queries {
        let rows = arguments(&result["properties"]["rows"]["items"]);
        let columns: Vec<&str> = rows.iter().map(|(column, ..)| column.as_str()).collect();
        told("", &format!("rows of {name}: {}", columns.join(", ")));
    }
    let example = of_queries.first().map_or(result, |(_, result)| result);
    told("", &format!("in a template after that call: {{{{ {} }}}}", path("found".to_owned(), example)));
}

/// What a result is, as it would be written: `{ rows: list of { ... }, row_count: integer }`.
fn shape(schema: &Value) -> String {
    let fields = arguments(schema);
    if fields.is_empty() {
        let items = &schema["items"];
        let inner = if items["properties"].is_object() { format!(" of {}", shape(items)) } else { String::new() };
        return format!("{}{inner}", kind(schema));
    }
    let field = |(name, of, is_there): (String, &Value, bool)| {
        format!("{name}{}: {}", if is_there { "" } else { "?" }, shape(of))
    };
    let fields: Vec<String> = fields.into_iter().map(field).collect();
    let nothing = if kind(schema).contains("null") { " or null" } else { "" };
    format!("{{ {} }}{nothing}", fields.join(", "))
}

/// A path to something in a result: of a list its first item, of an object its first field that is said to be there.
fn path(to: String, schema: &Value) -> String {
    if schema["items"].is_object() {
        return path(format!("{to}[0]"), &schema["items"]);
    }
    let fields = arguments(schema);
    // What is known of a server's tool stands in `data`; else a list of rows tells more than a number beside it.
    let data = fields.iter().find(|(name, of, _)| name == "data" && of["properties"].is_object());
    let listed = fields.iter().find(|(_, of, is_there)| *is_there && of["items"]["properties"].is_object());
    match data.or(listed).or(fields.first()) {
        Some((name, of, _)) => path(format!("{to}.{name}"), of),
        None => to,
    }
}

/// Prints a word and a text beside it.
fn told(word: &str, text: &str) {
    if !(word.is_empty() && text.is_empty()) {
        let line = format!("  {:<10}{}", Safe(word), Safe(text));
        out(layout::hung(line.trim_end(), INDENT, columns().unwrap_or(WIDTH)));
    }
}

/// Where a call is written, and the call: in a rehearsal, or as a member of a team. `works` are arguments of one that works,
/// where the tool has some.
fn example(spec: &ToolSpec, works: Option<Value>) -> (&'static str, String) {
    match spec.reach {
        Reach::ActsOut => {
            let args = arguments(&spec.args).into_iter().filter(|(_, _, is_required)| *is_required);
            let args: Vec<String> = args.map(|(name, _, _)| format!("{name} = \"ARTEFACT\"")).collect();
            let args = args.join(", ");
            ("in [team] of a topology:", format!("publisher = {{ tool = \"{}\", args = {{ {args} }} }}", spec.name))
        }
        Reach::Inside | Reach::ReadsOut => {
            let args = as_toml(&works.unwrap_or_else(|| value(&spec.args, "")));
            ("in a rehearsal:", format!("calls = [{{ tool = \"{}\", args = {args}, as = \"found\" }}]", spec.name))
        }
    }
}

/// A value that a schema takes.
fn value(schema: &Value, name: &str) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(several) => several.first().and_then(Value::as_str),
        one => one.as_str(),
    };
    match kind {
        Some("object") => {
            let mut object = Map::new();
            for (inner, of, is_required) in arguments(schema) {
                if is_required {
                    object.insert(inner.clone(), value(of, &inner));
                }
            }
            Value::Object(object)
        }
        Some("array") => json!([value(&schema["items"], name)]),
        Some("integer") => json!(1),
        Some("number") => json!(1.5),
        Some("boolean") => json!(true),
        _ => Value::from(name.to_uppercase()),
    }
}

fn as_toml(value: &Value) -> String {
    match value {
        Value::Object(object) if object.is_empty() => "{}".to_owned(),
        Value::Object(object) => {
            // What is plain stands first: the name of a query before the arguments of it.
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(_, value)| value.is_object() || value.is_array());
            let entries: Vec<String> =
                entries.into_iter().map(|(key, value)| format!("{key} = {}", as_toml(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(as_toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
