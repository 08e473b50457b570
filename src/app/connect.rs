//! `[tools.NAME]` and `[checks.NAME]` -> tools and settings: whatever is wrong is told on its line, and the rest is made.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::embedding::Providers;
use super::past::Journal;
use crate::config::{Settings, ToolTable};
use crate::id::ToolName;
use crate::journal::Store;
use crate::tool::embedder::Embedder;
use crate::tool::history::{self, Past};
use crate::tool::kind::{self, KINDS, Kind};
use crate::tool::open::{Ground, Open, Secrets};
use crate::tool::{Check, Tool, Tools, Wrong, email, guard};
use crate::topology::code::Code;
use crate::topology::fault::{At, Fault, Faults, Place, nearest};
use crate::topology::pointer::below;
use crate::topology::raw::Tree;
use crate::topology::shape;

/// The tools as far as they could be made.
pub(super) struct Connected {
    /// Those without a fault.
    pub(super) tools: Tools,
    /// What is wrong with the others.
    pub(super) faults: Faults,
    /// Connections of which something is wrong.
    pub(super) broken: BTreeSet<String>,
}

/// The tools of the project, whose sinks keep their records below `records`, and whose `past` is read where something runs.
pub(super) fn connected(settings: &Settings, records: &Path, past: Option<Arc<dyn Store>>) -> Connected {
    let mut faults = Faults::default();
    settings.sources.iter().for_each(|(file, text)| faults.source(file.clone(), text.clone()));
    let by_name = |tool: Tool| (tool.spec().name.clone(), tool);
    let past: Arc<dyn Past> = Arc::new(Journal(past));
    let built_in = kind::built_in().into_iter().chain(history::open(&past)).flatten();
    let mut tools: Tools = built_in.map(by_name).collect();
    let mut broken = settings.broken_tools.clone();
    let words = kind::words();
    let embedder: Arc<dyn Embedder> = Arc::new(Providers::new(settings));
    // Those whose other half has another name.
    let mut told_apart = BTreeSet::new();
    for (name, table) in settings.tools.iter().filter(|(_, table)| !words.contains(&table.kind.value.as_str())) {
        broken.insert(name.clone());
        let (given, place) = (&table.kind.value, &table.kind.place);
        if given.is_empty() {
            let others = settings.tools.iter().filter(|(_, table)| !table.kind.value.is_empty());
            let meant = nearest(name, others.map(|(other, _)| other.as_str()));
            faults.push(match meant.and_then(|meant| Some((meant, settings.tools.get(meant)?))) {
                Some((heading, of)) => {
                    broken.insert(heading.to_owned());
                    told_apart.insert(heading.to_owned());
                    let what =
                        format!("[tools.{heading}] and [tools.{name}] are two connections, of which one has no kind");
                    Fault::new(Code::MissingKey, &of.place, what, "write the same name in all of their headings")
                        .meaning(heading, Some(name))
                }
                None => kindless(table),
            });
            continue;
        }
        let what = format!("[tools.{name}]: there is no kind {given:?}");
        let fault = Fault::new(Code::WrongValue, place, what, format!("the kinds are {}", words.join(", ")));
        faults.push(fault.meant(given, words.iter().copied()));
    }
    for kind in KINDS {
        let of_kind =
            |(name, table): &(&String, &ToolTable)| table.kind.value == kind.word && !told_apart.contains(*name);
        for (name, table) in settings.tools.iter().filter(of_kind) {
            let ground = Ground {
                root: &settings.root,
                records,
                zone: &settings.timezone,
                tools: &tools,
                secrets: secrets(settings),
                embedder: Arc::clone(&embedder),
            };
            match opened(kind, name, table, &ground, &broken) {
                Ok(opened) => tools.extend(opened.into_iter().map(by_name)),
                Err(mut told) => {
                    told.extend(beside(kind, name, table, &ground, &faults));
                    broken.insert(name.clone());
                    faults.extend(told);
                }
            }
        }
    }
    Connected { tools, faults, broken }
}

/// What the environment of these settings holds.
pub fn secrets(settings: &Settings) -> Secrets {
    let settings = settings.clone();
    Secrets::new(move |name| settings.secret(name).map(str::to_owned))
}

/// What a table says, as its kind reads it; or the first thing that is wrong with it.
pub(super) fn config<C: Open>(table: &Tree) -> Result<C, String> {
    let schema = KINDS.iter().find(|kind| kind.word == C::KIND).map(Kind::schema);
    if let Some(fault) = schema.and_then(|schema| shape::faults(table, &schema).into_iter().next()) {
        return Err(fault.what);
    }
    C::deserialize(&table.value).map_err(|why| why.to_string())
}

