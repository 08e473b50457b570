//! Whole runs for tests: a system over a journal in memory with ports of the test's own, and what a run came to with
//! everything left out that may differ between two runs of the same thing (ids, times, epochs, attempts, salts).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use callsheet::actor::history::{load, read_fact};
use callsheet::actor::system::{Handle, System};
use callsheet::actor::{NoProbe, Ports, Probe};
use callsheet::app;
use callsheet::clock::{Clock, Machine};
use callsheet::config::{Flags, Settings};
use callsheet::id::{ApprovalNo, Digest, RunId, Seq};
use callsheet::journal::memory::Memory;
use callsheet::journal::writer::Writer;
use callsheet::journal::{
    Body, Done, Error, Firing, Firings, Holder, Lease, Op, OwnerId, Posted, Query, Record, RunRow, Store, audit,
};
use callsheet::model::Model;
use callsheet::model::rehearsal::Rehearsal;
use callsheet::model::replay::Replay;
use callsheet::run::event::{Decision, Event, Fact, Message, Reason, Refusal, Who, Wish};
use callsheet::run::input::{Brief, Post, Say};
use callsheet::run::state::{DeadLetter, State, Status};
use callsheet::tool::Tools;
use callsheet::topology::check::check;
use callsheet::topology::plan::{Mode, Plan};
use serde_json::{Value, json};

/// A guard against a test that never ends; nothing is concluded from it.
pub(crate) const NEVER: Duration = Duration::from_secs(120);

/// The settings of the project at `root`, under an empty environment.
pub(crate) fn settings(root: &Path) -> Settings {
    Settings::read(&Flags::default(), root, BTreeMap::new()).unwrap()
}

/// A topology of the shipped project, with nothing to wait for but its own work.
pub(crate) fn shipped(topology: &str) -> Plan {
    let settings = settings(Path::new(env!("CARGO_MANIFEST_DIR")));
    let around = app::surroundings(&settings, Mode::Rehearsal).unwrap();
    let mut plan = check(topology, &settings.folder(), &around).unwrap().plan;
    (plan.supervisor.backoff_initial_ms, plan.supervisor.backoff_max_ms) = (1, 1);
    plan
}

/// The defaults of the plan's parameters.
pub(crate) fn brief(plan: &Plan) -> Brief {
    plan.params.iter().map(|(name, param)| (name.clone(), param.default.clone().unwrap())).collect()
}

pub(crate) fn who(name: &str) -> Who {
    Who { name: name.to_owned(), how: "claimed".to_owned(), groups: Vec::new(), undeclared: false, via: None }
}

/// How the commits of a journal in memory are answered.
pub(crate) trait Answers: Send + Sync {
    fn inner(&self) -> &Memory;
    fn answer(&self, ops: &[Op]) -> Vec<Result<Done, Error>>;
    /// A body is read.
    fn reads(&self, _digest: Digest) {}
    /// The inbox is read.
    fn looks(&self) {}
    /// Runs are looked for.
    fn lists(&self, _query: &Query) {}
}

/// A journal in memory with answers of its own; it is read as it is.
#[derive(Default)]
pub(crate) struct Answered<T>(pub(crate) T);

impl<T> std::ops::Deref for Answered<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Answers> Store for Answered<T> {
    fn commit(&self, ops: &[Op]) -> Vec<Result<Done, Error>> {
        self.answer(ops)
    }
    fn records(&self, run: RunId, after: Seq, limit: usize) -> Result<Vec<Record>, Error> {
        self.inner().records(run, after, limit)
    }
    fn body(&self, run: RunId, digest: Digest) -> Result<Option<Body>, Error> {
        self.reads(digest);
        self.inner().body(run, digest)
    }
    fn bodies(&self, run: RunId) -> Result<Vec<(Digest, bool)>, Error> {
        self.inner().bodies(run)
    }
    fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        self.inner().blob(digest)
    }
    fn inbox(&self, run: RunId, after: u64) -> Result<Vec<Posted>, Error> {
        self.looks();
        self.inner().inbox(run, after)
    }
    fn runs(&self, query: &Query) -> Result<Vec<RunRow>, Error> {
        let rows = self.inner().runs(query);
        self.lists(query);
        rows
    }
    fn firings(&self, query: &Firings) -> Result<Vec<Firing>, Error> {
        self.inner().firings(query)
    }
    fn lasts(&self) -> Result<Vec<(RunId, Seq)>, Error> {
        self.inner().lasts()
    }
    fn lease(&self, holder: Holder) -> Result<Lease, Error> {
        self.inner().lease(holder)
    }
    fn changes(&self) -> Result<tokio::sync::watch::Receiver<u64>, Error> {
        self.inner().changes()
    }
}

