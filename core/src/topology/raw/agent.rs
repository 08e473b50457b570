//! `agents/NAME.toml` as written.

use std::sync::Arc;

use toml::de::DeTable;

use super::walk::{Keys, Node, Reader};
use super::{Entries, Limits, Read, limits, small};
use crate::topology::fault::{At, Code, Fault, Place};
use crate::topology::plan::{Escalate, Expires, Expiry, Memory};

/// An agent file.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Its start.
    pub top: Place,
    /// What it does, one sentence.
    pub does: String,
    /// What it is.
    pub kind: Kind,
}

/// What an agent is, as written.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `kind = "model"`
    Model(Model),
    /// `kind = "person"`
    Person(Person),
    /// `kind = "tool"`
    Tool(Tool),
}

/// A model agent.
#[derive(Debug, Clone)]
pub struct Model {
    /// Where its kind is written.
    pub kind: Place,
    /// Its outcomes; none written means `done`.
    pub outcomes: Vec<At<String>>,
    /// Tools it is offered.
    pub tools: Vec<At<String>>,
    /// By outcome: the tools whose results it needs.
    pub needs: Entries<Vec<At<String>>>,
    /// The alias of its model.
    pub model: Option<At<String>>,
    /// What it is shown again.
    pub memory: Memory,
    /// Its instructions.
    pub instructions: Option<At<String>>,
    /// The file of its instructions, beside the agent's.
    pub instructions_file: Option<At<String>>,
    /// Its limits.
    pub limits: Limits,
}

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who may decide.
    pub who: Vec<At<String>>,
    /// What they choose among, if they answer; none written means `answered`.
    pub outcomes: Vec<At<String>>,
    /// How many must approve.
    pub needed: At<u32>,
    /// Whether the starter may approve.
    pub starter_may_approve: bool,
    /// Reminders.
    pub remind_every_ms: Option<u64>,
    /// Who else is told.
    pub escalate: Option<At<Escalate>>,
    /// When waiting ends; none is told.
    pub expires: Option<Expires>,
}

/// A tool agent that has a file.
#[derive(Debug, Clone)]
pub struct Tool {
    /// The tool.
    pub tool: At<String>,
    /// Its limits.
    pub limits: Limits,
}

/// Reads the text of an agent file.
pub fn read(file: &Arc<str>, text: &str) -> Read<Agent> {
    super::read(file, text, agent)
}

const MODEL: [&str; 11] = [
    "schema_version",
    "kind",
    "does",
    "outcomes",
    "tools",
    "needs",
    "model",
    "memory",
    "instructions",
    "instructions_file",
    "limits",
];
const PERSON: [&str; 10] = [
    "schema_version",
    "kind",
    "does",
    "who",
    "outcomes",
    "needed",
    "starter_may_approve",
    "remind_every",
    "escalate",
    "expires",
];
const TOOL: [&str; 5] = ["schema_version", "kind", "does", "tool", "limits"];

/// The shortest time between reminders.
const REMIND_MS_MIN: u64 = 60_000;

fn agent(reader: &mut Reader, table: &DeTable<'_>) -> Option<Agent> {
    // The kind decides which keys there are, so it is read first.
    let kind = match table.get("kind") {
        Some(node) => reader.word(node, &[("model", 0), ("person", 1), ("tool", 2)])?,
        None => {
            let keys = Reader::new(&reader.file).keys(table, 0..0, &["schema_version"]);
            reader.missing(&keys, "kind", "\"model\" or \"person\" or \"tool\"");
            return None;
        }
    };
    let known: &[&str] = [&MODEL[..], &PERSON, &TOOL][kind];
    let keys = reader.keys(table, 0..0, known);
    reader.schema_version(&keys);
    let does = reader.required(&keys, "does", "\"what it does, one sentence\"");
    let kind = match kind {
        0 => Kind::Model(model(reader, &keys)?),
        1 => Kind::Person(person(reader, &keys)),
        _ => Kind::Tool(Tool {
            tool: reader.required(&keys, "tool", "\"email.deliver\"")?,
            limits: limits(reader, keys.get("limits")),
        }),
    };
    Some(Agent { top: reader.place(0..0), does: does.map(|at| at.value).unwrap_or_default(), kind })
}

