//! Teams: the shapes of the two shipped campaigns, and random ones that are well-formed by construction: handoffs lead
//! forward, or back with rounds; an outward tool is reached from a person's `approve` and from nowhere else.

use std::collections::BTreeMap;

use callsheet::id::{AgentName, ArtefactName, NanoUsd, Outcome, ToolName};
use callsheet::topology::plan::{
    Action, Arg, Artefact, Budget, Expires, Expiry, Handoff, Limits, Member, Memory, Mode, ModelSpec, PLAN_FORMAT,
    Person, Plan, Read, Recipient, Role, Rounds, Supervisor, WhenSpent,
};
use callsheet::topology::spec::{Labels, Reach, Repeat, ToolSpec};
use serde_json::json;

use super::random::Random;

/// A team to run.
pub(crate) fn draw(random: &mut Random) -> Plan {
    let shape = random.below(4);
    let mut team = Team::new(random);
    match shape {
        0 => team.re_engagement(),
        1 => team.content_repurposing(),
        _ => team.random(),
    }
    team.plan
}

/// A team that is being put together.
struct Team<'a> {
    random: &'a mut Random,
    plan: Plan,
}

pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn member(name: &str) -> Recipient {
    if name == "end" { Recipient::End } else { Recipient::Member(name.parse().unwrap()) }
}

impl<'a> Team<'a> {
    fn new(random: &'a mut Random) -> Self {
        let mode = if random.chance(500) { Mode::Live } else { Mode::Rehearsal };
        let budget = budget(random);
        let supervisor = supervisor(random);
        let price = |random: &mut Random| NanoUsd(random.below(2) * random.below(20_000_000_000));
        let model = ModelSpec {
            model: "provider/model".to_owned(),
            input_per_million: price(random),
            output_per_million: price(random),
            accepts_private: true,
            ..ModelSpec::default()
        };
        let plan = Plan {
            format: PLAN_FORMAT,
            name: "simulated".to_owned(),
            description: String::new(),
            mode,
            params: BTreeMap::new(),
            artefacts: BTreeMap::new(),
            schemas: BTreeMap::new(),
            checks: BTreeMap::new(),
            team: BTreeMap::new(),
            start: name("start"),
            handoffs: BTreeMap::new(),
            budget,
            supervisor,
            models: BTreeMap::from([("default".to_owned(), model)]),
            tools: BTreeMap::new(),
            script: None,
            single_person: random.chance(400),
        };
        Self { random, plan }
    }

    fn re_engagement(&mut self) {
        self.tool("performance.query", Reach::ReadsOut, Repeat::Pure, Labels { private: true, untrusted: false });
        self.tool("stats.rank", Reach::Inside, Repeat::Pure, Labels::default());
        let tools = ["performance.query", "stats.rank"];
        self.model("analyst", &["weak_segment", "nothing_found"], &tools, &[], &["finding", "audience"]);
        self.model("planner", &["planned"], &[], &["finding"], &["plan"]);
        self.model("drafter", &["drafted"], &[], &["finding", "plan", "review"], &["sequence"]);
        self.model("critic", &["pass", "revise"], &[], &["finding", "plan", "sequence"], &["review"]);
        self.person("approver", &["sequence", "audience"], Some("sender"));
        self.sender("sender", "email.deliver", &["sequence", "audience"]);
        self.plan.start = name("analyst");
        self.hand("analyst", "weak_segment", "planner");
        self.hand("analyst", "nothing_found", "end");
        self.hand("planner", "planned", "drafter");
        self.reviewed("approver", "sender");
    }

    fn content_repurposing(&mut self) {
        self.tool("articles.read", Reach::Inside, Repeat::Pure, Labels { private: false, untrusted: true });
        self.model("researcher", &["researched", "nothing_usable"], &["articles.read"], &[], &["notes"]);
        self.model("drafter", &["drafted"], &[], &["notes", "review"], &["channels"]);
        self.model("critic", &["pass", "revise"], &[], &["notes", "channels"], &["review"]);
        self.person("approver", &["channels"], Some("publisher"));
        self.sender("publisher", "articles.publish", &["channels"]);
        self.plan.start = name("researcher");
        self.hand("researcher", "researched", "drafter");
        self.hand("researcher", "nothing_usable", "end");
        self.reviewed("approver", "publisher");
    }

    /// The loop that both campaigns share: drafter, critic, approver, and out.
    fn reviewed(&mut self, approver: &str, sender: &str) {
        self.hand("drafter", "drafted", "critic");
        self.hand("critic", "pass", approver);
        self.back("critic", "revise", "drafter", 3, approver);
        self.hand(approver, "approve", sender);
        self.back(approver, "request_changes", "drafter", 5, "end");
        self.hand(approver, "reject", "end");
        self.hand(approver, "expired", "end");
        self.hand(sender, "done", "end");
    }

