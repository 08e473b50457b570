//! `topologies/NAME.toml` as written.

use std::sync::Arc;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::handoff::{self, Handoffs};
use super::trigger::{self, Trigger};
use super::walk::{Keys, Node, Reader};
use super::{COUNT_MAX, Entries, Limits, Read, Tree, limits, rule, small};
use crate::id::NanoUsd;
use crate::topology::fault::{At, Code, Fault, Place};
use crate::topology::plan::{Action, ParamKind, WhenSpent};

/// A topology file.
#[derive(Debug, Clone)]
pub struct Topology {
    /// Its start.
    pub top: Place,
    /// One sentence.
    pub description: String,
    /// `[params]`
    pub params: Entries<Param>,
    /// `[takes]`: what a team that has this one as a member brings.
    pub takes: Entries<Taken>,
    /// `[artefacts]`
    pub artefacts: Entries<Artefact>,
    /// `[team]`
    pub team: Entries<Member>,
    /// `start` of `[handoffs]`.
    pub start: Option<At<String>>,
    /// The rest of `[handoffs]`.
    pub handoffs: Entries<Handoffs>,
    /// `[budget]`
    pub budget: Budget,
    /// `[supervisor]`
    pub supervisor: Supervisor,
    /// `[triggers]`
    pub triggers: Entries<Trigger>,
    /// True if artefacts, team or handoffs could not be read whole, so that what follows from them is unknown.
    pub damaged: bool,
    /// True if a handoff could not be read, so that what its items are called is unknown.
    pub items_lost: bool,
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Param {
    /// Its type; none is told.
    pub kind: Option<ParamKind>,
    /// Its default.
    pub default: Option<At<Value>>,
    /// The least number.
    pub minimum: Option<At<Value>>,
    /// The greatest number.
    pub maximum: Option<At<Value>>,
    /// The only values.
    pub one_of: Option<Tree>,
    /// What it means.
    pub description: String,
}

/// What a team is brought as a member of another one.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The name of its schema; none if any will do.
    pub schema: Option<At<String>>,
}

/// An artefact.
#[derive(Debug, Clone)]
pub struct Artefact {
    /// The name of its schema; none is told, unless it is a list of what branches write.
    pub schema: Option<At<String>>,
    /// For a list of what branches write: of which artefact.
    pub of: Option<At<String>>,
    /// Its checks.
    pub checks: Vec<At<String>>,
    /// Its fields that have to be what another artefact says.
    pub same: Entries<At<String>>,
}

/// An entry of `[team]`.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// It is no table, which is told.
    pub broken: bool,
    /// Where its agent is written, below the root.
    pub file: Option<At<String>>,
    /// The team that it is.
    pub team: Option<Nested>,
    /// The tool that it is.
    pub tool: Option<At<String>>,
    /// The tool's arguments, and where they are.
    pub args: Option<At<Entries<Arg>>>,
    /// Artefacts it reads, `?` included.
    pub reads: Vec<At<String>>,
    /// Artefacts it writes.
    pub writes: Vec<At<String>>,
    /// Artefacts it approves.
    pub approves: Vec<At<String>>,
    /// Members that it may ask.
    pub may_ask: Vec<At<String>>,
    /// Whether it decides by a rule.
    pub is_rule: bool,
    /// The table that it decides by; none if there is none, or what is wrong with it is told.
    pub rule: Option<At<Vec<rule::RuleLine>>>,
    /// The outcome if no line of that holds.
    pub otherwise: Option<At<String>>,
    /// Messages that it handles at once.
    pub parallel: Option<At<u32>>,
    /// The alias of another model.
    pub model: Option<At<String>>,
    /// Other limits.
    pub limits: Limits,
}

/// A team that is a member.
#[derive(Debug, Clone)]
pub struct Nested {
    /// Its topology.
    pub topology: At<String>,
    /// What its parameters are.
    pub params: Entries<Arg>,
    /// What it is brought: its name for that, and ours.
    pub takes: Entries<At<String>>,
    /// What it brings: our name for that, and its own.
    pub gives: Entries<At<String>>,
    /// Keys that a team does not have.
    pub foreign: Vec<At<String>>,
}

/// An argument of a tool.
#[derive(Debug, Clone)]
pub enum Arg {
    /// A path.
    Path(At<String>),
    /// `{ value = ... }`
    Value(At<Value>),
}

/// `[budget]`; `Some(None)` is "unlimited", `None` is absent or wrong and told.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    /// Steps, and where.
    pub steps: Option<At<Option<u64>>>,
    /// Tokens.
    pub tokens: Option<Option<u64>>,
    /// Money.
    pub cost: Option<Option<NanoUsd>>,
    /// Active time.
    pub active_ms: Option<Option<u64>>,
    /// Recipients.
    pub recipients: Option<Option<u64>>,
    /// What a spent budget does.
    pub when_spent: Option<WhenSpent>,
}

