//! What every command starts from: the project, and, if the command drives a run, the system. It tells what happens while
//! a run goes on or an answer is waited for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::exit::{Exit, Stop};
use super::hint::hint;
use super::paint::{Safe, passing, say};
use super::record::{may_record, record};
use super::story::{Shown, Teller};
use crate::config::{Flags, Settings};
use crate::journal::RunRow;
use crate::run::input::Say;
use crate::run::state::Status;
use crate::service::act::{Driver, may_act};
use crate::service::answer;
use crate::service::error::Error;
use crate::service::follow::{Live, Step};
use crate::service::project::Project;
use crate::service::story::Story;
use crate::topology::fault::Faults;
use crate::topology::plan::{Mode, ModelSpec, Plan};
use crate::topology::raw::walk::duration_ms;

/// The slowest pace of a rehearsal.
const PACE_MS_MAX: u64 = 10_000;

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Common {
    /// Works in this folder's project; the default is the folder you are in
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) project: Option<PathBuf>,
    /// Keeps the runs in this file; the default is .callsheet/journal.db beside callsheet.toml
    #[arg(long, global = true, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Says who you are. Nobody checks it, but where callsheet.toml declares people, you have to be one of them
    #[arg(long = "as", global = true, value_name = "NAME")]
    person: Option<String>,
    /// Asks this model for every agent, such as openai/gpt-5. Where no model is named, runs are rehearsals
    #[arg(long, global = true, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// Writes down what the run's models were asked and said; `run --replay` plays it again
    #[arg(long, global = true, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Slows rehearsals down so that you can follow them: each reply takes this long, such as 1s
    #[arg(long, global = true, value_name = "TIME", value_parser = pace)]
    pace: Option<Duration>,
    /// Takes a run over from another process that drives it and hangs
    #[arg(long, global = true)]
    take_over: bool,
}

/// A command's surroundings.
pub(super) struct Session {
    /// The project.
    pub project: Arc<Project>,
    /// What it says.
    pub settings: Arc<Settings>,
    /// Tells stories.
    pub teller: Teller,
    /// Whether to take runs over.
    take_over: bool,
    /// Where to write a recording of the run that is driven.
    record: Option<PathBuf>,
}

/// A pace: short enough that no call's time is up.
fn pace(text: &str) -> Result<Duration, String> {
    let ms = duration_ms(text).filter(|ms| *ms <= PACE_MS_MAX);
    ms.map(Duration::from_millis).ok_or_else(|| "write a time of at most ten seconds, such as \"1s\"".to_owned())
}

/// What the command line says of settings.
fn flags(common: &Common) -> Flags {
    Flags {
        project: common.project.clone(),
        journal: common.journal.clone(),
        person: common.person.clone(),
        model: common.model.clone(),
        pace: common.pace,
        ..Flags::default()
    }
}

impl Session {
    pub(super) fn open(common: &Common) -> Result<Self, Stop> {
        let settings = Settings::load(&flags(common)).map_err(|error| Stop::input(error.to_string()))?;
        Ok(Self::over(common, settings))
    }

    /// The same as far as the files can be made out, with every fault of `callsheet.toml`: to check, not to start anything.
    pub(super) fn look(common: &Common) -> Result<(Self, Faults), Stop> {
        let looked = Settings::look_around(&flags(common)).map_err(|error| Stop::input(error.to_string()));
        looked.map(|(settings, faults)| (Self::over(common, settings), faults))
    }

    fn over(common: &Common, settings: Settings) -> Self {
        let project = Arc::new(Project::new(settings));
        let settings = Arc::clone(&project.settings);
        let teller = Teller::new(&settings.timezone);
        Self { project, settings, teller, take_over: common.take_over, record: common.record.clone() }
    }

    /// The time zone in which times are shown.
    pub(super) fn zone(&self) -> &str {
        &self.settings.timezone
    }

    /// This process as one that drives the run of `row` or posts to it, or starts a run.
    pub(super) async fn driver(&self, row: Option<&RunRow>) -> Result<Driver, Stop> {
        // Before anything is paid for.
        self.may_record(row)?;
        Ok(Driver::begin(&self.project, self.take_over).await?)
    }

    /// Whether a recording can be written, if one is wanted.
    pub(super) fn may_record(&self, row: Option<&RunRow>) -> Result<(), Stop> {
        self.record.as_ref().map_or(Ok(()), |path| may_record(&self.project, path, row))
    }

