//! Walks a shipped campaign's script over its handoffs, with stand-ins for tools and persons; nothing of the run is in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use callsheet::id::{AgentName, ArtefactName, EffectId, MessageId, RunId};
use callsheet::model::rehearsal::Rehearsal;
use callsheet::model::{Act, Ask, Exchange, Incoming, Model, Pulse, Section, ToolCall};
use callsheet::run::event::Origin;
use callsheet::topology::manner::Patience;
use callsheet::topology::plan::{Line, Memory, Plan, Script};
use serde_json::{Value, json};

use super::text;

/// What a rehearsal came to: `agent:outcome`s, notes, and the newest artefacts.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) path: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) artefacts: BTreeMap<ArtefactName, Value>,
    /// Lines used, and turns had, by agent.
    used: BTreeMap<String, Vec<u32>>,
    had: BTreeMap<String, Vec<Section>>,
}

/// The run's parameters that are not their defaults.
pub(super) type Params<'a> = &'a [(&'a str, &'a str)];

/// A shipped campaign, walked without the run: its script, its handoffs, tools that stand in for the real ones.
pub(super) struct Walk {
    topology: Value,
    plan: Arc<Plan>,
    tool: fn(&str, &Value) -> Value,
}

impl Walk {
    pub(super) fn of(name: &str, tool: fn(&str, &Value) -> Value) -> Self {
        let topology: Value = toml::from_str(&text(&format!("topologies/{name}.toml"))).unwrap();
        let script: Value = toml::from_str(&text(&format!("rehearsals/{name}.toml"))).unwrap();
        let lines =
            script.as_object().unwrap().iter().filter(|(key, _)| !["schema_version", "test"].contains(&key.as_str()));
        let lines = lines.map(|(agent, lines)| {
            let lines = lines.as_array().unwrap().iter().map(|line| {
                let mut whole = json!({ "when": null, "calls": [], "outcome": null, "note": "", "writes": {} });
                whole.as_object_mut().unwrap().extend(line.as_object().unwrap().clone());
                serde_json::from_value::<Line>(whole).unwrap()
            });
            (agent.parse::<AgentName>().unwrap(), lines.collect())
        });
        let script = Script { lines: lines.collect() };
        let limits = json!({ "turns": 9, "steps_per_turn": 9, "output_tokens": 9, "tokens": null, "cost": null, "call_timeout_ms": 9 });
        let team: serde_json::Map<_, _> = script.lines.keys().map(|agent| {
            let file: Value = toml::from_str(&text(&format!("agents/{agent}.toml"))).unwrap();
            let instructions = text(&format!("agents/{}", file["instructions_file"].as_str().unwrap()));
            let tools = file.get("tools").cloned().unwrap_or(json!([]));
            let role = json!({ "kind": "model", "outcomes": file["outcomes"], "tools": tools, "model": "m", "instructions": instructions });
            let may_ask = topology["team"][agent.as_str()].get("may_ask").cloned().unwrap_or(json!([]));
            let memory = file.get("memory").cloned().unwrap_or(json!("turn"));
            (agent.to_string(), json!({ "does": file["does"], "reads": [], "writes": [], "limits": limits, "role": role,
                "may_ask": may_ask, "memory": memory }))
        }).collect();
        let mut plan: Plan = serde_json::from_value(json!({
            "format": 1, "name": name, "description": "", "mode": "rehearsal", "params": {}, "artefacts": {}, "schemas": {},
            "checks": {}, "start": topology["handoffs"]["start"], "handoffs": {}, "models": {}, "tools": {}, "script": null,
            "single_person": true, "team": team,
            "budget": { "steps": null, "tokens": null, "cost": null, "active_ms": null, "recipients": null, "when_spent": "pause" },
            "supervisor": { "max_restarts": 3, "within_ms": 1, "backoff_initial_ms": 1, "backoff_max_ms": 1, "poison_after": 3, "on": {} }
        })).unwrap();
        plan.script = Some(script);
        Self { topology, plan: Arc::new(plan), tool }
    }

    /// Tells the story; persons answer from `decisions`.
    pub(super) fn tell(&self, params: Params<'_>, decisions: &[&str]) -> Told {
        let mut told = Told::default();
        let mut decisions = decisions.iter();
        let mut message = Incoming {
            from: "start".into(),
            outcome: "start".into(),
            note: String::new(),
            round: 1,
            ..Incoming::default()
        };
        let mut at = self.topology["handoffs"]["start"].as_str().unwrap().to_owned();
        while at != "end" && at != "failed" {
            let member = &self.topology["team"][&at];
            let (outcome, note) = if member.get("approves").is_some() {
                ((*decisions.next().unwrap()).to_owned(), "Shorter, please.".to_owned())
            } else if member.get("tool").is_some() {
                ("done".to_owned(), String::new())
            } else {
                self.turn(&at, params, &message, &mut told)
            };
            told.path.push(format!("{at}:{outcome}"));
            let leads = &self.topology["handoffs"][&at];
            let to = leads.get(&outcome).unwrap_or(leads);
            let to = to.get("to").unwrap_or(to).as_str().unwrap().to_owned();
            message = Incoming { from: at, outcome, note, round: 1, ..Incoming::default() };
            at = to;
        }
        told
    }

