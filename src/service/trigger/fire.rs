//! Looks what is due, and starts it. A look keeps nothing that the journal does not say: another server's look, and one after a
//! crash, come to the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::due::{self, Times};
use super::given::{self, Came};
use crate::actor::history;
use crate::actor::system::Made;
use crate::id::{Digest, RunId, RunNo, Timestamp};
use crate::journal::{self, Done, Fired, Firing, Firings, Op, Query, RunRow, Unfired, Watch};
use crate::run::event::Who;
use crate::service::act::Driver;
use crate::service::error::Error;
use crate::service::project::Project;
use crate::service::start::{Start, Voice, texts};
use crate::topology::check;
use crate::topology::plan::Mode;
use crate::topology::spec::Labels;
use crate::topology::trigger::{Missed, Overlap, Trigger, When};

/// The time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// How late a time may be seen that was not missed.
const LATE_MS_MAX: u64 = 300_000;

/// How long a firing that could not start a run is left alone, and how long it is tried.
const REST_MS: u64 = 60_000;
const TRIED_MS_MAX: u64 = 86_400_000;

/// Runs that one look follows, for each trigger.
const FOLLOWED_MAX: usize = 1_000;

/// The triggers of a project, while a server runs.
pub struct Triggers {
    project: Arc<Project>,
    driver: Arc<Driver>,
    /// How a face says why something cannot be done.
    words: fn(Error) -> String,
    kept: Mutex<Kept>,
}

/// What need not be asked again.
#[derive(Default)]
struct Kept {
    /// As what each trigger is watched, and since when.
    watched: HashMap<String, (Digest, Timestamp)>,
    /// Firings that are left alone, by trigger and key, and until when by the machine's uptime.
    rests: HashMap<(String, String), u64>,
    /// Triggers that are wrong, which was told.
    broken: BTreeMap<String, Vec<String>>,
}

/// A trigger, and what fires it now.
pub(super) struct Due<'t> {
    pub(super) topology: &'t str,
    pub(super) trigger: &'t Trigger,
    /// What tells this firing from others.
    pub(super) key: String,
    pub(super) at: Timestamp,
    /// What fired it, in words.
    pub(super) why: String,
    pub(super) voice: Voice,
}

impl Due<'_> {
    fn id(&self) -> String {
        id(self.topology, &self.trigger.name)
    }
}

/// What a firing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// This run.
    Started(RunNo),
    /// Nothing, because this run of the trigger is not over; it is tried again.
    Waits(RunNo),
    /// Nothing, and why.
    Skipped(String),
    /// Nothing, and why; it is tried again.
    Failed(String),
    /// Nothing, because of what came with it; it is tried again.
    Unfit(String),
}

/// Why no run can start.
enum Unstarted {
    /// What came gives a parameter no value that it takes.
    Unfit(String),
    /// Something else.
    Failed(String),
}

/// What a trigger is called in the whole project.
pub fn id(topology: &str, name: &str) -> String {
    format!("{topology}.{name}")
}

impl Triggers {
    /// Those of `project`, whose runs `driver` drives.
    pub fn new(project: &Arc<Project>, driver: &Arc<Driver>, words: fn(Error) -> String) -> Arc<Self> {
        let (project, driver) = (Arc::clone(project), Arc::clone(driver));
        Arc::new(Self { project, driver, words, kept: Mutex::default() })
    }

