//! What every command starts from: the project's settings, its journal, and, if the command drives a run, the system.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Common;
use super::exit::{Exit, Stop};
use super::paint::{Safe, say};
use super::story::{Bodies, Shown, Story};
use crate::actor::history::{self, Loaded};
use crate::actor::system::{self, Handle, System};
use crate::app;
use crate::config::{Flags, Settings};
use crate::id::{ApprovalNo, ArtefactName, RunNo};
use crate::journal::{Query, RunRow, Store};
use crate::model::replay::DRIFT;
use crate::run::event::{Decision, Event, Refusal, Who};
use crate::run::input::{Post, Say};
use crate::run::state::{Approval, Fate, State, Status};
use crate::run::view::why::{letter_text, paused_text};
use crate::tool::part::outbox;
use crate::topology::check::{Checked, check};
use crate::topology::fault::{Faults, nearest};
use crate::topology::plan::{Mode, ModelSpec, Plan, Role};
use crate::topology::recording::Recording;

/// A command's surroundings.
pub(super) struct Session {
    /// What the project says.
    pub settings: Settings,
    /// Whether to take runs over.
    pub take_over: bool,
    /// Where to write a recording of the run that is driven.
    pub record: Option<PathBuf>,
}

/// How long to wait for the answer of a process that drives a run.
const ANSWER_POLLS_MAX: u32 = 100;
const ANSWER_POLL: Duration = Duration::from_millis(50);

impl Session {
    pub(super) fn open(common: &Common) -> Result<Self, Stop> {
        let flags = Flags {
            project: common.project.clone(),
            journal: common.journal.clone(),
            person: common.person.clone(),
            model: common.model.clone(),
            ..Flags::default()
        };
        let settings = Settings::load(&flags).map_err(|error| Stop::input(error.to_string()))?;
        Ok(Self { settings, take_over: common.take_over, record: common.record.clone() })
    }

    /// The time zone in which times are shown.
    pub(super) fn zone(&self) -> &str {
        &self.settings.timezone
    }

    /// The journal, to read.
    pub(super) fn store(&self) -> Result<Arc<dyn Store>, Stop> {
        if !self.settings.journal.exists() {
            return Err(Stop::input("nothing has run here yet; `callsheet run TOPOLOGY` starts a run"));
        }
        Ok(app::store(&self.settings)?)
    }

    /// The system, to drive `row` or post to it, or to start a run.
    pub(super) async fn system(&self, row: Option<&RunRow>) -> Result<app::Running, Stop> {
        // Before anything is paid for.
        self.may_record(row)?;
        Ok(app::start(&self.settings).await?)
    }

    /// A run by number; the newest if none is given.
    pub(super) fn row(&self, store: &dyn Store, no: Option<u64>) -> Result<RunRow, Stop> {
        let query = Query { no: no.map(RunNo), limit: 1, ..Query::default() };
        let found = store.runs(&query)?.into_iter().next();
        found.ok_or_else(|| match no {
            Some(no) => Stop::input(format!("there is no run {no}; `callsheet runs` lists them")),
            None => Stop::input("nothing has run here yet; `callsheet run TOPOLOGY` starts a run"),
        })
    }

    /// The run that an approval or a question belongs to.
    pub(super) fn row_of_approval(&self, store: &dyn Store, no: u64) -> Result<RunRow, Stop> {
        let query = Query { approval: Some(ApprovalNo(no)), limit: 1, ..Query::default() };
        let found = store.runs(&query)?.into_iter().next();
        found.ok_or_else(|| Stop::input(format!("there is no approval {no}; `callsheet approvals` lists what waits")))
    }

    /// A run as its journal has it.
    pub(super) fn load(&self, store: &dyn Store, row: &RunRow) -> Result<Loaded, Stop> {
        Ok(history::load(store, row.id)?)
    }

