//! A run's state: what its events come to. It holds what is pending and what must not be forgotten, no texts.

mod approval;
mod ledger;
mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use approval::{Approval, Fate, Look, Permit, RefusedEdit, Wants};
pub use ledger::{Account, InVain, Ledger};
pub use turn::{Began, Effect, THROTTLED_MS_MAX, Turn};

use super::branch::{Branch, SplitId};
use super::comment::Comment;
use super::event::{Amount, BodyRef, Ending, Limit, Message, PauseReason, Reason, Version, Who, Wish};
use super::note::{Attached, Note};
use super::queue::Queue;
use super::split::OpenSplit;
use crate::failure::Class;
use crate::id::{
    AgentName, ApprovalNo, CommentNo, Digest, EffectId, Epoch, MessageId, Outcome, RunId, Timestamp, ToolName,
};
use crate::topology::manner::Patience;
use crate::topology::plan::{Handoff, Member, Person, Plan, Role, Team};
use crate::topology::spec::{Labels, Repeat};

/// One run. Most maps have one or two entries, and a map makes room for eleven at a time: what is large lies outside of them.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Which.
    pub run: RunId,
    /// What was checked, and pinned.
    pub plan: Arc<Plan>,
    /// Whose it is now.
    pub epoch: Epoch,
    /// The latest time it has heard of.
    pub now: Timestamp,
    /// Who started it.
    pub starter: Option<Who>,
    /// Its parameters.
    pub brief: Option<BodyRef>,
    /// What is spent and reserved, against which limits.
    pub ledger: Ledger,
    /// Messages sent so far.
    pub messages_sent: u32,
    /// Messages not handled yet, in order.
    pub queued: Queue,
    /// Turns under way, by the message that they handle. Each is shared with the attempts that work for it.
    pub turns: BTreeMap<MessageId, Arc<Turn>>,
    /// Effects not settled yet.
    pub effects: BTreeMap<EffectId, Arc<Effect>>,
    /// Versions of artefacts that something in here has on its desk; the journal has the others.
    pub versions: BTreeMap<Digest, Box<Version>>,
    /// What tools gave, in order; only where a check may look at it.
    pub given: Vec<Given>,
    /// Those of them in whose place a turn has put another one.
    pub replaced: BTreeSet<Digest>,
    /// Splits whose branches have not met yet.
    pub splits: BTreeMap<SplitId, OpenSplit>,
    /// How often each bounded handoff was taken in a branch since the last reset.
    pub rounds: BTreeMap<(Branch, AgentName, Outcome), u32>,
    /// The note that each handoff of a branch took last.
    pub handed: BTreeMap<(Branch, AgentName, Outcome), Digest>,
    /// What each agent has behind it, in each branch that is not over.
    pub pasts: BTreeMap<(AgentName, Branch), Box<Past>>,
    /// Approvals by number, closed ones included.
    pub approvals: BTreeMap<ApprovalNo, Approval>,
    /// Permits by the approval that gave them.
    pub permits: BTreeMap<ApprovalNo, Permit>,
    /// Comments by number, resolved ones included.
    pub comments: BTreeMap<CommentNo, Comment>,
    /// What people said to members, in order.
    pub notes: Vec<Note>,
    /// Who wants to be told how it ends.
    pub followers: BTreeSet<String>,
    /// What people attached that came of it, in order: the last one counts.
    pub attached: Vec<Attached>,
    /// Open questions: whether an effect happened.
    pub questions: BTreeMap<ApprovalNo, EffectId>,
    /// What the supervisor knows of each agent.
    pub agents: BTreeMap<AgentName, Agent>,
    /// Effects that turns asked for before they were given up: no id, and so no key, is used twice.
    pub asked_before: BTreeMap<MessageId, u32>,
    /// Models that failed, by alias: which one is asked instead, and until when.
    pub detours: BTreeMap<String, (String, Timestamp)>,
    /// Messages that could not be handled.
    pub dead: BTreeMap<MessageId, DeadLetter>,
    /// Messages that reached `end`.
    pub results: Vec<Message>,
    /// Inbox rows heard or refused.
    pub heard: u64,
    /// Why nothing new begins.
    pub paused: Option<PauseReason>,
    /// Who wants it cancelled.
    pub cancelled_by: Option<Who>,
    /// How it ended.
    pub ended: Option<Ending>,
}

/// What a tool gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The call.
    pub id: EffectId,
    /// Which tool.
    pub tool: ToolName,
    /// To whom.
    pub agent: AgentName,
    /// In the turn of which message.
    pub message: MessageId,
    /// As which of the effects that the turn asked for.
    pub ordinal: u32,
    /// Its result.
    pub result: Digest,
}

