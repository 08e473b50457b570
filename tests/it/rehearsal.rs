//! The rehearsal model as data: what it is asked, and the reply or the failure that comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use callsheet::failure::{Class, Failure};
use callsheet::id::{AgentName, EffectId, MessageId, RunId};
use callsheet::model::conversation::{instructions, prompt};
use callsheet::model::rehearsal::{Rehearsal, tokens};
use callsheet::model::{Act, Answer, Ask, Exchange, Incoming, Model, Pulse, Reply, Section, ToolCall};
use callsheet::run::event::Origin;
use callsheet::topology::manner::Patience;
use callsheet::topology::plan::{Line, Plan, Script, ScriptedCall};
use serde_json::{Value, json};

/// A plan with one model agent, `writer`, as JSON of the pinned format.
fn plan(lines: Vec<Line>, instructions: &str) -> Arc<Plan> {
    let mut plan: Plan = serde_json::from_value(json!({
        "format": 1, "name": "story", "description": "", "mode": "rehearsal", "params": {}, "artefacts": {}, "schemas": {},
        "checks": {}, "start": "writer", "handoffs": {}, "models": {}, "tools": {}, "script": null, "single_person": true,
        "team": { "writer": { "does": "", "reads": [], "writes": [],
            "limits": { "turns": 9, "steps_per_turn": 9, "output_tokens": 9, "tokens": null, "cost": null, "call_timeout_ms": 9 },
            "role": { "kind": "model", "outcomes": ["done"], "tools": [], "model": "rehearsal", "instructions": instructions } } },
        "budget": { "steps": null, "tokens": null, "cost": null, "active_ms": null, "recipients": null, "when_spent": "pause" },
        "supervisor": { "max_restarts": 3, "within_ms": 1, "backoff_initial_ms": 1, "backoff_max_ms": 1, "poison_after": 3, "on": {} }
    }))
    .unwrap();
    plan.script = Some(Script { lines: [(agent(), lines)].into() });
    Arc::new(plan)
}

fn agent() -> AgentName {
    "writer".parse().unwrap()
}

fn ask(lines: Vec<Line>) -> Ask {
    Ask {
        effect: EffectId::of(RunId(uuid::Uuid::nil()), &agent(), MessageId(1), 0),
        plan: plan(lines, "Write for {{ brief.reader }}."),
        offers: Arc::default(),
        agent: agent(),
        member: agent(),
        brief: [("reader".to_owned(), json!("Ada")), ("count".to_owned(), json!(3))].into(),
        model: "default".to_owned(),
        earlier: vec![],
        now: Section {
            message: Incoming {
                from: "start".to_owned(),
                outcome: "start".to_owned(),
                note: "Begin.".to_owned(),
                round: 2,
                ..Incoming::default()
            },
            desk: [("facts".parse().unwrap(), json!({ "rate": 5.86, "names": ["a", "b"], "none": null }))].into(),
            checks: BTreeMap::new(),
            said: vec![],
        },
        is_question: false,
        branch: String::new(),
        turn: 4,
        attempt: 1,
        lines_used: vec![],
        withheld: Default::default(),
        steps_left: 9,
        input_tokens_max: 1_000_000,
        output_tokens_max: 100,
        patience: Patience { call_ms: 90_000, idle_ms: 90_000 },
        pulse: Pulse(Arc::new(|_| {})),
    }
}

fn reply(ask: Ask) -> Result<Reply, Failure> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(Rehearsal.reply(&ask))
}

fn line(when: Option<&str>, note: &str, body: Value) -> Line {
    Line {
        when: when.map(str::to_owned),
        note: note.to_owned(),
        writes: [("story".parse().unwrap(), body)].into(),
        ..Line::default()
    }
}

fn call(name: &str, args: Value) -> ScriptedCall {
    ScriptedCall { tool: "stats.rank".parse().unwrap(), args, name: name.to_owned() }
}

fn called(name: &str, line: u32, result: Value) -> Exchange {
    let call =
        ToolCall { id: name.to_owned(), tool: "stats.rank".parse().unwrap(), args: json!({}), named: String::new() };
    Exchange {
        reply: said(Act::Calls(vec![call]), line),
        results: [(name.to_owned(), result)].into(),
        problems: vec![],
    }
}

fn said(act: Act, line: u32) -> Reply {
    Reply { line: Some(line), ..Reply::new(act, Origin::Scripted) }
}

fn refused(line: u32, problem: &str) -> Exchange {
    let act = Act::Answer(Answer { outcome: "done".parse().unwrap(), note: String::new(), writes: BTreeMap::new() });
    Exchange { reply: said(act, line), results: BTreeMap::new(), problems: vec![problem.to_owned()] }
}

