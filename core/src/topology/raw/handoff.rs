//! `[handoffs]` as written: to whom each outcome leads, how often, and between whom it splits.

use toml::de::{DeTable, DeValue};

use super::walk::{Keys, Node, Reader};
use super::{Entries, small};
use crate::topology::fault::{At, Code, Fault, Place};
use crate::topology::plan::{BRANCHES_MAX, Short};

/// Where a member's outcomes lead.
#[derive(Debug, Clone)]
pub enum Handoffs {
    /// A recipient for the only outcome.
    Only(Way),
    /// Recipients by outcome.
    By(Entries<Way>),
}

/// Where one outcome leads.
#[derive(Debug, Clone)]
pub struct Way {
    /// The whole value.
    pub place: Place,
    /// To whom; if it splits, where the branches meet.
    pub to: At<String>,
    /// How often, and where then.
    pub rounds: Option<(u32, At<String>)>,
    /// What lies between.
    pub split: Option<Split>,
}

/// What lies between a member and the join.
#[derive(Debug, Clone)]
pub struct Split {
    /// Which branches there are.
    pub over: Over,
    /// How many of them the join needs.
    pub needs: Option<At<u32>>,
    /// What happens if fewer arrive.
    pub short: Option<Short>,
}

/// The branches.
#[derive(Debug, Clone)]
pub enum Over {
    /// One for each of these members.
    All(At<Vec<At<String>>>),
    /// So many, to one member.
    Times(u32, At<String>),
    /// One for each item of a list.
    Each(Each),
}

/// A split over a list.
#[derive(Debug, Clone)]
pub struct Each {
    /// A path to the list.
    pub list: At<String>,
    /// The name of an item in its branch.
    pub item: At<String>,
    /// Whose the branches are.
    pub to: EachTo,
    /// Items that the list may have.
    pub most: u32,
}

/// Whose the branches of a list are.
#[derive(Debug, Clone)]
pub enum EachTo {
    /// All of one member.
    One(At<String>),
    /// Each of the member that its item names under this key, who is one of these; an item calls them as they are written.
    By(At<String>, At<Vec<At<String>>>, Vec<String>),
}

/// `start`, and the rest of `[handoffs]`.
pub(super) fn read(reader: &mut Reader, keys: &Keys<'_, '_>) -> (Option<At<String>>, Entries<Handoffs>) {
    let Some(node) = keys.get("handoffs") else { return (None, vec![]) };
    let mut start = None;
    let mut all = vec![];
    let mut seen = false;
    for (name, node) in reader.entries(Some(node)) {
        if name.value == "start" {
            seen = true;
            start = recipient(reader, node);
            continue;
        }
        match node.get_ref() {
            DeValue::Table(table) if is_split(table) => {
                all.extend(split(reader, node).map(|way| (name, Handoffs::Only(way))));
            }
            DeValue::Table(table) => {
                let ways = table.iter().filter_map(|(outcome, node)| {
                    let outcome = reader.at(outcome.span(), outcome.get_ref().to_string());
                    Some((outcome, way(reader, node)?))
                });
                let ways = ways.collect();
                all.push((name, Handoffs::By(ways)));
            }
            _ => {
                if let Some(to) = recipient(reader, node) {
                    let place = reader.place(node.span());
                    all.push((name, Handoffs::Only(Way { place, to, rounds: None, split: None })));
                }
            }
        }
    }
    if !seen && node.get_ref().is_table() {
        let place = reader.place(node.span());
        reader.faults.push(Fault::new(
            Code::MissingKey,
            &place,
            "`start` is missing",
            "write start = \"the member that gets the brief\"",
        ));
    }
    (start, all)
}

fn way(reader: &mut Reader, node: &Node<'_>) -> Option<Way> {
    let place = reader.place(node.span());
    let Some(table) = node.get_ref().as_table() else {
        return Some(Way { place, to: recipient(reader, node)?, rounds: None, split: None });
    };
    if is_split(table) {
        return split(reader, node);
    }
    let keys = reader.table(node, &["to", "rounds", "then"])?;
    let to = recipient_key(reader, &keys, "to", "\"a member\"");
    let rounds = rounds(reader, &keys);
    Some(Way { place, to: to?, rounds: Some(rounds?), split: None })
}

/// How often, and where then.
fn rounds(reader: &mut Reader, keys: &Keys<'_, '_>) -> Option<(u32, At<String>)> {
    let max = match keys.get("rounds") {
        Some(node) => small(reader, node),
        None => {
            reader.missing(keys, "rounds", "3");
            None
        }
    };
    let then = recipient_key(reader, keys, "then", "\"where it goes when the rounds are used up\"");
    Some((max?, then?))
}

