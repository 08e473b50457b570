//! What the rules share: the files, the surroundings, the faults so far, and how much is known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::given::{Files, ReadError, Surroundings};
use super::lacking::{Forgotten, List};
use super::secrets;
use crate::id::{AgentName, ArtefactName};
use crate::topology::fault::{At, Code, Fault, Faults, Place, nearest};
use crate::topology::plan::{Script, Section, Teams};
use crate::topology::raw::{self, topology::Topology, walk};
use crate::topology::seen::rooted;

/// A check under way.
pub(super) struct Draft<'a> {
    pub(super) name: &'a str,
    pub(super) files: &'a dyn Files,
    pub(super) around: &'a Surroundings,
    pub(super) faults: Faults,
    /// Schemas that compile, by name.
    pub(super) schemas: BTreeMap<String, Value>,
    /// The schema of each artefact, by its name in `schemas`.
    pub(super) kinds: BTreeMap<String, String>,
    /// Items of splits, which are on the desks of their branches, each with its schema.
    pub(super) items: BTreeMap<String, Value>,
    /// Parts of artefacts that members write by themselves, by the names under which they are written.
    pub(super) sections: BTreeMap<String, Section>,
    /// Lists of what branches write, by what they are lists of.
    pub(super) lists: BTreeMap<ArtefactName, ArtefactName>,
    /// Artefacts of which some section is none, which is told.
    pub(super) unsectioned: BTreeSet<String>,
    /// Members or artefacts are unknown, so that nothing can be said of paths.
    pub(super) damaged: bool,
    /// Handoffs are missing, so that nothing can be said of what is not reached.
    pub(super) edges_missing: bool,
    /// The members, by name, with their places in the team.
    pub(super) places: HashMap<String, usize>,
    /// How many edges the rules about paths have looked at.
    pub(super) looked_at: u64,
    /// Members whose names are none, which is told.
    pub(super) lost: BTreeSet<String>,
    /// Where the budget's steps are written.
    pub(super) steps_place: Option<Place>,
    /// Something that it needs has faults, which are told with the project.
    pub(super) incomplete: bool,
    /// Values that were read under a key that was probably meant.
    pub(super) guessed: Vec<Place>,
    /// What it is brought as a member of another team.
    pub(super) taken: BTreeSet<String>,
    /// Whether it is checked as a member of others, and which these are.
    pub(super) within: Vec<String>,
    /// Teams that are members of it.
    pub(super) teams: Teams,
    /// Where the steps of such a team's budget are written.
    pub(super) team_steps: BTreeMap<AgentName, Place>,
    /// What its members say in a rehearsal, those of teams within it included.
    pub(super) script: Script,
    /// Names with dots that a check has made.
    pub(super) made: BTreeSet<String>,
    /// What entries of the team lack, which is told at the end.
    pub(super) forgotten: Forgotten,
    /// Members whom the rehearsal asks questions.
    pub(super) asking: BTreeSet<String>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(name: &'a str, files: &'a dyn Files, around: &'a Surroundings) -> Self {
        Self {
            name,
            files,
            around,
            faults: Faults::default(),
            schemas: BTreeMap::new(),
            kinds: BTreeMap::new(),
            items: BTreeMap::new(),
            sections: BTreeMap::new(),
            lists: BTreeMap::new(),
            unsectioned: BTreeSet::new(),
            damaged: false,
            edges_missing: false,
            places: HashMap::new(),
            looked_at: 0,
            lost: BTreeSet::new(),
            steps_place: None,
            incomplete: false,
            guessed: vec![],
            taken: BTreeSet::new(),
            within: vec![],
            teams: Teams::default(),
            team_steps: BTreeMap::new(),
            script: Script::default(),
            made: BTreeSet::new(),
            forgotten: Forgotten::new(),
            asking: BTreeSet::new(),
        }
    }

    /// All faults, in their order.
    pub(super) fn finish(&mut self) -> Faults {
        let mut faults = std::mem::take(&mut self.faults);
        // A value under a key that was only guessed is no cause of its own. The key is, and a table that has no heading but those
        // of its entries, as [triggers.weekly], stands where its key does.
        let is_cause = |fault: &Fault| matches!(fault.code, Code::Secret | Code::UnknownKey);
        faults.retain(|fault| is_cause(fault) || !self.guessed.contains(&fault.place));
        faults.by_cause();
        faults.sort();
        faults
    }

    pub(super) fn fault(&mut self, code: Code, place: &Place, what: impl Into<String>, instead: impl Into<String>) {
        self.faults.push(Fault::new(code, place, what, instead));
    }

    /// Keeps a fault whose cause is that `list` of `member` lacks `name`.
    pub(super) fn forgot(&mut self, member: &str, list: List, name: &str, fault: Fault) {
        let names = self.forgotten.entry((member.to_owned(), list)).or_default();
        names.entry(name.to_owned()).or_default().push(fault);
    }

    /// Has the text of `file` at hand for faults that point into it, although no rule reads it.
    pub(super) fn quote(&mut self, file: &Arc<str>) {
        let text = self.files.read(file).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.into_iter().for_each(|text| self.faults.source(file.clone(), text.into()));
    }

    /// Tells of a name that is not among `known`; returns the one that was meant.
    pub(super) fn unknown<'k>(
        &mut self,
        code: Code,
        at: &At<String>,
        what: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Option<&'k str> {
        let known: Vec<&str> = known.into_iter().collect();
        let meant = nearest(&at.value, known.iter().copied());
        let mut list = known.iter().take(12).copied().collect::<Vec<_>>().join(", ");
        if known.len() > 12 {
            list.push_str(", ...");
        }
        let instead = if known.is_empty() { format!("there is no {what} yet") } else { format!("there are: {list}") };
        let fault = Fault::new(code, &at.place, format!("no {what} is named `{}`", at.value), instead);
        self.faults.push(Fault { given: Some(at.value.clone()), ..fault.meant(&at.value, known) });
        meant
    }

    /// Reads the topology's own file.
    pub(super) fn topology(&mut self) -> Option<Topology> {
        let path = format!("topologies/{}.toml", self.name);
        if self.name.contains('.') || self.name.parse::<AgentName>().is_err() {
            let what = format!("{:?} is no topology's name", self.name);
            self.fault(Code::Name, &Place::top("topologies"), what, "give the file's name without .toml");
            return None;
        }
        let (file, text) = self.text(&path, &Place::top(&path))?;
        let raw = self.keep(raw::topology::read(&file, &text));
        self.damaged |= raw.as_ref().is_none_or(|raw| raw.damaged);
        raw
    }

    /// Takes over the faults of a file that was read, and looks for secrets in it.
    pub(super) fn keep<T>(&mut self, read: raw::Read<T>) -> Option<T> {
        self.faults.extend(read.faults);
        self.faults.extend(read.texts.iter().filter_map(secrets::fault));
        self.guessed.extend(read.guessed);
        read.value
    }

    /// The text of a file that `named_at` names; a fault if there is none.
    pub(super) fn text(&mut self, path: &str, named_at: &Place) -> Option<(Arc<str>, Arc<str>)> {
        match self.files.read(path) {
            Ok(bytes) => self.decoded(path, bytes),
            Err(error) => {
                let fault = Fault::new(
                    if error == ReadError::Missing { Code::MissingFile } else { Code::Unreadable },
                    named_at,
                    format!("{path} cannot be read: {error}"),
                    format!("make {path}, or name another file"),
                );
                let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
                let names = self.files.names(folder);
                let fault = fault.meant(name, names.iter().map(String::as_str));
                self.faults.push(fault);
                None
            }
        }
    }

    fn decoded(&mut self, path: &str, bytes: Vec<u8>) -> Option<(Arc<str>, Arc<str>)> {
        let file: Arc<str> = path.into();
        match walk::text(path, bytes) {
            Ok(text) => {
                let text: Arc<str> = text.into();
                self.faults.source(file.clone(), text.clone());
                Some((file, text))
            }
            Err(unread) => {
                if let Some(shown) = unread.shown {
                    self.faults.source(file, shown.into());
                }
                self.faults.push(unread.fault);
                None
            }
        }
    }

    /// A path as the artefact or item that it begins with, `message` or `params`, and the keys below that.
    pub(super) fn rooted(&self, raw: &Topology, path: &str) -> (String, Vec<String>) {
        let names = raw.artefacts.iter().map(|(name, _)| name.value.as_str());
        rooted(path, names.chain(self.items.keys().map(String::as_str)))
    }

    /// What the team of `agent` calls an artefact.
    pub(super) fn called(&self, agent: &AgentName, artefact: &ArtefactName) -> ArtefactName {
        let team = self.teams.innermost(agent);
        let section = self.sections.get(artefact.as_str());
        let called = self.teams.artefact_in(team, section.map_or(artefact, |section| &section.of));
        let called = called.and_then(|of| section.map_or(Some(of.clone()), |section| Section::name(&of, &section.at)));
        called.unwrap_or_else(|| artefact.clone())
    }

    /// The schema of an artefact or an item, as far as it compiles.
    pub(super) fn schema(&self, name: &ArtefactName) -> Option<Value> {
        let of = || self.kinds.get(name.as_str()).and_then(|kind| self.schemas.get(kind));
        self.items.get(name.as_str()).or_else(of).cloned()
    }

    /// The artefact that is named; the one that was meant if it is told.
    pub(super) fn artefact(&mut self, raw: &Topology, at: &At<String>) -> Option<ArtefactName> {
        if self.taken.contains(&at.value) && self.items.contains_key(&at.value) {
            let what = format!("`{}` is taken as it is: nobody knows what to write into it, or to approve", at.value);
            let instead = format!("say what it is: {} = {{ schema = \"...\" }} under [takes]", at.value);
            self.fault(Code::TeamBrings, &at.place, what, instead);
            return None;
        }
        if self.items.contains_key(&at.value) {
            let what = format!("`{}` is an item of a split: it is read, and nobody writes or approves it", at.value);
            self.fault(Code::ItemName, &at.place, what, "name an artefact of [artefacts]");
            return None;
        }
        let names = || raw.artefacts.iter().map(|(name, _)| name.value.as_str());
        self.among(at, names().collect())
    }

    /// The same for what is read, which can be an item of a split.
    pub(super) fn readable(&mut self, raw: &Topology, at: &At<String>) -> Option<ArtefactName> {
        if self.items.contains_key(&at.value) {
            return at.value.parse().ok();
        }
        let items: Vec<String> = self.items.keys().cloned().collect();
        let names = raw.artefacts.iter().map(|(name, _)| name.value.as_str());
        let names: Vec<&str> = names.chain(items.iter().map(String::as_str)).collect();
        if raw.items_lost && !names.contains(&at.value.as_str()) && nearest(&at.value, names.iter().copied()).is_none()
        {
            // It may be the item of a split that could not be read, which is told.
            self.damaged = true;
            return None;
        }
        self.among(at, names)
    }

    fn among(&mut self, at: &At<String>, names: Vec<&str>) -> Option<ArtefactName> {
        if names.contains(&at.value.as_str()) {
            return at.value.parse().ok();
        }
        if let Some(whole) = within(&at.value, names.iter().copied()) {
            let whole = whole.to_owned();
            let what = format!("`{}` is a part of `{whole}`, and what is not written is named whole", at.value);
            let fault = Fault::new(Code::Section, &at.place, what, format!("write \"{whole}\""));
            self.faults.push(fault.meaning(&at.value, Some(&whole)));
            return whole.parse().ok();
        }
        let meant = self.unknown(Code::UnknownArtefact, at, "artefact", names);
        self.damaged |= meant.is_none();
        meant?.parse().ok()
    }
}

/// The artefact that `name` would be a part of: the longest of `artefacts` that it begins with.
pub(super) fn within<'n>(name: &str, artefacts: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let begins = |whole: &&str| name.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.'));
    artefacts.filter(begins).max_by_key(|whole| whole.len())
}
