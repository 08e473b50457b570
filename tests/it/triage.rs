//! A rule and a person who answers, from the first command to the end: what is asked, what is taken, what is refused, who is
//! reminded, and who may answer then.

use std::collections::BTreeMap;

use callsheet::id::{AgentName, Outcome};
use callsheet::run::event::{Event, Refusal};
use callsheet::run::input::Say;
use callsheet::run::state::{Status, Wants};
use callsheet::topology::plan::{Escalate, Plan, Role};
use serde_json::{Value, json};

use super::cli::{check, untouched};
use super::decisions::{DONE, REJECTED};
use super::silence::{DAY_MS, moved};
use super::support::{Driven, shipped};

#[test]
fn a_person_fills_in_a_form_and_a_rule_sends_it_to_whom_its_size_calls_for() {
    let filled = "answer 1 --outcome known 'goal=300 readers who click again' by=2026-10-01";
    check(
        "triage",
        untouched,
        &[
            ("test triage", 0, &["5 passed, 0 failed"]),
            ("run triage", 3, &["question 1 is waiting", "callsheet answer 1"]),
            ("approvals", 0, &["owner", "fill in terms"]),
            ("approvals --json", 0, &["\"wants\":\"form\"", "\"about\":[\"terms\"]"]),
            ("review 1", 0, &["Question 1: owner", "goal=a text; what it is to bring", "--outcome known or drop_it"]),
            ("approve 1", 2, &["an answer is wanted here"]),
            ("edit 1", 2, &["an answer is wanted here"]),
            ("answer 1", 2, &["choose one with --outcome: known, drop_it"]),
            ("answer 1 --outcome knwon", 2, &["did you mean known?"]),
            ("answer 1 --outcome known", 2, &["terms is not written", "goal=a text"]),
            ("answer 1 --outcome known goal=x", 2, &["terms/goal", "by"]),
            ("answer 1 --outcome known goals=xyz by=2026-10-01", 2, &["goals"]),
            ("answer 1 --outcome known goal", 2, &["it is given as FIELD=VALUE"]),
            ("answer 9 -m x", 2, &["there is no approval 9"]),
            (filled, 3, &["known", "question 2 is waiting"]),
            (filled, 2, &["ana answered before: known"]),
            ("review 2", 0, &["For which channel is it?", "-m \"the answer\""]),
            ("answer 2", 2, &["say the answer"]),
            ("answer 2 -m 'For the newsletter alone.'", 3, &["For the newsletter alone.", "approval 3 is waiting"]),
            ("messages 1", 0, &["request.budget_usd is 1,200, above 1,000", "version 1 of terms", "ana"]),
            ("answer 3 -m x", 2, &["a decision is wanted here"]),
            ("approve 3", 0, &["director"]),
            ("show 1 --artefact terms", 0, &["300 readers who click again"]),
        ],
    );
}

#[test]
fn a_rule_is_tried_by_itself() {
    let write = |project: &super::cli::Project| {
        let request = json!({ "title": "Two mails", "why": "Clicks.", "budget_usd": 1000 });
        std::fs::write(project.path("request.json"), request.to_string()).unwrap();
    };
    let lines: &[(&str, i32, &[&str])] = &[
        ("try size", 2, &["size reads request: give what is on its desk"]),
        ("try size --artefact request=request.json", 0, &["small: no line holds: request.budget_usd is 1,000"]),
    ];
    check("a rule", write, lines);
}

/// The shipped team, whose owner is `bob`; after three days the group `brand` is told.
fn plan() -> Plan {
    let mut plan = shipped("triage");
    plan.single_person = false;
    let owner: AgentName = "owner".parse().unwrap();
    let Some(Role::Person(person)) = plan.team.get_mut(&owner).map(|member| &mut member.role) else { panic!() };
    person.who = vec!["bob".to_owned()];
    let after_ms = u64::try_from(3 * DAY_MS).unwrap();
    person.escalate = Some(Escalate { after_ms, to: "group:brand".to_owned() });
    plan
}

fn answer(driven: &Driven<'_>, outcome: &str, terms: Option<Value>) -> Say {
    let (approval, binds) = driven.open_approval();
    let writes: BTreeMap<_, _> = terms.into_iter().map(|terms| ("terms".parse().unwrap(), terms)).collect();
    let outcome: Outcome = outcome.parse().unwrap();
    Say::Respond { approval, binds, outcome, writes, comment: "So.".to_owned() }
}

