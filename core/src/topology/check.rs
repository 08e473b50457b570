//! Every rule, each in its own file; all faults at once. Reads through [`Files`], talks to nothing.

mod alone;
mod args;
mod asks;
mod assigned;
mod billed;
mod branches;
mod budget;
mod count;
mod cycles;
mod draft;
mod expectations;
mod forgotten;
mod gated;
mod given;
mod graph;
mod handoffs;
mod inlined;
mod json;
mod labels;
mod lacking;
mod names;
mod params;
mod person;
mod planned;
mod reach;
mod recipient;
mod rehearsal;
mod rule;
mod same;
mod schema_text;
mod schemas;
mod scripted;
mod seat;
pub mod secrets;
mod sections;
mod split;
mod team;
mod teams;
mod template;
mod triggers;
mod turns;

use std::collections::BTreeMap;

use super::fault::{Code, Fault, Faults, Place};
use super::plan::{self, Mode, Plan};
use super::proof::Proof;
use super::raw;
use super::trigger::Trigger;
use crate::id::ArtefactName;
pub use alone::alone;
use draft::Draft;
pub use given::{Files, Guards, NamedQuery, Queries, ReadError, Surroundings, Test};
use seat::Seat;

/// A topology that may start.
#[derive(Debug, Clone)]
pub struct Checked {
    /// All that a run branches on.
    pub plan: Plan,
    /// What holds of it.
    pub proof: Proof,
    /// The tests of its rehearsal.
    pub tests: Vec<Test>,
    /// What teams bring that have it as a member: it runs within them only.
    pub takes: Vec<ArtefactName>,
    /// What starts runs of it.
    pub triggers: Vec<Trigger>,
}

impl Checked {
    /// Whether it runs by itself.
    ///
    /// # Errors
    /// If it is brought something, as a member of another team.
    pub fn by_itself(&self) -> Result<(), Faults> {
        let Some(first) = self.takes.first() else { return Ok(()) };
        let what = format!("`{}` takes `{first}` from a team that has it as a member", self.plan.name);
        let place = Place::top(&format!("topologies/{}.toml", self.plan.name));
        Err(Fault::new(Code::TeamBrings, &place, what, "run a topology that has it as a member").into())
    }
}

/// Checks `topologies/NAME.toml` and all that it names.
///
/// # Errors
/// Every fault that is found; then no run may start. There is none if it only needs what is told with the project.
pub fn check(name: &str, files: &dyn Files, around: &Surroundings) -> Result<Checked, Faults> {
    let mut draft = Draft::new(name, files, around);
    let checked = draft.topology().and_then(|raw| whole(&mut draft, raw));
    let faults = draft.finish();
    match checked {
        Some((checked, _)) if faults.is_empty() => Ok(checked),
        _ => Err(faults),
    }
}

/// The triggers of `topologies/NAME.toml`, whatever else is wrong with it, and the names of those of which something is wrong.
pub fn triggers(name: &str, files: &dyn Files) -> (Vec<Trigger>, Vec<String>) {
    let around = Surroundings::nothing(Mode::Rehearsal);
    triggers::alone(&mut Draft::new(name, files, &around))
}

/// The rules over one file that could be read at all, and what it is with the teams within it inlined.
fn whole(draft: &mut Draft<'_>, raw: raw::topology::Topology) -> Option<(Checked, raw::topology::Topology)> {
    let raw = teams::flat(draft, raw, |draft, raw| whole(draft, raw).map(|(checked, raw)| (checked.plan, raw)))?;
    let checked = flat(draft, &raw)?;
    Some((checked, raw))
}

