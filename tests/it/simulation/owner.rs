//! The shell, imitated: claim, decide, append, apply, listen, start, time out. As `actor/run.rs` does it, without actors.

use std::sync::Arc;

use callsheet::failure::Class;
use callsheet::failure::Usage;
use callsheet::id::{AgentName, EffectId};
use callsheet::run::decide::decide;
use callsheet::run::event::{Event, Fact, Settled, Wish};
use callsheet::run::input::{Failed, Input, What};
use callsheet::run::invariant::Broken;
use callsheet::run::state::{Effect, State, Status};

use super::attempt::Verdict;
use super::journal::broken;
use super::scene::{Handle, Happening, Owner, Scene, UnderWay};
use super::sometimes::Rare;

/// As the shell: how long after its time-out an attempt counts as hung.
const GRACE_MS: u64 = 500;

impl Scene {
    /// A new owner takes the run up, whoever has it.
    pub(super) fn claim(&mut self) -> Result<(), Broken> {
        let state = self.journal.refolded()?;
        if state.ended.is_some() && state.heard == self.journal.inbox.len() as u64 {
            return Ok(());
        }
        self.journal.epoch.0 += 1;
        let epoch = self.journal.epoch;
        self.owners.push(Owner::new(state, self.journal.facts.len(), epoch));
        let owner = self.owners.len() - 1;
        self.say(|| format!("owner {owner} claims epoch {epoch}"));
        // What was posted in time counts, so the inbox comes before the clock.
        if self.hear(owner, What::Opened { epoch })? && self.listen(owner)? {
            self.hear(owner, What::Due)?;
        }
        self.go_on(owner)
    }

    /// A process is gone; another takes the run up some time.
    pub(super) fn die(&mut self, owner: usize) {
        let was_current = self.current() == Some(owner);
        let dead = &mut self.owners[owner];
        dead.alive = false;
        let outward = dead.under_way.keys().any(|id| dead.state.effects.get(id).is_some_and(Effect::is_outward));
        if outward {
            self.seen.see(Rare::CrashWithOutwardUnderWay);
        }
        if was_current {
            let wait_ms = self.makes.random.skewed(120_000);
            self.schedule(wait_ms, Happening::Claim);
        }
    }

    /// One input: decide, append, apply. False if nothing more is to come of this owner.
    pub(super) fn hear(&mut self, owner: usize, what: What) -> Result<bool, Broken> {
        if !self.owners[owner].alive {
            return Ok(false);
        }
        let jitter_permille = u16::try_from(self.makes.random.below(1_001)).unwrap_or(0);
        let input = Input { at: self.wall(), jitter_permille, what };
        let state = Arc::clone(&self.owners[owner].state);
        let decided =
            decide(&state, &input).map_err(|illegal| broken("legal", format!("{illegal}, on {:?}", input.what)))?;
        let facts = decided.facts;
        wakes(&state, &input, &facts)?;
        if facts.is_empty() {
            return Ok(true);
        }
        if self.makes.random.chance(self.makes.swarm.crash_before) {
            self.seen.see(Rare::CrashBeforeAppend);
            self.say(|| format!("owner {owner} dies before its append"));
            self.die(owner);
            return Ok(false);
        }
        let (seq, epoch) = (self.owners[owner].seq, self.owners[owner].epoch);
        if !self.journal.admits(seq, epoch) {
            self.seen.see(Rare::StaleAppendRefused);
            self.say(|| format!("owner {owner} is refused"));
            self.owners[owner].alive = false;
            return Ok(false);
        }
        self.say_facts(owner, &facts);
        self.see(&state, &facts);
        let next = self.journal.append(&facts)?;
        if decided.state != *next {
            return Err(broken("I11", "what was decided is not what is folded".to_owned()));
        }
        for fact in &facts {
            self.oracle.take(&next, &self.journal.inbox, &self.sink, fact)?;
        }
        if self.makes.random.chance(self.makes.swarm.crash_after) {
            self.seen.see(Rare::CrashAfterAppend);
            self.say(|| format!("owner {owner} dies after its append"));
            self.die(owner);
            return Ok(false);
        }
        let now = self.now;
        let of = &mut self.owners[owner];
        (of.state, of.seq) = (next, seq + facts.len());
        for fact in &facts {
            if let Event::EffectBegan { id, not_after, .. } = fact.is {
                of.begun.insert(id, now.saturating_add_unsigned(not_after.ms_since(fact.at)));
            }
        }
        Ok(true)
    }

