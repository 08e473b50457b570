//! People: they answer what waits for them, and on bad days the wrong thing, twice, late, or to nobody's question.

use callsheet_core::id::{ApprovalNo, CommentNo, MessageId};
use callsheet_core::run::event::{
    DeadLetterAnswer, Decision, Limit, Lists, Origin, PauseReason, Raise, Who, WriteHead,
};
use callsheet_core::run::input::{Assignee, Command};
use callsheet_core::run::invariant::Broken;
use callsheet_core::run::state::{Fate, State, Wants};
use callsheet_core::topology::plan::{ANSWER, Mode, Role};

use super::attempt::Makes;
use super::journal::Row;
use super::oracle::{is_asked, may_approve, person};
use super::scene::{Happening, Scene};
use super::team::name;

/// What a person does, and whether it has to be refused.
type Say = (Who, Option<Command>, bool);

/// Everybody there is; `cleo` is in no group.
fn everybody() -> [Who; 4] {
    let who = |name: &str, groups: &[&str]| Who {
        name: name.to_owned(),
        how: "claimed".to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        undeclared: false,
        via: None,
    };
    [who("ana", &["approvers"]), who("ben", &["approvers"]), who("cleo", &[]), who("dora", &["approvers"])]
}

impl Scene {
    /// A person looks, and perhaps says something; it arrives later.
    pub(super) fn person(&mut self) -> Result<(), Broken> {
        let state = std::sync::Arc::clone(&self.journal.truth);
        if state.ended.is_none() {
            let wait_ms = self.makes.random.skewed(self.makes.swarm.person_ms);
            self.schedule(wait_ms + 1, Happening::Person);
        }
        let mut said = if self.healed { self.sensible(&state) } else { self.any(&state) };
        if state.ended.is_some() {
            // What came of it is known late.
            let results = Command::Results { table: self.makes.body(), again: false, problems: None };
            said.push((everybody()[0].clone(), Some(results), state.plan.mode != Mode::Live));
        }
        for (who, command, wrong) in said {
            let id = uuid::Uuid::from_u64_pair(self.makes.random.next(), 7);
            let row = Row { id, at: self.wall(), say: command.map(|command| (who, command)), wrong };
            let late = self.makes.random.chance(self.makes.swarm.late);
            let wait_ms = if late { self.makes.random.skewed(7_200_000) } else { 0 };
            if self.makes.random.chance(self.makes.swarm.twice) {
                let again = if self.makes.random.chance(500) {
                    id
                } else {
                    uuid::Uuid::from_u64_pair(self.makes.random.next(), 8)
                };
                self.schedule(wait_ms + 1, Happening::Post(Box::new(Row { id: again, ..row.clone() })));
            }
            self.schedule(wait_ms, Happening::Post(Box::new(row)));
        }
        Ok(())
    }

    /// On a bad day.
    fn any(&mut self, state: &State) -> Vec<Say> {
        if self.makes.random.chance(self.makes.swarm.idle) {
            return Vec::new();
        }
        let mut said = Vec::new();
        let meddle = self.makes.random.chance(self.makes.swarm.meddle);
        if meddle {
            said.extend(self.makes.meddle(state));
        }
        if self.makes.random.chance(self.makes.swarm.cancel) {
            said.push((self.makes.anybody(), Some(Command::Cancel), false));
        }
        if self.makes.random.chance(self.makes.swarm.nonsense) {
            said.extend(self.makes.nonsense(state));
        }
        if self.makes.undeclared() {
            said.extend(self.makes.said_by_nobody(state));
        }
        if self.makes.random.chance(self.makes.swarm.remark) {
            said.extend(self.makes.remark(state));
            said.extend(self.makes.attend(state));
            said.extend(self.makes.note(state));
        }
        said.extend(self.sensible(state));
        said
    }

    /// Answers whatever waits for a person.
    fn sensible(&mut self, state: &State) -> Vec<Say> {
        let mut said = Vec::new();
        let open: Vec<ApprovalNo> = state.open_approvals().map(|(no, _)| no).collect();
        for no in open {
            said.extend(self.makes.settle(state, no));
            said.extend(self.makes.decide(state, no));
        }
        for (no, about) in &state.questions {
            let happened = self.sink.happened(*about);
            let receipt = self.makes.body();
            said.push((self.makes.anybody(), Some(Command::Answer { question: *no, happened, receipt }), false));
        }
        let dead: Vec<MessageId> = state.dead.keys().copied().collect();
        for message in dead {
            let tries = self.oracle.tries(message);
            let answer = if tries > 3 { DeadLetterAnswer::Discard } else { self.makes.dead_letter() };
            said.push((self.makes.anybody(), Some(Command::DeadLetter { message, answer }), false));
        }
        if let Some(why) = &state.paused {
            said.push((self.makes.anybody(), Some(self.makes.go_on(why)), false));
        }
        said
    }
}

