//! Models that go round in circles, that run out of steps, and that can only edit what they are shown: what the runtime sees
//! and does about it. The models are the test's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use callsheet::actor::examiner::Examiner;
use callsheet::actor::recording::recording;
use callsheet::app;
use callsheet::id::ArtefactName;
use callsheet::model::conversation::prompt;
use callsheet::model::rehearsal::Rehearsal;
use callsheet::model::{Act, Answer, Ask, Model, Reply};
use callsheet::run::event::{Decision, Ending, Event, Origin, Wish};
use callsheet::run::state::Status;
use callsheet::run::view::work::{Work, sentences};
use callsheet::tool::Sight;
use callsheet::topology::order;
use callsheet::topology::plan::{Mode, Plan, Role};
use callsheet::topology::recording::Recording;
use serde_json::{Value, json};

use super::autonomy::{Bodies, calls, ends, entry, result, rig, shown, team, viewed};
use super::support::{Driven, Rig, shipped};

/// The names of what a request offers.
fn offered(ask: &Ask) -> Vec<String> {
    prompt(ask).unwrap().tools.into_iter().map(|offer| offer.name).collect()
}

fn offers(ask: &Ask, name: &str) -> bool {
    offered(ask).iter().any(|offered| offered == name)
}

/// A call that is the same each time but for its id, and for the order in which its arguments are written.
fn compares(nth: usize) -> Act {
    let (a, b) = (json!({ "n": 90, "k": 9 }), json!({ "k": 5, "n": 80 }));
    let args = if nth == 0 { json!({ "a": a, "b": b }) } else { json!({ "b": b, "a": a }) };
    calls(&format!("call{nth}"), "stats.compare", args)
}

