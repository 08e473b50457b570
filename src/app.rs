//! Settings -> the running system: the only file that names concrete stores, models, tools and checks.

mod connect;
pub mod data;
mod embedding;
pub mod mcp;
mod past;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::actor::system::{self, System};
use crate::actor::{NoProbe, Point, Ports, Probe};
use crate::clock::{Clock, Machine};
use crate::config::Settings;
use crate::file;
use crate::id::{RunId, ToolName};
use crate::journal::memory::Memory;
use crate::journal::sqlite::{Open, Sqlite};
use crate::journal::writer::Writer;
use crate::journal::{self, Holder, Lease, Op, OwnerId, Store};
use crate::model::Model;
use crate::model::live::Live;
use crate::model::paced::Paced;
use crate::model::rehearsal::Rehearsal;
use crate::model::replay::{self, Replay};
use crate::model::trial::{Tried, trial};
use crate::model::wire::{Limits, Wire};
use crate::run::input::Post;
use crate::telemetry::{Collector, Telemetry};
use crate::template::csv::{self, Csv};
use crate::tool::campaign_qa::CampaignQa;
use crate::tool::email;
use crate::tool::guard::{self, Guard};
use crate::tool::history::Past;
use crate::tool::kind::KINDS;
use crate::tool::sources::Sources;
use crate::tool::sql;
use crate::tool::{Check, Opened, Tool, Tools};
use crate::topology::check::{Guards, Surroundings};
use crate::topology::editor;
use crate::topology::fault::Faults;
use crate::topology::plan::{Mode, Plan};
use crate::topology::recording::{self, Recording};
pub use connect::secrets;

/// Why there is no running system.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The system.
    #[error(transparent)]
    System(#[from] system::Error),
    /// `callsheet.toml`.
    #[error("{}", .0.render(false))]
    Faults(Faults),
    /// What the process was told by its environment.
    #[error("{0}")]
    Environment(String),
}

/// The running system of one process.
pub struct Running {
    /// The system.
    pub system: System,
    lease: Lease,
    telemetry: Option<Telemetry>,
}

impl Running {
    /// Stops every run in order and gives the journal up.
    pub async fn stop(self) {
        self.system.stop().await;
        drop(self.lease);
        if let Some(telemetry) = self.telemetry {
            telemetry.finish().await;
        }
    }
}

/// The project's journal, to read.
///
/// # Errors
/// If it is not there, or not to be read.
pub fn store(settings: &Settings) -> Result<Arc<dyn Store>, journal::Error> {
    Ok(Arc::new(Sqlite::open(&settings.journal, Open::ReadOnly)?))
}

/// The past of a project, as its journal has it.
pub fn past(store: Arc<dyn Store>) -> Arc<dyn Past> {
    Arc::new(past::Journal(Some(store)))
}

/// Posts to a run's inbox without driving it, for whoever drives it next.
///
/// # Errors
/// If the journal cannot be written.
pub fn post(settings: &Settings, run: RunId, post: &Post) -> Result<(), Error> {
    let store = Sqlite::open(&settings.journal, Open::ReadWrite)?;
    let json = serde_json::to_vec(post).map_err(system::Error::from)?;
    let posted = store.commit(&[Op::Post { run, id: Machine.id(), json, at: Machine.now() }]);
    Ok(posted.into_iter().try_for_each(|posted| posted.map(drop))?)
}

/// The checks there are.
pub fn checks() -> Vec<Arc<dyn Check>> {
    vec![Arc::new(CampaignQa), Arc::new(Sources)]
}

/// The tools of the project. Nothing is connected to yet: a tool opens what it needs at its first call.
///
/// # Errors
/// Every `[tools.NAME]` that its kind does not understand.
pub fn tools(settings: &Settings) -> Result<Tools, Faults> {
    tools_writing(settings, &settings.root, None)
}

/// Opens what the tools of the project would use: by the tool that tells of it, what is there or why it is not.
pub async fn try_connections(tools: &Tools) -> Vec<(ToolName, Result<Opened, String>)> {
    let mut tried = Vec::new();
    for (name, tool) in tools {
        if let Some(open) = tool.open() {
            tried.push((name.clone(), open.await.map_err(|failure| failure.reason)));
        }
    }
    tried
}

