//! Evidence that an outcome needs (`needs`): a result of this turn, over rows that a tool gave and nobody typed.

use callsheet::model::conversation::prompt;
use callsheet::model::{Act, Ask};
use callsheet::run::event::{ActHead, Ending, Event, Settled};
use callsheet::run::state::Status;
use callsheet::topology::plan::{Plan, Role};
use serde_json::{Value, json};

use crate::autonomy::{calls, ends, result, rig, team};
use crate::support::{Driven, Rig, shipped};

const NONE: &str =
    "the outcome cannot_tell needs a result of stats.rank in this turn, and there is none: call it first";
const TYPED: &str = "needs a result of stats.rank over rows that a tool gave, and you wrote yourself what it was computed from: \
                     call it again and name in rows_from the tool whose result has the rows";

/// The same for whoever wrote a script.
const SCRIPTED: &str = "needs a result of stats.rank over rows that a tool gave, and the script wrote out what it was computed from: \
     give it rows = \"{{ NAME.rows }}\"";

/// The investigator's team, whose end without an answer needs a result of `tool`; it is offered `tools`.
fn needing(tool: &str, tools: &[&str]) -> Plan {
    let mut plan = team();
    let member = plan.team.get_mut(&plan.start).unwrap();
    member.needs = [("cannot_tell".parse().unwrap(), vec![tool.parse().unwrap()])].into();
    let Role::Model { tools: offered, .. } = &mut member.role else { panic!() };
    *offered = tools.iter().map(|name| name.parse().unwrap()).collect();
    plan
}

fn query() -> Act {
    calls("rows", "performance.query", json!({ "query": "clicks_by_segment", "args": { "quarter": "2026-Q3" } }))
}

fn rank(rows: Value) -> Act {
    let mut args = json!({ "name": "segment", "n": "delivered", "k": "clicks" });
    args.as_object_mut().unwrap().append(&mut rows.as_object().unwrap().clone());
    calls("ranked", "stats.rank", args)
}

/// Rows that no query ever gave.
fn invented() -> Act {
    rank(
        json!({ "rows": [{ "segment": "a", "delivered": 900, "clicks": 9 }, { "segment": "b", "delivered": 900, "clicks": 90 }] }),
    )
}

fn named() -> Act {
    rank(json!({ "rows_from": "performance_query" }))
}

/// Every row of the result, written out again; one number is another, if it is to be.
fn copied(ask: &Ask, is_wrong: bool) -> Act {
    let mut rows = result(&ask.now, "rows")["rows"].clone();
    if is_wrong {
        rows[0]["clicks"] = json!(rows[0]["clicks"].as_u64().unwrap() + 1);
    }
    rank(json!({ "rows": rows }))
}

/// What is done in a turn before it is ended, step by step.
type Steps = fn(&Ask) -> Option<Act>;

fn step<const N: usize>(ask: &Ask, steps: [Act; N]) -> Option<Act> {
    steps.into_iter().nth(ask.now.said.len())
}

const BOTH: &[&str] = &["performance.query", "stats.rank"];

/// What is called, who is offered what, and what is said against the end of the turn.
static CASES: [(&str, Steps, &[&str], Option<&str>); 7] = [
    ("nothing", |_| None, BOTH, Some(NONE)),
    ("the rows only", |ask| step(ask, [query()]), BOTH, Some(NONE)),
    ("a ranking of invented rows", |ask| step(ask, [query(), invented()]), BOTH, Some(TYPED)),
    ("a ranking of rows by name", |ask| step(ask, [query(), named()]), BOTH, None),
    ("both", |ask| step(ask, [query(), named(), invented()]), BOTH, None),
    (
        "a copy of all rows",
        |ask| if ask.now.said.len() == 1 { Some(copied(ask, false)) } else { step(ask, [query()]) },
        BOTH,
        None,
    ),
    ("nobody else has rows", |ask| step(ask, [invented()]), &["stats.rank"], None),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_needs_evidence_is_refused_without() {
    for (what, steps, tools, against) in &CASES {
        let (rig, told) = rig(|ask| Ok(steps(ask).unwrap_or_else(|| ends("cannot_tell", "I know it anyway."))));
        let run = rig.run(&needing("stats.rank", tools)).await;
        let status = if against.is_some() { Status::Stuck } else { Status::Ended(Ending::Done) };
        assert_eq!(run.settled().await, status, "{what}: {:?}", run.reasons());
        let asks = told.asks("investigator");
        let problems: Vec<&String> =
            asks.last().unwrap().now.said.iter().flat_map(|exchange| &exchange.problems).collect();
        assert_eq!(problems.is_empty(), against.is_none(), "{what}: {problems:?}");
        problems.iter().for_each(|told| assert!(told.contains(against.unwrap()), "{what}: {told}"));
        let asked = prompt(&asks[0]).unwrap().text();
        assert!(asked.contains("`cannot_tell`: the work ends; it needs a result of `stats_rank` first"), "{asked}");
        run.system.stop().await;
    }
}

/// One number of eighteen rows is another: that is no copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_one_wrong_number_is_refused_and_then_mended_by_name() {
    let (rig, told) = rig(|ask| {
        let is_refused = ask.now.said.last().is_some_and(|exchange| !exchange.problems.is_empty());
        Ok(match ask.now.said.len() {
            0 => query(),
            1 => copied(ask, true),
            _ if is_refused => named(),
            _ => ends("cannot_tell", "I looked."),
        })
    });
    let run = rig.run(&needing("stats.rank", BOTH)).await;
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
    let asks = told.asks("investigator");
    let problems: Vec<_> = asks.last().unwrap().now.said.iter().map(|exchange| exchange.problems.clone()).collect();
    let refused = problems.iter().filter(|told| told.iter().any(|told| told.contains(TYPED))).count();
    assert_eq!((refused, asks.len()), (1, 5), "{problems:?}");
    run.system.stop().await;
}

/// What was said against an answer.
fn refused(run: &Driven<'_>, event: Event) -> Option<Value> {
    let Event::EffectSettled { result: Settled::Replied(replied), .. } = event else { return None };
    let ActHead::Answer { problems: Some(problems), .. } = replied.act else { return None };
    Some(run.body(problems.digest))
}

/// What is refused of a model is refused of the script that stands for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_types_rows_is_told_the_same() {
    let mut plan = shipped("re-engagement");
    let line = &mut plan.script.as_mut().unwrap().lines.get_mut("analyst").unwrap()[0];
    let rows = json!([
        { "segment": "lapsed_eu", "region": "eu", "delivered": 900, "clicks": 9 },
        { "segment": "loyal_eu", "region": "eu", "delivered": 900, "clicks": 90 },
    ]);
    line.calls[1].args["rows"] = rows;
    let rig = Rig::new();
    let run = rig.run(&plan).await;
    run.settled().await;
    assert_eq!(run.state().open_approvals().count(), 0);
    let told: Vec<Value> = run.facts().into_iter().filter_map(|fact| refused(&run, fact.is)).collect();
    assert!(!told.is_empty());
    let says = |told: &Value| told[0].as_str().unwrap().contains(SCRIPTED);
    assert!(told.iter().all(says), "{told:?}");
    run.system.stop().await;
}
