//! Golden journals: the first format version's facts of both shipped campaigns, as they were written then. Every later
//! version folds them to the same end, or refuses with a typed error; it never reads them as something else.

use std::path::Path;
use std::sync::Arc;

use callsheet::actor::history::read_fact;
use callsheet::id::RunId;
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
fn a_fact_of_an_unknown_kind_is_refused_by_name() {
    for unknown in [
        r#"{"at":1,"is":{"teleported":{"to":"end"}}}"#,
        r#"{"at":1,"is":{"opened":{"epoch":2,"colour":"red"}}}"#,
        r#"{"at":1}"#,
        "[]",
        "",
    ] {
        let why = read_fact(unknown.as_bytes()).unwrap_err();
        assert!(why.contains("not an event that this callsheet knows"), "{unknown}: {why}");
    }
}
