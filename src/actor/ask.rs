//! What a model is shown: the parts that the journal lists, with their texts. Nothing else reaches it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::shelf::Shelf;
use crate::failure::{Class, Failure};
use crate::id::{AgentName, ArtefactName, EffectId};
use crate::model::prompt::Offers;
use crate::model::{Arrived, Ask, Exchange, FromPerson, Pulse, Reply, Section};
use crate::run::body::FailureReport;
use crate::run::desk::Desk;
use crate::run::event::Part;
use crate::run::input::Brief;
use crate::run::state::{Effect, Turn};
use crate::topology::manner::Patience;
use crate::topology::plan::Plan;

/// The artefacts on a desk, by name.
pub(super) fn desk(shelf: Shelf<'_>, desk: &Desk) -> Result<BTreeMap<ArtefactName, Value>, Failure> {
    desk.iter().map(|(name, held)| Ok((name.clone(), held.value(|version| shelf.json(version))?))).collect()
}

/// What a model is told of a result that was left out of its conversation.
pub(super) const LEFT_OUT: &str = "left out to make room; call again if you need it";

/// What a model is told of a question that nobody answered in time.
const UNANSWERED: &str = "nobody answered in time; go on with what you have";

/// What a writer is told before the reason why what it wrote could not be prepared.
const CANNOT_LEAVE: &str = "What you wrote cannot be prepared as it is; write it anew. ";

/// A model effect in its place, whether it is to be asked now or was asked long ago.
pub(super) struct Asked<'a> {
    pub(super) shelf: Shelf<'a>,
    /// The plan, and what of it the member sees.
    pub(super) plan: &'a Arc<Plan>,
    pub(super) seen: &'a Arc<Plan>,
    pub(super) offers: &'a Arc<Offers>,
    pub(super) id: EffectId,
    pub(super) effect: &'a Effect,
    pub(super) turn: &'a Turn,
    pub(super) nth_turn: u32,
    pub(super) lines_used: Vec<u32>,
    pub(super) patience: Patience,
    pub(super) pulse: Pulse,
}

/// The request of a model effect.
pub(super) fn ask(asked: Asked<'_>) -> Result<Ask, Failure> {
    let Asked { shelf, plan, seen, offers, id, effect, turn, nth_turn, lines_used, patience, pulse } = asked;
    let declared = plan.team.get(&turn.agent).map_or(0, |member| member.limits.output_tokens);
    let output_tokens_max = effect.output_tokens.unwrap_or(declared);
    let team = plan.teams.innermost(&turn.agent);
    let own = Own { plan, team };
    let mut ask = Ask {
        effect: id,
        plan: Arc::clone(seen),
        offers: Arc::clone(offers),
        agent: own.member(&turn.agent),
        member: turn.agent.clone(),
        model: effect.model.clone().unwrap_or_default(),
        earlier: Vec::new(),
        brief: Brief::new(),
        now: Section::default(),
        is_question: turn.message.is_question(),
        branch: turn.message.branch.to_string(),
        turn: nth_turn,
        attempt: effect.attempt,
        lines_used,
        withheld: turn.withheld.clone(),
        steps_left: effect.steps_left,
        input_tokens_max: effect.reserved.tokens.saturating_sub(output_tokens_max),
        output_tokens_max,
        patience,
        pulse,
    };
    for part in &turn.shown {
        show(&mut ask, shelf, &own, part)?;
    }
    let message = &turn.message;
    ask.now.message.from =
        message.from.as_ref().map_or_else(|| "start".to_owned(), |from| own.member(from).to_string());
    ask.now.message.outcome = message.outcome.to_string();
    ask.now.message.round = message.round;
    ask.now.message.branch = message.branch.of().map(|(_, index)| index + 1);
    if message.is_mend() {
        ask.now.message.note = format!("{CANNOT_LEAVE}{}", ask.now.message.note);
    }
    Ok(ask)
}

/// What a member of a team within the plan calls things: as their team does.
struct Own<'a> {
    plan: &'a Plan,
    team: Option<&'a AgentName>,
}

impl Own<'_> {
    fn member(&self, member: &AgentName) -> AgentName {
        self.plan.teams.member_in(self.team, member)
    }

    fn artefact(&self, artefact: &ArtefactName) -> ArtefactName {
        self.plan.artefact_in(self.team, artefact).unwrap_or_else(|| artefact.clone())
    }

    fn brief(&self, brief: Brief) -> Brief {
        match self.team.and_then(|team| self.plan.teams.0.get(team)) {
            Some(team) => team.brief(&brief),
            None => brief,
        }
    }
}

fn show(ask: &mut Ask, shelf: Shelf<'_>, own: &Own<'_>, part: &Part) -> Result<(), Failure> {
    let broken = |what: &str| Failure::new(Class::Bug, format!("{what} is not what was written"));
    match part {
        // A turn's first part; whatever is there already was an earlier one.
        Part::Instructions => {
            let before = std::mem::take(&mut ask.now);
            if before != Section::default() {
                ask.earlier.push(before);
            }
        }
        Part::Brief(digest) => {
            ask.brief = own.brief(shelf.parsed(*digest)?);
        }
        Part::Told(by, digest) => {
            let note = text(&shelf.json(*digest)?);
            ask.now.message.people.push(FromPerson { by: by.clone(), note });
        }
        Part::Note(digest) => ask.now.message.note = text(&shelf.json(*digest)?),
        Part::Arrived(index, from, outcome, digest) => {
            let note = text(&shelf.json(*digest)?);
            let (from, outcome) = (own.member(from).to_string(), outcome.to_string());
            ask.now.message.arrived.push(Arrived { branch: index + 1, from, outcome, note });
        }
        Part::Artefact(name, held) => {
            ask.now.desk.insert(own.artefact(name), held.value(|version| shelf.json(version))?);
        }
        Part::Findings(name, digest) => {
            ask.now.checks.insert(own.artefact(name), shelf.json(*digest)?);
        }
        Part::Reply(digest) => {
            let reply: Reply = shelf.parsed(*digest)?;
            ask.now.said.push(Exchange { reply, results: BTreeMap::new(), problems: Vec::new() });
        }
        Part::Result(call, digest) => {
            let result = shelf.json(*digest)?;
            let exchange = ask.now.said.last_mut().ok_or_else(|| broken("a result"))?;
            exchange.results.insert(call.clone(), result);
        }
        Part::LeftOut(call, _) => {
            let exchange = ask.now.said.last_mut().ok_or_else(|| broken("a result"))?;
            exchange.results.insert(call.clone(), Value::from(LEFT_OUT));
        }
        Part::Unanswered(call) => {
            let exchange = ask.now.said.last_mut().ok_or_else(|| broken("a result"))?;
            exchange.results.insert(call.clone(), Value::from(UNANSWERED));
        }
        Part::Problems(digest) => {
            let problems = serde_json::from_value(shelf.json(*digest)?).unwrap_or_default();
            ask.now.said.last_mut().ok_or_else(|| broken("a problem"))?.problems = problems;
        }
    }
    Ok(())
}

/// A note's text, or a failure's; other JSON as it is.
pub(super) fn text(note: &Value) -> String {
    let said = note.as_str().map(str::to_owned).or_else(|| Some(FailureReport::read(note)?.error));
    said.unwrap_or_else(|| note.to_string())
}
