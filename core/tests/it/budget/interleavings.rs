//! Random interleavings of the pure core with up to 64 calls under way at once: replies, failures, crashes, raises and
//! pauses in any order, with usage at the bound, above it, below it and missing. After every fact spent and reserved are
//! within every limit, and at the end nothing is reserved.
//!
//! `CALLSHEET_BUDGET_SEED=n` plays one and prints its trace, `CALLSHEET_BUDGET_SEEDS=a..b` another range.

use std::ops::Range;
use std::sync::Arc;

use callsheet_core::failure::{Class, Usage};
use callsheet_core::id::{Digest, EffectId, Epoch, NanoUsd, RunId, Timestamp};
use callsheet_core::run::decide::decide;
use callsheet_core::run::event::{
    ActHead, BodyRef, CallHead, DeadLetterAnswer, Ending, Event, Fact, Limit, Lists, Origin, PauseReason, Raise,
    Replied, Settled, Who, Wish,
};
use callsheet_core::run::input::{Command, Failed, Input, What};
use callsheet_core::run::state::{Effect, State, Status, Turn};
use callsheet_core::topology::plan::{ANSWER, QUESTIONS_PER_TURN_MAX, Role};
use callsheet_core::topology::spec::Labels;

use super::crew::{self, Crew};
use super::ledger::Ledger;
use crate::random::Random;

/// Interleavings of the test command.
const SEEDS: Range<u64> = 0..100_000;

const THREADS: u64 = 2;

/// What may be raised.
const LIMITS: [Limit; 5] = [Limit::Steps, Limit::Tokens, Limit::Cost, Limit::ActiveTime, Limit::StepsPerTurn];

/// Inputs after which a run is cancelled, for each call that its replies make.
const INPUTS_PER_CALL: u64 = 4;

/// What the interleavings went through: a search that never does shows nothing.
#[derive(Debug, Default)]
struct Seen {
    facts: usize,
    /// Interleavings with so many calls under way at once.
    of_8: u64,
    of_64: u64,
    models_of_64: u64,
    at_bound: u64,
    above: u64,
    missing: u64,
    lost: u64,
    died: u64,
    paused: u64,
    raised: u64,
    dead: u64,
    switched: u64,
    longer: u64,
    cut: u64,
    done: u64,
    cancelled: u64,
    stopped: u64,
}

impl Seen {
    fn counts(&mut self) -> [&mut u64; 16] {
        [
            &mut self.of_8,
            &mut self.of_64,
            &mut self.models_of_64,
            &mut self.at_bound,
            &mut self.above,
            &mut self.missing,
            &mut self.lost,
            &mut self.died,
            &mut self.paused,
            &mut self.raised,
            &mut self.dead,
            &mut self.switched,
            &mut self.longer,
            &mut self.cut,
            &mut self.done,
            &mut self.cancelled,
        ]
    }

    fn add(&mut self, mut other: Self) {
        self.facts += other.facts;
        self.stopped += other.stopped;
        self.counts().into_iter().zip(other.counts()).for_each(|(own, other)| *own += *other);
    }

    fn fact(&mut self, event: &Event) {
        self.facts += 1;
        let count = match event {
            Event::Paused { .. } => &mut self.paused,
            Event::BudgetRaised { .. } => &mut self.raised,
            Event::DeadLettered { .. } => &mut self.dead,
            Event::ModelSwitched { .. } => &mut self.switched,
            Event::ContextCut { .. } => &mut self.cut,
            Event::RetryPlanned { output_tokens: Some(_), .. } => &mut self.longer,
            Event::EffectFailed { class: Class::InDoubt, .. } => &mut self.lost,
            Event::AgentFailed { .. } => &mut self.died,
            Event::Ended { how: Ending::Done } => &mut self.done,
            Event::Ended { how: Ending::Cancelled } => &mut self.cancelled,
            Event::Ended { how: Ending::Stopped } => &mut self.stopped,
            _ => return,
        };
        *count += 1;
    }
}

/// What a provider says of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Says {
    AtTheBound,
    Above,
    Below,
    Nothing,
}

