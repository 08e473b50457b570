//! Rule: a template parses, and names only what is there when it is rendered: names, their fields, filters.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Environment;
use serde_json::{Value, json};

use super::args::{Lost, lead};
use super::draft::Draft;
use super::lacking::List;
use crate::id::{AgentName, ArtefactName};
use crate::topology::fault::{At, Code, Fault, nearest};
use crate::topology::plan::{Member, Param};
use crate::topology::template::{
    FILTERS, Word, WordKind, expression_written_out, keys, loops, words, words_of_expression, written_out,
};

/// What templates of one agent may name.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// Names, each with the schema of what it is.
    names: BTreeMap<String, Value>,
    /// Artefacts on the desk, with their schemas.
    desk: BTreeMap<String, Value>,
    /// Parameters, which are fields of `brief`.
    params: BTreeSet<String>,
    /// Whose templates these are.
    agent: String,
    /// Artefacts of its team that are not on its desk.
    unread: BTreeSet<String>,
}

impl Scope {
    /// What instructions may name.
    pub(super) fn of_instructions(
        draft: &Draft<'_>,
        (agent, member): (&AgentName, &Member),
        params: &BTreeMap<String, Param>,
    ) -> Self {
        let schema = |artefact: &ArtefactName| draft.schema(artefact).unwrap_or_else(|| json!({}));
        // Whoever is of a team within this one calls things as that team does.
        let name = |artefact: &ArtefactName| draft.called(agent, artefact).to_string();
        let desk: BTreeMap<String, Value> =
            member.reads.iter().map(|read| (name(&read.artefact), schema(&read.artefact))).collect();
        let own = draft.teams.innermost(agent).and_then(|team| draft.teams.0.get(team));
        let params: BTreeSet<String> = match own {
            Some(team) => team.params.keys().cloned().collect(),
            None => params.keys().cloned().collect(),
        };
        let fields = |names: &mut dyn Iterator<Item = &String>| {
            let fields: serde_json::Map<String, Value> = names.map(|name| (name.clone(), json!({}))).collect();
            json!({ "properties": fields })
        };
        let message = json!({ "properties": {
            "from": {}, "outcome": {}, "note": {}, "round": {}, "branch": {}, "arrived": {},
        } });
        let names = [
            ("brief".to_owned(), fields(&mut params.iter())),
            ("message".to_owned(), message),
            ("desk".to_owned(), fields(&mut desk.keys())),
        ];
        let unread = draft.kinds.keys().filter(|name| own.is_none() && !desk.contains_key(*name)).cloned().collect();
        Self { names: names.into(), desk, params, agent: agent.to_string(), unread }
    }

    /// What a rehearsal of the same agent may name: the desk by its names, and results of calls with their schemas too.
    pub(super) fn of_rehearsal(mut self, results: BTreeMap<String, Value>) -> Self {
        self.names.extend(self.desk.clone());
        self.names.extend(["round", "turn", "checks", "problems"].map(|name| (name.to_owned(), json!({}))));
        self.names.extend(results);
        self
    }

    /// What the loops of a template name in turn, as far as it is known what they go over.
    fn within(&self, loops: Vec<(String, String)>) -> Self {
        let mut inner = self.clone();
        for (name, path) in loops {
            let item = inner.schema(&path).and_then(|list| list.get("items").cloned());
            inner.names.insert(name, item.unwrap_or_else(|| json!({})));
        }
        inner
    }

    /// The schema of what a path leads to, if it says so.
    fn schema(&self, path: &str) -> Option<Value> {
        let keys = keys(path);
        let (root, keys) = keys.split_first()?;
        let (schema, keys) = match (root.as_str(), keys.split_first()) {
            ("desk", Some((artefact, rest))) => (self.desk.get(artefact)?, rest),
            _ => (self.names.get(root)?, keys),
        };
        lead(schema, keys).ok().flatten().cloned()
    }

    /// Where a path leads nowhere: which part of it, and what is there.
    fn lost(&self, path: &str) -> Option<Lost> {
        let mut keys = keys(path);
        let root = if keys.is_empty() { String::new() } else { keys.remove(0) };
        let Some(schema) = self.names.get(&root) else {
            return Some(Lost { key: root, known: self.names.keys().cloned().collect(), instead: None });
        };
        match (root.as_str(), keys.split_first()) {
            ("desk", Some((artefact, rest))) if self.desk.contains_key(artefact) => {
                lead(&self.desk[artefact], rest).err()
            }
            _ => lead(schema, &keys).err(),
        }
    }

    /// The artefact that a path would lead to if the agent read it.
    fn forgotten(&self, path: &str, lost: &Lost) -> Option<&String> {
        let keys = keys(path);
        let is_named = match keys.first().map(String::as_str) {
            Some("desk") => keys.get(1) == Some(&lost.key),
            root => root == Some(&lost.key),
        };
        self.unread.get(&lost.key).filter(|_| is_named)
    }

    /// What was probably meant by a path that leads nowhere.
    fn meant(&self, path: &str, lost: &Lost) -> Option<String> {
        let root = path.split(['.', '[']).next().unwrap_or_default();
        if lost.key != root || path.starts_with(&format!("{root}.{root}")) {
            return nearest(&lost.key, lost.known.iter().map(String::as_str)).map(str::to_owned);
        }
        if self.params.contains(root) {
            return Some(format!("brief.{root}"));
        }
        if self.desk.contains_key(root) {
            return Some(format!("desk.{root}"));
        }
        let near = |names: &mut dyn Iterator<Item = &String>| {
            nearest(root, names.map(String::as_str).collect::<Vec<_>>()).map(str::to_owned)
        };
        near(&mut self.names.keys()).or_else(|| near(&mut self.params.iter()).map(|name| format!("brief.{name}")))
    }
}

