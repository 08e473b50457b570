//! What people decide: by whom, of what, until when, how often; and that nothing leaves without exactly that decision.

use std::collections::BTreeMap;

use callsheet::id::{ApprovalNo, Digest, Timestamp};
use callsheet::journal::{Op, Store as _};
use callsheet::run::event::{Decision, Ending, Event, Refusal, Who};
use callsheet::run::input::{Post, Say};
use callsheet::run::state::Status;
use callsheet::topology::plan::{Handoff, Person, Plan, Recipient, Role};
use serde_json::{Value, json};

use super::support::{Driven, Rig, shipped, who};

/// What is said of the approval that is open first, and the answer.
type Said = (&'static str, Words, Answer);

#[derive(Debug, Clone, Copy)]
enum Words {
    Approve,
    Reject,
    Changes,
    /// Of a digest that is not the content's.
    ApproveOther,
    /// Of the first approval, whatever is open now.
    ApproveFirst,
    /// Of an approval that is of nobody.
    ApproveUnknown,
    /// A good version; of the first approval.
    EditFirst,
    Edit(Edited),
    Cancel,
}

/// What an edit does to the versions.
#[derive(Debug, Clone, Copy)]
enum Edited {
    Well,
    AgainstTheSchema,
    AgainstTheCheck,
    ArtefactOfOthers,
    NoArtefact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Heard,
    AlreadyDecided,
    AlreadyApproved,
    ContentChanged,
    Replaced,
    Faulty,
    NotTheirs,
    NotAllowed,
    NotDeclared,
    StarterMayNot,
    Unknown,
    Closed,
    NothingToDo,
    Over,
}

impl Answer {
    fn of(answer: Result<(), Refusal>) -> Self {
        match answer {
            Ok(()) => Self::Heard,
            Err(Refusal::AlreadyDecided { .. }) => Self::AlreadyDecided,
            Err(Refusal::AlreadyApproved) => Self::AlreadyApproved,
            Err(Refusal::ContentChanged) => Self::ContentChanged,
            Err(Refusal::Replaced { by: Some(ApprovalNo(2)) }) => Self::Replaced,
            Err(Refusal::FaultyEdit { .. }) => Self::Faulty,
            Err(Refusal::NotTheirs) => Self::NotTheirs,
            Err(Refusal::NotAllowed) => Self::NotAllowed,
            Err(Refusal::NotDeclared { .. }) => Self::NotDeclared,
            Err(Refusal::StarterMayNot) => Self::StarterMayNot,
            Err(Refusal::UnknownApproval) => Self::Unknown,
            Err(Refusal::Closed) => Self::Closed,
            Err(Refusal::NothingToDo) => Self::NothingToDo,
            Err(Refusal::RunOver) => Self::Over,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// A topology, what differs from how it is shipped, what is said by whom, and how the run stands then.
struct Case {
    what: &'static str,
    topology: &'static str,
    change: fn(&mut Plan, &mut Person),
    said: &'static [Said],
    status: Status,
    /// Approvals asked for in all.
    asked: usize,
    /// Whether something left.
    left: bool,
}

pub(super) const DONE: Status = Status::Ended(Ending::Done);
pub(super) const REJECTED: Status = Status::Ended(Ending::Rejected);

/// Ada starts every run. In a project with people she, bob and eve are in it; bob and eve are of `lifecycle`.
fn people(plan: &mut Plan, _: &mut Person) {
    plan.single_person = false;
}

fn two(plan: &mut Plan, person: &mut Person) {
    plan.single_person = false;
    person.needed = 2;
}

fn starter_may_not(plan: &mut Plan, person: &mut Person) {
    plan.single_person = false;
    person.starter_may_approve = false;
    person.who = vec!["ada".to_owned(), "bob".to_owned()];
}

fn one_round(plan: &mut Plan, _: &mut Person) {
    let handoffs = plan.handoffs.get_mut("approver").unwrap();
    handoffs.get_mut("request_changes").unwrap().rounds.as_mut().unwrap().max = 1;
}

const CASES: &[Case] = &[
    Case {
        what: "a second approval of the same",
        topology: "content-repurposing",
        change: |_, _| {},
        said: &[
            ("ada", Words::Approve, Answer::Heard),
            ("ada", Words::ApproveFirst, Answer::AlreadyDecided),
            ("bob", Words::EditFirst, Answer::AlreadyDecided),
            ("ada", Words::Cancel, Answer::Over),
        ],
        status: DONE,
        asked: 1,
        left: true,
    },
    Case {
        what: "an approval of other content, of nothing, and then of this",
        topology: "content-repurposing",
        change: |_, _| {},
        said: &[
            ("ada", Words::ApproveOther, Answer::ContentChanged),
            ("ada", Words::ApproveUnknown, Answer::Unknown),
            ("ada", Words::Approve, Answer::Heard),
        ],
        status: DONE,
        asked: 1,
        left: true,
    },
    Case {
        what: "an edit makes a new approval, and the old one is worth nothing",
        topology: "content-repurposing",
        change: |_, _| {},
        said: &[
            ("ada", Words::Edit(Edited::Well), Answer::Heard),
            ("ada", Words::ApproveFirst, Answer::Replaced),
            ("ada", Words::EditFirst, Answer::Replaced),
            ("ada", Words::Approve, Answer::Heard),
        ],
        status: DONE,
        asked: 2,
        left: true,
    },
    Case {
        what: "an edit with faults changes nothing",
        topology: "content-repurposing",
        change: |_, _| {},
        said: &[
            ("ada", Words::Edit(Edited::AgainstTheSchema), Answer::Faulty),
            ("ada", Words::Edit(Edited::ArtefactOfOthers), Answer::NotTheirs),
            ("ada", Words::Edit(Edited::NoArtefact), Answer::NotTheirs),
        ],
        status: Status::Waiting,
        asked: 1,
        left: false,
    },
    Case {
        what: "an edit that fails a check changes nothing",
        topology: "re-engagement",
        change: |_, _| {},
        said: &[
            ("ada", Words::Edit(Edited::AgainstTheCheck), Answer::Faulty),
            ("ada", Words::Edit(Edited::AgainstTheSchema), Answer::Faulty),
        ],
        status: Status::Waiting,
        asked: 1,
        left: false,
    },
    Case {
        what: "only who is asked may decide",
        topology: "content-repurposing",
        change: people,
        said: &[
            ("ada", Words::Approve, Answer::NotAllowed),
            ("ada", Words::Reject, Answer::NotAllowed),
            ("ada", Words::Edit(Edited::Well), Answer::NotAllowed),
            ("mallory", Words::Approve, Answer::NotDeclared),
            ("bob", Words::Approve, Answer::Heard),
        ],
        status: DONE,
        asked: 1,
        left: true,
    },
    Case {
        what: "whoever started it may send it back, and not approve it",
        topology: "content-repurposing",
        change: starter_may_not,
        said: &[
            ("ada", Words::Approve, Answer::StarterMayNot),
            ("ada", Words::Changes, Answer::Heard),
            ("ada", Words::Approve, Answer::StarterMayNot),
            ("eve", Words::Approve, Answer::NotAllowed),
            ("bob", Words::Approve, Answer::Heard),
        ],
        status: DONE,
        asked: 2,
        left: true,
    },
    Case {
        what: "one of two is not enough, however often they say it",
        topology: "content-repurposing",
        change: two,
        said: &[
            ("bob", Words::Approve, Answer::Heard),
            ("bob", Words::Approve, Answer::AlreadyApproved),
            ("ada", Words::Approve, Answer::NotAllowed),
        ],
        status: Status::Waiting,
        asked: 1,
        left: false,
    },
    Case {
        what: "two are enough",
        topology: "content-repurposing",
        change: two,
        said: &[("bob", Words::Approve, Answer::Heard), ("eve", Words::Approve, Answer::Heard)],
        status: DONE,
        asked: 1,
        left: true,
    },
    Case {
        what: "after an edit both approve anew",
        topology: "content-repurposing",
        change: two,
        said: &[
            ("bob", Words::Approve, Answer::Heard),
            ("eve", Words::Edit(Edited::Well), Answer::Heard),
            ("eve", Words::Approve, Answer::Heard),
        ],
        status: Status::Waiting,
        asked: 2,
        left: false,
    },
    Case {
        what: "one of two who rejects is enough",
        topology: "content-repurposing",
        change: two,
        said: &[("bob", Words::Approve, Answer::Heard), ("eve", Words::Reject, Answer::Heard)],
        status: REJECTED,
        asked: 1,
        left: false,
    },
    Case {
        what: "a rejection ends it",
        topology: "re-engagement",
        change: |_, _| {},
        said: &[("ada", Words::Reject, Answer::Heard), ("ada", Words::ApproveFirst, Answer::AlreadyDecided)],
        status: REJECTED,
        asked: 1,
        left: false,
    },
    Case {
        what: "changes are asked for until the rounds are used up",
        topology: "content-repurposing",
        change: one_round,
        said: &[("ada", Words::Changes, Answer::Heard), ("ada", Words::Changes, Answer::Heard)],
        status: REJECTED,
        asked: 2,
        left: false,
    },
    Case {
        what: "a cancel while it waits",
        topology: "content-repurposing",
        change: |_, _| {},
        said: &[
            ("ada", Words::Cancel, Answer::Heard),
            ("ada", Words::ApproveFirst, Answer::Closed),
            ("ada", Words::Cancel, Answer::Over),
        ],
        status: Status::Ended(Ending::Cancelled),
        asked: 1,
        left: false,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_by_whom_and_what_comes_of_it() {
    for case in CASES {
        check(case).await;
    }
}

async fn check(case: &Case) {
    let mut plan = shipped(case.topology);
    let mut person = person(&mut plan).clone();
    (case.change)(&mut plan, &mut person);
    *self::person(&mut plan) = person;
    let rig = rig();
    let driven = rig.run(&plan).await;
    assert_eq!(driven.settled().await, Status::Waiting, "{}: {:?}", case.what, driven.reasons());
    let first = driven.open_approval();
    for (place, (name, words, wanted)) in case.said.iter().enumerate() {
        let before = driven.facts().len();
        let answer = Answer::of(driven.say(name, say(&driven, *words, first)).await);
        let what = format!("{}, {place}: {name} {words:?}", case.what);
        assert_eq!(answer, *wanted, "{what}");
        if answer != Answer::Heard {
            // Taking a run that is over up for the answer leaves a record of its own.
            let kinds: Vec<&str> = driven.facts()[before..].iter().map(|fact| fact.is.kind()).collect();
            assert!(kinds.iter().all(|kind| ["input_refused", "opened"].contains(kind)), "{what}: {kinds:?}");
        }
        driven.settled().await;
    }
    let state = driven.state();
    assert_eq!(state.status(), case.status, "{}: {:?}", case.what, driven.reasons());
    let asked = driven.facts().iter().filter(|fact| matches!(fact.is, Event::ApprovalAsked { .. })).count();
    assert_eq!(asked, case.asked, "{}", case.what);
    assert_eq!(!driven.came().files.is_empty(), case.left, "{}", case.what);
    assert_eq!(!state.permits.is_empty(), case.left, "{}", case.what);
    driven.system.stop().await;
}

/// A project with people.
pub(super) fn rig() -> Rig {
    let mut rig = Rig::new();
    let of = |groups: &[&str]| groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>();
    rig.people = [("ada", of(&["brand"])), ("bob", of(&["lifecycle"])), ("eve", of(&["lifecycle", "brand"]))]
        .map(|(name, groups)| (name.to_owned(), groups))
        .into();
    rig
}

pub(super) fn person(plan: &mut Plan) -> &mut Person {
    let persons = plan.team.values_mut().filter_map(|member| match &mut member.role {
        Role::Person(person) => Some(person),
        _ => None,
    });
    persons.last().unwrap()
}

fn say(driven: &Driven<'_>, words: Words, first: (ApprovalNo, Digest)) -> Say {
    let open = driven.state().open_approvals().next().map(|(no, approval)| (no, approval.binds)).unwrap_or(first);
    let decide = |(approval, binds), decision| Say::Decide { approval, binds, decision, comment: "so".to_owned() };
    match words {
        Words::Approve => decide(open, Decision::Approve),
        Words::Reject => decide(open, Decision::Reject),
        Words::Changes => decide(open, Decision::RequestChanges),
        Words::ApproveOther => decide((open.0, Digest([7; 32])), Decision::Approve),
        Words::ApproveFirst => decide(first, Decision::Approve),
        Words::ApproveUnknown => decide((ApprovalNo(99), open.1), Decision::Approve),
        Words::EditFirst => edit(driven, first, Edited::Well),
        Words::Edit(how) => edit(driven, open, how),
        Words::Cancel => Say::Cancel,
    }
}

fn edit(driven: &Driven<'_>, (approval, binds): (ApprovalNo, Digest), how: Edited) -> Say {
    let state = driven.state();
    let asked = &state.approvals[&approval];
    let own = if state.plan.name == "re-engagement" { "sequence" } else { "channels" };
    let mut body = driven.body(asked.desk[own].version().unwrap());
    let text = match own {
        "sequence" => "/mails/1/text",
        _ => "/versions/0/text",
    };
    let mut artefact = own;
    match how {
        Edited::Well => *body.pointer_mut(text).unwrap() = Value::from("A person wrote this. https://www.example.com/"),
        Edited::AgainstTheSchema => body["more"] = json!(1),
        Edited::AgainstTheCheck => {
            *body.pointer_mut(text).unwrap() = Value::from("Look at http://elsewhere.invalid/ and leave no way out.");
        }
        Edited::ArtefactOfOthers => artefact = "review",
        Edited::NoArtefact => artefact = "nothing",
    }
    Say::Edit { approval, binds, artefact: artefact.parse().unwrap(), body }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_is_what_was_edited_and_approved() {
    let rig = rig();
    let driven = rig.run(&shipped("content-repurposing")).await;
    driven.settled().await;
    let first = driven.open_approval();
    driven.say("ada", edit(&driven, first, Edited::Well)).await.unwrap();
    driven.settled().await;
    assert!(driven.open_approval().1 != first.1);
    driven.decide("ada", Decision::Approve).await.unwrap();
    assert_eq!(driven.settled().await, DONE);
    let came = driven.came();
    assert!(came.files["newsletter.md"].contains("A person wrote this."), "{:?}", came.files);
    let version = driven.facts().into_iter().rev().find_map(|fact| match fact.is {
        Event::VersionWritten(version) => Some(version),
        _ => None,
    });
    assert_eq!(version.unwrap().person.map(|person| person.name), Some("ada".to_owned()));
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_looked_up_and_not_believed() {
    let rig = rig();
    let mut plan = shipped("content-repurposing");
    plan.single_person = false;
    let driven = rig.run(&plan).await;
    driven.settled().await;
    let (approval, binds) = driven.open_approval();
    let by = Who { groups: vec!["lifecycle".to_owned()], ..who("ada") };
    let say = Say::Decide { approval, binds, decision: Decision::Approve, comment: String::new() };
    assert_eq!(driven.post(uuid::Uuid::now_v7(), &Post { by, say }).await, Err(Refusal::NotAllowed));
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_post_counts_once_and_an_unreadable_one_is_refused() {
    let rig = rig();
    let mut plan = shipped("content-repurposing");
    plan.single_person = false;
    person(&mut plan).needed = 2;
    let driven = rig.run(&plan).await;
    driven.settled().await;
    let (approval, binds) = driven.open_approval();
    let say = Say::Decide { approval, binds, decision: Decision::Approve, comment: String::new() };
    let (id, post) = (uuid::Uuid::now_v7(), Post { by: who("bob"), say });
    for _ in 0..3 {
        assert_eq!(driven.post(id, &post).await, Ok(()));
    }
    let heard = driven.facts().iter().filter(|fact| matches!(fact.is, Event::Heard { .. })).count();
    assert_eq!((heard, driven.state().heard), (1, 1));
    for json in [&b"{"[..], b"null", b"{\"by\":{\"name\":\"bob\",\"how\":\"x\"},\"say\":\"approve\"}", b"\xff\xfe"] {
        let id = uuid::Uuid::now_v7();
        let op = Op::Post { run: driven.handle.run, id, json: json.to_vec(), at: Timestamp(0) };
        rig.store.commit(&[op]).pop().unwrap().unwrap();
        assert_eq!(driven.answer(id).await, Err(Refusal::Unreadable));
    }
    assert_eq!(driven.settled().await, Status::Waiting);
    driven.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_another_run_is_worth_nothing_here() {
    let rig = rig();
    let plan = shipped("content-repurposing");
    let (one, other) = (rig.run(&plan).await, rig.run(&plan).await);
    one.settled().await;
    other.settled().await;
    let ((no, binds), own) = (one.open_approval(), other.open_approval());
    assert!(no != own.0 && binds != own.1);
    for (approval, binds, wanted) in [
        (no, binds, Refusal::UnknownApproval),
        (no, own.1, Refusal::UnknownApproval),
        (own.0, binds, Refusal::ContentChanged),
    ] {
        let say = Say::Decide { approval, binds, decision: Decision::Approve, comment: String::new() };
        assert_eq!(other.say("ada", say).await, Err(wanted));
    }
    assert_eq!((other.settled().await, one.settled().await), (Status::Waiting, Status::Waiting));
    one.system.stop().await;
    other.system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_whose_desk_is_not_what_was_approved_is_refused() {
    // `check` refuses such a team; here it is made by hand, so that the permit is all there is.
    let mut plan = shipped("content-repurposing");
    let fixer = "fixer".parse().unwrap();
    let drafter = plan.team["drafter"].clone();
    plan.team.insert("fixer".parse().unwrap(), drafter);
    let lines = plan.script.as_ref().unwrap().lines["drafter"].clone();
    plan.script.as_mut().unwrap().lines.insert("fixer".parse().unwrap(), lines);
    let to_sender = Handoff { to: Recipient::Member("publisher".parse().unwrap()), rounds: None, split: None };
    let drafted = BTreeMap::from([("drafted".parse().unwrap(), to_sender)]);
    plan.handoffs.insert("fixer".parse().unwrap(), drafted);
    let approver = plan.handoffs.get_mut("approver").unwrap();
    approver.get_mut("approve").unwrap().to = Recipient::Member(fixer);
    let rig = rig();
    let driven = rig.run(&plan).await;
    assert_eq!(driven.approve_all().await, Status::Stuck);
    let state = driven.state();
    let letter = state.dead.values().next().unwrap();
    assert_eq!(letter.class, callsheet::failure::Class::Policy);
    assert_eq!(letter.message.to, Recipient::Member("publisher".parse().unwrap()));
    assert!(driven.came().files.is_empty(), "something left without a permit");
    let kinds: Vec<&str> = driven.facts().iter().map(|fact| fact.is.kind()).collect();
    assert!(kinds.contains(&"permit_given") && !kinds.contains(&"effect_began"), "{kinds:?}");
    driven.system.stop().await;
}
