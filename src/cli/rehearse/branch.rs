//! What may happen next to a run, as the shell would tell it: every reply, result, failure and decision, with made-up
//! bodies. No model, no tool and no clock is asked.

use crate::failure::Class;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, EffectId, Outcome, Timestamp, ToolName};
use crate::run::decide::decide;
use crate::run::event::{
    ActHead, BodyRef, CallHead, Decision, Event, Fact, ItemHead, Items, Lists, Manifest, Origin, Replied, Settled, Who,
    Wish, WriteHead,
};
use crate::run::fold::Illegal;
use crate::run::input::{Command, Failed, Input, What};
use crate::run::state::{Approval, Effect, State, Wants};
use crate::topology::plan::{ANSWER, ASK_TOOL, Each, EachTo, Person, Plan, Role};
use crate::topology::spec::Labels;

/// Repetitions of one failure after which nothing new is expected of another.
const REPEATS_MAX: usize = 64;

/// Bytes of a made-up body.
const BODY_BYTES: u32 = 256;

/// Items of a made-up manifest.
const ITEMS: usize = 2;

/// One thing that may happen.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// In a word or two, such as `fails`.
    pub(super) says: String,
    act: Act,
}

#[derive(Debug, Clone)]
enum Act {
    /// It is heard once.
    Hear(What, Timestamp),
    /// Every attempt fails with the class, until the run gives it up.
    Fail(EffectId, Class),
    /// The agent dies whenever it is started, until the run gives it up.
    Die(EffectId, AgentName),
}

/// Digests that no two bodies share.
#[derive(Debug, Default)]
pub(super) struct Bodies(u64);

impl Bodies {
    pub(super) fn next(&mut self) -> BodyRef {
        self.0 += 1;
        BodyRef { digest: Digest::of("callsheet rehearse 1", &[&self.0.to_le_bytes()]), bytes: BODY_BYTES }
    }
}

/// Everything that may happen in `state`; nothing if it is over, paused, or stuck.
pub(super) fn choices(state: &State, bodies: &mut Bodies) -> Vec<Choice> {
    if state.ended.is_some() || state.paused.is_some() {
        return Vec::new();
    }
    let outstanding = state.outstanding().into_iter().next();
    if let Some((id, at)) = outstanding
        && let Some(effect) = state.effects.get(&id)
    {
        return of_effect(state, id, effect, at.max(state.now), bodies);
    }
    if let Some((no, approval)) = state.open_approvals().next() {
        return of_person(state, no, approval, bodies);
    }
    if let Some(no) = state.questions.keys().next() {
        let answer = |happened, receipt| Command::Answer { question: *no, happened, receipt };
        let who = somebody("somebody", &[]);
        return vec![
            heard("it happened", posted(state, &who, answer(true, bodies.next())), state.now),
            heard("it did not happen", posted(state, &who, answer(false, bodies.next())), state.now),
        ];
    }
    match state.wake_at() {
        Some(at) if state.dead.is_empty() => vec![heard("", What::Due, at)],
        _ => Vec::new(),
    }
}

/// What `choice` comes to: the events of it, applied to `state`.
///
/// # Errors
/// [`Illegal`] if the core refuses it, which is a defect of ours.
pub(super) fn take(state: &mut State, choice: &Choice, bodies: &mut Bodies) -> Result<Vec<Fact>, Illegal> {
    match &choice.act {
        Act::Hear(what, at) => hear(state, what.clone(), *at),
        Act::Fail(id, class) => insist(state, *id, bodies, |_, reason| {
            let failed =
                Failed { class: *class, reason, retry_after_ms: None, too_long: false, lost: false, artefact: None };
            What::Settled { id: *id, result: Err(failed), usage: None }
        }),
        Act::Die(id, agent) => insist(state, *id, bodies, |_, reason| What::AgentDied {
            agent: agent.clone(),
            effects: vec![*id],
            class: Class::Bug,
            reason,
        }),
    }
}

