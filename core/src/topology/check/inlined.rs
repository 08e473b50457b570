//! What a topology becomes when a team within it is inlined: its members, artefacts and handoffs under names of their own,
//! its end where the team around it hands its outcomes on to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draft::{Draft, within};
use crate::id::{AgentName, ArtefactName, Outcome};
use crate::topology::fault::{At, Code, Place};
use crate::topology::plan::{Arg, Plan, Script, Section, Team};
use crate::topology::raw::handoff::{Handoffs, Way};
use crate::topology::raw::names::Named;
use crate::topology::raw::topology::{self, Member, Topology};
use crate::topology::seen::rooted;

/// A team as it is by itself, sound, with the teams within it inlined.
pub(super) struct Inner {
    pub(super) plan: Plan,
    pub(super) raw: Topology,
    pub(super) script: Script,
    pub(super) steps: BTreeMap<AgentName, Place>,
}

/// A team with what holds between it and the one that it is a member of.
pub(super) struct Joined {
    /// Its name there.
    pub(super) name: At<String>,
    pub(super) inner: Arc<Inner>,
    /// What it takes and gives: its name for each, and ours.
    pub(super) names: BTreeMap<String, At<String>>,
    /// Its parameters, as they are written and as a plan has them.
    pub(super) params: BTreeMap<String, (topology::Arg, Arg)>,
    /// Where its outcomes lead.
    pub(super) ways: BTreeMap<Outcome, Way>,
}

/// Where a way of a member leads to the end.
#[derive(Clone, Copy, PartialEq)]
enum Exit {
    /// Always, or as long as there are rounds.
    To,
    /// When the rounds are used up.
    Then,
    /// Where branches meet.
    Join,
}

impl Joined {
    /// The member of the team to whom goes what is handed on to the team.
    pub(super) fn first(&self) -> Option<String> {
        self.inner.raw.start.as_ref().map(|start| format!("{}.{}", self.name.value, start.value))
    }
}

pub(super) fn inline(draft: &mut Draft<'_>, raw: &mut Topology, joined: &Joined) {
    let team = joined.name.value.clone();
    let mut inner = joined.inner.raw.clone();
    exits(draft, &mut inner, joined);
    values(draft, &mut inner, joined);
    let known: Vec<String> = known(&inner);
    renamed(&mut inner, joined, &known);
    for (name, artefact) in inner.artefacts {
        match joined.names.iter().find(|(_, ours)| ours.value == name.value) {
            None => raw.artefacts.push((name, artefact)),
            // What a team examines of what it gives is examined here, too.
            Some((_, ours)) => {
                let here = raw.artefacts.iter_mut().find(|(other, _)| other.value == ours.value);
                let Some((_, here)) = here else { continue };
                let more = artefact.checks.into_iter();
                let more: Vec<At<String>> =
                    more.filter(|check| here.checks.iter().all(|known| known.value != check.value)).collect();
                here.checks.extend(more);
                here.same.extend(artefact.same);
            }
        }
    }
    raw.handoffs.retain(|(from, _)| from.value != team);
    raw.team.extend(inner.team);
    raw.handoffs.extend(inner.handoffs);
    declare(draft, joined);
}

/// Every artefact and item that a path of it can begin with.
fn known(inner: &Topology) -> Vec<String> {
    let mut known = vec![];
    inner.clone().names(&mut |named| {
        if let Named::Artefact(at) = named {
            known.push(at.value.trim_end_matches('?').to_owned());
        }
    });
    known.extend(inner.takes.iter().map(|(name, _)| name.value.clone()));
    // A section is named by what it is a part of.
    let artefacts = || inner.artefacts.iter().map(|(name, _)| name.value.as_str());
    known.retain(|name| artefacts().any(|artefact| artefact == name) || within(name, artefacts()).is_none());
    known
}

