//! Whole projects that are right: what the plan says, and agents that two topologies share.

use callsheet::id::NanoUsd;
use callsheet::topology::check::check;
use callsheet::topology::fault::Code;
use callsheet::topology::plan::{Arg, Mode, Plan, Recipient, Role, WhenSpent};
use serde_json::json;

use super::{around, base, checked};

#[test]
fn the_plan_says_what_the_files_say() {
    let plan = checked("re-engagement", &base()).unwrap().plan;
    assert_eq!((plan.start.as_str(), plan.mode, plan.single_person), ("analyst", Mode::Rehearsal, false));
    assert_eq!(plan.budget.cost, Some(NanoUsd(5_000_000_000)));
    assert_eq!((plan.budget.active_ms, plan.budget.recipients), (Some(7_200_000), Some(10_000)));
    assert_eq!(plan.supervisor.backoff_max_ms, 30_000);
    let critic = &plan.team["critic"];
    assert_eq!((critic.limits.turns, critic.limits.steps_per_turn, critic.limits.output_tokens), (12, 16, 2_000));
    let Role::Model { model, instructions, .. } = &critic.role else { panic!("{critic:?}") };
    assert_eq!(model, "judge");
    assert!(instructions.starts_with("Hold the draft"));
    let Role::Person(approver) = &plan.team["approver"].role else { panic!() };
    assert_eq!(approver.binds.as_ref().map(|name| name.as_str()), Some("sender"));
    assert_eq!(approver.expires.after_ms, 14 * 86_400_000);
    assert!(plan.team["approver"].reads.iter().any(|read| read.artefact.as_str() == "sequence" && !read.optional));
    let Role::Tool { args, .. } = &plan.team["sender"].role else { panic!() };
    assert_eq!(args["from"], Arg::Value(json!("news@example.com")));
    let revise = &plan.handoffs["critic"]["revise"];
    assert_eq!(revise.rounds.as_ref().map(|rounds| rounds.max), Some(3));
    assert_eq!(plan.handoffs["sender"]["done"].to, Recipient::End);
    assert_eq!(plan.script.as_ref().unwrap().lines["critic"].len(), 2);
    assert_eq!(plan.checks["campaign_qa"], json!({ "link_hosts": ["example.com"] }));
    let bytes = serde_json::to_vec(&plan).unwrap();
    assert_eq!(serde_json::from_slice::<Plan>(&bytes).unwrap(), plan);
}

#[test]
fn two_topologies_share_agents() {
    let first = checked("re-engagement", &base()).unwrap().plan;
    let second = checked("repurposing", &base()).unwrap().plan;
    let Role::Model { instructions: one, .. } = &first.team["drafter"].role else { panic!() };
    let Role::Model { instructions: other, .. } = &second.team["drafter"].role else { panic!() };
    assert_eq!(one, other);
    assert_eq!(second.team["critic"].limits.turns, 6);
    assert_eq!(second.team["critic"].limits.output_tokens, 2_000);
    assert_eq!((second.budget.tokens, second.budget.when_spent), (None, WhenSpent::Stop));
    assert_eq!(second.budget.cost, Some(NanoUsd(2_500_000_000)));
    let Role::Tool { args, .. } = &second.team["publisher"].role else { panic!() };
    assert_eq!(args["posts"], Arg::Path { root: "posts".to_owned(), keys: vec!["items".to_owned()] });
}

#[test]
fn tests_of_a_rehearsal_are_read() {
    let tests = checked("re-engagement", &base()).unwrap().tests;
    assert_eq!(tests.len(), 1);
    assert_eq!(tests[0].params["quarter"], json!("2026-Q3"));
    assert_eq!(tests[0].path.len(), 8);
    assert_eq!(tests[0].artefacts["finding"], json!({ "segment": "lapsed" }));
    assert_eq!(tests[0].asks, Some(1));
}

#[test]
fn a_live_run_needs_no_rehearsal_and_a_rehearsal_does() {
    let mut files = base();
    files.0.remove("rehearsals/re-engagement.toml");
    let mut live = around(Mode::Live);
    let judge = live.models["judge"].clone();
    live.models.insert("default".to_owned(), judge);
    let plan = check("re-engagement", &files, &live).unwrap().plan;
    assert!(plan.script.is_none());
    assert_eq!(plan.models["judge"].output_per_million, NanoUsd(15_000_000_000));
    let faults = checked("re-engagement", &files).unwrap_err();
    assert!(faults.iter().all(|fault| fault.code == Code::MissingFile) && faults.len() == 1, "{faults}");
}

#[test]
fn an_unknown_topology_names_the_near_one() {
    let faults = checked("re-engagment", &base()).unwrap_err();
    assert!(faults.to_string().contains("did you mean `re-engagement.toml`?"), "{faults}");
    for name in ["../x", "", "A", "a/b"] {
        assert_eq!(checked(name, &base()).unwrap_err().iter().next().unwrap().code, Code::Name);
    }
}

#[test]
fn expiry_may_be_left_out_only_if_it_holds() {
    let hold = base().text("agents/approver.toml").replace("then = \"reject\"", "then = \"hold\"");
    let text = base().text("topologies/re-engagement.toml").replace(", expired = \"end\"", "");
    let files = base().with("topologies/re-engagement.toml", &text);
    assert_eq!(checked("re-engagement", &files).unwrap_err().len(), 1);
    checked("re-engagement", &files.with("agents/approver.toml", &hold)).unwrap();
}

#[test]
fn every_code_is_explained_with_a_wrong_and_a_right_example() {
    for code in Code::ALL {
        let text = code.explain();
        assert!(text.starts_with(&format!("## {code} {}\n", code.title())), "{code}: {text}");
        assert!(text.contains("Wrong:") && text.contains("Right:"), "{code}: {text}");
        assert_eq!(code.as_str().parse::<Code>().unwrap(), *code);
        assert_eq!(text.matches("\n## ").count(), 0, "{text}");
    }
}