/// What systems of one test share: the journal and the ways into the world.
pub(crate) struct Rig {
    pub(crate) store: Arc<Memory>,
    /// What systems write and read; it has to come to what `store` reads.
    pub(crate) disk: Arc<dyn Store>,
    pub(crate) model: Arc<dyn Model>,
    /// Models of a live run, if there are any.
    pub(crate) live: Option<Arc<dyn Model>>,
    pub(crate) tools: Tools,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) people: BTreeMap<String, Vec<String>>,
    pub(crate) probe: Arc<dyn Probe>,
    /// Whether runs that only wait are dropped from memory.
    pub(crate) park: bool,
    pub(crate) out: tempfile::TempDir,
    owners: AtomicU64,
    // No system of a test dies of itself.
    leases: std::sync::Mutex<Vec<Lease>>,
}

impl Rig {
    /// The shipped project's tools, a rehearsal, the machine's clock.
    pub(crate) fn new() -> Self {
        let store: Arc<Memory> = Arc::default();
        Self {
            disk: Arc::clone(&store) as Arc<dyn Store>,
            store,
            model: Arc::new(Rehearsal),
            live: None,
            tools: app::tools(&settings(Path::new(env!("CARGO_MANIFEST_DIR")))).unwrap(),
            clock: Arc::new(Machine),
            people: BTreeMap::new(),
            probe: Arc::new(NoProbe),
            park: false,
            out: tempfile::tempdir().unwrap(),
            owners: AtomicU64::new(1),
            leases: std::sync::Mutex::default(),
        }
    }

    /// A system, as a process of its own would have it.
    pub(crate) async fn system(&self) -> System {
        let owner = OwnerId(uuid::Uuid::from_u128(self.owners.fetch_add(1, Ordering::SeqCst).into()));
        let holder = Holder { id: owner, label: format!("system {}", owner.0.as_u128()) };
        self.leases.lock().unwrap().push(self.store.lease(holder).unwrap());
        let store = Arc::clone(&self.disk);
        let ports = Ports {
            writer: Writer::new(Arc::clone(&self.disk)).unwrap(),
            store,
            owner,
            rehearsal: Arc::clone(&self.model),
            replay: Arc::new(Replay),
            live: self.live.clone(),
            tools: self.tools.clone(),
            checks: app::checks(),
            clock: Arc::clone(&self.clock),
            probe: Arc::clone(&self.probe),
            people: self.people.clone(),
            out: self.out.path().join("out"),
            park: self.park,
            pulses: tokio::sync::broadcast::Sender::new(16),
        };
        System::start(Arc::new(ports)).await.unwrap()
    }

    /// A run of `plan`, started by `ada`.
    pub(crate) async fn run(&self, plan: &Plan) -> Driven<'_> {
        let system = self.system().await;
        let handle = system.run(plan, &brief(plan), who("ada")).await.unwrap();
        Driven { rig: self, system, handle }
    }

    /// Takes `run` up in a system of its own.
    pub(crate) async fn open(&self, run: RunId) -> Driven<'_> {
        let system = self.system().await;
        let handle = system.open(run, false).await.unwrap();
        Driven { rig: self, system, handle }
    }
}

/// A run that is live.
pub(crate) struct Driven<'a> {
    rig: &'a Rig,
    pub(crate) system: System,
    pub(crate) handle: Handle,
}

impl<'a> Driven<'a> {
    pub(crate) fn of(rig: &'a Rig, system: System, handle: Handle) -> Self {
        Self { rig, system, handle }
    }

