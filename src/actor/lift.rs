//! From raw to typed: what models, tools and people said becomes results and bodies that the core can branch on.
//! Schemas and checks are applied here, once, to every version, whoever wrote it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::ask::LEFT_OUT;
use super::examiner::{PROBLEMS_MAX, short};
use super::founded;
use super::pinned::{Pinned, Seen};
use crate::clock::Clock;
use crate::failure::{Failure, Usage};
use crate::id::{AgentName, ToolName};
use crate::journal::Body;
use crate::model::names::{END_TURN, Names};
use crate::model::{Act, Answer, Exchange, Reply, Section, ToolCall};
use crate::run::body::{FailureReport, Repeated};
use crate::run::event::{ActHead, BodyRef, CallHead, Origin, Replied, Settled, WriteHead};
use crate::run::input::Failed;
use crate::run::state::Turn;
use crate::tool::{Finding, Read, Sight};
use crate::topology::plan::{ASK_TOOL, Member, QUESTIONS_PER_TURN_MAX, Role};

/// A result with the bodies that it names.
pub(super) struct Lifted {
    pub(super) result: Result<Settled, Failed>,
    pub(super) usage: Option<Usage>,
    pub(super) bodies: Vec<Body>,
}

/// Collects bodies, giving each its salt.
pub(super) struct Bodies<'a> {
    clock: &'a dyn Clock,
    made: Vec<Body>,
}

impl<'a> Bodies<'a> {
    pub(super) fn new(clock: &'a dyn Clock) -> Self {
        Self { clock, made: Vec::new() }
    }

    pub(super) fn bytes(&mut self, bytes: Vec<u8>) -> BodyRef {
        let body = Body::new(self.clock.random(), bytes);
        let named = BodyRef { digest: body.digest, bytes: u32::try_from(body.bytes.len()).unwrap_or(u32::MAX) };
        self.made.push(body);
        named
    }

    pub(super) fn json(&mut self, value: &Value) -> BodyRef {
        self.bytes(value.to_string().into_bytes())
    }

    /// What is read elsewhere as a `T`; the names of its fields are written in order, whatever the type's order is.
    pub(super) fn of<T: Serialize>(&mut self, body: &T) -> BodyRef {
        self.json(&json!(body))
    }

    pub(super) fn text(&mut self, text: &str) -> BodyRef {
        self.json(&Value::from(text))
    }

    pub(super) fn failed(&mut self, failure: &Failure) -> Failed {
        let reason = self.of(&FailureReport::from(failure));
        let artefact = failure.about.as_deref().and_then(|about| about.parse().ok());
        let Failure { class, retry_after_ms, too_long, lost, .. } = *failure;
        Failed { class, reason, retry_after_ms, too_long, lost, artefact }
    }

    pub(super) fn into_made(self) -> Vec<Body> {
        self.made
    }
}

/// A model's reply as the core branches on it; `now` is what its turn was shown, `calls` what tools gave in the run so far,
/// `foreseen` what they have against it.
///
/// # Errors
/// If a rule stops the work at what it writes: why.
pub(super) fn reply(
    bodies: &mut Bodies<'_>,
    pinned: &Pinned,
    turn: &Turn,
    (now, calls): (&Section, &[Read]),
    reply: &Reply,
    foreseen: Vec<String>,
) -> Result<Settled, String> {
    let body = bodies.bytes(serde_json::to_vec(reply).unwrap_or_default());
    let seen = &pinned.seen_by(&turn.agent);
    let act = match &reply.act {
        Act::Calls(calls) => ActHead::Calls(call_heads(bodies, seen, turn, now, calls, reply.origin)),
        Act::Answer(answer) => answer_head(bodies, seen, turn, (now, calls), answer, reply.origin, foreseen)?,
        Act::Unusable(problems) => ActHead::Answer {
            outcome: None,
            note: bodies.text(&reply.text),
            writes: Vec::new(),
            problems: Some(bodies.json(&json!(problems))),
        },
    };
    Ok(Settled::Replied(Replied::new(body, reply.origin, reply.line, act)))
}

/// Told in place of a result that stands there already. In words alone it helps no model that goes round in circles; that
/// the tool is not offered any more does.
const AGAIN: &str = "you made this very call before in this turn: its result stands above and is the same; the tool is not \
                     offered again in this turn, so go on with what you have";

