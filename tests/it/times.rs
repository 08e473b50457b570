//! Two times of a model call, the whole and the silence within it: which place wins, what is told, and that a run gets more
//! of both. The servers fall silent at a place, so that no test waits for more than a limit that it sets.

use std::sync::Arc;

use callsheet::actor::recording::recording;
use callsheet::failure::Class;
use callsheet::model::trial::Speed;
use callsheet::run::event::{DeadLetterAnswer, Ending, Event, Raise, Refusal};
use callsheet::run::input::Say;
use callsheet::run::state::Status;
use callsheet::topology::manner::{Patience, Wait};
use callsheet::topology::plan::{Limits, Mode, ModelSpec, Plan};
use callsheet::topology::recording::Recording;
use serde_json::{Value, json};

use crate::cli::Project;
use crate::quirks::{IDS, Says, plan, rig, stream, two_steps};
use crate::support::{Driven, brief, who};
use crate::wire::server::{Played, Then, serve};

/// Some words of a reply, and then nothing.
fn falls_silent(_: &Value, _: usize) -> Played {
    let word = json!({ "choices": [{ "index": 0, "delta": { "content": "word ".repeat(400) } }] });
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    Played { bytes: format!("{head}data: {word}\n\n").into_bytes(), then: Then::Silence }
}

/// Not a word, the connection open.
fn says_nothing(_: &Value, _: usize) -> Played {
    Played { bytes: Vec::new(), then: Then::Silence }
}

/// What is set: by the agent, and for the model.
struct Set {
    agent: [Option<u64>; 2],
    model: [Option<u64>; 2],
}

fn with(set: &Set) -> Plan {
    let mut plan = plan();
    for member in plan.team.values_mut() {
        member.limits.call_timeout_ms = set.agent[0].unwrap_or(member.limits.call_timeout_ms);
        member.limits.idle_timeout_ms = set.agent[1];
    }
    for spec in plan.models.values_mut() {
        [spec.call_timeout_ms, spec.idle_timeout_ms] = set.model;
    }
    plan
}

const LONG: Option<u64> = Some(600_000);
const SHORT: Option<u64> = Some(800);