/// Tells `state` of `what`.
pub(super) fn hear(state: &mut State, what: What, at: Timestamp) -> Result<Vec<Fact>, Illegal> {
    let decided = decide(state.clone(), &Input { at, jitter_permille: 500, what })?;
    *state = decided.state;
    Ok(decided.facts)
}

/// Repeats a failure of `id` until the run does something else than try again.
fn insist(
    state: &mut State,
    id: EffectId,
    bodies: &mut Bodies,
    failure: impl Fn(&State, BodyRef) -> What,
) -> Result<Vec<Fact>, Illegal> {
    let mut facts = Vec::new();
    for _ in 0..REPEATS_MAX {
        let tries = |state: &State| state.effects.get(&id).is_some_and(|effect| effect.doubt.is_none());
        if state.ended.is_some() || state.paused.is_some() || !tries(state) {
            break;
        }
        let started = state.outstanding().into_iter().find(|(of, _)| *of == id);
        let (what, at) = match (started, state.wake_at()) {
            (Some((_, at)), _) => (failure(state, bodies.next()), at.max(state.now)),
            (None, Some(at)) => (What::Due, at),
            (None, None) => break,
        };
        facts.extend(hear(state, what, at)?);
    }
    Ok(facts)
}

fn of_effect(state: &State, id: EffectId, effect: &Effect, at: Timestamp, bodies: &mut Bodies) -> Vec<Choice> {
    let settled = |says: &str, result| heard(says, What::Settled { id, result: Ok(result), usage: None }, at);
    let fails = |says: &str, class| Choice { says: says.to_owned(), act: Act::Fail(id, class) };
    let dies = Choice { says: "dies".to_owned(), act: Act::Die(id, effect.agent.clone()) };
    let writes = state.member(&effect.agent).and_then(|member| member.writes.first());
    let own = writes.map(|artefact| lists(&state.plan, artefact)).unwrap_or_default();
    let returned = |body, lists| Settled::Returned { body, labels: Labels::default(), origin: Origin::Computed, lists };
    let broken = [fails("fails", Class::Permanent), fails("times out", Class::Transient)];
    let mut found = Vec::new();
    match &effect.wish {
        Wish::Model { .. } => {
            found.extend(replies(state, effect, bodies).into_iter().map(|(says, reply)| settled(&says, reply)));
            found.extend(broken);
            found.push(dies);
        }
        Wish::Tool { tool, .. } => {
            found.push(settled("", returned(bodies.next(), Lists::new())));
            found.push(fails(&format!("{tool} refuses"), Class::Invalid));
            found.push(fails(&format!("{tool} fails"), Class::Permanent));
            found.push(fails(&format!("{tool} times out"), Class::Transient));
        }
        Wish::Own { .. } => {
            found.push(settled("", returned(bodies.next(), own)));
            found.extend(broken);
            found.push(dies);
        }
        Wish::Rule => {
            found.extend(rulings(state, effect, bodies).into_iter().map(|ruled| settled("", ruled)));
            found.extend(broken);
        }
        Wish::Prepare { binds } => {
            let no = ApprovalNo(state.approvals.len() as u64 + state.questions.len() as u64 + 1);
            let manifest = binds.as_ref().map(|member| manifest(state, effect, member, bodies));
            found.push(settled("", Settled::Prepared { no, manifest, rules: None }));
            found.extend(broken);
        }
        Wish::Deliver { .. } => {
            found.push(settled("", Settled::Performed { receipt: bodies.next() }));
            found.push(fails("fails", Class::Permanent));
            found.push(fails("cannot reach it", Class::Transient));
            // Once an effect: a sink that never answers is asked for ever, and a person with it.
            if !began_again(state, effect) {
                found.push(fails("times out", Class::InDoubt));
            }
        }
        Wish::Query { .. } => {
            found.push(settled("asked: it happened", Settled::Performed { receipt: bodies.next() }));
            found.push(settled("asked: it did not happen", Settled::NotPerformed));
            found.push(fails("cannot be asked", Class::Permanent));
        }
        Wish::Question { .. } => {
            let no = ApprovalNo(1_000_000 + u64::from(effect.ordinal) + 1_000 * u64::from(effect.message.0));
            found.push(settled("", Settled::Numbered { no }));
        }
    }
    found
}

