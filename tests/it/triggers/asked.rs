//! Triggers that signed requests fire.

use std::collections::BTreeMap;

use callsheet::service::trigger::fire::Fate;
use callsheet::service::trigger::hook::{BODY_BYTES_MAX, Delivery, Refused};
use callsheet::tool::part::hook::signature;

use super::stage::{Server, Set, project, runtime};

const ASKED: &str =
    "[triggers.asked]\nwebhook = true\nkey_env = \"ASKED_KEY\"\nparams = { quarter = { from = \"/of/quarter\" } }\n";
const NOON: &str = "2026-11-27T12:00:00Z";
const KEY: &str = "a key of thirty letters or more";

fn environment() -> BTreeMap<String, String> {
    BTreeMap::from([("ASKED_KEY".to_owned(), KEY.to_owned())])
}

/// A request that is signed with `key` so many seconds after noon.
fn signed(key: &str, seconds: i64, id: &str, body: &str) -> Delivery {
    let at = (NOON.parse::<jiff::Timestamp>().unwrap().as_second() + seconds).to_string();
    let parts = [at.as_bytes(), b".", id.as_bytes(), b".", body.as_bytes()];
    let signature = signature(key, &parts);
    Delivery { id: id.to_owned(), at, signature, body: body.as_bytes().to_vec() }
}

const BODY: &str = "{\"of\": {\"quarter\": \"2026-Q2\"}}";

#[test]
fn a_delivery_starts_one_run_however_often_it_comes() {
    let folder = project(ASKED, "");
    let clock = Set::at(NOON);
    runtime().block_on(async {
        let one = Server::with(folder.path(), &clock, environment()).await;
        let other = Server::with(folder.path(), &clock, environment()).await;
        let (first, second) = tokio::join!(
            one.triggers.deliver("digest", "asked", signed(KEY, 0, "d1", BODY)),
            other.triggers.deliver("digest", "asked", signed(KEY, 0, "d1", BODY)),
        );
        let started = Fate::Started(callsheet::id::RunNo(1));
        assert_eq!((first.unwrap(), second.unwrap()), (started.clone(), started.clone()));
        one.look().await;
        // Signed anew it is still the same delivery.
        assert_eq!(one.triggers.deliver("digest", "asked", signed(KEY, 60, "d1", BODY)).await.unwrap(), started);
        let next = one.triggers.deliver("digest", "asked", signed(KEY, 0, "d2", BODY)).await.unwrap();
        assert_eq!(next, Fate::Started(callsheet::id::RunNo(2)));
        one.look().await;
        assert_eq!(one.told(), ["digest done quarter=\"2026-Q2\"", "digest done quarter=\"2026-Q2\""]);
        let who = one.project.state(&one.runs()[0]).unwrap().starter.unwrap();
        assert_eq!((who.name.as_str(), who.how.as_str()), ("trigger asked", "delivery d1"));
        // Whoever has the key may hand on what others wrote.
        let labels = callsheet::actor::history::brief_labels(one.store.as_ref(), one.runs()[0].id).unwrap();
        assert_eq!(labels, callsheet::topology::spec::Labels { untrusted: true, private: false });
        other.stop().await;
        one.stop().await;
    });
}

