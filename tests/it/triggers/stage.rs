//! A project with triggers, a clock that is set, and servers over one journal.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use callsheet::app;
use callsheet::clock::{Clock, Machine};
use callsheet::config::{Flags, Settings};
use callsheet::id::Timestamp;
use callsheet::journal::{Came, Firings, Query, RunRow, Store};
use callsheet::service::act::Driver;
use callsheet::service::project::Project;
use callsheet::service::trigger::fire::Triggers;
use callsheet::words::error::Told;
use serde_json::Value;

use crate::support::NEVER;
use crate::tools::write;

/// A clock that stands where it was set.
#[derive(Default)]
pub(super) struct Set(AtomicI64);

impl Set {
    pub(super) fn at(text: &str) -> Arc<Self> {
        let clock = Arc::new(Self::default());
        clock.to(text);
        clock
    }

    pub(super) fn to(&self, text: &str) {
        self.0.store(text.parse::<jiff::Timestamp>().unwrap().as_millisecond(), Ordering::SeqCst);
    }
}

impl Clock for Set {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn uptime_ms(&self) -> u64 {
        self.now().0.unsigned_abs()
    }

    fn random(&self) -> [u8; 16] {
        Machine.random()
    }
}

const BUDGET: &str = "[budget]\nsteps = 9\ntokens = 90_000\ncost_usd = \"unlimited\"\nactive_time = \"1h\"\n";

/// A project whose `digest` is done at once, and whose `letter` waits for a person to write it.
pub(super) fn project(of_digest: &str, of_letter: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let digest = format!(
        "schema_version = 1\ndescription = \"Tell of a quarter.\"\nparams = {{ quarter = {{ type = \"string\", default = \"2026-Q1\" }} }}\n\
         artefacts = {{ note = {{ schema = \"any\" }} }}\nteam = {{ writer = {{ writes = [\"note\"] }} }}\n\
         handoffs = {{ start = \"writer\", writer = {{ done = \"end\", nothing = \"failed\" }} }}\n{BUDGET}{of_digest}"
    );
    let letter = format!(
        "schema_version = 1\ndescription = \"Write a letter.\"\nparams = {{ topic = {{ type = \"string\", default = \"none\" }} }}\n\
         artefacts = {{ letter = {{ schema = \"any\" }} }}\nteam = {{ author = {{ writes = [\"letter\"] }} }}\n\
         handoffs = {{ start = \"author\", author = {{ answered = \"end\", expired = \"end\" }} }}\n{BUDGET}{of_letter}"
    );
    write(folder.path(), "callsheet.toml", "schema_version = 1\ntimezone = \"Europe/Berlin\"\n");
    write(folder.path(), "topologies/digest.toml", digest);
    write(folder.path(), "topologies/letter.toml", letter);
    write(folder.path(), "schemas/any.json", r#"{ "type": "object" }"#);
    let writer = "schema_version = 1\nkind = \"model\"\ndoes = \"Writes.\"\noutcomes = [\"done\", \"nothing\"]\ninstructions = \"Write.\"\n";
    write(folder.path(), "agents/writer.toml", writer);
    let author = "schema_version = 1\nkind = \"person\"\ndoes = \"Writes.\"\nexpires = { after = \"900d\", then = \"reject\" }\n";
    write(folder.path(), "agents/author.toml", author);
    write(
        folder.path(),
        "rehearsals/digest.toml",
        "schema_version = 1\n[[writer]]\noutcome = \"{{ 'nothing' if brief.quarter == 'none' else 'done' }}\"\n\
         note = \"Of {{ brief.quarter }}.\"\nwrites.note = { about = \"{{ brief.quarter }}\", of = { parts = [1] }, empty = \"\" }\n",
    );
    folder
}

/// A server, whose looks the test makes.
pub(super) struct Server {
    pub(super) project: Arc<Project>,
    pub(super) driver: Arc<Driver>,
    pub(super) triggers: Arc<Triggers>,
    pub(super) store: Arc<dyn Store>,
}

impl Server {
    pub(super) async fn over(folder: &Path, clock: &Arc<Set>) -> Self {
        Self::with(folder, clock, BTreeMap::new()).await
    }

    pub(super) async fn with(folder: &Path, clock: &Arc<Set>, environment: BTreeMap<String, String>) -> Self {
        let settings = Settings::read(&Flags::default(), folder, environment).unwrap();
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        let running = app::start_by(&settings, true, clock).await.unwrap();
        let store = Arc::clone(&running.system.ports().store);
        let project = Arc::new(Project::new(settings));
        let driver = Arc::new(Driver::over(&project, running));
        let triggers = Triggers::new(&project, &driver, |error| Told::from(error).text);
        Self { project, driver, triggers, store }
    }

    /// Looks, and waits until every run that ends by itself has.
    pub(super) async fn look(&self) {
        self.triggers.look().await;
        let mut changes = self.store.changes().unwrap();
        while self.runs().iter().any(|row| row.summary.status == "running") {
            tokio::time::timeout(NEVER, changes.changed()).await.unwrap().unwrap();
        }
    }

    /// All runs, the first one first.
    pub(super) fn runs(&self) -> Vec<RunRow> {
        let mut rows = self.store.runs(&Query::default()).unwrap();
        rows.reverse();
        rows
    }

    /// Of each run its topology, how it is, and its parameters.
    pub(super) fn told(&self) -> Vec<String> {
        let one = |row: &RunRow| {
            let brief = callsheet::actor::history::started(self.store.as_ref(), row.id).unwrap().brief;
            let body = self.store.body(row.id, brief).unwrap().unwrap();
            let params: BTreeMap<String, Value> = serde_json::from_slice(&body.bytes).unwrap();
            let params: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {} {}", row.topology, row.summary.status, params.join(" "))
        };
        self.runs().iter().map(one).collect()
    }

    /// All firings, the last one first, with what each came to.
    pub(super) fn firings(&self) -> Vec<String> {
        let no = |id| self.runs().iter().find(|row| row.id == id).map_or(0, |row| row.no.0);
        let one = |firing: &callsheet::journal::Firing| match &firing.came {
            Came::Started(run) => format!("{} started {}", firing.trigger, no(*run)),
            Came::Waits(run) => format!("{} waits for {}", firing.trigger, no(*run)),
            Came::Skipped(why) => format!("{} skipped: {why}", firing.trigger),
            Came::Failed(why) => format!("{} failed: {why}", firing.trigger),
        };
        self.store.firings(&Firings::default()).unwrap().iter().map(one).collect()
    }

    /// Ends a run that waits.
    pub(super) async fn cancel(&self, no: u64) {
        let row = self.runs().into_iter().find(|row| row.no.0 == no).unwrap();
        let mut story = self.project.read(row).unwrap();
        let who = crate::support::who("ana");
        self.driver.say(&mut story, who, callsheet::run::input::Say::Cancel).await.unwrap();
        let mut changes = self.store.changes().unwrap();
        while self.runs().iter().any(|row| row.no.0 == no && !row.summary.over) {
            tokio::time::timeout(NEVER, changes.changed()).await.unwrap().unwrap();
        }
    }

    pub(super) async fn stop(self) {
        self.driver.interrupt().await;
    }
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}