    /// Waits until `holds` of the state.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&State) -> bool) -> State {
        let mut progress = self.handle.progress();
        let waiting = async {
            loop {
                let gone = progress.borrow_and_update().gone.clone();
                let state = self.state();
                if holds(&state) {
                    return state;
                }
                assert!(gone.is_none() && progress.changed().await.is_ok(), "{what}: {gone:?}, {:?}", state.status());
            }
        };
        let waited = tokio::time::timeout(NEVER, waiting).await;
        waited.unwrap_or_else(|_| panic!("{what} never came: {:?}", self.state()))
    }

    /// Waits until the run has nothing to do by itself.
    pub(crate) async fn settled(&self) -> Status {
        self.until("rest", |state| state.status() != Status::Running).await.status()
    }

    /// Says something as `name` and waits for the run's answer.
    pub(crate) async fn say(&self, name: &str, say: Say) -> Result<(), Refusal> {
        self.post(uuid::Uuid::now_v7(), &Post { by: who(name), say }).await
    }

    /// Posts and waits for the answer; a run that is over is taken up for it.
    pub(crate) async fn post(&self, id: uuid::Uuid, post: &Post) -> Result<(), Refusal> {
        self.system.post(self.handle.run, id, post).await.unwrap();
        self.answer(id).await
    }

    /// The run's answer to the post `id`; a run that nobody drives (any more) is taken up for it.
    pub(crate) async fn answer(&self, id: uuid::Uuid) -> Result<(), Refusal> {
        let waiting = async {
            loop {
                let handle = self.system.open(self.handle.run, false).await.unwrap();
                let mut progress = handle.progress();
                loop {
                    progress.borrow_and_update();
                    if let Some(answer) = self.facts().into_iter().find_map(|fact| answer(fact.is, id)) {
                        return answer;
                    }
                    if progress.changed().await.is_err() {
                        break;
                    }
                }
            }
        };
        tokio::time::timeout(NEVER, waiting).await.unwrap()
    }

    /// The number and the content of the open approval.
    pub(crate) fn open_approval(&self) -> (ApprovalNo, Digest) {
        let state = self.state();
        let found = state.open_approvals().next().map(|(no, approval)| (no, approval.binds));
        found.unwrap_or_else(|| panic!("no approval is open: {:?}, {:?}", state.status(), self.reasons()))
    }

    /// Decides the open approval as `name`.
    pub(crate) async fn decide(&self, name: &str, decision: Decision) -> Result<(), Refusal> {
        let (approval, binds) = self.open_approval();
        self.say(name, Say::Decide { approval, binds, decision, comment: "as the test says".to_owned() }).await
    }

    /// Approves whatever is asked until the run comes to rest otherwise.
    pub(crate) async fn approve_all(&self) -> Status {
        loop {
            let status = self.settled().await;
            if self.state().open_approvals().next().is_none() || status != Status::Waiting {
                return status;
            }
            self.decide("ada", Decision::Approve).await.unwrap();
        }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.rig.store.as_ref()
    }

    pub(crate) fn state(&self) -> State {
        load(self.rig.store.as_ref(), self.handle.run).unwrap().state
    }

    pub(crate) fn facts(&self) -> Vec<Fact> {
        facts(self.rig.store.as_ref(), self.handle.run)
    }

    /// Every state that the run was in, by the records.
    pub(crate) fn states(&self) -> Vec<State> {
        let mut state = State::new(self.handle.run, self.state().plan);
        let step = |fact: &Fact| {
            state.apply(fact).unwrap();
            state.clone()
        };
        self.facts().iter().map(step).collect()
    }

    /// Why dead letters are dead.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let read = |digest| self.rig.store.body(self.handle.run, digest).unwrap().unwrap().bytes;
        let state = self.state();
        let told = |letter: &DeadLetter| match letter.reason {
            Reason::Told(told) => String::from_utf8(read(told.digest)).unwrap(),
            Reason::Rule(rule) => format!("{rule:?}"),
        };
        state.dead.values().map(told).collect()
    }

    /// A body as JSON.
    pub(crate) fn body(&self, digest: Digest) -> Value {
        serde_json::from_slice(&self.rig.store.body(self.handle.run, digest).unwrap().unwrap().bytes).unwrap()
    }

    pub(crate) fn came(&self) -> Came {
        let topology = &self.state().plan.name;
        let folder = self.rig.out.path().join("out").join(format!("{}-{topology}", self.handle.no));
        Came::of(self.rig.store.as_ref(), self.handle.run, &folder)
    }
}

/// The answer to the post `id`, if `event` is one.
fn answer(event: Event, id: uuid::Uuid) -> Option<Result<(), Refusal>> {
    match event {
        Event::Heard { post, .. } if post == id => Some(Ok(())),
        Event::InputRefused { post, why, .. } if post == id => Some(Err(why)),
        _ => None,
    }
}

/// The records of a run.
pub(crate) fn facts(store: &dyn Store, run: RunId) -> Vec<Fact> {
    let records = store.records(run, Seq(0), usize::MAX).unwrap();
    records.iter().map(|record| read_fact(&record.head.json).unwrap()).collect()
}

/// What a run came to: equal for two runs that did the same, however often they were stopped and taken up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Came {
    pub(crate) status: String,
    /// Agent, message, ordinal, wish: in order, with their content.
    pub(crate) effects: Vec<String>,
    /// Artefact and body, in order.
    pub(crate) versions: Vec<(String, Value)>,
    pub(crate) decisions: Vec<Value>,
    /// What reached `end`.
    pub(crate) results: Vec<Value>,
    /// Files in the run's folder.
    pub(crate) files: BTreeMap<String, String>,
}

