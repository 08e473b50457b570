//! Whole runs over a real server, where one is named: an OpenAI-compatible base URL in `CALLSHEET_TEST_MODEL_URL`, the model's name
//! in `CALLSHEET_TEST_MODEL`, a key, if it wants one, in `CALLSHEET_TEST_MODEL_KEY`, and how its calls are forced, if they are, in
//! `CALLSHEET_TEST_MODEL_CALLS`. A small team (announcement.rs) runs once; with `CALLSHEET_TEST_MODEL_RUNS=N` it and the three shipped campaigns
//! run N times each, and a table says to which ends. What the model says is its own business; that each run comes to a typed end is ours.

use std::collections::BTreeMap;
use std::env::var;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use callsheet::actor::history::read_fact;
use callsheet::cli::exit::Exit;
use callsheet::failure::Class;
use callsheet::id::Seq;
use callsheet::journal::Store as _;
use callsheet::journal::sqlite::Open;
use callsheet::run::event::{Ending, Event, PauseReason, Wish};
use callsheet::run::state::{State, Status};
use serde_json::{Value, json};

use crate::announcement::project;
use crate::replies::{end, played};
use crate::sweep::{Owned, Project, words};
use crate::wire::server::serve;

/// Approvals after which the team has had enough of them.
const APPROVALS_MAX: usize = 8;

/// A small team, and the shipped campaigns.
const TEAMS: [&str; 4] = ["announcement", "content-repurposing", "re-engagement", "investigate"];

/// A model behind a server.
struct Named {
    base_url: String,
    name: String,
    key: Option<String>,
    calls: Option<String>,
}

/// What runs of one team that came to one end took.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    runs: usize,
    /// Of them, those that had reached an approval.
    at_approval: usize,
    /// Calls of the model.
    calls: usize,
    tokens: u64,
}

