//! Which rare paths a batch of facts went.

use callsheet_core::failure::Class;
use callsheet_core::id::{EffectId, MessageId};
use callsheet_core::run::branch::SplitId;
use callsheet_core::run::comment::Comment;
use callsheet_core::run::desk::{Desk, Held, newest};
use callsheet_core::run::event::{
    ActHead, Closed, DeadLetterAnswer, Decision, Ending, Event, Fact, Limit, Message, Part, PauseReason, Reason,
    Refusal, Rule, Settled, Wish,
};
use callsheet_core::run::input::Failed;
use callsheet_core::run::note::Note;
use callsheet_core::run::state::{Effect, Permit, State, Turn};
use callsheet_core::topology::plan::{ANSWER, EXPIRED, Mode, Recipient, Role};
use callsheet_core::topology::spec::Repeat;

use super::scene::{Handle, Scene};
use super::sometimes::Rare;

impl Scene {
    /// Counts what `facts`, decided in `state`, went through.
    pub(super) fn see(&mut self, state: &State, facts: &[Fact]) {
        let mut began = 0;
        for fact in facts {
            let rare = of_branches(state, facts, &fact.is).into_iter().chain(of_sections(state, &fact.is));
            let rare = rare.chain(of_comments(state, &fact.is)).chain(of_days(state, fact));
            rare.for_each(|rare| self.seen.see(rare));
        }
        for fact in facts {
            if let Event::EffectBegan { .. } = fact.is {
                began += 1;
            }
            let rare = match &fact.is {
                Event::InputRefused { why, .. } => refused(why),
                Event::Paused { why } => Some(paused(why)),
                Event::EffectSettled { id, result, .. } => settled(effect(state, id), result),
                Event::EffectFailed { id, class, last, .. } => failed(state, effect(state, id), *class, *last),
                Event::EffectBegan { id, .. } => effect(state, id).and_then(|effect| begun_again(state, effect)),
                Event::EffectAsked { wish, .. } => asked(state, wish),
                Event::DeadLettered { class, message, .. } => dead(state, facts, *class, *message),
                Event::AnswerRefused { .. } => Some(Rare::AnswerRefused),
                Event::MessageSent(message) if message.is_mend() => Some(Rare::WriterAskedAnew),
                Event::EditRefused { .. } => Some(Rare::EditRefused),
                Event::PermitVoided { .. } => Some(Rare::LaterNo),
                Event::FellInDoubt { why: Some(_), .. } => Some(Rare::DoubtForPerson),
                Event::MessageSent(Message { asked_by: Some(asker), to, .. }) => Some(teammate(state, *asker, to)),
                Event::PersonAnswered { outcome, .. } => Some(match outcome.as_str() {
                    ANSWER => Rare::PersonAnswersTeammate,
                    _ => Rare::PersonAnswers,
                }),
                Event::Reminded { .. } => Some(Rare::Reminded),
                Event::Escalated { .. } => Some(Rare::Escalated),
                Event::TurnEnded { message, outcome, .. } if is_silence(state, *message, outcome.as_str()) => {
                    Some(Rare::NobodyAnswersTeammate)
                }
                Event::TurnEnded { message, .. } => answered(state, *message),
                Event::ModelSwitched { id, until, .. } => Some(switched(state, *id, until.is_some())),
                Event::ContextCut { message } => Some(cut(state, *message)),
                Event::RetryPlanned { output_tokens: Some(_), .. } => Some(Rare::LongerReply),
                Event::AgentRestarted { .. } => Some(Rare::AgentRestarted),
                Event::QuestionAnswered { happened: true, .. } => Some(Rare::DoubtAnswerHappened),
                Event::QuestionAnswered { happened: false, .. } => Some(Rare::DoubtAnswerNot),
                Event::ApprovalAsked { replaces: Some(_), .. } => Some(Rare::EditReplaces),
                Event::ApprovalClosed { why: Closed::Expired, .. } => Some(Rare::Expired),
                Event::ApprovalOverdue { .. } => Some(Rare::Overdue),
                Event::ApprovalDecided { decision: Decision::Reject, .. } => Some(Rare::Rejected),
                Event::ApprovalDecided { no, decision: Decision::Approve, .. } => {
                    let second = state.approvals.get(no).is_some_and(|approval| !approval.approved_by.is_empty());
                    second.then_some(Rare::SecondOfTwoApproves)
                }
                Event::PermitGiven { slots: 0, .. } => Some(Rare::EmptyManifest),
                Event::MessageSent(message) if message.exhausted => Some(Rare::RoundsUsedUp),
                Event::BudgetRaised { .. } => Some(Rare::Raised),
                Event::CancelAsked { .. } => {
                    let outward = state.effects.values().any(|effect| effect.began.is_some());
                    outward.then_some(Rare::CancelledWithOutward)
                }
                Event::DeadLetterAnswered { answer, .. } => Some(match answer {
                    DeadLetterAnswer::Retry => Rare::DeadLetterRetried,
                    DeadLetterAnswer::Discard => Rare::DeadLetterDiscarded,
                    DeadLetterAnswer::Stop => Rare::DeadLetterStops,
                }),
                _ => None,
            };
            if let Some(rare) = rare {
                self.seen.see(rare);
            }
            self.see_slots(state, &fact.is);
        }
        if began >= 64 {
            self.seen.see(Rare::ChunkFull);
        }
    }

