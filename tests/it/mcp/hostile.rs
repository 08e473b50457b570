//! A server that floods, hangs, dies or answers what is no answer: a typed outcome within the time, and nothing of what it
//! knows in a reason.

use callsheet::failure::Class;
use serde_json::json;

use super::{Weather, forecast, is};
use crate::tools::call;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_server_answers_comes_to_a_class() {
    let cases = [
        ("dies", Class::Transient, "its server ended without an answer"),
        ("fails", Class::Invalid, "its server says: no such city"),
        ("refuses", Class::Invalid, "its server refuses this: that is no city"),
        ("unknown", Class::Permanent, "its server knows no such call: no such tool"),
        ("breaks", Class::Invalid, "it broke half way"),
        ("large", Class::Invalid, "2000 are taken (result_bytes_max): ask for less"),
        ("giant", Class::Invalid, "answers more than 2000 bytes (result_bytes_max)"),
        ("endless line", Class::Invalid, "answers more than 2000 bytes (result_bytes_max)"),
        ("flood", Class::Transient, "sends without end, and was stopped"),
        ("no result", Class::Permanent, "answers what is no answer"),
    ];
    for (mode, class, words) in cases {
        let weather = Weather::new("well").accepted().await.turns(mode);
        is(mode, forecast(&weather).await, class, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_come_to_a_conversation_is_given_up_in_time() {
    let cases = [
        (
            "dies at once",
            Class::Transient,
            "ended before it answered; it said: no module named weather; token [hidden]",
        ),
        ("says nothing", Class::Transient, "says nothing within 1 s"),
        ("wrong start", Class::Permanent, "does not speak MCP as it should"),
        ("endless pages", Class::Policy, "has more than 64 pages"),
    ];
    for (mode, class, words) in cases {
        let weather = Weather::new("well").accepted().await.turns(mode);
        is(mode, forecast(&weather).await, class, words);
        assert!(weather.done().is_empty(), "{mode}");
    }
    let nobody = Weather::new("well").accepted().await;
    let table = nobody.table().replace(super::python(), "no-such-program").replace("\"PATH\", ", "");
    let lock = std::fs::read_to_string(nobody.root().join("callsheet.lock")).unwrap();
    std::fs::write(nobody.root().join("callsheet.lock"), lock.replace(super::python(), "no-such-program")).unwrap();
    let config = crate::tools::config(&table).unwrap();
    let tools = crate::tools::open_knowing::<callsheet::tool::mcp::Config>(
        "weather",
        config,
        nobody.root(),
        &callsheet::tool::Tools::new(),
        Weather::secrets(),
    );
    let came = call(&tools.unwrap()[1], json!({ "city": "Rome" })).await;
    is("no program", came, Class::Permanent, "\"no-such-program\" cannot be started: it is not there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_nobody_waits_for_any_longer_ends_its_connection() {
    for mode in ["silent", "wrong ids"] {
        let weather = Weather::new("well").accepted().await.turns(mode);
        let [_, forecast] = weather.tools();
        for nth in 1..=2 {
            // What the shell does when the call's time is up: it drops the work.
            tokio::select! {
                came = call(&forecast, json!({ "city": "Rome" })) => panic!("{mode}: {came:?}"),
                () = was_asked(&weather, nth) => {}
            }
            // The next one is answered by nobody either, but a server of its own was asked.
            assert_eq!(weather.done().len(), nth, "{mode}");
        }
    }
}

/// Comes back once the server was asked for the nth time.
async fn was_asked(weather: &Weather, nth: usize) {
    while weather.done().len() < nth {
        tokio::task::yield_now().await;
    }
}
