//! What people do to runs: start them, take them up, and post to them: a decision, an answer, a new limit, a pause. Who may
//! is asked here, before anything is posted; the run asks again when it hears it.

use std::sync::Arc;

use super::answer::{Step, Waiting};
use super::attached::{counts_when_over, may_attach};
use super::attend::look;
use super::error::Error;
use super::follow::Live;
use super::list::is_interrupted;
use super::project::Project;
use super::start::Start;
use super::story::Story;
use crate::actor::system::System;
use crate::app::{self, Running};
use crate::id::{ApprovalNo, Digest, RunId, RunNo};
use crate::journal::RunRow;
use crate::run::event::{Limit, PauseReason, Raise, Refusal, Who};
use crate::run::input::{Post, Say};
use crate::run::state::{Fate, Permit, State, Status, Wants};

/// This process as one that drives runs.
pub struct Driver {
    project: Arc<Project>,
    running: Running,
    take_over: bool,
}

impl Driver {
    /// Starts the system over the project's journal; with `take_over`, runs are taken over from whoever drives them.
    ///
    /// # Errors
    /// If the journal or the tools are not to be had.
    pub async fn begin(project: &Arc<Project>, take_over: bool) -> Result<Self, Error> {
        let running = app::start(&project.settings).await?;
        project.read_in(Arc::clone(&running.system.ports().store));
        Ok(Self { project: Arc::clone(project), running, take_over })
    }

    /// Starts the system as a server does: a run that only waits leaves memory, and what is due is taken up.
    ///
    /// # Errors
    /// As [`Driver::begin`].
    pub async fn serve(project: &Arc<Project>) -> Result<Self, Error> {
        let running = app::start_serving(&project.settings, true).await?;
        project.read_in(Arc::clone(&running.system.ports().store));
        Ok(Self { project: Arc::clone(project), running, take_over: false })
    }

    /// Starts the system by another clock: for tests of what happens after days.
    pub fn over(project: &Arc<Project>, running: Running) -> Self {
        project.read_in(Arc::clone(&running.system.ports().store));
        Self { project: Arc::clone(project), running, take_over: false }
    }

    /// The running system.
    pub(super) fn system(&self) -> &System {
        &self.running.system
    }

    /// Takes up what should be running and nobody drives: what a server that was killed left, for one. Which runs these are,
    /// and why one of them could not be taken up.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn take_up_interrupted(&self) -> Result<Vec<(RunNo, Result<(), Error>)>, Error> {
        let rows = self.project.runs(true, usize::MAX)?;
        let mut taken = Vec::new();
        for row in rows.iter().filter(|row| is_interrupted(row)) {
            let came = self.running.system.open(row.id, false).await;
            taken.push((row.no, came.map(drop).map_err(Error::from)));
        }
        Ok(taken)
    }

    /// Posts to the run of `story`, and waits for its answer; the run goes on by itself.
    ///
    /// # Errors
    /// As [`Driver::post`], and what the run refused.
    pub async fn say(&self, story: &mut Story, by: Who, say: Say) -> Result<(), Error> {
        let mut waiting = self.post(story, by, say).await?;
        loop {
            if let Step::Answered { answer, .. } = waiting.next(story).await? {
                return answer;
            }
        }
    }

    /// Notes that `who` looks at an approval, unless that is known; the run hears it by and by.
    ///
    /// # Errors
    /// If the journal refuses it.
    pub async fn looked(&self, story: &Story, no: ApprovalNo, who: &Who) -> Result<(), Error> {
        match look(&self.project, story, no, who) {
            Some(post) => self.note(story.row.id, &post).await,
            None => Ok(()),
        }
    }

    /// Posts what nobody waits for an answer to.
    ///
    /// # Errors
    /// If the journal refuses it.
    pub async fn note(&self, run: RunId, post: &Post) -> Result<(), Error> {
        let system = &self.running.system;
        system.post(run, system.ports().clock.id(), post).await?;
        Ok(())
    }

    /// Makes a run and starts it. When this returns, the run is durable.
    ///
    /// # Errors
    /// If the journal refuses it, or its plan needs what is not there.
    pub async fn start(&self, start: &Start) -> Result<(Live, Story), Error> {
        let system = &self.running.system;
        let handle = system.run(&start.plan, &start.brief, start.by.clone()).await?;
        let story = self.project.story(self.project.run(Some(handle.no))?)?;
        Ok((Live::new(handle, system.ports().pulses.subscribe()), story))
    }

    /// Takes up the run of `story` from where that was read to.
    ///
    /// # Errors
    /// If another process drives it, or it cannot be replayed.
    pub async fn take_up(&self, story: &mut Story) -> Result<Live, Error> {
        let system = &self.running.system;
        story.read_in(Arc::clone(&system.ports().store));
        let handle = system.open_from(story.row.id, self.take_over, Some(story.loaded())).await?;
        Ok(Live::new(handle, system.ports().pulses.subscribe()))
    }

    /// Posts to the run of `story`; durable when this returns. What waits then takes the run up if nobody drives it.
    ///
    /// # Errors
    /// If the run is over, `by` is nobody whom the project declares, or the journal refuses it.
    pub async fn post(&self, story: &mut Story, by: Who, say: Say) -> Result<Waiting, Error> {
        let by = match counts_when_over(&say) {
            true => may_attach(&self.project, story, by)?,
            false => may_act(&self.project, &story.row, by)?,
        };
        let system = &self.running.system;
        story.read_in(Arc::clone(&system.ports().store));
        let post = system.ports().clock.id();
        let place = system.post(story.row.id, post, &Post { by, say }).await?;
        Waiting::new(system.clone(), (post, place), self.take_over)
    }

    /// Stops every run in order; what was accepted is kept.
    pub async fn interrupt(&self) {
        self.running.system.stop().await;
    }

    /// As [`Driver::interrupt`], and gives the journal up.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// `who`, if they may post to the run of `row` at all.
