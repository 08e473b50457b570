//! The campaigns as tools for other agents: what such an agent can do with them, and that it can decide nothing, whatever it calls.

use std::process::Stdio;

use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService, ServiceExt as _};
use serde_json::{Value, json};

use crate::cli::Project;

/// Another agent, which knows the tools of `callsheet mcp serve`.
struct Agent {
    session: RunningService<RoleClient, ()>,
    #[expect(dead_code, reason = "it ends with the agent")]
    child: tokio::process::Child,
}

impl Agent {
    async fn of(project: &Project) -> Self {
        let mut command = project.command();
        command.args(["mcp", "serve"]);
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let pipes = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        Self { session: ().serve(pipes).await.unwrap(), child }
    }

    async fn asks(&self, tool: &str, args: Value) -> CallToolResult {
        let args = args.as_object().cloned().unwrap_or_default();
        self.session.call_tool(CallToolRequestParams::new(tool.to_owned()).with_arguments(args)).await.unwrap()
    }

    async fn gets(&self, tool: &str, args: Value) -> Value {
        let came = self.asks(tool, args).await;
        assert_eq!(came.is_error, Some(false), "{tool}: {:?}", came.content);
        came.structured_content.unwrap()
    }

    /// How the run stands once it does not run any more.
    async fn rests(&self, run: &Value) -> Value {
        loop {
            let seen = self.gets("status", json!({ "run": run, "wait_seconds": 60 })).await;
            if seen["status"] != "running" {
                return seen;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_agent_starts_a_run_and_reads_what_comes_of_it_and_a_person_decides() {
    let project = Project::new();
    let agent = Agent::of(&project).await;
    let names: Vec<String> =
        agent.session.list_all_tools().await.unwrap().iter().map(|tool| tool.name.to_string()).collect();
    assert_eq!(names, ["campaigns", "start", "status", "result", "messages"]);
    let campaigns = agent.gets("campaigns", json!({})).await;
    let known =
        campaigns["campaigns"].as_array().unwrap().iter().find(|one| one["campaign"] == "re-engagement").unwrap();
    assert_eq!(known["params"]["quarter"]["type"], "string");
    let started = agent
        .gets("start", json!({ "campaign": "re-engagement", "params": { "shop": "Canary" }, "rehearse": true }))
        .await;
    let run = &started["run"];
    let seen = agent.rests(run).await;
    assert_eq!((&seen["status"], &seen["mode"]), (&json!("waiting"), &json!("rehearsal")));
    assert_eq!(seen["waits_for"], json!([{ "member": "approver", "person_types": "callsheet review 1" }]));
    let made = agent.gets("result", json!({ "run": run })).await;
    assert_eq!(made["artefacts"]["finding"]["content"]["segment"], "lapsed_eu");
    assert_eq!(made["ended_with"], json!([]));
    // The person decides elsewhere, and whoever is asked hears of it here.
    let (code, told) = project.types("approve 1");
    assert_eq!(code, 0, "{told}");
    assert_eq!(agent.rests(run).await["status"], "done");
    let made = agent.gets("result", json!({ "run": run })).await;
    assert_eq!(made["ended_with"].as_array().unwrap().len(), 1);
    let told = agent.gets("messages", json!({ "run": run })).await;
    let seqs: Vec<u64> =
        told["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert!(seqs.len() > 20 && seqs.is_sorted(), "{seqs:?}");
    let rest = agent.gets("messages", json!({ "run": run, "after": seqs[9] })).await;
    assert_eq!(rest["entries"][0]["seq"], json!(seqs[10]));
    let (_, audit) = project.types("show 1 --json");
    assert!(audit.contains("\"how\":\"mcp\""), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_agent_decides_nothing_and_is_told_what_is_wrong() {
    let project = Project::new();
    let agent = Agent::of(&project).await;
    let run = agent.gets("start", json!({ "campaign": "re-engagement", "rehearse": true })).await["run"].clone();
    agent.rests(&run).await;
    let cases = [
        ("approve", json!({ "approval": 1 }), "there is no tool approve"),
        ("decide", json!({ "approval": 1, "decision": "approve" }), "there is no tool decide"),
        ("resume", json!({ "run": 1, "steps": 1000 }), "there is no tool resume"),
        ("start", json!({ "campaign": "re-engagement", "approve": true }), "unknown field `approve`"),
        ("start", json!({ "campaign": "newsletters" }), "newsletters"),
        ("start", json!({ "campaign": "../callsheet" }), "callsheet"),
        ("start", json!({ "campaign": "re-engagement", "params": { "quarters": "x" } }), "quarters"),
        ("start", json!({}), "missing field `campaign`"),
        ("status", json!({ "run": 99 }), "there is no run 99"),
        ("status", json!({ "run": "one" }), "not as the tool declares"),
        ("result", json!({ "run": -1 }), "not as the tool declares"),
        ("messages", json!({ "run": 1, "before": 2 }), "unknown field `before`"),
    ];
    for (tool, args, why) in cases {
        let came = agent.asks(tool, args.clone()).await;
        let said = format!("{:?}", came.content);
        assert!(came.is_error == Some(true) && said.contains(why), "{tool} {args}: {said}");
    }
    let (_, open) = project.types("approvals --json");
    assert!(open.contains("\"approval\":1"), "{open}");
    assert_eq!(agent.rests(&run).await["status"], "waiting");
}