/// The tools of the project, whose sinks keep their records below `records`.
fn tools_writing(settings: &Settings, records: &Path, past: Option<Arc<dyn Store>>) -> Result<Tools, Faults> {
    let connected = connect::connected(settings, records, past);
    if connected.faults.is_empty() { Ok(connected.tools) } else { Err(connected.faults) }
}

/// The JSON Schemas of the files that people write, by file name: the kinds of tools are known in them.
pub fn editor_schemas() -> [(&'static str, Value); 4] {
    let kinds: Vec<_> = KINDS.iter().map(|kind| (kind.word, kind.schema())).collect();
    editor::editor_schemas(&kinds)
}

/// What a topology is checked against before it starts, with the tools that it would use: what they read is looked at once.
pub struct Survey<'s> {
    /// What it is checked against.
    pub around: Surroundings,
    settings: &'s Settings,
    tools: Tools,
}

impl<'s> Survey<'s> {
    /// Of these settings.
    ///
    /// # Errors
    /// Whatever `callsheet.toml` says that is wrong in itself: then nothing that rests on it can start.
    pub fn of(settings: &'s Settings, mode: Mode) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        settings.sources.iter().for_each(|(file, text)| faults.source(file.clone(), text.clone()));
        let tools = tools(settings);
        connect::check_settings(settings, &checks(), tools.as_ref().unwrap_or(&Tools::new()), &mut faults);
        match tools {
            Ok(tools) if faults.is_empty() => Ok(Self { around: around(settings, mode, &tools), settings, tools }),
            Ok(_) => Err(faults),
            Err(more) => {
                faults.join(more);
                Err(faults)
            }
        }
    }

    /// What is wrong with the data that the tools of `plan` would read and with their named queries, and what is wrong with
    /// what only others would read. Without a plan nobody knows who needs what.
    pub fn data(&self, plan: Option<&Plan>) -> [Faults; 2] {
        let names: BTreeSet<&str> =
            self.tools.keys().filter_map(|name| Some(name.as_str().split_once('.')?.0)).collect();
        let needed: BTreeSet<&str> = match plan {
            None => names,
            Some(plan) => plan.tools.keys().flat_map(|name| self.connections(name)).collect(),
        };
        let is_needed = |name: &ToolName| needed.contains(name.as_str().split('.').next().unwrap_or_default());
        [looked(self.settings, &self.tools, is_needed), looked(self.settings, &self.tools, |name| !is_needed(name))]
    }

    /// The variables that calls of the tools of `plan` need and that are not set, a sentence each. What acts on the world does so
    /// in a live run alone.
    pub fn unset(&self, plan: &Plan) -> Vec<String> {
        let is_called = |tool: &&Tool| plan.mode == Mode::Live || matches!(tool, Tool::Callable(_));
        let tools = plan.tools.keys().filter_map(|name| self.tools.get(name)).filter(is_called);
        let unset =
            tools.flat_map(|tool| tool.unset().into_iter().map(|variable| (variable, tool.spec().name.clone())));
        // What several tools need is told once.
        let by_variable: BTreeMap<String, ToolName> = unset.collect();
        let told = |(variable, tool)| {
            format!("{tool} needs the variable {variable}, which is not set: export {variable}=... and start again")
        };
        by_variable.into_iter().map(told).collect()
    }

    /// The connection of a tool, and the one that this rests on.
    fn connections<'n>(&'n self, name: &'n ToolName) -> impl Iterator<Item = &'n str> {
        let of = |name: &'n str| name.split('.').next().unwrap_or_default();
        let own = of(name.as_str());
        let table = self.settings.tools.get(own).map(|table| &table.table.value);
        let audience = table.and_then(|table| table.get(email::AUDIENCE)).and_then(Value::as_str);
        std::iter::once(own).chain(audience.map(of))
    }
}

