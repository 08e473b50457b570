//! One attempt of one effect, from what the journal holds to a typed result. It tries once and reports; it decides
//! nothing and remembers nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::ask::{self, Asked};
use super::lift::{self, Bodies, Lifted};
use super::recording::played;
use super::{Heard, Place, Point, blocking, ruled};
use crate::failure::{Class, Failure, Usage};
use crate::id::{ArtefactName, Digest, EffectId, RunNo, ToolName};
use crate::journal::{Done, Op, Query};
use crate::model::{Act, Pulse};
use crate::run::body::{Applied, Listed, Listing, Receipt};
use crate::run::desk::Held;
use crate::run::event::{BodyRef, ItemHead, Lists, Manifest, Origin, Part, Settled, Wish};
use crate::run::state::{Effect, Given, Turn};
use crate::tool::{Approved, Call, Callable, Deadline, Intent, Item, Outward, Read, Sight, Source, Tool};
use crate::topology::manner::{Patience, Wait, bytes_words, time_words};
use crate::topology::plan::{Arg, Mode, Recipient, Role};
use crate::topology::rule::{Ruled, below};
use crate::topology::spec::{Labels, Repeat};

/// All that an attempt needs, taken from the state when it starts.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) place: Arc<Place>,
    pub(super) id: EffectId,
    pub(super) effect: Arc<Effect>,
    pub(super) turn: Arc<Turn>,
    /// For the model: script lines used, and which turn of its agent this is.
    pub(super) lines_used: Vec<u32>,
    pub(super) nth_turn: u32,
    /// For an outward effect (or a query about one): the effect itself and what is permitted.
    pub(super) outward: Option<(EffectId, Arc<Effect>, Manifest)>,
    /// For an outward effect: the uptime after which it is not performed, whatever the clock is set to.
    pub(super) not_after_uptime_ms: Option<u64>,
    /// What tools gave in the run so far, if a check looks at that.
    pub(super) given: Vec<Given>,
    /// Where the artefacts on the desk come from.
    pub(super) origin: Origin,
    /// The attempt's time-out.
    pub(super) timeout_ms: u64,
    /// For the model: how long is waited for it.
    pub(super) patience: Patience,
    /// For the model: how many bytes of the reply have come.
    pub(super) bytes: Arc<AtomicU64>,
}

impl Work {
    /// The model effect, with whoever looks told of its reply as it comes.
    fn asked(&self) -> Asked<'_> {
        let Place { run, ports, pinned, .. } = self.place.as_ref();
        let (run, pulses, agent) = (*run, ports.pulses.clone(), self.turn.agent.clone());
        let so_far = Arc::clone(&self.bytes);
        let pulse = move |bytes| {
            so_far.store(bytes, Ordering::Relaxed);
            // Nobody may be looking.
            drop(pulses.send(Heard { run, agent: agent.clone(), bytes }));
        };
        let seen = pinned.seen_by(&self.turn.agent).pinned;
        Asked {
            shelf: self.place.shelf(),
            plan: &pinned.plan,
            seen: &seen.plan,
            offers: &seen.offers,
            id: self.id,
            effect: &self.effect,
            turn: &self.turn,
            nth_turn: self.nth_turn,
            lines_used: self.lines_used.clone(),
            patience: self.patience,
            pulse: Pulse(Arc::new(pulse)),
        }
    }

    /// Why the attempt is not waited for any longer.
    fn overdue(&self) -> Failure {
        let limit = time_words(self.timeout_ms);
        if self.effect.is_outward() {
            return Failure::new(Class::InDoubt, format!("no answer within {limit}"));
        }
        let Some(model) = &self.effect.model else {
            return Failure::new(Class::Transient, format!("no answer within {limit}"));
        };
        let what = match self.bytes.load(Ordering::Relaxed) {
            0 => format!("no answer within {limit}"),
            bytes => format!("still answering after {limit}, {} so far", bytes_words(bytes)),
        };
        let plan = &self.place.pinned.plan;
        let advice = plan.raise_advice(&self.turn.agent, model, Wait::Call, self.timeout_ms);
        Failure::new(Class::Transient, format!("{what}; {advice}")).lost()
    }
}