    /// Looks now and then, until `ends` says so.
    pub async fn watch(self: Arc<Self>, mut ends: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => self.look().await,
                _ = ends.changed() => return,
            }
        }
    }

    /// Starts what is due.
    pub async fn look(&self) {
        let project = Arc::clone(&self.project);
        let declared = move || -> Vec<_> {
            let of = |topology: String| {
                let (triggers, broken) = check::triggers(&topology, &project.settings.folder());
                (topology, triggers, broken)
            };
            project.topologies().into_iter().map(of).collect()
        };
        let Ok(declared) = tokio::task::spawn_blocking(declared).await else { return };
        for (topology, triggers, broken) in declared {
            self.tell_broken(&topology, broken);
            for trigger in &triggers {
                let came = match &trigger.when {
                    When::Cron { .. } => self.by_time(&topology, trigger).await,
                    When::After(before) => self.after(&topology, trigger, before).await,
                    When::Webhook { .. } => Ok(()),
                };
                if let Err(error) = came {
                    let why = (self.words)(error);
                    tracing::error!(trigger = id(&topology, &trigger.name), %why, "a trigger cannot be looked at");
                }
            }
        }
    }

    /// Says once which triggers nobody can fire, as their files are now.
    fn tell_broken(&self, topology: &str, broken: Vec<String>) {
        let mut kept = self.kept();
        if kept.broken.get(topology).is_some_and(|told| *told == broken) {
            return;
        }
        for name in &broken {
            let trigger = id(topology, name);
            tracing::error!(trigger, "a trigger has faults and fires nothing: callsheet check {topology}");
        }
        kept.broken.insert(topology.to_owned(), broken);
    }

    /// A trigger that fires at times: the last of them counts that has come.
    async fn by_time(&self, topology: &str, trigger: &Trigger) -> Result<(), Error> {
        let When::Cron { pattern, missed } = &trigger.when else { return Ok(()) };
        let since = self.since(topology, trigger).await?;
        let zone = &self.project.settings.timezone;
        let now = self.now();
        let last = Times::of(pattern, zone).and_then(|times| times.last(now));
        let Some(at) = last.filter(|at| *at > since) else { return Ok(()) };
        let (key, why) = (iso(at), format!("due {}", shown(at, zone)));
        let due = Due { topology, trigger, key, at, why, voice: Voice::Named };
        let is_late = now.ms_since(at) > LATE_MS_MAX;
        if *missed == Missed::Skip && is_late && self.known(&due).await?.is_none() {
            return self.note(&due, journal::Came::Skipped("no server ran at that time".to_owned())).await;
        }
        self.fire(&due, || Ok(Came::default())).await.map(drop)
    }

    /// A trigger that follows runs: each of them that is done counts, the earliest first.
    async fn after(&self, topology: &str, trigger: &Trigger, before: &str) -> Result<(), Error> {
        let since = self.since(topology, trigger).await?;
        let unfired = Unfired { topology: before.to_owned(), since, trigger: id(topology, &trigger.name) };
        let query = Query { unfired: Some(unfired), limit: FOLLOWED_MAX, ..Query::default() };
        let mut rows = self.read(move |project| Ok(project.store()?.runs(&query)?)).await?;
        rows.sort_by_key(|row| (row.updated_at, row.no));
        for row in rows {
            if matches!(self.follow(topology, trigger, row).await?, Some(Fate::Waits(_))) {
                break;
            }
        }
        Ok(())
    }

    async fn follow(&self, topology: &str, trigger: &Trigger, row: RunRow) -> Result<Option<Fate>, Error> {
        let run = row.id;
        let begun = self.read(move |project| Ok(history::started(project.store()?.as_ref(), run)?)).await?;
        // What follows a rehearsal is one.
        let voice = if begun.mode == Mode::Live { Voice::Named } else { Voice::Script };
        let (key, why) = (Unfired::key(row.id), format!("after run {}", row.no));
        let due = Due { topology, trigger, key, at: row.updated_at, why, voice };
        let project = Arc::clone(&self.project);
        self.fire(&due, move || given::ended(&project, &row)).await
    }

    /// Starts a run for a firing, unless that is settled, waits or is left alone.
    pub(super) async fn fire(
        &self,
        due: &Due<'_>,
        came: impl FnOnce() -> Result<Came, Error> + Send + 'static,
    ) -> Result<Option<Fate>, Error> {
        let known = self.known(due).await?;
        if known.as_ref().is_some_and(|firing| firing.came.is_settled()) || self.rests(due) {
            return Ok(None);
        }
        if let Some(run) = self.not_over(due).await? {
            return self.overlaps(due, run, known).await.map(Some);
        }
        let start = match self.start(due, came).await {
            Ok(start) => start,
            Err(Unstarted::Failed(why)) => return self.failed(due, why, known).await.map(Some),
            Err(Unstarted::Unfit(why)) => {
                let fate = self.failed(due, why, known).await?;
                return Ok(Some(if let Fate::Failed(why) = fate { Fate::Unfit(why) } else { fate }));
            }
        };
        let (start, labels) = start;
        let fired = Fired {
            trigger: due.id(),
            key: due.key.clone(),
            due_at: due.at,
            alone: due.trigger.overlap != Overlap::Start,
        };
        match self.driver.system().fire(&start.plan, (&start.brief, labels), start.by, fired).await {
            Ok(Made::Run(run)) => {
                tracing::info!(trigger = due.id(), run = %run.no, why = due.why, "a trigger started a run");
                Ok(Some(Fate::Started(run.no)))
            }
            Ok(Made::Settled(_)) => Ok(None),
            Ok(Made::Overlaps(no)) => {
                let row = self.read(move |project| project.run(Some(no))).await?;
                self.overlaps(due, row, known).await.map(Some)
            }
            Err(error) => self.failed(due, (self.words)(error.into()), known).await.map(Some),
        }
    }

    /// What would start, and what its parameters carry; or why nothing can.
    async fn start(
        &self,
        due: &Due<'_>,
        came: impl FnOnce() -> Result<Came, Error> + Send + 'static,
    ) -> Result<(Start, Labels), Unstarted> {
        let (project, words) = (Arc::clone(&self.project), self.words);
        let (topology, params, voice) = (due.topology.to_owned(), due.trigger.params.clone(), due.voice.clone());
        let who = Who {
            // A name with a space is nobody's.
            name: format!("trigger {}", due.trigger.name),
            how: due.why.clone(),
            groups: Vec::new(),
            undeclared: false,
            via: None,
        };
        let no_time = || Unstarted::Failed("there is no such time".to_owned());
        let at = due::zoned(due.at, &self.project.settings.timezone).ok_or_else(no_time)?;
        let made = move || {
            let came = came().map_err(|error| Unstarted::Failed(words(error)))?;
            let (values, labels) = given::values(&params, &at, &came).map_err(Unstarted::Unfit)?;
            let start = Start::by_trigger(&project, &topology, &voice, &texts(values), who);
            let start = start.map_err(|error| match error {
                error @ Error::Param(_) => Unstarted::Unfit(words(error)),
                error => Unstarted::Failed(words(error)),
            })?;
            Ok((start, labels))
        };
        tokio::task::spawn_blocking(made).await.map_err(|error| Unstarted::Failed(error.to_string()))?
    }

    /// What becomes of a firing while the run before is not over.
    async fn overlaps(&self, due: &Due<'_>, run: RunRow, known: Option<Firing>) -> Result<Fate, Error> {
        if due.trigger.overlap == Overlap::Skip {
            let why = format!("run {} was not over", run.no);
            self.note(due, journal::Came::Skipped(why.clone())).await?;
            return Ok(Fate::Skipped(why));
        }
        let came = journal::Came::Waits(run.id);
        if known.is_none_or(|firing| firing.came != came) {
            self.note(due, came).await?;
        }
        Ok(Fate::Waits(run.no))
    }

    /// Notes why a firing could not start a run; it is tried again after a while, and for a day.
    async fn failed(&self, due: &Due<'_>, why: String, known: Option<Firing>) -> Result<Fate, Error> {
        // Whoever sent a request sends it again when they will.
        if !matches!(due.trigger.when, When::Webhook { .. }) {
            let until = self.driver.system().ports().clock.uptime_ms().saturating_add(REST_MS);
            self.kept().rests.insert((due.id(), due.key.clone()), until);
        }
        if self.now().ms_since(due.at) > TRIED_MS_MAX {
            tracing::error!(trigger = due.id(), why, "a trigger could start no run within a day, and gives up");
            self.note(due, journal::Came::Skipped(format!("it could not start within a day: {why}"))).await?;
            return Ok(Fate::Skipped(why));
        }
        let came = journal::Came::Failed(why.clone());
        if known.is_none_or(|firing| firing.came != came) {
            tracing::error!(trigger = due.id(), why, "a trigger could start no run, and tries again");
            self.note(due, came).await?;
        }
        Ok(Fate::Failed(why))
    }

    fn rests(&self, due: &Due<'_>) -> bool {
        let now = self.driver.system().ports().clock.uptime_ms();
        let mut kept = self.kept();
        kept.rests.retain(|_, until| *until > now);
        kept.rests.contains_key(&(due.id(), due.key.clone()))
    }

    /// What a firing came to that is settled.
    pub(super) async fn settled(&self, due: &Due<'_>) -> Result<Fate, Error> {
        let known = self.known(due).await?.map(|firing| firing.came);
        if let Some(run) = known.as_ref().and_then(journal::Came::run) {
            let row = self.read(move |project| project.known(run)).await?;
            return Ok(row.map_or_else(|| Fate::Skipped("its run is gone".to_owned()), |row| Fate::Started(row.no)));
        }
        Ok(match known {
            Some(journal::Came::Skipped(why)) => Fate::Skipped(why),
            _ => Fate::Failed("it is not settled yet".to_owned()),
        })
    }

    /// The project whose triggers these are.
    pub(super) fn project(&self) -> &Arc<Project> {
        &self.project
    }

    /// What is noted of a firing.
    async fn known(&self, due: &Due<'_>) -> Result<Option<Firing>, Error> {
        let query = Firings { trigger: Some(due.id()), key: Some(due.key.clone()), limit: 1, ..Firings::default() };
        self.read(move |project| Ok(project.store()?.firings(&query)?.pop())).await
    }

    /// The run that a trigger started last, if it is to be over first and is not. That is asked once more when the run is made.
    async fn not_over(&self, due: &Due<'_>) -> Result<Option<RunRow>, Error> {
        if due.trigger.overlap == Overlap::Start {
            return Ok(None);
        }
        let query = Firings { trigger: Some(due.id()), started: true, limit: 1, ..Firings::default() };
        self.read(move |project| {
            let last = project.store()?.firings(&query)?.pop().and_then(|firing| firing.came.run());
            let row = last.map_or(Ok(None), |run: RunId| project.known(run))?;
            Ok(row.filter(|row| !row.summary.over))
        })
        .await
    }

    /// Since when a trigger fires at what it fires at now: what came before it was written does not count.
    async fn since(&self, topology: &str, trigger: &Trigger) -> Result<Timestamp, Error> {
        let id = id(topology, &trigger.name);
        let when = serde_json::to_vec(&trigger.when).unwrap_or_default();
        let zone = match trigger.when {
            When::Cron { .. } => self.project.settings.timezone.as_bytes(),
            When::After(_) | When::Webhook { .. } => &[],
        };
        let what = Digest::of("callsheet trigger 1", &[&when, zone]);
        if let Some((_, since)) = self.kept().watched.get(&id).filter(|(known, _)| *known == what) {
            return Ok(*since);
        }
        let watch = Watch { trigger: id.clone(), what, at: self.now() };
        let since = match self.commit(Op::Watch(watch)).await? {
            Done::Watched(since) => since,
            _ => self.now(),
        };
        self.kept().watched.insert(id, (what, since));
        Ok(since)
    }

    async fn note(&self, due: &Due<'_>, came: journal::Came) -> Result<(), Error> {
        let Due { key, at: due_at, .. } = due;
        let firing = Firing { trigger: due.id(), key: key.clone(), due_at: *due_at, at: self.now(), came };
        self.commit(Op::Note(firing)).await.map(drop)
    }

    async fn commit(&self, op: Op) -> Result<Done, Error> {
        Ok(self.driver.system().ports().writer.commit(op).await?)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.driver.system().ports().clock.now()
    }

    /// Has `read` look at the journal on a thread that may wait.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Project) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let project = Arc::clone(&self.project);
        let came = tokio::task::spawn_blocking(move || read(&project)).await;
        came.unwrap_or_else(|error| Err(Error::Unreachable(error.to_string())))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time as a key.
fn iso(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |time| time.to_string())
}

/// A time in words.
fn shown(at: Timestamp, zone: &str) -> String {
    due::zoned(at, zone).map_or_else(|| at.0.to_string(), |time| time.strftime("%Y-%m-%d %H:%M %Z").to_string())
}
