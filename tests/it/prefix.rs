//! How much of each request the provider has read before: what is equal to the beginning of the same agent's last request is
//! cheaper and faster, since providers and local servers keep it. Whole runs of the shipped teams and of a small one, with a
//! person who sends the work back once; the table is on a page.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use callsheet::app;
use callsheet::model::conversation::prompt;
use callsheet::topology::check::check;
use callsheet::topology::plan::{Dialect, Mode, Plan};
use serde_json::Value;

use crate::announcement::project;
use crate::requests::asked_of;
use crate::support::{brief, settings, shipped};
use crate::wire::requests::asked;

/// How much of a turn's later requests has to stand in the one before, in hundredths.
const WITHIN_A_TURN_MIN: usize = 60;

/// The requests of a team, in bytes.
#[derive(Default)]
struct Sizes {
    requests: usize,
    /// As they are sent.
    bytes: usize,
    /// The largest.
    largest: usize,
    /// Of them, what their reader reads: tools and messages.
    read: usize,
    /// Of that, what begins as the same agent's last request did.
    again: usize,
    /// The same, of requests that are not the first of their turn.
    within: [usize; 2],
}

/// What a model reads of a request, in the order in which providers say that they read: its tools, then its messages.
fn reading(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    let messages = body["messages"].as_array().unwrap().iter().map(Value::to_string);
    format!("{}\n{}", body["tools"], messages.collect::<Vec<_>>().join("\n"))
}

fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

/// A small team: one writes, one signs, a tool publishes.
fn announcement() -> Plan {
    let project = project("openai/gpt-5", "");
    let settings = settings(project.root());
    let around = app::surroundings(&settings, Mode::Rehearsal).unwrap();
    check("announcement", &settings.folder(), &around).unwrap().plan
}

async fn sizes(plan: &Plan) -> Sizes {
    let mut sizes = Sizes::default();
    let mut last: BTreeMap<String, (u32, String)> = BTreeMap::new();
    for (ask, _) in asked_of(plan, &brief(plan)).await {
        let body = asked(Dialect::OpenAi, "/v1", "model", &prompt(&ask).unwrap()).await.body;
        let reading = reading(&body);
        let again = last.get(ask.agent.as_str()).map_or(0, |(_, before)| common(before, &reading));
        if last.get(ask.agent.as_str()).is_some_and(|(turn, _)| *turn == ask.turn) {
            sizes.within[0] += again;
            sizes.within[1] += reading.len();
        }
        (sizes.requests, sizes.bytes) = (sizes.requests + 1, sizes.bytes + body.len());
        sizes.largest = sizes.largest.max(body.len());
        (sizes.read, sizes.again) = (sizes.read + reading.len(), sizes.again + again);
        last.insert(ask.agent.to_string(), (ask.turn, reading));
    }
    sizes
}

/// Hundredths of `of`.
fn share(part: usize, of: usize) -> usize {
    (part * 100).checked_div(of).unwrap_or(0)
}

/// The table as it stands on the page, a row each.
async fn table() -> String {
    let mut rows = Vec::from([
        "| team | requests | all of them | the largest | read before | within a turn |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ]);
    let mut teams = Vec::from([announcement()]);
    teams.extend(["content-repurposing", "re-engagement", "investigate"].map(shipped));
    for plan in teams {
        let Sizes { requests, bytes, largest, read, again, within: [part, of] } = sizes(&plan).await;
        // What a server keeps of a turn is most of its next request, or this has to be looked at.
        assert!(of == 0 || share(part, of) >= WITHIN_A_TURN_MIN, "{}: {} % within a turn", plan.name, share(part, of));
        let within = if of == 0 { "one request each".to_owned() } else { format!("{} %", share(part, of)) };
        let (kilobytes, name) = (|bytes: usize| bytes.div_ceil(1_000), &plan.name);
        let (all, largest) = (kilobytes(bytes), kilobytes(largest));
        rows.push(format!("| `{name}` | {requests} | {all} kB | {largest} kB | {} % | {within} |", share(again, read)));
    }
    rows.join("\n")
}

/// The page has it between two marks. `CALLSHEET_WRITE=docs` writes it anew.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_in_a_turn_stands_first_in_the_next_request() {
    const MARKS: [&str; 2] = ["<!-- table: requests -->\n", "\n<!-- end -->"];
    let table = table().await;
    println!("{table}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/local-models.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).unwrap();
    let (written, after) = rest.split_once(MARKS[1]).unwrap();
    if std::env::var("CALLSHEET_WRITE").is_ok_and(|what| what == "docs") {
        fs::write(&path, format!("{before}{}{table}{}{after}", MARKS[0], MARKS[1])).unwrap();
    } else {
        let how = "CALLSHEET_WRITE=docs cargo test --test it prefix::";
        assert_eq!(written, table, "docs/local-models.md has other sizes of requests; write them with {how}");
    }
}