/// Performs `work` within its time-out.
pub(super) async fn perform(work: Arc<Work>) -> Lifted {
    let ports = Arc::clone(&work.place.ports);
    let mut bodies = Bodies::new(ports.clock.as_ref());
    ports.probe.at(Point::Started);
    let wait = Duration::from_millis(work.timeout_ms);
    let outcome = tokio::time::timeout(wait, attempt(&work, &mut bodies)).await.unwrap_or_else(|_| Err(work.overdue()));
    ports.probe.at(Point::Performed);
    let (result, usage) = match outcome {
        Ok((settled, usage)) => (Ok(settled), usage),
        Err(failure) => (Err(bodies.failed(&failure)), failure.usage),
    };
    Lifted { result, usage, bodies: bodies.into_made() }
}

type Outcome = Result<(Settled, Option<Usage>), Failure>;

async fn attempt(work: &Arc<Work>, bodies: &mut Bodies<'_>) -> Outcome {
    match &work.effect.wish {
        Wish::Model { .. } => model(work, bodies).await,
        Wish::Tool { tool, args, typed, .. } => {
            let args = read(work, args.digest).await?;
            call(work, bodies, tool, args, if *typed { Origin::Typed } else { Origin::Computed }).await
        }
        Wish::Own { tool: name } => own(work, bodies, name).await,
        Wish::Rule => rule(work, bodies).await,
        Wish::Prepare { binds } => prepare(work, bodies, binds.as_ref()).await,
        Wish::Deliver { .. } => deliver(work, bodies).await,
        Wish::Query { .. } => query(work, bodies).await,
        Wish::Question { .. } => Ok((Settled::Numbered { no: number(work).await? }, None)),
    }
}

async fn model(work: &Arc<Work>, bodies: &mut Bodies<'_>) -> Outcome {
    let mode = work.place.pinned.plan.mode;
    let told = work.effect.model.as_ref().and_then(|alias| work.place.pinned.plan.models.get(alias));
    if let Some(spec) = told.filter(|spec| spec.refuses_private && work.turn.labels.private) {
        let why = format!("{} may not be told what is private, and this turn was shown it", spec.model);
        return Err(Failure::new(Class::Policy, why));
    }
    let model = work.place.ports.model(mode);
    let model = model.ok_or_else(|| Failure::new(Class::Permanent, "no model is connected to this callsheet"))?;
    let shown: Vec<Digest> = work.turn.shown.iter().flat_map(Part::read).collect();
    let ask = reading(work, shown, |work| ask::ask(work.asked())).await?;
    let reply = model.reply(&ask).await?;
    let seen = work.place.pinned.seen_by(&work.turn.agent);
    let problems = match &reply.act {
        Act::Answer(answer) if leads_on(work, &answer.outcome) => {
            let writes: Vec<_> = answer.writes.iter().map(|(own, value)| (seen.artefact(own), value)).collect();
            foreseen(work, writes.iter().map(|(name, value)| (name, *value))).await
        }
        _ => Ok(Vec::new()),
    };
    let mut problems = problems.map_err(|failure| Failure { usage: reply.usage, ..failure })?;
    if let Act::Answer(answer) = &reply.act
        && reply.origin == Origin::Model
        && !work.turn.message.is_question()
        && let Some(digest) = work.turn.handed.get(&answer.outcome).copied()
        && let Ok(note) = read(work, digest).await
    {
        problems.extend(lift::same_as_before(answer, &ask::text(&note), &ask.now));
    }
    let calls = calls(work).await?;
    let settled = lift::reply(bodies, &work.place.pinned, &work.turn, (&ask.now, &calls), &reply, problems);
    let stopped = |why| Failure { usage: reply.usage, ..Failure::new(Class::Policy, why) };
    Ok((settled.map_err(stopped)?, reply.usage))
}