#[test]
fn what_is_not_signed_as_it_came_starts_nothing() {
    let weekly = "[triggers.weekly]\ncron = \"0 9 * * MON\"\n";
    let folder = project(&format!("{ASKED}{weekly}"), "");
    let clock = Set::at(NOON);
    runtime().block_on(async {
        let server = Server::with(folder.path(), &clock, environment()).await;
        let right = || signed(KEY, 0, "d1", BODY);
        let check = async |what: &str, (topology, name): (&str, &str), delivery: Delivery, wanted: &str| {
            let came = server.triggers.deliver(topology, name, delivery).await;
            let why = came.expect_err(what);
            assert!(why.to_string().contains(wanted), "{what}: {why}");
        };
        let asked = ("digest", "asked");
        let unsigned = "no trigger of this name takes a request that is signed like this";
        for (what, trigger) in [
            ("no topology", ("digst", "asked")),
            ("outside", ("../digest", "asked")),
            ("no trigger", ("digest", "other")),
            ("one of times", ("digest", "weekly")),
        ] {
            check(what, trigger, right(), unsigned).await;
        }
        check("another key", asked, signed("another", 0, "d1", BODY), unsigned).await;
        check("another body", asked, Delivery { body: b"{}".to_vec(), ..right() }, unsigned).await;
        check("another id", asked, Delivery { id: "d2".to_owned(), ..right() }, unsigned).await;
        check("another time", asked, Delivery { at: "1".to_owned(), ..right() }, unsigned).await;
        check("no signature", asked, Delivery { signature: String::new(), ..right() }, unsigned).await;
        // What stands on one side of a dot may not pass to the other.
        let shifted = Delivery { id: format!("d1.{}", &BODY[..1]), body: BODY.as_bytes()[1..].to_vec(), ..right() };
        check("a shifted border", asked, shifted, unsigned).await;
        check("too old", asked, signed(KEY, -301, "d1", BODY), "five minutes").await;
        check("too early", asked, signed(KEY, 301, "d1", BODY), "five minutes").await;
        check("no id", asked, signed(KEY, 0, "", BODY), "the id of a delivery").await;
        check("a long id", asked, signed(KEY, 0, &"d".repeat(129), BODY), "the id of a delivery").await;
        check("a strange id", asked, signed(KEY, 0, "d 1", BODY), "the id of a delivery").await;
        check("no JSON", asked, signed(KEY, 0, "d1", "quarter=1"), "no JSON").await;
        check("nothing there", asked, signed(KEY, 0, "d3", "{}"), "nothing is at /of/quarter").await;
        check("a list", asked, signed(KEY, 0, "d4", "{\"of\": {\"quarter\": []}}"), "a list").await;
        let long = format!("{{\"of\": \"{}\"}}", "x".repeat(BODY_BYTES_MAX));
        check("a long body", asked, signed(KEY, 0, "d1", &long), "more than 65536 bytes").await;
        assert_eq!(server.runs().len(), 0);
        for edge in [-300, 300] {
            let came = server.triggers.deliver("digest", "asked", signed(KEY, edge, &format!("e{edge}"), BODY)).await;
            assert!(matches!(came, Ok(Fate::Started(_))), "{edge}: {came:?}");
            server.look().await;
        }
        server.stop().await;
        let unset = Server::over(folder.path(), &clock).await;
        let came = unset.triggers.deliver("digest", "asked", signed("", 0, "d9", BODY)).await;
        assert!(matches!(came, Err(Refused::Unsigned)), "a key that is not set is no empty key: {came:?}");
        unset.stop().await;
    });
}

#[test]
fn while_the_last_run_is_not_over_the_sender_is_sent_away() {
    let asked = ASKED.replace("quarter", "topic");
    let folder = project("", &asked);
    let clock = Set::at(NOON);
    let body = BODY.replace("quarter", "topic");
    runtime().block_on(async {
        let server = Server::with(folder.path(), &clock, environment()).await;
        let first = server.triggers.deliver("letter", "asked", signed(KEY, 0, "d1", &body)).await.unwrap();
        assert_eq!(first, Fate::Started(callsheet::id::RunNo(1)));
        let second = || server.triggers.deliver("letter", "asked", signed(KEY, 0, "d2", &body));
        assert_eq!(second().await.unwrap(), Fate::Waits(callsheet::id::RunNo(1)));
        server.cancel(1).await;
        assert_eq!(second().await.unwrap(), Fate::Started(callsheet::id::RunNo(2)));
        server.stop().await;
    });
}

/// Whoever sent a request sends it again when they will: it is not left alone for a minute.
#[test]
fn what_could_not_start_starts_as_soon_as_it_is_sent_again() {
    let folder = project(ASKED, "");
    let clock = Set::at(NOON);
    let path = folder.path().join("agents/writer.toml");
    let sound = std::fs::read_to_string(&path).unwrap();
    runtime().block_on(async {
        let server = Server::with(folder.path(), &clock, environment()).await;
        let sent = || server.triggers.deliver("digest", "asked", signed(KEY, 0, "d1", BODY));
        std::fs::write(&path, sound.replace("\"model\"", "\"modl\"")).unwrap();
        let came = sent().await;
        assert!(matches!(&came, Ok(Fate::Failed(why)) if why.contains("modl")), "{came:?}");
        std::fs::write(&path, &sound).unwrap();
        assert_eq!(sent().await.unwrap(), Fate::Started(callsheet::id::RunNo(1)));
        server.look().await;
        server.stop().await;
    });
}