impl Makes {
    fn anybody(&mut self) -> Who {
        self.random.pick(&everybody()).cloned().unwrap_or_else(|| everybody()[0].clone())
    }

    /// Somebody who may approve that, if the approvers agree.
    fn approver(&mut self, state: &State, no: ApprovalNo) -> Option<Who> {
        let person = person(state, no)?;
        let approved = &state.approvals.get(&no)?.approved_by;
        let may = |who: &Who| may_approve(state, person, who) && !approved.contains(&who.name);
        let may: Vec<Who> = everybody().into_iter().filter(may).collect();
        self.random.pick(&may).cloned()
    }

    fn decide(&mut self, state: &State, no: ApprovalNo) -> Option<Say> {
        let approval = state.approvals.get(&no)?;
        if approval.wants != Wants::Decision {
            return self.respond(state, no);
        }
        let who = self.approver(state, no)?;
        let decision = if self.random.chance(self.swarm.request_changes) {
            Decision::RequestChanges
        } else if self.random.chance(self.swarm.reject) {
            Decision::Reject
        } else {
            Decision::Approve
        };
        let binds = approval.binds;
        if self.random.chance(self.swarm.edit) {
            let approves = &person(state, no)?.approves;
            let artefact = self.random.pick(approves)?.clone();
            let (problems, findings) =
                (self.random.chance(300).then(|| self.body()), self.random.chance(300).then(|| self.body()));
            let wrong = problems.is_some();
            let edit = Command::Edit {
                approval: no,
                binds,
                artefact,
                body: self.body(),
                findings,
                lists: Lists::new(),
                problems,
            };
            return Some((who, Some(edit), wrong));
        }
        let comment = self.body();
        Some((who, Some(Command::Decide { approval: no, binds, decision, comment }), false))
    }

    /// Somebody who is asked, or was told of it, answers; now and then what they write has faults.
    fn respond(&mut self, state: &State, no: ApprovalNo) -> Option<Say> {
        let approval = state.approvals.get(&no)?;
        let person = person(state, no)?;
        let may = |who: &Who| state.plan.single_person || is_asked(person, who);
        let may: Vec<Who> = everybody().into_iter().filter(may).collect();
        let who = self.random.pick(&may).cloned()?;
        let is_question = approval.wants == Wants::Sentence;
        let outcome = match is_question {
            true => name(ANSWER),
            false => self.random.pick(&person.outcomes).cloned()?,
        };
        let missing = state.plan.misfit(&approval.agent, &outcome, is_question, &[]).missing;
        let write = |artefact| {
            let lists = self.lists(state, &artefact);
            WriteHead { lists, ..WriteHead::new(artefact, self.body(), Origin::Person) }
        };
        let writes = missing.into_iter().map(write).collect();
        let problems = self.random.chance(self.swarm.bad_answer).then(|| self.body());
        let (binds, comment, wrong) = (approval.binds, self.body(), problems.is_some());
        let say = Command::Respond { approval: no, binds, outcome, writes, comment, problems };
        Some((who, Some(say), wrong))
    }

    /// Somebody looks at what waits, or says who is on it.
    fn attend(&mut self, state: &State) -> Option<Say> {
        let open: Vec<ApprovalNo> = state.open_approvals().map(|(no, _)| no).collect();
        let no = *self.random.pick(&open)?;
        let approval = state.approvals.get(&no)?;
        let who = self.anybody();
        let to = match self.random.below(6) {
            0 | 1 => return Some((who, Some(Command::Look { approval: no, binds: approval.binds }), false)),
            2 => Some(Assignee::Group("group:approvers".to_owned())),
            3 => None,
            4 => Some(Assignee::Person(Who { undeclared: true, ..self.anybody() })),
            _ => Some(Assignee::Person(self.anybody())),
        };
        let wrong = matches!(&to, Some(Assignee::Person(who)) if who.undeclared);
        Some((who, Some(Command::Assign { approval: no, to, remark: None, problems: None }), wrong))
    }