///
/// # Errors
/// If the run is over, or the project does not declare them.
pub fn may_act(project: &Project, row: &RunRow, who: Who) -> Result<Who, Error> {
    if row.summary.over {
        return Err(Error::Over { run: row.no, status: row.summary.status.clone() });
    }
    project.declared(who)
}

/// What an open approval binds.
///
/// # Errors
/// If it is not open, why not.
pub fn bound(state: &State, no: ApprovalNo) -> Result<Digest, Error> {
    let approval = state.approvals.get(&no).ok_or(Error::NoApproval(no))?;
    let why = match &approval.fate {
        None => return Ok(approval.binds),
        Some(Fate::Decided(by, decision)) => Refusal::AlreadyDecided { by: by.name.clone(), decision: *decision },
        Some(Fate::Answered(by, outcome)) => Refusal::AlreadyAnswered { by: by.name.clone(), outcome: outcome.clone() },
        Some(Fate::Edited(by)) => Refusal::Replaced { by: *by },
        Some(Fate::Lapsed) => Refusal::Closed,
    };
    Err(Error::Closed { no, why, open: state.open_approvals().map(|(no, _)| no).collect() })
}

/// What an open approval binds, if this is wanted of its person: a decision, or an answer.
///
/// # Errors
/// If it is not open, or something else is wanted.
pub fn wanted(state: &State, no: ApprovalNo, decision: bool) -> Result<Digest, Error> {
    let binds = bound(state, no)?;
    let wants = state.approvals.get(&no).map(|approval| approval.wants);
    match (decision, wants == Some(Wants::Decision)) {
        (true, false) => Err(Error::Refused { why: Refusal::WantsAnswer, faults: None }),
        (false, true) => Err(Error::Refused { why: Refusal::WantsDecision, faults: None }),
        _ => Ok(binds),
    }
}

/// What it takes for a run to go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Resume {
    /// It is over.
    Over,
    /// This has to be posted to it.
    Post(Say),
    /// The limit that it is paused by has to be raised first.
    RaiseFirst,
    /// It is taken up as it is.
    TakeUp,
}

/// What it takes for a run in this state to go on, with these higher limits.
pub fn resume(state: &State, raise: Raise) -> Resume {
    match (state.status(), &state.paused) {
        (Status::Ended(_), _) => Resume::Over,
        _ if raise != Raise::default() => Resume::Post(Say::Raise(raise)),
        (_, Some(PauseReason::Budget { .. })) => Resume::RaiseFirst,
        (_, Some(_)) => Resume::Post(Say::Resume),
        (_, None) => Resume::TakeUp,
    }
}

/// The limit that a run is paused by, and how high it has to be for it to go on a good way: twice what it was, or the whole
/// need where that is known and more. What the next step needs helps for one step only.
pub fn enough(state: &State) -> Option<(Limit, u64)> {
    let PauseReason::Budget { what, needed, limit, .. } = state.paused.as_ref()? else { return None };
    let known = if *what == Limit::Recipients { recipients_needed(state) } else { 0 };
    Some((*what, (*needed).max(known).max(limit.saturating_mul(2)).max(1)))
}

/// All people that the run reaches in the end, as far as it is approved: each mail counts its own.
fn recipients_needed(state: &State) -> u64 {
    let unused = |permit: &Permit| permit.left().map(|(_, item)| item.recipients).sum::<u64>();
    let ledger = &state.ledger;
    ledger.spent.plus(ledger.reserved).recipients + state.permits.values().map(unused).sum::<u64>()
}