    /// The topologies of the project, by name.
    pub(super) fn topologies(&self) -> Vec<String> {
        let folder = self.settings.root.join("topologies");
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let tomls = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
        let mut names: Vec<String> = tomls.filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned())).collect();
        names.sort();
        names
    }

    /// Checks a topology.
    pub(super) fn check(&self, topology: &str, mode: Mode) -> Result<Checked, Faults> {
        check(topology, &self.settings.folder(), &app::surroundings(&self.settings, mode)?)
    }

    /// Checks a topology that is to be replayed from `recording`.
    pub(super) fn check_replay(&self, topology: &str, recording: Arc<Recording>) -> Result<Checked, Faults> {
        check(topology, &self.settings.folder(), &app::surroundings_of(&self.settings, recording)?)
    }

    /// Who acts, if the project knows them: where people are declared, nobody else starts or decides anything.
    pub(super) fn declared(&self) -> Result<Who, Stop> {
        let who = self.who();
        match &self.settings.people {
            Some(people) if !people.contains_key(&who.name) => Err(Stop::input(stranger(&who, people))),
            _ => Ok(who),
        }
    }

    /// Who acts, and how that is known.
    pub(super) fn who(&self) -> Who {
        let person = self.settings.person.as_ref();
        let name = person.map_or_else(|| "somebody".to_owned(), |person| person.name.clone());
        let how = if self.settings.people.is_none() {
            "single-person project"
        } else {
            person.map_or("unknown", |p| p.known.word())
        };
        Who { name, how: how.to_owned(), groups: Vec::new(), undeclared: false }
    }

    /// Posts to a run, lets it be heard, and drives the run on if nobody else does. Prints what comes of it.
    pub(super) async fn act(&self, row: &RunRow, say_what: Say) -> Result<Exit, Stop> {
        if row.summary.over {
            return Err(Stop::input(format!("run {} is over: {}", row.no, row.summary.status)));
        }
        let by = self.declared()?;
        let running = self.system(Some(row)).await?;
        let system = &running.system;
        let mut story = Story::open(Arc::clone(&system.ports().store), row.id, self.zone())?;
        story.news()?;
        let id = system.ports().clock.id();
        system.post(row.id, id, &Post { by, say: say_what }).await?;
        let (opened, answer) = self.await_answer(system, row, &mut story, id).await?;
        // Another's word may have been heard before this one, and its process relies on this one to drive the run.
        let goes_on = answer.is_ok() || story.view.state().status() == Status::Running;
        let exit = match opened.filter(|_| goes_on) {
            Some(handle) => self.drive(system, &handle, &mut story, row, &Shown::default()).await,
            None => Ok(Exit::Done),
        };
        running.stop().await;
        answer.and(exit)
    }

    /// Waits until the run has heard the post, and takes the run up for that as soon as nobody else drives it. The
    /// inner error is a refusal, which is the poster's answer.
    pub(super) async fn await_answer(
        &self,
        system: &System,
        row: &RunRow,
        story: &mut Story,
        post: uuid::Uuid,
    ) -> Result<(Option<Handle>, Result<(), Stop>), Stop> {
        let mut opened = None;
        for poll in 0..ANSWER_POLLS_MAX {
            if opened.is_none() {
                opened = match system.open(row.id, self.take_over).await {
                    Ok(handle) => Some(handle),
                    Err(system::Error::Journal(crate::journal::Error::Owned { by })) => {
                        if poll == 0 {
                            say(format!("{by} drives run {}; waiting for it to hear this", row.no));
                        }
                        None
                    }
                    Err(error) => return Err(error.into()),
                };
            }
            // Asked for before the answer is looked for: what was appended until then is read.
            let gone = opened.as_ref().and_then(|handle: &Handle| handle.progress().borrow().gone.clone());
            if let Some(answer) = self.answer(story, post)? {
                return Ok((opened, answer));
            }
            match gone {
                Some(system::Gone::Parked) => opened = None,
                // Nobody else drives it: why this process does not is the reason.
                Some(gone) => return Err(gone.into()),
                None => {}
            }
            tokio::time::sleep(ANSWER_POLL).await;
        }
        Err(Stop::failed("the process that drives the run did not answer; what you said is kept and will be heard"))
    }

    /// The run's answer to the post, if it is there; what else happened is told.
    fn answer(&self, story: &mut Story, post: uuid::Uuid) -> Result<Option<Result<(), Stop>>, Stop> {
        let mut answer = None;
        for (record, entry) in story.news()? {
            let fact = history::read_fact(&record.head.json).map_err(Stop::failed)?;
            match fact.is {
                Event::Heard { post: of, .. } if of == post => answer = Some(Ok(())),
                Event::InputRefused { post: refused, why, .. } if refused == post => {
                    answer = Some(Err(Stop::input(refusal(&why, &story.texts()))));
                }
                _ => entry.iter().for_each(|entry| super::paint::out(super::story::line(entry, self.zone()))),
            }
        }
        Ok(answer)
    }

    /// Says what a run does not heed: how its models are asked was pinned when it started.
    fn tell_pinned(&self, plan: &Plan) {
        let models: BTreeMap<&str, &ModelSpec> = plan.models.values().map(|spec| (spec.model.as_str(), spec)).collect();
        for (model, spec) in models.into_iter().filter(|_| plan.mode == Mode::Live) {
            let changed = self.settings.models.changed(spec).join(", ");
            if !changed.is_empty() {
                say(format!(
                    "callsheet.toml says something else of {} than when this run started ({changed}); the run goes on as it \
                     started, and a new run asks as the file says",
                    Safe(model)
                ));
            }
        }
    }

    /// Drives a live run, telling its story, until it waits, ends, or is interrupted.
    pub(super) async fn drive(
        &self,
        system: &System,
        handle: &Handle,
        story: &mut Story,
        row: &RunRow,
        shown: &Shown,
    ) -> Result<Exit, Stop> {
        self.tell_pinned(&story.view.state().plan);
        let pulses = system.ports().pulses.subscribe();
        let status = tokio::select! {
            status = story.follow(handle, pulses, shown) => status?,
            _ = tokio::signal::ctrl_c() => return self.interrupted(system, story, row, shown).await,
        };
        let (state, texts) = (story.view.state(), story.texts());
        self.hint(state, row, status, &texts);
        self.record(system.ports().store.as_ref(), row)?;
        // Nobody can mend what a recording does not have.
        let drifted = state.dead.values().any(|letter| letter_text(state, &texts, letter).starts_with(DRIFT));
        Ok(if drifted { Exit::Failed } else { Exit::of(state) })
    }

    /// Stops in order after Ctrl-C: tells what happened until then, and how to go on.
    pub(super) async fn interrupted(
        &self,
        system: &System,
        story: &mut Story,
        row: &RunRow,
        shown: &Shown,
    ) -> Result<Exit, Stop> {
        system.stop().await;
        super::paint::passing("");
        story.print(shown)?;
        say(format!("interrupted; everything is kept. Go on with: callsheet resume {}", row.no));
        self.record(system.ports().store.as_ref(), row)?;
        Ok(Exit::Interrupted)
    }

    /// Tells what happened since the last time.
    pub(super) fn tell(&self, story: &mut Story) -> Result<(), Stop> {
        story.print(&Shown::default())
    }

    /// What a person can do next, on stderr.
    pub(super) fn hint(&self, state: &State, row: &RunRow, status: Status, texts: &Bodies) {
        let no = row.no;
        match status {
            Status::Waiting => {
                for (no, approval) in state.open_approvals() {
                    say(still_open(state, no, approval));
                }
                for question in state.questions.keys() {
                    say(format!(
                        "nobody knows whether it happened: look, then callsheet settle {question} --happened (or --did-not)"
                    ));
                }
            }
            Status::Paused => {
                let why = paused_text(state, texts).unwrap_or_default();
                let raise = match &state.paused {
                    Some(why) => super::control::raise_hint(state, why),
                    None => String::new(),
                };
                say(format!("paused: {}. Go on with: callsheet resume {no}{raise}", Safe(&why)));
            }
            Status::Stuck if Exit::of(state) == Exit::Failed => mend_first(state, row, texts),
            Status::Stuck => {
                say(format!(
                    "stuck: see what could not be handled, and say what next, with: callsheet dead-letters {no}"
                ));
                if state.plan.mode == Mode::Live {
                    say("if it is about a model: callsheet doctor calls each once, and says what works");
                }
            }
            Status::Ended(_) => {
                if let Some(folder) = self.folder(row) {
                    say(format!("files: {}", self.shown_path(&folder)));
                }
                for name in signed_off(state) {
                    say(format!("signed off: callsheet show {no} --artefact {name}"));
                }
            }
            Status::Running => {}
        }
        super::story::mark_mode(&state.plan);
    }

    /// The run's own folder, if it has written one.
    pub(super) fn folder(&self, row: &RunRow) -> Option<PathBuf> {
        let wanted = self.settings.root.join("out").join(format!("{}-{}", row.no, row.topology));
        outbox::folder_of(&wanted, row.id).ok().flatten()
    }

    /// A path as people type it from where they stand, harmless.
    pub(super) fn shown_path(&self, path: &Path) -> String {
        let here = std::env::current_dir().ok();
        let short = here.as_ref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
        Safe(&short.display().to_string()).to_string()
    }
}

