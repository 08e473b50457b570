//! One run as a value, without anything around it: a team is checked, inputs are decided, facts are folded again.
//! `cargo run -p callsheet-core --example one_run`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it is an example: it prints, and nothing in it can fail"
)]

use std::sync::Arc;

use callsheet_core::id::{Digest, RunId, Timestamp};
use callsheet_core::run::decide::decide;
use callsheet_core::run::event::{ActHead, BodyRef, Fact, Origin, Replied, Settled, Who, WriteHead};
use callsheet_core::run::input::{Input, What};
use callsheet_core::run::state::State;
use callsheet_core::topology::check::{Files, ReadError, Surroundings, check};
use callsheet_core::topology::plan::{Mode, ModelSpec};

/// The project: the core reads files through a trait, so they may be anywhere.
struct Project;

impl Files for Project {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let text = match path {
            "topologies/poem.toml" => {
                r#"
                schema_version = 1
                description = "Two write a poem: one begins, the other ends it."
                artefacts = { poem = { schema = "poem" } }
                team = { first = { file = "agents/poet.toml", writes = ["poem"] }, second = { file = "agents/poet.toml", writes = ["poem"] } }
                budget = { steps = 10, tokens = 100_000, cost_usd = 1.00, active_time = "10m" }
                [handoffs]
                start  = "first"
                first  = "second"
                second = "end"
                "#
            }
            "agents/poet.toml" => {
                r#"
                schema_version = 1
                kind = "model"
                does = "Writes a line."
                outcomes = ["written"]
                instructions = "Write one line."
                "#
            }
            "schemas/poem.json" => r#"{ "type": "object" }"#,
            _ => return Err(ReadError::Missing),
        };
        Ok(text.into())
    }
}

fn main() {
    // Files become a plan that cannot be wrong, or all that is wrong with them.
    let around = Surroundings {
        models: [("default".to_owned(), ModelSpec { model: "example/model".to_owned(), ..ModelSpec::default() })]
            .into(),
        ..Surroundings::nothing(Mode::Live)
    };
    let checked = check("poem", &Project, &around).unwrap_or_else(|faults| panic!("{faults:?}"));
    let plan = Arc::new(checked.plan);

    // A run begins as a state without a past. What it hears becomes facts, and the state that they lead to.
    let run = RunId(uuid::Uuid::nil());
    let mut state = State::new(run, Arc::clone(&plan));
    let mut journal: Vec<Fact> = Vec::new();
    let by =
        Who { name: "ana".to_owned(), how: "claimed".to_owned(), groups: Vec::new(), undeclared: false, via: None };
    let start = What::Start {
        plan: body("the plan").digest,
        mode: plan.mode,
        brief: body("brief"),
        labels: Default::default(),
        note: body("note"),
        by,
    };
    let mut heard = vec![start];

    // The shell's whole work: hear, append, and perform what is outstanding. Here a model always answers with a poem.
    while let Some(what) = heard.pop() {
        let at = Timestamp(i64::try_from(journal.len()).unwrap());
        let decided = decide(state, &Input { at, jitter_permille: 0, what }).unwrap();
        for fact in &decided.facts {
            println!("{}", fact.is.kind());
        }
        journal.extend(decided.facts);
        state = decided.state;
        heard.extend(state.outstanding().first().map(|(id, _)| {
            let poem = WriteHead::new("poem".parse().unwrap(), body("a poem"), Origin::Model);
            let act = ActHead::Answer {
                outcome: Some("written".parse().unwrap()),
                note: body("a line"),
                writes: vec![poem],
                problems: None,
            };
            let reply = Replied::new(body("a reply"), Origin::Model, None, act);
            What::Settled { id: *id, result: Ok(Settled::Replied(reply)), usage: None }
        }));
    }
    println!("-> {}", state.status().word());

    // Whoever replays the facts comes to the same state: that is how a run goes on after a crash.
    let mut again = State::new(run, plan);
    journal.iter().for_each(|fact| again.apply(fact).unwrap());
    assert_eq!(again, state);
}

/// The core knows texts by digest and size only.
fn body(text: &str) -> BodyRef {
    BodyRef { digest: Digest::of("example", &[text.as_bytes()]), bytes: u32::try_from(text.len()).unwrap() }
}