/// One run and what happens to it.
struct Play {
    random: Random,
    state: State,
    ledger: Ledger,
    seen: Seen,
    epoch: Epoch,
    /// Calls that replies may still make.
    calls: u64,
    bodies: u64,
    trace: Option<Vec<String>>,
}

fn play(seed: u64, traced: bool) -> (Result<Seen, String>, Vec<String>) {
    let mut random = Random::new(seed);
    let (crew, calls) = match random.below(1_000) {
        0 => (Crew::Crowd, 0),
        1..10 => (Crew::Alone, 64),
        10..60 => (Crew::Few, 24),
        60..400 => (Crew::Few, random.between(1, 5)),
        _ => (Crew::Alone, random.between(1, 6)),
    };
    let plan = Arc::new(crew::plan(crew, &mut random));
    let run = RunId(uuid::Uuid::from_u64_pair(0xb0d9, seed));
    let state = State::new(run, plan);
    let trace = traced.then(Vec::new);
    let (ledger, seen) = (Ledger::default(), Seen::default());
    let mut play = Play { random, state, ledger, seen, epoch: Epoch(1), calls, bodies: 0, trace };
    let came = play.play(crew);
    (came.map(|()| play.seen), play.trace.unwrap_or_default())
}

impl Play {
    fn play(&mut self, crew: Crew) -> Result<(), String> {
        let (plan, brief, note) = (self.body().digest, self.body(), self.body());
        self.hear(What::Start { plan, mode: self.state.plan.mode, brief, labels: Labels::default(), note, by: who() })?;
        // A crowd is all asked before anything goes wrong.
        let calm = if crew == Crew::Crowd { 21 } else { 0 };
        let inputs = calm + 20 + INPUTS_PER_CALL * self.calls + if crew == Crew::Crowd { 100 } else { 0 };
        for nth in 0..inputs {
            if self.state.ended.is_some() {
                break;
            }
            if nth < calm { self.ask_all()? } else { self.step()? }
        }
        for _ in 0..2 {
            if self.state.ended.is_none() {
                self.say(Command::Cancel)?;
            }
        }
        self.ledger.ended()?;
        self.seen.of_8 += u64::from(self.ledger.at_once >= 8);
        self.seen.of_64 += u64::from(self.ledger.at_once >= 64);
        self.seen.models_of_64 += u64::from(crew == Crew::Crowd && self.ledger.at_once >= 64);
        Ok(())
    }

    /// One input: decided, applied, and held against the facts' own ledger.
    fn hear(&mut self, what: What) -> Result<Vec<Fact>, String> {
        let wait_ms = self.random.skewed(20_000);
        let at = Timestamp(self.state.now.0.max(1_800_000_000_000).saturating_add_unsigned(wait_ms));
        let jitter_permille = u16::try_from(self.random.below(1_001)).unwrap();
        let input = Input { at, jitter_permille, what };
        let decided =
            decide(self.state.clone(), &input).map_err(|illegal| format!("{illegal}, on {:?}", input.what))?;
        let facts = decided.facts;
        if matches!(input.what, What::Opened { .. }) {
            self.ledger.lost(&facts)?;
        }
        for fact in &facts {
            self.take(fact)?;
        }
        self.ledger.agrees(&self.state)?;
        if self.state.status() == Status::Stuck && self.state.dead.is_empty() {
            return Err("nothing is left to do, and nobody is asked".to_owned());
        }
        Ok(facts)
    }

