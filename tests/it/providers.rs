//! The shipped campaigns over each provider's dialect: aimock stands for the providers and says what the rehearsal says, so
//! every run must come to what the rehearsal came to; with faults in three of ten answers it still does.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use callsheet::actor::recording::recording;
use callsheet::clock::{Clock as _, Machine};
use callsheet::id::{MessageId, NanoUsd};
use callsheet::model::live::Live;
use callsheet::model::wire::Endpoint;
use callsheet::run::event::{Ending, Event, Part, Settled, Wish};
use callsheet::run::state::Status;
use callsheet::topology::plan::{Dialect, Memory, Mode, Plan, Recipient, Role};
use callsheet::topology::recording::Recording;
use serde_json::{Value, json};

use crate::support::{Driven, Rig, brief, shipped, who};
use crate::tools::is_there;

pub(crate) const CAMPAIGNS: [&str; 3] = ["re-engagement", "content-repurposing", "investigate"];

/// The dialects, and where aimock speaks them.
const DIALECTS: [(Dialect, &str); 3] =
    [(Dialect::OpenAi, "/v1"), (Dialect::Anthropic, "/v1"), (Dialect::Gemini, "/v1beta")];

/// Three of ten answers: failed, asked to wait for a second, no JSON, cut off. They do not add up, since one comes first.
const FAULTS: [&str; 8] =
    ["--chaos-drop", "0.1", "--chaos-ratelimit", "0.08", "--chaos-malformed", "0.05", "--chaos-disconnect", "0.11"];

/// A server that stands for the providers.
pub(crate) struct Mock {
    child: Child,
    pub(crate) base: String,
    _fixtures: tempfile::TempDir,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mock {
    /// None, and a loud line, if it is not installed.
    pub(crate) fn start(fixtures: &[Value], chaos: Option<u64>) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let command = root.join("target/providers/node_modules/@copilotkit/aimock/dist/cli.js");
        if !is_there(&command, "the campaigns over the providers' dialects need aimock") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let file: PathBuf = folder.path().join("fixtures.json");
        std::fs::write(&file, json!({ "fixtures": fixtures }).to_string()).unwrap();
        let mut child = Command::new("node")
            .env("AIMOCK_STRICT_TURN_INDEX", "1")
            .env("AIMOCK_SEED", chaos.unwrap_or_default().to_string())
            .arg("--require")
            .arg(root.join("tests/providers/seeded.cjs"))
            .arg(command)
            .args(["-p", "0", "-f"])
            .arg(&file)
            .args(chaos.map_or(&[][..], |_| &FAULTS))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = lines.by_ref().map(Result::unwrap).find_map(|line| {
            let at = line.find("http://")?;
            Some(line[at..].trim().to_owned())
        });
        // What it says goes on being read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, base: listening.unwrap(), _fixtures: folder })
    }
}

/// What the models of a run said, as aimock is told to say it.
pub(crate) fn fixtures(run: &Driven<'_>) -> Vec<Value> {
    let (mut messages, mut asked, mut replies) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut fixtures = Vec::new();
    for fact in run.facts() {
        match fact.is {
            Event::MessageSent(message) => drop(messages.insert(message.id, message)),
            Event::EffectAsked { id, message, wish: Wish::Model { shown, .. }, .. } => {
                let first = asked.values().all(|known| *known != message);
                assert_eq!(shown.iter().any(|part| matches!(part, Part::Instructions)), first);
                asked.insert(id, message);
            }
            Event::EffectSettled { id, result: Settled::Replied(replied), .. } => {
                let message = &messages[&asked[&id]];
                let Recipient::Member(agent) = &message.to else { panic!("a reply to nobody") };
                // Who remembers earlier turns is shown them, so that its replies are counted over all of them.
                let remembers = run.state().plan.team[agent].memory == Memory::Run;
                let turn = if remembers { MessageId(0) } else { message.id };
                let nth = replies.entry((agent.clone(), turn)).or_insert(0);
                let act = run.body(replied.body.digest)["act"].clone();
                let call = |name: &str, args: &Value| json!({ "name": name, "arguments": args.to_string() });
                let calls: Vec<Value> = match act.get("calls") {
                    Some(calls) => {
                        let calls = calls.as_array().unwrap().iter();
                        calls.map(|c| call(&c["tool"].as_str().unwrap().replace('.', "_"), &c["args"])).collect()
                    }
                    None => vec![call("end_turn", &act["answer"])],
                };
                fixtures.push(json!({
                    "match": {
                        "systemMessage": format!("In it you are `{agent}`."),
                        "userMessage": format!("\"outcome\":\"{}\",\"round\":{}", message.outcome, message.round),
                        "turnIndex": *nth,
                    },
                    "response": { "toolCalls": calls },
                }));
                *nth += 1;
            }
            _ => {}
        }
    }
    fixtures
}

/// The path that a run took, with the notes, and its artefacts at the end.
pub(crate) fn came(run: &Driven<'_>) -> (Status, Vec<String>, BTreeMap<String, Value>, usize) {
    let mut path = Vec::new();
    let mut artefacts = BTreeMap::new();
    let mut performed = 0;
    for fact in run.facts() {
        match fact.is {
            Event::MessageSent(message) => {
                // What an outward tool says of itself names the files of its run.
                let is_tool = message
                    .from
                    .as_ref()
                    .is_some_and(|from| matches!(run.state().plan.team[from].role, Role::Tool { .. }));
                let note = if is_tool { Value::Null } else { run.body(message.note.digest) };
                path.push(format!("{:?} {} {:?} {note}", message.from, message.outcome, message.to));
            }
            Event::VersionWritten(version) => {
                artefacts.insert(version.artefact.to_string(), whole(run.body(version.body.digest)));
            }
            Event::EffectSettled { result: Settled::Performed { .. }, .. } => performed += 1,
            _ => {}
        }
    }
    (run.state().status(), path, artefacts, performed)
}