/// What an open approval waits for, and the commands that lead on.
pub(super) fn still_open(state: &State, no: ApprovalNo, approval: &Approval) -> String {
    let commands = format!("callsheet review {no}\n                 callsheet approve {no}");
    let needed = match state.member(&approval.agent).map(|member| &member.role) {
        Some(Role::Person(person)) => person.needed as usize,
        _ => 1,
    };
    if approval.approved_by.is_empty() {
        return format!("waiting for you: {commands}");
    }
    let by = approval.approved_by.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = needed.saturating_sub(approval.approved_by.len());
    format!("approved by {}; {more} more to approve: {commands} --as NAME", Safe(&by))
}

/// Artefacts that a person approved as they are, with nothing to leave after that.
fn signed_off(state: &State) -> BTreeSet<&ArtefactName> {
    let approved = |approval: &&Approval| {
        approval.manifest.is_none() && matches!(approval.fate, Some(Fate::Decided(_, Decision::Approve)))
    };
    let approvals = state.approvals.values().filter(approved);
    let of = |approval: &Approval| match state.member(&approval.agent).map(|member| &member.role) {
        Some(Role::Person(person)) => person.approves.iter(),
        _ => [].iter(),
    };
    approvals.flat_map(of).collect()
}

/// What failed outside the run, and how it goes on once that is mended.
fn mend_first(state: &State, row: &RunRow, texts: &Bodies) {
    for (message, letter) in &state.dead {
        let why = letter_text(state, texts, letter);
        say(format!("stuck: {}", Safe(why.lines().next().unwrap_or_default())));
        say(format!("once that is mended: callsheet dead-letters {} --retry {message}", row.no));
    }
    if state.plan.mode == Mode::Live {
        say("if it is about a model: callsheet doctor calls each once, and says what works");
    }
}