    fn take(&mut self, fact: &Fact) -> Result<(), String> {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("   {:?}", fact.is));
        }
        self.seen.fact(&fact.is);
        self.state.apply(fact).map_err(|illegal| illegal.to_string())?;
        self.ledger.take(&self.state.plan, fact)
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(what());
        }
    }

    fn say(&mut self, command: Command) -> Result<(), String> {
        self.tell(|| format!("a person says {command:?}"));
        let (place, at) = (self.state.heard + 1, self.state.now);
        self.hear(What::Posted { place, post: uuid::Uuid::from_u64_pair(1, place), at, say: Some((who(), command)) })
            .map(drop)
    }

    /// Whatever comes next.
    fn step(&mut self) -> Result<(), String> {
        let under_way: Vec<EffectId> = self.state.outstanding().into_iter().map(|(id, _)| id).collect();
        match self.random.below(100) {
            0..=2 => return self.crash(),
            3..=4 => return self.say(Command::Pause),
            5..=6 => return self.raise(),
            7..=8 if !under_way.is_empty() => return self.die(&under_way),
            9 if self.random.chance(100) => return self.say(Command::Cancel),
            _ => {}
        }
        // What was under way when the run was paused settles too.
        let busy = |effect: &Effect| effect.failed.is_none() && effect.reserved.steps > 0;
        let all: Vec<EffectId> = self.state.effects.iter().filter(|(_, e)| busy(e)).map(|(id, _)| *id).collect();
        let settles = if self.state.paused.is_some() { all } else { under_way };
        if let Some(id) = self.random.pick(&settles).copied()
            && (self.state.paused.is_none() || self.random.chance(600))
        {
            return self.settle(id);
        }
        if let Some(why) = self.state.paused.clone() {
            let short = matches!(why, PauseReason::Budget { .. }) && !self.random.chance(100);
            return if short { self.raise() } else { self.say(Command::Resume) };
        }
        if let Some(message) = self.state.dead.keys().next().copied() {
            let answers = [DeadLetterAnswer::Retry, DeadLetterAnswer::Discard, DeadLetterAnswer::Discard];
            let answer = self.random.pick(&answers).copied().unwrap();
            return self.say(Command::DeadLetter { message, answer });
        }
        self.hear(What::Due).map(drop)
    }

    fn crash(&mut self) -> Result<(), String> {
        self.epoch.0 += 1;
        let epoch = self.epoch;
        self.tell(|| format!("the owner dies, epoch {epoch}"));
        self.hear(What::Opened { epoch }).map(drop)
    }

    fn die(&mut self, under_way: &[EffectId]) -> Result<(), String> {
        let agent = self.state.effects[self.random.pick(under_way).unwrap()].agent.clone();
        let effects = under_way.iter().copied().filter(|id| self.state.effects[id].agent == agent).collect();
        let class = if self.random.chance(500) { Class::Bug } else { Class::Transient };
        let reason = self.body();
        self.tell(|| format!("{agent} dies"));
        self.hear(What::AgentDied { agent, effects, class, reason }).map(drop)
    }

    /// More of what is short, or of anything; sometimes too little.
    fn raise(&mut self) -> Result<(), String> {
        let (mut what, mut needed) = (self.random.pick(&LIMITS).copied().unwrap(), self.random.skewed(1 << 40));
        if let Some(PauseReason::Budget { what: short, needed: most, .. }) = &self.state.paused
            && self.random.chance(800)
        {
            (what, needed) = (*short, *most);
        }
        let to = needed + self.random.skewed(needed.min(1 << 40));
        let small = u32::try_from(to).unwrap_or(u32::MAX);
        let mut raise = Raise::default();
        match what {
            Limit::Steps => raise.steps = Some(to),
            Limit::Tokens => raise.tokens = Some(to),
            Limit::Cost => raise.cost = Some(NanoUsd(to)),
            Limit::ActiveTime => raise.active_ms = Some(to),
            Limit::StepsPerTurn => raise.steps_per_turn = Some(small),
            Limit::Turns => raise.turns = Some(small),
            Limit::Recipients => raise.recipients = Some(to),
        }
        self.say(Command::Raise(raise))
    }

    /// Everybody under way asks everybody whom they may ask.
    fn ask_all(&mut self) -> Result<(), String> {
        let outstanding = self.state.outstanding();
        let asks = |id: &EffectId| !self.state.plan.team[&self.state.effects[id].agent].may_ask.is_empty();
        let Some(id) = outstanding.into_iter().map(|(id, _)| id).find(asks) else { return self.step() };
        let turn = self.state.turns[&self.state.effects[&id].message].clone();
        let calls = self.questions(&turn);
        self.reply(id, ActHead::Calls(calls), Says::Below)
    }

    fn settle(&mut self, id: EffectId) -> Result<(), String> {
        let effect = self.state.effects[&id].clone();
        let fails = self.random.chance(150);
        if !matches!(effect.wish, Wish::Model { .. }) {
            let result = if fails {
                Err(self.failed(&[Class::Transient, Class::Invalid, Class::Policy, Class::Permanent]))
            } else {
                Ok(Settled::Returned {
                    body: self.body(),
                    labels: Labels::default(),
                    origin: Origin::Computed,
                    lists: Lists::new(),
                })
            };
            return self.hear(What::Settled { id, result, usage: None }).map(drop);
        }
        let says = self.random.pick(&[Says::AtTheBound, Says::Above, Says::Below, Says::Nothing]).copied().unwrap();
        if fails {
            let failed = self.failed(&Class::ALL);
            let usage = self.usage(&effect, says);
            self.tell(|| format!("{} fails as {:?} with {usage:?}", id.0.short(), failed.class));
            return self.hear(What::Settled { id, result: Err(failed), usage }).map(drop);
        }
        let act = self.act(&self.state.turns[&effect.message].clone());
        self.reply(id, act, says)
    }

    /// A reply arrives; what its provider says of it is flagged if it is more than was allowed, and never spent.
    fn reply(&mut self, id: EffectId, act: ActHead, says: Says) -> Result<(), String> {
        let effect = self.state.effects[&id].clone();
        let usage = self.usage(&effect, says);
        let replied = Replied::new(self.body(), Origin::Model, None, act);
        self.tell(|| format!("{} is answered: {says:?}, {usage:?}", id.0.short()));
        let facts = self.hear(What::Settled { id, result: Ok(Settled::Replied(replied)), usage })?;
        let settled = facts.iter().find_map(|fact| match &fact.is {
            Event::EffectSettled { id: of, result: Settled::Replied(replied), spent } if *of == id => {
                Some((replied.over_reported, *spent))
            }
            _ => None,
        });
        let (over, spent) = settled.ok_or("a reply did not settle its call")?;
        let right = match says {
            Says::AtTheBound => !over && spent.tokens == effect.reserved.tokens,
            Says::Above => over && spent.tokens == effect.reserved.tokens,
            Says::Below => !over,
            Says::Nothing => !over && spent == effect.reserved,
        };
        match says {
            Says::AtTheBound => self.seen.at_bound += 1,
            Says::Above => self.seen.above += 1,
            Says::Nothing => self.seen.missing += 1,
            Says::Below => {}
        }
        if !right {
            return Err(format!("{says:?}: flagged {over}, {spent:?} of {:?}", effect.reserved));
        }
        Ok(())
    }

    fn usage(&mut self, effect: &Effect, says: Says) -> Option<Usage> {
        let most = effect.reserved.tokens;
        let all = match says {
            Says::Nothing => return None,
            Says::AtTheBound => most,
            Says::Below => self.random.below(most + 1),
            Says::Above => match self.random.below(3) {
                0 => most + 1,
                1 => most + self.random.between(1, 1 << 30),
                _ => u64::MAX,
            },
        };
        let declared = self.state.plan.team[&effect.agent].limits.output_tokens;
        // Never more out than was allowed: at the bound that is what costs most.
        let output_tokens = effect.output_tokens.unwrap_or(declared).min(all);
        let input_tokens = all - output_tokens;
        let (cached_tokens, cache_write_tokens) = (self.random.skewed(input_tokens), self.random.skewed(input_tokens));
        Some(Usage { input_tokens, output_tokens, cached_tokens, cache_write_tokens })
    }

    fn failed(&mut self, classes: &[Class]) -> Failed {
        let class = self.random.pick(classes).copied().unwrap();
        let too_long = class == Class::Permanent && self.random.chance(500);
        Failed { class, reason: self.body(), retry_after_ms: None, too_long, lost: false, artefact: None }
    }

    fn act(&mut self, turn: &Turn) -> ActHead {
        if self.calls > 0 && self.random.chance(800) {
            let many = if self.calls >= 24 { self.calls } else { self.random.between(1, self.calls) };
            self.calls -= many;
            let mut calls = if self.random.chance(500) { self.questions(turn) } else { Vec::new() };
            let Some(Role::Model { tools, .. }) = self.state.member(&turn.agent).map(|member| &member.role) else {
                unreachable!("a reply of no model")
            };
            let (tools, flawed) = (tools.clone(), self.random.chance(200));
            for nth in 0..many {
                let refused = (flawed && self.random.chance(200)).then(|| self.body());
                let tool = self.random.pick(&tools).cloned().unwrap();
                let misfit = refused.is_some() && self.random.chance(500);
                calls.push(CallHead { refused, misfit, ..CallHead::new(format!("c{nth}"), tool, self.body()) });
            }
            return ActHead::Calls(calls);
        }
        let problems = self.random.chance(80).then(|| self.body());
        let outcome = if turn.message.is_question() {
            ANSWER
        } else if self.random.chance(300) {
            "on"
        } else {
            "ready"
        };
        ActHead::Answer { outcome: Some(outcome.parse().unwrap()), note: self.body(), writes: Vec::new(), problems }
    }

    /// As many questions as the turn may still ask, each to another teammate.
    fn questions(&mut self, turn: &Turn) -> Vec<CallHead> {
        let left = usize::try_from(QUESTIONS_PER_TURN_MAX - turn.questions).unwrap();
        let teammates = self.state.plan.team[&turn.agent].may_ask.clone().into_iter().take(left).enumerate();
        let question = |(nth, teammate)| CallHead {
            asks: Some(teammate),
            ..CallHead::new(format!("q{nth}"), "team.ask".parse().unwrap(), self.body())
        };
        teammates.map(question).collect()
    }

    fn body(&mut self) -> BodyRef {
        self.bodies += 1;
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&self.bodies.to_be_bytes());
        BodyRef { digest: Digest(digest), bytes: u32::try_from(self.random.skewed(2_000)).unwrap() }
    }
}