/// The tools of one table, or what is wrong with it; nothing of a tool that it rests on, which is told itself.
fn opened(
    kind: &Kind,
    name: &str,
    table: &ToolTable,
    ground: &Ground<'_>,
    broken: &BTreeSet<String>,
) -> Result<Vec<Tool>, Vec<Fault>> {
    let faults = shape::faults(&table.table, &kind.schema());
    if !faults.is_empty() {
        return Err(faults);
    }
    let open = |value: &Value| kind.open(name, value, ground);
    open(&table.table.value).map_err(|why| {
        let Some(key) = why.key else {
            // What a shape cannot say is said by what reads the table: it is about the smallest part without which it is
            // not said.
            let is_mended = |value: &Value| open(value).is_ok();
            let is_another = |value: &Value| open(value).err().is_none_or(|other| other.what != why.what);
            let place = smallest(&table.table, &is_mended, true);
            let place = place.or_else(|| smallest(&table.table, &is_another, false));
            return vec![Fault::new(Code::WrongValue, &place.unwrap_or_else(|| table.place.clone()), why.what, "")];
        };
        let at = table.table.at([key]);
        let Some(of) = at.value.as_str().filter(|_| key == email::AUDIENCE) else {
            return vec![Fault::new(Code::WrongValue, &at.place, why.what, "")];
        };
        if broken.contains(of.split('.').next().unwrap_or_default()) {
            return vec![];
        }
        let known: Vec<&str> = ground.tools.keys().map(ToolName::as_str).collect();
        let fault = Fault::new(Code::UnknownTool, &at.place, why.what, format!("there are: {}", known.join(", ")));
        vec![fault.meant(of, known)]
    })
}

/// What else is wrong with a table of which parts are not what its kind takes: what the rest of it names.
fn beside(kind: &Kind, name: &str, table: &ToolTable, ground: &Ground<'_>, sources: &Faults) -> Vec<Fault> {
    let faults = shape::faults(&table.table, &kind.schema());
    let Some(rest) = shape::sound(&table.table, &faults) else { return vec![] };
    let Ok(opened) = kind.open(name, &rest, ground) else { return vec![] };
    // What rests on a part that is left out would be told of for that alone.
    let is_there = |wrong: &Wrong| [Code::MissingFile, Code::Unreadable].contains(&wrong.code);
    let wrong = opened.iter().flat_map(|tool| tool.look().faults).filter(is_there);
    wrong.map(|wrong| told(wrong, &table.table, sources)).collect()
}

/// Tells that a table has no kind, and of which it probably is: the first that knows all of its keys.
fn kindless(table: &ToolTable) -> Fault {
    let knows = |kind: &&Kind| {
        let schema = kind.schema();
        let known = |key: &String| schema.pointer("/properties").is_some_and(|all| all.get(key).is_some());
        let mut keys = table.table.parts.iter().map(|(key, _)| &key.value).peekable();
        keys.peek().is_some() && keys.all(known)
    };
    let words: Vec<String> = kind::words().iter().map(|word| format!("{word:?}")).collect();
    let probably = KINDS.iter().find(knows).map(|kind| format!("write kind = {:?}: ", kind.word)).unwrap_or_default();
    let instead = format!("{probably}the kinds are {}", words.join(", "));
    Fault::new(Code::MissingKey, &table.kind.place, "`kind` is missing", instead)
}

/// The place of the smallest part of `table` without which it is `better`. It may lie `anywhere`, or only in parts without which
/// it is better, too.
fn smallest(table: &Tree, better: &dyn Fn(&Value) -> bool, anywhere: bool) -> Option<Place> {
    struct Search<'s>(&'s Value, &'s dyn Fn(&Value) -> bool, bool);
    impl Search<'_> {
        fn within(&self, part: &Tree, pointer: &str) -> Option<Place> {
            let Self(whole, better, anywhere) = self;
            part.parts.iter().find_map(|(key, inner)| {
                let below = below(pointer, &key.value);
                let mut without = (*whole).clone();
                without.pointer_mut(pointer)?.as_object_mut()?.remove(&key.value);
                let is_better = better(&without);
                if !is_better && !anywhere {
                    return None;
                }
                self.within(inner, &below).or_else(|| is_better.then(|| inner.place.clone()))
            })
        }
    }
    Search(&table.value, better, anywhere).within(table, "")
}

/// What is wrong with `[checks.NAME]`: no such check, settings that it does not take, or a rule whose examples do not do what
/// they say.
pub(super) fn check_settings(settings: &Settings, all: &[Arc<dyn Check>], tools: &Tools, faults: &mut Faults) {
    for (name, written) in &settings.checks {
        match all.iter().find(|check| check.name() == name) {
            None if guard::is_declared(&written.table.value) => declared(settings, name, &written.table, tools, faults),
            Some(check) => faults.extend(shape::faults(&written.table, &check.settings())),
            None => {
                let known: Vec<&str> = all.iter().map(|check| check.name()).collect();
                let what = format!("no check is named `{name}`");
                let instead = format!("there are: {}", known.join(", "));
                faults.push(Fault::new(Code::UnknownCheck, &written.name, what, instead).meant(name, known));
            }
        }
    }
}

