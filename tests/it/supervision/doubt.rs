//! Outward acts of which nobody knows whether they happened.

use callsheet::id::MessageId;
use callsheet::run::event::{DeadLetterAnswer, Ending, Event};
use callsheet::run::input::Say;
use callsheet::run::state::Status;
use callsheet::topology::spec::Repeat;
use serde_json::json;

use super::{At, Fault, Wrong, breaks, each_once, recorded, with_sink, with_sink_of};

#[tokio::test(flavor = "multi_thread")]
async fn an_outward_call_that_takes_too_long_falls_in_doubt_and_is_asked_about() {
    // The tool, where its call hangs, and, if a person is asked, what they say.
    let cases = [
        (Repeat::Once, At::Perform, Some(false)),
        (Repeat::Once, At::Performed, Some(true)),
        (Repeat::Queryable, At::Perform, None),
        (Repeat::Queryable, At::Performed, None),
    ];
    for (repeat, at, says) in cases {
        let (plan, mut rig, tool, record) = with_sink_of(json!({ "repeat": repeat, "call_timeout": "1s" }));
        breaks(&mut rig, &tool, at, Some("item-002"), &Fault::new(Wrong::Hang, 1));
        let driven = rig.run(&plan).await;
        let mut status = driven.approve_all().await;
        if let Some(happened) = says {
            assert_eq!(status, Status::Waiting, "{repeat:?} {at:?}: {:?}", driven.reasons());
            let question = *driven.state().questions.first_key_value().unwrap().0;
            driven.say("ada", Say::Answer { question, happened }).await.unwrap();
            status = driven.approve_all().await;
        }
        assert_eq!(status, Status::Ended(Ending::Done), "{repeat:?} {at:?}: {:?}", driven.reasons());
        let doubts = driven.facts().into_iter().filter(|fact| matches!(fact.is, Event::FellInDoubt { .. })).count();
        assert_eq!((doubts, recorded(&record)), (1, each_once()), "{repeat:?} {at:?}");
        driven.system.stop().await;
    }
}

/// Each attempt ends without a word, and it never happened: it is not begun for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_outward_call_that_never_tells_its_end_is_given_up() {
    for repeat in [Repeat::Queryable, Repeat::Idempotent { key_age_ms: 3_600_000 }] {
        let (plan, mut rig, tool, record) = with_sink(repeat);
        breaks(&mut rig, &tool, At::Perform, Some("item-002"), &Fault::new(Wrong::InDoubt, 4));
        let driven = rig.run(&plan).await;
        let status = driven.approve_all().await;
        let doubts = driven.facts().into_iter().filter(|fact| matches!(fact.is, Event::FellInDoubt { .. })).count();
        assert_eq!(doubts, 4, "{repeat:?}: {status:?}");
        if repeat == Repeat::Queryable {
            assert_eq!(status, Status::Stuck);
            assert!(driven.reasons()[0].contains("the test's own doubt"), "{:?}", driven.reasons());
            let message: MessageId = *driven.state().dead.first_key_value().unwrap().0;
            driven.say("ada", Say::DeadLetter { message, answer: DeadLetterAnswer::Retry }).await.unwrap();
        } else {
            assert_eq!(status, Status::Waiting);
            let question = *driven.state().questions.first_key_value().unwrap().0;
            driven.say("ada", Say::Answer { question, happened: false }).await.unwrap();
        }
        assert_eq!(driven.approve_all().await, Status::Ended(Ending::Done), "{repeat:?}: {:?}", driven.reasons());
        assert_eq!(recorded(&record), each_once(), "{repeat:?}");
        driven.system.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_known_is_asked_of_a_person() {
    // The tool, where it goes wrong, whether the item was performed before that, and what a person then says.
    let cases = [
        (Repeat::Once, At::Perform, Wrong::InDoubt, false),
        (Repeat::Once, At::Performed, Wrong::InDoubt, true),
        (Repeat::Queryable, At::Perform, Wrong::InDoubt, false),
        (Repeat::Queryable, At::Performed, Wrong::InDoubt, true),
        // Its time is up.
        (Repeat::Once, At::Perform, Wrong::Hang, false),
        (Repeat::Once, At::Performed, Wrong::Hang, true),
    ];
    for (repeat, at, wrong, happened) in cases {
        let (plan, mut rig, tool, record) = with_sink(repeat);
        let fault = Fault::new(wrong, 1);
        breaks(&mut rig, &tool, at, Some("item-002"), &fault);
        // A sink that could be asked, and was before the first attempt, does not answer when it is asked again.
        let silent = Fault::after(1, Wrong::Permanent, 1);
        breaks(&mut rig, &tool, At::Query, Some("item-002"), &silent);
        let driven = rig.run(&plan).await;
        assert_eq!(driven.approve_all().await, Status::Waiting, "{repeat:?} {at:?}: {:?}", driven.reasons());
        let state = driven.state();
        let (question, _) = state.questions.first_key_value().unwrap();
        assert_eq!(recorded(&record).get("item-002").copied(), happened.then_some(1));
        driven.say("ada", Say::Answer { question: *question, happened }).await.unwrap();
        assert_eq!(
            driven.approve_all().await,
            Status::Ended(Ending::Done),
            "{repeat:?} {at:?}: {:?}",
            driven.reasons()
        );
        assert_eq!(recorded(&record), each_once(), "{repeat:?} {at:?}");
        assert_eq!(driven.state().approvals.len(), 1);
        driven.system.stop().await;
    }
}