async fn call(work: &Work, bodies: &mut Bodies<'_>, name: &ToolName, args: Value, origin: Origin) -> Outcome {
    let tool = callable(work, name)?;
    let (result, labels) = (called(work, tool, args).await?, tool.spec().labels);
    Ok((Settled::Returned { body: bodies.json(&result), labels, origin, lists: Lists::new() }, None))
}

async fn called(work: &Work, tool: &dyn Callable, args: Value) -> Result<Value, Failure> {
    if let Some(result) = played(&work.place.pinned.plan, (&work.turn, work.nth_turn), &work.effect, &args) {
        return Ok(result);
    }
    let call = Call { effect: work.id, args, is_live: is_live(work) };
    tool.call(call).await.map_err(|failure| of_tool(&tool.spec().name, failure))
}

fn is_live(work: &Work) -> bool {
    work.place.pinned.plan.mode == Mode::Live
}

/// Whether somebody goes on with the work after `outcome`: of what ends the run, no tool is ever called.
fn leads_on(work: &Work, outcome: &crate::id::Outcome) -> bool {
    let handoff = work.place.pinned.plan.handoff(&work.turn.agent, outcome);
    handoff.is_none_or(|handoff| handoff.to != Recipient::End)
}

/// What the tools that are to be called with what was written have against it, as far as they know it now.
async fn foreseen(work: &Work, written: impl Iterator<Item = (&ArtefactName, &Value)>) -> Result<Vec<String>, Failure> {
    let team = work.place.pinned.plan.team.values();
    let calls = team.filter_map(|member| match &member.role {
        Role::Tool { tool, args } => Some((tool, args)),
        _ => None,
    });
    let mut problems = Vec::new();
    for (artefact, value) in written {
        for (name, args) in calls.clone() {
            let takes = |arg: &&String| matches!(&args[*arg], Arg::Path { root, keys } if root == artefact.as_str() && keys.is_empty());
            for arg in args.keys().filter(takes) {
                // One that is called refuses what it is given, and one that is not what it was says so when it is used.
                let Ok(tool) = outward(work, name) else { continue };
                let found =
                    tool.foresee(arg, Call { effect: work.id, args: value.clone(), is_live: is_live(work) }).await;
                problems.extend(found.map_err(|failure| of_tool(name, failure))?);
            }
        }
    }
    Ok(problems)
}

/// A tool agent's own call: what it writes is examined as anybody's version is.
async fn own(work: &Arc<Work>, bodies: &mut Bodies<'_>, name: &ToolName) -> Outcome {
    let member = work.turn.agent.clone();
    let (args, desk) = reading(work, desk_and_message(work), move |work| {
        let desk = ask::desk(work.place.shelf(), &work.turn.desk)?;
        Ok((resolve(work, &member, &desk)?, desk))
    })
    .await?;
    let tool = callable(work, name)?;
    if let Some(why) = tool.spec().refusal(work.turn.labels) {
        return Err(Failure::new(Class::Policy, why));
    }
    let result = called(work, tool, args).await?;
    let calls = calls(work).await?;
    let pinned = &work.place.pinned;
    let mut lists = Lists::new();
    if let Some(artefact) = pinned.plan.team.get(&work.turn.agent).and_then(|member| member.writes.first()) {
        let verdict = pinned.examiner.examine(artefact, &result, &Sight { desk: &desk, calls: &calls });
        let mut problems = verdict.problems;
        lists = verdict.lists;
        problems.extend(foreseen(work, std::iter::once((artefact, &result))).await?);
        if !problems.is_empty() {
            return Err(Failure::new(Class::Invalid, problems.join("; ")));
        }
    }
    let labels: Labels = tool.spec().labels;
    Ok((Settled::Returned { body: bodies.json(&result), labels, origin: Origin::Computed, lists }, None))
}