/// What is wrong with a check that the project declares itself.
fn declared(settings: &Settings, name: &str, table: &Tree, tools: &Tools, faults: &mut Faults) {
    let wrong = shape::faults(table, &guard::schema());
    // A rule that is none says nothing of the others.
    for wrong in shape::sound(table, &wrong).iter().flat_map(|sound| guard::wrong(name, sound)) {
        let fault = told(wrong, table, faults);
        faults.push(fault);
    }
    faults.extend(wrong);
    let leaving = table.part("leaving").map(|(_, list)| list.parts.iter()).into_iter().flatten();
    let outward = |tool: &&Tool| matches!(tool, Tool::Outward(_));
    let known: Vec<&str> = tools.values().filter(outward).map(|tool| tool.spec().name.as_str()).collect();
    for (_, named) in leaving {
        let Some(given) = named.value.as_str().filter(|given| !known.contains(given)) else { continue };
        // Of a connection of which something is wrong, that is told.
        let connection = given.split('.').next().unwrap_or_default();
        let is_there = |tool: &Tool| tool.spec().name.as_str().split('.').next() == Some(connection);
        if settings.tools.contains_key(connection) && !tools.values().any(is_there) {
            continue;
        }
        let what = format!("no tool that acts on the world is named {given:?}");
        let fault = Fault::new(Code::UnknownTool, &named.place, what, format!("there are: {}", known.join(", ")));
        faults.push(fault.meant(given, known.iter().copied()));
    }
}

/// What a tool or a rule says of its table, as a fault of the file.
pub(super) fn told(wrong: Wrong, table: &Tree, sources: &Faults) -> Fault {
    let keys = wrong.at.iter().map(String::as_str);
    let (last, outer) = wrong.at.split_last().map_or(("", &[][..]), |(last, outer)| (last.as_str(), outer));
    if let Some((settings, rest)) = &wrong.settings {
        return unset(&wrong, table.at(keys), sources, settings, rest);
    }
    let place = match (wrong.is_key, table.at(outer.iter().map(String::as_str)).part(last)) {
        (true, Some((key, _))) => key.place.clone(),
        _ => {
            let at = table.at(keys);
            // A file may be named by its path alone or within a table.
            let at = at.part("path").map_or(at, |(_, path)| path);
            match (wrong.within, at.value.as_str()) {
                (Some(within), Some(text)) => {
                    sources.within(&At { value: text.to_owned(), place: at.place.clone() }, within)
                }
                _ => at.place.clone(),
            }
        }
    };
    let fault = Fault::new(wrong.code, &place, wrong.what, wrong.instead);
    let Some((given, known)) = wrong.known else { return fault };
    let near = |given: &str| nearest(given, known.iter().map(String::as_str));
    fault.meaning(&given, near(&given).or_else(|| near(&given.to_uppercase())))
}

/// A fault that settings mend, which are added to the table that is there, or to the path that stands for one.
fn unset(wrong: &Wrong, at: &Tree, sources: &Faults, settings: &str, rest: &str) -> Fault {
    let name = wrong.at.last().map_or("", String::as_str);
    let columns = at.part("columns").filter(|_| settings.starts_with("columns = {"));
    let inner = settings.trim_start_matches("columns = {").trim_end_matches('}').trim();
    let (instead, place, text) = match (&at.value, columns) {
        (Value::String(path), _) => {
            let whole = format!("{{ path = {path:?}, {settings} }}");
            (format!("write {name} = {whole}{rest}"), at.place.clone(), whole)
        }
        (_, Some((key, _))) => {
            let text = sources.text(&key.place.file).unwrap_or_default();
            let brace = text.get(key.place.span.end..).and_then(|after| {
                let brace = after.find('{')?;
                (after[..brace].trim() == "=").then_some(key.place.span.end + brace + 1)
            });
            let instead = format!("add {inner} to its `columns`{rest}");
            let Some(brace) = brace else { return Fault::new(wrong.code, &at.place, &wrong.what, instead) };
            let is_empty = text[brace..].trim_start().starts_with('}');
            let place = Place { file: key.place.file.clone(), span: brace..brace };
            (instead, place, if is_empty { format!(" {inner} ") } else { format!(" {inner},") })
        }
        _ => {
            let text = sources.text(&at.place.file).unwrap_or_default();
            let is_inline = text.get(at.place.span.start..).is_some_and(|text| text.starts_with('{'));
            let end = if is_inline { at.place.span.start + 1 } else { at.place.span.end };
            let put = if is_inline { format!(" {settings},") } else { format!("\n{}", lined(settings)) };
            (wrong.instead.clone(), Place { file: at.place.file.clone(), span: end..end }, put)
        }
    };
    // A file may be named by its path alone or within a table.
    let told = at.part("path").map_or(&at.place, |(_, path)| &path.place);
    Fault::new(wrong.code, told, &wrong.what, instead).with_edit(place, text)
}

/// Settings of an inline table, each on a line of its own.
fn lined(settings: &str) -> String {
    let (mut depth, mut quoted) = (0, false);
    let mut lined = String::new();
    for c in settings.chars() {
        match c {
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            _ => {}
        }
        lined.push(if c == ',' && depth == 0 && !quoted { '\n' } else { c });
    }
    lined.replace("\n ", "\n")
}