fn flat(draft: &mut Draft<'_>, raw: &raw::topology::Topology) -> Option<Checked> {
    let params = params::check(draft, raw);
    let mut artefacts = schemas::check(draft, raw);
    sections::check(draft, raw, &mut artefacts);
    split::items(draft, raw);
    same::check(draft, raw);
    let seats = team::check(draft, raw, &params);
    draft.places = seats.iter().enumerate().map(|(place, seat)| (seat.name.to_string(), place)).collect();
    gated::asked(draft, raw, &seats);
    let routes = handoffs::check(draft, raw, &seats);
    let (budget, supervisor) = (budget::check(draft, raw), budget::supervisor(draft, raw));
    let nodes = sections::on(draft, seats.iter().enumerate().map(graph::Node::new).collect());
    let graph = graph::Graph::new(nodes, &routes);
    let asks = asks::check(draft, raw, &seats);
    let merges = if draft.damaged { None } else { branches::check(draft, raw, &graph) };
    draft.damaged |= merges.is_none();
    let merges = merges.unwrap_or_default();
    let (binds, proof) = paths(draft, &graph, &merges, &seats, &asks, &budget);
    draft.looked_at = graph.looked_at();
    let models = team::models(draft, &seats, &budget);
    let (script, tests) = rehearsal::check(draft, raw, &seats, &routes, &asks, &params);
    draft.script = script.clone().unwrap_or_default();
    let ways = (!draft.damaged).then_some((&graph, &merges));
    forgotten::tell(draft, raw, ways);
    let triggers = triggers::check(draft, raw, &params);
    if draft.incomplete || !draft.faults.is_empty() {
        return None;
    }
    let mut members = BTreeMap::new();
    for seat in &seats {
        let mut member = seat.member.clone()?;
        if let plan::Role::Person(person) = &mut member.role {
            person.binds = binds.get(&seat.name).cloned();
        }
        member.may_ask = asks.get(&seat.name).cloned().unwrap_or_default();
        members.insert(seat.name.clone(), member);
    }
    let tools = team::tools(draft, &members);
    let leaving = draft.around.guards.leaving.iter().filter(|(tool, _)| tools.contains_key(*tool));
    let leaving: BTreeMap<_, _> = leaving.map(|(tool, checks)| (tool.clone(), checks.clone())).collect();
    let checks = artefacts.values().flat_map(|artefact| artefact.checks.iter()).chain(leaving.values().flatten());
    let checks = checks.filter_map(|name| Some((name.clone(), draft.around.checks.get(name)?.clone()))).collect();
    let plan = Plan {
        format: plan::PLAN_FORMAT,
        name: draft.name.to_owned(),
        description: raw.description.clone(),
        mode: draft.around.mode,
        params,
        artefacts,
        schemas: std::mem::take(&mut draft.schemas),
        checks,
        leaving,
        tools,
        team: members,
        teams: draft.teams.clone(),
        start: seats.get(routes.start.as_ref()?.0)?.name.clone(),
        handoffs: routes.table(&seats, |index, split| branches::merged(&merges, index, split)),
        failures: routes.failures(&seats),
        budget,
        supervisor,
        models,
        script: script.filter(|_| draft.around.mode == Mode::Rehearsal),
        recording: draft.around.recording.clone(),
        single_person: draft.around.single_person,
    };
    labels::check(draft, &seats, &plan);
    if !draft.faults.is_empty() {
        return None;
    }
    let takes = raw.takes.iter().filter_map(|(name, _)| name.value.parse().ok()).collect();
    Some(Checked { plan, proof, tests, takes, triggers })
}

type Binds = BTreeMap<crate::id::AgentName, crate::id::AgentName>;