/// `[supervisor]`
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    /// Restarts within the window.
    pub max_restarts: Option<u32>,
    /// The window.
    pub within_ms: Option<u64>,
    /// First wait.
    pub initial_ms: Option<u64>,
    /// Longest wait.
    pub max_ms: Option<u64>,
    /// Deaths of one message's agent.
    pub poison_after: Option<u32>,
    /// Failure class to action.
    pub on: Entries<Action>,
}

/// Reads the text of a topology file.
pub fn read(file: &Arc<str>, text: &str) -> Read<Topology> {
    super::read(file, text, topology)
}

const TOP: [&str; 10] = [
    "schema_version",
    "description",
    "params",
    "takes",
    "artefacts",
    "team",
    "handoffs",
    "budget",
    "supervisor",
    "triggers",
];

/// Sections that are tables.
const SECTIONS: [&str; 8] = ["params", "takes", "artefacts", "team", "handoffs", "budget", "supervisor", "triggers"];

/// A section that stands within another one, as `[team.handoffs]`, put where it belongs, which is told.
fn lifted<'s>(reader: &mut Reader, table: &DeTable<'s>) -> DeTable<'s> {
    let mut whole = table.clone();
    for outer in SECTIONS {
        for inner in SECTIONS.into_iter().filter(|inner| !table.contains_key(*inner)) {
            let within = table.get(outer).and_then(|node| node.get_ref().as_table());
            let Some((key, node)) = within.and_then(|within| within.get_key_value(inner)) else { continue };
            if !node.get_ref().is_table() || whole.contains_key(inner) {
                continue;
            }
            let place = reader.place(node.span());
            let what = format!("[{outer}.{inner}] is a part of [{outer}]");
            let fault = Fault::new(Code::UnknownKey, &place, what, format!("write [{inner}]"));
            let is_heading = node.span().len() == outer.len() + inner.len() + 3;
            let fault = if is_heading { fault.with_edit(place, format!("[{inner}]")) } else { fault };
            reader.faults.push(fault);
            whole.insert(key.clone(), node.clone());
            if let Some(DeValue::Table(within)) = whole.get_mut(outer).map(toml::Spanned::get_mut) {
                within.remove(inner);
            }
        }
    }
    whole
}

fn topology(reader: &mut Reader, table: &DeTable<'_>) -> Option<Topology> {
    let table = &lifted(reader, table);
    let keys = reader.keys(table, 0..0, &TOP);
    reader.schema_version(&keys);
    let description = reader.required(&keys, "description", "\"what it is for, one sentence\"");
    for (name, example) in [("team", "{ ... }"), ("handoffs", "{ start = \"...\" }")] {
        if keys.get(name).is_none() {
            reader.missing(&keys, name, example);
        }
    }
    let params = reader.entries(keys.get("params"));
    let params = params.into_iter().filter_map(|(name, node)| Some((name, param(reader, node)?))).collect();
    let harmless = |fault: &Fault| fault.code == Code::UnknownKey && fault.did_you_mean.is_some();
    let before = reader.faults.len();
    let takes = reader.entries(keys.get("takes"));
    let takes = takes.into_iter().map(|(name, node)| (name, taken(reader, node))).collect();
    let artefacts = reader.entries(keys.get("artefacts"));
    let artefacts = artefacts.into_iter().filter_map(|(name, node)| Some((name, artefact(reader, node)?))).collect();
    let team = reader.entries(keys.get("team"));
    let team = team.into_iter().filter_map(|(name, node)| Some((name, member(reader, node)?))).collect();
    let before_handoffs = reader.faults.len();
    let (start, handoffs) = handoff::read(reader, &keys);
    let items_lost = !reader.faults[before_handoffs..].iter().all(harmless);
    let damaged = !reader.faults[before..].iter().all(harmless)
        || ["team", "handoffs"].iter().any(|name| keys.get(name).is_none());
    Some(Topology {
        top: reader.place(0..0),
        description: description.map(|at| at.value).unwrap_or_default(),
        params,
        takes,
        artefacts,
        team,
        start,
        handoffs,
        budget: budget(reader, &keys),
        supervisor: keys.get("supervisor").map(|node| supervisor(reader, node)).unwrap_or_default(),
        triggers: triggers(reader, keys.get("triggers")),
        damaged,
        items_lost,
    })
}