fn who() -> Who {
    Who { name: "ada".to_owned(), how: "claimed".to_owned(), groups: Vec::new(), undeclared: false, via: None }
}

/// Plays `seeds`; what they went through, and the first that broke something.
fn search(seeds: &Range<u64>) -> (Seen, Option<(u64, String)>) {
    let part = |offset: u64| {
        let (mut seen, mut broken) = (Seen::default(), None);
        for seed in (seeds.start + offset..seeds.end).step_by(usize::try_from(THREADS).unwrap()) {
            match play(seed, false).0 {
                Ok(of) => seen.add(of),
                Err(what) => {
                    broken.get_or_insert((seed, what));
                }
            }
        }
        (seen, broken)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|offset| scope.spawn(move || part(offset))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(
            (Seen::default(), None),
            |(mut seen, broken), of| {
                seen.add(of.0);
                (seen, broken.into_iter().chain(of.1).min())
            },
        )
    })
}

#[test]
fn no_interleaving_passes_a_limit_or_leaks_a_reservation() {
    if let Ok(seed) = std::env::var("CALLSHEET_BUDGET_SEED") {
        let (came, trace) = play(seed.parse().unwrap(), true);
        println!("{}", trace.join("\n"));
        came.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        return;
    }
    let seeds = std::env::var("CALLSHEET_BUDGET_SEEDS").map_or(SEEDS, |text| {
        let (start, end) = text.split_once("..").expect("CALLSHEET_BUDGET_SEEDS is like 100000..200000");
        start.parse().unwrap()..end.parse().unwrap()
    });
    let began = std::time::Instant::now();
    let (mut seen, broken) = search(&seeds);
    println!("{} interleavings in {:.1?}: {seen:?}", seeds.end - seeds.start, began.elapsed());
    if let Some((seed, what)) = broken {
        println!("{}", play(seed, true).1.join("\n"));
        panic!(
            "seed {seed}: {what}\nThe trace above is of it; again with\n  CALLSHEET_BUDGET_SEED={seed} cargo test \
             -p callsheet-core --test it -- --exact budget::interleavings::no_interleaving_passes_a_limit_or_leaks_a_reservation --nocapture"
        );
    }
    if seeds == SEEDS {
        assert!(seen.counts().into_iter().all(|count| *count > 0), "what no interleaving went through: {seen:?}");
    }
}