    /// After every message: whatever is outstanding is started, perhaps after standing still.
    pub(super) fn go_on(&mut self, owner: usize) -> Result<(), Broken> {
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

    /// Hears the inbox; false if nothing more is to come of this owner.
    pub(super) fn listen(&mut self, owner: usize) -> Result<bool, Broken> {
        let after = usize::try_from(self.owners[owner].state.heard).unwrap_or(usize::MAX);
        let rows = self.journal.inbox.iter().cloned().enumerate().skip(after);
        for (at, row) in rows.collect::<Vec<_>>() {
            let what = What::Posted { place: at as u64 + 1, post: row.id, at: row.at, say: row.say };
            if !self.hear(owner, what)? {
                return Ok(false);
            }
        }
        Ok(self.owners[owner].alive)
    }

    pub(super) fn start(&mut self, owner: usize) -> Result<(), Broken> {
        if !self.owners[owner].alive {
            return Ok(());
        }
        self.abort_unwanted(owner);
        let now = self.wall();
        let state = Arc::clone(&self.owners[owner].state);
        for (id, not_before) in state.outstanding() {
            if not_before <= now && !self.owners[owner].under_way.contains_key(&id) {
                self.start_one(owner, &state, id);
            }
        }
        if self.may_go(owner) {
            return self.go(owner);
        }
        let of = &mut self.owners[owner];
        of.timer += 1;
        let hung = of.under_way.values().map(|of| of.hung_at).min();
        // What is to start and is not under way starts later; what is under way needs no timer of its own.
        let starts = state.outstanding().into_iter().map(|(_, at)| at).filter(|at| *at > now);
        let (at, timer) = (hung.into_iter().chain(state.due_at()).chain(starts).min(), of.timer);
        if let Some(at) = at {
            self.schedule(at.ms_since(now) + 1, Happening::Wake(owner, timer));
        }
        Ok(())
    }

    fn start_one(&mut self, owner: usize, state: &State, id: EffectId) {
        let Some(effect) = state.effects.get(&id) else { return };
        let timeout_ms = timeout_ms(state, effect);
        let nonce = self.nonce();
        let hung_at = self.wall().plus_ms(timeout_ms + GRACE_MS);
        let under_way = UnderWay { agent: effect.agent.clone(), nonce, hung_at };
        self.owners[owner].under_way.insert(id, under_way);
        let handle = Handle { owner, id, nonce };
        let wait_ms = self.makes.random.skewed(timeout_ms);
        if matches!(effect.wish, Wish::Deliver { .. } | Wish::Query { .. }) {
            let deadline = self.now.saturating_add_unsigned(timeout_ms);
            return self.schedule(wait_ms, Happening::Send(handle, Box::new(effect.clone()), deadline));
        }
        match self.makes.inward(state, effect) {
            Verdict::Hangs => self.say(|| format!("{} hangs", id.0.short())),
            Verdict::Panics => self.schedule(wait_ms, Happening::Dies(handle)),
            Verdict::Result(result, usage) => {
                self.schedule(wait_ms, Happening::Report(handle, Box::new((result, usage))));
            }
        }
    }

    /// The attempt of `handle`, if its owner lives and still waits for it.
    fn attempt(&self, handle: &Handle) -> Option<&UnderWay> {
        let owner = self.owners.get(handle.owner).filter(|owner| owner.alive)?;
        owner.under_way.get(&handle.id).filter(|of| of.nonce == handle.nonce)
    }

    /// An item is sent, or a sink is asked.
    pub(super) fn send(&mut self, handle: &Handle, effect: Effect, deadline: i64) -> Result<(), Broken> {
        if self.attempt(handle).is_none() {
            return Ok(());
        }
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
        let by_uptime = self.owners[handle.owner].begun.get(&handle.id).is_none_or(|until| self.now > *until);
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
            self.schedule(flight_ms, Happening::Land(handle.clone(), Box::new(effect), answers));
        }
        if answers {
            return;
        }
        let wait_ms = u64::try_from(deadline - self.now).unwrap_or(0);
        match self.makes.random.below(4) {
            0 => self.schedule(wait_ms, Happening::Dies(handle.clone())),
            1 => self.say(|| format!("{} hangs", handle.id.0.short())),
            _ => {
                let failed = self.makes.failed(Class::InDoubt);
                self.schedule(wait_ms, Happening::Report(handle.clone(), Box::new((Err(failed), None))));
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
        let repeated = self.sink.land(self.now, &truth, handle.id, &effect.wish)?;
        self.say(|| format!("{} lands, sent by owner {}", handle.id.0.short(), handle.owner));
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
        self.schedule(0, Happening::Report(handle.clone(), Box::new(report)));
        Ok(())
    }

    pub(super) fn report(
        &mut self,
        handle: &Handle,
        result: Result<Settled, Failed>,
        usage: Option<Usage>,
    ) -> Result<(), Broken> {
        if self.attempt(handle).is_none() {
            self.seen.see(Rare::OutcomeLate);
            return Ok(());
        }
        let again = self.makes.random.chance(self.makes.swarm.duplicate);
        if again {
            // The shell's own filter: the second one finds nothing under way.
            self.schedule(0, Happening::Report(handle.clone(), Box::new((result.clone(), usage))));
            self.seen.see(Rare::OutcomeTwice);
        }
        self.owners[handle.owner].under_way.remove(&handle.id);
        self.see_report(handle, &result);
        let short = handle.id.0.short();
        self.say(|| format!("{short} reports {:?}", result.as_ref().map_err(|failed| failed.class)));
        if self.hear(handle.owner, What::Settled { id: handle.id, result, usage })? {
            self.go_on(handle.owner)?;
        }
        Ok(())
    }

    /// An attempt takes its agent with it.
    pub(super) fn dies(&mut self, handle: &Handle) -> Result<(), Broken> {
        let Some(agent) = self.attempt(handle).map(|of| of.agent.clone()) else { return Ok(()) };
        self.seen.see(Rare::AgentPanics);
        if self.agent_died(handle.owner, agent, Class::Bug)? {
            self.go_on(handle.owner)?;
        }
        Ok(())
    }

    fn agent_died(&mut self, owner: usize, agent: AgentName, class: Class) -> Result<bool, Broken> {
        let under_way = &mut self.owners[owner].under_way;
        let effects: Vec<EffectId> = under_way.iter().filter(|(_, of)| of.agent == agent).map(|(id, _)| *id).collect();
        under_way.retain(|_, of| of.agent != agent);
        let reason = self.makes.body();
        self.say(|| format!("{agent} of owner {owner} dies ({class:?})"));
        self.hear(owner, What::AgentDied { agent, effects, class, reason })
    }

    pub(super) fn wake(&mut self, owner: usize, timer: u64) -> Result<(), Broken> {
        if !self.owners[owner].alive || self.owners[owner].timer != timer {
            return Ok(());
        }
        let now = self.wall();
        let hung = self.owners[owner].under_way.values().filter(|of| of.hung_at <= now);
        let mut hung: Vec<AgentName> = hung.map(|of| of.agent.clone()).collect();
        hung.dedup();
        for agent in hung {
            self.seen.see(Rare::AgentHangs);
            if !self.agent_died(owner, agent, Class::Transient)? {
                return Ok(());
            }
        }
        if self.hear(owner, What::Due)? {
            self.go_on(owner)?;
        }
        Ok(())
    }

    fn abort_unwanted(&mut self, owner: usize) {
        let of = &mut self.owners[owner];
        let unwanted = of.state.abandoned(of.under_way.iter().map(|(id, of)| (id, &of.agent)));
        of.under_way.retain(|_, of| !unwanted.contains(&of.agent));
    }

    fn may_go(&self, owner: usize) -> bool {
        let of = &self.owners[owner];
        if !of.under_way.is_empty() {
            return false;
        }
        match of.state.status() {
            Status::Ended(_) => true,
            Status::Running => false,
            Status::Waiting | Status::Paused | Status::Stuck => self.makes.swarm.park,
        }
    }

    /// A run is dropped from memory; its summary says when it is to be woken.
    fn go(&mut self, owner: usize) -> Result<(), Broken> {
        let wake_at = self.owners[owner].state.wake_at();
        self.owners[owner].alive = false;
        if self.journal.epoch != self.owners[owner].epoch {
            return Ok(());
        }
        let unheard = self.journal.truth.heard < self.journal.inbox.len() as u64;
        let wait_ms = wake_at.map(|at| at.ms_since(self.wall()) + 1);
        if let Some(wait_ms) = if unheard { Some(1) } else { wait_ms } {
            self.seen.see(Rare::ParkedAndWoken);
            self.schedule(wait_ms, Happening::Claim);
        }
        self.say(|| format!("owner {owner} lets the run go"));
        Ok(())
    }
}

/// I14: a run that has something to do when time passes says when; one that says so has something to do.
fn wakes(state: &State, input: &Input, facts: &[Fact]) -> Result<(), Broken> {
    if input.what != What::Due {
        return Ok(());
    }
    // A clock that fell back lets nothing expire, and no timer fires before it has caught up.
    let due_by = |at| state.due_at().is_some_and(|due_at| due_at <= at);
    match (due_by(input.at), facts.is_empty()) {
        (true, true) => Err(broken("I14", format!("it wakes at {:?} for nothing, over and over", state.due_at()))),
        (false, false) if !due_by(state.now) => {
            Err(broken("I14", format!("nothing would have woken it for {:?}", facts[0].is)))
        }
        _ => Ok(()),
    }
}

/// As the shell: the time-out of an attempt.
pub(super) fn timeout_ms(state: &State, effect: &Effect) -> u64 {
    let tool = |name| {
        state.plan.tools.get(name).map_or(30_000, |spec: &callsheet::topology::spec::ToolSpec| spec.call_timeout_ms)
    };
    match &effect.wish {
        Wish::Model { .. } | Wish::Prepare { .. } => {
            state.member(&effect.agent).map_or(90_000, |member| member.limits.call_timeout_ms)
        }
        Wish::Tool { tool: name, .. } | Wish::Own { tool: name } | Wish::Deliver { tool: name, .. } => tool(name),
        Wish::Query { .. } | Wish::Question { .. } => 30_000,
    }
}