    /// Somebody remarks something on a version that is on some desk, or answers a remark; now and then what cannot be taken.
    fn remark(&mut self, state: &State) -> Option<Say> {
        let (who, remark) = (self.anybody(), self.body());
        let known: Vec<CommentNo> = state.comments.keys().copied().collect();
        let (blocks, mentions) = (self.random.chance(600), Vec::new());
        let command = match (self.random.below(8), self.random.pick(&known).copied()) {
            (0, Some(comment)) => Command::Reply { comment, remark, mentions, problems: None },
            // Of whoever it is, with a word or without one.
            (1, Some(comment)) => {
                let remark = self.random.chance(500).then_some(remark);
                Command::Resolve { comment, remark, problems: None }
            }
            (2, _) => {
                let (artefact, version) = (name("aside"), self.digest());
                let say = Command::Comment { artefact, version, remark, blocks, mentions, problems: None };
                return Some((who, Some(say), true));
            }
            (3, _) => {
                let (comment, problems) = (CommentNo(0), None);
                return Some((who, Some(Command::Reply { comment, remark, mentions, problems }), true));
            }
            _ => {
                let versions: Vec<_> = state.versions.iter().map(|(at, of)| (of.artefact.clone(), *at)).collect();
                let (artefact, version) = self.random.pick(&versions).cloned()?;
                let problems = self.random.chance(100).then(|| self.body());
                let wrong = problems.is_some();
                let say = Command::Comment { artefact, version, remark, blocks, mentions, problems };
                return Some((who, Some(say), wrong));
            }
        };
        Some((who, Some(command), false))
    }

    /// Somebody says something to a member; now and then to one who reads nothing, or what cannot be taken.
    fn note(&mut self, state: &State) -> Option<Say> {
        let (who, note) = (self.anybody(), self.body());
        let team: Vec<_> = state.plan.team.keys().cloned().collect();
        let to = self.random.pick(&team).cloned()?;
        let problems = self.random.chance(50).then(|| self.body());
        let reads = matches!(state.plan.team.get(&to)?.role, Role::Model { .. });
        let wrong = problems.is_some() || !reads;
        Some((who, Some(Command::Note { to, note, problems }), wrong))
    }

    /// Somebody who may approve settles what stops them, mostly.
    fn settle(&mut self, state: &State, no: ApprovalNo) -> Vec<Say> {
        let Some(approval) = state.approvals.get(&no) else { return Vec::new() };
        let stops: Vec<CommentNo> = state.stops(approval).collect();
        let mut said = Vec::new();
        for comment in stops {
            let who = if self.random.chance(300) { Some(self.anybody()) } else { self.approver(state, no) };
            let remark = Some(self.body());
            said.extend(who.map(|who| (who, Some(Command::Resolve { comment, remark, problems: None }), false)));
        }
        said
    }

    fn dead_letter(&mut self) -> DeadLetterAnswer {
        if self.random.chance(self.swarm.stop_dead) {
            return *self
                .random
                .pick(&[DeadLetterAnswer::Stop, DeadLetterAnswer::Discard])
                .unwrap_or(&DeadLetterAnswer::Stop);
        }
        DeadLetterAnswer::Retry
    }

    /// What a person does about a pause: raises what was too small, or lets it go on.
    fn go_on(&mut self, why: &PauseReason) -> Command {
        let PauseReason::Budget { what, needed, .. } = why else { return Command::Resume };
        if self.random.chance(self.swarm.nonsense / 4) {
            return Command::Resume;
        }
        let mut raise = Raise::default();
        let above = Self::above(*needed);
        let small = u32::try_from(above).unwrap_or(u32::MAX);
        match what {
            Limit::Steps => raise.steps = Some(above),
            Limit::Tokens => raise.tokens = Some(above),
            Limit::Cost => raise.cost = Some(Self::money(*needed)),
            Limit::ActiveTime => raise.active_ms = Some(above),
            Limit::Recipients => raise.recipients = Some(above),
            Limit::Turns => raise.turns = Some(small),
            Limit::StepsPerTurn => raise.steps_per_turn = Some(small),
        }
        Command::Raise(raise)
    }

