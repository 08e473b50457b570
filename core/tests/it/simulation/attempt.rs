//! What attempts come to: replies of models, results of tools, manifests, failures of every class.

use callsheet_core::failure::Class;
use callsheet_core::failure::Usage;
use callsheet_core::id::{ApprovalNo, ArtefactName, Digest, NanoUsd};
use callsheet_core::run::event::{
    ActHead, BodyRef, CallHead, ItemHead, Items, Lists, Manifest, Origin, Replied, Settled, Wish, WriteHead,
};
use callsheet_core::run::input::Failed;
use callsheet_core::run::state::{Effect, State, Turn};
use callsheet_core::topology::plan::{ANSWER, ASK_TOOL, Arg, EachTo, QUESTIONS_PER_TURN_MAX, Recipient, Role};
use callsheet_core::topology::spec::Labels;

use super::swarm::Swarm;
use super::team::name;
use crate::random::Random;

/// What an attempt comes to, if it comes to anything.
pub(crate) enum Verdict {
    Result(Result<Settled, Failed>, Option<Usage>),
    Panics,
    Hangs,
}

/// Makes what the world makes: bodies, numbers, answers.
pub(crate) struct Makes {
    pub(crate) random: Random,
    /// For what came to be drawn later.
    later: Option<Random>,
    /// For the days on which items leave.
    days: Option<Random>,
    pub(crate) swarm: Swarm,
    bodies: u64,
    numbers: u64,
}

impl Makes {
    pub(crate) fn new(random: Random, later: Option<Random>, days: Option<Random>, swarm: Swarm) -> Self {
        Self { random, later, days, swarm, bodies: 0, numbers: 0 }
    }

    /// A body that no other is like.
    pub(crate) fn body(&mut self) -> BodyRef {
        BodyRef { digest: self.digest(), bytes: u32::try_from(self.random.skewed(4_000)).unwrap_or(0) }
    }