/// The rules about paths, as far as what is known of the graph allows them to be told from their causes.
fn paths(
    draft: &mut Draft<'_>,
    graph: &graph::Graph,
    merges: &branches::Merges,
    seats: &[Seat],
    asks: &asks::Asks,
    budget: &plan::Budget,
) -> (Binds, Proof) {
    let mut proof = Proof::of(budget);
    if draft.damaged {
        return (Binds::new(), proof);
    }
    let faults_before = draft.faults.len();
    // What leaves of what a team is brought is approved, or not, by those who have it as a member.
    proof.gates = if draft.taken.is_empty() { gated::check(draft, graph, merges) } else { vec![] };
    let joins = graph.splits.values().map(|split| split.route.to.and_then(|seat| seats.get(seat)));
    proof.joins = joins.map(|join| join.map(|seat| seat.name.clone())).collect();
    let binds = gated::binds(draft, graph);
    let ungated = draft.faults.len() > faults_before;
    if !draft.edges_missing {
        reach::check(draft, graph, asks, ungated);
    }
    let before_cycles = draft.faults.len();
    cycles::check(draft, graph);
    let circle = draft.faults.iter().any(|fault| fault.code == Code::AskCircle);
    let bounded = draft.faults.len() == before_cycles && !circle;
    assigned::check(draft, graph, merges);
    if bounded && !draft.edges_missing {
        turns::check(draft, graph, seats, asks, budget, &mut proof);
    }
    (binds, proof)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A project of one topology.
    struct One(String);

    impl Files for One {
        fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
            let agent = |outcomes: &str| {
                format!("schema_version = 1\nkind = \"model\"\ndoes = \"Works.\"\n{outcomes}instructions = \"Work.\"\n")
            };
            let text = match path {
                "topologies/big.toml" => self.0.clone(),
                "agents/worker.toml" => agent("outcomes = [\"done\"]\n"),
                "agents/judge.toml" => agent("outcomes = [\"pass\", \"revise\"]\n"),
                "agents/person.toml" => {
                    "schema_version = 1\nkind = \"person\"\ndoes = \"Signs.\"\nexpires = { after = \"72h\", then = \"reject\" }\n".to_owned()
                }
                "schemas/post.json" => "{ \"type\": \"object\" }".to_owned(),
                _ => return Err(ReadError::Missing),
            };
            Ok(text.into_bytes())
        }
    }

    /// How a member hands on.
    #[derive(Debug, Clone, Copy)]
    enum Way {
        On,
        Back(usize),
        Signed,
    }

    /// A team in a row, each handing on to the next.
    fn team(members: usize, way: impl Fn(usize) -> Way) -> One {
        let mut text = "schema_version = 1\ndescription = \"Big.\"\nartefacts = { post = { schema = \"post\" } }\n\
             budget = { steps = 1_000_000, tokens = 1_000_000, cost_usd = \"unlimited\", active_time = \"10h\" }\n[team]\n"
            .to_owned();
        let mut handoffs = "[handoffs]\nstart = \"m0\"\n".to_owned();
        for at in 0..members {
            let next = if at + 1 < members { format!("m{}", at + 1) } else { "end".to_owned() };
            let post = if at == 0 { "writes = [\"post\"]" } else { "reads = [\"post\"]" };
            let (file, post, ways) = match way(at) {
                Way::On => ("worker", post, format!("\"{next}\"")),
                Way::Back(to) => {
                    let revise = format!("{{ to = \"m{to}\", rounds = 3, then = \"{next}\" }}");
                    ("judge", post, format!("{{ pass = \"{next}\", revise = {revise} }}"))
                }
                Way::Signed => {
                    let again = format!("{{ to = \"m{}\", rounds = 2, then = \"end\" }}", at.saturating_sub(1));
                    let ways = format!("approve = \"{next}\", request_changes = {again}, reject = \"end\"");
                    ("person", "approves = [\"post\"]", format!("{{ {ways}, expired = \"end\" }}"))
                }
            };
            let limits = if file == "person" { "" } else { ", limits = { turns = 99 }" };
            writeln!(text, "m{at} = {{ file = \"agents/{file}.toml\", {post}{limits} }}").unwrap();
            writeln!(handoffs, "m{at} = {ways}").unwrap();
        }
        One(text + &handoffs)
    }

    /// How many edges the rules look at for a sound team.
    fn work(files: &One) -> u64 {
        let around = Surroundings::nothing(Mode::Replay);
        let mut draft = Draft::new("big", files, &around);
        let raw = draft.topology().unwrap();
        let _ = whole(&mut draft, raw);
        let told: Vec<_> = draft.faults.iter().filter(|fault| fault.code != Code::UnknownModel).collect();
        assert!(told.is_empty(), "{told:?}");
        draft.looked_at
    }

    #[test]
    fn twice_the_team_is_twice_the_work() {
        type Shape = fn(usize, usize) -> Way;
        let shapes: [(&str, Shape); 4] = [
            ("a row", |_, _| Way::On),
            ("pairs that go back", |at, _| if at % 2 == 1 { Way::Back(at - 1) } else { Way::On }),
            ("one ring", |at, members| if at + 1 == members { Way::Back(0) } else { Way::On }),
            ("signed at every third", |at, _| if at % 3 == 2 { Way::Signed } else { Way::On }),
        ];
        for (name, shape) in shapes {
            let [half, whole] = [500, 1_000].map(|members| work(&team(members, |at| shape(at, members))));
            assert!(half > 500 && whole < half * 5 / 2, "{name}: {half} edges for 500 members, {whole} for 1,000");
        }
    }
}