/// What the rule of a member comes to over its desk and the parameters.
async fn rule(work: &Arc<Work>, bodies: &mut Bodies<'_>) -> Outcome {
    let ruled = reading(work, desk_and_message(work), |work| {
        let member = work.place.pinned.plan.team.get(&work.turn.agent);
        let Some(Role::Rule(rule)) = member.map(|member| &member.role) else {
            return Err(Failure::new(Class::Bug, format!("{} has no rule", work.turn.agent)));
        };
        let (desk, params) = (ask::desk(work.place.shelf(), &work.turn.desk)?, brief(work)?);
        // A rule without lines only hands on, with what is said to it.
        if rule.lines.is_empty() {
            let note = ask::text(&work.place.shelf().json(work.turn.message.note.digest)?);
            return Ok(Ruled { outcome: rule.otherwise.clone(), line: None, note });
        }
        Ok(rule.apply(|root| if root == "params" { Some(params.clone()) } else { desk.get(root).cloned() }))
    })
    .await?;
    Ok((Settled::Ruled { outcome: ruled.outcome, line: ruled.line, note: bodies.text(&ruled.note) }, None))
}

async fn prepare(work: &Arc<Work>, bodies: &mut Bodies<'_>, binds: Option<&crate::id::AgentName>) -> Outcome {
    let calls = calls(work).await?;
    let pinned = &work.place.pinned;
    let mut applied = Vec::new();
    if pinned.examiner.has_rules() {
        let desk = reading(work, desk_and_message(work), |work| ask::desk(work.place.shelf(), &work.turn.desk)).await?;
        applied = ruled::over_artefacts((&pinned.plan, &pinned.examiner), &work.turn.agent, &desk, &calls);
    }
    let manifest = match binds {
        Some(member) => {
            let (manifest, of_items) = manifest(work, bodies, member, &calls).await?;
            applied.extend(of_items);
            Some(manifest)
        }
        None => None,
    };
    let rules = ruled::ruling(bodies, &applied);
    Ok((Settled::Prepared { no: number(work).await?, manifest, rules }, None))
}

/// What tools gave in the run so far, if a check looks at that.
async fn calls(work: &Arc<Work>) -> Result<Vec<Read>, Failure> {
    let bodies = work.given.iter().map(|given| given.result).collect();
    reading(work, bodies, |work| ruled::calls(work.place.shelf(), &work.given, Some(work.turn.message.id))).await
}

/// What the outward member would do with the desk: every item with the digest of its final bytes.
async fn manifest(
    work: &Arc<Work>,
    bodies: &mut Bodies<'_>,
    member: &crate::id::AgentName,
    calls: &[Read],
) -> Result<(Manifest, Vec<Applied>), Failure> {
    let Some(Role::Tool { tool: name, args }) = work.place.pinned.plan.team.get(member).map(|m| &m.role) else {
        return Err(Failure::new(Class::Bug, format!("{member} is not a tool agent")));
    };
    let of = member.clone();
    let resolved = reading(work, desk_and_message(work), move |work| {
        let desk = ask::desk(work.place.shelf(), &work.turn.desk)?;
        resolve(work, &of, &desk)
    })
    .await?;
    let problems = work.place.pinned.examiner.call(name, &resolved);
    if !problems.is_empty() {
        let about = work.place.pinned.examiner.misfit(name, &resolved);
        let failure = Failure::new(Class::Invalid, format!("{name}: {}", problems.join("; ")));
        return Err(of_artefact(args, Failure { about, ..failure }));
    }
    let tool = outward(work, name)?;
    let prepared = tool.prepare(intent(work, resolved)).await;
    let items = prepared.map_err(|failure| of_artefact(args, of_tool(name, failure)))?;
    let pinned = &work.place.pinned;
    let over = |item: &Item| ruled::over_item(&pinned.examiner, name, tool, item, calls);
    let applied = items.iter().map(over).collect::<Result<Vec<_>, _>>()?.concat();
    let about = |failure| ruled::about_approved(&pinned.plan, &work.turn.agent, args, failure);
    ruled::kept_back(&applied).map_err(about)?;
    let mut heads = Vec::new();
    let mut listed = Vec::new();
    for item in items {
        let body = bodies.bytes(item.bytes);
        heads.push(ItemHead { digest: body.digest, recipients: item.recipients, after_ms: item.after_ms });
        let Item { key, recipient, recipients, title, media_type, again, after_ms, .. } = item;
        let BodyRef { digest, bytes } = body;
        listed.push(Listed { key, recipient, recipients, title, media_type, digest, bytes, after_ms, again });
    }
    let roots = args.values().filter_map(|arg| match arg {
        Arg::Path { root, .. } => root.parse::<ArtefactName>().ok(),
        Arg::Value(_) => None,
    });
    let desk = roots.filter_map(|root| work.turn.desk.get(&root).map(|held| (root, held.clone()))).collect();
    let body = bodies.of(&Listing { member: member.clone(), tool: name.clone(), items: listed });
    Ok((Manifest { body, items: heads.into(), desk }, applied))
}