fn renamed(inner: &mut Topology, joined: &Joined, known: &[String]) {
    let team = &joined.name.value;
    for (name, member) in &mut inner.team {
        if member.file.is_none() && member.tool.is_none() && !member.is_rule {
            member.file = Some(At { value: format!("agents/{}.toml", name.value), place: name.place.clone() });
        }
    }
    let ours = |name: &str| match joined.names.get(name) {
        Some(ours) => (ours.value.clone(), Some(ours.place.clone())),
        None => (format!("{team}.{name}"), None),
    };
    inner.names(&mut |named| match named {
        Named::Member(at) | Named::Artefact(at) | Named::Path(at) if at.value.starts_with(OUT) => {
            at.value = at.value.split_off(OUT.len());
        }
        Named::Member(at) if ["end", "failed"].contains(&at.value.as_str()) => {}
        Named::Member(at) => at.value = format!("{team}.{}", at.value),
        Named::Artefact(at) => {
            let (root, _) = rooted(at.value.trim_end_matches('?'), known.iter().map(String::as_str));
            let (flat, place) = ours(&root);
            at.value.replace_range(..root.len(), &flat);
            // What is wrong with what it is brought is told where that is said.
            at.place = place.unwrap_or_else(|| at.place.clone());
        }
        Named::Path(at) => {
            let (root, keys) = rooted(&at.value, known.iter().map(String::as_str));
            if !["message", "params"].contains(&root.as_str()) {
                let (root, place) = ours(&root);
                at.value = std::iter::once(root).chain(keys).collect::<Vec<_>>().join(".");
                at.place = place.unwrap_or_else(|| at.place.clone());
            }
        }
    });
}

/// Before the name of a recipient that is none of the team's own.
const OUT: &str = "/";

/// Lets every way to the end of the team lead where the team around it hands that outcome on to. Where one way cannot say
/// so, or several share one bound or one split, they lead to a rule without lines, which hands on.
fn exits(draft: &mut Draft<'_>, inner: &mut Topology, joined: &Joined) {
    let outcome_of = |from: &At<String>, key: Option<&At<String>>| match key {
        Some(key) => key.value.parse().ok(),
        None => joined.inner.plan.handoffs.get(from.value.as_str()).and_then(|ways| ways.keys().next().cloned()),
    };
    for (outcome, way) in &joined.ways {
        let mut found = vec![];
        for (from, handoffs) in &mut inner.handoffs {
            match handoffs {
                Handoffs::Only(own) if outcome_of(from, None).as_ref() == Some(outcome) => found.push(own),
                Handoffs::By(ways) => {
                    found.extend(ways.iter_mut().filter(|(key, _)| key.value == outcome.as_str()).map(|(_, own)| own));
                }
                Handoffs::Only(_) => {}
            }
        }
        let mut found: Vec<(&mut Way, Vec<Exit>)> = found
            .into_iter()
            .map(|own| {
                let ends = own.exits();
                (own, ends)
            })
            .collect();
        found.retain(|(_, ends)| !ends.is_empty());
        let is_rich = way.rounds.is_some() || way.split.is_some();
        let fits = |own: &Way, ends: &[Exit]| match is_rich {
            true => ends == [Exit::To] && own.rounds.is_none(),
            false => match way.to.value.as_str() {
                "failed" => ends == [Exit::To],
                "end" => true,
                _ => !ends.contains(&Exit::Join),
            },
        };
        let direct = found.iter().all(|(own, ends)| fits(own, ends)) && (!is_rich || found.len() == 1);
        if direct {
            for (own, ends) in found {
                if is_rich {
                    *own = way.out();
                } else {
                    own.leave(&ends, &way.out().to);
                }
            }
            continue;
        }
        let name = At { value: outcome.to_string(), place: way.place.clone() };
        if inner.team.iter().any(|(member, _)| member.value == name.value) {
            let what = format!("`{outcome}` is a member of `{}`, and an outcome of it", joined.inner.plan.name);
            draft.fault(
                Code::Name,
                &joined.name.place,
                what,
                "give the member another name, or hand this outcome on plainly",
            );
            return;
        }
        for (own, ends) in found {
            own.leave(&ends, &name);
        }
        let rule = Some(At { value: vec![], place: way.place.clone() });
        let member = Member { is_rule: true, rule, otherwise: Some(name.clone()), ..Member::default() };
        draft.made.insert(format!("{}.{outcome}", joined.name.value));
        inner.handoffs.push((name.clone(), Handoffs::By(vec![(name.clone(), way.out())])));
        inner.team.push((name, member));
    }
}

impl Way {
    /// Where it leads to the end.
    fn exits(&self) -> Vec<Exit> {
        let ends = |at: &At<String>| ["end", "failed"].contains(&at.value.as_str());
        let to = ends(&self.to).then_some(if self.split.is_some() { Exit::Join } else { Exit::To });
        let then = self.rounds.as_ref().filter(|(_, then)| ends(then)).map(|_| Exit::Then);
        to.into_iter().chain(then).collect()
    }

    fn leave(&mut self, ends: &[Exit], to: &At<String>) {
        for end in ends {
            match (end, &mut self.rounds) {
                (Exit::Then, Some((_, then))) => *then = to.clone(),
                _ => self.to = to.clone(),
            }
        }
    }

