//! Whole runs of models that go their own ways: a question within a turn, a model that another stands in for, a
//! conversation that is too long, what an agent remembers. The models are the test's own; nothing goes over a wire.

use std::sync::{Arc, Mutex};

use callsheet::actor::recording::recording;
use callsheet::failure::{Class, Failure, Usage, Work};
use callsheet::id::{ApprovalNo, Digest};
use callsheet::model::{Act, Answer, Ask, Model, Reply, Section, ToolCall};
use callsheet::run::event::{DeadLetterAnswer, Ending, Event, Origin};
use callsheet::run::input::Say;
use callsheet::run::state::{State, Status};
use callsheet::run::view::{Entry, Texts, View};
use callsheet::topology::plan::{Mode, ModelSpec, Plan, Role};
use callsheet::topology::recording::Recording;
use serde_json::{Value, json};

use super::support::{Driven, Rig, shipped};

type Words = dyn Fn(&Ask) -> Result<Act, Failure> + Send + Sync;

/// A model that says what a test says, and keeps what it was asked.
pub(crate) struct Told {
    words: Box<Words>,
    asks: Mutex<Vec<Ask>>,
}

impl Model for Told {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(async move {
            self.asks.lock().unwrap().push(ask.clone());
            let act = (self.words)(ask)?;
            let usage = Some(Usage { input_tokens: 10, output_tokens: 10, ..Usage::NOTHING });
            Ok(Reply { usage, ..Reply::new(act, Origin::Model) })
        })
    }
}

impl Told {
    /// What `agent` was asked, in order.
    pub(crate) fn asks(&self, agent: &str) -> Vec<Ask> {
        self.asks.lock().unwrap().iter().filter(|ask| ask.agent.as_str() == agent).cloned().collect()
    }
}

/// The shipped team with models, which have a second one to fall back on.
pub(crate) fn team() -> Plan {
    let mut plan = Plan { mode: Mode::Live, script: None, ..shipped("investigate") };
    let spec = |model: &str, fallback: Option<&str>| ModelSpec {
        model: model.to_owned(),
        fallback: fallback.map(str::to_owned),
        ..ModelSpec::default()
    };
    plan.models.values_mut().for_each(|of| *of = spec("test/first", Some("second")));
    plan.models.insert("second".to_owned(), spec("test/second", None));
    plan
}

pub(crate) fn rig(words: impl Fn(&Ask) -> Result<Act, Failure> + Send + Sync + 'static) -> (Rig, Arc<Told>) {
    let told = Arc::new(Told { words: Box::new(words), asks: Mutex::default() });
    let mut rig = Rig::new();
    rig.live = Some(Arc::clone(&told) as Arc<dyn Model>);
    (rig, told)
}

pub(crate) fn ends(outcome: &str, note: &str) -> Act {
    let answer = Answer { outcome: outcome.parse().unwrap(), note: note.to_owned(), writes: Default::default() };
    Act::Answer(answer)
}

fn writes(outcome: &str, artefact: &str, body: Value) -> Act {
    let writes = [(artefact.parse().unwrap(), body)].into();
    Act::Answer(Answer { outcome: outcome.parse().unwrap(), note: outcome.to_owned(), writes })
}

pub(crate) fn calls(id: &str, tool: &str, args: Value) -> Act {
    Act::Calls(vec![ToolCall { id: id.to_owned(), tool: tool.parse().unwrap(), args, named: String::new() }])
}

fn asks(to: &str, question: &str) -> Act {
    calls("asked", "team.ask", json!({ "to": to, "question": question }))
}

/// A call whose result holds `n`.
fn compares(n: u64) -> Act {
    calls(&format!("call{n}"), "stats.compare", json!({ "a": { "n": n, "k": 1 }, "b": { "n": n, "k": 1 } }))
}

pub(crate) fn result<'a>(section: &'a Section, call: &str) -> &'a Value {
    section.said.iter().find_map(|exchange| exchange.results.get(call)).unwrap()
}

