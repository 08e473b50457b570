//! `rehearsals/NAME.toml` as written: what each agent says, and the tests.

use std::sync::Arc;

use serde_json::Value;
use toml::de::DeTable;

use super::walk::{Node, Reader};
use super::{Entries, Read, SMALL_MAX, Tree};
use crate::topology::fault::{At, Code, Fault, Place, nearest};
use crate::topology::plan::ASK_TOOL;

/// A rehearsal file.
#[derive(Debug)]
pub struct Rehearsal {
    /// Its start.
    pub top: Place,
    /// `[[AGENT]]`, by agent.
    pub agents: Entries<Vec<Line>>,
    /// `[[test]]`
    pub tests: Vec<Test>,
}

impl Rehearsal {
    /// Whom its lines ask, as far as that stands there.
    pub fn asked(&self) -> impl Iterator<Item = &str> {
        let calls = self.agents.iter().flat_map(|(_, lines)| lines).flat_map(|line| &line.calls);
        calls.filter(|call| call.tool.value == ASK_TOOL).filter_map(|call| call.args.value.get("to")?.as_str())
    }
}

/// One scripted turn.
#[derive(Debug)]
pub struct Line {
    /// Where it is.
    pub place: Place,
    /// When it is said.
    pub when: Option<At<String>>,
    /// Tool calls.
    pub calls: Vec<Call>,
    /// The outcome.
    pub outcome: Option<At<String>>,
    /// The note.
    pub note: Option<At<String>>,
    /// The artefacts.
    pub writes: Entries<Tree>,
}

/// A tool call.
#[derive(Debug)]
pub struct Call {
    /// The tool.
    pub tool: At<String>,
    /// Its arguments.
    pub args: Tree,
    /// The result's name.
    pub name: At<String>,
}

/// A test.
#[derive(Debug)]
pub struct Test {
    /// Its name.
    pub name: At<String>,
    /// The run's parameters.
    pub params: Entries<Tree>,
    /// What persons answer, in order.
    pub decisions: Vec<At<String>>,
    /// How the run ends.
    pub status: Option<At<String>>,
    /// The expected `agent:outcome`s.
    pub path: Vec<At<String>>,
    /// Parts of the expected artefacts.
    pub artefacts: Entries<Tree>,
    /// How many approvals are asked for.
    pub asks: Option<u64>,
}

/// Reads the text of a rehearsal file.
pub fn read(file: &Arc<str>, text: &str) -> Read<Rehearsal> {
    super::read(file, text, rehearsal)
}

fn rehearsal(reader: &mut Reader, table: &DeTable<'_>) -> Option<Rehearsal> {
    let mut rehearsal = Rehearsal { top: reader.place(0..0), agents: vec![], tests: vec![] };
    let only: DeTable<'_> = table
        .iter()
        .filter(|(key, _)| key.get_ref() == "schema_version")
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let keys = reader.keys(&only, 0..0, &["schema_version"]);
    reader.schema_version(&keys);
    let mut strays = vec![];
    for (key, node) in table {
        let name: &str = key.get_ref();
        if name == "schema_version" {
            continue;
        }
        if let Some((heading, inner)) = stray(table, name, node) {
            strays.push((heading, values(reader, Some(inner))));
            continue;
        }
        if let Some(inner) = node.get_ref().as_table().filter(|inner| is_team(inner)) {
            team(reader, name, inner, &mut rehearsal.agents);
            continue;
        }
        let Some(array) = node.get_ref().as_array() else {
            let one = single(reader, name, node);
            rehearsal.agents.extend(one.map(|line| (reader.at(key.span(), name.to_owned()), vec![line])));
            continue;
        };
        if name == "test" {
            rehearsal.tests.extend(array.iter().filter_map(|node| test(reader, node)));
        } else {
            let lines = array.iter().filter_map(|node| line(reader, node)).collect();
            rehearsal.agents.push((reader.at(key.span(), name.to_owned()), lines));
        }
    }
    // TOML puts what is below a heading to the last table of that name: here to the last line under the misspelt one.
    for (heading, writes) in strays {
        let lines = rehearsal.agents.iter_mut().find(|(name, _)| name.value == heading).map(|(_, lines)| lines);
        if let Some(line) = lines.and_then(|lines| lines.last_mut()) {
            line.writes.extend(writes);
        }
    }
    Some(rehearsal)
}