    pub(crate) fn digest(&mut self) -> Digest {
        self.bodies += 1;
        let mut bytes = [0_u8; 32];
        for (chunk, salt) in bytes.chunks_exact_mut(8).zip(1_u64..) {
            chunk.copy_from_slice(
                &self.bodies.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7 * salt as u32).to_le_bytes(),
            );
        }
        Digest(bytes)
    }

    /// The next approval number; other runs take some.
    pub(crate) fn number(&mut self) -> ApprovalNo {
        self.numbers += 1 + self.random.below(3);
        ApprovalNo(self.numbers)
    }

    pub(crate) fn failed(&mut self, class: Class) -> Failed {
        let retry_after_ms = (class == Class::Throttled).then(|| self.random.skewed(60_000));
        Failed { class, reason: self.body(), retry_after_ms, too_long: false, lost: false, artefact: None }
    }

    /// A model's failure is more often one of its own kinds, and what it cannot take may be too long for it.
    fn of_model(&mut self, failure: Verdict) -> Verdict {
        let Some(later) = &mut self.later else { return failure };
        let Verdict::Result(Err(failed), usage) = failure else { return failure };
        let kinds = [Class::Permanent, Class::Truncated, Class::Refused];
        let own = (!self.swarm.only_transient && later.chance(500)).then(|| later.pick(&kinds).copied()).flatten();
        let class = own.unwrap_or(failed.class);
        let too_long = class == Class::Permanent && later.chance(600);
        Verdict::Result(Err(Failed { class, too_long, ..failed }), usage)
    }

    /// How an attempt fails, if it does: never by what only the shell says.
    pub(crate) fn failure(&mut self) -> Option<Verdict> {
        if self.random.chance(self.swarm.panic) {
            return Some(Verdict::Panics);
        }
        if self.random.chance(self.swarm.hang) {
            return Some(Verdict::Hangs);
        }
        if !self.random.chance(self.swarm.fail) {
            return None;
        }
        let class = match self.random.below(16) {
            _ if self.swarm.only_transient => Class::Transient,
            0..=7 => Class::Transient,
            8..=10 => Class::Throttled,
            11 => Class::Permanent,
            12 => Class::Invalid,
            13 => Class::Truncated,
            14 => Class::Refused,
            _ => *self.random.pick(&[Class::Policy, Class::Budget]).unwrap_or(&Class::Policy),
        };
        let usage = self.random.chance(500).then(|| self.usage());
        Some(Verdict::Result(Err(self.failed(class)), usage))
    }

    fn usage(&mut self) -> Usage {
        let over = if self.random.chance(50) { 100_000 } else { 0 };
        Usage { input_tokens: self.random.skewed(600) + over, output_tokens: self.random.skewed(100), ..Usage::NOTHING }
    }

    /// What an attempt of anything but an item or a query comes to.
    pub(crate) fn inward(&mut self, state: &State, effect: &Effect) -> Verdict {
        if let Some(failure) = self.failure() {
            return if matches!(effect.wish, Wish::Model { .. }) { self.of_model(failure) } else { failure };
        }
        let Some(turn) = state.turns.get(&effect.message) else { return Verdict::Hangs };
        let settled = match &effect.wish {
            Wish::Model { .. } => {
                let usage = self.random.chance(600).then(|| self.usage());
                return Verdict::Result(Ok(self.reply(state, turn)), usage);
            }
            Wish::Tool { .. } if self.random.chance(self.swarm.tool_refuses) => {
                let class = *self.random.pick(&[Class::Invalid, Class::Policy]).unwrap_or(&Class::Invalid);
                return Verdict::Result(Err(self.failed(class)), None);
            }
            Wish::Tool { tool, .. } | Wish::Own { tool } => {
                let labels = state.plan.tools.get(tool).map_or(Labels::default(), |spec| spec.labels);
                Settled::Returned { body: self.body(), labels, origin: Origin::Computed, lists: Lists::new() }
            }
            Wish::Rule => {
                let Some(ruled) = self.ruled(state, effect) else { return Verdict::Hangs };
                ruled
            }
            Wish::Prepare { binds: None } => Settled::Prepared { no: self.number(), manifest: None, rules: None },
            Wish::Prepare { binds: Some(member) } => {
                if let Some(refused) = self.prepare_refused(state, turn, member.as_str()) {
                    return Verdict::Result(Err(refused), None);
                }
                let manifest = self.manifest(state, turn, member.as_str());
                Settled::Prepared { no: self.number(), manifest: Some(manifest), rules: None }
            }
            Wish::Question { .. } => Settled::Numbered { no: self.number() },
            Wish::Deliver { .. } | Wish::Query { .. } => return Verdict::Hangs,
        };
        Verdict::Result(Ok(settled), None)
    }

    /// A line of the rule that holds, or none.
    fn ruled(&mut self, state: &State, effect: &Effect) -> Option<Settled> {
        let Some(Role::Rule(rule)) = state.member(&effect.agent).map(|member| &member.role) else { return None };
        let nth = usize::try_from(self.random.below(rule.lines.len() as u64 + 1)).ok()?;
        let (line, outcome) = match rule.lines.get(nth) {
            Some(line) => (u32::try_from(nth).ok(), &line.outcome),
            None => (None, &rule.otherwise),
        };
        Some(Settled::Ruled { outcome: outcome.clone(), line, note: self.body() })
    }

    /// Why the desk of `turn` cannot be prepared: mostly for one of the artefacts that the tool takes.
    fn prepare_refused(&mut self, state: &State, turn: &Turn, member: &str) -> Option<Failed> {
        let refuses = self.swarm.prepare_refuses;
        let later = self.later.as_mut().filter(|_| refuses > 0)?;
        if !later.chance(refuses) {
            return None;
        }
        let Some(Role::Tool { args, .. }) = state.plan.team.get(member).map(|member| &member.role) else { return None };
        let roots = args.values().filter_map(|arg| match arg {
            Arg::Path { root, .. } => Some(root.as_str()),
            Arg::Value(_) => None,
        });
        let roots: Vec<&str> = roots.filter(|root| turn.desk.contains_key(*root)).collect();
        let artefact = later.chance(900).then(|| later.pick(&roots).map(|root| name(root))).flatten();
        Some(Failed { artefact, ..self.failed(Class::Invalid) })
    }

    /// Whether somebody whom nobody declared speaks up.
    pub(crate) fn undeclared(&mut self) -> bool {
        let often = self.swarm.undeclared;
        self.later.as_mut().is_some_and(|later| often > 0 && later.chance(often))
    }

    fn manifest(&mut self, state: &State, turn: &Turn, member: &str) -> Manifest {
        let role = state.plan.team.get(member).map(|member| &member.role);
        let Some(Role::Tool { args, .. }) = role else { unreachable!("a person binds a tool agent") };
        let roots = args.values().filter_map(|arg| match arg {
            Arg::Path { root, .. } => Some(name(root)),
            Arg::Value(_) => None,
        });
        let desk = roots.filter_map(|root| turn.desk.get(&root).map(|held| (root, held.clone()))).collect();
        let many = if self.random.chance(20) { 140 } else { 5 };
        let items = self.random.below(many);
        let day_ms = self.day_ms();
        let item = |_| {
            let (digest, recipients) = (self.digest(), self.random.below(20));
            let day = self.days.as_mut().filter(|_| day_ms > 0).map_or(0, |days| days.below(4));
            ItemHead { digest, recipients, after_ms: day * day_ms }
        };
        let items = (0..items).map(item).collect();
        Manifest { body: self.body(), items, desk }
    }

    /// How long a day of a manifest is whose items leave on several; nothing if they all leave at once. It is short, so that
    /// people do not look thousands of times before it has come.
    fn day_ms(&mut self) -> u64 {
        let Some(days) = &mut self.days else { return 0 };
        if days.chance(300) { days.skewed(900_000) } else { 0 }
    }

    fn reply(&mut self, state: &State, turn: &Turn) -> Settled {
        let line = self.random.chance(300).then(|| u32::try_from(self.random.below(4)).unwrap_or(0));
        let act = self.act(state, turn);
        let origin = Origin::Model;
        Settled::Replied(Replied::new(self.body(), origin, line, act))
    }

    fn act(&mut self, state: &State, turn: &Turn) -> ActHead {
        let Some(Role::Model { tools, .. }) = state.member(&turn.agent).map(|member| &member.role) else {
            unreachable!("a model effect of no model")
        };
        let questions = self.questions(state, turn);
        let bad = self.random.chance(self.swarm.bad_call);
        if (bad || !tools.is_empty()) && self.random.chance(self.swarm.calls) {
            let many = self.random.between(1, 3);
            let call = |nth| {
                let refused = (tools.is_empty() || bad && self.random.chance(500)).then(|| self.body());
                let tool = self.random.pick(tools).cloned().unwrap_or(name("not.offered"));
                CallHead { refused, ..CallHead::new(format!("call{nth}"), tool, self.body()) }
            };
            let calls: Vec<CallHead> = (0..many).map(call).collect();
            return ActHead::Calls(questions.into_iter().chain(calls).collect());
        }
        if !questions.is_empty() {
            return ActHead::Calls(questions);
        }
        if self.random.chance(self.swarm.bad_answer) {
            let (note, problems) = (self.body(), Some(self.body()));
            return ActHead::Answer { outcome: None, note, writes: Vec::new(), problems };
        }
        self.answer(state, turn)
    }

    /// What a model asks its teammates, as often as a turn may: the shell refuses the rest.
    fn questions(&mut self, state: &State, turn: &Turn) -> Vec<CallHead> {
        let may_ask = state.member(&turn.agent).map(|member| member.may_ask.as_slice()).unwrap_or_default();
        let left = QUESTIONS_PER_TURN_MAX.saturating_sub(turn.questions).min(3);
        let mut teammates = Vec::new();
        if let Some(later) = &mut self.later
            && !may_ask.is_empty()
            && later.chance(self.swarm.asks)
        {
            let many = later.between(1, 3).min(left.into());
            teammates.extend((0..many).filter_map(|_| later.pick(may_ask).cloned()));
        }
        let question = |(nth, teammate)| CallHead {
            asks: Some(teammate),
            ..CallHead::new(format!("ask{nth}"), name(ASK_TOOL), self.body())
        };
        teammates.into_iter().enumerate().map(question).collect()
    }

    fn answer(&mut self, state: &State, turn: &Turn) -> ActHead {
        if turn.message.is_question() {
            let (outcome, note) = (Some(name(ANSWER)), self.body());
            return ActHead::Answer { outcome, note, writes: Vec::new(), problems: None };
        }
        let Some(Role::Model { outcomes, .. }) = state.member(&turn.agent).map(|member| &member.role) else {
            unreachable!("a model effect of no model")
        };
        let wander = self.random.chance(self.swarm.wander);
        let outcome = if wander { self.random.pick(outcomes) } else { outcomes.first() };
        let outcome = outcome.cloned().unwrap_or_else(|| name("ready"));
        let to_end = state
            .handoff(&turn.agent, &outcome)
            .is_some_and(|handoff| handoff.to == Recipient::End && handoff.split.is_none());
        let writes = state.member(&turn.agent).map(|member| member.writes.clone()).unwrap_or_default();
        let none = to_end && self.random.chance(500);
        let write = |artefact| {
            let findings = self.random.chance(300).then(|| self.body());
            let lists = self.lists(state, &artefact);
            WriteHead { findings, lists, ..WriteHead::new(artefact, self.body(), Origin::Model) }
        };
        let writes = writes.into_iter().filter(|_| !none).map(write).collect();
        ActHead::Answer { outcome: Some(outcome), note: self.body(), writes, problems: None }
    }

    /// How many items the lists of a version have that is split over, and whose they are.
    pub(crate) fn lists(&mut self, state: &State, artefact: &ArtefactName) -> Lists {
        let mut lists = Lists::new();
        for each in state.plan.splits_over(artefact) {
            let Some(later) = &mut self.later else { continue };
            let count = u32::try_from(later.below(u64::from(each.most) + 1)).unwrap_or(0);
            let to = match &each.to {
                EachTo::One(_) => Vec::new(),
                EachTo::By { among, .. } => (0..count).filter_map(|_| later.pick(among).cloned()).collect(),
            };
            lists.insert(each.place(), Items { count, to });
        }
        lists
    }

    /// A raise of `what` above `needed`.
    pub(crate) fn above(needed: u64) -> u64 {
        needed.saturating_mul(4).saturating_add(100)
    }

    pub(crate) fn money(needed: u64) -> NanoUsd {
        NanoUsd(Self::above(needed))
    }
}
