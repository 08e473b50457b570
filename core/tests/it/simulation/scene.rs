//! One seed: the real core under a scheduler with virtual time, in a world that does its worst and then heals.

use std::collections::BTreeMap;
use std::sync::Arc;

use callsheet_core::failure::Usage;
use callsheet_core::id::{Epoch, RunId, Seq, Timestamp};
use callsheet_core::run::event::{BodyRef, Fact, Settled, Who};
use callsheet_core::run::input::Failed;
use callsheet_core::run::invariant::Broken;
use callsheet_core::run::owner::{self, Attempt};
use callsheet_core::run::record::Moved;
use callsheet_core::run::state::{Effect, State};

use super::attempt::Makes;
use super::journal::{Journal, Row, broken};
use super::oracle::Oracle;
use super::sink::Sink;
use super::sometimes::{Rare, Sometimes};
use super::swarm::Swarm;
use super::team::{self, KEY_AGE_MS_MIN};
use crate::random::Random;

/// Happenings after the world has healed before the run counts as stuck: far more than models and people who go back and
/// forth by chance have ever needed.
const HEALED_MAX: u64 = 40_000;

/// Where virtual time begins.
const START: i64 = 1_800_000_000_000;

/// A run and all that happens around it.
pub(crate) struct Scene {
    pub(super) journal: Journal,
    pub(super) sink: Sink,
    pub(super) oracle: Oracle,
    pub(super) makes: Makes,
    pub(super) owners: Vec<Owner>,
    pub(super) seen: Sometimes,
    pub(super) healed: bool,
    /// Real time, and how far the wall clock is from it.
    pub(super) now: i64,
    pub(super) offset: i64,
    /// Until when a request may be on its way to the sink.
    pub(super) landing_until: i64,
    queue: BTreeMap<(i64, u64), Happening>,
    ticket: u64,
    trace: Option<Vec<String>>,
}

/// A process that drives the run, or believes that it does.
pub(super) struct Owner {
    /// What it does: as the shell's.
    pub(super) logic: owner::Owner<Moved>,
    pub(super) epoch: Epoch,
    pub(super) alive: bool,
    pub(super) timer: u64,
    pub(super) stalled_until: i64,
}

/// Which attempt, of whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handle {
    pub(super) owner: usize,
    pub(super) attempt: Attempt,
}

/// An attempt at the world, as it was started.
#[derive(Clone)]
pub(super) struct Outward {
    pub(super) effect: Effect,
    /// Until when it has to answer.
    pub(super) deadline: i64,
    /// Until when, in real time, it may be performed.
    pub(super) not_after: Option<u64>,
}

/// What can happen next.
#[derive(Clone)]
pub(super) enum Happening {
    /// Somebody takes the run up if nobody has it.
    Claim,
    /// An owner starts what is outstanding.
    Start(usize),
    /// An attempt at the world comes to the point where it is sent, or is too late.
    Send(Handle, Box<Outward>),
    /// It lands, and perhaps answers.
    Land(Handle, Box<Effect>, bool),
    /// An attempt reports.
    Report(Handle, Box<(Result<Settled, Failed>, Option<Usage>)>),
    /// An attempt panics or errs.
    Dies(Handle),
    /// An owner's timer.
    Wake(usize, u64),
    /// An owner looks at the inbox.
    Listen(usize),
    /// A person looks at the run.
    Person,
    /// What a person said arrives.
    Post(Box<Row>),
}

/// What became of a seed.
pub(crate) struct Outcome {
    pub(crate) broken: Option<Broken>,
    pub(crate) seen: Sometimes,
    pub(crate) trace: Vec<String>,
    pub(crate) facts: usize,
}

/// Plays `seed` to its end.
pub(crate) fn play(seed: u64, traced: bool) -> Outcome {
    play_with(seed, Some([Random::new(!seed), Random::new(!seed.rotate_left(32))]), traced)
}

/// Plays `seed` as it was before there were questions, fallbacks, memory and conversations that are too long.
pub(crate) fn play_old(seed: u64) -> Outcome {
    play_with(seed, None, false)
}

