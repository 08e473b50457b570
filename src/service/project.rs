//! A project as everybody works with it: its settings, its topologies, its journal, its people. Finding a run is here; what
//! is then done with it has a file each.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::error::Error;
use super::story::Story;
use crate::actor::history;
use crate::actor::recording::recording;
use crate::app;
use crate::config::Settings;
use crate::id::{ApprovalNo, RunId, RunNo, Seq};
use crate::journal::{Query, RunRow, Store};
use crate::run::event::{Channel, Who};
use crate::run::state::State;
use crate::tool::part::outbox;
use crate::topology::check::{Checked, check};
use crate::topology::fault::Faults;
use crate::topology::plan::Mode;
use crate::topology::recording::Recording;

/// A topology that can start, as far as its files say.
pub struct Startable {
    /// What was checked.
    pub checked: Checked,
    /// What is wrong with data and queries that it does not use.
    pub elsewhere: Faults,
    /// What is missing in the environment, a sentence each.
    pub unset: Vec<String>,
}

/// A project.
pub struct Project {
    /// What it says.
    pub settings: Arc<Settings>,
    /// Its journal, once it was opened: it is opened once.
    store: Mutex<Option<Arc<dyn Store>>>,
}

impl Project {
    /// The project of these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), store: Mutex::default() }
    }

    /// The project of these settings over a journal that is open already.
    pub fn over(settings: Settings, store: Arc<dyn Store>) -> Self {
        Self { settings: Arc::new(settings), store: Mutex::new(Some(store)) }
    }

    /// The journal; to read, until a system runs over it.
    pub(super) fn store(&self) -> Result<Arc<dyn Store>, Error> {
        let mut known = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = known.as_ref() {
            return Ok(Arc::clone(store));
        }
        if !self.settings.journal.exists() {
            return Err(Error::NothingYet);
        }
        let store = app::store(&self.settings)?;
        *known = Some(Arc::clone(&store));
        Ok(store)
    }

    /// From now on the journal is read through `store`, which is over the same one.
    pub(super) fn read_in(&self, store: Arc<dyn Store>) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Some(store);
    }

    /// A run by number; the newest if none is given.
    ///
    /// # Errors
    /// If there is none.
    pub fn run(&self, no: Option<RunNo>) -> Result<RunRow, Error> {
        let newest = Query { limit: 1, ..Query::default() };
        let store = self.store()?;
        let found = store.runs(&Query { no, ..newest.clone() })?.into_iter().next();
        match (found, no) {
            (Some(row), _) => Ok(row),
            (None, None) => Err(Error::NothingYet),
            (None, Some(no)) => {
                let newest = store.runs(&newest)?.first().map(|row| row.no);
                Err(Error::UnknownRun { no, newest })
            }
        }
    }

    /// The run that an approval or a question belongs to.
    ///
    /// # Errors
    /// If there is none.
    pub fn run_of_approval(&self, no: ApprovalNo) -> Result<RunRow, Error> {
        let query = Query { approval: Some(no), limit: 1, ..Query::default() };
        let found = self.store()?.runs(&query)?.into_iter().next();
        found.ok_or(Error::UnknownApproval(no))
    }

    /// The runs, newest first; only those that are not over, if `live`.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn runs(&self, live: bool, limit: usize) -> Result<Vec<RunRow>, Error> {
        Ok(self.store()?.runs(&Query { live, limit, ..Query::default() })?)
    }

    /// The last record of each run that is not over: little to read, however many there are.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn lasts(&self) -> Result<Vec<(RunId, Seq)>, Error> {
        Ok(self.store()?.lasts()?)
    }

    /// The run with this id.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn known(&self, id: RunId) -> Result<Option<RunRow>, Error> {
        Ok(self.store()?.runs(&Query { id: Some(id), ..Query::default() })?.into_iter().next())
    }

    /// The runs with higher numbers, newest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn newer(&self, above: RunNo) -> Result<Vec<RunRow>, Error> {
        Ok(self.store()?.runs(&Query { above: Some(above), ..Query::default() })?)
    }

    /// A number that changes whenever something is written to the journal, by whomever.
    ///
    /// # Errors
    /// If nothing has run here yet, or the journal cannot be watched.
    pub fn changes(&self) -> Result<watch::Receiver<u64>, Error> {
        Ok(self.store()?.changes()?)
    }

    /// The story of a run at its beginning.
    ///
    /// # Errors
    /// If the run cannot be read.
    pub fn story(&self, row: RunRow) -> Result<Story, Error> {
        Story::open(self.store()?, row)
    }

    /// The story of a run, read up to now.
    ///
    /// # Errors
    /// As [`Story::news`].
    pub fn read(&self, row: RunRow) -> Result<Story, Error> {
        let mut story = self.story(row)?;
        story.catch_up()?;
        Ok(story)
    }

    /// What a run's records come to, for whoever needs nothing of what people see.
    ///
    /// # Errors
    /// If the run cannot be read.
    pub fn state(&self, row: &RunRow) -> Result<State, Error> {
        Ok(history::load(self.store()?.as_ref(), row.id)?.state)
    }

    /// The recording of what a run's models were asked and said. It is made from the journal, so it is whole each time.
    ///
    /// # Errors
    /// If the run cannot be read, or a text that a model was shown was erased.
    pub fn recording(&self, row: &RunRow) -> Result<Recording, Error> {
        Ok(recording(self.store()?.as_ref(), row.id)?)
    }

    /// The run's own folder, if it has written one.
    pub fn folder(&self, row: &RunRow) -> Option<PathBuf> {
        let wanted = self.settings.root.join("out").join(format!("{}-{}", row.no, row.topology));
        outbox::folder_of(&wanted, row.id).ok().flatten()
    }

    /// The topologies, by name.
    pub fn topologies(&self) -> Vec<String> {
        let folder = self.settings.root.join("topologies");
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let tomls = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
        let mut names: Vec<String> = tomls.filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned())).collect();
        names.sort();
        names
    }

    /// Checks a topology.
    ///
    /// # Errors
    /// Its faults.
    pub fn check(&self, topology: &str, mode: Mode) -> Result<Checked, Faults> {
        check(topology, &self.settings.folder(), &app::surroundings(&self.settings, mode)?)
    }

    /// Checks every topology; what they are checked against is looked at once.
    pub fn check_all(&self, mode: Mode) -> Vec<(String, Result<Checked, Faults>)> {
        let around = app::surroundings(&self.settings, mode);
        let checked = |name: &str| check(name, &self.settings.folder(), around.as_ref().map_err(Faults::clone)?);
        self.topologies().into_iter().map(|name| (name.clone(), checked(&name))).collect()
    }

    /// Checks a topology that is about to start, and what its tools would read, in whatever `mode`. One that is to be
    /// replayed from a recording has the models of then.
    ///
    /// # Errors
    /// Its faults, and those of its data.
    pub fn check_to_start(
        &self,
        topology: &str,
        mode: Mode,
        recording: Option<Arc<Recording>>,
    ) -> Result<Startable, Faults> {
        let mut survey = app::Survey::of(&self.settings, mode)?;
        if let Some(recording) = recording {
            survey.around.models = recording.models.clone();
            survey.around.recording = Some(recording);
        }
        let checked = check(topology, &self.settings.folder(), &survey.around);
        let [mut own, others] = survey.data(checked.as_ref().ok().map(|checked| &checked.plan));
        match checked {
            Ok(checked) if own.is_empty() => {
                let unset = survey.unset(&checked.plan);
                Ok(Startable { checked, elsewhere: others, unset })
            }
            Ok(_) => Err(own),
            Err(faults) => {
                own.join(faults);
                Err(own)
            }
        }
    }

    /// The people who may do something here: those that are declared, or the one person of a project that declares none.
    pub fn people(&self) -> Vec<String> {
        match &self.settings.people {
            Some(people) => people.keys().cloned().collect(),
            None => vec![self.who().name],
        }
    }

    /// Who is at the keyboard, and how that is known.
    pub fn who(&self) -> Who {
        let person = self.settings.person.as_ref();
        let name = person.map_or_else(|| "somebody".to_owned(), |person| person.name.clone());
        let how = if self.settings.people.is_none() {
            "single-person project"
        } else {
            person.map_or("unknown", |person| person.known.word())
        };
        Who { name, how: how.to_owned(), groups: Vec::new(), undeclared: false, via: Some(Channel::Command) }
    }

    /// `who`, if the project knows them: where people are declared, nobody else starts or decides anything.
    ///
    /// # Errors
    /// [`Error::Stranger`].
    pub fn declared(&self, who: Who) -> Result<Who, Error> {
        match &self.settings.people {
            Some(people) if !people.contains_key(&who.name) => {
                Err(Error::Stranger { who, known: people.keys().cloned().collect() })
            }
            _ => Ok(who),
        }
    }
}