async fn deliver(work: &Arc<Work>, bodies: &mut Bodies<'_>) -> Outcome {
    let approved = approved(work).await?;
    let Wish::Deliver { tool: name, .. } = &work.effect.wish else {
        return Err(Failure::new(Class::Bug, "not an outward effect"));
    };
    let tool = outward(work, name)?;
    approved.deadline.check()?;
    // Once more, over the bytes that leave now: what the rules of this run refuse never does.
    let calls = calls(work).await?;
    let applied = ruled::over_item(&work.place.pinned.examiner, name, tool, &approved.item, &calls)?;
    ruled::kept_back(&applied).map_err(|failure| Failure { class: Class::Policy, ..failure })?;
    let receipt = if work.place.pinned.plan.mode.drafts() && !tool.spec().drafts {
        Receipt::at("recorded, not called: no model runs and the tool cannot draft")
    } else {
        shown(work, act(tool, approved).await.map_err(|failure| of_tool(name, failure))?)
    };
    Ok((Settled::Performed { receipt: bodies.of(&receipt) }, None))
}

/// Performs the item, unless the sink can be asked and knows that it happened: for an older copy of this journal that was
/// put back, or one on another machine, this is the first attempt and not the first act.
async fn act(tool: &dyn Outward, approved: Approved) -> Result<Receipt, Failure> {
    if tool.spec().repeat == Repeat::Queryable
        && let Some(known) = tool.already(approved.clone()).await?
    {
        let remark = known.remark.into_iter().chain(["it was there already, and nothing was done".to_owned()]);
        return Ok(Receipt { remark: Some(remark.collect::<Vec<_>>().join("; ")), ..known });
    }
    tool.perform(approved).await
}

/// Until when the attempt may act, by the clock that can be set and by the one that cannot.
fn deadline(work: &Work) -> Deadline {
    let clock = Arc::clone(&work.place.ports.clock);
    let (began, until_uptime_ms) = (work.effect.began, work.not_after_uptime_ms);
    Deadline::new(move || {
        let (now, uptime_ms) = (clock.now(), clock.uptime_ms());
        let in_time = began.is_some_and(|began| now <= began.not_after)
            && until_uptime_ms.is_some_and(|until_ms| uptime_ms <= until_ms);
        !in_time
    })
}

/// Whose act it is: the journal is known by its first run, which every copy of it has.
fn source(work: &Work) -> Result<Source, Failure> {
    let place = work.place.as_ref();
    if let Some(journal) = place.first.get() {
        return Ok(Source { journal: *journal, run: place.run });
    }
    let first = Query { no: Some(RunNo(1)), limit: 1, ..Query::default() };
    let rows = place.ports.store.runs(&first).map_err(|why| Failure::new(Class::Permanent, why.to_string()))?;
    let first = rows.first().ok_or_else(|| Failure::new(Class::Bug, "the journal has no first run"))?;
    Ok(Source { journal: *place.first.get_or_init(|| first.id), run: place.run })
}