    /// Somebody pauses, resumes or raises unasked.
    fn meddle(&mut self, state: &State) -> Vec<Say> {
        let who = self.anybody();
        let command = match self.random.below(4) {
            0 | 1 => Command::Pause,
            2 => Command::Resume,
            _ => {
                let steps = self.random.chance(500).then(|| self.random.below(4_000));
                let turns = self.random.chance(300).then(|| u32::try_from(self.random.below(60)).unwrap_or(1));
                let tokens = self.random.chance(300).then(|| self.random.below(200_000_000));
                let steps_per_turn = state.ledger.raise.steps_per_turn.map(|n| n / 2);
                Command::Raise(Raise { steps, turns, tokens, steps_per_turn, ..Raise::default() })
            }
        };
        vec![(who, Some(command), false)]
    }

    /// What would be heard, of anybody who is declared.
    fn said_by_nobody(&mut self, state: &State) -> Vec<Say> {
        let ghost = Who {
            name: "ghost".to_owned(),
            how: "claimed".to_owned(),
            groups: Vec::new(),
            undeclared: true,
            via: None,
        };
        let open = state.open_approvals().next().map(|(no, approval)| (no, approval.binds, approval.wants));
        if let Some((no, _, Wants::Form | Wants::Sentence)) = open {
            let said = self.respond(state, no).into_iter();
            return said.map(|(_, command, _)| (ghost.clone(), command, true)).collect();
        }
        let sensible = open.map(|(no, binds, _)| (no, binds));
        let command = match (sensible, state.paused.is_some()) {
            (Some((approval, binds)), _) => {
                Command::Decide { approval, binds, decision: Decision::Approve, comment: self.body() }
            }
            (None, true) => Command::Resume,
            (None, false) => Command::Cancel,
        };
        vec![(ghost, Some(command), true)]
    }

    /// What has to be refused, whenever it is heard.
    fn nonsense(&mut self, state: &State) -> Vec<Say> {
        let Some((no, approval)) = state.approvals.last_key_value() else {
            let unknown = Command::DeadLetter { message: MessageId(0), answer: DeadLetterAnswer::Retry };
            return vec![(self.anybody(), Some(unknown), true)];
        };
        let (no, binds, comment) = (*no, approval.binds, self.body());
        let decide = |approval, binds| Command::Decide { approval, binds, decision: Decision::Approve, comment };
        match self.random.below(7) {
            0 => vec![(self.anybody(), Some(decide(no, self.digest())), true)],
            1 => vec![(self.anybody(), None, true)],
            2 => vec![(self.anybody(), Some(decide(ApprovalNo(0), binds)), true)],
            3 => {
                let strangers =
                    |who: &Who| !state.plan.single_person && person(state, no).is_some_and(|p| !is_asked(p, who));
                let strangers: Vec<Who> = everybody().into_iter().filter(strangers).collect();
                self.random
                    .pick(&strangers)
                    .map(|who| (who.clone(), Some(decide(no, binds)), true))
                    .into_iter()
                    .collect()
            }
            4 => {
                let may_not = |who: &Who| person(state, no).is_some_and(|person| !may_approve(state, person, who));
                let may_not: Vec<Who> = everybody().into_iter().filter(may_not).collect();
                self.random.pick(&may_not).map(|who| (who.clone(), Some(decide(no, binds)), true)).into_iter().collect()
            }
            5 if approval.wants == Wants::Decision && self.random.chance(500) => {
                let (outcome, writes, comment) = (name("answered"), Vec::new(), self.body());
                let answer = Command::Respond { approval: no, binds, outcome, writes, comment, problems: None };
                vec![(self.anybody(), Some(answer), true)]
            }
            5 => {
                let artefact = name("aside");
                let edit = Command::Edit {
                    approval: no,
                    binds,
                    artefact,
                    body: self.body(),
                    findings: None,
                    lists: Lists::new(),
                    problems: None,
                };
                vec![(self.anybody(), Some(edit), true)]
            }
            // An answer to a question that nobody asked, or that is answered; a decision on what is decided.
            _ => {
                // What was edited may open again, if the edit cannot be prepared.
                let open = matches!(approval.fate, None | Some(Fate::Edited(None)));
                let answer = Command::Answer { question: no, happened: true, receipt: self.body() };
                let decided = (self.anybody(), Some(decide(no, binds)), true);
                let mut said = vec![(self.anybody(), Some(answer), true)];
                said.extend((!open).then_some(decided));
                said
            }
        }
    }
}
