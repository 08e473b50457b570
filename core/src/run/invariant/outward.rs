//! The effects that a watch knows: asked once, one attempt at a time, in doubt until somebody knows, paid once.

use std::collections::{BTreeMap, BTreeSet};

use super::broken::{Broken, Holds, ensure};
use crate::failure::Class;
use crate::id::{ApprovalNo, Digest, EffectId, Epoch, MessageId, Timestamp, ToolName};
use crate::run::event::{ActHead, Amount, CallHead, Replied, Settled, Wish};
use crate::run::state::State;
use crate::topology::spec::{Repeat, ToolSpec};

/// All effects of a run so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Effects {
    known: BTreeMap<EffectId, Known>,
    by_message: BTreeMap<MessageId, BTreeSet<EffectId>>,
    performed: BTreeSet<(ApprovalNo, u32)>,
    questions: BTreeMap<ApprovalNo, EffectId>,
    spent: Amount,
    reserved: Amount,
}

/// The permits that were given.
pub(super) type Permits = BTreeMap<ApprovalNo, Permitted>;

/// A permit that was given.
#[derive(Debug, Clone)]
pub(super) struct Permitted {
    pub(super) slots: u32,
    /// When each of its items may leave, at the earliest.
    pub(super) leaves: Vec<Timestamp>,
    /// The versions that it rests on.
    pub(super) rests_on: BTreeSet<Digest>,
    /// A person said no to one of them since.
    pub(super) refused: bool,
}

/// An effect, from when it was asked for.
#[derive(Debug, Clone)]
struct Known {
    wish: Wish,
    reserved: Amount,
    attempt: u32,
    failed: Option<Class>,
    /// An attempt may be under way.
    alive: bool,
    /// When it first began since it was last known not to have happened.
    began: Option<Timestamp>,
    /// Until when the latest attempt may be under way, if nobody heard its end.
    busy_until: Option<Timestamp>,
    unsure: bool,
    /// A paid call that was under way when its owner died.
    lost: bool,
    steps: u64,
    settled: bool,
}

/// Whether what may have happened at `first` can be repeated, with its last effect at `until`.
fn may_repeat(spec: Option<&ToolSpec>, first: Timestamp, until: Timestamp) -> bool {
    match spec.map(|spec| spec.repeat) {
        Some(Repeat::Pure) => true,
        Some(Repeat::Idempotent { key_age_ms }) => until.ms_since(first) < key_age_ms,
        Some(Repeat::Queryable | Repeat::Once) | None => false,
    }
}

/// Whether repeating what the tool does harms nobody.
fn is_pure(state: &State, tool: &ToolName) -> bool {
    state.plan.tools.get(tool).is_some_and(|spec| spec.repeat == Repeat::Pure)
}

impl Effects {
    /// I5: a question is about something in doubt, and asked once.
    pub(super) fn question(&mut self, no: ApprovalNo, effect: EffectId) -> Holds {
        let doubt = self.of(effect)?.unsure;
        let new = self.questions.insert(no, effect).is_none();
        ensure("I5", doubt && new, || format!("question {no} is about nothing in doubt, or asked twice"))
    }

    pub(super) fn answered(&mut self, no: ApprovalNo, happened: bool) -> Holds {
        let about = self.questions.remove(&no);
        let about = about.ok_or_else(|| broken("I5", format!("question {no} is answered twice")))?;
        self.of(about)?.unsure &= happened;
        Ok(())
    }