/// Tells of a template that does not parse or names what is not there.
pub(super) fn template(draft: &mut Draft<'_>, at: &At<String>, scope: Option<&Scope>) {
    let written = written_out(&at.value);
    let environment = Environment::new();
    match environment.template_from_str(&written) {
        Err(error) => {
            let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            let line = error.line().unwrap_or(1);
            let start: usize = at.value.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
            let end = at.value[start.min(at.value.len())..].find('\n').map_or(at.value.len(), |length| start + length);
            let place = if at.value.contains('\n') { draft.faults.within(at, start..end) } else { at.place.clone() };
            let what = format!("this template does not parse: {why}");
            draft.fault(Code::Template, &place, what, "close each {{ with }} and each {% if %} with {% endif %}");
        }
        Ok(template) => {
            let free: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
            let loops = loops(&at.value);
            // What a loop names is free outside of it, where it is not what the loop says.
            let looped: BTreeSet<String> = loops.iter().map(|(name, _)| name.clone()).collect();
            let inner = scope.map(|scope| scope.within(loops));
            names(draft, at, &words(&at.value), &|name| match looped.contains(name) {
                _ if free.contains(name) => scope,
                true => inner.as_ref(),
                false => None,
            });
        }
    }
}

/// The same for what stands without braces, such as `when`.
pub(super) fn expression(draft: &mut Draft<'_>, at: &At<String>, scope: Option<&Scope>) {
    let written = expression_written_out(&at.value);
    match Environment::new().compile_expression(&written) {
        Err(error) => draft.faults.push(unparsed(draft, at, &error)),
        Ok(expression) => {
            let free: BTreeSet<String> = expression.undeclared_variables(false).into_iter().collect();
            names(draft, at, &words_of_expression(&at.value), &|name| scope.filter(|_| free.contains(name)));
        }
    }
}

fn unparsed(draft: &Draft<'_>, at: &At<String>, error: &minijinja::Error) -> Fault {
    let bare = at.value.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
    if let Some(bare) = bare {
        let place = draft.faults.within(at, 0..at.value.len());
        let fault =
            Fault::new(Code::Template, &at.place, "a condition stands without braces", format!("write {bare:?}"));
        return fault.with_edit(place, bare);
    }
    let bytes = at.value.as_bytes();
    let neighbour = |at: usize| bytes.get(at).is_some_and(|b| b"=!<>".contains(b));
    let single =
        (0..bytes.len()).find(|at| bytes[*at] == b'=' && !neighbour(at + 1) && !(*at > 0 && neighbour(at - 1)));
    let other = [("&&", "and"), ("||", "or"), ("===", "==")];
    let wrong = single.map(|at| (at..at + 1, "=", "==")).or_else(|| {
        other
            .iter()
            .find_map(|(found, right)| at.value.find(found).map(|start| (start..start + found.len(), *found, *right)))
    });
    if let Some((span, found, right)) = wrong {
        let what = format!("`{found}` compares nothing here");
        let fault =
            Fault::new(Code::Template, &at.place, what, format!("write {right}, such as when = \"round == 1\""));
        return fault.with_edit(draft.faults.within(at, span), right);
    }
    let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let what = format!("this condition does not parse: {why}");
    Fault::new(Code::Template, &at.place, what, "write one such as when = \"round == 1\", without {{ }}")
}

/// Tells of words that are not there; `scope_of` is what a name is looked for in, nothing if it is the template's own.
fn names<'s>(draft: &mut Draft<'_>, at: &At<String>, words: &[Word], scope_of: &dyn Fn(&str) -> Option<&'s Scope>) {
    let mut told = BTreeSet::new();
    for word in words {
        let place = draft.faults.within(at, word.span.clone());
        if word.kind == WordKind::Filter {
            if !FILTERS.contains(&word.text.as_str()) {
                let what = format!("there is no filter `{}`", word.text);
                let instead =
                    "take one such as title, lower, round, length, join, default; docs/rehearsals.md lists them";
                let fault = Fault::new(Code::TemplateName, &place, what, instead);
                draft.faults.push(fault.meant(&word.text, FILTERS.iter().copied()));
            }
            continue;
        }
        let root = word.root();
        let Some(scope) = scope_of(root) else { continue };
        let path = if word.called { word.text.rsplit_once('.').map_or("", |(path, _)| path) } else { &word.text };
        let Some(lost) = scope.lost(path).filter(|_| !path.is_empty()) else { continue };
        if !told.insert(path.to_owned()) {
            continue;
        }
        let forgotten = scope.forgotten(path, &lost);
        let meant = scope.meant(path, &lost).filter(|_| forgotten.is_none());
        // An agent that several teams share may name what only some of them have.
        if word.optional && meant.is_none() {
            continue;
        }
        let what = if lost.key == root {
            format!("there is no `{root}` here")
        } else {
            format!("`{path}` leads nowhere: there is no `{}`", lost.key)
        };
        let mut fault = Fault::new(Code::TemplateName, &place, what, lost.help("[0]"));
        fault.given = Some(lost.key.clone());
        fault.did_you_mean = meant;
        match forgotten {
            Some(artefact) => draft.forgot(&scope.agent, List::Reads, artefact, fault),
            None => draft.faults.push(fault),
        }
    }
}