/// Why `who` may do nothing here, and who may.
fn stranger(who: &Who, people: &BTreeMap<String, Vec<String>>) -> String {
    let known: Vec<&str> = people.keys().map(String::as_str).collect();
    let folded = who.name.trim().to_lowercase();
    let same = known.iter().find(|name| **name == folded).copied();
    let meant = same.or_else(|| nearest(&who.name, known.iter().copied()));
    let meant = meant.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    format!(
        "`{}` is not one of the people that callsheet.toml declares ({}){meant}\nsay who you are with --as NAME, or add \
         yourself under [people]",
        who.name,
        known.join(", ")
    )
}

/// A refusal in words, with what to do.
pub(super) fn refusal(why: &Refusal, texts: &Bodies) -> String {
    match why {
        Refusal::UnknownApproval => {
            "there is no such approval or question; `callsheet approvals` lists what waits".to_owned()
        }
        Refusal::AlreadyDecided { by, decision } => format!("{by} decided before: {}", decision.word()),
        Refusal::AlreadyApproved => "you approved it already; somebody else has to approve it too".to_owned(),
        Refusal::Replaced { by: Some(by) } => {
            format!("replaced by {by}: the content was edited; `callsheet review {by}`")
        }
        Refusal::Replaced { by: None } => "the content was edited; its new approval is being prepared".to_owned(),
        Refusal::ContentChanged => "the content changed since you saw it; review it again".to_owned(),
        Refusal::Closed => "it is closed: its time was up, or the run ended".to_owned(),
        Refusal::NotAllowed => "you may not decide this: the agent's file names who may (`who`)".to_owned(),
        Refusal::NotDeclared { name } => {
            format!("`{name}` is not one of the people that callsheet.toml declares; say who you are with --as NAME")
        }
        Refusal::StarterMayNot => "whoever started the run may not approve here; somebody else has to".to_owned(),
        Refusal::NotTheirs => "this approval is not about that artefact".to_owned(),
        Refusal::FaultyEdit { problems } => {
            format!("the edited version has faults:\n{}", crate::run::view::error_text(texts, *problems))
        }
        Refusal::UnknownDeadLetter => "there is no such dead letter; `callsheet dead-letters` lists them".to_owned(),
        Refusal::NothingToDo => "there is nothing to do: the run is in that state already".to_owned(),
        Refusal::RaiseTooLow => "a new limit has to be above the one in force".to_owned(),
        Refusal::RunOver => "the run is over".to_owned(),
        Refusal::Unreadable => {
            "the run could not read what was posted; is another version of callsheet driving it?".to_owned()
        }
    }
}