    /// It as a way of a team within: its names are not that team's own.
    fn out(&self) -> Self {
        let mut out = self.clone();
        out.names(&mut |named| {
            if let Named::Member(at) | Named::Artefact(at) | Named::Path(at) = named
                && !["end", "failed"].contains(&at.value.as_str())
            {
                at.value.insert_str(0, OUT);
            }
        });
        out
    }
}

/// Puts the values of its parameters where it names them.
fn values(draft: &mut Draft<'_>, inner: &mut Topology, joined: &Joined) {
    let topology = &joined.inner.plan.name;
    let value = |path: &str| joined.params.get(path.strip_prefix("params.")?).map(|(written, _)| written.clone());
    for (_, member) in &mut inner.team {
        for (_, arg) in member.args.iter_mut().flat_map(|args| &mut args.value) {
            let topology::Arg::Path(path) = arg else { continue };
            if path.value == "params" {
                let what = format!("a member of `{topology}` takes all of `params`, which are not those of this team");
                draft.fault(Code::TeamParam, &path.place, what, "take them one by one: \"params.NAME\"");
            } else if let Some(given) = value(&path.value) {
                *arg = given;
            }
        }
        for line in member.rule.iter_mut().flat_map(|lines| &mut lines.value) {
            match value(&line.when.value) {
                Some(topology::Arg::Path(path)) => line.when = path,
                Some(topology::Arg::Value(at)) => {
                    let what = format!(
                        "a rule of `{topology}` looks at `{}`, which is always {} here",
                        line.when.value, at.value
                    );
                    let instead = "give it a parameter of ours: params = { theirs = \"params.ours\" }";
                    draft.fault(Code::TeamParam, &joined.name.place, what, instead);
                }
                None => {}
            }
        }
    }
}

/// Says of the team, and of the teams within it, what a run has to know.
fn declare(draft: &mut Draft<'_>, joined: &Joined) {
    let (name, plan) = (&joined.name.value, &joined.inner.plan);
    let ours = |theirs: &ArtefactName| match joined.names.get(theirs.as_str()) {
        Some(ours) => ours.value.parse().ok(),
        None => format!("{name}.{theirs}").parse::<ArtefactName>().ok(),
    };
    let Ok(own) = name.parse::<AgentName>() else { return };
    let names = joined.names.iter().filter_map(|(theirs, ours)| Some((theirs.parse().ok()?, ours.value.parse().ok()?)));
    let params = joined.params.iter().map(|(param, (_, arg))| (param.clone(), arg.clone()));
    let team = Team {
        topology: plan.name.clone(),
        description: plan.description.clone(),
        names: names.collect(),
        params: params.collect(),
        budget: plan.budget.clone(),
    };
    if let Some(at) = &joined.inner.raw.budget.steps {
        draft.team_steps.insert(own.clone(), at.place.clone());
    }
    draft.teams.0.insert(own, team);
    for (inner, team) in &plan.teams.0 {
        let Ok(flat) = format!("{name}.{inner}").parse::<AgentName>() else { continue };
        let param = |arg: &Arg| match arg {
            Arg::Path { keys, .. } => joined.params.get(keys.first()?).map(|(_, arg)| arg.clone()),
            Arg::Value(_) => Some(arg.clone()),
        };
        let team = Team {
            names: team.names.iter().filter_map(|(theirs, here)| Some((theirs.clone(), ours(here)?))).collect(),
            params: team.params.iter().filter_map(|(name, arg)| Some((name.clone(), param(arg)?))).collect(),
            ..team.clone()
        };
        if let Some(place) = joined.inner.steps.get(inner) {
            draft.team_steps.insert(flat.clone(), place.clone());
        }
        draft.teams.0.insert(flat, team);
    }
    for (agent, lines) in &joined.inner.script.lines {
        let Ok(agent) = format!("{name}.{agent}").parse::<AgentName>() else { continue };
        let lines = lines.iter().map(|line| {
            let ours = |theirs: &ArtefactName| match plan.section(theirs) {
                None => ours(theirs),
                Some(section) => Section::name(&ours(&section.of)?, &section.at),
            };
            let writes = line.writes.iter().filter_map(|(theirs, value)| Some((ours(theirs)?, value.clone())));
            crate::topology::plan::Line { writes: writes.collect(), ..line.clone() }
        });
        draft.script.lines.insert(agent, lines.collect());
    }
}
