//! The world around an owner: it carries out the orders of the shell's own owner in virtual time, where processes die,
//! stand still and are taken over, attempts fail, and requests are lost.

use std::sync::Arc;

use callsheet_core::failure::Class;
use callsheet_core::failure::Usage;
use callsheet_core::id::{AgentName, Seq, Timestamp};
use callsheet_core::run::event::{Fact, Settled, Wish};
use callsheet_core::run::input::{Failed, What};
use callsheet_core::run::invariant::Broken;
use callsheet_core::run::owner::{self, Append, Attempt, Gone, Moment, Order};
use callsheet_core::run::record::Moved;
use callsheet_core::run::state::{Effect, State};

use super::attempt::Verdict;
use super::journal::broken;
use super::scene::{Handle, Happening, Outward, Owner, Scene};
use super::sometimes::Rare;

impl Scene {
    /// A new owner takes the run up, whoever has it.
    pub(super) fn claim(&mut self) -> Result<(), Broken> {
        // As whoever folds the records finds it: the truth is folded from the same facts in the same order, and at the end
        // of each seed once more from the first.
        let state = State::clone(&self.journal.truth);
        if state.ended.is_some() && state.heard == self.journal.inbox.len() as u64 {
            return Ok(());
        }
        self.journal.epoch.0 += 1;
        let epoch = self.journal.epoch;
        let (seq, park) = (Seq(self.journal.facts.len() as u64), self.makes.swarm.park);
        let mut logic = owner::Owner::new(state, seq, park);
        logic.opened(Some(epoch));
        self.owners.push(Owner::new(logic, epoch));
        let owner = self.owners.len() - 1;
        self.say(|| format!("owner {owner} claims epoch {epoch}"));
        self.go_on(owner)
    }

    /// A process is gone; another takes the run up some time.
    pub(super) fn die(&mut self, owner: usize) {
        let was_current = self.current() == Some(owner);
        let dead = &mut self.owners[owner];
        dead.alive = false;
        if dead.logic.acts() {
            self.seen.see(Rare::CrashWithOutwardUnderWay);
        }
        if was_current {
            let wait_ms = self.makes.random.skewed(120_000);
            self.schedule(wait_ms, Happening::Claim);
        }
    }

    /// After whatever an owner was told: it heeds that, and goes on, perhaps after standing still.
    pub(super) fn go_on(&mut self, owner: usize) -> Result<(), Broken> {
        self.heed(owner)?;
        if !self.owners[owner].alive {
            return Ok(());
        }
        if self.makes.random.chance(self.makes.swarm.stall) {
            let most = self.makes.swarm.stall_ms;
            let wait = self.makes.random.below(most + 1);
            self.say(|| format!("owner {owner} stands still for {wait} ms"));
            self.owners[owner].stalled_until = self.now.saturating_add_unsigned(wait);
            self.schedule(wait, Happening::Start(owner));
            return Ok(());
        }
        self.start(owner)
    }