/// What the supervisor knows of an agent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Agent {
    /// Restarts within the window, oldest first.
    pub restarts: VecDeque<Timestamp>,
    /// All restarts.
    pub restarts_total: u32,
    /// It is not started before this.
    pub not_before: Timestamp,
    /// When it last failed.
    pub died_at: Option<Timestamp>,
    /// Turns in all.
    pub turns_total: u32,
}

/// What an agent has behind it in one branch. A branch begins with what its agent remembered before the split.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Past {
    /// Turns in this branch since a person last decided in it.
    pub turns: u32,
    /// Turns in this branch.
    pub turns_total: u32,
    /// Splits in this branch.
    pub splits: u32,
    /// Script lines used by its turns.
    pub lines_used: Vec<u32>,
    /// What it is shown again of its earlier turns.
    pub memory: Conversation,
}

/// What was said in earlier turns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conversation {
    /// Its parts, in order.
    pub parts: Vec<super::event::Part>,
    /// Their bytes.
    pub bytes: u64,
    /// What they carry.
    pub labels: Labels,
}

/// A message that could not be handled.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The message.
    pub message: Message,
    /// Why.
    pub class: Class,
    /// Why, in words.
    pub reason: Reason,
}

/// What a run is doing, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Something is outstanding.
    Running,
    /// Only people can move it on, or a day on which something leaves.
    Waiting,
    /// Nothing new begins until it is resumed.
    Paused,
    /// Nothing is outstanding and it is not over.
    Stuck,
    /// It is over.
    Ended(Ending),
}

impl Status {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Stuck => "stuck",
            Self::Ended(Ending::Done) => "done",
            Self::Ended(Ending::Rejected) => "rejected",
            Self::Ended(Ending::Failed) => "failed",
            Self::Ended(Ending::Cancelled) => "cancelled",
            Self::Ended(Ending::Stopped) => "stopped",
            Self::Ended(Ending::Bug) => "bug",
        }
    }
}

impl State {
    /// A run before its first event.
    pub fn new(run: RunId, plan: Arc<Plan>) -> Self {
        Self {
            run,
            plan,
            epoch: Epoch(0),
            now: Timestamp(i64::MIN),
            starter: None,
            brief: None,
            ledger: Ledger::default(),
            messages_sent: 0,
            queued: Queue::default(),
            turns: BTreeMap::new(),
            effects: BTreeMap::new(),
            versions: BTreeMap::new(),
            given: Vec::new(),
            replaced: BTreeSet::new(),
            splits: BTreeMap::new(),
            rounds: BTreeMap::new(),
            handed: BTreeMap::new(),
            pasts: BTreeMap::new(),
            approvals: BTreeMap::new(),
            permits: BTreeMap::new(),
            comments: BTreeMap::new(),
            notes: Vec::new(),
            followers: BTreeSet::new(),
            attached: Vec::new(),
            questions: BTreeMap::new(),
            agents: BTreeMap::new(),
            asked_before: BTreeMap::new(),
            detours: BTreeMap::new(),
            dead: BTreeMap::new(),
            results: Vec::new(),
            heard: 0,
            paused: None,
            cancelled_by: None,
            ended: None,
        }
    }

    /// The effects to perform, each with the time before which it is not to begin: asked for, not settled, and not
    /// waiting for an answer about an earlier attempt. Whatever is in here and not under way, the shell starts.
    pub fn outstanding(&self) -> Vec<(EffectId, Timestamp)> {
        if self.ended.is_some() || self.paused.is_some() {
            return Vec::new();
        }
        let ready = |effect: &Effect| {
            let outward = effect.is_outward();
            effect.doubt.is_none()
                && effect.failed.is_none()
                && (self.cancelled_by.is_none() || outward)
                && (!outward || effect.began.is_some())
        };
        let mut wanted: Vec<_> = self.effects.iter().filter(|(_, effect)| ready(effect)).collect();
        wanted.sort_by_key(|(_, effect)| (effect.message, effect.ordinal));
        wanted.into_iter().map(|(id, effect)| (*id, self.not_before(effect))).collect()
    }

    /// What the words of a turn may carry: all that whoever says them was shown. What a person says is theirs.
    pub fn says(&self, turn: &Turn) -> Labels {
        if self.person(&turn.agent).is_some() { Labels::default() } else { turn.labels }
    }

    /// Whether somebody still wants what an attempt of `id` under way comes to: the run goes on, and its turn was not given
    /// up. Of a run that is cancelled only what acts on the world is wanted: what was sent cannot be called back.
    pub fn wants(&self, id: &EffectId) -> bool {
        let effect = self.effects.get(id);
        effect.is_some_and(|e| self.ended.is_none() && (self.cancelled_by.is_none() || e.is_outward()))
    }