    /// Writes the recording of `row` if one is wanted.
    pub(super) fn record(&self, row: &RunRow) -> Result<(), Stop> {
        let Some(path) = &self.record else { return Ok(()) };
        let calls = record(&self.project, path, row)?;
        say(format!("recorded: {calls} calls of models in {}", self.shown_path(path)));
        Ok(())
    }

    /// Posts to a run, lets it be heard, and drives the run on if nobody else does. Prints what comes of it.
    pub(super) async fn act(&self, story: &mut Story, say_what: Say) -> Result<Exit, Stop> {
        may_act(&self.project, &story.row, self.project.who())?;
        let driver = self.driver(Some(&story.row)).await?;
        let exit = self.post_and_drive(&driver, story, say_what).await;
        driver.stop().await;
        exit
    }

    /// As [`Session::act`], of what decides nothing: it is on record, however the run stands then.
    pub(super) async fn note(&self, story: &mut Story, say_what: Say) -> Result<Exit, Stop> {
        let exit = self.act(story, say_what).await?;
        Ok(if exit == Exit::Waiting { Exit::Done } else { exit })
    }

    async fn post_and_drive(&self, driver: &Driver, story: &mut Story, say_what: Say) -> Result<Exit, Stop> {
        let (live, answer) = self.post(driver, story, say_what).await?;
        // Another's word may have been heard before this one, and its process relies on this one to drive the run.
        let goes_on = answer.is_ok() || story.state().status() == Status::Running;
        let exit = match live.filter(|_| goes_on) {
            Some(mut live) => self.drive(driver, &mut live, story, &Shown::default()).await,
            None => Ok(Exit::Done),
        };
        answer?;
        exit
    }

    /// Posts to a run, and tells what happens until it answers. The inner error is a refusal.
    pub(super) async fn post(
        &self,
        driver: &Driver,
        story: &mut Story,
        say_what: Say,
    ) -> Result<(Option<Live>, Result<(), Error>), Stop> {
        let mut waiting = driver.post(story, self.project.who(), say_what).await?;
        loop {
            match waiting.next(story).await? {
                answer::Step::DrivenBy(by) => {
                    say(format!("{by} drives run {}; waiting for it to hear this", story.row.no));
                }
                answer::Step::News(news) => self.teller.print(story, &news, &Shown::default()),
                answer::Step::Answered { answer, live } => return Ok((live, answer)),
            }
        }
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
        driver: &Driver,
        live: &mut Live,
        story: &mut Story,
        shown: &Shown,
    ) -> Result<Exit, Stop> {
        self.tell_pinned(&story.state().plan);
        let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
        let status = loop {
            let step = tokio::select! {
                step = live.next(story) => step,
                _ = &mut interrupt => return self.interrupted(driver, story, shown).await,
            };
            if !matches!(step, Ok(Step::Answering(_))) {
                passing("");
            }
            match step? {
                Step::News(news) => self.teller.print(story, &news, shown),
                Step::Answering(heard) => passing(format!("{} answers: {} bytes so far", heard.agent, heard.bytes)),
                Step::Rests(status) => break status,
            }
        };
        self.hint(story, status);
        self.record(&story.row)?;
        Ok(Exit::of(story))
    }

    /// Stops in order after Ctrl-C: tells what happened until then, and how to go on.
    pub(super) async fn interrupted(&self, driver: &Driver, story: &mut Story, shown: &Shown) -> Result<Exit, Stop> {
        driver.interrupt().await;
        passing("");
        let news = story.news()?;
        self.teller.print(story, &news, shown);
        say(format!("interrupted; everything is kept. Go on with: callsheet resume {}", story.row.no));
        self.record(&story.row)?;
        Ok(Exit::Interrupted)
    }

    /// Tells what happened since the last time.
    pub(super) fn tell(&self, story: &mut Story) -> Result<(), Stop> {
        let news = story.news()?;
        self.teller.print(story, &news, &Shown::default());
        Ok(())
    }

    /// What a person can do next, on stderr.
    pub(super) fn hint(&self, story: &Story, status: Status) {
        let files = self.project.folder(&story.row).map(|folder| self.shown_path(&folder));
        hint(story, status, files.as_deref(), self.zone());
    }

    /// A path as people type it from where they stand, harmless.
    pub(super) fn shown_path(&self, path: &Path) -> String {
        let here = std::env::current_dir().ok();
        let short = here.as_ref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
        Safe(&short.display().to_string()).to_string()
    }
}