/// What came to be drawn later has numbers of its own, so that a seed that broke something before still plays as it did.
fn play_with(seed: u64, later: Option<[Random; 2]>, traced: bool) -> Outcome {
    let mut random = Random::new(seed);
    let (mut later, days) = later.map_or((None, None), |[later, days]| (Some(later), Some(days)));
    let plan = Arc::new(team::draw(&mut random, later.as_mut()));
    let swarm = Swarm::draw(&mut random, later.as_mut());
    let run = RunId(uuid::Uuid::from_u64_pair(0x5eed, seed));
    let mut scene = Scene {
        journal: Journal::new(run, plan),
        sink: Sink::default(),
        oracle: Oracle::default(),
        makes: Makes::new(random, later, days, swarm),
        owners: Vec::new(),
        seen: Sometimes::default(),
        healed: false,
        now: START,
        offset: 0,
        landing_until: START,
        queue: BTreeMap::new(),
        ticket: 0,
        trace: traced.then(Vec::new),
    };
    let broken = scene.play().err();
    std::mem::take(&mut scene.journal.billed.reached).into_iter().for_each(|rare| scene.seen.see(rare));
    if let Some(broken) = &broken {
        scene.say(|| broken.to_string());
    }
    Outcome { broken, facts: scene.journal.facts.len(), seen: scene.seen, trace: scene.trace.unwrap_or_default() }
}

impl Scene {
    fn play(&mut self) -> Result<(), Broken> {
        self.begin()?;
        let happenings = self.makes.swarm.happenings;
        for _ in 0..happenings {
            if !self.next()? {
                break;
            }
            self.disturb()?;
        }
        self.heal();
        for _ in 0..HEALED_MAX {
            if self.is_over() || !self.next()? {
                break;
            }
        }
        self.finish()
    }

    /// Faults stop; whoever is left goes on.
    fn heal(&mut self) {
        self.say(|| "-- the world heals".to_owned());
        self.healed = true;
        self.makes.swarm = self.makes.swarm.healed();
        self.schedule(0, Happening::Person);
        if self.current().is_none() {
            self.schedule(1_000, Happening::Claim);
        }
    }

    /// The run has ended, everybody is answered, and nothing is on its way to the sink.
    fn is_over(&self) -> bool {
        let coming = |of: &Happening| matches!(of, Happening::Send(..) | Happening::Land(..) | Happening::Post(_));
        self.journal.truth.ended.is_some()
            && self.journal.truth.heard == self.journal.inbox.len() as u64
            && !self.queue.values().any(coming)
    }

    fn finish(&mut self) -> Result<(), Broken> {
        let state = Arc::clone(&self.journal.truth);
        if !self.is_over() {
            let (status, wake_at) = (state.status(), state.wake_at());
            let owned = self.current().is_some();
            let what = format!("{status:?} (paused: {:?}), wakes at {wake_at:?}, owned: {owned}", state.paused);
            return Err(broken("I14", format!("a healed run does not end: {what}")));
        }
        self.journal.refolded()?;
        self.oracle.at_end(&state, &self.sink)?;
        self.see_end(&state);
        Ok(())
    }

    fn see_end(&mut self, state: &State) {
        use callsheet_core::run::event::Ending;
        if let Some(ending) = state.ended {
            self.seen.see(match ending {
                Ending::Done => Rare::EndsDone,
                Ending::Rejected => Rare::EndsRejected,
                Ending::Failed | Ending::Bug => Rare::EndsFailed,
                Ending::Cancelled => Rare::EndsCancelled,
                Ending::Stopped => Rare::EndsStopped,
            });
        }
    }