/// Whether a table is the lines of a team's members, as `[[research.watcher]]` begins them, and no line itself.
fn is_team(table: &DeTable<'_>) -> bool {
    let is_member =
        |key: &str, node: &Node<'_>| !LINE.contains(&key) && (node.get_ref().is_array() || node.get_ref().is_table());
    !table.is_empty() && table.iter().all(|(key, node)| is_member(key.get_ref(), node))
}

fn team(reader: &mut Reader, name: &str, table: &DeTable<'_>, agents: &mut Entries<Vec<Line>>) {
    for (key, node) in table {
        let name = format!("{name}.{}", key.get_ref());
        match (node.get_ref().as_array(), node.get_ref().as_table()) {
            (Some(array), _) => {
                let lines = array.iter().filter_map(|node| line(reader, node)).collect();
                agents.push((reader.at(key.span(), name), lines));
            }
            (_, Some(inner)) => team(reader, &name, inner, agents),
            _ => {}
        }
    }
}

/// Keys of a line.
const LINE: [&str; 5] = ["when", "calls", "outcome", "note", "writes"];

/// `[editor]` for `[[editor]]`: told, and read as the one line that it is.
/// What an agent writes whose own heading is misspelt, which is told: that heading, and what is written.
fn stray<'t>(table: &'t DeTable<'_>, name: &str, node: &'t Node<'_>) -> Option<(String, &'t Node<'t>)> {
    let inner = node.get_ref().as_table()?;
    let others = table.iter().filter(|(_, other)| other.get_ref().is_array()).map(|(key, _)| key.get_ref().as_ref());
    let heading = nearest(name, others)?;
    let writes = inner.get("writes").filter(|_| inner.len() == 1)?;
    Some((heading.to_owned(), writes))
}

fn single(reader: &mut Reader, name: &str, node: &Node<'_>) -> Option<Line> {
    if !node.get_ref().is_table() {
        reader.wrong(node, &format!("a list of tables; each begins with [[{name}]]"));
        return None;
    }
    let place = reader.place(node.span());
    let (what, instead) = (format!("[{name}] is one table"), format!("write [[{name}]], once for each line"));
    let fault = Fault::new(Code::WrongValue, &place, what, instead);
    reader.faults.push(fault.with_edit(place, format!("[[{name}]]")));
    if name == "test" { None } else { line(reader, node) }
}

fn line(reader: &mut Reader, node: &Node<'_>) -> Option<Line> {
    let keys = reader.table(node, &LINE)?;
    let calls = match keys.get("calls").map(|node| (node, node.get_ref().as_array())) {
        None => vec![],
        Some((_, Some(array))) => array.iter().filter_map(|node| call(reader, node)).collect(),
        Some((node, None)) => {
            reader.wrong(node, "a list of calls, such as [{ tool = \"...\", args = { }, as = \"...\" }]");
            vec![]
        }
    };
    Some(Line {
        place: reader.place(node.span()),
        when: keys.get("when").and_then(|node| reader.string(node)),
        calls,
        outcome: keys.get("outcome").and_then(|node| reader.string(node)),
        note: keys.get("note").and_then(|node| reader.string(node)),
        writes: values(reader, keys.get("writes")),
    })
}

fn call(reader: &mut Reader, node: &Node<'_>) -> Option<Call> {
    let keys = reader.table(node, &["tool", "args", "as"])?;
    let tool = reader.required(&keys, "tool", "\"stats.rank\"");
    let name = reader.required(&keys, "as", "\"the name of the result\"");
    let args = match keys.get("args") {
        Some(node) => {
            reader.map(node)?;
            reader.tree(node)
        }
        None => Tree::unwritten(Value::Object(serde_json::Map::new()), &keys.place),
    };
    Some(Call { tool: tool?, args, name: name? })
}

fn test(reader: &mut Reader, node: &Node<'_>) -> Option<Test> {
    let known = ["name", "params", "decisions", "status", "path", "artefacts", "asks"];
    let keys = reader.table(node, &known)?;
    let name = reader.required(&keys, "name", "\"what it shows\"");
    Some(Test {
        name: name?,
        params: values(reader, keys.get("params")),
        decisions: reader.strings(keys.get("decisions")),
        status: keys.get("status").and_then(|node| reader.string(node)),
        path: reader.strings(keys.get("path")),
        artefacts: values(reader, keys.get("artefacts")),
        asks: keys.get("asks").and_then(|node| reader.integer(node, 0, SMALL_MAX)),
    })
}

fn values(reader: &mut Reader, node: Option<&Node<'_>>) -> Entries<Tree> {
    let entries = reader.entries(node);
    entries.into_iter().map(|(name, node)| (name, reader.tree(node))).collect()
}