    /// One to three stretches of models and tools, each with a person at its end and perhaps a sender after that.
    fn random(&mut self) {
        self.tool("look.up", Reach::ReadsOut, Repeat::Pure, Labels { private: true, untrusted: true });
        self.tool("count.words", Reach::Inside, Repeat::Pure, Labels::default());
        let stretches = self.random.between(1, 3);
        let mut workers: Vec<Vec<String>> = Vec::new();
        for stretch in 0..stretches {
            let few = if stretch == 0 { self.random.between(1, 4) } else { self.random.below(3) };
            workers.push((0..few).map(|nth| format!("worker{stretch}{nth}")).collect());
        }
        let has_sender: Vec<bool> = (0..stretches).map(|_| self.random.chance(850)).collect();
        self.plan.start = name("worker00");
        for stretch in 0..workers.len() {
            let person = format!("person{stretch}");
            let next = match workers.get(stretch + 1) {
                Some(of) => of.first().cloned().unwrap_or(format!("person{}", stretch + 1)),
                None => "end".to_owned(),
            };
            let earlier: Vec<String> = workers[..=stretch].iter().flatten().cloned().collect();
            for nth in 0..workers[stretch].len() {
                let before = (stretch > 0 && has_sender[stretch - 1]).then(|| format!("sender{}", stretch - 1));
                self.worker(&workers[stretch], nth, &earlier, &person, before.as_deref());
            }
            let sender = format!("sender{stretch}");
            let after = if has_sender[stretch] { sender.clone() } else { next.clone() };
            self.person(&person, &["text", "list"], has_sender[stretch].then_some(&sender));
            self.hand(&person, "approve", &after);
            let to = self.random.pick(&earlier).cloned().unwrap_or_default();
            let rounds = u32::try_from(self.random.between(1, 4)).unwrap_or(1);
            self.back(&person, "request_changes", &to, rounds, "end");
            self.hand(&person, "reject", "end");
            self.hand(&person, "expired", "end");
            if has_sender[stretch] {
                self.sender(&sender, &format!("out.send{stretch}"), &["text", "list"]);
                self.hand(&sender, "done", &next);
            }
        }
    }

    fn worker(&mut self, stretch: &[String], nth: usize, earlier: &[String], person: &str, before: Option<&str>) {
        let own = stretch[nth].clone();
        let forward = |random: &mut Random| {
            let later = &stretch[nth + 1..];
            let next = later.first().map_or(person, String::as_str);
            if random.chance(800) { next } else { random.pick(later).map_or(person, String::as_str) }.to_owned()
        };
        let all = [&["text"][..], &["list"], &["text", "list"], &["aside"], &[]];
        let writes = self.random.pick(&all).copied().unwrap_or_default();
        let first = forward(self.random);
        if nth > 0 && self.random.chance(200) {
            self.own(&own, "count.words", &writes[..writes.len().min(1)]);
            self.hand(&own, "done", &first);
            return;
        }
        let outcomes = &["ready", "back", "stop"][..usize::try_from(self.random.between(1, 3)).unwrap_or(1)];
        let tools: &[&str] = if self.random.chance(600) { &["look.up", "count.words"] } else { &[] };
        self.model(&own, outcomes, tools, &["text", "list"], writes);
        self.hand(&own, "ready", &first);
        if outcomes.len() > 1 {
            let (mut to, then) = (self.random.pick(earlier).cloned().unwrap_or_default(), forward(self.random));
            // What was approved and not written since may go to its sender again; its permit has nothing left then.
            let delivered = ["text", "list"].iter().any(|artefact| writes.contains(artefact));
            if nth == 0 && !delivered && self.random.chance(300) {
                to = before.map_or(to, str::to_owned);
            }
            let rounds = u32::try_from(self.random.between(1, 3)).unwrap_or(1);
            self.back(&own, "back", &to, rounds, &then);
        }
        if outcomes.len() > 2 {
            self.hand(&own, "stop", "end");
        }
    }

    fn hand(&mut self, from: &str, outcome: &str, to: &str) {
        let handoff = Handoff { to: member(to), rounds: None };
        self.plan.handoffs.entry(name(from)).or_default().insert(name(outcome), handoff);
    }

    fn back(&mut self, from: &str, outcome: &str, to: &str, max: u32, then: &str) {
        let handoff = Handoff { to: member(to), rounds: Some(Rounds { max, then: member(then) }) };
        self.plan.handoffs.entry(name(from)).or_default().insert(name(outcome), handoff);
    }

    fn tool(&mut self, tool: &str, reach: Reach, repeat: Repeat, labels: Labels) {
        let call_timeout_ms = self.random.between(1, 30) * 1_000;
        let spec = ToolSpec {
            name: name(tool),
            description: String::new(),
            args: json!({}),
            repeat,
            reach,
            accepts: BTreeMap::new(),
            labels,
            call_timeout_ms,
            drafts: true,
        };
        self.plan.tools.insert(name(tool), spec);
    }

