//! What cannot be prepared goes back: to the writer, who is asked again, or to the person who edited it, whose approval
//! opens again. A dead letter is left only where nobody of the team can mend it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use callsheet::failure::{Class, Failure, Work};
use callsheet::run::body::Receipt;
use callsheet::run::event::{DeadLetterAnswer, Decision, Event};
use callsheet::run::input::Say;
use callsheet::run::invariant::{Watch, holds};
use callsheet::run::state::{State, Status};
use callsheet::tool::{Approved, Declared, Intent, Item, Outward, Tool};
use callsheet::topology::plan::{Action, Plan};
use callsheet::topology::spec::ToolSpec;
use serde_json::{Value, json};

use super::cli::Project;
use super::decisions::{DONE, rig};
use super::support::{Driven, Rig, shipped};
use super::tools::outward;

/// A publisher that refuses so many times what is prepared, as it is told to.
struct Picky {
    inner: Arc<dyn Outward>,
    left: AtomicU32,
    class: Class,
    about: Option<&'static str>,
}

impl Declared for Picky {
    fn spec(&self) -> &ToolSpec {
        self.inner.spec()
    }
}

impl Outward for Picky {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        let less = |left: u32| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
            return self.inner.prepare(intent);
        }
        let failure = Failure::new(self.class, "no channel takes this");
        let failure = self.about.map_or(failure.clone(), |about| failure.about(about));
        Box::pin(async { Err(failure) })
    }
    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        self.inner.perform(item)
    }
    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        self.inner.query(item)
    }
}

fn picky(refusals: u32, class: Class, about: Option<&'static str>) -> Rig {
    let mut rig = rig();
    let publish = rig.tools.get_mut("articles.publish").unwrap();
    *publish = Tool::outward(Picky { inner: outward(publish), left: AtomicU32::new(refusals), class, about });
    rig
}