fn good() -> Option<Value> {
    Some(json!({ "goal": "300 readers", "by": "2026-10-01" }))
}

fn kinds(driven: &Driven<'_>) -> Vec<&'static str> {
    let told = driven.facts().into_iter().filter(|fact| {
        matches!(fact.is, Event::Reminded { .. } | Event::Escalated { .. } | Event::PersonAnswered { .. })
    });
    told.map(|fact| fact.is.kind()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_is_reminded_and_others_are_told_who_may_answer_then() {
    let (rig, clock) = moved();
    let driven = rig.run(&plan()).await;
    assert_eq!(driven.settled().await, Status::Waiting);
    // Nobody else may answer yet, and time that passes answers nothing.
    assert_eq!(driven.say("ada", answer(&driven, "known", good())).await, Err(Refusal::NotAllowed));
    clock.by_ms(DAY_MS);
    assert_eq!(driven.say("bob", Say::Resume).await, Err(Refusal::NothingToDo));
    assert_eq!(kinds(&driven), ["reminded"]);
    assert_eq!(driven.say("bob", Say::Resume).await, Err(Refusal::NothingToDo));
    assert_eq!(kinds(&driven), ["reminded"], "once a day");
    clock.by_ms(2 * DAY_MS);
    assert_eq!(driven.say("bob", Say::Resume).await, Err(Refusal::NothingToDo));
    // After a long absence one reminder is as good as two.
    assert_eq!(kinds(&driven), ["reminded", "escalated", "reminded"]);
    let (_, approval) = driven.state().approvals.into_iter().next().unwrap();
    assert_eq!((approval.wants, approval.reminded.0, approval.fate), (Wants::Form, 2, None));
    assert_eq!(driven.say("ada", answer(&driven, "known", good())).await, Ok(()));
    let state = driven.until("the next question", |state| state.approvals.len() == 2).await;
    let version = state.versions.values().next().unwrap();
    assert_eq!(version.person.as_ref().map(|by| by.name.as_str()), Some("ada"));
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_taken_whole_or_refused_with_its_reason() {
    let (rig, clock) = moved();
    let driven = rig.run(&plan()).await;
    driven.settled().await;
    let ghost = Err(Refusal::NotDeclared { name: "ghost".to_owned() });
    assert_eq!(driven.say("ghost", answer(&driven, "known", good())).await, ghost);
    let faulty = |answer: Result<(), Refusal>| matches!(answer, Err(Refusal::FaultyAnswer { .. }));
    let late = Some(json!({ "goal": "300 readers", "by": "in October" }));
    for (outcome, terms) in [("known", late), ("known", None), ("approve", good())] {
        let said = format!("{outcome} {terms:?}");
        assert!(faulty(driven.say("bob", answer(&driven, outcome, terms)).await), "{said}");
    }
    let other = Say::Respond {
        approval: driven.open_approval().0,
        binds: callsheet::id::Digest([7; 32]),
        outcome: "known".parse().unwrap(),
        writes: BTreeMap::new(),
        comment: String::new(),
    };
    assert_eq!(driven.say("bob", other).await, Err(Refusal::ContentChanged));
    let (approval, binds) = driven.open_approval();
    let yes =
        Say::Decide { approval, binds, decision: callsheet::run::event::Decision::Approve, comment: String::new() };
    assert_eq!(driven.say("bob", yes).await, Err(Refusal::WantsAnswer));
    assert_eq!(kinds(&driven), <[&str; 0]>::default());
    // What drops it leads to the end, and writes nothing.
    assert_eq!(driven.say("bob", answer(&driven, "drop_it", None)).await, Ok(()));
    assert_eq!(driven.settled().await, DONE);
    driven.system.stop().await;
    let driven = rig.run(&plan()).await;
    driven.settled().await;
    clock.by_ms(7 * DAY_MS);
    assert_eq!(driven.say("bob", answer(&driven, "known", good())).await, Err(Refusal::Closed));
    assert_eq!(driven.settled().await, REJECTED, "silence answers nothing");
    driven.system.stop().await;
}
