//! Rules that a project declares: what each finds in texts of many languages, as data; and what follows in a run from what it
//! found, up to the bytes that leave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use callsheet::failure::Work;
use callsheet::run::body::Receipt;
use callsheet::run::event::{Decision, Event, Refusal};
use callsheet::run::input::Say;
use callsheet::run::state::Status;
use callsheet::tool::check::Check as _;
use callsheet::tool::guard::Guard;
use callsheet::tool::part::shown::Shown;
use callsheet::tool::{Approved, Declared, Intent, Item, Outward, Read, Sight, Tool};
use callsheet::topology::plan::Plan;
use callsheet::topology::spec::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::decisions::{DONE, rig};
use super::support::{Driven, shipped};
use super::tools::outward;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    rule: Value,
    #[serde(default)]
    rows: Vec<Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    text: Option<String>,
    body: Option<Value>,
    #[serde(default)]
    found: Vec<String>,
    /// The sentence has the part somewhere, or says more.
    #[serde(default)]
    loose: bool,
}

/// What is wrong with the case, if anything.
fn complaint(rule: &Rule, case: &Case) -> Option<String> {
    let mut settings = rule.rule.clone();
    for (key, value) in [("on_fail", json!("repair")), ("passes", json!([])), ("fails", json!([]))] {
        settings[key] = value;
    }
    let guard = Guard::read("house", &json!({ "rules": { "it": settings } })).unwrap();
    let body = match (&case.text, &case.body) {
        (Some(text), _) => json!({ "text": text }),
        (None, body) => body.clone().unwrap_or_default(),
    };
    let calls = [Read::example(json!({ "rows": rule.rows }))];
    let desk = BTreeMap::new();
    let found = guard.examine(&body, &Sight { desk: &desk, calls: &calls }, &Value::Null);
    let said: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
    let fits = |(said, part): (&&str, &String)| case.loose || said.contains(part.as_str());
    let is_right = said.len() == case.found.len() && said.iter().zip(&case.found).all(fits);
    (!is_right).then(|| format!("{}: {body}: expected {:?}, found {said:?}", rule.name, case.found))
}

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    let rules: Rules = toml::from_str(include_str!("../cases/guards.toml")).unwrap();
    let complaints: Vec<String> =
        rules.rule.iter().flat_map(|rule| rule.cases.iter().filter_map(move |case| complaint(rule, case))).collect();
    let count: usize = rules.rule.iter().map(|rule| rule.cases.len()).sum();
    assert!(count >= 120, "{count} cases");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// `content-repurposing` with a check `house` of one rule, for what its writer writes or for what would leave.