    /// One turn of a scripted agent; its artefacts must fit their schemas.
    fn turn(&self, agent: &str, params: Params<'_>, message: &Incoming, told: &mut Told) -> (String, String) {
        let member = &self.topology["team"][agent];
        let is_question = message.outcome == "question";
        let remembers = self.plan.team[agent].memory == Memory::Run;
        let earlier = told.had.get(agent).filter(|_| remembers).cloned().unwrap_or_default();
        let reads = member.get("reads").and_then(Value::as_array).cloned().unwrap_or_default();
        let reads: Vec<&str> = reads.iter().map(|read| read.as_str().unwrap().trim_end_matches('?')).collect();
        let desk: BTreeMap<_, _> = told
            .artefacts
            .iter()
            .filter(|(name, _)| reads.contains(&name.as_str()))
            .map(|(n, b)| (n.clone(), b.clone()))
            .collect();
        let checks = desk.iter().map(|(name, body)| (name.clone(), long_subjects(body))).collect();
        let mut ask = Ask {
            effect: EffectId::of(RunId(uuid::Uuid::nil()), &agent.parse().unwrap(), MessageId(1), 0),
            plan: self.plan.clone(),
            offers: Default::default(),
            agent: agent.parse().unwrap(),
            member: agent.parse().unwrap(),
            brief: self.brief(params),
            model: "default".to_owned(),
            earlier,
            now: Section { message: message.clone(), desk, checks, said: vec![] },
            is_question,
            branch: String::new(),
            turn: 1,
            attempt: 1,
            lines_used: told.used.get(agent).cloned().unwrap_or_default(),
            withheld: Default::default(),
            steps_left: 9,
            input_tokens_max: 1_000_000,
            output_tokens_max: 9,
            patience: Patience { call_ms: 90_000, idle_ms: 90_000 },
            pulse: Pulse(Arc::new(|_| {})),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        loop {
            let reply = runtime.block_on(Rehearsal.reply(&ask)).unwrap();
            match &reply.act {
                Act::Calls(calls) => {
                    let mut result = |call: &ToolCall| match call.tool.as_str() {
                        "team.ask" => self.answer(agent, params, &call.args, told),
                        tool => (self.tool)(tool, &call.args),
                    };
                    let results = calls.iter().map(|call| (call.id.clone(), result(call))).collect();
                    ask.now.said.push(Exchange { reply, results, problems: vec![] });
                }
                Act::Answer(answer) => {
                    told.used.entry(agent.to_owned()).or_default().extend(reply.line);
                    told.had.entry(agent.to_owned()).or_default().push(ask.now);
                    let written: Vec<&str> = answer.writes.keys().map(ArtefactName::as_str).collect();
                    let mut due: Vec<&str> =
                        member["writes"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
                    due.retain(|_| !is_question);
                    due.sort_unstable();
                    assert_eq!(written, due, "{agent}");
                    assert!(
                        answer.writes.is_empty() || reply.origin == Origin::Computed || agent == "critic",
                        "{agent}"
                    );
                    for (name, body) in &answer.writes {
                        self.fits(name, body);
                        told.artefacts.insert(name.clone(), body.clone());
                    }
                    told.notes.push(answer.note.clone());
                    return (answer.outcome.to_string(), answer.note.clone());
                }
                Act::Unusable(why) => panic!("{why:?}"),
            }
        }
    }

    fn brief(&self, params: Params<'_>) -> BTreeMap<String, Value> {
        let known = self.topology["params"].as_object().unwrap().iter();
        let mut brief: BTreeMap<_, _> = known.map(|(name, param)| (name.clone(), param["default"].clone())).collect();
        brief.extend(params.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        brief
    }

    /// What a teammate says to a question.
    fn answer(&self, from: &str, params: Params<'_>, args: &Value, told: &mut Told) -> Value {
        let (to, note) = (args["to"].as_str().unwrap(), args["question"].as_str().unwrap().to_owned());
        assert!(self.plan.team[from].may_ask.iter().any(|teammate| teammate.as_str() == to), "{from} asks {to}");
        told.path.push(format!("{from}:question"));
        let question =
            Incoming { from: from.to_owned(), outcome: "question".to_owned(), note, round: 1, ..Incoming::default() };
        let (outcome, answer) = self.turn(to, params, &question, told);
        assert_eq!(outcome, "answer");
        json!(answer)
    }

    fn fits(&self, name: &ArtefactName, body: &Value) {
        let schema = self.topology["artefacts"][name.as_str()]["schema"].as_str().unwrap();
        let schema: Value = serde_json::from_str(&text(&format!("schemas/{schema}.json"))).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(body).map(|e| format!("{} at {}", e, e.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:?} in {body}");
    }
}

/// What the check of subjects says, by hand: at most 60 characters.
pub(super) fn long_subjects(body: &Value) -> Value {
    let mails = body["mails"].as_array().cloned().unwrap_or_default();
    let long =
        mails.iter().enumerate().filter(|(_, mail)| mail["subject"].as_str().is_some_and(|s| s.chars().count() > 60));
    let finding = |i| json!({ "level": "should", "rule": "campaign_qa.subject", "at": format!("/mails/{i}/subject"), "what": "too long" });
    long.map(|(i, _)| finding(i)).collect()
}