    /// I3, I5, I6, I8, I13: a beginning is its owner's, has a permit, and repeats nothing that may have happened.
    pub(super) fn began(
        &mut self,
        state: &State,
        permits: &Permits,
        at: Timestamp,
        id: EffectId,
        epoch: Epoch,
        not_after: Timestamp,
    ) -> Holds {
        let short = id.0.short();
        ensure("I13", epoch == state.epoch, || format!("{short} begins under {epoch}, not {}", state.epoch))?;
        let known = self.of(id)?;
        let Wish::Deliver { tool, permit, slot, .. } = known.wish.clone() else {
            return ensure("I8", false, || format!("{short} acts on nothing"));
        };
        let given = permits.get(&permit).filter(|given| slot < given.slots);
        ensure("I8", given.is_some(), || format!("{short} begins without permit {permit}"))?;
        let refused = given.is_some_and(|given| given.refused);
        ensure("I8", !refused, || format!("{short} begins under permit {permit}, and a later no took that back"))?;
        let holds = state.permits.get(&permit).is_some_and(|permit| permit.holds(slot, at));
        ensure("I8", holds, || format!("{short} begins under permit {permit}, which is too old"))?;
        let leaves_at = given.and_then(|given| given.leaves.get(slot as usize));
        let has_come = leaves_at.is_some_and(|leaves_at| *leaves_at <= at);
        ensure("I16", has_come, || format!("{short} begins before the day on which it was to leave"))?;
        let quiet =
            state.plan.tools.get(&tool).and_then(|spec| spec.quiet.as_ref()).filter(|_| !state.plan.mode.drafts());
        let is_open = quiet.is_none_or(|quiet| quiet.open_from(at) == at);
        ensure("I16", is_open, || format!("{short} begins in hours in which nothing was to leave"))?;
        let known = self.of(id)?;
        ensure("I4", !known.settled && !known.alive, || format!("{short} begins while an attempt is under way"))?;
        let from = state.effects.get(&id).map_or(at, |effect| state.not_before(effect));
        ensure("I3", not_after >= at && from <= at, || format!("{short} begins before anybody may perform it"))?;
        let spec = state.plan.tools.get(&tool);
        let until = not_after.plus_ms(spec.map_or(0, |spec| spec.call_timeout_ms));
        let gone = known.busy_until.is_none_or(|busy_until| at >= busy_until);
        ensure("I4", gone, || format!("{short} begins again while it may still be under way"))?;
        let first = known.began.filter(|_| known.unsure).unwrap_or(at);
        let again = !known.unsure || may_repeat(spec, first, until);
        ensure("I5", again, || format!("{short} begins again though it may have happened"))?;
        known.began = Some(first);
        known.busy_until = Some(until);
        known.alive = true;
        let done = self.performed.contains(&(permit, slot));
        ensure("I8", !done, || format!("slot {slot} of permit {permit} is used again"))
    }

    fn of(&mut self, id: EffectId) -> Result<&mut Known, Broken> {
        let missing = || broken("I4", format!("{} was never asked for", id.0.short()));
        self.known.get_mut(&id).ok_or_else(missing)
    }

    /// The tool that an effect calls for a model, or for itself.
    pub(super) fn tool(&self, id: EffectId) -> Option<&ToolName> {
        match &self.known.get(&id)?.wish {
            Wish::Tool { tool, .. } | Wish::Own { tool } => Some(tool),
            _ => None,
        }
    }

    /// I10: nobody asks outside, in an argument that takes neither, who was shown what is private and what others wrote.
    pub(super) fn barred(&self, state: &State, id: EffectId, result: &Settled) -> Holds {
        let Settled::Replied(Replied { act: ActHead::Calls(calls), .. }) = result else { return Ok(()) };
        let of = self.by_message.iter().find(|(_, effects)| effects.contains(&id)).map(|(message, _)| message);
        let Some(turn) = of.and_then(|message| state.turns.get(message)) else { return Ok(()) };
        let bars =
            |call: &&CallHead| state.plan.tools.get(&call.tool).is_some_and(|spec| spec.bars(turn.labels).is_some());
        let asked = calls.iter().filter(|call| call.refused.is_none() && call.asks.is_none()).find(bars);
        ensure("I10", asked.is_none(), || {
            let tool = asked.map_or("", |call| call.tool.as_str());
            format!("{} asks {tool} with what is private and what others wrote", turn.agent)
        })
    }

    /// The message whose turn asked a rule by this effect.
    pub(super) fn rule(&self, id: EffectId) -> Option<MessageId> {
        self.known.get(&id).filter(|known| known.wish == Wish::Rule)?;
        self.by_message.iter().find(|(_, effects)| effects.contains(&id)).map(|(message, _)| *message)
    }