/// What is wrong with what the tools that are `wanted` would read.
fn looked(settings: &Settings, tools: &Tools, wanted: impl Fn(&ToolName) -> bool) -> Faults {
    let mut faults = Faults::default();
    settings.sources.iter().for_each(|(file, text)| faults.source(file.clone(), text.clone()));
    for (name, tool) in tools.iter().filter(|(name, _)| wanted(name)) {
        let connection = name.as_str().split('.').next().unwrap_or_default();
        let Some(table) = settings.tools.get(connection) else { continue };
        for wrong in tool.look().faults {
            let fault = connect::told(wrong, &table.table, &faults);
            faults.push(fault);
        }
    }
    faults.sort();
    faults
}

/// What topologies are checked against as far as it is there, and every fault of `callsheet.toml` that its reader does not
/// know of: its tools, their data and queries, and its checks.
pub fn surveyed(settings: &Settings, mode: Mode) -> (Surroundings, Faults) {
    let connected = connect::connected(settings, &settings.root, None);
    let mut faults = connected.faults;
    connect::check_settings(settings, &checks(), &connected.tools, &mut faults);
    faults.join(looked(settings, &connected.tools, |_| true));
    faults.by_cause();
    faults.sort();
    let mut around = around(settings, mode, &connected.tools);
    around.broken.extend(connected.broken);
    (around, faults)
}

fn around(settings: &Settings, mode: Mode, tools: &Tools) -> Surroundings {
    let checks = checks();
    let specs = tools.values().map(|tool| tool.spec().clone());
    let declared = settings.checks.iter().map(|(name, check)| (name, &check.table.value));
    let declared: Vec<_> = declared.filter(|(_, table)| guard::is_declared(table)).collect();
    let names = checks.iter().map(|check| check.name()).chain(declared.iter().map(|(name, _)| name.as_str()));
    let around = settings.surroundings(mode, specs, names);
    let guards = guards(&around.checks, tools);
    let queries = tools.iter().map(|(name, tool)| (name.clone(), tool.queries())).collect();
    Surroundings { queries, guards, ..around }
}

/// What is known of the checks among these that the project declares itself. What is wrong with them is told elsewhere.
fn guards(checks: &BTreeMap<String, Value>, tools: &Tools) -> Guards {
    let leaving = tools.keys().map(|tool| (tool.clone(), guard::guarding(checks, tool).cloned().collect::<Vec<_>>()));
    let gates = checks.iter().filter(|(_, table)| guard::is_declared(table));
    let gates = gates.filter(|(name, table)| Guard::read(name, table).is_ok_and(|guard| guard.gates()));
    Guards {
        leaving: leaving.filter(|(_, names)| !names.is_empty()).collect(),
        gates: gates.map(|(name, _)| name.clone()).collect(),
    }
}

/// The CSV file at `path` as a project would declare it, lying at `shown` in it under the table name `table`; with what was
/// settled without knowing, a sentence each.
///
/// # Errors
/// Why there is no table in it, with its line.
pub fn csv_of(path: &Path, shown: &str, table: &str) -> Result<(Csv, Vec<String>), String> {
    let sql::Guess { settings: form, columns, rows, remarks, .. } = sql::guess(path, shown)?;
    // A day is counted with as little as a text.
    let kind = |kind| if matches!(kind, "date" | "datetime") { "text" } else { kind };
    let column = |sql::Seen { name, kind: of, declared, distinct, sorts }| csv::Column {
        name,
        kind: kind(of),
        declared,
        distinct,
        sorts,
    };
    let columns = columns.into_iter().map(column).collect();
    Ok((Csv { table: table.to_owned(), path: shown.to_owned(), form, columns, rows }, remarks))
}

/// What topologies are checked against.
///
/// # Errors
/// As [`Survey::of`].
pub fn surroundings(settings: &Settings, mode: Mode) -> Result<Surroundings, Faults> {
    Ok(Survey::of(settings, mode)?.around)
}

/// Reads a recording that can be replayed.
///
/// # Errors
/// A sentence, for people.
pub fn read_recording(path: &Path) -> Result<Recording, String> {
    let wrong = |why: String| format!("the recording {} cannot be replayed: {why}", path.display());
    let read = file::text(path, recording::BYTES_MAX as u64 + 1);
    let text = read.map_err(|error| wrong(file::words(&error)))?;
    let recording = Recording::read(&text).map_err(wrong)?;
    replay::readable(&recording).map_err(wrong)?;
    Ok(recording)
}

