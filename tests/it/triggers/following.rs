//! Triggers that follow the runs of another topology.

use std::collections::BTreeMap;

use callsheet::actor::history;
use callsheet::run::event::Event;
use callsheet::service::start::{Start, Voice};

use super::stage::{Server, Set, project, runtime};
use crate::support::who;

const NEXT: &str = "[triggers.next]\nafter = \"digest\"\n";
const NOON: &str = "2026-11-27T12:00:00Z";

/// Has a person run `digest` for this quarter, to its end.
async fn digest(server: &Server, quarter: &str) {
    let params = BTreeMap::from([("quarter".to_owned(), quarter.to_owned())]);
    let start = Start::of(&server.project, "digest", &Voice::Named, &params, who("ana")).unwrap();
    server.driver.start(&start).await.unwrap();
}

async fn quiet(server: &Server) {
    let mut changes = server.store.changes().unwrap();
    while server.runs().iter().any(|row| row.summary.status == "running") {
        tokio::time::timeout(crate::support::NEVER, changes.changed()).await.unwrap().unwrap();
    }
}

#[test]
fn each_run_that_is_done_is_followed_by_one_and_no_other_end_is() {
    let folder =
        project("", &format!("{NEXT}overlap = \"start\"\nparams = {{ topic = {{ from = \"/note/about\" }} }}\n"));
    let clock = Set::at(NOON);
    runtime().block_on(async {
        let (one, other) = (Server::over(folder.path(), &clock).await, Server::over(folder.path(), &clock).await);
        digest(&one, "2026-Q1").await;
        quiet(&one).await;
        clock.to("2026-11-27T12:00:01Z");
        one.look().await;
        assert_eq!(one.runs().len(), 1, "what was done before the trigger was there is not followed");
        clock.to("2026-11-27T12:01:00Z");
        digest(&one, "2026-Q2").await;
        digest(&one, "none").await;
        quiet(&one).await;
        tokio::join!(one.look(), other.look(), one.look());
        other.look().await;
        let told = one.told();
        assert_eq!(
            told[..3],
            ["digest done quarter=\"2026-Q1\"", "digest done quarter=\"2026-Q2\"", "digest failed quarter=\"none\""]
        );
        assert_eq!(told[3..], ["letter waiting topic=\"2026-Q2\""]);
        let who = one.project.state(&one.runs()[3]).unwrap().starter.unwrap();
        assert_eq!((who.name.as_str(), who.how.as_str()), ("trigger next", "after run 2"));
        other.stop().await;
        one.stop().await;
    });
}

#[test]
fn those_that_end_meanwhile_wait_in_their_order() {
    let folder = project("", &format!("{NEXT}params = {{ topic = {{ from = \"/params/quarter\" }} }}\n"));
    let clock = Set::at(NOON);
    runtime().block_on(async {
        let server = Server::over(folder.path(), &clock).await;
        server.look().await;
        for (nth, quarter) in ["2026-Q1", "2026-Q2", "2026-Q3"].into_iter().enumerate() {
            clock.to(&format!("2026-11-27T13:0{nth}:00Z"));
            digest(&server, quarter).await;
            quiet(&server).await;
        }
        for no in [4, 5] {
            server.look().await;
            server.look().await;
            assert_eq!(server.runs().len(), no);
            server.cancel(no as u64).await;
        }
        server.look().await;
        let told = server.told();
        let topics = ["topic=\"2026-Q1\"", "topic=\"2026-Q2\"", "topic=\"2026-Q3\""];
        assert!(told[3..].iter().zip(topics).all(|(told, topic)| told.ends_with(topic)) && told.len() == 6, "{told:?}");
        server.stop().await;
    });
}

/// What a pointer finds that is no value starts nothing; it is noted, and those that came after it are not kept waiting.
#[test]
fn what_gives_no_value_is_noted_and_keeps_nobody_waiting() {
    for (pointer, why) in [
        ("/note/of", "at /note/of is an object"),
        ("/note/of/parts", "at /note/of/parts is a list"),
        ("/note/missing", "nothing is at /note/missing of what came"),
    ] {
        let folder = project("", &format!("{NEXT}params = {{ topic = {{ from = \"{pointer}\" }} }}\n"));
        let clock = Set::at(NOON);
        runtime().block_on(async {
            let server = Server::over(folder.path(), &clock).await;
            server.look().await;
            digest(&server, "2026-Q1").await;
            quiet(&server).await;
            server.look().await;
            assert_eq!(server.runs().len(), 1, "{pointer}");
            assert!(server.firings()[0].contains(why), "{:?}", server.firings());
            server.stop().await;
        });
    }
}