    /// Counts what an attempt reports.
    pub(super) fn see_report(&mut self, handle: &Handle, result: &Result<Settled, Failed>) {
        let (owner, Err(failed)) = (&self.owners[handle.owner], result) else { return };
        let Some(effect) = owner.logic.state().effects.get(&handle.attempt.id) else { return };
        let refuses =
            matches!(effect.wish, Wish::Tool { .. }) && matches!(failed.class, Class::Invalid | Class::Policy);
        let again = effect.began.is_some_and(|began| began.first_at < effect.not_before);
        if refuses {
            self.seen.see(Rare::ToolRefusesModel);
        }
        if again {
            self.seen.see(Rare::FailsAfterDoubt);
        }
    }

    fn see_slots(&mut self, state: &State, event: &Event) {
        match event {
            Event::DeadLetterAnswered { message, answer: DeadLetterAnswer::Retry, .. } => self.oracle.tried(*message),
            Event::EffectFailed { id, last: true, .. } => {
                if let Some(Wish::Deliver { permit, slot, .. }) = state.effects.get(id).map(|effect| &effect.wish) {
                    self.oracle.freed(*permit, *slot);
                }
            }
            Event::EffectAsked { wish: Wish::Deliver { permit, slot, .. }, .. }
                if self.oracle.was_freed(*permit, *slot) =>
            {
                self.seen.see(Rare::SlotFreedAndUsed);
            }
            Event::EffectSettled { id, .. }
                if state.paused.is_some() && state.effects.get(id).is_some_and(|effect| effect.is_outward()) =>
            {
                self.seen.see(Rare::OutwardWhilePaused);
            }
            _ => {}
        }
    }
}

/// What leaves on a later day, and beside what nobody knows yet.
fn of_days(state: &State, fact: &Fact) -> Vec<Rare> {
    let waits = || !state.later().is_empty();
    let mut rare = Vec::new();
    match &fact.is {
        Event::PermitGiven { no, .. } if state.plan.mode == Mode::Live => {
            let manifest = state.approvals.get(no).and_then(|approval| approval.manifest.as_ref());
            let later = manifest.is_some_and(|manifest| manifest.items.iter().any(|item| item.after_ms > 0));
            rare.extend(later.then_some(Rare::WaitsForItsDay));
        }
        Event::EffectAsked { message, wish: Wish::Deliver { permit, slot, .. }, .. } => {
            let asked = |about: &EffectId| state.effects.get(about).is_some_and(|effect| effect.message == *message);
            let beside = state.questions.values().any(asked);
            let permit = state.permits.get(permit);
            let later = permit.is_some_and(|permit| permit.leaves_at(*slot) > permit.given_at);
            rare.extend(beside.then_some(Rare::GoesOnBesideQuestion));
            rare.extend(later.then_some(Rare::LeavesOnItsDay));
            rare.extend((beside && later).then_some(Rare::DayBesideQuestion));
        }
        Event::Opened { .. } => rare.extend(waits().then_some(Rare::TakenUpBeforeItsDay)),
        Event::CancelAsked { .. } => rare.extend(waits().then_some(Rare::CancelledBeforeItsDay)),
        Event::Resumed { .. } => {
            let come = state.later().iter().any(|later| later.at <= fact.at);
            rare.extend(come.then_some(Rare::DayComesWhilePaused));
        }
        _ => {}
    }
    rare
}

