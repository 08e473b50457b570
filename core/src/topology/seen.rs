//! How things are called in a team that is a member of another one. Its members are on the flat team, under its name and
//! theirs; what they see is their own team, as it would be by itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::plan::{
    Arg, Each, Handoff, Line, Member, Over, Plan, Recipient, Role, Rounds, Script, Section, Split, Team, Teams,
};
use super::rule::below;
use crate::id::{AgentName, ArtefactName};

impl Team {
    /// The parameters that its members see, of those of the run.
    pub fn brief(&self, brief: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let value = |arg: &Arg| match arg {
            Arg::Value(value) => Some(value.clone()),
            Arg::Path { keys, .. } => {
                let (param, keys) = keys.split_first()?;
                below(brief.get(param)?, keys).cloned()
            }
        };
        self.params.iter().filter_map(|(name, arg)| Some((name.clone(), value(arg)?))).collect()
    }
}

/// What a team calls something of its own.
fn inner<'n>(team: &AgentName, name: &'n str) -> Option<&'n str> {
    name.strip_prefix(team.as_str())?.strip_prefix('.')
}

impl Teams {
    /// All that a member belongs to.
    pub fn of(&self, agent: &AgentName) -> impl Iterator<Item = (&AgentName, &Team)> {
        self.0.iter().filter(move |(name, _)| inner(name, agent.as_str()).is_some())
    }

    /// The innermost that a member belongs to.
    pub fn innermost(&self, agent: &AgentName) -> Option<&AgentName> {
        self.of(agent).map(|(name, _)| name).max_by_key(|name| name.as_str().len())
    }

    /// What a team calls a member: one of its own by their own name, another as everybody does.
    pub fn member_in(&self, team: Option<&AgentName>, member: &AgentName) -> AgentName {
        let own = team.and_then(|team| inner(team, member.as_str())).and_then(|own| own.parse().ok());
        own.unwrap_or_else(|| member.clone())
    }

    /// What a team calls an artefact; none if it does not know it. Who is in no team calls all of them by their names.
    pub fn artefact_in(&self, team: Option<&AgentName>, artefact: &ArtefactName) -> Option<ArtefactName> {
        let Some(team) = team else { return Some(artefact.clone()) };
        let taken =
            self.0.get(team)?.names.iter().find(|(_, ours)| *ours == artefact).map(|(theirs, _)| theirs.clone());
        taken.or_else(|| inner(team, artefact.as_str()).filter(|own| !own.contains('.'))?.parse().ok())
    }

    /// What a team means by an artefact.
    pub fn artefact_out(&self, team: Option<&AgentName>, artefact: &ArtefactName) -> ArtefactName {
        let Some(team) = team else { return artefact.clone() };
        let taken = self.0.get(team).and_then(|team| team.names.get(artefact)).cloned();
        taken.or_else(|| format!("{team}.{artefact}").parse().ok()).unwrap_or_else(|| artefact.clone())
    }
}

impl Plan {
    /// Whom a member of a team means by a name.
    pub fn member_out(&self, team: &AgentName, member: &AgentName) -> AgentName {
        let own = format!("{team}.{member}").parse().ok().filter(|own| self.team.contains_key(own));
        own.unwrap_or_else(|| member.clone())
    }

    /// This plan as the members of one of its teams see it: what is theirs under their own names, and nobody else's desk.
    pub fn seen_by(&self, team: &AgentName) -> Self {
        let Some(of) = self.teams.0.get(team) else { return self.clone() };
        let artefacts = self.artefacts.iter().filter_map(|(name, artefact)| {
            let mut artefact = artefact.clone();
            artefact.of = artefact.of.and_then(|of| self.teams.artefact_in(Some(team), &of));
            if let Some(section) = &mut artefact.section {
                section.of = self.teams.artefact_in(Some(team), &section.of)?;
            }
            artefact.same =
                artefact.same.iter().filter_map(|(field, other)| self.same_in(team, field, other)).collect();
            Some((self.artefact_in(Some(team), name)?, artefact))
        });
        let own = |name: &AgentName| inner(team, name.as_str())?.parse::<AgentName>().ok();
        let members = self.team.iter().filter_map(|(name, member)| Some((own(name)?, self.seen_member(team, member))));
        let handoffs = self.handoffs.iter().filter_map(|(name, ways)| {
            let ways = ways.iter().map(|(outcome, handoff)| (outcome.clone(), self.seen_handoff(team, handoff)));
            Some((own(name)?, ways.collect()))
        });
        let lines = self.script.as_ref().map(|script| {
            let spoken = |line: &Line| {
                let writes = line.writes.iter();
                let writes =
                    writes.filter_map(|(name, value)| Some((self.artefact_in(Some(team), name)?, value.clone())));
                Line { writes: writes.collect(), ..line.clone() }
            };
            let lines = script.lines.iter();
            let lines = lines.filter_map(|(name, lines)| Some((own(name)?, lines.iter().map(spoken).collect())));
            Script { lines: lines.collect() }
        });
        Self {
            name: of.topology.clone(),
            description: of.description.clone(),
            artefacts: artefacts.collect(),
            team: members.collect(),
            handoffs: handoffs.collect(),
            start: self.teams.member_in(Some(team), &self.start),
            script: lines,
            teams: Teams::default(),
            ..self.clone()
        }
    }