async fn query(work: &Arc<Work>, bodies: &mut Bodies<'_>) -> Outcome {
    let about = work.outward.as_ref().map(|(_, effect, _)| &effect.wish);
    let Some(Wish::Deliver { tool: name, .. }) = about else {
        return Err(Failure::new(Class::Bug, "a query about nothing"));
    };
    let approved = approved(work).await?;
    let settled = match outward(work, name)?.query(approved).await? {
        Some(receipt) => Settled::Performed { receipt: bodies.of(&shown(work, receipt)) },
        None => Settled::NotPerformed,
    };
    Ok((settled, None))
}

/// A failure that says whose it is.
fn of_tool(name: &ToolName, failure: Failure) -> Failure {
    Failure { reason: format!("{name}: {}", failure.reason), ..failure }
}

/// A failure about the artefact that its argument comes from; if it names no argument, about the only one there is.
fn of_artefact(args: &BTreeMap<String, Arg>, failure: Failure) -> Failure {
    let root = |arg: &Arg| match arg {
        Arg::Path { root, .. } => Some(root.clone()),
        Arg::Value(_) => None,
    };
    let roots: BTreeSet<String> = args.values().filter_map(root).collect();
    let about = match &failure.about {
        Some(argument) => args.get(argument).and_then(root),
        None if roots.len() == 1 => roots.into_iter().next(),
        None => None,
    };
    Failure { about, ..failure }
}

/// A receipt with its place as seen from the project's folder: a journal names no machine.
fn shown(work: &Work, receipt: Receipt) -> Receipt {
    let project = work.place.ports.out.parent().and_then(|project| project.to_str()).unwrap_or_default();
    let place = receipt.place.strip_prefix(project).unwrap_or(&receipt.place);
    Receipt { place: place.trim_start_matches('/').to_owned(), ..receipt }
}

/// The item under the effect's slot, byte for byte as approved.
async fn approved(work: &Arc<Work>) -> Result<Approved, Failure> {
    let bodies = match work.outward.as_ref().map(|(_, effect, permitted)| (&effect.wish, permitted)) {
        Some((Wish::Deliver { item, .. }, permitted)) => vec![*item, permitted.body.digest],
        _ => Vec::new(),
    };
    reading(work, bodies, |work| {
        let missing = || Failure::new(Class::Bug, "the slot is not in the approved manifest");
        let (id, effect, permitted) = work.outward.as_ref().ok_or_else(missing)?;
        let Wish::Deliver { slot, item, .. } = effect.wish else { return Err(missing()) };
        let head = permitted.items.get(slot as usize).filter(|head| head.digest == item).ok_or_else(missing)?;
        let list = work.place.manifest(permitted.body.digest)?;
        let listed = list.items.get(slot as usize).ok_or_else(missing)?;
        Ok(Approved {
            effect: *id,
            item: Item::listed(listed, work.place.shelf().bytes(head.digest)?),
            folder: work.place.folder(),
            source: source(work)?,
            draft: work.place.pinned.plan.mode.drafts(),
            at: work.place.ports.clock.now(),
            deadline: deadline(work),
        })
    })
    .await
}

/// A tool agent's arguments, from the desk, the message and the parameters.
fn resolve(work: &Work, member: &crate::id::AgentName, desk: &BTreeMap<ArtefactName, Value>) -> Result<Value, Failure> {
    let Some(Role::Tool { args, .. }) = work.place.pinned.plan.team.get(member).map(|m| &m.role) else {
        return Err(Failure::new(Class::Bug, format!("{member} is not a tool agent")));
    };
    let shelf = work.place.shelf();
    let mut resolved = serde_json::Map::new();
    for (name, arg) in args {
        let value = match arg {
            Arg::Value(value) => value.clone(),
            Arg::Path { root, keys } => {
                let whole = match root.as_str() {
                    "message" => json!({ "note": ask::text(&shelf.json(work.turn.message.note.digest)?) }),
                    "params" => brief(work)?,
                    artefact => desk.get(artefact).cloned().unwrap_or(Value::Null),
                };
                below(&whole, keys).cloned().unwrap_or(Value::Null)
            }
        };
        resolved.insert(name.clone(), value);
    }
    Ok(Value::Object(resolved))
}