/// A question to a teammate: one of several that wait at once, or the first.
fn teammate(state: &State, asker: MessageId, to: &Recipient) -> Rare {
    let busy = |turn: &Turn| Recipient::Member(turn.agent.clone()) == *to;
    if state.turns.values().any(|turn| busy(turn)) {
        return Rare::AskedWhileBusy;
    }
    let waits = state.turns.values().filter(|turn| !turn.waits_for.is_empty()).count();
    let more =
        state.turns.get(&asker).is_some_and(|turn| turn.calls.iter().filter(|call| call.asks.is_some()).count() > 1);
    if waits > 1 || more { Rare::TeammatesAtOnce } else { Rare::TeammateAsked }
}

/// Whether the turn of `message` ends a question that nobody answered.
fn is_silence(state: &State, message: MessageId, outcome: &str) -> bool {
    outcome == EXPIRED && state.turns.get(&message).is_some_and(|turn| turn.message.is_question())
}

/// The end of a turn that answers a question.
fn answered(state: &State, message: MessageId) -> Option<Rare> {
    let asked = &state.turns.get(&message)?.message;
    let asker = asked.asked_by?;
    if asked.is_mend() {
        return Some(Rare::WrittenAnew);
    }
    let waits = state.turns.get(&asker).is_some_and(|turn| turn.waits_for.contains_key(&message));
    Some(if waits { Rare::TeammateAnswers } else { Rare::AnswerForNobody })
}

fn switched(state: &State, id: EffectId, by_all: bool) -> Rare {
    let own = |effect: &Effect| match state.member(&effect.agent).map(|member| &member.role) {
        Some(Role::Model { model, .. }) => effect.model.as_ref() == Some(model),
        _ => true,
    };
    match state.effects.get(&id) {
        Some(effect) if !own(effect) => Rare::SwitchedTwice,
        _ if !by_all => Rare::RefusedSwitches,
        _ => Rare::AllSwitch,
    }
}

fn cut(state: &State, message: MessageId) -> Rare {
    let first = |turn: &Turn| turn.shown.iter().filter(|part| **part == Part::Instructions).count();
    if state.turns.get(&message).is_some_and(|turn| first(turn) > 1) { Rare::CutWithMemory } else { Rare::ContextCut }
}

fn refused(why: &Refusal) -> Option<Rare> {
    Some(match why {
        Refusal::ContentChanged => Rare::DecidedWithWrongDigest,
        Refusal::NotAllowed => Rare::DecidedByStranger,
        Refusal::NotDeclared { .. } => Rare::DecidedByUndeclared,
        Refusal::StarterMayNot => Rare::DecidedByStarter,
        Refusal::AlreadyDecided { .. } => Rare::DecidedTwice,
        Refusal::AlreadyApproved => Rare::ApprovedTwiceByOne,
        Refusal::Replaced { .. } => Rare::DecidedWhatWasReplaced,
        Refusal::FaultyEdit { .. } => Rare::EditFaulty,
        Refusal::FaultyAnswer { .. } => Rare::AnswerFaulty,
        Refusal::AlreadyAnswered { .. } => Rare::AnsweredTwice,
        Refusal::WantsAnswer => Rare::DecisionForAnswer,
        Refusal::WantsDecision => Rare::AnswerForDecision,
        Refusal::NotTheirs => Rare::EditNotTheirs,
        Refusal::RaiseTooLow => Rare::RaiseTooLow,
        Refusal::Rehearsed => Rare::ResultsOfRehearsal,
        Refusal::RunOver => Rare::DecidedAfterEnd,
        Refusal::Unreadable => Rare::RowUnreadable,
        Refusal::NotTheirsToDecide { .. } => Rare::HandedToStranger,
        Refusal::Blocked { .. } => Rare::BlockedByComment,
        Refusal::NotYoursToResolve { .. } => Rare::ResolvedByStranger,
        Refusal::AlreadyResolved { .. } => Rare::ResolvedTwice,
        Refusal::UnknownVersion => Rare::CommentOnOldVersion,
        Refusal::ReadsNoNotes { .. } => Rare::NoteToNobody,
        Refusal::UnknownApproval
        | Refusal::UnknownComment
        | Refusal::SayWhy
        | Refusal::FaultyComment { .. }
        | Refusal::FaultyResults { .. }
        | Refusal::FaultyNote { .. }
        | Refusal::UnknownOutcome
        | Refusal::Unaccepted { .. }
        | Refusal::UnknownDeadLetter
        | Refusal::Closed
        | Refusal::NothingToDo => return None,
    })
}