fn performed(run: &Driven<'_>) -> usize {
    let facts = run.facts().into_iter();
    facts.filter(|fact| matches!(fact.is, Event::EffectAsked { wish: Wish::Tool { .. }, .. })).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_again_is_answered_as_before_and_its_tool_not_offered_any_more() {
    let (rig, told) = rig(|ask| {
        Ok(match offers(ask, "stats_compare") {
            true => compares(ask.now.said.len()),
            false => ends("cannot_tell", "I can only repeat myself."),
        })
    });
    let plan = team();
    let run = rig.run(&plan).await;
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
    let asks = told.asks("investigator");
    assert_eq!((asks.len(), performed(&run)), (3, 1), "asked three times, performed once");
    let again = result(&asks[2].now, "call1")["same_as_before"].as_str().unwrap();
    assert!(again.contains("its result stands above"), "{again}");
    assert_eq!(offered(&asks[2]), ["performance_query", "stats_rank", "team_ask", "end_turn"]);
    let text = entry(&shown(&run), "same call").text.clone();
    assert!(text.contains("stats.compare with the same arguments"), "{text}");

    // What was said plays again to the same end, refusal and all.
    let recording = Recording::read(&recording(run.store(), run.handle.run).unwrap().text().unwrap()).unwrap();
    let models = recording.models.clone();
    let plan = Plan { mode: Mode::Replay, models, recording: Some(Arc::new(recording)), ..plan };
    let replay = Rig::new();
    let replayed = replay.run(&plan).await;
    assert_eq!(replayed.settled().await, Status::Ended(Ending::Done), "{:?}", replayed.reasons());
    assert_eq!(performed(&replayed), 1);
    run.system.stop().await;
    replayed.system.stop().await;
}

/// A server that does not hold a model to what it is offered: it is told, as often as any misfit, and then given up.
#[tokio::test(flavor = "multi_thread")]
async fn who_calls_what_is_not_offered_any_more_comes_to_an_end_too() {
    let (rig, told) = rig(|ask| Ok(compares(ask.now.said.len())));
    let run = rig.run(&team()).await;
    assert_eq!(run.settled().await, Status::Stuck);
    // Once performed, once answered as before, then refused three times.
    assert_eq!((told.asks("investigator").len(), performed(&run)), (5, 1));
    assert!(run.reasons()[0].contains("not offered any more in this turn"), "{:?}", run.reasons());
    run.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_step_that_fits_offers_only_the_end_of_the_turn() {
    let (rig, told) = rig(|ask| {
        let n = ask.now.said.len() + 1;
        Ok(match offers(ask, "stats_compare") {
            true => {
                calls(&format!("call{n}"), "stats.compare", json!({ "a": { "n": 9, "k": n }, "b": { "n": 9, "k": 1 } }))
            }
            false => ends("cannot_tell", "There is no step left."),
        })
    });
    let mut plan = team();
    plan.team.values_mut().for_each(|member| member.limits.steps_per_turn = 6);
    let run = rig.run(&plan).await;
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.state().paused);
    let asks = told.asks("investigator");
    // A reply and a call each, twice; the third reply could be followed by a call, and by no reply after that.
    assert_eq!(asks.iter().map(|ask| ask.steps_left).collect::<Vec<_>>(), [5, 3, 1]);
    assert_eq!(offered(&asks[2]), ["end_turn"]);
    assert!(prompt(&asks[2]).unwrap().text().contains("This is the last step of this turn"));
    assert!(prompt(&asks[1]).unwrap().text().contains("After this reply 3 steps are left"));
    run.system.stop().await;
}

/// Speaks the script, but for the drafter that is sent back to its work: it changes what its desk shows, and nothing else.
#[derive(Default)]
struct Editor {
    edits: Mutex<Vec<Value>>,
}

impl Model for Editor {
    fn reply<'a>(&'a self, ask: &'a Ask) -> callsheet::failure::Work<'a, Reply> {
        if ask.agent.as_str() != "drafter" || ask.now.message.from == "planner" {
            return Rehearsal.reply(ask);
        }
        Box::pin(async move {
            let name = "sequence".parse().unwrap();
            let mut body = ask.now.desk.get(&name).expect("the drafter is shown its own draft").clone();
            let findings = ask.now.checks.get(&name).cloned().unwrap_or_default();
            let is_long = findings.to_string().contains("/mails/0/subject");
            body["mails"][0]["subject"] =
                json!(if is_long { "We have missed you" } else { "We have missed you a lot" });
            self.edits.lock().unwrap().push(findings);
            assert!(prompt(ask).unwrap().text().contains("<artefact name=\"sequence\" yours=\"as it stands now\">"));
            let writes = [(name, body)].into();
            let answer = Answer { outcome: "drafted".parse().unwrap(), note: "The subject is new.".to_owned(), writes };
            Ok(Reply::new(Act::Answer(answer), Origin::Model))
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_can_only_edit_what_it_is_shown_mends_its_draft() {
    let mut rig = Rig::new();
    let editor = Arc::new(Editor::default());
    rig.live = Some(Arc::clone(&editor) as Arc<dyn Model>);
    let run = rig.run(&Plan { mode: Mode::Live, ..shipped("re-engagement") }).await;
    assert_eq!(run.settled().await, Status::Waiting, "{:?}", run.reasons());
    run.decide("ada", Decision::RequestChanges).await.unwrap();
    assert_eq!(run.settled().await, Status::Waiting, "{:?}", run.reasons());
    let edits = editor.edits.lock().unwrap().clone();
    assert_eq!(edits.len(), 2, "once for the critic, once for the person");
    assert!(edits[0].to_string().contains("60"), "the findings of the check are on the desk: {}", edits[0]);
    let versions: Vec<Value> = run.facts().into_iter().filter_map(|fact| sequence(&run, fact.is)).collect();
    let subjects: Vec<_> = versions.iter().map(|body| body["mails"][0]["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects[1..], ["We have missed you", "We have missed you a lot"]);
    let rest = |body: &Value| (body["name"].clone(), body["mails"][0]["text"].clone(), body["mails"][1].clone());
    assert!(versions.windows(2).all(|two| rest(&two[0]) == rest(&two[1])), "and the rest is as it was");
    // The first draft was on no desk any more once the second was written; the second is what the person was asked about.
    let state = run.state();
    let kept = state.versions.values().filter(|version| version.artefact.as_str() == "sequence").count();
    assert_eq!((versions.len(), kept), (3, 2), "a state forgets what nothing in it can name");
    run.system.stop().await;
}

/// Speaks the script, and keeps the form in which each member is to end its turn, as it goes over the wire.
#[derive(Default)]
struct Formed {
    forms: Mutex<BTreeMap<String, String>>,
}

impl Model for Formed {
    fn reply<'a>(&'a self, ask: &'a Ask) -> callsheet::failure::Work<'a, Reply> {
        let end = prompt(ask).unwrap().tools.pop().unwrap();
        self.forms.lock().unwrap().insert(ask.agent.to_string(), order::write(&end.schema));
        Rehearsal.reply(ask)
    }
}

/// Whether `names` begin properties of `form` in this order, the first of them after `start`.
fn stand_in_order<'a>(form: &str, start: &str, names: impl IntoIterator<Item = &'a str>) -> bool {
    let mut rest = form.split_once(start).map(|(_, rest)| rest);
    for name in names {
        rest = rest.and_then(|rest| rest.split_once(&format!("\"{name}\":{{"))).map(|(_, rest)| rest);
    }
    rest.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_turn_is_filled_in_in_the_order_of_the_schema_file() {
    let mut rig = Rig::new();
    let formed = Arc::new(Formed::default());
    rig.live = Some(Arc::clone(&formed) as Arc<dyn Model>);
    let plan = Plan { mode: Mode::Live, ..shipped("re-engagement") };
    let run = rig.run(&plan).await;
    assert_eq!(run.settled().await, Status::Waiting, "{:?}", run.reasons());
    let forms = formed.forms.lock().unwrap().clone();
    assert_eq!(forms.len(), 4, "{forms:#?}");
    for (agent, form) in &forms {
        assert!(!form.contains(order::ORDER), "what is our own does not leave: {form}");
        assert!(stand_in_order(form, "\"properties\":{", ["writes", "note", "outcome"]), "{agent}: {form}");
        for name in &plan.team[agent.as_str()].writes {
            let path = format!("{}/schemas/{}.json", env!("CARGO_MANIFEST_DIR"), plan.artefacts[name].schema);
            let file = std::fs::read_to_string(&path).unwrap();
            // The properties of the whole are the lines that are four spaces in.
            let (_, properties) = file.split_once("\n  \"properties\": {").unwrap();
            let lines = properties.lines().filter_map(|line| line.strip_prefix("    \"")?.strip_suffix("\": {"));
            let names: Vec<&str> = lines.collect();
            assert!(names.len() > 1, "{path}");
            assert!(stand_in_order(form, &format!("\"{name}\":{{"), names.iter().copied()), "{names:?}: {form}");
        }
    }
    run.system.stop().await;
}

/// The critic says the same each time, and the drafter hands on what it was sent back with; both know what they were told.
#[derive(Default)]
struct Stubborn {
    told: Mutex<Vec<(String, Vec<String>)>>,
}

impl Model for Stubborn {
    fn reply<'a>(&'a self, ask: &'a Ask) -> callsheet::failure::Work<'a, Reply> {
        let agent = ask.agent.to_string();
        if !(agent == "critic" || agent == "drafter" && ask.now.message.from == "critic") {
            return Rehearsal.reply(ask);
        }
        Box::pin(async move {
            let problems = ask.now.said.iter().flat_map(|exchange| exchange.problems.clone());
            self.told.lock().unwrap().push((agent.clone(), problems.collect()));
            let name = "sequence".parse().unwrap();
            let (outcome, writes) = match agent.as_str() {
                "critic" => ("revise", Default::default()),
                _ => ("drafted", [(name, ask.now.desk["sequence"].clone())].into()),
            };
            let note = format!("The {agent} has said it all.");
            Ok(Reply::new(Act::Answer(Answer { outcome: outcome.parse().unwrap(), note, writes }), Origin::Model))
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hands_on_the_same_as_before_is_told_so_once_a_turn() {
    let mut rig = Rig::new();
    let stubborn = Arc::new(Stubborn::default());
    rig.live = Some(Arc::clone(&stubborn) as Arc<dyn Model>);
    let mut plan = Plan { mode: Mode::Live, ..shipped("re-engagement") };
    // What it says is in its note alone.
    plan.team.get_mut("critic").unwrap().writes.clear();
    let run = rig.run(&plan).await;
    assert_eq!(run.settled().await, Status::Waiting, "it is taken the second time: {:?}", run.reasons());
    let told = stubborn.told.lock().unwrap().clone();
    let of = |agent: &str| told.iter().filter(|(of, _)| of == agent).map(|(_, said)| said.len()).collect::<Vec<_>>();
    // The critic's first word is no repetition, and each turn after it is asked once more; its fourth word goes to the person.
    assert_eq!(of("critic"), [0, 0, 1, 0, 1, 0, 1]);
    assert_eq!(of("drafter"), [0, 1, 0, 1, 0, 1]);
    assert!(
        told.iter().flat_map(|(_, said)| said).all(|said| said.contains("word for word what you handed on before"))
    );
    let entries = shown(&run);
    let again = entries.iter().filter(|entry| entry.word == "asked again" && entry.text.contains("word for word"));
    assert_eq!(again.count(), 6, "{entries:#?}");
    run.system.stop().await;
}

fn sequence(run: &Driven<'_>, event: Event) -> Option<Value> {
    match event {
        Event::VersionWritten(version) if version.artefact.as_str() == "sequence" => {
            Some(run.body(version.body.digest))
        }
        _ => None,
    }
}

/// The analyst calls nothing and makes a finding up; all others speak the script.
struct Inventor {
    writes: BTreeMap<ArtefactName, Value>,
    problems: Mutex<Vec<String>>,
}

impl Model for Inventor {
    fn reply<'a>(&'a self, ask: &'a Ask) -> callsheet::failure::Work<'a, Reply> {
        if ask.agent.as_str() != "analyst" {
            return Rehearsal.reply(ask);
        }
        self.problems.lock().unwrap().extend(ask.now.said.iter().flat_map(|exchange| exchange.problems.clone()));
        let writes = self.writes.clone();
        let note = "The segment clicks 3.2 points less, as everybody knows.".to_owned();
        let answer = Answer { outcome: "weak_segment".parse().unwrap(), note, writes };
        Box::pin(async move { Ok(Reply::new(Act::Answer(answer), Origin::Model)) })
    }
}

/// A finding of the right shape, behind which there is not one result.
#[tokio::test(flavor = "multi_thread")]
async fn a_finding_that_was_made_up_without_a_call_reaches_no_approval() {
    let plan = shipped("re-engagement");
    let rehearsed = Rig::new();
    let run = rehearsed.run(&plan).await;
    assert_eq!(run.settled().await, Status::Waiting, "{:?}", run.reasons());
    let written = run.facts().into_iter().filter_map(|fact| match fact.is {
        Event::VersionWritten(version) if plan.team["analyst"].writes.contains(&version.artefact) => {
            Some((version.artefact, run.body(version.body.digest)))
        }
        _ => None,
    });
    let writes = written.collect();
    run.system.stop().await;
    let mut rig = Rig::new();
    let inventor = Arc::new(Inventor { writes, problems: Mutex::default() });
    rig.live = Some(Arc::clone(&inventor) as Arc<dyn Model>);
    let run = rig.run(&Plan { mode: Mode::Live, ..plan }).await;
    assert_eq!(run.settled().await, Status::Stuck);
    assert_eq!(run.state().open_approvals().count(), 0);
    let problems = inventor.problems.lock().unwrap().clone();
    assert!(!problems.is_empty());
    problems.iter().for_each(|told| assert!(told.contains("needs a result of stats.rank in this turn"), "{told}"));
    assert!(run.facts().into_iter().all(|fact| !matches!(fact.is, Event::VersionWritten(_))), "nothing of it is kept");
    run.system.stop().await;
}

/// Instructions that show more than anybody set aside for them are not sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_longer_than_its_bound_is_not_sent() {
    let (rig, told) = rig(|ask| {
        prompt(ask)?;
        Ok(ends("cannot_tell", "It was short enough."))
    });
    for (times, status) in [(10, Status::Ended(Ending::Done)), (9_000, Status::Stuck)] {
        let mut plan = team();
        let Role::Model { instructions, .. } = &mut plan.team.get_mut(&plan.start).unwrap().role else { panic!() };
        *instructions = format!("{{% for n in range({times}) %}}{{{{ brief.after }}}} {{% endfor %}}");
        let run = rig.run(&plan).await;
        assert_eq!(run.settled().await, status, "{times}: {:?}", run.reasons());
        let reasons = run.reasons().concat();
        assert_eq!(
            reasons.contains("its instructions repeat more than they need"),
            status == Status::Stuck,
            "{reasons}"
        );
        assert_eq!(run.state().ledger.reserved.tokens, 0);
        run.system.stop().await;
    }
    assert_eq!(told.asks("investigator").len(), 1 + 2, "the second is tried with the model to fall back on, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_taken_from_an_earlier_result_and_never_copied() {
    let (rig, told) = rig(|ask| {
        let query = json!({ "query": "clicks_by_segment", "args": { "quarter": "2026-Q3" } });
        let rank = json!({ "rows_from": "performance_query", "name": "segment", "n": "delivered", "k": "clicks" });
        Ok(match ask.now.said.len() {
            // Nothing has been asked yet: there are no rows.
            0 => calls("early", "stats.rank", rank),
            1 => calls("rows", "performance.query", query),
            2 => calls("ranked", "stats.rank", rank),
            _ => ends("cannot_tell", "That is all."),
        })
    });
    let run = rig.run(&team()).await;
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
    let asks = told.asks("investigator");
    let now = &asks[3].now;
    let early = result(now, "early")["error"].as_str().unwrap();
    assert!(early.contains("no result of \"performance_query\" in this turn has rows"), "{early}");
    assert!(result(now, "ranked")["tested"].as_u64().unwrap() > 2, "{}", result(now, "ranked"));
    let tools = prompt(&asks[0]).unwrap().tools;
    let rank: &Value = &tools.iter().find(|offer| offer.name == "stats_rank").unwrap().schema;
    assert!(!rank["required"].as_array().unwrap().contains(&json!("rows")), "{rank}");
    let said = prompt(&asks[3]).unwrap().text();
    assert_eq!(said.matches("\"rows_from\": \"performance_query\"").count(), 2, "the call goes back as it was made");
    assert_eq!(entry(&shown(&run), "stats.rank").origin, Some(Origin::Computed));
    run.system.stop().await;
}

/// What `callsheet review` says of who did what before the open approval.
fn told(run: &Driven<'_>) -> (Vec<Work>, Vec<String>) {
    let state = run.state();
    let work = viewed(run).0.work(state.open_approvals().next().unwrap().1.message, &Bodies(run));
    let said = sentences(&work);
    (work, said)
}

/// A report whose numbers nobody computed.
fn made_up() -> Act {
    let report = json!({ "question": "Why?", "answer": "Nobody did.", "segment": null, "claims": [], "alternatives": [],
        "does_not_show": [] });
    let writes = [("report".parse().unwrap(), report)].into();
    let answer = Answer { outcome: "report_ready".parse().unwrap(), note: "Done.".to_owned(), writes };
    Act::Answer(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_called_nothing_and_who_wrote_the_numbers_itself_is_told_at_the_approval() {
    const NOWHERE: &str = "its figures come from nowhere that was recorded";
    let two = |k: u64| json!({ "a": { "n": 90, "k": k }, "b": { "n": 80, "k": 5 } });
    let none = json!({ "a": { "n": 90, "k": 9 }, "b": { "n": 0, "k": 0 } });
    let rows = json!({ "query": "clicks_by_segment", "args": { "quarter": "2026-Q3" } });
    let rank = json!({ "rows_from": "performance_query", "name": "segment", "n": "delivered", "k": "clicks" });
    let own = json!({ "rows": [{ "s": "a", "n": 900, "k": 9 }, { "s": "b", "n": 900, "k": 90 }], "name": "s", "n": "n", "k": "k" });
    let ask = json!({ "to": "archivist", "question": "Were they counted alike?" });
    // What is called, what is said of it, and how many results rest on the model's own numbers.
    let cases = [
        (vec![], format!("`investigator` called no tool: {NOWHERE}"), 0),
        (vec![("stats.compare", none)], format!("`investigator` called `stats.compare` once (1 without a result), and got no result: {NOWHERE}"), 0),
        (vec![("stats.compare", two(9)), ("stats.compare", two(8))],
            "`investigator` called `stats.compare` 2 times; it wrote itself what was computed from: `stats.compare` 2 times".to_owned(), 2),
        (vec![("performance.query", rows.clone()), ("stats.rank", rank)],
            "`investigator` called `performance.query` once, `stats.rank` once".to_owned(), 0),
        (vec![("performance.query", rows), ("stats.rank", own)],
            "`investigator` called `performance.query` once, `stats.rank` once; it wrote itself what was computed from: `stats.rank` once".to_owned(), 1),
        (vec![("team.ask", ask)], "`investigator` called `team.ask` once".to_owned(), 0),
    ];
    for (made, says, typed) in cases {
        let (rig, _) = rig(move |ask| {
            Ok(match (ask.agent.as_str(), made.get(ask.now.said.len())) {
                ("archivist", _) => ends("answer", "They were."),
                (_, Some((tool, args))) => calls(&format!("call{}", ask.now.said.len()), tool, args.clone()),
                _ => made_up(),
            })
        });
        let run = rig.run(&team()).await;
        assert_eq!(run.settled().await, Status::Waiting, "{says}: {:?}", run.reasons());
        let (work, said) = told(&run);
        assert!(said.contains(&says), "{said:#?} has no {says:?}");
        assert_eq!(
            said.iter().any(|one| one.ends_with(NOWHERE)),
            says.ends_with(NOWHERE) || work.len() > 1,
            "{said:#?}"
        );
        assert_eq!(work.last().unwrap().called.values().map(|calls| calls.typed).sum::<u32>(), typed, "{work:#?}");
        let entries = shown(&run);
        assert_eq!(entries.iter().filter(|entry| entry.origin == Some(Origin::Typed)).count(), typed as usize);
        run.system.stop().await;
    }
}

/// Speaks the script, but for a planner that has another segment in mind until it is told.
#[derive(Default)]
struct Elsewhere {
    told: Mutex<Vec<String>>,
}

impl Model for Elsewhere {
    fn reply<'a>(&'a self, ask: &'a Ask) -> callsheet::failure::Work<'a, Reply> {
        Box::pin(async move {
            let problems: Vec<String> = ask.now.said.iter().flat_map(|exchange| exchange.problems.clone()).collect();
            let agent = ask.agent.clone();
            let mut reply = Rehearsal.reply(ask).await?;
            if let Act::Answer(answer) = &mut reply.act
                && agent.as_str() == "planner"
            {
                self.told.lock().unwrap().extend(problems.clone());
                let plan = answer.writes.get_mut("plan").unwrap();
                plan["segment"] = json!(if problems.is_empty() { "newcomers" } else { "lapsed_eu" });
            }
            Ok(reply)
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_another_segment_than_the_finding_is_told_with_both() {
    let mut rig = Rig::new();
    let model = Arc::new(Elsewhere::default());
    rig.live = Some(Arc::clone(&model) as Arc<dyn Model>);
    let run = rig.run(&Plan { mode: Mode::Live, ..shipped("re-engagement") }).await;
    assert_eq!(run.settled().await, Status::Waiting, "{:?}", run.reasons());
    let told = model.told.lock().unwrap().clone();
    let says = "plan.segment is \"newcomers\", and finding.segment is \"lapsed_eu\": they have to be the same";
    assert_eq!(told, [says]);
    run.system.stop().await;
}

#[test]
fn fields_that_have_to_agree_are_compared_where_both_say_something() {
    let examiner = Examiner::new(&shipped("re-engagement"), &app::checks()).unwrap();
    let audience = |args: Value| json!({ "query": "audience", "args": args, "size": 7 });
    let finding = |segment: Value| [("finding".parse().unwrap(), json!({ "segment": segment }))].into();
    let cases = [
        (json!({ "segment": "a" }), finding(json!("a")), None),
        (
            json!({ "segment": "b" }),
            finding(json!("a")),
            Some("audience.args.segment is \"b\", and finding.segment is \"a\""),
        ),
        (json!({ "segment": "" }), finding(Value::Null), None),
        (json!({}), finding(json!("a")), None),
        (json!({ "segment": "b" }), BTreeMap::new(), None),
    ];
    for (args, desk, says) in cases {
        let problems = examiner.examine(&"audience".parse().unwrap(), &audience(args), &Sight::of(&desk)).problems;
        assert_eq!(problems.len(), usize::from(says.is_some()), "{problems:?}");
        assert!(says.is_none_or(|says| problems[0].contains(says)), "{problems:?}");
    }
}