fn brief(work: &Work) -> Result<Value, Failure> {
    let brief = brief_of(work).ok_or_else(|| Failure::new(Class::Bug, "the run has no brief"))?;
    work.place.shelf().json(brief)
}

fn brief_of(work: &Work) -> Option<Digest> {
    work.turn.shown.iter().chain(&work.turn.unseen).find_map(|part| match part {
        Part::Brief(digest) => Some(*digest),
        _ => None,
    })
}

/// What a tool agent's arguments may be taken from.
fn desk_and_message(work: &Work) -> Vec<Digest> {
    work.turn
        .desk
        .values()
        .flat_map(Held::versions)
        .chain([work.turn.message.note.digest])
        .chain(brief_of(work))
        .collect()
}

fn intent(work: &Work, args: Value) -> Intent {
    let origin = match work.origin {
        Origin::Scripted => "scripted",
        Origin::Computed => "computed",
        Origin::Typed => "typed",
        Origin::Model => "model",
        Origin::Person => "person",
    };
    Intent { effect: work.id, run: work.place.run, args, asked_at: work.effect.asked_at, origin: origin.to_owned() }
}

/// The tool, if it is still what it was when it was pinned: where it acts, and what a second act there would do.
fn tool<'w>(work: &'w Work, name: &ToolName) -> Result<&'w Tool, Failure> {
    let missing = || Failure::new(Class::Permanent, format!("the tool {name} is no longer in callsheet.toml"));
    let tool = work.place.ports.tools.get(name).ok_or_else(missing)?;
    let pinned = work.place.pinned.plan.tools.get(name);
    let changes = pinned.map(|pinned| pinned.changes(tool.spec())).unwrap_or_default();
    if changes.is_empty() {
        return Ok(tool);
    }
    let why = format!(
        "{name} is not the tool that it was when this run started: {}. Nothing was done with it. Put [tools] in callsheet.toml \
         back as it was and retry this, or discard it and start a new run",
        changes.join(", ")
    );
    Err(Failure::new(Class::Permanent, why))
}

/// The tool, if it is called.
fn callable<'w>(work: &'w Work, name: &ToolName) -> Result<&'w dyn Callable, Failure> {
    match tool(work, name)? {
        Tool::Callable(tool) => Ok(tool.as_ref()),
        Tool::Outward(_) => Err(Failure::new(Class::Policy, format!("{name} acts on the world, and is not called"))),
    }
}

/// The tool, if it acts on the world.
fn outward<'w>(work: &'w Work, name: &ToolName) -> Result<&'w dyn Outward, Failure> {
    match tool(work, name)? {
        Tool::Outward(tool) => Ok(tool.as_ref()),
        Tool::Callable(_) => Err(Failure::new(Class::Policy, format!("{name} has nothing to prepare or perform"))),
    }
}

async fn number(work: &Work) -> Result<crate::id::ApprovalNo, Failure> {
    match work.place.ports.writer.commit(Op::Number { run: work.place.run }).await {
        Ok(Done::Number(no)) => Ok(no),
        Ok(_) => Err(Failure::new(Class::Bug, "the journal gave no number")),
        Err(error) => Err(Failure::new(Class::Transient, error.to_string())),
    }
}

async fn read(work: &Arc<Work>, digest: Digest) -> Result<Value, Failure> {
    reading(work, vec![digest], move |work| work.place.shelf().json(digest)).await
}

/// Does what reads these bodies: at once if they are in memory, and else where a read that blocks harms nobody.
async fn reading<T: Send + 'static>(
    work: &Arc<Work>,
    bodies: Vec<Digest>,
    of: impl FnOnce(&Work) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if work.place.kept.has(bodies.into_iter()) {
        return of(work);
    }
    let work = Arc::clone(work);
    blocking(move || of(&work)).await.unwrap_or_else(|error| Err(Failure::new(Class::Bug, error.to_string())))
}