/// Starts the system over the project's journal.
///
/// # Errors
/// If the journal or the tools are not to be had.
pub async fn start(settings: &Settings) -> Result<Running, Error> {
    start_serving(settings, false).await
}

/// Starts the system over the project's journal as a server does: with `park`, a run that only waits leaves memory.
///
/// # Errors
/// As [`start`].
pub async fn start_serving(settings: &Settings, park: bool) -> Result<Running, Error> {
    start_by(settings, park, Arc::new(Machine)).await
}

/// As [`start_serving`], by another clock: for tests of what leaves after days.
///
/// # Errors
/// As [`start`].
pub async fn start_by(settings: &Settings, park: bool, clock: Arc<dyn Clock>) -> Result<Running, Error> {
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&settings.journal, Open::ReadWrite)?);
    let (store, telemetry) = told(settings, store);
    let lease = store.lease(this_process())?;
    let probe: Arc<dyn Probe> = match &settings.crash {
        Some(text) => Arc::new(Crash::read(text).map_err(Error::Environment)?),
        None => Arc::new(NoProbe),
    };
    let out = settings.root.join("out");
    let ports = Ports { park, clock, ..ports(settings, store, lease.id(), probe, (out, &settings.root))? };
    Ok(Running { telemetry, ..running(ports, lease).await? })
}

/// The same journal, of which a collector hears if one is named. A name that is wrong is no reason not to work: `doctor` and `serve`
/// tell of it.
fn told(settings: &Settings, store: Arc<dyn Store>) -> (Arc<dyn Store>, Option<Telemetry>) {
    let begun = collector(settings)
        .and_then(|collector| collector.map(|collector| Telemetry::begin(Arc::clone(&store), collector)).transpose());
    match begun {
        Ok(Some((watched, telemetry))) => (watched, Some(telemetry)),
        Ok(None) => (store, None),
        Err(why) => {
            tracing::warn!(%why, "there is no telemetry");
            (store, None)
        }
    }
}

/// The collector of OpenTelemetry that the environment names, if it names one.
///
/// # Errors
/// What is wrong with which variable.
pub fn collector(settings: &Settings) -> Result<Option<Collector>, String> {
    Collector::named(|name| settings.secret(name))
}

/// Starts the system over a journal in memory, with its own folder for results and its own clock: for tests of
/// rehearsals, which leave nothing behind and wait for nothing.
///
/// # Errors
/// As [`start`].
pub async fn start_in_memory(settings: &Settings, out: PathBuf, clock: Arc<dyn Clock>) -> Result<Running, Error> {
    let (ports, lease) = in_memory(settings, out)?;
    running(Ports { clock, ..ports }, lease).await
}

/// Starts the system in memory, as [`start_in_memory`], with models as `wrapped` makes them: for one turn of one agent.
///
/// # Errors
/// As [`start`].
pub async fn start_wrapped(
    settings: &Settings,
    out: PathBuf,
    wrapped: impl Fn(Arc<dyn Model>) -> Arc<dyn Model>,
) -> Result<Running, Error> {
    let (ports, lease) = in_memory(settings, out)?;
    let (rehearsal, live) = (wrapped(Arc::clone(&ports.rehearsal)), ports.live.clone().map(wrapped));
    running(Ports { rehearsal, live, ..ports }, lease).await
}

/// A journal in memory, and what else such a system needs. Its sinks' records lie in `out` and go with it: the project's are
/// another journal's.
fn in_memory(settings: &Settings, out: PathBuf) -> Result<(Ports, Lease), Error> {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let lease = store.lease(this_process())?;
    let places = (out.clone(), out.as_path());
    Ok((ports(settings, store, lease.id(), Arc::new(NoProbe), places)?, lease))
}

async fn running(ports: Ports, lease: Lease) -> Result<Running, Error> {
    Ok(Running { system: System::start(Arc::new(ports)).await?, lease, telemetry: None })
}

fn this_process() -> Holder {
    Holder { id: OwnerId(Machine.id()), label: format!("process {}", std::process::id()) }
}

