//! The question that `run` asks on a terminal where a person decides. Whatever comes of it, an answer, a refusal, a
//! decision from elsewhere, Ctrl-C, the end of input, is told at once and leads on.

use std::collections::BTreeSet;

use tokio::signal::unix::Signal;

use super::edit;
use super::exit::{Exit, Stop};
use super::fill::fill;
use super::hint::{scripted, still_open};
use super::paint::{Block, Safe, Tone, out, say, toned};
use super::rendered::{self, How};
use super::session::Session;
use super::typed::Typed;
use crate::id::{ApprovalNo, Digest};
use crate::run::event::Decision;
use crate::run::input::Say;
use crate::run::state::{Approval, Status, Wants};
use crate::service::act::Driver;
use crate::service::edit::Edit;
use crate::service::follow::Live;
use crate::service::form::Form;
use crate::service::review::review;
use crate::service::story::Story;

/// What the question came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The run goes on, or is over.
    GoesOn,
    /// It waits, and this person can do no more here.
    Waits,
    /// Ctrl-C.
    Interrupted,
}

/// What a person did at a question.
enum Answer {
    Decided(Decision, String),
    /// Wants to write a version of their own: of this artefact, if they name one.
    Edit(Option<String>),
    /// Wants to see it again.
    Show,
    Left,
    InputEnded,
    /// The approval is no longer what is asked about, or the run went on.
    Overtaken,
    Interrupted,
}

/// What may be answered.
const QUESTION: &str =
    "[a]pprove, [c]hanges TEXT, [r]eject TEXT,\n            [e]dit, [s]how again, or [l]eave it waiting?";

/// What a line says, or why it says nothing.
fn read(line: &str) -> Result<Answer, String> {
    let (word, comment) = line.split_once(' ').unwrap_or((line, ""));
    let comment = comment.trim();
    match (word, comment) {
        ("a" | "approve", _) => Ok(Answer::Decided(Decision::Approve, comment.to_owned())),
        ("c" | "changes" | "r" | "reject", "") => Err(format!("say why on the same line: {word} TEXT")),
        ("c" | "changes", _) => Ok(Answer::Decided(Decision::RequestChanges, comment.to_owned())),
        ("r" | "reject", _) => Ok(Answer::Decided(Decision::Reject, comment.to_owned())),
        ("e" | "edit", "") => Ok(Answer::Edit(None)),
        ("e" | "edit", artefact) => Ok(Answer::Edit(Some(artefact.to_owned()))),
        ("s" | "show", _) => Ok(Answer::Show),
        ("l" | "leave", _) => Ok(Answer::Left),
        ("", _) => Err("an empty line decides nothing: type one of the letters in brackets".to_owned()),
        (word, _) => Err(format!("{} is none of the answers: type one of the letters in brackets", Safe(word))),
    }
}

/// Who is asked about a run that waits.
pub(super) struct Prompt<'a> {
    pub(super) session: &'a Session,
    pub(super) driver: &'a Driver,
    pub(super) typed: &'a mut Typed,
    /// Ctrl-C, heard since before the run was driven: none may fall between two listeners.
    pub(super) interrupts: &'a mut Signal,
}