fn paused(why: &PauseReason) -> Rare {
    match why {
        PauseReason::Asked { .. } => Rare::PausedByPerson,
        PauseReason::Intensity { .. } => Rare::IntensityPauses,
        PauseReason::Budget { what, .. } => match what {
            Limit::Steps => Rare::PausedBySteps,
            Limit::Tokens => Rare::PausedByTokens,
            Limit::Cost => Rare::PausedByCost,
            Limit::ActiveTime => Rare::PausedByActiveTime,
            Limit::Recipients => Rare::PausedByRecipients,
            Limit::Turns => Rare::PausedByTurns,
            Limit::StepsPerTurn => Rare::PausedByStepsPerTurn,
        },
    }
}

fn effect<'s>(state: &'s State, id: &EffectId) -> Option<&'s Effect> {
    state.effects.get(id).map(AsRef::as_ref)
}

fn settled(effect: Option<&Effect>, result: &Settled) -> Option<Rare> {
    match (&effect?.wish, result) {
        (Wish::Rule, Settled::Ruled { line, .. }) => {
            Some(if line.is_some() { Rare::RuleHolds } else { Rare::RuleElse })
        }
        (Wish::Query { .. }, Settled::Performed { .. }) => Some(Rare::DoubtQueryPerformed),
        (Wish::Query { .. }, Settled::NotPerformed) => Some(Rare::DoubtQueryNotPerformed),
        (_, Settled::Replied(replied)) if replied.over_reported => Some(Rare::OverReported),
        (_, Settled::Replied(replied)) => match &replied.act {
            ActHead::Calls(calls) if calls.iter().any(|call| call.refused.is_some()) => Some(Rare::ForbiddenCallTold),
            ActHead::Calls(calls) if calls.len() > 1 => Some(Rare::ParallelCalls),
            _ => None,
        },
        _ => None,
    }
}

fn failed(state: &State, effect: Option<&Effect>, class: Class, last: bool) -> Option<Rare> {
    let effect = effect?;
    let is_cut = state.turns.get(&effect.message).is_some_and(|turn| turn.cut);
    match (&effect.wish, class) {
        (Wish::Model { .. }, Class::InDoubt) if state.plan.mode == Mode::Live => Some(Rare::LostCallPaidAtMaximum),
        (Wish::Model { .. }, Class::Truncated) if effect.output_tokens.is_some() => Some(Rare::TruncatedTwice),
        (Wish::Model { .. }, Class::Permanent) if is_cut => Some(Rare::PermanentAfterCut),
        (Wish::Model { .. }, Class::Transient) if effect.attempt >= 8 => Some(Rare::ModelRetriedToTheEnd),
        (Wish::Deliver { .. }, Class::Transient) if last && effect.attempt >= 4 => Some(Rare::ToolRetriedToTheEnd),
        (_, Class::Throttled) => Some(Rare::ThrottledWaits),
        _ => None,
    }
}

fn begun_again(state: &State, effect: &Effect) -> Option<Rare> {
    effect.doubt?;
    match state.repeat(effect) {
        Repeat::Pure => Some(Rare::DoubtRepeatedPure),
        Repeat::Idempotent { .. } => Some(Rare::DoubtRepeatedWithKey),
        Repeat::Queryable | Repeat::Once => None,
    }
}

fn asked(state: &State, wish: &Wish) -> Option<Rare> {
    let Wish::Question { about } = wish else { return None };
    match state.repeat(state.effects.get(about)?) {
        Repeat::Idempotent { .. } => Some(Rare::DoubtKeyTooOld),
        _ => None,
    }
}

