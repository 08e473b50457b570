//! Where a project declares its people, nobody else decides anything, whatever they call themselves.

use std::collections::BTreeMap;

use callsheet::id::{ApprovalNo, MessageId};
use callsheet::run::event::{DeadLetterAnswer, Decision, Raise, Refusal};
use callsheet::run::input::Say;
use serde_json::json;

use super::decisions::{DONE, rig};
use super::support::{Driven, shipped};

/// Everything that can be said, each as it would be heard from somebody who may.
fn all(driven: &Driven<'_>) -> Vec<Say> {
    let (approval, binds) = driven.open_approval();
    let body = driven.body(driven.state().approvals[&approval].desk["channels"].version().unwrap());
    let decide = |decision| Say::Decide { approval, binds, decision, comment: "so".to_owned() };
    vec![
        decide(Decision::Approve),
        decide(Decision::RequestChanges),
        decide(Decision::Reject),
        Say::Edit { approval, binds, artefact: "channels".parse().unwrap(), body },
        Say::Answer { question: ApprovalNo(9), happened: true },
        Say::DeadLetter { message: MessageId(1), answer: DeadLetterAnswer::Discard },
        Say::Raise(Raise { steps: Some(9_000), ..Raise::default() }),
        Say::Pause,
        Say::Resume,
        Say::Cancel,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_is_not_declared_decides_anything() {
    for single_person in [false, true] {
        let mut plan = shipped("content-repurposing");
        plan.single_person = single_person;
        let rig = rig();
        let driven = rig.run(&plan).await;
        driven.settled().await;
        for name in ["ghost1", "bob ", "BOB", " bob", "bob\u{200b}", ""] {
            for say in all(&driven) {
                let (said, before) = (format!("{name:?} {say:?}"), driven.facts().len());
                let refused = Refusal::NotDeclared { name: name.to_owned() };
                assert_eq!(driven.say(name, say).await, Err(refused), "{said}");
                let kinds: Vec<&str> = driven.facts()[before..].iter().map(|fact| fact.is.kind()).collect();
                assert_eq!(kinds, ["input_refused"], "{said}");
            }
        }
        driven.decide("bob", Decision::Approve).await.unwrap();
        assert_eq!(driven.settled().await, DONE, "{single_person}");
        driven.system.stop().await;
    }
}

/// A run that was started with people does not become anybody's once `[people]` is gone.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_table_nobody_is_declared() {
    let mut plan = shipped("content-repurposing");
    plan.single_person = false;
    let mut rig = rig();
    rig.people = BTreeMap::new();
    let driven = rig.run(&plan).await;
    driven.settled().await;
    let refused = driven.decide("bob", Decision::Approve).await.unwrap_err();
    assert_eq!(json!(refused), json!({ "not_declared": { "name": "bob" } }));
    driven.system.stop().await;
}
