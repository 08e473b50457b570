//! Golden journals: the first format version's facts of both shipped campaigns, as they were written then. Every later
//! version folds them to the same end, or refuses with a typed error; it never reads them as something else.

use std::path::Path;
use std::sync::Arc;

use callsheet::actor::history::read_fact;
use callsheet::id::{ApprovalNo, RunId};
use callsheet::run::event::{Event, Fact, Reason, Rule};
use callsheet::run::invariant::holds;
use callsheet::run::state::State;
use callsheet::topology::plan::Plan;
use serde_json::Value;

#[test]
fn journals_of_the_first_version_fold_to_what_they_came_to() {
    for name in ["re-engagement", "content-repurposing"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cases/golden/{name}.json"));
        let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let plan: Plan = serde_json::from_value(golden["plan"].clone()).unwrap();
        let mut state = State::new(RunId(uuid::Uuid::nil()), Arc::new(plan));
        for fact in golden["facts"].as_array().unwrap() {
            let fact = read_fact(fact.to_string().as_bytes()).unwrap_or_else(|why| panic!("{name}: {why}"));
            state.apply(&fact).unwrap_or_else(|illegal| panic!("{name}: {illegal}"));
            holds(&state).unwrap_or_else(|broken| panic!("{name}: {broken}"));
        }
        let (expect, spent) = (&golden["expect"], state.ledger.spent);
        assert_eq!(expect["status"], state.status().word(), "{name}");
        assert_eq!(expect["steps"], spent.steps, "{name}");
        assert_eq!(expect["tokens"], spent.tokens, "{name}");
        assert_eq!(expect["nano_usd"], spent.cost.0, "{name}");
        assert_eq!(expect["heard"], state.heard, "{name}");
    }
}

#[test]
fn a_reason_is_what_was_told_or_a_rule() {
    let body = format!(r#"{{"digest":"{}","bytes":7}}"#, "ab".repeat(32));
    let check = |written: &str, read: Option<Reason>| {
        let fact =
            format!(r#"{{"at":1,"is":{{"dead_lettered":{{"message":4,"class":"policy","reason":{written}}}}}}}"#);
        let found = read_fact(fact.as_bytes());
        let Some(read) = read else {
            assert!(found.unwrap_err().to_string().contains("not an event that this callsheet knows"), "{written}");
            return;
        };
        assert!(
            matches!(found, Ok(Fact { is: Event::DeadLettered { reason, .. }, .. }) if reason == read),
            "{written}"
        );
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    };
    check(&body, Some(Reason::Told(serde_json::from_str(&body).unwrap())));
    check(r#"{"rule":"lost_with_owner"}"#, Some(Rule::LostWithOwner.into()));
    check(r#"{"rule":"not_approved"}"#, Some(Rule::NotApproved.into()));
    check(r#"{"rule":"permit_expired","no":3}"#, Some(Rule::PermitExpired { no: ApprovalNo(3) }.into()));
    check(r#"{"rule":"permit_voided","no":3}"#, Some(Rule::PermitVoided { no: ApprovalNo(3) }.into()));
    check(r#"{"rule":"the_moon"}"#, None);
}

#[test]
fn a_fact_of_an_unknown_kind_is_refused_by_name() {
    for unknown in [
        r#"{"at":1,"is":{"teleported":{"to":"end"}}}"#,
        r#"{"at":1,"is":{"opened":{"epoch":2,"colour":"red"}}}"#,
        r#"{"at":1}"#,
        "[]",
        "",
    ] {
        let why = read_fact(unknown.as_bytes()).unwrap_err().to_string();
        assert!(why.contains("not an event that this callsheet knows"), "{unknown}: {why}");
    }
}