    fn seat(&mut self, agent: &str, reads: &[&str], writes: &[&str], role: Role) {
        for artefact in reads.iter().chain(writes) {
            let made = Artefact { schema: "any".to_owned(), checks: Vec::new() };
            self.plan.artefacts.insert(name(artefact), made);
        }
        let limits = limits(self.random);
        let read = |artefact: &&str| Read { artefact: name(artefact), optional: true };
        let member = Member {
            does: String::new(),
            reads: reads.iter().map(read).collect(),
            writes: writes.iter().map(|artefact| name(artefact)).collect(),
            limits,
            may_ask: Vec::new(),
            memory: Memory::Turn,
            role,
        };
        self.plan.team.insert(name(agent), member);
    }

    fn model(&mut self, agent: &str, outcomes: &[&str], tools: &[&str], reads: &[&str], writes: &[&str]) {
        let role = Role::Model {
            outcomes: outcomes.iter().map(|outcome| name::<Outcome>(outcome)).collect(),
            tools: tools.iter().map(|tool| name::<ToolName>(tool)).collect(),
            model: "default".to_owned(),
            instructions: "Do it.".to_owned(),
        };
        self.seat(agent, reads, writes, role);
    }

    fn person(&mut self, agent: &str, approves: &[&str], binds: Option<&str>) {
        let single = self.plan.single_person;
        let named = [&["ana", "ben"][..], &["group:approvers"], &[]];
        let who = self.random.pick(&named).copied().unwrap_or_default();
        let needed = if single { 1 } else { u32::try_from(self.random.between(1, 2)).unwrap_or(1) };
        let then = if self.random.chance(500) { Expiry::Reject } else { Expiry::Hold };
        let after_ms = self.random.between(1, 7 * 24) * 3_600_000;
        let role = Role::Person(Person {
            who: who.iter().map(|who| (*who).to_owned()).collect(),
            needed,
            starter_may_approve: self.random.chance(500),
            approves: approves.iter().map(|artefact| name::<ArtefactName>(artefact)).collect(),
            binds: binds.map(name::<AgentName>),
            remind_every_ms: None,
            escalate: None,
            expires: Expires { after_ms, then },
        });
        self.seat(agent, approves, &[], role);
    }

    fn own(&mut self, agent: &str, tool: &str, writes: &[&str]) {
        self.seat(agent, &[], writes, Role::Tool { tool: name(tool), args: BTreeMap::new() });
    }

    fn sender(&mut self, agent: &str, tool: &str, delivers: &[&str]) {
        let key_age_ms = self.random.between(1, 20) * 30_000;
        let repeat = match self.random.below(4) {
            0 => Repeat::Pure,
            1 => Repeat::Idempotent { key_age_ms },
            2 => Repeat::Queryable,
            _ => Repeat::Once,
        };
        self.tool(tool, Reach::ActsOut, repeat, Labels::default());
        let arg = |root: &&str| ((*root).to_owned(), Arg::Path { root: (*root).to_owned(), keys: Vec::new() });
        let args = delivers.iter().map(arg).collect();
        self.seat(agent, &[], &[], Role::Tool { tool: name(tool), args });
    }
}

/// Mostly ample; sometimes so small that the run comes by it.
fn budget(random: &mut Random) -> Budget {
    let mut limit = |ample: u64, tight: u64| match random.below(8) {
        0 => Some(random.between(1, tight)),
        1 => None,
        _ => Some(ample),
    };
    let (steps, tokens) = (limit(2_000, 12), limit(100_000_000, 40_000));
    let (cost, active_ms) = (limit(1_000_000_000_000, 200_000_000).map(NanoUsd), limit(86_400_000, 300_000));
    let recipients = limit(1_000_000, 60);
    let when_spent = if random.chance(200) { WhenSpent::Stop } else { WhenSpent::Pause };
    Budget { steps, tokens, cost, active_ms, recipients, when_spent }
}

fn limits(random: &mut Random) -> Limits {
    let rarely = |random: &mut Random, most: u64| random.chance(60).then(|| random.between(1, most));
    let small = |n: u64| u32::try_from(n).unwrap_or(1);
    let tokens = rarely(random, 30_000);
    let cost = rarely(random, 100_000_000).map(NanoUsd);
    let turns = rarely(random, 3).map_or(40, small);
    let steps_per_turn = rarely(random, 4).map_or(30, small);
    let (output_tokens, call_timeout_ms) = (random.between(100, 4_000), random.between(1, 120) * 1_000);
    Limits { turns, steps_per_turn, output_tokens, tokens, cost, call_timeout_ms }
}

fn supervisor(random: &mut Random) -> Supervisor {
    let small = |n: u64| u32::try_from(n).unwrap_or(1);
    let mut on = BTreeMap::new();
    if random.chance(250) {
        let actions = [Action::Retry, Action::Restart, Action::AskPerson, Action::Stop];
        for class in callsheet::failure::Class::ALL {
            if random.chance(200) {
                on.insert(class.word().to_owned(), random.pick(&actions).copied().unwrap_or(Action::Retry));
            }
        }
    }
    Supervisor {
        max_restarts: small(random.between(1, 5)),
        within_ms: random.between(1, 10) * 60_000,
        backoff_initial_ms: random.between(100, 2_000),
        backoff_max_ms: random.between(2, 60) * 1_000,
        poison_after: small(random.between(2, 4)),
        on,
    }
}