/// The calls of a turn whose results its model can see.
fn made(now: &Section, names: Option<&Names>) -> BTreeSet<(ToolName, String)> {
    let seen = |(nth, exchange): (usize, &Exchange)| {
        let Act::Calls(calls) = &exchange.reply.act else { return Vec::new() };
        let is_shown = |call: &&ToolCall| exchange.results.get(&call.id).is_some_and(|result| *result != LEFT_OUT);
        let args =
            |call: &ToolCall| founded::args_of(call, &now.said[..nth], names).unwrap_or_else(|_| call.args.clone());
        calls.iter().filter(is_shown).map(|call| key(call, &args(call))).collect()
    };
    now.said.iter().enumerate().flat_map(seen).collect()
}

/// What makes two calls the same: the tool, and the arguments with their names in order.
fn key(call: &ToolCall, args: &Value) -> (ToolName, String) {
    (call.tool.clone(), args.to_string())
}

fn call_heads(
    bodies: &mut Bodies<'_>,
    seen: &Seen<'_>,
    turn: &Turn,
    now: &Section,
    calls: &[ToolCall],
    origin: Origin,
) -> Vec<CallHead> {
    // A script says what it says: it has no judgement that could go round in circles.
    let is_scripted = origin != Origin::Model;
    let pinned = seen.pinned;
    let member = pinned.plan.team.get(&seen.agent);
    let offered = match member.map(|member| &member.role) {
        Some(Role::Model { tools, .. }) => tools.as_slice(),
        _ => &[],
    };
    let names = member.map(Names::of);
    let mut made = made(now, names.as_ref());
    let mut questions = turn.questions;
    let mut ids = BTreeSet::new();
    let heads = calls.iter().map(|call| {
        let mut misfit = Vec::new();
        let args = founded::args_of(call, &now.said, names.as_ref());
        if !ids.insert(&call.id) {
            misfit.push(format!("two calls have the id {:?}", call.id));
        }
        let is_withheld = turn.withheld.contains(&call.tool);
        let question = (call.tool.as_str() == ASK_TOOL && !is_withheld).then(|| question(member, call, &mut questions));
        let forbidden = match &question {
            Some(Ok(_)) => None,
            Some(Err(why)) => Some(why.clone()),
            None if is_withheld => {
                misfit.push(format!("{} is not offered any more in this turn: end it with what you have", call.tool));
                None
            }
            None if offered.contains(&call.tool) && barred(pinned, turn, &call.tool).is_some() => {
                barred(pinned, turn, &call.tool)
            }
            None if offered.contains(&call.tool) => {
                match &args {
                    Ok(args) => misfit.extend(pinned.examiner.call(&call.tool, args)),
                    Err(why) => misfit.push(why.clone()),
                }
                None
            }
            None => {
                let named = if call.named.is_empty() { call.tool.as_str() } else { &call.named };
                let there_is = names.as_ref().map(Names::told).unwrap_or_default();
                Some(short(&format!("there is no tool {named:?}; there are: {there_is}")))
            }
        };
        // An end that came too early is no more than that: what it stands beside is done first.
        let early = (call.named == END_TURN)
            .then(|| format!("{END_TURN} was called beside other calls: call it alone, once you have their results"));
        let forbidden = if early.is_some() { None } else { forbidden };
        misfit.extend(early);
        let is_misfit = forbidden.is_none();
        let problems: Vec<String> = forbidden.into_iter().chain(misfit).collect();
        let args = args.unwrap_or_else(|_| call.args.clone());
        let again = !made.insert(key(call, &args)) && !is_scripted && !is_withheld && call.named.is_empty();
        let refused = match again {
            true => Some(bodies.of(&Repeated { same_as_before: AGAIN.to_owned() })),
            false => (!problems.is_empty()).then(|| bodies.of(&FailureReport::new(problems.join("; ")))),
        };
        let (asks, args) = match question {
            Some(Ok((teammate, text))) if !again => (Some(seen.member(&teammate)), bodies.text(&text)),
            _ => (None, bodies.json(&args)),
        };
        let misfit = refused.is_some() && is_misfit && !again;
        let typed = !is_scripted && founded::is_typed(&pinned.plan, call, &now.said);
        CallHead { call: call.id.clone(), tool: call.tool.clone(), args, refused, misfit, asks, again, typed }
    });
    heads.collect()
}

/// Why a call may not be made with what its turn was shown: the rule of two, or a model that may not be told.
fn barred(pinned: &Pinned, turn: &Turn, tool: &ToolName) -> Option<String> {
    let why = pinned.plan.tools.get(tool)?.refusal(turn.labels)?;
    Some(format!("{why}; go on without it"))
}