/// What is told when a time is up.
type Case = (&'static str, Says, Set, &'static [&'static str]);

static CASES: [Case; 5] = [
    (
        "the whole, by the agent",
        falls_silent,
        Set { agent: [SHORT, LONG], model: [None, None] },
        &["still answering after 800 ms, 2 kB so far; raise limits.call_timeout of `analyst`", "--call-timeout 1600ms"],
    ),
    (
        "the silence, by the agent",
        falls_silent,
        Set { agent: [LONG, SHORT], model: [None, None] },
        &["silent for 800 ms after 2 kB; raise limits.idle_timeout of `analyst`", "--idle-timeout 1600ms"],
    ),
    (
        "the whole, by the model, which wins",
        falls_silent,
        Set { agent: [LONG, LONG], model: [SHORT, None] },
        &["still answering after 800 ms, 2 kB so far; raise call_timeout of local/m1 in callsheet.toml"],
    ),
    (
        "the silence, by the model, which wins",
        falls_silent,
        Set { agent: [LONG, LONG], model: [None, SHORT] },
        &["silent for 800 ms after 2 kB; raise idle_timeout of local/m1 in callsheet.toml"],
    ),
    (
        "not a word: silence counts once it has begun",
        says_nothing,
        Set { agent: [SHORT, Some(50)], model: [None, None] },
        &["no answer within 800 ms; raise limits.call_timeout of `analyst`"],
    ),
];

/// Plays a situation until the run gives up.
async fn check((name, says, set, needles): &Case) {
    let (rig, requests) = rig(*says);
    let plan = with(set);
    let system = rig.system().await;
    let handle = system.run(&plan, &brief(&plan), who("ada")).await.unwrap();
    let run = Driven::of(&rig, system, handle);
    assert_eq!(run.settled().await, Status::Stuck, "{name}: {:?}", run.reasons());
    let reason = run.reasons().remove(0);
    needles.iter().for_each(|needle| assert!(reason.contains(needle), "{name} does not say {needle:?}: {reason}"));
    let failed = run.facts().into_iter().filter_map(|fact| match fact.is {
        Event::EffectFailed { class, spent, .. } => Some((class, spent.tokens > 0)),
        _ => None,
    });
    // Whatever was slow once is slow again, at the same price.
    assert_eq!(failed.collect::<Vec<_>>(), [(Class::Transient, true); 4], "{name}");
    assert_eq!(requests.lock().unwrap().len(), 4, "{name}");
    let vain = run.state().ledger.in_vain;
    assert_eq!((vain.calls, vain.spent.tokens), (4, run.state().ledger.spent.tokens), "{name}");
    replays(&run, &plan).await;
    run.system.stop().await;
}

/// Without any server it gives up after as many calls.
async fn replays(live: &Driven<'_>, plan: &Plan) {
    let recording = recording(live.store(), live.handle.run).unwrap();
    let recording = Recording::read(&recording.text().unwrap()).unwrap();
    let models = recording.models.clone();
    let plan = Plan { mode: Mode::Replay, script: None, models, recording: Some(Arc::new(recording)), ..plan.clone() };
    let (rig, _) = rig(says_nothing);
    let run = rig.run(&plan).await;
    assert_eq!((run.settled().await, run.reasons()), (Status::Stuck, live.reasons()));
    assert_eq!(run.state().ledger.in_vain.calls, live.state().ledger.in_vain.calls);
    run.system.stop().await;
}

#[test]
fn whose_time_is_up_is_told_with_how_much_came_and_what_to_raise() {
    // Side by side: each of them only waits.
    let play =
        |case: &'static Case| std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(check(case)));
    let played: Vec<_> = CASES.iter().map(play).collect();
    played.into_iter().for_each(|one| one.join().unwrap());
}

/// Silent for the first four requests; the fifth is answered.
fn recovers(body: &Value, n: usize) -> Played {
    if n < 4 { falls_silent(body, n) } else { stream(&two_steps(body, IDS)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_given_more_time_and_goes_on_with_it() {
    let (rig, _) = rig(recovers);
    let plan = with(&Set { agent: [LONG, SHORT], model: [None, None] });
    let system = rig.system().await;
    let handle = system.run(&plan, &brief(&plan), who("ada")).await.unwrap();
    let run = Driven::of(&rig, system, handle);
    assert_eq!(run.settled().await, Status::Stuck);
    let raise =
        |call_timeout_ms, idle_timeout_ms| Say::Raise(Raise { call_timeout_ms, idle_timeout_ms, ..Raise::default() });
    for low in [raise(LONG, None), raise(None, SHORT), raise(Some(1), Some(60_000))] {
        assert_eq!(run.say("ada", low).await, Err(Refusal::RaiseTooLow));
    }
    run.say("ada", raise(Some(900_000), Some(60_000))).await.unwrap();
    let patience = run.state().patience(&"analyst".parse().unwrap(), Some("default"));
    assert_eq!(patience, Patience { call_ms: 900_000, idle_ms: 60_000 });
    let message = *run.state().dead.keys().next().unwrap();
    run.say("ada", Say::DeadLetter { message, answer: DeadLetterAnswer::Retry }).await.unwrap();
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
    run.system.stop().await;
}

#[test]
fn what_is_written_for_the_model_wins_over_the_agent_and_that_over_the_default() {
    let limits = |call_timeout_ms, idle_timeout_ms| Limits {
        turns: 1,
        steps_per_turn: 1,
        output_tokens: 1,
        tokens: None,
        cost: None,
        call_timeout_ms,
        idle_timeout_ms,
    };
    let spec =
        |call_timeout_ms, idle_timeout_ms| ModelSpec { call_timeout_ms, idle_timeout_ms, ..ModelSpec::default() };
    for (agent, model, wanted) in [
        (None, None, (90_000, 120_000)),
        (Some(limits(5, None)), None, (5, 120_000)),
        (Some(limits(5, Some(6))), Some(spec(None, None)), (5, 6)),
        (Some(limits(5, Some(6))), Some(spec(Some(3), None)), (3, 6)),
        (Some(limits(5, Some(6))), Some(spec(Some(7), Some(8))), (7, 8)),
    ] {
        let Patience { call_ms, idle_ms } = Patience::of(agent.as_ref(), model.as_ref());
        assert_eq!((call_ms, idle_ms), wanted, "{agent:?} {model:?}");
    }
    let written = &plan().team["analyst"].limits;
    assert_eq!((written.call_timeout_ms, written.idle_timeout_ms), (30_000, Some(20_000)), "both are pinned");
    assert_eq!([Wait::Call, Wait::Idle].map(Wait::key), ["call_timeout", "idle_timeout"]);
}

#[test]
fn limits_that_do_not_fit_a_speed_are_told_with_what_would() {
    let slow = Speed { tokens: 30, ms: 4_000 };
    assert_eq!(slow.words(), "7.5 tokens a second");
    assert_eq!(Speed { tokens: 420, ms: 4_000 }.words(), "105 tokens a second");
    let told = slow.too_slow("drafter", 4_000, 120_000, "local").unwrap();
    assert_eq!(
        told,
        "a reply of `drafter` may have 4000 tokens, which takes 533 s at 7.5 tokens a second, and a call may take 120 s: write \
         call_timeout = \"14m\" under [models.providers.local] in callsheet.toml, or give it no more than 900 output_tokens"
    );
    assert_eq!(slow.too_slow("drafter", 900, 120_000, "local"), None);
    assert_eq!(Speed { tokens: 30, ms: 0 }.too_slow("drafter", 4_000, 1, "local"), None);
}

/// What a run would need in all, as its pause says.
fn needed(text: &str) -> u64 {
    let after = text.split("would need ").nth(1).unwrap_or_else(|| panic!("{text}"));
    after.split(' ').next().unwrap().replace(',', "").parse().unwrap()
}

/// Paused since a call that failed took what the next one needs: that call is named, wherever the pause is told.
#[test]
fn a_pause_by_budget_names_the_failure_that_spent_it() {
    let base = serve(|asked| falls_silent(&json!(asked.body), 0));
    let project = Project::new();
    let table = format!(
        "[models.providers.slow]\nbase_url = \"{base}/v1\"\ncall_timeout = \"800ms\"\n\n[models.prices.\"openai/gpt-5\"]"
    );
    project.replace("callsheet.toml", "aliases = {", "free = [\"slow/m\"]\naliases = {");
    project.replace("callsheet.toml", "[models.prices.\"openai/gpt-5\"]", &table);
    project.replace("topologies/re-engagement.toml", "tokens = 600_000", "tokens = 500");
    let (code, text) = project.types("run re-engagement --model slow/m");
    assert_eq!((code, text.contains("as spent")), (4, false), "{text}");
    let enough_for_one = needed(&text) * 3 / 2;
    project.replace("topologies/re-engagement.toml", "tokens = 500", &format!("tokens = {enough_for_one}"));
    let (code, text) = project.types("run re-engagement --model slow/m");
    let why = "1 call failed and counts as spent, with ";
    assert_eq!(code, 4, "{text}");
    for line in ["show 2", "resume 2"] {
        let told = project.types(line).1;
        assert!(told.contains(why) && told.contains("still answering after 800 ms, 2 kB so far"), "{line}: {told}");
    }
    assert!(text.contains(why) && text.contains("call_timeout of slow/m in callsheet.toml"), "{text}");
}