/// What others wrote stays what others wrote in the run that is started with it, and in what follows that.
#[test]
fn what_a_run_is_given_carries_what_it_was_made_from() {
    use callsheet::service::trigger::given::ended;
    let folder = project("", &format!("{NEXT}params = {{ topic = {{ from = \"/note/about\" }} }}\n"));
    let clock = Set::at(NOON);
    runtime().block_on(async {
        let server = Server::over(folder.path(), &clock).await;
        let mut came = ended(&server.project, &{
            digest(&server, "2026-Q1").await;
            quiet(&server).await;
            server.runs()[0].clone()
        })
        .unwrap();
        assert_eq!(came.document["params"]["quarter"], "2026-Q1");
        assert_eq!(came.document["message"]["outcome"], "done");
        assert_eq!(came.document["note"]["about"], "2026-Q1");
        let untrusted = callsheet::topology::spec::Labels { untrusted: true, private: false };
        came.labels.insert("note".to_owned(), untrusted);
        let at = callsheet::service::trigger::due::zoned(callsheet::id::Timestamp(0), "UTC").unwrap();
        let from = |pointer: &str| {
            let given = callsheet::topology::trigger::Given::From(pointer.to_owned());
            let params = BTreeMap::from([("topic".to_owned(), given)]);
            callsheet::service::trigger::given::values(&params, &at, &came).unwrap()
        };
        assert_eq!(from("/note/about").1, untrusted);
        assert!(from("/params/quarter").1.is_none());
        server.look().await;
        server.stop().await;
    });
}

#[test]
fn the_brief_of_a_run_carries_its_labels() {
    let folder = project("", "");
    let clock = Set::at(NOON);
    runtime().block_on(async {
        let server = Server::over(folder.path(), &clock).await;
        let labels = callsheet::topology::spec::Labels { untrusted: true, private: true };
        let start = Start::of(&server.project, "digest", &Voice::Named, &BTreeMap::new(), who("ana")).unwrap();
        let fired = callsheet::journal::Fired {
            trigger: "digest.x".to_owned(),
            key: "1".to_owned(),
            due_at: callsheet::id::Timestamp(0),
            alone: true,
        };
        let running = callsheet::app::start_by(&server.project.settings, true, clock.clone()).await.unwrap();
        drop(running.system.fire(&start.plan, (&start.brief, labels), start.by, fired).await.unwrap());
        quiet(&server).await;
        let row = server.runs()[0].clone();
        let mut carried = vec![];
        let mut look = |_, fact: callsheet::run::event::Fact| {
            if let Event::MessageSent(message) = fact.is {
                carried.push(message.labels);
            }
            Ok(())
        };
        history::follow(server.store.as_ref(), row.id, callsheet::id::Seq(0), &mut look).unwrap();
        assert_eq!(carried, [labels, labels], "what it was given, and what came of that");
        let came = callsheet::service::trigger::given::ended(&server.project, &row).unwrap();
        for part in ["params", "message", "note"] {
            assert_eq!(came.labels.get(part), Some(&labels), "{part}, for whatever follows it");
        }
        running.stop().await;
        server.stop().await;
    });
}

/// Where models run, what follows a run that asked none asks none.
#[test]
fn what_follows_a_rehearsal_is_one() {
    let folder = project("", NEXT);
    let text = std::fs::read_to_string(folder.path().join("callsheet.toml")).unwrap();
    let models = "[models]\ndefault = \"ollama/none\"\nfree = [\"ollama/none\"]\n";
    crate::tools::write(folder.path(), "callsheet.toml", text + models);
    let clock = Set::at(NOON);
    runtime().block_on(async {
        let server = Server::over(folder.path(), &clock).await;
        server.look().await;
        let start = Start::of(&server.project, "digest", &Voice::Script, &BTreeMap::new(), who("ana")).unwrap();
        server.driver.start(&start).await.unwrap();
        quiet(&server).await;
        server.look().await;
        let modes: Vec<_> =
            server.runs().iter().map(|row| history::started(server.store.as_ref(), row.id).unwrap().mode).collect();
        assert_eq!(modes, [callsheet::topology::plan::Mode::Rehearsal; 2]);
        server.stop().await;
    });
}

/// Two files make one circle, which is told once and in the same words, whichever of them is looked at; neither fires.
#[test]
fn topologies_that_start_each_other_are_told_once_and_start_nothing() {
    use callsheet::topology::check::triggers;
    let back = "[triggers.back]\nafter = \"letter\"\n[triggers.weekly]\ncron = \"0 9 * * MON\"\n";
    let folder = project(back, NEXT);
    let settings = crate::support::settings(folder.path());
    let around = callsheet::app::surroundings(&settings, settings.mode()).unwrap();
    let told = |name: &str| {
        let faults = callsheet::topology::check::check(name, &settings.folder(), &around).unwrap_err();
        faults.render(false)
    };
    let (digest, letter) = (told("digest"), told("letter"));
    assert_eq!(digest, letter, "one cause is one fault");
    for says in [
        "E123",
        "`letter`, `digest` start each other in a circle",
        "topologies/digest.toml",
        "letter -> digest -> letter",
    ] {
        assert!(digest.contains(says), "{says}: {digest}");
    }
    let (sound, broken) = triggers("digest", &settings.folder());
    assert_eq!((sound.len(), sound[0].name.as_str(), broken), (1, "weekly", vec!["back".to_owned()]));
    assert_eq!(triggers("letter", &settings.folder()), (vec![], vec!["next".to_owned()]));
    assert_eq!(triggers("nothing", &settings.folder()), (vec![], vec![]));
}
