//! A later no counts: whatever a person says of a content but `approve` takes back what was approved of it before.

use callsheet::actor::history::Bodies;
use callsheet::failure::Class;
use callsheet::run::event::{Decision, Event};
use callsheet::run::state::Status;
use callsheet::run::view::why::letter_text;
use callsheet::topology::plan::{Handoff, Plan, Recipient};
use std::sync::Arc;

use super::decisions::DONE;
use super::silence::{DAY_MS, moved};
use super::support::shipped;

/// The shipped team with a second person between the first one's approval and the publisher, who leads there whatever
/// they say. `check` refuses that; here it is made by hand, so that the permit is all there is.
fn plan() -> Plan {
    let mut plan = shipped("content-repurposing");
    let to = |name: &str| Handoff { to: Recipient::Member(name.parse().unwrap()), rounds: None, split: None };
    plan.team.insert("second".parse().unwrap(), plan.team["approver"].clone());
    let outcomes = ["approve", "request_changes", "reject", "expired"];
    let ways = outcomes.map(|outcome| (outcome.parse().unwrap(), to("publisher")));
    plan.handoffs.insert("second".parse().unwrap(), ways.into());
    plan.handoffs.get_mut("approver").unwrap().insert("approve".parse().unwrap(), to("second"));
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_who_does_not_approve_takes_the_first_approval_back() {
    let cases = [
        (Some(Decision::RequestChanges), "bob said request_changes"),
        (Some(Decision::Reject), "bob said reject"),
        (None, "nobody decided in time"),
        (Some(Decision::Approve), ""),
    ];
    for (decision, why) in cases {
        let (rig, clock) = moved();
        let driven = rig.run(&plan()).await;
        driven.settled().await;
        driven.decide("ada", Decision::Approve).await.unwrap();
        driven.until("the second", |state| state.approvals.len() == 2 && state.status() == Status::Waiting).await;
        match decision {
            Some(decision) => driven.decide("bob", decision).await.unwrap(),
            None => {
                clock.by_ms(7 * DAY_MS);
                // Anything said makes it look at the clock.
                driven.say("ada", callsheet::run::input::Say::Resume).await.unwrap_err();
            }
        }
        let status = driven.settled().await;
        let kinds: Vec<&str> = driven.facts().iter().map(|fact| fact.is.kind()).collect();
        let left = !driven.came().files.is_empty();
        if why.is_empty() {
            assert!(status == DONE && left && !kinds.contains(&"permit_voided"), "{status:?} {kinds:?}");
        } else {
            assert_eq!((status, left), (Status::Stuck, false), "{decision:?}: {kinds:?}");
            assert!(kinds.contains(&"permit_voided") && !kinds.contains(&"effect_began"), "{kinds:?}");
            let state = driven.state();
            let letter = state.dead.values().next().unwrap();
            let told = letter_text(&state, &Bodies::new(Arc::clone(&driven.system.ports().store), state.run), letter);
            assert!(letter.class == Class::Policy && told.contains("approval 1 no longer counts"), "{told}");
            assert!(told.contains(why) && told.contains("in approval 2 (asked as second)"), "{told}");
        }
        driven.system.stop().await;
    }
}

/// A no takes back what was said before it, not what is said after it: whoever approves the same again is heard.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_anew_may_leave() {
    let mut plan = plan();
    let back = Handoff { to: Recipient::Member("approver".parse().unwrap()), rounds: None, split: None };
    plan.handoffs.get_mut("second").unwrap().insert("request_changes".parse().unwrap(), back);
    let (rig, _) = moved();
    let driven = rig.run(&plan).await;
    let said = [
        ("ada", Decision::Approve),
        ("bob", Decision::RequestChanges),
        ("ada", Decision::Approve),
        ("bob", Decision::Approve),
    ];
    for (asked, (name, decision)) in said.into_iter().enumerate() {
        driven.until("asked", |state| state.approvals.len() > asked && state.status() == Status::Waiting).await;
        driven.decide(name, decision).await.unwrap();
    }
    assert_eq!(driven.settled().await, DONE);
    let voided = driven.facts().into_iter().filter(|fact| matches!(fact.is, Event::PermitVoided { .. })).count();
    assert_eq!((voided, driven.came().files.len()), (1, 3));
    driven.system.stop().await;
}