fn recipient_key(reader: &mut Reader, keys: &Keys<'_, '_>, name: &str, example: &str) -> Option<At<String>> {
    let Some(node) = keys.get(name) else {
        reader.missing(keys, name, example);
        return None;
    };
    recipient(reader, node)
}

fn recipient(reader: &mut Reader, node: &Node<'_>) -> Option<At<String>> {
    if node.get_ref().is_array() {
        let instead = "write { all = [\"...\"], join = \"the member where they meet\" }, or hand on to one member";
        reader.fault(Code::WrongValue, node.span(), "a list of recipients does not say where they meet", instead);
        return None;
    }
    reader.string(node)
}

/// Words that begin a split, and no outcome of a member that hands on.
const BEGINS: [&str; 2] = ["each", "join"];

/// Whether a table under `[handoffs]` is a split, and not recipients by outcome.
fn is_split(table: &DeTable<'_>) -> bool {
    let begins = BEGINS.iter().any(|key| table.contains_key(*key));
    let lists = table.get("all").is_some_and(|node| node.get_ref().is_array());
    begins || lists || table.get("times").is_some_and(|node| node.get_ref().is_integer())
}

fn split(reader: &mut Reader, node: &Node<'_>) -> Option<Way> {
    let known = ["all", "each", "as", "to", "most", "times", "join", "needs", "short", "rounds", "then"];
    let keys = reader.table(node, &known)?;
    let over = over(reader, node, &keys);
    let join = reader.required(&keys, "join", "\"the member where the branches meet\"");
    let needs = keys.get("needs").and_then(|node| small(reader, node).map(|needs| reader.at(node.span(), needs)));
    let short = keys.get("short").and_then(|node| reader.word(node, &[("stop", Short::Stop), ("go_on", Short::GoOn)]));
    let bounded = keys.get("rounds").is_some() || keys.get("then").is_some();
    let rounds = if bounded { Some(rounds(reader, &keys)?) } else { None };
    let split = Split { over: over?, needs, short };
    Some(Way { place: reader.place(node.span()), to: join?, rounds, split: Some(split) })
}

fn over(reader: &mut Reader, node: &Node<'_>, keys: &Keys<'_, '_>) -> Option<Over> {
    let ways = ["all", "each", "times"].into_iter().filter_map(|way| Some((way, keys.get(way)?)));
    let ways: Vec<_> = ways.collect();
    let [(way, first)] = ways[..] else {
        let instead = "write one of all = [\"...\"], each = \"an artefact's list\" and times = 3";
        let what = if ways.is_empty() { "a split says over what" } else { "a split is over one thing" };
        reader.fault(Code::MissingKey, node.span(), what, instead);
        return None;
    };
    let fitting: &[&str] = match way {
        "all" => &[],
        "each" => &["as", "to", "most"],
        _ => &["to"],
    };
    for key in ["as", "to", "most"].into_iter().filter(|key| !fitting.contains(key)) {
        if let Some(node) = keys.get(key) {
            let what = format!("a split with `{way}` has no `{key}`");
            reader.fault(Code::UnknownKey, node.span(), what, format!("take `{key}` out"));
        }
    }
    match way {
        "all" => {
            let members = reader.strings(Some(first));
            Some(Over::All(reader.at(first.span(), members)))
        }
        "times" => {
            let times = branches(reader, first, 2);
            let to = reader.required(keys, "to", "\"a member\"");
            Some(Over::Times(times?, to?))
        }
        _ => each(reader, first, keys),
    }
}

fn each(reader: &mut Reader, list: &Node<'_>, keys: &Keys<'_, '_>) -> Option<Over> {
    let list = reader.string(list);
    let item = reader.required(keys, "as", "\"the name of an item in its branch\"");
    let to = match keys.get("to") {
        Some(node) if node.get_ref().is_table() => by(reader, node),
        _ => reader.required(keys, "to", "\"a member\"").map(EachTo::One),
    };
    let most = match keys.get("most") {
        Some(node) => branches(reader, node, 1),
        None => {
            reader.missing(keys, "most", "8");
            None
        }
    };
    Some(Over::Each(Each { list: list?, item: item?, to: to?, most: most? }))
}

fn by(reader: &mut Reader, node: &Node<'_>) -> Option<EachTo> {
    let keys = reader.table(node, &["by", "among"])?;
    let by = reader.required(&keys, "by", "\"the key of an item that names a member\"");
    let Some(node) = keys.get("among") else {
        reader.missing(&keys, "among", "[\"the members that it may name\"]");
        return None;
    };
    let among = reader.strings(Some(node));
    let called = among.iter().map(|at| at.value.clone()).collect();
    Some(EachTo::By(by?, reader.at(node.span(), among), called))
}

fn branches(reader: &mut Reader, node: &Node<'_>, least: u64) -> Option<u32> {
    reader.integer(node, least, u64::from(BRANCHES_MAX)).and_then(|n| u32::try_from(n).ok())
}