/// The ports of a system whose results go to `out`, and whose sinks keep their records below `records`.
fn ports(
    settings: &Settings,
    store: Arc<dyn Store>,
    owner: OwnerId,
    probe: Arc<dyn Probe>,
    (out, records): (PathBuf, &Path),
) -> Result<Ports, Error> {
    Ok(Ports {
        writer: Writer::new(Arc::clone(&store))?,
        tools: tools_writing(settings, records, Some(Arc::clone(&store))).map_err(Error::Faults)?,
        store,
        owner,
        rehearsal: rehearsal(settings),
        replay: Arc::new(Replay),
        live: Some(Arc::new(live(settings))),
        checks: checks(),
        clock: Arc::new(Machine),
        probe,
        people: settings.people.clone().unwrap_or_default(),
        out,
        park: false,
        pulses: tokio::sync::broadcast::Sender::new(PULSES),
    })
}

/// Who speaks in rehearsals: the script, at the pace that is wanted.
fn rehearsal(settings: &Settings) -> Arc<dyn Model> {
    match settings.pace {
        Some(pace) => Arc::new(Paced::new(Arc::new(Rehearsal), pace)),
        None => Arc::new(Rehearsal),
    }
}

/// Pulses that a slow looker may lag behind.
const PULSES: usize = 256;

/// Whether the models of `plan` can be asked, as far as that is known before any is: providers and keys are there.
///
/// # Errors
/// A sentence for each that cannot.
pub fn reachable(settings: &Settings, plan: &Plan) -> Result<(), String> {
    if plan.mode != Mode::Live {
        return Ok(());
    }
    let wrong: BTreeSet<String> =
        plan.models.values().filter_map(|spec| settings.endpoint(&spec.model).err()).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into_iter().collect::<Vec<_>>().join("\n")) }
}

/// Calls each model that live runs would ask once, cheaply: what works of it, or what is wrong and what to do.
pub async fn try_models(settings: &Settings) -> BTreeMap<String, Result<Tried, String>> {
    let wire = Wire::new(Limits::default());
    let mut tried = BTreeMap::new();
    for model in settings.models.live() {
        let came = match (settings.endpoint(&model), &wire) {
            (Ok(endpoint), Ok(wire)) => trial(wire, &endpoint, &model, &|| Machine.uptime_ms()).await,
            (Err(why), _) => Err(why),
            (_, Err(why)) => Err(why.clone()),
        };
        tried.insert(model, came);
    }
    tried
}

/// The models of the project's providers; nothing is connected to before the first call.
fn live(settings: &Settings) -> Live {
    let settings = settings.clone();
    Live::new(Box::new(|| Machine.now()), Box::new(move |model| settings.endpoint(model)))
}

/// Kills the process with SIGKILL at the n-th passing of a boundary: `committed:7`. With `stop:` before it the process
/// stops itself with SIGSTOP there, and goes beyond when it is continued and its input has a line or ends.
#[derive(Debug)]
struct Crash {
    point: Point,
    left: AtomicU64,
    stops: bool,
}

impl Crash {
    fn read(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("CALLSHEET_CRASH={text}: it is [stop:] decided, committed, started or performed, ':', a number");
        let (stops, boundary) = text.strip_prefix("stop:").map_or((false, text), |boundary| (true, boundary));
        let (point, nth) = boundary.split_once(':').ok_or_else(wrong)?;
        let point = match point {
            "decided" => Point::Decided,
            "committed" => Point::Committed,
            "started" => Point::Started,
            "performed" => Point::Performed,
            _ => return Err(wrong()),
        };
        let left = nth.parse::<u64>().ok().filter(|nth| *nth > 0).ok_or_else(wrong)?;
        Ok(Self { point, left: AtomicU64::new(left), stops })
    }
}

impl Probe for Crash {
    fn at(&self, point: Point) {
        use rustix::process::{Signal, getpid, kill_process};
        if point != self.point || self.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        if self.stops {
            let _ = kill_process(getpid(), Signal::STOP);
            // As below; here until a line, or its end, is on the input.
            let _ = std::io::stdin().read_line(&mut String::new());
            return;
        }
        let _ = kill_process(getpid(), Signal::KILL);
        // The signal may arrive a moment later; nothing may happen in that moment.
        loop {
            std::thread::park();
        }
    }
}