    /// Whether it acts on the world.
    pub(super) fn is_outward(&self, id: EffectId) -> bool {
        self.known.get(&id).is_some_and(|known| matches!(known.wish, Wish::Deliver { .. }))
    }

    /// Whether an attempt of something that the message's turn asked for has failed, and is not under way again.
    pub(super) fn has_failed(&self, message: MessageId) -> bool {
        self.open(message).any(|id| self.known.get(&id).is_some_and(|known| !known.alive))
    }

    /// The effects of a message that are not settled.
    pub(super) fn open(&self, message: MessageId) -> impl Iterator<Item = EffectId> {
        let ids = self.by_message.get(&message).into_iter().flatten();
        ids.filter(|id| self.known.get(id).is_some_and(|known| !known.settled)).copied()
    }

    pub(super) fn asked(
        &mut self,
        id: EffectId,
        message: MessageId,
        wish: &Wish,
        reserved: Amount,
        at: Timestamp,
    ) -> Holds {
        if let Wish::Query { about } | Wish::Question { about } = wish {
            let of = self.of(*about)?;
            let gone = of.unsure && !of.alive && of.busy_until.is_none_or(|busy_until| at >= busy_until);
            ensure("I4", gone, || format!("{} is asked about while it may be under way", about.0.short()))?;
        }
        let outward = matches!(wish, Wish::Deliver { .. });
        let known = Known {
            wish: wish.clone(),
            reserved,
            attempt: 1,
            failed: None,
            alive: !outward,
            began: None,
            busy_until: None,
            unsure: false,
            lost: false,
            steps: 0,
            settled: false,
        };
        self.reserved = self.reserved.plus(reserved);
        self.by_message.entry(message).or_default().insert(id);
        let new = self.known.insert(id, known).is_none();
        ensure("I6", new, || format!("the key {} is taken for a second effect", id.0.short()))
    }

    pub(super) fn settle(&mut self, id: EffectId, spent: Amount, result: &Settled) -> Holds {
        let known = self.of(id)?;
        ensure("I2", !known.settled, || format!("{} is settled twice", id.0.short()))?;
        ensure("I7", known.reserved.minus(spent).is_some(), || {
            format!("{} spent {spent:?} of {:?}", id.0.short(), known.reserved)
        })?;
        ensure("I7", !known.lost, || format!("{} was lost with its owner and is paid once", id.0.short()))?;
        known.settled = true;
        let (wish, reserved) = (known.wish.clone(), known.reserved);
        let may = known.alive || known.unsure;
        self.pay(id, reserved, spent)?;
        match (wish, result) {
            (Wish::Deliver { permit, slot, .. }, Settled::Performed { .. }) => {
                ensure("I3", may, || format!("{} was performed and had not begun", id.0.short()))?;
                let new = self.performed.insert((permit, slot));
                ensure("I5", new, || format!("slot {slot} of permit {permit} was performed twice"))
            }
            (Wish::Query { about }, Settled::NotPerformed) => {
                self.of(about)?.unsure = false;
                Ok(())
            }
            (Wish::Deliver { .. }, _) => ensure("I5", false, || format!("{} came to nothing", id.0.short())),
            _ => Ok(()),
        }
    }

    pub(super) fn failed(&mut self, state: &State, id: EffectId, class: Class, spent: Amount, last: bool) -> Holds {
        let known = self.of(id)?;
        let is_paid = class == Class::InDoubt && state.plan.mode.charges() && matches!(known.wish, Wish::Model { .. });
        let least = if is_paid { known.reserved } else { Amount::default() };
        ensure("I7", spent.minus(least).is_some(), || {
            format!("{} may have used what it was allowed, and {spent:?} is counted", id.0.short())
        })?;
        ensure("I2", !known.settled, || format!("{} fails when it is settled", id.0.short()))?;
        ensure("I7", known.reserved.minus(spent).is_some(), || format!("{} spent too much", id.0.short()))?;
        // A model call that is lost is in doubt only as to its price.
        let unknown = class == Class::InDoubt && known.began.is_some();
        let known_not = !(unknown || known.unsure && last);
        ensure("I5", known_not, || format!("{} may have happened, and is taken as failed", id.0.short()))?;
        (known.alive, known.busy_until, known.failed) = (false, None, Some(class));
        known.settled = last;
        known.lost = false;
        let reserved = std::mem::take(&mut known.reserved);
        self.pay(id, reserved, spent)
    }