fn wrote(reply: &Reply) -> &Value {
    match &reply.act {
        Act::Answer(answer) => answer.writes.values().next().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_template_becomes_what_it_stands_for() {
    let check = |template: Value, value: Value, origin: Origin| {
        let reply = reply(ask(vec![line(None, "", template.clone())])).unwrap();
        assert_eq!((wrote(&reply), reply.origin), (&value, origin), "{template}");
    };
    check(json!("plain"), json!("plain"), Origin::Scripted);
    check(json!("plain\n"), json!("plain\n"), Origin::Scripted);
    check(json!([1, 2.5, null, true]), json!([1, 2.5, null, true]), Origin::Scripted);
    check(json!("{{ '{{first_name|there}}' }}"), json!("{{first_name|there}}"), Origin::Scripted);
    check(json!("{% raw %}{{unsubscribe_url}}{% endraw %}\n"), json!("{{unsubscribe_url}}\n"), Origin::Scripted);
    check(json!("{{ facts }}"), json!({ "rate": 5.86, "names": ["a", "b"], "none": null }), Origin::Computed);
    check(json!("{{ desk.facts.rate }}"), json!(5.86), Origin::Computed);
    check(json!("{{ facts.none }}"), json!(null), Origin::Computed);
    check(json!("{{ round }} and {{ turn }}"), json!("2 and 4"), Origin::Computed);
    check(json!("{{ round + turn }}"), json!(6), Origin::Computed);
    check(json!("{{ brief.count > 2 }}"), json!(true), Origin::Computed);
    check(json!("{{ checks.facts }}"), json!([]), Origin::Computed);
    check(json!("{{ problems }}"), json!([]), Origin::Computed);
    check(json!("{{ review if review is defined else message.note }}"), json!("Begin."), Origin::Computed);
    check(json!({ "deep": [{ "n": "{{ facts.names|length }}" }] }), json!({ "deep": [{ "n": 2 }] }), Origin::Computed);
}

#[test]
fn a_template_without_a_value_says_where_and_why() {
    // The first line is out by its `when`, so that the second's number shows.
    let second = |body: Value| Line { when: Some("turn == 4".to_owned()), ..line(None, "", body) };
    let first_is_out = |line: Line| {
        let never = Line { when: Some("turn == 0".to_owned()), ..Line::default() };
        let failure = reply(ask(vec![never, line])).unwrap_err();
        assert_eq!(failure.class, Class::Permanent);
        failure.reason
    };
    let reason = first_is_out(second(json!({ "a": ["{{ fcts.rate }}"] })));
    for word in ["[[writer]] no. 2", "writes.story.a[0]", "undefined value", "fcts.rate", "not in scope: fcts", "facts"]
    {
        assert!(reason.contains(word), "{word:?} is not in {reason:?}");
    }
    assert!(first_is_out(second(json!("{{ facts.rat }}"))).contains("undefined value"));
    assert!(first_is_out(second(json!("{{ [facts.rat] }}"))).contains("undefined value"));
    assert!(first_is_out(second(json!("{{ facts.rat }} %"))).contains("undefined value"));
    assert!(first_is_out(second(json!("{{ facts. }}"))).contains("syntax error"));
    assert!(first_is_out(second(json!("{% include 'Cargo.toml' %}"))).contains("Cargo.toml"));
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
    assert!(first_is_out(second(json!(endless))).contains("fuel"));
    let reason = first_is_out(Line { when: Some("nobody.knows".to_owned()), ..Line::default() });
    assert!(reason.contains("no. 2, when: undefined value"), "{reason}");
}

#[test]
fn calls_come_one_by_one_and_then_the_answer() {
    let line = Line {
        calls: vec![
            call("rows", json!({ "n": "{{ brief.count }}" })),
            call("ranked", json!({ "rows": "{{ rows.all }}" })),
        ],
        ..line(None, "{{ ranked.best }}", json!("{{ ranked.best }}"))
    };
    let first = ask(vec![line]);
    let mut second = first.clone();
    second.now.said = vec![called("rows", 0, json!({ "all": [1, 2] }))];
    let mut third = second.clone();
    third.now.said.push(called("ranked", 0, json!({ "best": "x" })));

    let calls = |ask: &Ask| match reply(ask.clone()).unwrap().act {
        Act::Calls(calls) => calls.into_iter().map(|c| (c.id, c.args)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(calls(&first), [("rows".to_owned(), json!({ "n": 3 }))]);
    assert_eq!(calls(&second), [("ranked".to_owned(), json!({ "rows": [1, 2] }))]);
    let last = reply(third).unwrap();
    assert_eq!((wrote(&last), last.line), (&json!("x"), Some(0)));

    let mut broken = second;
    broken.now.said[0].results = [("rows".to_owned(), json!({ "error": "no such table: sends" }))].into();
    let reason = reply(broken).unwrap_err().reason;
    assert!(
        reason.contains("calls.ranked.rows") && reason.contains("rows came back as an error: no such table"),
        "{reason}"
    );
}

#[test]
fn the_first_unused_line_that_fits_is_spoken_and_the_last_repeats() {
    let lines = || {
        vec![
            line(Some("message.outcome == 'start'"), "", json!("a")),
            line(Some("message.outcome == 'revise'"), "", json!("b")),
            line(None, "", json!("{{ problems|join(' ') }}c")),
        ]
    };
    let check = |outcome: &str, used: &[u32], so_far: Vec<Exchange>, said: &str| {
        let mut ask = ask(lines());
        ask.now.message.outcome = outcome.to_owned();
        (ask.lines_used, ask.now.said) = (used.to_vec(), so_far);
        assert_eq!(wrote(&reply(ask).unwrap()), &json!(said), "{outcome} {used:?}");
    };
    check("start", &[], vec![], "a");
    check("revise", &[0], vec![], "b");
    check("start", &[0], vec![], "c");
    check("start", &[0, 1, 2], vec![], "c");
    check("revise", &[], vec![], "b");
    check("start", &[], vec![refused(0, "too long")], "too longc");
    check("start", &[], vec![called("x", 0, json!(1)), refused(0, "one"), refused(2, "two")], "twoc");

    let mut none = ask(lines()[..2].to_vec());
    none.now.message.outcome = "pass".to_owned();
    assert!(reply(none).unwrap_err().reason.contains("no line whose `when` holds for pass from start"));
}

#[test]
fn a_refused_line_with_calls_is_spoken_from_its_start() {
    let line = Line { calls: vec![call("one", json!({})), call("two", json!({}))], ..line(None, "", json!("x")) };
    let mut ask = ask(vec![line]);
    ask.now.said = vec![called("one", 0, json!(1)), called("two", 0, json!(1)), refused(0, "wrong")];
    for name in ["one", "two"] {
        match reply(ask.clone()).unwrap().act {
            Act::Calls(calls) => assert_eq!(calls[0].id, name),
            other => panic!("{other:?}"),
        }
        ask.now.said.push(called(name, 0, json!(1)));
    }
    assert!(matches!(reply(ask).unwrap().act, Act::Answer(_)));
}

#[test]
fn outcomes_are_templates_or_the_only_one() {
    let check = |outcome: Option<&str>, want: &str| {
        let line = Line { outcome: outcome.map(str::to_owned), ..Line::default() };
        let said = match reply(ask(vec![line])) {
            Ok(Reply { act: Act::Answer(answer), .. }) => answer.outcome.to_string(),
            other => other.unwrap_err().reason,
        };
        assert!(said.contains(want), "{said}");
    };
    check(None, "done");
    check(Some("{{ 'pass' if facts.rate > 5 else 'revise' }}"), "pass");
    check(Some("Not A Name"), "no. 1, outcome \"Not A Name\": a name is");
}

#[test]
fn tokens_are_counted_over_what_a_model_would_have_been_shown() {
    let ask = ask(vec![line(None, "n", json!("x"))]);
    assert_eq!(instructions(&ask), Ok("Write for Ada.".to_owned()));
    let prompt = prompt(&ask).unwrap();
    assert!(prompt.system.starts_with("Write for Ada.\n"), "{}", prompt.system);
    let shown = usize::try_from(prompt.bytes()).unwrap();
    let reply = reply(ask.clone()).unwrap();
    let usage = reply.usage.unwrap();
    assert_eq!(usage.input_tokens, tokens(shown));
    assert_eq!(usage.output_tokens, tokens(serde_json::to_vec(&reply.act).unwrap().len()));
    assert_eq!((tokens(0), tokens(1), tokens(4), tokens(5)), (0, 1, 1, 2));

    let mut wrong = ask;
    wrong.plan = plan(vec![Line::default()], "Write for {{ facts }}.");
    let reason = self::reply(wrong).unwrap_err().reason;
    assert!(reason.contains("writer: instructions: undefined value"), "{reason}");
}

#[test]
fn an_agent_without_lines_is_told_where_to_write_them() {
    let reason = reply(ask(vec![])).unwrap_err().reason;
    assert_eq!(reason, "writer has no lines: write [[writer]] in rehearsals/story.toml");
}