/// Whether an outward effect has begun later than it was asked for: it was in doubt, or failed, before.
pub(super) fn began_again(state: &State, effect: &Effect) -> bool {
    let Wish::Deliver { tool, .. } = &effect.wish else { return false };
    let timeout_ms = state.plan.tools.get(tool).map_or(0, |spec| spec.call_timeout_ms);
    effect.began.is_some_and(|began| effect.asked_at.plus_ms(timeout_ms) != began.not_after)
}

/// Items of a list that a version is given: enough that branches run side by side.
const LIST_ITEMS: u32 = 2;

/// The lists of a version that is split over: one item for each member that the split names, two at least.
fn lists(plan: &Plan, artefact: &ArtefactName) -> Lists {
    let items = |each: &Each| {
        let among: &[AgentName] = match &each.to {
            EachTo::One(_) => &[],
            EachTo::By { among, .. } => among,
        };
        let count = LIST_ITEMS.max(u32::try_from(among.len()).unwrap_or(u32::MAX)).min(each.most);
        let to = among.iter().cycle().take(count as usize).cloned().collect();
        (each.place(), Items { count, to })
    };
    plan.splits_over(artefact).map(items).collect()
}

/// A model's answers, one for each outcome, and at its first step a call of each of its tools and a question to each
/// teammate; to a question, the answer.
fn replies(state: &State, effect: &Effect, bodies: &mut Bodies) -> Vec<(String, Settled)> {
    let Some(member) = state.member(&effect.agent) else { return Vec::new() };
    let Role::Model { tools, .. } = &member.role else { return Vec::new() };
    let mut acts: Vec<(String, ActHead)> = Vec::new();
    let is_question = state.turns.get(&effect.message).is_some_and(|turn| turn.message.is_question());
    let writes: &[ArtefactName] = if is_question { &[] } else { &member.writes };
    for outcome in state.plan.words(&effect.agent, is_question) {
        let write = |artefact: &ArtefactName, body| WriteHead {
            lists: lists(&state.plan, artefact),
            ..WriteHead::new(artefact.clone(), body, Origin::Scripted)
        };
        let writes = writes.iter().map(|artefact| write(artefact, bodies.next())).collect();
        let (says, note) = (if is_question { outcome.to_owned() } else { String::new() }, bodies.next());
        let outcome = outcome.parse().ok();
        acts.push((says, ActHead::Answer { outcome, note, writes, problems: None }));
    }
    if effect.ordinal == 0 {
        let call = |tool: ToolName, asks, args| {
            ActHead::Calls(vec![CallHead { asks, ..CallHead::new("call".to_owned(), tool, args) }])
        };
        for tool in tools {
            acts.push((format!("calls {tool}"), call(tool.clone(), None, bodies.next())));
        }
        for teammate in &member.may_ask {
            let question = call(ToolName::fixed(ASK_TOOL), Some(teammate.clone()), bodies.next());
            acts.push((format!("asks {teammate}"), question));
        }
    }
    let settled = |(says, act)| (says, Settled::Replied(Replied::new(bodies.next(), Origin::Scripted, None, act)));
    acts.into_iter().map(settled).collect()
}

/// What a rule can come to: each of its lines, and its `else`.
fn rulings(state: &State, effect: &Effect, bodies: &mut Bodies) -> Vec<Settled> {
    let Some(Role::Rule(rule)) = state.member(&effect.agent).map(|member| &member.role) else { return Vec::new() };
    let lines = (0..).zip(&rule.lines).map(|(nth, line)| (Some(nth), &line.outcome));
    let all = lines.chain([(None, &rule.otherwise)]);
    all.map(|(line, outcome)| Settled::Ruled { outcome: outcome.clone(), line, note: bodies.next() }).collect()
}