fn dead(state: &State, facts: &[Fact], class: Class, message: MessageId) -> Option<Rare> {
    if state.turns.get(&message).is_some_and(|turn| turn.message.is_question()) {
        return Some(Rare::QuestionDies);
    }
    if class == Class::Invalid && state.turns.get(&message).is_some_and(|turn| turn.mends > 0) {
        return Some(Rare::AskedAnewInVain);
    }
    let died = facts.iter().any(|fact| matches!(&fact.is, Event::AgentFailed { message: of, .. } if *of == message));
    if died {
        return Some(Rare::PoisonQuarantined);
    }
    let refused = state.turns.get(&message).map_or(0, |turn| turn.answers_refused);
    let outward = state.plan.team.get(&state.turns.get(&message)?.agent)?;
    match class {
        Class::Invalid if refused >= 2 => Some(Rare::AnswersRefusedToTheEnd),
        Class::Policy if matches!(outward.role, Role::Tool { .. }) => {
            let (agent, at) = (&state.turns.get(&message)?.agent, facts.first()?.at);
            let old = |permit: &Permit| {
                permit.left().any(|(slot, _)| permit.leaves_at(slot) <= at && !permit.holds(slot, at))
            };
            let old = state
                .permits
                .values()
                .any(|permit| permit.member == *agent && permit.voided_by.is_none() && old(permit));
            Some(if old { Rare::PermitTooOld } else { Rare::NoPermit })
        }
        Class::Policy => Some(Rare::ForbiddenCallsEndTurn),
        _ => None,
    }
}

/// What is said of versions, and who looks at what waits and takes it on.
fn of_comments(state: &State, event: &Event) -> Option<Rare> {
    Some(match event {
        Event::CommentMade { blocks: true, .. } => Rare::CommentBlocks,
        Event::CommentReplied { .. } => Rare::CommentReplied,
        Event::NoteLeft { .. } => Rare::NoteLeft,
        Event::TurnBegan { message } => {
            let to = state.queued.get(message).map(|message| &message.to)?;
            let is_for = |note: &Note| note.read_in.is_none() && *to == Recipient::Member(note.to.clone());
            return state.notes.iter().any(is_for).then_some(Rare::NoteRead);
        }
        Event::CommentResolved { no, by, .. } => {
            let is_theirs = state.comments.get(no).is_some_and(|comment| comment.by == by.name);
            if is_theirs { Rare::ResolvedByAuthor } else { Rare::ResolvedByApprover }
        }
        Event::VersionWritten(version) => {
            let on = |comment: &Comment| version.base.is_some_and(|base| comment.versions.contains(&base));
            state.comments.values().find(|comment| comment.is_open() && on(comment))?;
            Rare::CommentFollowsDraft
        }
        Event::Looked { .. } => Rare::LookedAt,
        Event::ResultsAttached { .. } if state.ended.is_some() => Rare::ResultsAfterEnd,
        Event::Assigned { to: None, .. } => Rare::GivenBack,
        Event::Assigned { to: Some(to), by, .. } if *to == by.name => Rare::TakenOn,
        Event::Assigned { .. } => Rare::HandedOn,
        _ => return None,
    })
}