fn triggers(reader: &mut Reader, node: Option<&Node<'_>>) -> Entries<Trigger> {
    let entries = reader.entries(node);
    entries.into_iter().map(|(name, node)| (name, trigger::read(reader, node))).collect()
}

fn param(reader: &mut Reader, node: &Node<'_>) -> Option<Param> {
    let keys = reader.table(node, &["type", "default", "minimum", "maximum", "one_of", "description"])?;
    let words = [
        ("string", ParamKind::String),
        ("integer", ParamKind::Integer),
        ("number", ParamKind::Number),
        ("boolean", ParamKind::Boolean),
    ];
    let kind = match keys.get("type") {
        Some(node) => reader.word(node, &words),
        None => {
            reader.missing(&keys, "type", "\"string\"");
            None
        }
    };
    let default = keys.get("default").map(|node| reader.json(node));
    let minimum = keys.get("minimum").map(|node| reader.json(node));
    let maximum = keys.get("maximum").map(|node| reader.json(node));
    let one_of = keys.get("one_of").map(|node| reader.tree(node));
    let description = keys.get("description").and_then(|node| reader.string(node));
    let description = description.map(|at| at.value).unwrap_or_default();
    Some(Param { kind, default, minimum, maximum, one_of, description })
}

fn taken(reader: &mut Reader, node: &Node<'_>) -> Taken {
    let schema =
        reader.table(node, &["schema"]).and_then(|keys| keys.get("schema").and_then(|node| reader.string(node)));
    Taken { schema }
}

fn artefact(reader: &mut Reader, node: &Node<'_>) -> Option<Artefact> {
    let Some(keys) = reader.table(node, &["schema", "of", "checks", "same"]) else {
        return Some(Artefact { schema: None, of: None, checks: vec![], same: vec![] });
    };
    let of = keys.get("of").and_then(|node| reader.string(node));
    for key in ["schema", "same"].into_iter().filter(|_| keys.get("of").is_some()) {
        if let Some(node) = keys.get(key) {
            let what = format!("a list of what branches write has no `{key}`");
            reader.fault(Code::UnknownKey, node.span(), what, format!("keep one of `of` and `{key}`"));
        }
    }
    let schema = match keys.get("of") {
        Some(_) => None,
        None => reader.required(&keys, "schema", "\"the name of a file in schemas/\""),
    };
    let checks = reader.strings(keys.get("checks"));
    let same = reader.entries(keys.get("same"));
    let same = same.into_iter().filter_map(|(field, node)| Some((field, reader.string(node)?))).collect();
    Some(Artefact { schema, of, checks, same })
}

/// Keys of a member.
const MEMBER: [&str; 16] = [
    "topology", "params", "takes", "gives", "file", "tool", "args", "rule", "else", "reads", "writes", "approves",
    "may_ask", "parallel", "model", "limits",
];

/// Those that only a team has.
const OF_TEAMS: [&str; 3] = ["params", "takes", "gives"];

fn nested(reader: &mut Reader, topology: &Node<'_>, keys: &Keys<'_, '_>) -> Option<Nested> {
    let foreign = MEMBER.into_iter().filter(|key| *key != "topology" && !OF_TEAMS.contains(key));
    let foreign = foreign.filter_map(|key| Some(reader.at(keys.get(key)?.span(), key.to_owned()))).collect();
    let params = reader.entries(keys.get("params"));
    let params = params.into_iter().filter_map(|(name, node)| Some((name, arg(reader, node)?))).collect();
    let mut names = |key: &str| {
        let entries = reader.entries(keys.get(key));
        entries.into_iter().filter_map(|(name, node)| Some((name, reader.string(node)?))).collect()
    };
    let (takes, gives) = (names("takes"), names("gives"));
    Some(Nested { topology: reader.string(topology)?, params, takes, gives, foreign })
}

fn member(reader: &mut Reader, node: &Node<'_>) -> Option<Member> {
    let Some(keys) = reader.table(node, &MEMBER) else { return Some(Member { broken: true, ..Member::default() }) };
    if let Some(topology) = keys.get("topology") {
        let team = nested(reader, topology, &keys);
        return Some(Member { broken: team.is_none(), team, ..Member::default() });
    }
    for key in OF_TEAMS {
        if let Some(node) = keys.get(key) {
            let what = format!("a member that is no team has no `{key}`");
            reader.fault(
                Code::Unfit,
                node.span(),
                what,
                format!("write topology = \"...\" beside it, or take `{key}` out"),
            );
        }
    }
    let args = keys.get("args").map(|node| {
        let entries = reader.entries(Some(node));
        let args = entries.into_iter().filter_map(|(name, node)| Some((name, arg(reader, node)?))).collect();
        reader.at(node.span(), args)
    });
    Some(Member {
        broken: false,
        team: None,
        file: keys.get("file").and_then(|node| reader.string(node)),
        tool: keys.get("tool").and_then(|node| reader.string(node)),
        args,
        reads: reader.strings(keys.get("reads")),
        writes: reader.strings(keys.get("writes")),
        approves: reader.strings(keys.get("approves")),
        may_ask: reader.strings(keys.get("may_ask")),
        is_rule: keys.get("rule").is_some(),
        rule: keys.get("rule").and_then(|node| rule::read(reader, node)),
        otherwise: keys.get("else").and_then(|node| reader.string(node)),
        parallel: keys.get("parallel").and_then(|node| small(reader, node).map(|most| reader.at(node.span(), most))),
        model: keys.get("model").and_then(|node| reader.string(node)),
        limits: limits(reader, keys.get("limits")),
    })
}