    /// Takes the next happening; false if there is none.
    fn next(&mut self) -> Result<bool, Broken> {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return Ok(false) };
        self.now = self.now.max(at);
        if let Some(owner) = happening.owner()
            && self.owners[owner].stalled_until > self.now
        {
            let wait = self.owners[owner].stalled_until - self.now;
            self.schedule(u64::try_from(wait).unwrap_or(0), happening);
            return Ok(true);
        }
        self.happen(happening)?;
        Ok(true)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::Claim if self.current().is_some() => Ok(()),
            Happening::Claim => self.claim(),
            Happening::Start(owner) => self.start(owner),
            Happening::Send(handle, outward) => self.send(&handle, *outward),
            Happening::Land(handle, effect, answers) => self.land(&handle, &effect, answers),
            Happening::Report(handle, report) => self.report(&handle, report.0, report.1),
            Happening::Dies(handle) => self.dies(&handle),
            Happening::Wake(owner, timer) => self.wake(owner, timer),
            Happening::Listen(owner) => {
                self.owners[owner].logic.posted();
                self.go_on(owner)
            }
            Happening::Person => self.person(),
            Happening::Post(row) => {
                self.post(*row);
                Ok(())
            }
        }
    }

    /// Between two happenings: somebody dies, takes over, or the clock jumps.
    fn disturb(&mut self) -> Result<(), Broken> {
        let swarm = &self.makes.swarm;
        let (crash, take_over, jump) = (swarm.crash_between, swarm.take_over, swarm.jump);
        if self.makes.random.chance(crash)
            && let Some(owner) = self.current()
        {
            self.say(|| format!("owner {owner} dies"));
            self.die(owner);
        }
        if self.makes.random.chance(take_over) && self.current().is_some() && self.journal.truth.ended.is_none() {
            self.seen.see(Rare::TakenOver);
            self.claim()?;
        }
        if self.makes.random.chance(jump) {
            self.jump();
        }
        Ok(())
    }

    /// A clock that runs ahead of calls that are under way is the one thing that no waiting makes safe: calls are measured
    /// in real time. Keys are remembered in real time too: one that falls back by half of their age makes them look young.
    fn jump(&mut self) {
        if self.makes.swarm.jump_back {
            let back = i64::try_from(self.makes.random.skewed(20_000)).unwrap_or(0);
            self.offset = (self.offset - back).max(-KEY_AGE_MS_MIN / 2 + 1);
            self.seen.see(Rare::ClockJumpsBack);
        } else if self.landing_until <= self.now {
            self.offset += i64::try_from(self.makes.random.skewed(10 * 86_400_000)).unwrap_or(0);
            self.seen.see(Rare::ClockJumpsForward);
        }
        let offset = self.offset;
        self.say(|| format!("the clock jumps to {offset:+} ms"));
    }

    pub(super) fn schedule(&mut self, wait_ms: u64, happening: Happening) {
        self.ticket += 1;
        self.queue.insert((self.now.saturating_add_unsigned(wait_ms), self.ticket), happening);
    }

    /// What clocks show.
    pub(super) fn wall(&self) -> Timestamp {
        Timestamp(self.now + self.offset)
    }

    /// The owner whose appends are taken.
    pub(super) fn current(&self) -> Option<usize> {
        self.owners.iter().rposition(|owner| owner.alive && owner.epoch == self.journal.epoch)
    }

    pub(super) fn say(&mut self, what: impl FnOnce() -> String) {
        let at = self.now - START;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{at:>9} {}", what()));
        }
    }

    pub(super) fn say_facts(&mut self, owner: usize, facts: &[Fact]) {
        if self.trace.is_some() {
            for fact in facts {
                self.say(|| format!("   owner {owner}: {:?}", fact.is));
            }
        }
    }

    /// A row arrives in the inbox; whoever owns the run is told, or somebody takes it up.
    pub(super) fn post(&mut self, row: Row) {
        let row = Row { at: self.wall(), ..row };
        self.say(|| format!("posted{}: {:?}", if row.wrong { " (wrong)" } else { "" }, row.say));
        self.oracle.posted(&self.journal.truth, &row);
        if !self.journal.post(row) {
            self.seen.see(Rare::PostedTwice);
        }
        let happening = self.current().map_or(Happening::Claim, Happening::Listen);
        self.schedule(10, happening);
    }

    fn begin(&mut self) -> Result<(), Broken> {
        let by = Who {
            name: "dora".to_owned(),
            how: "claimed".to_owned(),
            groups: vec!["approvers".to_owned()],
            undeclared: false,
            via: None,
        };
        let (brief, note): (BodyRef, BodyRef) = (self.makes.body(), self.makes.body());
        let (plan, mode) = (self.makes.digest(), self.journal.truth.plan.mode);
        let start = callsheet_core::run::input::What::Start { plan, mode, brief, labels: Default::default(), note, by };
        let mut logic = owner::Owner::new(State::clone(&self.journal.truth), Seq(0), self.makes.swarm.park);
        logic.starts(start, Vec::new());
        self.owners.push(Owner::new(logic, Epoch(1)));
        let calm = std::mem::take(&mut self.makes.swarm);
        let heeded = self.heed(0);
        self.makes.swarm = calm;
        heeded?;
        self.schedule(1_000, Happening::Person);
        self.go_on(0)
    }
}

impl Owner {
    pub(super) fn new(logic: owner::Owner<Moved>, epoch: Epoch) -> Self {
        Self { logic, epoch, alive: true, timer: 0, stalled_until: 0 }
    }
}

impl Happening {
    /// The process that it happens in.
    fn owner(&self) -> Option<usize> {
        match self {
            Self::Start(owner) | Self::Wake(owner, _) | Self::Listen(owner) => Some(*owner),
            Self::Send(handle, ..) | Self::Report(handle, _) | Self::Dies(handle) => Some(handle.owner),
            Self::Claim | Self::Land(..) | Self::Person | Self::Post(_) => None,
        }
    }
}