/// What splits and their branches went through.
fn of_branches(state: &State, facts: &[Fact], event: &Event) -> Vec<Rare> {
    let of_turn = |message: &MessageId| state.turns.get(message).map(|turn| &turn.message.branch);
    let seen = |is: &dyn Fn(&Event) -> bool| facts.iter().any(|fact| is(&fact.is));
    let mut rare = Vec::new();
    match event {
        Event::Split { message, branches, .. } => {
            let turn = state.turns.get(message);
            let again = turn.is_some_and(|turn| state.past(&turn.agent, &turn.message.branch).splits > 0);
            rare.extend((*branches == 0).then_some(Rare::SplitOverNothing));
            rare.extend(of_turn(message).is_some_and(|branch| !branch.is_root()).then_some(Rare::SplitWithinSplit));
            rare.extend(again.then_some(Rare::SplitAgain));
        }
        Event::MessageSent(Message { joins: Some(joined), .. }) => {
            let off = seen(&|event| matches!(event, Event::CalledOff { .. }));
            let all = joined.arrived.len() == joined.branches as usize;
            rare.push(if all {
                Rare::Joins
            } else if off {
                Rare::JoinsEarly
            } else {
                Rare::JoinsShort
            });
        }
        Event::CalledOff { branch } => {
            rare.push(Rare::CalledOff);
            let call =
                |event: &Event| matches!(event, Event::EffectFailed { reason: Reason::Rule(Rule::CalledOff), .. });
            let asked = |event: &Event| matches!(event, Event::ApprovalClosed { why: Closed::CalledOff, .. });
            rare.extend(seen(&call).then_some(Rare::CalledOffWithCall));
            rare.extend(seen(&asked).then_some(Rare::CalledOffWithApproval));
            let dead = state.dead.values().any(|letter| letter.message.branch.is_within(branch));
            rare.extend(dead.then_some(Rare::CalledOffWithDeadLetter));
        }
        Event::Ended { how: Ending::Failed } => {
            let gone =
                |event: &Event| matches!(event, Event::DeadLetterAnswered { answer: DeadLetterAnswer::Discard, .. });
            rare.extend((seen(&gone) && !state.splits.is_empty()).then_some(Rare::FallsShort));
        }
        Event::Opened { .. } => {
            let arrived = state.splits.values().any(|open| !open.arrived.is_empty());
            rare.extend(arrived.then_some(Rare::ArrivedBeforeCrash));
        }
        Event::DeadLettered { message, .. } => {
            rare.extend(of_turn(message).is_some_and(|branch| !branch.is_root()).then_some(Rare::DeadLetterInBranch));
        }
        Event::TurnBegan { message } => {
            let agent = state.queued.get(message).map(|message| &message.to);
            let mut others = state.turns.values().map(|turn| Recipient::Member(turn.agent.clone()));
            rare.extend(others.any(|other| agent == Some(&other)).then_some(Rare::TwiceAtOnce));
        }
        _ => {}
    }
    rare
}

/// What sections, what ends with its branch, and teams within the team went through.
fn of_sections(state: &State, event: &Event) -> Vec<Rare> {
    let in_sections = |desk: &Desk| desk.values().any(|held| matches!(held, Held::Sections { .. }));
    let mut rare = Vec::new();
    match event {
        Event::VersionWritten(version) => {
            let Some(turn) = state.turns.get(&version.message) else { return rare };
            let is_section = state.plan.section(&version.artefact).is_some();
            let before = newest(&state.plan, &turn.desk, &version.artefact).is_some();
            let over = matches!(turn.desk.get(&version.artefact), Some(Held::Sections { .. }));
            rare.extend(is_section.then_some(Rare::SectionWritten));
            rare.extend((is_section && before).then_some(Rare::SectionAnew));
            rare.extend((!is_section && over).then_some(Rare::WholeAfterSections));
        }
        Event::MessageSent(Message { joins: Some(joined), from: Some(from), branch, desk, .. }) => {
            rare.extend(in_sections(desk).then_some(Rare::SectionsJoin));
            let id = SplitId { within: branch.clone(), from: from.clone(), nth: joined.nth };
            let (Some(open), Some((_, split))) = (state.splits.get(&id), state.split_handoff(&id)) else { return rare };
            let made = |name| open.arrived.values().any(|message| message.desk.get(name) != open.desk.get(name));
            rare.extend(split.ends.iter().any(made).then_some(Rare::EndsWithBranch));
        }
        Event::MessageSent(message @ Message { to: Recipient::Member(to), .. }) if message.is_mend() => {
            let of_section = |name| state.plan.section(name).is_some();
            let writes = state.member(to).is_some_and(|member| member.writes.iter().any(of_section));
            rare.extend(writes.then_some(Rare::SectionAskedAnew));
        }
        Event::ApprovalDecided { no, decision: Decision::Approve, .. } => {
            let desk = state.approvals.get(no).map(|approval| &approval.desk);
            rare.extend(desk.is_some_and(in_sections).then_some(Rare::SectionsApproved));
        }
        Event::Paused { why: PauseReason::Budget { agent: Some(agent), .. } } => {
            rare.extend(state.plan.teams.0.contains_key(agent).then_some(Rare::PausedByTeam));
        }
        _ => {}
    }
    rare
}
