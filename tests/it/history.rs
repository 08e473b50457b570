//! What a project's own past tells: which runs there were, what came of each, what people decided, and what was spent.

use std::sync::Arc;

use callsheet::app;
use callsheet::failure::Class;
use callsheet::journal::Store;
use callsheet::run::event::Decision;
use callsheet::tool::{Tool, history};
use serde_json::{Value, json};

use crate::decisions::{DONE, REJECTED};
use crate::support::{Rig, shipped};
use crate::tools::call;

fn tools(rig: &Rig) -> [Tool; 2] {
    let past = app::past(Arc::clone(&rig.store) as Arc<dyn Store>);
    history::open(&past).unwrap().try_into().unwrap_or_else(|_| panic!("two tools"))
}

fn list<'v>(found: &'v Value, key: &str) -> Vec<&'v Value> {
    found["runs"].as_array().unwrap().iter().map(|run| &run[key]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_says_what_came_of_each_run() {
    let rig = Rig::new();
    let [runs, result] = tools(&rig);
    assert_eq!(call(&runs, json!({})).await.unwrap(), json!({ "runs": [] }));
    let first = rig.run(&shipped("re-engagement")).await;
    first.settled().await;
    assert_eq!(first.approve_all().await, DONE);
    let state = first.state();
    first.system.stop().await;
    let second = rig.run(&shipped("content-repurposing")).await;
    second.settled().await;
    second.decide("ada", Decision::Reject).await.unwrap();
    assert_eq!(second.settled().await, REJECTED);
    second.system.stop().await;

    let found = call(&runs, json!({})).await.unwrap();
    assert_eq!(list(&found, "run"), [&json!(2), &json!(1)], "newest first");
    assert_eq!(list(&found, "status"), [&json!("rejected"), &json!("done")]);
    assert_eq!(found["runs"][1]["params"]["quarter"], "2026-Q3");
    assert!(list(&found, "rehearsal").iter().all(|is| **is == json!(true)));
    let only = |args: Value| call(&runs, args);
    assert_eq!(list(&only(json!({ "topology": "re-engagement" })).await.unwrap(), "run"), [&json!(1)]);
    assert_eq!(list(&only(json!({ "status": "rejected", "runs": 5 })).await.unwrap(), "run"), [&json!(2)]);
    assert_eq!(list(&only(json!({ "runs": 1 })).await.unwrap(), "run"), [&json!(2)]);

    let came = call(&result, json!({ "run": 1 })).await.unwrap();
    assert_eq!(came["steps"], json!(state.ledger.spent.steps), "{came}");
    assert_eq!(came["results"][0]["from"], "sender", "{came}");
    let left = came["left"].as_array().unwrap();
    assert!(left.len() == 4 && left.iter().all(|item| item["at"].as_str().unwrap().ends_with('Z')), "{left:?}");
    let decided: Vec<&str> =
        came["decisions"].as_array().unwrap().iter().map(|said| said["what"].as_str().unwrap()).collect();
    assert!(decided.contains(&"approve"), "{decided:?}");
    let came = call(&result, json!({ "run": 2 })).await.unwrap();
    assert_eq!((&came["results"][0]["outcome"], &came["left"]), (&json!("reject"), &json!([])), "{came}");
    assert!(came["decisions"].to_string().contains("reject"), "{came}");
    let why = call(&result, json!({ "run": 3 })).await.unwrap_err();
    assert_eq!((why.class, why.reason.as_str()), (Class::Invalid, "there is no run 3"));
    for tool in [&runs, &result] {
        assert!(tool.spec().labels.untrusted && tool.spec().labels.private, "{}", tool.spec().name);
    }
}