impl Came {
    /// What `run` came to; its journal is verified on the way.
    pub(crate) fn of(store: &dyn Store, run: RunId, folder: &Path) -> Self {
        audit::verify(store, run).unwrap();
        let facts = facts(store, run);
        let plain = Plain::new(store, run, &facts);
        let state = load(store, run).unwrap().state;
        let (mut effects, mut versions, mut decisions) = (Vec::new(), Vec::new(), Vec::new());
        for fact in &facts {
            match &fact.is {
                // Whether something is asked about depends on where it was interrupted, and nothing else does.
                Event::EffectAsked { wish: Wish::Query { .. } | Wish::Question { .. }, .. } => {}
                Event::EffectAsked { id, wish, .. } => {
                    effects.push(format!("{} {}", plain.effects[&id.to_string()], plain.value(&json!(wish))));
                }
                Event::VersionWritten(version) => {
                    versions.push((version.artefact.to_string(), plain.body(version.body.digest)));
                }
                Event::ApprovalDecided { by, decision, comment, .. } => {
                    let comment = comment.map(|comment| plain.body(comment.digest));
                    decisions.push(json!({ "by": by.name, "decision": decision, "comment": comment }));
                }
                _ => {}
            }
        }
        let mut results: Vec<Value> = state.results.iter().map(|message| plain.value(&json!(message))).collect();
        if plain.is_split {
            // What runs side by side comes in any order.
            effects.sort();
            versions.sort_by_key(|(name, value)| (name.clone(), value.to_string()));
            for list in [&mut decisions, &mut results] {
                list.sort_by_key(Value::to_string);
            }
        }
        Self { status: state.status().word().to_owned(), effects, versions, decisions, results, files: files(folder) }
    }
}

/// Reads a run's records without what is its own.
struct Plain<'a> {
    store: &'a dyn Store,
    run: RunId,
    bodies: BTreeSet<Digest>,
    effects: BTreeMap<String, String>,
    /// Messages by whom they go to, in which branch, and which of those they are: numbers depend on what came first.
    messages: BTreeMap<u64, String>,
    is_split: bool,
}

impl<'a> Plain<'a> {
    fn new(store: &'a dyn Store, run: RunId, facts: &[Fact]) -> Self {
        let bodies = store.bodies(run).unwrap().into_iter().map(|(digest, _)| digest).collect();
        let (mut messages, mut effects, mut sent) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut is_split = false;
        for fact in facts {
            match &fact.is {
                Event::MessageSent(Message { id, to, branch, .. }) => {
                    let nth: &mut u32 = sent.entry((branch.clone(), format!("{to:?}"))).or_default();
                    *nth += 1;
                    messages.insert(u64::from(id.0), format!("{branch} {to:?} {nth}"));
                    is_split |= !branch.is_root();
                }
                Event::EffectAsked { id, message, ordinal, .. } => {
                    effects.insert(id.to_string(), format!("{} {ordinal}", messages[&u64::from(message.0)]));
                }
                _ => {}
            }
        }
        Self { store, run, bodies, effects, messages, is_split }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match (self.effects.get(text), text.parse::<Digest>()) {
                (Some(name), _) => Value::from(name.as_str()),
                (None, Ok(digest)) if self.bodies.contains(&digest) => self.body(digest),
                (None, Ok(_)) => Value::from("#"),
                (None, Err(_)) => value.clone(),
            },
            Value::Array(list) => list.iter().map(|value| self.value(value)).collect(),
            Value::Object(map) => {
                // Numbers of approvals are taken again by whoever takes a run up.
                let kept = map.iter().filter(|(key, value)| *key != "permit" || !value.is_number());
                Value::Object(kept.map(|(key, value)| (key.clone(), self.field(key, value))).collect())
            }
            other => other.clone(),
        }
    }

    fn field(&self, key: &str, value: &Value) -> Value {
        let named = value.as_u64().filter(|_| matches!(key, "id" | "cause" | "message" | "asked_by"));
        match named.and_then(|number| self.messages.get(&number)) {
            Some(name) => Value::from(name.as_str()),
            None => self.value(value),
        }
    }

    fn body(&self, digest: Digest) -> Value {
        let body = self.store.body(self.run, digest).unwrap();
        let Some(body) = body else { return Value::from("erased") };
        match serde_json::from_slice(&body.bytes) {
            Ok(value) => self.value(&value),
            Err(_) => Value::from(plain_text(&body.bytes)),
        }
    }
}

/// Files below `folder` without hidden ones, which are the tools' own.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    let shown = named.filter(|(name, _)| !name.starts_with('.'));
    shown.map(|(name, path)| (name, plain_text(&std::fs::read(path).unwrap()))).collect()
}

/// Text without dates of mails and without keys that come from an effect's id.
fn plain_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split('\n').map(|line| if line.starts_with("Date: ") { "Date: #" } else { line });
    let mut plain = String::new();
    let mut key = String::new();
    for c in lines.collect::<Vec<_>>().join("\n").chars().chain(['\n']) {
        if c.is_ascii_digit() || ('a'..='f').contains(&c) {
            key.push(c);
        } else {
            plain += if key.len() >= 16 { "#" } else { &key };
            key.clear();
            plain.push(c);
        }
    }
    plain
}