fn manifest(state: &State, effect: &Effect, member: &AgentName, bodies: &mut Bodies) -> Manifest {
    let items = (0..ITEMS).map(|_| ItemHead { digest: bodies.next().digest, recipients: 1, after_ms: 0 }).collect();
    let desk = state.turns.get(&effect.message).map(|turn| turn.desk.clone()).unwrap_or_default();
    let roots = match state.member(member).map(|member| &member.role) {
        Some(Role::Tool { args, .. }) => args.values().filter_map(|arg| match arg {
            crate::topology::plan::Arg::Path { root, .. } => Some(root.as_str()),
            crate::topology::plan::Arg::Value(_) => None,
        }),
        _ => return Manifest { body: bodies.next(), items, desk },
    };
    let roots: Vec<&str> = roots.collect();
    let desk = desk.into_iter().filter(|(name, _)| roots.contains(&name.as_str())).collect();
    Manifest { body: bodies.next(), items, desk }
}

fn of_person(state: &State, no: ApprovalNo, approval: &Approval, bodies: &mut Bodies) -> Vec<Choice> {
    let Some(Role::Person(person)) = state.member(&approval.agent).map(|member| &member.role) else {
        return Vec::new();
    };
    let who = decider(person, approval);
    let mut found = Vec::new();
    let is_question = approval.wants == Wants::Sentence;
    let outcomes = match approval.wants {
        Wants::Decision => Vec::new(),
        Wants::Form => person.outcomes.clone(),
        Wants::Sentence => vec![Outcome::fixed(ANSWER)],
    };
    for outcome in outcomes {
        let missing = state.plan.misfit(&approval.agent, &outcome, is_question, &[]).missing;
        let lists = |artefact: &ArtefactName| lists(&state.plan, artefact);
        let write =
            |artefact| WriteHead { lists: lists(&artefact), ..WriteHead::new(artefact, bodies.next(), Origin::Person) };
        let writes = missing.into_iter().map(write).collect();
        let (comment, says) = (bodies.next(), if is_question { "answers" } else { "" });
        let (approval, binds) = (no, approval.binds);
        let command = Command::Respond { approval, binds, outcome, writes, comment, problems: None };
        found.push(heard(says, posted(state, &who, command), state.now));
    }
    let decisions: &[Decision] = match approval.wants {
        Wants::Decision => &[Decision::Approve, Decision::RequestChanges, Decision::Reject],
        Wants::Form | Wants::Sentence => &[],
    };
    for decision in decisions.iter().copied() {
        let command = Command::Decide { approval: no, binds: approval.binds, decision, comment: bodies.next() };
        found.push(heard("", posted(state, &who, command), state.now));
    }
    if !approval.overdue {
        found.push(heard("", What::Due, approval.expires_at));
    }
    found
}

/// Somebody who may decide and has not approved yet.
fn decider(person: &Person, approval: &Approval) -> Who {
    let groups: Vec<String> =
        person.who.iter().filter_map(|who| who.strip_prefix("group:")).map(str::to_owned).collect();
    let named = person.who.iter().filter(|who| !who.starts_with("group:"));
    let named = named.into_iter().find(|name| !approval.approved_by.contains(*name)).cloned();
    let name = named.unwrap_or_else(|| format!("person {}", approval.approved_by.len() + 1));
    somebody(&name, &groups)
}

pub(super) fn somebody(name: &str, groups: &[String]) -> Who {
    Who { name: name.to_owned(), how: "rehearsed".to_owned(), groups: groups.to_vec(), undeclared: false, via: None }
}

fn heard(says: &str, what: What, at: Timestamp) -> Choice {
    Choice { says: says.to_owned(), act: Act::Hear(what, at) }
}

fn posted(state: &State, who: &Who, command: Command) -> What {
    let place = state.heard + 1;
    let post = uuid::Uuid::from_u128(u128::from(place));
    What::Posted { place, post, at: state.now, say: Some((who.clone(), command)) }
}

/// Whether `facts` refuse what a person said.
pub(super) fn is_refused(facts: &[Fact]) -> bool {
    facts.iter().any(|fact| matches!(fact.is, Event::InputRefused { .. }))
}