    /// What a team calls an artefact, which may be a section; none if it does not know it.
    pub fn artefact_in(&self, team: Option<&AgentName>, artefact: &ArtefactName) -> Option<ArtefactName> {
        match self.section(artefact) {
            None => self.teams.artefact_in(team, artefact),
            Some(section) => Section::name(&self.teams.artefact_in(team, &section.of)?, &section.at),
        }
    }

    fn same_in(&self, team: &AgentName, field: &str, other: &str) -> Option<(String, String)> {
        let (root, keys) = self.root(other)?;
        let path: Vec<String> =
            std::iter::once(self.teams.artefact_in(Some(team), &root)?.to_string()).chain(keys).collect();
        Some((field.to_owned(), path.join(".")))
    }

    /// The artefact that a path begins with, and the keys below it.
    pub fn root(&self, path: &str) -> Option<(ArtefactName, Vec<String>)> {
        let whole = self.artefacts.iter().filter(|(_, artefact)| artefact.section.is_none());
        let (root, keys) = rooted(path, whole.map(|(name, _)| name.as_str()));
        Some((root.parse().ok()?, keys))
    }

    fn seen_member(&self, team: &AgentName, member: &Member) -> Member {
        let mut member = member.clone();
        member.reads.iter_mut().for_each(|read| {
            read.artefact = self.teams.artefact_in(Some(team), &read.artefact).unwrap_or_else(|| read.artefact.clone());
        });
        member.writes = member.writes.iter().filter_map(|name| self.artefact_in(Some(team), name)).collect();
        member.may_ask = member.may_ask.iter().map(|name| self.teams.member_in(Some(team), name)).collect();
        if let Role::Person(person) = &mut member.role {
            person.approves =
                person.approves.iter().filter_map(|name| self.teams.artefact_in(Some(team), name)).collect();
        }
        member
    }

    fn seen_handoff(&self, team: &AgentName, handoff: &Handoff) -> Handoff {
        let to = |to: &Recipient| match to {
            Recipient::Member(to) => Recipient::Member(inner(team, to.as_str()).map_or_else(
                // No member has such a name: `end` is nobody's.
                || format!("end.{to}").parse().unwrap_or_else(|_| to.clone()),
                |own| own.parse().unwrap_or_else(|_| to.clone()),
            )),
            Recipient::End => Recipient::End,
        };
        Handoff {
            to: to(&handoff.to),
            rounds: handoff.rounds.as_ref().map(|rounds| Rounds { max: rounds.max, then: to(&rounds.then) }),
            split: handoff.split.as_ref().map(|split| self.seen_split(team, split)),
        }
    }

    /// Whom an item means stays as everybody calls them: the run hears of its branches by those names.
    fn seen_split(&self, team: &AgentName, split: &Split) -> Split {
        let name =
            |artefact: &ArtefactName| self.teams.artefact_in(Some(team), artefact).unwrap_or_else(|| artefact.clone());
        let over = match &split.over {
            Over::Each(each) => {
                Over::Each(Each { artefact: name(&each.artefact), item: name(&each.item), ..each.clone() })
            }
            other => other.clone(),
        };
        let names = |artefacts: &[ArtefactName]| artefacts.iter().map(name).collect();
        Split { over, collects: names(&split.collects), ends: names(&split.ends), ..split.clone() }
    }
}

/// A path as the name that it begins with, the longest of `known` that it can be, and the keys below it: what a team has of its own has a
/// dot in its name.
pub fn rooted<'k>(path: &str, known: impl Iterator<Item = &'k str>) -> (String, Vec<String>) {
    let begins = |name: &&str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let plain = path.split('.').next().unwrap_or_default();
    let root = known.filter(begins).max_by_key(|name| name.len()).unwrap_or(plain);
    (root.to_owned(), path[root.len()..].split('.').skip(1).map(str::to_owned).collect())
}