/// None if the outcomes are unreadable: nothing can be said of its handoffs then.
fn model(reader: &mut Reader, keys: &Keys<'_, '_>) -> Option<Model> {
    let outcomes = reader.strings(keys.get("outcomes"));
    if let Some(node) = keys.get("outcomes") {
        let written = node.get_ref().as_array()?.len();
        if written == 0 {
            reader.wrong(node, "a list of one outcome or more");
        }
        if written == 0 || written != outcomes.len() {
            return None;
        }
    }
    let needs = reader.entries(keys.get("needs"));
    let needs = needs.into_iter().map(|(outcome, node)| (outcome, reader.strings(Some(node)))).collect();
    let kind = keys.get("kind").map_or(keys.place.clone(), |node| reader.place(node.span()));
    Some(Model {
        kind,
        outcomes,
        tools: reader.strings(keys.get("tools")),
        needs,
        model: keys.get("model").and_then(|node| reader.string(node)),
        memory: keys
            .get("memory")
            .and_then(|node| reader.word(node, &[("turn", Memory::Turn), ("run", Memory::Run)]))
            .unwrap_or_default(),
        instructions: keys.get("instructions").and_then(|node| reader.string(node)),
        instructions_file: keys.get("instructions_file").and_then(|node| reader.string(node)),
        limits: limits(reader, keys.get("limits")),
    })
}

fn person(reader: &mut Reader, keys: &Keys<'_, '_>) -> Person {
    let needed = keys.get("needed").map(|node| (small(reader, node).unwrap_or(1), node.span()));
    let (needed, span) = needed.unwrap_or((1, keys.place.span.clone()));
    Person {
        who: reader.strings(keys.get("who")),
        outcomes: reader.strings(keys.get("outcomes")),
        needed: reader.at(span, needed),
        starter_may_approve: keys.get("starter_may_approve").and_then(|node| reader.boolean(node)).unwrap_or(false),
        remind_every_ms: keys.get("remind_every").and_then(|node| seldom(reader, node)),
        escalate: keys.get("escalate").and_then(|node| escalate(reader, node)),
        expires: expires(reader, keys),
    }
}

/// A time between reminders: shorter than a minute it would only fill the journal.
fn seldom(reader: &mut Reader, node: &Node<'_>) -> Option<u64> {
    let every_ms = reader.duration(node)?;
    if every_ms < REMIND_MS_MIN {
        reader.wrong(node, "a minute or more, such as \"1d\"");
    }
    Some(every_ms)
}

fn escalate(reader: &mut Reader, node: &Node<'_>) -> Option<At<Escalate>> {
    let keys = reader.table(node, &["after", "to"])?;
    let after_ms = after(reader, &keys);
    let to = reader.required(&keys, "to", "\"group:NAME\"");
    Some(reader.at(node.span(), Escalate { after_ms: after_ms?, to: to?.value }))
}

fn expires(reader: &mut Reader, keys: &Keys<'_, '_>) -> Option<Expires> {
    let instead = "write expires = { after = \"14d\", then = \"reject\" }";
    let Some(node) = keys.get("expires") else {
        reader.faults.push(Fault::new(Code::NoExpiry, &keys.place, "`expires` is missing", instead));
        return None;
    };
    let keys = reader.table(node, &["after", "then"])?;
    let after_ms = after(reader, &keys);
    let then = match keys.get("then") {
        Some(node) if node.get_ref().as_str().is_some_and(|word| word.starts_with("approve")) => {
            reader.fault(Code::TimerApproves, node.span(), "nothing approves by itself", instead);
            None
        }
        Some(node) => reader.word(node, &[("reject", Expiry::Reject), ("hold", Expiry::Hold)]),
        None => {
            reader.missing(&keys, "then", "\"reject\" or \"hold\"");
            None
        }
    };
    Some(Expires { after_ms: after_ms?, then: then? })
}

fn after(reader: &mut Reader, keys: &Keys<'_, '_>) -> Option<u64> {
    match keys.get("after") {
        Some(node) => reader.duration(node),
        None => {
            reader.missing(keys, "after", "\"14d\"");
            None
        }
    }
}