/// Texts of a run.
pub(crate) struct Bodies<'a, 'r>(pub(crate) &'a Driven<'r>);

impl Texts for Bodies<'_, '_> {
    fn value(&self, digest: Digest) -> Option<Value> {
        Some(self.0.body(digest))
    }
}

/// What `callsheet messages` would show.
pub(crate) fn shown(run: &Driven<'_>) -> Vec<Entry> {
    viewed(run).1
}

/// What commands know of the run, and what `callsheet messages` would show.
pub(crate) fn viewed(run: &Driven<'_>) -> (View, Vec<Entry>) {
    let mut view = View::new(State::new(run.handle.run, run.state().plan));
    let facts = run.facts().into_iter();
    let entries = facts.zip(1..).map(|(fact, seq)| view.take(callsheet::id::Seq(seq), &fact, &Bodies(run)).unwrap());
    let entries = entries.flatten().collect();
    (view, entries)
}

pub(crate) fn entry<'a>(entries: &'a [Entry], word: &str) -> &'a Entry {
    entries.iter().find(|entry| entry.word == word).unwrap_or_else(|| panic!("nothing says {word}: {entries:#?}"))
}

/// Only a template can show the desk once more.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_set_aside_for_the_word_desk() {
    let mut set_aside = Vec::new();
    for instructions in ["Mind your desk.", "Mind your sofa.", "{{desk|length}}"] {
        let (rig, told) = rig(|ask| {
            Ok(match ask.now.said.len() {
                0 => compares(500),
                _ => ends("cannot_tell", "That is all."),
            })
        });
        let mut plan = team();
        let member = plan.team.get_mut("investigator").unwrap();
        let Role::Model { instructions: of, .. } = &mut member.role else { panic!("{member:?}") };
        *of = instructions.to_owned();
        let run = rig.run(&plan).await;
        assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
        set_aside.push(told.asks("investigator")[1].input_tokens_max);
        run.system.stop().await;
    }
    assert!(set_aside[0] == set_aside[1] && set_aside[2] > set_aside[1], "{set_aside:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_arrives_as_the_result_of_the_call_that_asked() {
    let (rig, told) = rig(|ask| {
        Ok(match (ask.agent.as_str(), ask.now.said.len()) {
            ("archivist", _) => ends("answer", "They were counted alike."),
            (_, 0) => asks("archivist", "Were they counted alike?"),
            _ => ends("cannot_tell", "That is all."),
        })
    });
    let run = rig.run(&team()).await;
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
    let question = &told.asks("archivist")[0];
    assert!(question.is_question);
    assert_eq!(
        (question.now.message.from.as_str(), &*question.now.message.note),
        ("investigator", "Were they counted alike?")
    );
    let asker = told.asks("investigator");
    assert_eq!(asker.len(), 2, "while it waits it is asked nothing");
    assert_eq!(*result(&asker[1].now, "asked"), json!("They were counted alike."));
    let entries = shown(&run);
    let answer = entry(&entries, "answer");
    assert_eq!((answer.from.as_str(), answer.to.as_deref()), ("archivist", Some("investigator")));
    assert_eq!((answer.origin, entry(&entries, "question").origin), (Some(Origin::Model), Some(Origin::Model)));
    let evidence = &entry(&entries, "cannot_tell").choice.as_ref().unwrap().calls;
    assert_eq!(evidence[0].by.as_ref().map(|by| by.as_str()), Some("archivist"));
    run.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_asked_and_who_asked_is_told_so() {
    let (rig, told) = rig(|ask| {
        Ok(match ask.now.said.len() {
            0 => asks("sceptic", "What do you think?"),
            _ => ends("cannot_tell", "That is all."),
        })
    });
    let run = rig.run(&team()).await;
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
    assert!(told.asks("sceptic").is_empty());
    let refused = result(&told.asks("investigator")[1].now, "asked")["error"].as_str().unwrap().to_owned();
    assert!(refused.contains("one of those you may ask: archivist"), "{refused}");
    run.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_cannot_be_answered_waits_for_a_person_and_then_its_asker_hears_why() {
    let (rig, told) = rig(|ask| {
        Ok(match (ask.agent.as_str(), ask.now.said.len()) {
            ("archivist", _) => ends("noted", "This is no answer to a question."),
            (_, 0) => asks("archivist", "Were they counted alike?"),
            _ => ends("cannot_tell", "That is all."),
        })
    });
    let run = rig.run(&team()).await;
    assert_eq!(run.settled().await, Status::Stuck);
    let message = *run.state().dead.first_key_value().unwrap().0;
    run.say("ada", Say::DeadLetter { message, answer: DeadLetterAnswer::Discard }).await.unwrap();
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
    let heard = result(&told.asks("investigator")[1].now, "asked").to_string();
    assert!(heard.contains("the outcome noted is not one of answer"), "{heard}");
    run.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_model_fails_for_good_the_next_is_asked_and_the_journal_says_so() {
    let (rig, told) = rig(|ask| match ask.model.as_str() {
        "second" => Ok(ends("cannot_tell", "The second says so.")),
        _ => Err(Failure::new(Class::Permanent, "this model is no more")),
    });
    let plan = team();
    let run = rig.run(&plan).await;
    assert_eq!(run.settled().await, Status::Ended(Ending::Done), "{:?}", run.reasons());
    let asked = told.asks("investigator");
    assert_eq!(asked.iter().map(|ask| ask.model.as_str()).collect::<Vec<_>>(), ["default", "second"]);
    let switches = run.facts().into_iter().filter(|fact| matches!(fact.is, Event::ModelSwitched { .. })).count();
    assert_eq!(switches, 1);
    let text = &entry(&shown(&run), "other model").text.clone();
    assert!(text.starts_with("test/second is asked in place of test/first"), "{text}");
    run.system.stop().await;

    // Without one to fall back on it is a dead letter with the reason.
    let (alone, _) = self::rig(|_| Err(Failure::new(Class::Permanent, "this model is no more")));
    let run = alone.run(&plan).await;
    assert_eq!(run.settled().await, Status::Stuck);
    assert!(run.reasons()[0].contains("this model is no more"), "{:?}", run.reasons());
    run.system.stop().await;
}

/// A conversation of three calls that the model then calls too long, until `bears` it.
async fn overflows(bears: fn(&Section) -> bool) -> (Vec<Ask>, Status, Vec<String>, usize) {
    let (rig, told) = rig(move |ask| match ask.now.said.len() {
        n @ 0..3 => Ok(compares(n as u64 + 1)),
        _ if bears(&ask.now) => Ok(ends("cannot_tell", "That is all.")),
        _ => Err(Failure { too_long: true, ..Failure::new(Class::Permanent, "too many tokens") }),
    });
    let run = rig.run(&team()).await;
    let status = run.settled().await;
    let cuts = run.facts().into_iter().filter(|fact| matches!(fact.is, Event::ContextCut { .. })).count();
    let (asks, reasons) = (told.asks("investigator"), run.reasons());
    run.system.stop().await;
    (asks, status, reasons, cuts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_is_too_long_is_cut_once() {
    let (asks, status, reasons, cuts) = overflows(|now| !result(now, "call1").is_object()).await;
    assert_eq!((status, cuts), (Status::Ended(Ending::Done), 1), "{reasons:?}");
    let (before, after) = (&asks[3].now, &asks[4].now);
    assert_eq!(result(before, "call1")["a"]["n"], json!(1));
    assert_eq!(result(after, "call1"), &json!("left out to make room; call again if you need it"));
    assert_eq!(result(after, "call3")["a"]["n"], json!(3), "what it heard last it still hears");

    let (asks, status, reasons, cuts) = overflows(|_| false).await;
    assert_eq!((asks.len(), status, cuts), (6, Status::Stuck, 1), "cut once, then the next model, then given up");
    assert!(reasons[0].contains("too many tokens"), "{reasons:?}");
}

/// Nothing was said that could be left out: the request itself is too long, and a model with a larger context may take it.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_request_that_is_too_long_is_told_as_that_and_nothing_is_cut() {
    let too_long = || Failure { too_long: true, ..Failure::new(Class::Permanent, "the request is too long") };
    for (has_larger, wanted) in [(false, Status::Stuck), (true, Status::Ended(Ending::Done))] {
        let (rig, told) = rig(move |ask| match ask.model.as_str() {
            "second" if has_larger => Ok(ends("cannot_tell", "The second can hold it.")),
            _ => Err(too_long()),
        });
        let plan = team();
        let run = rig.run(&plan).await;
        assert_eq!(run.settled().await, wanted, "{:?}", run.reasons());
        assert!(run.facts().into_iter().all(|fact| !matches!(fact.is, Event::ContextCut { .. })));
        let asked = told.asks("investigator");
        assert_eq!(asked.iter().map(|ask| ask.model.as_str()).collect::<Vec<_>>(), ["default", "second"]);
        assert!(has_larger || run.reasons()[0].contains("the request is too long"), "{:?}", run.reasons());
        let recording = recording(run.store(), run.handle.run).unwrap();
        let recording = Recording::read(&recording.text().unwrap()).unwrap();
        let models = recording.models.clone();
        let plan = Plan { mode: Mode::Replay, models, recording: Some(Arc::new(recording)), ..plan };
        let replay = Rig::new();
        let replayed = replay.run(&plan).await;
        assert_eq!(replayed.settled().await, wanted, "{:?}", replayed.reasons());
        run.system.stop().await;
        replayed.system.stop().await;
    }
}

fn report() -> Value {
    json!({ "question": "Why?", "answer": "Unknown.", "segment": null, "claims": [], "alternatives": [], "does_not_show": [] })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_remembers_is_shown_its_earlier_turns_and_who_does_not_is_not() {
    let (rig, told) = rig(|ask| {
        // Each turn's work is another: who hands on the same again is told so.
        let mut report = report();
        report["answer"] = json!(format!("Unknown, after {} earlier turns.", ask.earlier.len()));
        let look = format!("Look again: {}", ask.now.desk.values().next().unwrap_or(&json!("nothing"))["answer"]);
        let review = json!({ "verdict": "revise", "summary": look, "points": [] });
        Ok(match (ask.agent.as_str(), ask.earlier.len(), ask.now.said.len()) {
            ("sceptic", _, _) => writes("doubts", "review", review),
            (_, 0, 0) => compares(7),
            (_, 0 | 1, _) => writes("second_opinion", "report", report),
            _ => writes("report_ready", "report", report),
        })
    });
    let run = rig.run(&team()).await;
    assert_eq!(run.settled().await, Status::Waiting, "{:?}", run.reasons());
    let asked = told.asks("investigator");
    assert_eq!(asked.iter().map(|ask| ask.earlier.len()).collect::<Vec<_>>(), [0, 0, 1, 2]);
    let first = &asked[3].earlier[0];
    assert_eq!(result(first, "call7")["a"]["n"], json!(7), "what it found out two turns ago");
    assert_eq!(first.message.note, run.state().plan.description);
    assert_eq!(asked[3].earlier[1].message.note, "doubts");
    assert!(told.asks("sceptic").iter().all(|ask| ask.earlier.is_empty()));
    assert_eq!(run.open_approval().0, ApprovalNo(1));
    let entries = shown(&run);
    let evidence = &entry(&entries, "report_ready").choice.as_ref().unwrap().calls;
    assert_eq!(evidence.iter().map(|call| call.tool.as_str()).collect::<Vec<_>>(), ["stats.compare"]);
    run.system.stop().await;
}