    /// All that follows from what an owner was told, as far as it lives.
    pub(super) fn heed(&mut self, owner: usize) -> Result<(), Broken> {
        while self.owners[owner].alive {
            let hears = self.owners[owner].logic.hears().cloned();
            let jitter = if hears.is_some() { self.makes.random.below(1_001) } else { 0 };
            let jitter_permille = u16::try_from(jitter).unwrap_or(0);
            let uptime_ms = u64::try_from(self.now).unwrap_or(0);
            let moment = Moment { uptime_ms, at: self.wall(), jitter_permille };
            let state = self.owners[owner].logic.state();
            let due = (hears == Some(What::Due)).then(|| (state.due_at(), state.now));
            let Some(order) = self.owners[owner].logic.heed(moment) else { break };
            if let Some(Gone::Bug(why)) = self.owners[owner].logic.gone() {
                return Err(broken("legal", format!("{why}, on {hears:?}")));
            }
            if let Some((due_at, before)) = due {
                let facts = if let Order::Append(append) = &order { append.facts.as_slice() } else { &[] };
                wakes(due_at, before, moment.at, facts)?;
            }
            self.carry_out(owner, order)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, owner: usize, order: Order<Moved>) -> Result<(), Broken> {
        match order {
            Order::Nothing => {}
            Order::Append(append) => self.append(owner, &append)?,
            Order::Read(after) => {
                let at = usize::try_from(after).unwrap_or(usize::MAX);
                let row = self.journal.inbox.get(at).cloned();
                let row = row.map(|row| What::Posted { place: after + 1, post: row.id, at: row.at, say: row.say });
                self.owners[owner].logic.read(row.map(|row| (row, Vec::new())));
            }
            Order::Load => {
                let (state, seq) = (State::clone(&self.journal.truth), Seq(self.journal.facts.len() as u64));
                self.owners[owner].logic.loaded(state, seq);
            }
            Order::KillHung(agent, attempts) => {
                self.seen.see(Rare::AgentHangs);
                self.died(owner, &agent, &attempts, Class::Transient);
            }
            // What they would have come to is not waited for any more.
            Order::KillUnwanted(..) => {}
            Order::Start(attempt) => self.start_one(Handle { owner, attempt }),
            Order::Timer(wait_ms) => {
                self.owners[owner].timer += 1;
                let timer = self.owners[owner].timer;
                if let Some(wait_ms) = wait_ms {
                    self.schedule(wait_ms, Happening::Wake(owner, timer));
                }
            }
            Order::LetGo(Gone::Parked) => self.go(owner),
            Order::LetGo(_) => self.owners[owner].alive = false,
        }
        Ok(())
    }

    /// An append is taken or refused; its process may die before it or after it.
    fn append(&mut self, owner: usize, append: &Append) -> Result<(), Broken> {
        let facts = &append.facts;
        if self.makes.random.chance(self.makes.swarm.crash_before) {
            self.seen.see(Rare::CrashBeforeAppend);
            self.say(|| format!("owner {owner} dies before its append"));
            self.die(owner);
            return Ok(());
        }
        let (seq, epoch) = (self.owners[owner].logic.seq(), self.owners[owner].epoch);
        if !self.journal.admits(seq, epoch) {
            self.seen.see(Rare::StaleAppendRefused);
            self.say(|| format!("owner {owner} is refused"));
            let (last, epoch) = (Seq(self.journal.facts.len() as u64), self.journal.epoch);
            self.owners[owner].logic.fail(Gone::Journal(Moved { last, epoch }));
            return Ok(());
        }
        self.say_facts(owner, facts);
        let before = Arc::clone(&self.journal.truth);
        self.see(&before, facts);
        drop(before);
        let next = self.journal.append(facts)?;
        if *self.owners[owner].logic.state() != *next {
            return Err(broken("I11", "what was decided is not what is folded".to_owned()));
        }
        for fact in facts {
            self.oracle.take(&next, &self.journal.inbox, &self.sink, fact)?;
        }
        if self.makes.random.chance(self.makes.swarm.crash_after) {
            self.seen.see(Rare::CrashAfterAppend);
            self.say(|| format!("owner {owner} dies after its append"));
            self.die(owner);
            return Ok(());
        }
        self.owners[owner].logic.appended(Seq(self.journal.facts.len() as u64));
        Ok(())
    }

    /// What is outstanding is started, and the owner waits or lets the run go.
    pub(super) fn start(&mut self, owner: usize) -> Result<(), Broken> {
        if !self.owners[owner].alive {
            return Ok(());
        }
        let at = self.wall();
        let orders = self.owners[owner].logic.go_on(at);
        orders.into_iter().try_for_each(|order| self.carry_out(owner, order))
    }

    fn start_one(&mut self, handle: Handle) {
        let of = &self.owners[handle.owner].logic;
        let Some(effect) = of.state().effects.get(&handle.attempt.id).map(|effect| Effect::clone(effect)) else {
            return;
        };
        let not_after = of.not_after_uptime_ms(handle.attempt.id);
        let timeout_ms = timeout_ms(of.state(), &effect);
        let wait_ms = self.makes.random.skewed(timeout_ms);
        if matches!(effect.wish, Wish::Deliver { .. } | Wish::Query { .. }) {
            let deadline = self.now.saturating_add_unsigned(timeout_ms);
            let outward = Outward { effect, deadline, not_after };
            return self.schedule(wait_ms, Happening::Send(handle, Box::new(outward)));
        }
        match self.makes.inward(self.owners[handle.owner].logic.state(), &effect) {
            Verdict::Hangs => self.say(|| format!("{} hangs", handle.attempt.id.0.short())),
            Verdict::Panics => self.schedule(wait_ms, Happening::Dies(handle)),
            Verdict::Result(result, usage) => {
                self.schedule(wait_ms, Happening::Report(handle, Box::new((result, usage))));
            }
        }
    }

    /// The agent of an attempt, if its owner lives and still waits for it.
    fn agent_of(&self, handle: &Handle) -> Option<AgentName> {
        let owner = self.owners.get(handle.owner).filter(|owner| owner.alive)?;
        owner.logic.agent_of(handle.attempt).cloned()
    }

    /// An item is sent, or a sink is asked.
    pub(super) fn send(&mut self, handle: &Handle, outward: Outward) -> Result<(), Broken> {
        if self.agent_of(handle).is_none() {
            return Ok(());
        }
        let Outward { effect, deadline, not_after } = outward;
        if let Wish::Query { about } = effect.wish {
            if let Some(failure) = self.makes.failure() {
                self.seen.see(Rare::QueryFails);
                return self.fail(handle, failure);
            }
            let receipt = self.makes.body();
            let happened = self.sink.happened(about);
            let settled = if happened { Settled::Performed { receipt } } else { Settled::NotPerformed };
            return self.report(handle, Ok(settled), None);
        }
        let stale = self.current() != Some(handle.owner);
        let by_wall = effect.began.is_none_or(|began| self.wall() > began.not_after);
        let by_uptime = not_after.is_none_or(|until| u64::try_from(self.now).unwrap_or(0) > until);
        if by_uptime && !by_wall {
            self.seen.see(Rare::TooLateByUptimeAlone);
        }
        if by_wall || by_uptime {
            self.seen.see(if stale { Rare::StaleOwnerTooLate } else { Rare::OwnerTooLate });
            let failed = self.makes.failed(Class::Transient);
            return self.report(handle, Err(failed), None);
        }
        match self.makes.failure() {
            None => {
                self.fly(handle, effect, deadline);
                Ok(())
            }
            Some(verdict) => {
                self.seen.see(Rare::SinkRefuses);
                self.fail(handle, verdict)
            }
        }
    }

    /// A request is on its way; it, its answer, or both may be lost. Without an answer, the time-out says so.
    fn fly(&mut self, handle: &Handle, effect: Effect, deadline: i64) {
        let timeout_ms = timeout_ms(&self.journal.truth, &effect);
        let flight_ms = self.makes.random.skewed(timeout_ms);
        let land_at = self.now.saturating_add_unsigned(flight_ms);
        self.landing_until = self.landing_until.max(self.now.saturating_add_unsigned(timeout_ms));
        let lands = !self.makes.random.chance(self.makes.swarm.lose_request);
        let answers = !self.makes.random.chance(self.makes.swarm.lose_answer) && lands && land_at <= deadline;
        if lands {
            self.schedule(flight_ms, Happening::Land(*handle, Box::new(effect), answers));
        }
        if answers {
            return;
        }
        let wait_ms = u64::try_from(deadline - self.now).unwrap_or(0);
        match self.makes.random.below(4) {
            0 => self.schedule(wait_ms, Happening::Dies(*handle)),
            1 => self.say(|| format!("{} hangs", handle.attempt.id.0.short())),
            _ => {
                let failed = self.makes.failed(Class::InDoubt);
                self.schedule(wait_ms, Happening::Report(*handle, Box::new((Err(failed), None))));
            }
        }
    }

    fn fail(&mut self, handle: &Handle, verdict: Verdict) -> Result<(), Broken> {
        match verdict {
            Verdict::Panics => self.dies(handle),
            Verdict::Hangs => Ok(()),
            Verdict::Result(result, usage) => self.report(handle, result, usage),
        }
    }

    /// A request lands at the sink, whoever sent it and whether they live.
    pub(super) fn land(&mut self, handle: &Handle, effect: &Effect, answers: bool) -> Result<(), Broken> {
        let truth = Arc::clone(&self.journal.truth);
        let repeated = self.sink.land(self.now, &truth, handle.attempt.id, &effect.wish)?;
        self.say(|| format!("{} lands, sent by owner {}", handle.attempt.id.0.short(), handle.owner));
        if repeated {
            self.seen.see(Rare::SinkDeduplicates);
        }
        if !self.owners[handle.owner].alive {
            self.seen.see(Rare::LandsAfterItsOwnerDied);
        }
        if !answers {
            return Ok(());
        }
        let receipt = self.makes.body();
        let report = (Ok(Settled::Performed { receipt }), None);
        self.schedule(0, Happening::Report(*handle, Box::new(report)));
        Ok(())
    }

    pub(super) fn report(
        &mut self,
        handle: &Handle,
        result: Result<Settled, Failed>,
        usage: Option<Usage>,
    ) -> Result<(), Broken> {
        let of = &mut self.owners[handle.owner];
        // The owner's own filter: of two reports of one attempt, the second one is late.
        if !of.alive || !of.logic.outcome(handle.attempt, result.clone(), usage, Vec::new()) {
            self.seen.see(Rare::OutcomeLate);
            return Ok(());
        }
        if self.makes.random.chance(self.makes.swarm.duplicate) {
            self.schedule(0, Happening::Report(*handle, Box::new((result.clone(), usage))));
            self.seen.see(Rare::OutcomeTwice);
        }
        self.see_report(handle, &result);
        let short = handle.attempt.id.0.short();
        self.say(|| format!("{short} reports {:?}", result.as_ref().map_err(|failed| failed.class)));
        self.go_on(handle.owner)
    }

    /// An attempt dies, and no other.
    pub(super) fn dies(&mut self, handle: &Handle) -> Result<(), Broken> {
        let Some(agent) = self.agent_of(handle) else { return Ok(()) };
        self.seen.see(Rare::AgentPanics);
        if self.owners[handle.owner].logic.attempts_of(&agent).len() > 1 {
            self.seen.see(Rare::DiesBesideOthers);
        }
        self.died(handle.owner, &agent, &[handle.attempt], Class::Bug);
        self.go_on(handle.owner)
    }

    fn died(&mut self, owner: usize, agent: &AgentName, attempts: &[Attempt], class: Class) {
        let reason = self.makes.body();
        self.say(|| format!("{agent} of owner {owner} dies ({class:?})"));
        self.owners[owner].logic.died(attempts, class, reason, Vec::new());
    }

    pub(super) fn wake(&mut self, owner: usize, timer: u64) -> Result<(), Broken> {
        if !self.owners[owner].alive || self.owners[owner].timer != timer {
            return Ok(());
        }
        let at = self.wall();
        self.owners[owner].logic.woken(at);
        self.go_on(owner)
    }

    /// A run is dropped from memory; its summary says when it is to be woken.
    fn go(&mut self, owner: usize) {
        let wake_at = self.owners[owner].logic.state().wake_at();
        self.owners[owner].alive = false;
        if self.journal.epoch != self.owners[owner].epoch {
            return;
        }
        let unheard = self.journal.truth.heard < self.journal.inbox.len() as u64;
        let wait_ms = wake_at.map(|at| at.ms_since(self.wall()) + 1);
        if let Some(wait_ms) = if unheard { Some(1) } else { wait_ms } {
            self.seen.see(Rare::ParkedAndWoken);
            self.schedule(wait_ms, Happening::Claim);
        }
        self.say(|| format!("owner {owner} lets the run go"));
    }
}

/// I14: a run that has something to do when time passes says when (`due_at`, by what it heard `before`); one that says so
/// has something to do.
fn wakes(due_at: Option<Timestamp>, before: Timestamp, at: Timestamp, facts: &[Fact]) -> Result<(), Broken> {
    // A clock that fell back lets nothing expire, and no timer fires before it has caught up.
    let due_by = |at| due_at.is_some_and(|due_at| due_at <= at);
    match (due_by(at), facts.is_empty()) {
        (true, true) => Err(broken("I14", format!("it wakes at {due_at:?} for nothing, over and over"))),
        (false, false) if !due_by(before) => {
            Err(broken("I14", format!("nothing would have woken it for {:?}", facts[0].is)))
        }
        _ => Ok(()),
    }
}

/// The time-out of an attempt.
pub(super) fn timeout_ms(state: &State, effect: &Effect) -> u64 {
    owner::timeout_ms(state, effect)
}