/// The value with whole numbers written as such: the mock is of a language that does not tell 1.0 from 1.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 1e15) {
            Some(whole) => json!(whole as i64),
            None => Value::Number(number),
        },
        Value::Array(list) => list.into_iter().map(whole).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, whole(value))).collect(),
        other => other,
    }
}

/// The plan with models in place of the script, all of them under this name.
pub(crate) fn live(plan: &Plan, name: &str) -> Plan {
    let mut live = Plan { mode: Mode::Live, script: None, ..plan.clone() };
    live.models.values_mut().for_each(|spec| spec.model = format!("mock/{name}"));
    // Calls whose connection is cut count at their maximum: the shipped limits are for a campaign, not for faults without end.
    live.team.values_mut().for_each(|member| member.limits.tokens = member.limits.tokens.map(|tokens| 3 * tokens));
    live.budget.tokens = live.budget.tokens.map(|tokens| 3 * tokens);
    live.budget.cost = live.budget.cost.map(|NanoUsd(cost)| NanoUsd(2 * cost));
    live
}

/// What was said is played again without any server: the same path, artefacts and spending, failures included.
async fn replays(live: &Driven<'_>, plan: &Plan) {
    let recording = recording(live.store(), live.handle.run).unwrap();
    let recording = Recording::read(&recording.text().unwrap()).unwrap();
    let models = recording.models.clone();
    let plan = Plan { mode: Mode::Replay, script: None, models, recording: Some(Arc::new(recording)), ..plan.clone() };
    let rig = Rig::new();
    let run = rig.run(&plan).await;
    let status = run.approve_all().await;
    assert_eq!(status, Status::Ended(Ending::Done), "{:?}", run.reasons());
    assert_eq!(came(&run), came(live));
    assert_eq!(run.state().ledger.spent, live.state().ledger.spent);
    run.system.stop().await;
}

/// Checks `campaign` over every dialect; with faults, if `chaos` is the seed of their chance.
async fn check(campaign: &str, chaos: Option<u64>) {
    let plan = shipped(campaign);
    let rig = Rig::new();
    let rehearsal = rehearsed(&rig, &plan).await;
    let Some(mock) = Mock::start(&fixtures(&rehearsal), chaos) else { return };
    for (dialect, path) in DIALECTS {
        let base_url = format!("{}{path}", mock.base);
        let endpoint = Endpoint::new(dialect, &base_url);
        let plan = live(&plan, "model");
        compare(&plan, &rehearsal, endpoint, &format!("{campaign}, {dialect:?}, {chaos:?}")).await;
    }
}

/// The rehearsal of `plan`, approved to its end.
pub(crate) async fn rehearsed<'r>(rig: &'r Rig, plan: &Plan) -> Driven<'r> {
    let rehearsal = rig.run(plan).await;
    assert_eq!(rehearsal.approve_all().await, Status::Ended(Ending::Done), "{:?}", rehearsal.reasons());
    rehearsal
}

/// Runs `plan` with its models at `endpoint`: it comes to what `rehearsal` came to, and plays again.
pub(crate) async fn compare(plan: &Plan, rehearsal: &Driven<'_>, endpoint: Endpoint, name: &str) {
    let mut rig = Rig::new();
    let endpoint = move |_: &str| Ok(endpoint.clone());
    rig.live = Some(Arc::new(Live::new(Box::new(|| Machine.now()), Box::new(endpoint))));
    let system = rig.system().await;
    let pulses = system.ports().pulses.subscribe();
    let handle = system.run(plan, &brief(plan), who("ada")).await.unwrap();
    let run = Driven::of(&rig, system, handle);
    let status = run.approve_all().await;
    assert!(!pulses.is_empty(), "{name}: nobody could see its replies come");
    let told = || format!("{name}: {:?}, {:?}", run.reasons(), run.state().paused);
    assert_eq!(status, Status::Ended(Ending::Done), "{}", told());
    assert_eq!(came(&run), came(rehearsal), "{}", told());
    let attempts = run.facts().into_iter().filter_map(|fact| match fact.is {
        Event::RetryPlanned { attempt, .. } => Some(attempt),
        _ => None,
    });
    let (most, retries) = attempts.fold((1, 0), |(most, n), attempt| (attempt.max(most), n + 1));
    println!("{name}: done, {retries} retries, at most {most} attempts a call");
    assert!(most <= 8, "{}", told());
    replays(&run, plan).await;
    run.system.stop().await;
}

pub(crate) fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future);
}

#[test]
fn campaigns_come_to_the_same_over_every_dialect() {
    run(async {
        for campaign in CAMPAIGNS {
            check(campaign, None).await;
        }
    });
}

/// `CALLSHEET_CHAOS=a..b` plays other seeds than the usual.
#[test]
fn with_faults_in_three_of_ten_answers_they_still_do() {
    let seeds = std::env::var("CALLSHEET_CHAOS").unwrap_or_else(|_| "1..4".to_owned());
    let (from, to) = seeds.split_once("..").expect("CALLSHEET_CHAOS is like 4..40");
    let seeds = from.parse().unwrap()..to.parse().unwrap();
    run(async {
        for (campaign, seed) in CAMPAIGNS.into_iter().flat_map(|campaign| seeds.clone().map(move |s| (campaign, s))) {
            println!("{campaign} with the faults of seed {seed}; again with CALLSHEET_CHAOS={seed}..{}", seed + 1);
            check(campaign, Some(seed)).await;
        }
    });
}