/// Whom a question goes to, and its text; or what is against it.
fn question(member: Option<&Member>, call: &ToolCall, asked: &mut u32) -> Result<(AgentName, String), String> {
    let text = |key: &str| call.args.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let teammates = member.map(|member| member.may_ask.as_slice()).unwrap_or_default();
    let to = text("to").and_then(|to| teammates.iter().find(|teammate| teammate.as_str() == to));
    let names: Vec<&str> = teammates.iter().map(AgentName::as_str).collect();
    let to = to.ok_or_else(|| format!("`to` is not one of those you may ask: {}", names.join(", ")))?;
    let question = text("question").ok_or("`question` is empty")?;
    *asked += 1;
    if *asked > QUESTIONS_PER_TURN_MAX {
        return Err(format!("a turn may ask {QUESTIONS_PER_TURN_MAX} questions, and they are used up"));
    }
    Ok((to.clone(), question.to_owned()))
}

fn answer_head(
    bodies: &mut Bodies<'_>,
    seen: &Seen<'_>,
    turn: &Turn,
    (now, calls): (&Section, &[Read]),
    answer: &Answer,
    origin: Origin,
    foreseen: Vec<String>,
) -> Result<ActHead, String> {
    let (plan, examiner, agent) = (&seen.pinned.plan, &seen.pinned.examiner, &seen.agent);
    let mut problems = Vec::new();
    let is_question = turn.message.is_question();
    let declared = plan.words(agent, is_question);
    let known = declared.contains(&answer.outcome.as_str());
    if !known {
        problems.push(format!("the outcome {} is not one of {}", answer.outcome, declared.join(", ")));
    }
    let written: Vec<_> = answer.writes.keys().collect();
    let misfit = plan.misfit(agent, &answer.outcome, is_question, &written);
    problems.extend(misfit.missing.iter().map(|name| format!("{name} is not written")));
    problems.extend(misfit.foreign.iter().map(|name| format!("{agent} does not write {name}")));
    // A version is checked against what its writer could read and what it writes beside it.
    problems.extend(founded::unfounded(plan, agent, now, &answer.outcome).filter(|_| !is_question));
    let mut shown = now.desk.clone();
    shown.extend(answer.writes.iter().map(|(name, body)| (name.clone(), body.clone())));
    let mut heads = Vec::new();
    for (artefact, body) in answer.writes.iter().filter(|(name, _)| !misfit.foreign.contains(name)) {
        let mut others = shown.clone();
        others.remove(artefact);
        let verdict = examiner.examine(artefact, body, &Sight { desk: &others, calls });
        if let Some(blocked) = verdict.blocked {
            return Err(blocked);
        }
        problems.extend(verdict.problems);
        let findings = findings(bodies, &verdict.findings);
        let (artefact, lists) = (seen.artefact(artefact), verdict.lists);
        heads.push(WriteHead { artefact, body: bodies.json(body), findings, origin, lists });
    }
    problems.extend(foreseen);
    problems.truncate(PROBLEMS_MAX);
    let refused = (!problems.is_empty()).then(|| bodies.json(&json!(problems)));
    let outcome = known.then(|| answer.outcome.clone());
    Ok(ActHead::Answer { outcome, note: bodies.text(&answer.note), writes: heads, problems: refused })
}

/// Findings as a body, if there are any.
pub(super) fn findings(bodies: &mut Bodies<'_>, findings: &[Finding]) -> Option<BodyRef> {
    (!findings.is_empty()).then(|| bodies.json(&json!(findings)))
}

/// Told to whoever hands on what they handed on before.
const SAME: &str = "this is word for word what you handed on before, with the same outcome: do what the message asks for, or \
                    say in `note` what keeps you from it (you are told so once; the same again is taken)";

/// What is against an answer that equals the one before it on its handoff, whose note was `note`. It is said once a turn: a
/// verdict may be right the second time, too.
pub(super) fn same_as_before(answer: &Answer, note: &str, now: &Section) -> Option<String> {
    let is_told = now.said.iter().any(|exchange| exchange.problems.iter().any(|problem| problem == SAME));
    // What its writer wrote before is on its desk; who writes nothing says it all in the note.
    let is_same = match answer.writes.is_empty() {
        true => answer.note == note,
        false => answer.writes.iter().all(|(name, body)| now.desk.get(name) == Some(body)),
    };
    (is_same && !is_told).then(|| SAME.to_owned())
}