/// How often a writer was asked again; every fact is held against the invariants on the way.
fn asked_again(driven: &Driven<'_>) -> usize {
    let mut state = State::new(driven.handle.run, driven.state().plan);
    let mut watch = Watch::default();
    let mut asked = 0;
    for fact in driven.facts() {
        state.apply(&fact).unwrap();
        watch.take(&state, &fact).unwrap();
        holds(&state).unwrap();
        asked += usize::from(matches!(&fact.is, Event::MessageSent(message) if message.is_mend()));
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_is_asked_again_with_the_reason_and_not_for_ever() {
    let stop: fn(&mut Plan) = |plan| plan.supervisor.on = [("invalid".to_owned(), Action::AskPerson)].into();
    let as_it_is: fn(&mut Plan) = |_| {};
    // Refusals, their class, their argument, the plan; how often the writer is asked, and whether that leads on.
    let cases = [
        (1, Class::Invalid, None, as_it_is, 1, true),
        (1, Class::Invalid, Some("versions"), as_it_is, 1, true),
        (2, Class::Invalid, None, as_it_is, 2, true),
        (3, Class::Invalid, None, as_it_is, 2, false),
        (1, Class::Invalid, Some("nothing"), as_it_is, 0, false),
        (1, Class::Permanent, None, as_it_is, 0, false),
        (1, Class::Invalid, None, stop, 0, false),
    ];
    for (refusals, class, about, change, asked, leads_on) in cases {
        let what = format!("{refusals} {class:?} {about:?}");
        let rig = picky(refusals, class, about);
        let mut plan = shipped("content-repurposing");
        change(&mut plan);
        let driven = rig.run(&plan).await;
        let status = driven.settled().await;
        assert_eq!(asked_again(&driven), asked, "{what}");
        assert_eq!(status, if leads_on { Status::Waiting } else { Status::Stuck }, "{what}: {:?}", driven.reasons());
        if !leads_on {
            assert!(driven.reasons()[0].contains("no channel takes this"), "{what}");
            let message = *driven.state().dead.keys().next().unwrap();
            driven.say("ada", Say::DeadLetter { message, answer: DeadLetterAnswer::Retry }).await.unwrap();
            driven.settled().await;
        }
        let drafts = driven.facts().into_iter().filter(
            |fact| matches!(&fact.is, Event::VersionWritten(version) if version.artefact.as_str() == "channels"),
        );
        let mut newest = drafts.filter_map(|fact| match fact.is {
            Event::VersionWritten(version) => Some(version.body.digest),
            _ => None,
        });
        let state = driven.state();
        let bound = state.approvals.values().next().and_then(|approval| approval.desk["channels"].version());
        assert_eq!(newest.next_back(), bound, "{what}: what was written anew is what is bound");
        driven.decide("ada", Decision::Approve).await.unwrap();
        assert_eq!(driven.settled().await, DONE, "{what}");
        driven.system.stop().await;
    }
}

/// What the open approval's artefact says, and an edit of it; `twice` says what no publisher can do.
fn edit(driven: &Driven<'_>, text: &str, twice: bool) -> Say {
    let (approval, binds) = driven.open_approval();
    let mut body = driven.body(driven.state().approvals[&approval].desk["channels"].version().unwrap());
    body["versions"][0]["text"] = Value::from(text);
    if twice {
        body["versions"][1]["channel"] = body["versions"][0]["channel"].clone();
    }
    Say::Edit { approval, binds, artefact: "channels".parse().unwrap(), body }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_cannot_be_prepared_leaves_the_approval_as_it_was() {
    let rig = rig();
    let driven = rig.run(&shipped("content-repurposing")).await;
    driven.settled().await;
    let first = driven.open_approval();
    let before = driven.state().approvals[&first.0].desk.clone();
    driven.say("ada", edit(&driven, "Twice.", true)).await.unwrap();
    assert_eq!(driven.settled().await, Status::Waiting, "{:?}", driven.reasons());
    assert_eq!(driven.open_approval(), first, "the same approval of the same content");
    let approval = driven.state().approvals[&first.0].clone();
    assert_eq!(approval.desk, before);
    let refused = approval.refused.unwrap();
    let why = driven.body(refused.problems.digest);
    assert!(why["error"].as_str().unwrap().contains("two versions become the file newsletter.md"), "{why}");
    let kept = driven.body(refused.version);
    assert_eq!(kept["versions"][0]["text"], json!("Twice."), "nothing of what they wrote is lost");
    // A better one is taken, and one that is as bad puts that back.
    driven.say("ada", edit(&driven, "Once.", false)).await.unwrap();
    driven.settled().await;
    let second = driven.open_approval();
    assert!(second != first);
    driven.say("ada", edit(&driven, "Twice again.", true)).await.unwrap();
    driven.settled().await;
    assert_eq!(driven.open_approval(), second);
    assert_eq!(asked_again(&driven), 0, "it is the person's to mend");
    driven.decide("ada", Decision::Approve).await.unwrap();
    assert_eq!(driven.settled().await, DONE);
    let came = driven.came();
    let left: String = came.files.values().cloned().collect();
    assert!(left.contains("Once.") && !left.contains("Twice"), "{:?}", came.files);
    driven.system.stop().await;
}

/// What nobody of the team may write over is not asked of them: another's approval rests on it, or a person wrote it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_to_write_over_what_is_not_the_persons_to_approve() {
    let rig = picky(1, Class::Invalid, Some("versions"));
    let mut plan = shipped("content-repurposing");
    let person = super::decisions::person(&mut plan);
    person.approves = vec!["review".parse().unwrap()];
    let driven = rig.run(&plan).await;
    assert_eq!(driven.settled().await, Status::Stuck);
    assert_eq!(asked_again(&driven), 0);
    driven.system.stop().await;
}

fn types(project: &Project, lines: &[(&str, i32, &[&str])]) {
    for (line, exit, needles) in lines {
        let (code, text) = project.types(line);
        assert_eq!(code, *exit, "callsheet {line}\n{text}");
        needles.iter().for_each(|needle| assert!(text.contains(needle), "callsheet {line}: no {needle:?} in\n{text}"));
    }
}

fn artefact(project: &Project, line: &str) -> Value {
    let (_, shown) = project.types(line);
    serde_json::from_str(shown.lines().next().unwrap()).unwrap()
}

/// The data is of another time than the audience: a redraft and an edit are prepared with those who are there now.
#[test]
fn a_consent_withdrawn_between_two_drafts_is_counted_anew() {
    let project = Project::new();
    types(&project, &[("run re-engagement", 3, &["approval 1"]), ("review 1", 0, &["721 people"])]);
    project.replace("data/contacts.csv", ",lapsed_eu,1,0", ",lapsed_eu,0,0");
    let anew: &[&str] = &["720 people, counted anew (the audience says 721)"];
    types(&project, &[("request-changes 1 -m shorter", 3, &["approval 2 is waiting"]), ("review 2", 0, anew)]);
    project.replace("data/contacts.csv", ",lapsed_eu,1,0", ",lapsed_eu,0,0");
    let mut sequence = artefact(&project, "show 1 --artefact sequence --json");
    sequence["mails"][1]["subject"] = "Something green, 15 % off".into();
    std::fs::write(project.path("edit.toml"), toml::to_string_pretty(&sequence).unwrap()).unwrap();
    types(
        &project,
        &[
            ("edit 2 --file edit.toml", 3, &["approval 3 is waiting, in place of 2"]),
            ("review 3", 0, &["719 people, counted anew (the audience says 721)"]),
            ("approve 3", 0, &["done"]),
        ],
    );
    let people = std::fs::read_to_string(project.path("out/1-re-engagement/audience.csv")).unwrap();
    assert_eq!(people.lines().count(), 720, "a line for each of the 719 people, and the heading");
}

#[test]
fn an_edit_that_no_tool_can_prepare_is_told_and_costs_nothing() {
    let project = Project::new();
    types(&project, &[("run content-repurposing", 3, &["approval 1"])]);
    let mut channels = artefact(&project, "show 1 --artefact channels --json");
    channels["versions"][1]["channel"] = channels["versions"][0]["channel"].clone();
    std::fs::write(project.path("twice.toml"), toml::to_string_pretty(&channels).unwrap()).unwrap();
    let told: &[&str] = &["approval 1 is open again, as it was", "two versions become the file newsletter.md"];
    types(
        &project,
        &[
            ("edit 1 --file twice.toml", 2, told),
            ("edit 1 --file twice.toml", 2, told),
            ("dead-letters 1", 0, &["has no dead letters"]),
            ("approve 1", 0, &["done"]),
        ],
    );
}