fn plan_with(rule: &Value, of: Of, on_fail: &str) -> Plan {
    let mut plan = shipped("content-repurposing");
    let mut rule = rule.clone();
    for (key, value) in
        [("on_fail", json!(on_fail)), ("version", json!(3)), ("passes", json!([])), ("fails", json!([]))]
    {
        rule[key] = value;
    }
    plan.checks.insert("house".to_owned(), json!({ "rules": { "it": rule } }));
    match of {
        Of::Artefact => plan.artefacts.get_mut("channels").unwrap().checks.push("house".to_owned()),
        Of::Leaving => {
            plan.leaving.insert("articles.publish".parse().unwrap(), vec!["house".to_owned()]);
        }
    }
    plan
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Of {
    Artefact,
    Leaving,
}

/// What no shipped text has.
fn fails() -> Value {
    json!({ "kind": "required", "terms": ["zzz"] })
}

fn accept(driven: &Driven<'_>, rules: &[&str]) -> Say {
    let (approval, binds) = driven.open_approval();
    let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
    Say::Accept { approval, binds, rules, comment: "known".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_is_what_the_rule_says() {
    // The rule's word; of what; how often the writer is asked again; whether a person is asked, and has to accept it.
    let cases = [
        ("block", Of::Artefact, 0, false, false),
        ("repair", Of::Artefact, 2, false, false),
        ("gate", Of::Artefact, 0, true, true),
        ("warn", Of::Artefact, 0, true, false),
        ("block", Of::Leaving, 0, false, false),
        ("repair", Of::Leaving, 2, false, false),
        ("gate", Of::Leaving, 0, true, true),
        ("warn", Of::Leaving, 0, true, false),
    ];
    for (word, of, asked_again, is_asked, has_to_accept) in cases {
        let (what, rig) = (format!("{word} {of:?}"), rig());
        let driven = rig.run(&plan_with(&fails(), of, word)).await;
        let status = driven.settled().await;
        let again = driven.facts().into_iter().filter(|fact| match &fact.is {
            Event::AnswerRefused { .. } => true,
            Event::MessageSent(message) => message.is_mend(),
            _ => false,
        });
        assert_eq!(again.count(), asked_again, "{what}");
        assert_eq!(status, if is_asked { Status::Waiting } else { Status::Stuck }, "{what}: {:?}", driven.reasons());
        if !is_asked {
            assert!(driven.reasons()[0].contains("(house.it)"), "{what}: {:?}", driven.reasons());
            driven.system.stop().await;
            continue;
        }
        let state = driven.state();
        let (_, approval) = state.open_approvals().next().unwrap();
        let applied = driven.body(approval.rules.as_ref().unwrap().body.digest);
        assert!(applied.as_array().unwrap().iter().all(|it| it["rule"] == "house.it" && it["version"] == 3), "{what}");
        assert!(applied[0]["found"][0].as_str().unwrap().contains("zzz"), "{what}: {applied}");
        if has_to_accept {
            let gates = ["house.it".to_owned()].into();
            let refused = Err(Refusal::Unaccepted { rules: gates });
            assert_eq!(driven.decide("ada", Decision::Approve).await, refused, "{what}");
            assert_eq!(driven.say("ada", accept(&driven, &["house.other"])).await, refused, "{what}");
            driven.say("ada", accept(&driven, &["house.it", "house.other"])).await.unwrap();
            let accepted = driven.facts().into_iter().find_map(|fact| match fact.is {
                Event::ApprovalDecided { accepts, .. } => Some(accepts),
                _ => None,
            });
            assert_eq!(accepted.unwrap(), ["house.it".to_owned()].into(), "{what}: what is recorded is what was found");
        } else {
            driven.decide("ada", Decision::Approve).await.unwrap();
        }
        assert_eq!(driven.settled().await, DONE, "{what}");
        driven.system.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_holds_is_shown_and_asks_nothing() {
    let rig = rig();
    let driven = rig.run(&plan_with(&json!({ "kind": "banned", "terms": ["zzz"] }), Of::Leaving, "gate")).await;
    driven.settled().await;
    let state = driven.state();
    let ruling = state.open_approvals().next().unwrap().1.rules.clone().unwrap();
    assert!(ruling.gates.is_empty());
    let applied = driven.body(ruling.body.digest);
    let items = state.open_approvals().next().unwrap().1.manifest.as_ref().unwrap().items.len();
    assert_eq!(applied.as_array().unwrap().len(), items, "one for each item");
    assert_eq!(driven.approve_all().await, DONE);
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_not_write_what_a_rule_refuses() {
    for (word, is_refused) in [("block", true), ("repair", true), ("gate", false), ("warn", false)] {
        let rig = rig();
        let driven = rig.run(&plan_with(&json!({ "kind": "banned", "terms": ["zzz"] }), Of::Artefact, word)).await;
        driven.settled().await;
        let (approval, binds) = driven.open_approval();
        let mut body = driven.body(driven.state().approvals[&approval].desk["channels"].version().unwrap());
        body["versions"][0]["text"] = json!("It is ZZZ.");
        let say = Say::Edit { approval, binds, artefact: "channels".parse().unwrap(), body };
        let answer = driven.say("ada", say).await;
        assert_eq!(matches!(answer, Err(Refusal::FaultyEdit { .. })), is_refused, "{word}: {answer:?}");
        driven.settled().await;
        let approved = driven.decide("ada", Decision::Approve).await;
        assert_eq!(matches!(approved, Err(Refusal::Unaccepted { .. })), word == "gate", "{word}: {approved:?}");
        driven.system.stop().await;
    }
}

/// Shows one thing when it is prepared and another one when it leaves.
struct TwoFaced(Arc<dyn Outward>, AtomicU32);

impl Declared for TwoFaced {
    fn spec(&self) -> &ToolSpec {
        self.0.spec()
    }
}

impl Outward for TwoFaced {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        self.0.prepare(intent)
    }
    fn shown(&self, item: &Item) -> Vec<Shown> {
        let text = if self.1.fetch_add(1, Ordering::SeqCst) < 3 { "fine" } else { "zzz" };
        vec![Shown::Text { name: item.key.clone(), text: text.to_owned() }]
    }
    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        self.0.perform(item)
    }
    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        self.0.query(item)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_that_leave_are_held_against_the_rules_once_more() {
    let mut rig = rig();
    let publish = rig.tools.get_mut("articles.publish").unwrap();
    *publish = Tool::outward(TwoFaced(outward(publish), AtomicU32::new(0)));
    let driven = rig.run(&plan_with(&json!({ "kind": "banned", "terms": ["zzz"] }), Of::Leaving, "repair")).await;
    assert_eq!(driven.settled().await, Status::Waiting, "{:?}", driven.reasons());
    driven.decide("ada", Decision::Approve).await.unwrap();
    assert_eq!(driven.settled().await, Status::Stuck);
    assert!(driven.reasons()[0].contains("(house.it)"), "{:?}", driven.reasons());
    assert!(driven.came().files.is_empty(), "nothing left");
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_where_the_rules_are_not_there() {
    let rig = rig();
    let mut plan = plan_with(&fails(), Of::Leaving, "warn");
    plan.checks.remove("house");
    let driven = rig.run(&plan).await;
    assert_eq!(driven.settled().await, Status::Stuck);
    assert!(driven.reasons()[0].contains("nothing leaves without them"), "{:?}", driven.reasons());
    driven.system.stop().await;
}
