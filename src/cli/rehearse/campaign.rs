//! A run in a scratch copy, driven from outside as a user would: by commands of the real program, each chosen by
//! looking at the journal. Everything is approved.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::came::Came;
use super::scratch::{Scratch, settings};
use crate::cli::exit::Stop;
use crate::config::Settings;
use crate::id::{ApprovalNo, EffectId};
use crate::journal::RunRow;
use crate::run::state::{Approval, State, Status, Wants};
use crate::service::error::Error;
use crate::service::project::Project;
use crate::topology::plan::{ANSWER, Line, Person, Role};
use crate::topology::whom::is_meant;

/// Commands after which a run is given up.
const ACTS_MAX: usize = 100;

/// Set by whoever calls us, and not meant for the copies.
const VARIABLES: [&str; 5] =
    ["CALLSHEET_CRASH", "CALLSHEET_JOURNAL", "CALLSHEET_LOG", "CALLSHEET_MODEL", "CALLSHEET_PERSON"];

/// What is to be run.
pub(super) struct Draft {
    pub(super) topology: String,
    pub(super) params: Vec<String>,
    pub(super) starter: String,
}

/// A run in a folder of its own.
pub(super) struct Campaign<'d> {
    draft: &'d Draft,
    folder: Scratch,
    settings: Settings,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Killed,
    Code(i32),
}

/// What the run wants of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Start,
    TakeUp,
    Decision,
    /// Whether an outward act happened.
    Answer,
}

/// A command.
pub(super) struct Act {
    pub(super) name: String,
    pub(super) wanted: Wanted,
    pub(super) words: Vec<String>,
}