    pub(super) fn retry(&mut self, id: EffectId, attempt: u32, reserved: Amount) -> Holds {
        let known = self.of(id)?;
        ensure("I4", !known.alive && !known.settled, || format!("{} is tried beside an attempt", id.0.short()))?;
        // The death of an owner is no attempt.
        let tried = u32::from(known.failed != Some(Class::InDoubt));
        let next = attempt == known.attempt + tried;
        ensure("I4", next, || format!("attempt {attempt} of {} after {}", id.0.short(), known.attempt))?;
        known.attempt = attempt;
        known.reserved = reserved;
        known.alive = !matches!(known.wish, Wish::Deliver { .. });
        self.reserved = self.reserved.plus(reserved);
        Ok(())
    }

    pub(super) fn doubted(&mut self, state: &State, id: EffectId, ask_from: Timestamp) -> Holds {
        let known = self.of(id)?;
        let Some(until) = known.busy_until.filter(|_| !known.settled) else {
            return ensure("I5", false, || format!("{} is in doubt and not begun", id.0.short()));
        };
        let pure = matches!(&known.wish, Wish::Deliver { tool, .. } if is_pure(state, tool));
        (known.unsure, known.alive) = (!pure, false);
        ensure("I4", ask_from >= until, || format!("{} may be under way when it is asked about", id.0.short()))
    }

    /// A message goes to the dead letters: what it began has to be known.
    pub(super) fn give_up(&mut self, message: MessageId) -> Holds {
        let open: Vec<EffectId> = self.open(message).collect();
        for id in open {
            let known = self.of(id)?;
            let lost = matches!(known.wish, Wish::Deliver { .. }) && (known.alive || known.unsure);
            ensure("I5", !lost, || format!("{} may have happened, and is given up", id.0.short()))?;
            known.settled = true;
            let reserved = std::mem::take(&mut known.reserved);
            self.pay(id, reserved, Amount::default())?;
        }
        Ok(())
    }

    /// The run is over: what may have happened is seen to be in doubt.
    pub(super) fn left(&mut self, state: &State) -> Holds {
        for (id, known) in self.known.iter_mut().filter(|(_, known)| !known.settled) {
            let may = matches!(known.wish, Wish::Deliver { .. }) && (known.alive || known.unsure);
            let seen = state.effects.get(id).is_some_and(|effect| effect.doubt.is_some());
            ensure("I5", !may || seen, || format!("{} may have happened, and nobody sees it", id.0.short()))?;
            if !seen {
                known.settled = true;
                let reserved = std::mem::take(&mut known.reserved);
                self.reserved = self.reserved.minus(reserved).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// A step counts once, however often its effect is tried.
    fn pay(&mut self, id: EffectId, reserved: Amount, spent: Amount) -> Holds {
        self.reserved = self.reserved.minus(reserved).unwrap_or_default();
        self.spent = self.spent.plus(spent);
        let known = self.of(id)?;
        known.steps += spent.steps;
        ensure("I7", known.steps <= 1, || format!("{} counts as {} steps", id.0.short(), known.steps))
    }

    /// Another owner: paid calls that were under way are lost.
    pub(super) fn opened(&mut self, state: &State) {
        if state.plan.mode.charges() && state.ended.is_none() {
            let open = self.known.values_mut().filter(|known| !known.settled && known.alive);
            open.for_each(|known| known.lost |= matches!(known.wish, Wish::Model { .. }));
        }
    }

    /// I7: the ledger has what the facts sum up to.
    pub(super) fn balances(&self, state: &State) -> Holds {
        let ledger = &state.ledger;
        ensure("I7", ledger.spent == self.spent && ledger.reserved == self.reserved, || {
            format!(
                "the ledger has {:?} and {:?}, the facts sum up to {:?} and {:?}",
                ledger.spent, ledger.reserved, self.spent, self.reserved
            )
        })
    }
}

fn broken(invariant: &'static str, what: String) -> Broken {
    Broken { invariant, what }
}
