//! The ledger of claims: what each pointer comes to, as data; and in a run, what is refused, what is recorded, and what whoever
//! approves sees of it.

use std::collections::BTreeMap;

use callsheet::id::{ArtefactName, ToolName};
use callsheet::run::event::Event;
use callsheet::run::state::Status;
use callsheet::tool::check::Check as _;
use callsheet::tool::sources::Sources;
use callsheet::tool::{Read, Sight};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cli::Project;
use super::decisions::rig;
use super::support::shipped;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    read: Vec<Given>,
    desk: BTreeMap<ArtefactName, Value>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    tool: ToolName,
    result: Value,
    #[serde(default)]
    of_others: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    body: Value,
    #[serde(default)]
    settings: Option<Value>,
    #[serde(default)]
    found: Vec<String>,
}

#[test]
fn a_claim_holds_if_what_it_says_stands_at_its_place() {
    let cases: Cases = toml::from_str(include_str!("../cases/claims.toml")).unwrap();
    let read = |given: Given| Read { tool: given.tool, result: given.result, is_own: !given.of_others };
    let calls: Vec<Read> = cases.read.into_iter().map(read).collect();
    let sight = Sight { desk: &cases.desk, calls: &calls };
    for case in &cases.case {
        let settings = case.settings.clone().unwrap_or(json!({}));
        let found = Sources.examine(&case.body, &sight, &settings);
        let said: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
        let is_right =
            said.len() == case.found.len() && said.iter().zip(&case.found).all(|(said, part)| said.contains(part));
        assert!(is_right, "{}: expected {:?}, found {said:#?}", case.name, case.found);
        assert!(found.iter().all(|finding| finding.level.refuses()), "{}", case.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_a_claim_that_points_elsewhere_is_not_taken() {
    for (key, value, why) in [
        ("quote", "We are the best.", "does not stand in market.read"),
        ("at", "/txt", "has nothing at"),
        ("source", "market.list", "there is no result and no artefact"),
    ] {
        let rig = rig();
        let mut plan = shipped("competitive-brief");
        let lines = &mut plan.script.as_mut().unwrap().lines;
        for line in lines.get_mut("watcher").unwrap() {
            line.writes.get_mut("observation").unwrap()["claims"][0][key] = json!(value);
        }
        let driven = rig.run(&plan).await;
        // A script says the same again, until its steps are used up.
        let status = driven.settled().await;
        assert!(matches!(status, Status::Stuck | Status::Paused), "{key}: {status:?}");
        let told = driven.facts().into_iter().find_map(|fact| match fact.is {
            Event::AnswerRefused { problems, .. } => Some(driven.body(problems.digest).to_string()),
            _ => None,
        });
        assert!(told.as_ref().is_some_and(|told| told.contains(why)), "{key}: {told:?}");
        let written = driven.facts().into_iter().filter(
            |fact| matches!(&fact.is, Event::VersionWritten(version) if version.artefact.as_str() == "observation"),
        );
        assert_eq!(written.count(), 0, "{key}");
        driven.system.stop().await;
    }
}

#[test]
fn whoever_approves_sees_each_claim_with_the_record_of_the_call_that_it_comes_from() {
    let project = Project::new();
    let (code, text) = project.types("run competitive-brief");
    assert_eq!(code, 3, "{text}");
    let (_, shown) = project.types("review 1");
    let claims = shown.find("3 claims").unwrap_or_else(|| panic!("no claims in\n{shown}"));
    assert!(claims < shown.find("What it rests on").unwrap(), "the claims come first:\n{shown}");
    let chain = "from observations at /0/claims/0/quote, which has it from market.read at /text (record ";
    assert!(shown.contains(chain), "{shown}");
    let (_, json) = project.types("review 1 --json");
    let json = serde_json::Deserializer::from_str(&json).into_iter::<Value>().next().unwrap().unwrap();
    let records: Vec<u64> =
        json["claims"].as_array().unwrap().iter().map(|claim| claim["record"].as_u64().unwrap()).collect();
    assert_eq!(records.len(), 3);
    let (_, messages) = project.types("messages 1 --json");
    for (nth, record) in records.iter().enumerate() {
        let line = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let told: Vec<Value> = line.filter(|news| news["seq"].as_u64() == Some(*record)).collect();
        let fact = told.first().unwrap_or_else(|| panic!("no record {record} in\n{messages}"));
        let body = fact["fact"]["is"]["effect_settled"]["result"]["returned"].is_object();
        assert!(body, "claim {nth}: record {record} is a tool's result: {fact}");
    }
}