/// By team and end.
type Table = BTreeMap<(&'static str, String), Taken>;

impl Named {
    fn model(&self) -> String {
        format!("named/{}", self.name)
    }

    /// A project that names it. It has a price, so that what it may cost is bounded whatever it is.
    fn project(&self) -> Owned {
        let line = |key: &str, value: &str| format!("{key} = {value:?}\n");
        let key = self.key.as_ref().map_or_else(String::new, |_| line("key_env", "CALLSHEET_TEST_MODEL_KEY"));
        let calls = self.calls.as_ref().map_or_else(String::new, |calls| line("calls", calls));
        let tables = format!(
            "\n[models.providers.named]\ndialect = \"openai\"\n{}{key}{calls}\n[models.prices.{:?}]\n\
             input_usd_per_million = 3.00\noutput_usd_per_million = 15.00\ndated = \"2026-11-01\"\n",
            line("base_url", &self.base_url),
            self.model(),
        );
        project(&self.model(), &tables)
    }

    /// One run, of which whatever waits for a person is approved. It comes to a typed end.
    fn run(&self, team: &'static str, table: &mut Table) {
        let (project, model) = (self.project(), self.model());
        let mut ended = self.act(&project, &["run", team, "--model", &model]);
        let mut approvals = 0;
        while approvals < APPROVALS_MAX {
            let open = project.state().and_then(|(_, state)| state.open_approvals().next().map(|(no, _)| no));
            let Some(no) = open else { break };
            approvals += 1;
            ended = self.act(&project, &["approve", &no.0.to_string()]);
        }
        let (code, said) = ended;
        let story = project.story().unwrap_or_else(|| panic!("nothing was started: {said}"));
        let state = story.state();
        assert_eq!(code, Exit::of(&story) as i32, "{said}");
        assert!(is_typed(state), "{:?}, {:?}\n{said}", state.status(), state.dead);
        let taken = table.entry((team, end_of(state))).or_default();
        taken.runs += 1;
        taken.at_approval += usize::from(approvals > 0);
        taken.calls += calls(&project);
        taken.tokens += state.ledger.spent.tokens;
    }

    /// What it printed to stderr, and its exit code.
    fn act(&self, project: &Project, act: &[&str]) -> (i32, String) {
        let mut command = project.command(&words(act), None);
        command.envs(self.key.as_ref().map(|key| ("CALLSHEET_TEST_MODEL_KEY", key)));
        let output = command.stdin(Stdio::null()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Calls of the model that came back, with a reply or without.
fn calls(project: &Project) -> usize {
    let (row, _) = project.state().unwrap();
    let records = project.store(Open::ReadOnly).records(row.id, Seq(0), usize::MAX).unwrap();
    let facts: Vec<Event> = records.iter().map(|record| read_fact(&record.head.json).unwrap().is).collect();
    let asked = facts.iter().filter_map(|fact| match fact {
        Event::EffectAsked { id, wish: Wish::Model { .. }, .. } => Some(*id),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    let came = facts.iter().filter(|fact| match fact {
        Event::EffectSettled { id, .. } | Event::EffectFailed { id, .. } => asked.contains(id),
        _ => false,
    });
    came.count()
}

/// The end in words.
fn end_of(state: &State) -> String {
    let class = state.dead.values().next().map(|letter| letter.class.word());
    match (state.status(), &state.paused, class) {
        (Status::Stuck, _, Some(class)) => format!("dead letter: {class}"),
        (Status::Paused, Some(PauseReason::Budget { what, .. }), _) => format!("paused: {what:?}").to_lowercase(),
        (status, ..) => status.word().to_owned(),
    }
}

/// Over, or at rest with a reason that somebody can do something about; never for a fault of our own.
fn is_typed(state: &State) -> bool {
    let ours = state.dead.values().any(|letter| letter.class == Class::Bug);
    let rests = match state.status() {
        Status::Ended(how) => how != Ending::Bug,
        Status::Stuck => !state.dead.is_empty(),
        Status::Paused => true,
        Status::Running | Status::Waiting => false,
    };
    rests && !ours
}

fn shown(table: &Table) -> String {
    let mut text =
        format!("{:<20} {:<24} {:>5} {:>11} {:>6} {:>9}\n", "team", "end", "runs", "at approval", "calls", "tokens");
    for ((team, end), Taken { runs, at_approval, calls, tokens }) in table {
        writeln!(text, "{team:<20} {end:<24} {runs:>5} {at_approval:>11} {calls:>6} {tokens:>9}").unwrap();
    }
    text
}

#[test]
fn teams_come_to_a_typed_end_over_a_named_server() {
    let Ok(base_url) = var("CALLSHEET_TEST_MODEL_URL") else {
        let line = "NOT RUN: campaigns over a real model: set CALLSHEET_TEST_MODEL_URL to an OpenAI-compatible base URL, \
                    such as http://127.0.0.1:8080/v1, CALLSHEET_TEST_MODEL to a model's name there, and \
                    CALLSHEET_TEST_MODEL_KEY if it wants a key\n";
        return std::io::stderr().write_all(line.as_bytes()).unwrap();
    };
    let name = var("CALLSHEET_TEST_MODEL").expect("CALLSHEET_TEST_MODEL names a model at CALLSHEET_TEST_MODEL_URL");
    let runs = var("CALLSHEET_TEST_MODEL_RUNS").ok().map(|runs| runs.parse().expect("a number of runs"));
    let (key, calls) = (var("CALLSHEET_TEST_MODEL_KEY").ok(), var("CALLSHEET_TEST_MODEL_CALLS").ok());
    let named = Named { base_url, name, key, calls };
    let (teams, runs) = runs.map_or((&TEAMS[..1], 1), |runs: usize| (&TEAMS[..], runs));
    let mut table = Table::new();
    let mut err = std::io::stderr();
    for team in teams {
        for nth in 1..=runs {
            named.run(team, &mut table);
            // A slow model takes its time: what there is is told as it comes.
            writeln!(err, "{}: {team}, run {nth} of {runs}", named.model()).unwrap();
        }
    }
    err.write_all(shown(&table).as_bytes()).unwrap();
}

/// The table counts what there is to count: a model that does its work, and one that never ends a turn as it may.
#[test]
fn the_table_of_ends_counts_runs_calls_and_tokens() {
    let base = serve(|asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let post = json!({ "versions": [{ "channel": "short_post", "title": "Come along", "text": "Come to it." }] });
        let answer =
            if body["model"] == "well" { end("drafted", &json!({ "post": post })) } else { end("sung", &Value::Null) };
        played(&[answer], Some((100, 10)))
    });
    let mut table = Table::new();
    for name in ["well", "sings", "well"] {
        let named = Named { base_url: format!("{base}/v1"), name: name.to_owned(), key: None, calls: None };
        named.run("announcement", &mut table);
    }
    let taken = |runs, at_approval, calls, tokens| Taken { runs, at_approval, calls, tokens };
    let wanted = [("dead letter: invalid", taken(1, 0, 3, 330)), ("done", taken(2, 2, 2, 220))];
    let wanted: Table = wanted.into_iter().map(|(end, taken)| (("announcement", end.to_owned()), taken)).collect();
    assert_eq!(table, wanted, "{}", shown(&table));
    assert_eq!(shown(&table).lines().count(), 3);
}