impl Prompt<'_> {
    /// Shows what waits and asks, one approval after the other.
    pub(super) async fn ask(&mut self, live: &mut Live, story: &mut Story) -> Result<After, Stop> {
        let mut answered = BTreeSet::new();
        loop {
            self.session.tell(story)?;
            let state = story.state();
            if state.status() != Status::Waiting || live.is_gone() {
                return self.caught_up(live, story).await;
            }
            let open = state.open_approvals().map(|(no, of)| (no, of.binds, of.wants));
            let Some((no, binds, wants)) = open.into_iter().find(|(no, ..)| !answered.contains(no)) else {
                return Ok(After::Waits);
            };
            self.show(story, no)?;
            self.driver.looked(story, no, &self.session.project.who()).await?;
            if wants != Wants::Decision {
                answered.insert(no);
                match self.fill(story, no).await? {
                    After::GoesOn => continue,
                    other => return Ok(other),
                }
            }
            match self.answer(live, story, no, binds).await? {
                Answer::Overtaken | Answer::Show => {}
                Answer::Edit(artefact) => {
                    if self.edit(story, no, artefact.as_deref()).await? == After::Interrupted {
                        return Ok(After::Interrupted);
                    }
                }
                Answer::Interrupted => return Ok(After::Interrupted),
                Answer::Left => {
                    say(format!(
                        "left waiting: callsheet review {no} shows it again, callsheet approve {no} approves it"
                    ));
                    return Ok(After::Waits);
                }
                Answer::InputEnded => {
                    say(format!("no more input, so nothing is decided. Decide later with: callsheet approve {no}"));
                    return Ok(After::Waits);
                }
                Answer::Decided(decision, comment) => {
                    let gates = story.state().approvals.get(&no).into_iter().flat_map(Approval::gates);
                    let gates: BTreeSet<String> = gates.filter(|_| decision == Decision::Approve).cloned().collect();
                    // They are accepted one by one, by their names.
                    if let Some(rule) = gates.iter().find(|rule| !comment.split_whitespace().any(|word| word == *rule))
                    {
                        say(format!(
                            "{rule} does not hold: to approve it all the same, write `approve` and the rule's name after it"
                        ));
                        continue;
                    }
                    answered.insert(no);
                    let say_what = match gates.is_empty() {
                        true => Say::Decide { approval: no, binds, decision, comment },
                        false => Say::Accept { approval: no, binds, rules: gates, comment },
                    };
                    let told = Self::post(self.session, self.driver, story, no, say_what);
                    tokio::select! {
                        told = told => told?,
                        _ = self.interrupts.recv() => return Ok(After::Interrupted),
                    }
                }
            }
        }
    }

    fn show(&self, story: &Story, no: ApprovalNo) -> Result<(), Stop> {
        let review = review(&self.session.project, story, no, &self.session.project.who())?;
        out(rendered::approval(&review, &story.state().plan, self.session.zone(), How::default()));
        Ok(())
    }

    /// Lets the person fill in what is asked of them, and posts it.
    async fn fill(&mut self, story: &mut Story, no: ApprovalNo) -> Result<After, Stop> {
        let form = Form::of(story, no)?;
        let filled = tokio::select! {
            filled = fill(self.typed, &form) => filled,
            _ = self.interrupts.recv() => return Ok(After::Interrupted),
        };
        let Some(say_what) = filled else {
            say(format!("no more input: it stays as it is. Answer with: callsheet answer {no}"));
            return Ok(After::Waits);
        };
        let told = Self::post(self.session, self.driver, story, no, say_what);
        tokio::select! {
            told = told => told.map(|()| After::GoesOn),
            _ = self.interrupts.recv() => Ok(After::Interrupted),
        }
    }

    /// Asks until there is an answer, or what is asked about is no more.
    async fn answer(
        &mut self,
        live: &mut Live,
        story: &mut Story,
        no: ApprovalNo,
        binds: Digest,
    ) -> Result<Answer, Stop> {
        loop {
            say(format!("approval {no}: {QUESTION}"));
            let line = loop {
                tokio::select! {
                    line = self.typed.line() => break line,
                    is_driven = live.changed() => {
                        self.session.tell(story)?;
                        let state = story.state();
                        let open = state.open_approvals().any(|(open, of)| open == no && of.binds == binds);
                        if !is_driven {
                            let no = story.row.no;
                            return Err(Stop::failed(format!("the run is no longer driven here: callsheet resume {no}")));
                        }
                        if !open || live.is_gone() || state.status() != Status::Waiting {
                            say(format!("approval {no} is not asked here any more"));
                            return Ok(Answer::Overtaken);
                        }
                    }
                    _ = self.interrupts.recv() => return Ok(Answer::Interrupted),
                }
            };
            let Some(line) = line else { return Ok(Answer::InputEnded) };
            match read(&line) {
                Ok(answer) => return Ok(answer),
                Err(why) => say(why),
            }
        }
    }

    /// Lets the person write a version of their own and posts it. What is wrong with it, or with the editor, leaves the
    /// approval as it was.
    async fn edit(&mut self, story: &mut Story, no: ApprovalNo, artefact: Option<&str>) -> Result<After, Stop> {
        let written = match Edit::of(story, no, artefact).map_err(Stop::from) {
            Ok(edit) => edit::in_editor(&self.session.settings.editor, &edit).await.map(|body| (edit, body)),
            Err(stop) => Err(stop),
        };
        let say_what = match written {
            Ok((edit, Some(body))) => edit.say(body),
            Ok((_, None)) => {
                say(edit::UNCHANGED);
                return Ok(After::GoesOn);
            }
            Err(stop) if stop.exit == Exit::Interrupted => return Ok(After::Interrupted),
            Err(stop) => {
                say(format!("{}; approval {no} is as it was", Block(&stop.text)));
                return Ok(After::GoesOn);
            }
        };
        let told = Self::post(self.session, self.driver, story, no, say_what);
        tokio::select! {
            told = told => told.map(|()| After::GoesOn),
            _ = self.interrupts.recv() => Ok(After::Interrupted),
        }
    }

    /// Posts the decision and tells what the run says to it.
    async fn post(
        session: &Session,
        driver: &Driver,
        story: &mut Story,
        no: ApprovalNo,
        say_what: Say,
    ) -> Result<(), Stop> {
        let scripted = scripted(story.state(), &say_what);
        let (_, answer) = session.post(driver, story, say_what).await?;
        match answer {
            Err(refused) => {
                say(format!("{} {}", toned(Tone::Bad, "refused:"), Block(&Stop::from(refused).text)));
            }
            Ok(()) => {
                say(format!("{no}: the run has heard you"));
                if let Some(hint) = scripted {
                    say(hint);
                }
            }
        }
        if let Some((_, approval)) = story.state().open_approvals().find(|(open, _)| *open == no) {
            say(still_open(story, no, approval));
        }
        Ok(())
    }

    /// Waits until the run's owner stands where its journal stands, so that whoever follows it does not see it wait.
    async fn caught_up(&mut self, live: &mut Live, story: &Story) -> Result<After, Stop> {
        tokio::select! {
            left_alone = live.caught_up(story.seq()) => Ok(if left_alone { After::Waits } else { After::GoesOn }),
            _ = self.interrupts.recv() => Ok(After::Interrupted),
        }
    }
}