fn arg(reader: &mut Reader, node: &Node<'_>) -> Option<Arg> {
    match node.get_ref() {
        DeValue::String(path) => Some(Arg::Path(reader.at(node.span(), path.to_string()))),
        DeValue::Table(_) => {
            let keys = reader.table(node, &["value"])?;
            match keys.get("value") {
                Some(node) => Some(Arg::Value(reader.json(node))),
                None => {
                    reader.missing(&keys, "value", "...");
                    None
                }
            }
        }
        _ => {
            reader.wrong(node, "a path such as \"sequence\", or { value = ... }");
            None
        }
    }
}

fn budget(reader: &mut Reader, keys: &Keys<'_, '_>) -> Budget {
    let example = "[budget] with steps = 80, tokens = 600_000, cost_usd = 5.00, active_time = \"2h\"";
    let Some(node) = keys.get("budget") else {
        let fault = Fault::new(Code::NoBudget, &keys.place, "`[budget]` is missing", format!("write {example}"));
        reader.faults.push(fault);
        return Budget::default();
    };
    let known = ["steps", "tokens", "cost_usd", "active_time", "recipients", "when_spent"];
    let Some(keys) = reader.table(node, &known) else { return Budget::default() };
    for (name, example) in [("steps", "80"), ("tokens", "600_000"), ("cost_usd", "5.00"), ("active_time", "\"2h\"")] {
        if keys.get(name).is_none() {
            let instead = format!("write {name} = {example}, or {name} = \"unlimited\"");
            reader.faults.push(Fault::new(Code::NoBudget, &keys.place, format!("`{name}` is missing"), instead));
        }
    }
    let count = |reader: &mut Reader, node: &Node<'_>| reader.integer(node, 1, COUNT_MAX);
    let mut get = |name: &str| keys.get(name).and_then(|node| reader.or_unlimited(node, count).map(|n| (node, n)));
    let steps = get("steps");
    let tokens = get("tokens").map(|(_, n)| n);
    let recipients = get("recipients").map(|(_, n)| n);
    Budget {
        steps: steps.map(|(node, n)| reader.at(node.span(), n)),
        tokens,
        cost: keys.get("cost_usd").and_then(|node| reader.or_unlimited(node, Reader::money)),
        active_ms: keys.get("active_time").and_then(|node| reader.or_unlimited(node, Reader::duration)),
        recipients,
        when_spent: keys
            .get("when_spent")
            .and_then(|node| reader.word(node, &[("pause", WhenSpent::Pause), ("stop", WhenSpent::Stop)])),
    }
}

fn supervisor(reader: &mut Reader, node: &Node<'_>) -> Supervisor {
    let known = ["max_restarts", "within", "backoff", "poison_after", "on"];
    let Some(keys) = reader.table(node, &known) else { return Supervisor::default() };
    let backoff = keys.get("backoff").and_then(|node| reader.table(node, &["initial", "max"]));
    let mut wait = |name| backoff.as_ref().and_then(|keys| keys.get(name)).and_then(|node| reader.duration(node));
    let (initial_ms, max_ms) = (wait("initial"), wait("max"));
    let actions = [
        ("retry", Action::Retry),
        ("restart", Action::Restart),
        ("ask_person", Action::AskPerson),
        ("stop", Action::Stop),
    ];
    let on = reader.entries(keys.get("on"));
    Supervisor {
        max_restarts: keys
            .get("max_restarts")
            .and_then(|node| reader.integer(node, 0, 1000))
            .and_then(|n| u32::try_from(n).ok()),
        within_ms: keys.get("within").and_then(|node| reader.duration(node)),
        initial_ms,
        max_ms,
        poison_after: keys.get("poison_after").and_then(|node| small(reader, node)),
        on: on.into_iter().filter_map(|(class, node)| Some((class, reader.word(node, &actions)?))).collect(),
    }
}