    /// The time before which `effect` is not to begin: its own, and its agent's.
    pub fn not_before(&self, effect: &Effect) -> Timestamp {
        self.agents.get(&effect.agent).map_or(effect.not_before, |agent| agent.not_before.max(effect.not_before))
    }

    /// When the run wants to be woken, if nothing comes before: to hear that time has passed, or to start an effect.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let starts = self.outstanding().into_iter().map(|(_, at)| at).filter(|at| *at > self.now);
        self.due_at().into_iter().chain(starts).min()
    }

    /// From when on the run has something to do when it hears that time has passed.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.due_from(self.now)
    }

    /// The same for who looks at it at `now`: hours may have become quiet since it heard anything.
    pub fn due_from(&self, now: Timestamp) -> Option<Timestamp> {
        // A paused run acts on no time; once resumed it looks at all of them.
        if self.ended.is_some() || self.paused.is_some() || self.cancelled_by.is_some() {
            return None;
        }
        let open = self.approvals.values().filter(|approval| approval.fate.is_none());
        let waiting = open.flat_map(|approval| self.falls_due(approval));
        let doubts = self.effects.values().filter(|e| !e.asked_about);
        let doubts = doubts.filter_map(|e| Some(e.doubt?.max(self.begins_from(e, now))));
        let begins = self.effects.values().filter(|e| e.is_outward() && e.began.is_none() && e.failed.is_none());
        let begins = begins.map(|e| self.begins_from(e, now));
        waiting.chain(doubts).chain(begins).chain(self.leaves_next()).min()
    }

    /// What it is doing.
    pub fn status(&self) -> Status {
        if let Some(ending) = self.ended {
            return Status::Ended(ending);
        }
        if self.paused.is_some() {
            return Status::Paused;
        }
        let is_asked = |id: &EffectId| self.questions.values().any(|asked| asked == id);
        let mut is_kept = false;
        for (_, effect) in self.effects.iter().filter(|(id, _)| !is_asked(id)) {
            if self.kept_until(effect).is_none() {
                return Status::Running;
            }
            is_kept = true;
        }
        let people = self.open_approvals().next().is_some() || !self.questions.is_empty();
        if people || is_kept || self.leaves_next().is_some() {
            return Status::Waiting;
        }
        Status::Stuck
    }

    /// Approvals that wait for a person.
    pub fn open_approvals(&self) -> impl Iterator<Item = (ApprovalNo, &Approval)> {
        self.approvals.iter().filter(|(_, approval)| approval.fate.is_none()).map(|(no, approval)| (*no, approval))
    }

    /// What `agent` has behind it in `branch`: its own past there, or what it had when the branch began.
    pub fn past(&self, agent: &AgentName, branch: &Branch) -> Past {
        let own = self.pasts.get(&(agent.clone(), branch.clone()));
        if let Some(own) = own {
            return Past::clone(own);
        }
        let before = branch.outwards().skip(1).find_map(|around| self.pasts.get(&(agent.clone(), around)));
        let Past { lines_used, memory, .. } = before.map(|past| Past::clone(past)).unwrap_or_default();
        Past { lines_used, memory, ..Past::default() }
    }

    /// The member of that name; every name in a state is of the plan.
    pub fn member(&self, agent: &AgentName) -> Option<&Member> {
        self.plan.team.get(agent)
    }

    /// Where `outcome` of `agent` leads.
    pub fn handoff(&self, agent: &AgentName, outcome: &Outcome) -> Option<&Handoff> {
        self.plan.handoff(agent, outcome)
    }

    /// The alias of the model that `agent` asks at `at`: its own, or the one that is asked while that one is down.
    pub fn model_of(&self, agent: &AgentName, at: Timestamp) -> Option<String> {
        let Role::Model { model, .. } = &self.member(agent)?.role else { return None };
        let mut alias = model;
        // As often as there are detours: they lie on no circle, and this ends if they did.
        for _ in 0..self.detours.len() {
            match self.detours.get(alias) {
                Some((to, until)) if at < *until => alias = to,
                _ => break,
            }
        }
        Some(alias.clone())
    }

    /// Whether `agent` is a person.
    pub fn is_person(&self, agent: &AgentName) -> bool {
        self.person(agent).is_some()
    }

    /// Whether `agent` is a person who approves: what they say begins the rounds anew.
    pub fn decides(&self, agent: &AgentName) -> bool {
        self.person(agent).is_some_and(|person| !person.approves.is_empty())
    }

    /// The person that `agent` is, if it is one.
    pub fn person(&self, agent: &AgentName) -> Option<&Person> {
        match &self.member(agent)?.role {
            Role::Person(person) => Some(person),
            _ => None,
        }
    }

    /// When whoever is asked is reminded, if nobody says anything before.
    pub fn reminds_at(&self, approval: &Approval) -> Option<Timestamp> {
        let every_ms = self.person(&approval.agent)?.remind_every_ms?;
        Some(approval.reminded.1.unwrap_or(approval.asked_at).plus_ms(every_ms))
    }

    /// When somebody else is told, and to whom that is.
    pub fn escalates_at(&self, approval: &Approval) -> Option<(Timestamp, &String)> {
        let escalate = self.person(&approval.agent)?.escalate.as_ref()?;
        let at = approval.asked_at.plus_ms(escalate.after_ms);
        approval.escalated_to.is_none().then_some((at, &escalate.to))
    }

    /// When something happens to an open approval by itself.
    fn falls_due(&self, approval: &Approval) -> impl Iterator<Item = Timestamp> {
        let expires = (!approval.overdue).then_some(approval.expires_at);
        let escalates = self.escalates_at(approval).map(|(at, _)| at);
        expires.into_iter().chain(self.reminds_at(approval)).chain(escalates)
    }

    /// Whether `writer` may be asked by `person` to write anew what it wrote: all of that which leaves is the person's to
    /// approve, so that nobody's approval of something else is passed by.
    pub fn may_mend(&self, person: &AgentName, writer: &AgentName) -> bool {
        self.plan.may_mend(person, writer)
    }

    /// What a second execution of `effect` would do.
    pub fn repeat(&self, effect: &Effect) -> Repeat {
        match &effect.wish {
            Wish::Deliver { tool, .. } => self.plan.tools.get(tool).map_or(Repeat::Once, |spec| spec.repeat),
            _ => Repeat::Pure,
        }
    }

    /// The limit in force, after raises; `None` is unlimited.
    pub fn limit(&self, what: Limit) -> Option<u64> {
        let (budget, raise) = (&self.plan.budget, &self.ledger.raise);
        let raised = |new: Option<u64>, old: Option<u64>| old.map(|old| new.unwrap_or(old).max(old));
        match what {
            Limit::Steps => raised(raise.steps, budget.steps),
            Limit::Tokens => raised(raise.tokens, budget.tokens),
            Limit::Cost => raised(raise.cost.map(|c| c.0), budget.cost.map(|c| c.0)),
            Limit::ActiveTime => raised(raise.active_ms, budget.active_ms),
            Limit::Recipients => raised(raise.recipients, budget.recipients),
            Limit::Turns | Limit::StepsPerTurn => None,
        }
    }

    /// What the members of a team within this one may use together, after raises; `None` is unlimited. Time is the run's alone.
    pub fn limit_of(&self, team: &Team, what: Limit) -> Option<u64> {
        let (budget, raise) = (&team.budget, &self.ledger.raise);
        let (declared, raised) = match what {
            Limit::Steps => (budget.steps, raise.steps),
            Limit::Tokens => (budget.tokens, raise.tokens),
            Limit::Cost => (budget.cost.map(|cost| cost.0), raise.cost.map(|cost| cost.0)),
            Limit::Recipients => (budget.recipients, raise.recipients),
            Limit::ActiveTime | Limit::Turns | Limit::StepsPerTurn => (None, None),
        };
        declared.map(|declared| declared.max(raised.unwrap_or(0)))
    }

    /// What the members of a team within this one have spent and set aside.
    pub fn used_by(&self, team: &AgentName) -> Amount {
        let own =
            self.ledger.by_agent.iter().filter(|(agent, _)| self.plan.teams.of(agent).any(|(name, _)| name == team));
        own.fold(Amount::default(), |all, (_, account)| all.plus(account.spent).plus(account.reserved))
    }

    /// Steps that a turn of `agent` may have, after raises.
    pub fn steps_per_turn(&self, agent: &AgentName) -> u32 {
        let declared = self.member(agent).map_or(0, |member| member.limits.steps_per_turn);
        self.ledger.raise.steps_per_turn.unwrap_or(declared).max(declared)
    }

    /// How long is waited for a call of a model, by `agent` to the model of this alias, after raises.
    pub fn patience(&self, agent: &AgentName, alias: Option<&str>) -> Patience {
        let raise = &self.ledger.raise;
        self.plan.patience(agent, alias).raised(raise.call_timeout_ms, raise.idle_timeout_ms)
    }

    /// Milliseconds with an effect under way, up to `at`.
    pub fn active_ms(&self, at: Timestamp) -> u64 {
        self.ledger.active_ms + self.ledger.active_since.map_or(0, |since| at.ms_since(since))
    }
}