impl<'d> Campaign<'d> {
    pub(super) fn over(draft: &'d Draft, folder: Scratch) -> Result<Self, Stop> {
        let settings = settings(folder.path())?;
        Ok(Self { draft, folder, settings })
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// What a user does next; none if there is nothing left to do.
    pub(super) fn next(&self) -> Result<Option<Act>, Stop> {
        let starter = self.draft.starter.as_str();
        let Some((row, state)) = self.look()? else {
            let mut words = vec!["run".to_owned(), self.draft.topology.clone(), "--rehearse".to_owned()];
            words.extend(self.draft.params.iter().flat_map(|param| ["-p".to_owned(), param.clone()]));
            return Ok(Some(act(Wanted::Start, starter, words)));
        };
        let take_up = || Some(act(Wanted::TakeUp, starter, vec!["resume".to_owned(), row.no.to_string()]));
        if let (Status::Running, _) | (Status::Waiting, true) = (state.status(), row.posted > state.heard) {
            return Ok(take_up());
        }
        if state.status() != Status::Waiting {
            return Ok(None);
        }
        for (no, approval) in state.open_approvals() {
            if approval.wants != Wants::Decision {
                let by = self.decider(&state, approval).unwrap_or_else(|| starter.to_owned());
                return Ok(Some(act(Wanted::Decision, &by, answer(&state, no, approval)?)));
            }
            if let Some(by) = self.decider(&state, approval) {
                return Ok(Some(act(Wanted::Decision, &by, vec!["approve".to_owned(), no.to_string()])));
            }
        }
        let Some((no, effect)) = state.questions.iter().next() else { return Ok(None) };
        let answer = if self.happened(*effect)? { "--happened" } else { "--did-not" };
        Ok(Some(act(Wanted::Answer, starter, vec!["settle".to_owned(), no.to_string(), answer.to_owned()])))
    }

    /// Runs a command that is not to fail.
    pub(super) fn expect(&self, act: &Act) -> Result<(), Stop> {
        match self.callsheet(&act.words, None)? {
            // Waiting, over budget, rejected: the run says so itself. Failed: so does it.
            Ended::Code(0 | 1 | 3 | 4 | 5) => Ok(()),
            // Said twice: the first one was kept when the process died, and counts.
            Ended::Code(2) if matches!(act.wanted, Wanted::Decision | Wanted::Answer) => Ok(()),
            ended => Err(Stop::failed(format!("`{}` ended with {ended:?}", act.name))),
        }
    }

    /// Whether `acts` commands are not too many.
    pub(super) fn bounded(&self, acts: usize) -> Result<(), Stop> {
        if acts < ACTS_MAX {
            return Ok(());
        }
        Err(Stop::failed(format!("{} is not over after {ACTS_MAX} commands", self.draft.topology)))
    }

    /// Runs the real program; with `crash`, it dies there.
    pub(super) fn callsheet(&self, words: &[String], crash: Option<&str>) -> Result<Ended, Stop> {
        let mut command = Command::new(std::env::current_exe()?);
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.args(words).arg("--project").arg(self.root()).arg("--journal").arg(&self.settings.journal);
        command.current_dir(self.root()).envs(crash.map(|crash| ("CALLSHEET_CRASH", crash)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status()?;
        match (status.signal(), status.code()) {
            (Some(9), _) => Ok(Ended::Killed),
            (_, Some(code)) => Ok(Ended::Code(code)),
            (signal, None) => Err(Stop::failed(format!("`{}` died of signal {signal:?}", words.join(" ")))),
        }
    }

    /// What it came to.
    pub(super) fn came(&self) -> Result<Came, Stop> {
        Came::of(&Project::new(self.settings.clone()), self.root())
    }

    fn look(&self) -> Result<Option<(RunRow, State)>, Stop> {
        // Anew each time: nothing of it stays open while the copy's own commands run.
        let project = Project::new(self.settings.clone());
        let row = match project.run(None) {
            Ok(row) => row,
            Err(Error::NothingYet) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let state = project.state(&row)?;
        Ok(Some((row, state)))
    }

    /// Somebody of the project who may approve.
    fn decider(&self, state: &State, approval: &Approval) -> Option<String> {
        let starter = &self.draft.starter;
        let Some(people) = &self.settings.people else { return Some(starter.clone()) };
        let Role::Person(person) = &state.member(&approval.agent)?.role else { return None };
        let may = |name: &&String| {
            let groups = people.get(*name).map(Vec::as_slice).unwrap_or_default();
            is_asked(person, name, groups)
                && !approval.approved_by.contains(*name)
                && (*name != starter || person.starter_may_approve)
        };
        std::iter::once(starter).chain(people.keys()).find(may).cloned()
    }

    /// Whether the act is noted where it goes to, as somebody who looks there finds it.
    fn happened(&self, effect: EffectId) -> Result<bool, Stop> {
        mentions(self.root(), &effect.to_string())
    }
}

/// The command that answers as the script does.
fn answer(state: &State, no: ApprovalNo, approval: &Approval) -> Result<Vec<String>, Stop> {
    let lines = state.plan.script.as_ref().and_then(|script| script.lines.get(&approval.agent));
    let is_question = approval.wants == Wants::Sentence;
    let said = |line: &&Line| is_question == (line.outcome.as_deref() == Some(ANSWER));
    let line = lines.into_iter().flatten().find(said).cloned().unwrap_or_default();
    let mut words = vec!["answer".to_owned(), no.to_string()];
    let outcome = line.outcome.filter(|_| !is_question);
    words.extend(outcome.into_iter().flat_map(|outcome| ["--outcome".to_owned(), outcome]));
    let said = if line.note.is_empty() { "Rehearsed.".to_owned() } else { line.note };
    words.extend(["-m".to_owned(), said]);
    for (artefact, body) in line.writes.iter().filter(|_| !is_question) {
        for (field, value) in body.as_object().into_iter().flatten() {
            let text = match value.as_str() {
                Some(text) => text.to_owned(),
                None => toml::Value::try_from(value).map_err(|why| Stop::failed(why.to_string()))?.to_string(),
            };
            words.push(format!("{artefact}.{field}={text}"));
        }
    }
    Ok(words)
}

fn is_asked(person: &Person, name: &str, groups: &[String]) -> bool {
    person.who.is_empty() || person.who.iter().any(|who| is_meant(who, name, groups))
}

fn act(wanted: Wanted, by: &str, mut words: Vec<String>) -> Act {
    let name = words.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
    words.extend(["--as".to_owned(), by.to_owned()]);
    Act { name, wanted, words }
}

/// Whether a file below `folder`, the journal's own apart, holds `text`.
fn mentions(folder: &Path, text: &str) -> Result<bool, Stop> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let found = match entry.file_type()?.is_dir() {
            true if entry.file_name() == ".callsheet" => false,
            true => mentions(&entry.path(), text)?,
            false => String::from_utf8_lossy(&std::fs::read(entry.path())?).contains(text),
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
