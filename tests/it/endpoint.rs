//! The README's first team over a real server, where one is named: an OpenAI-compatible base URL in
//! `CALLSHEET_TEST_MODEL_URL`, the model's name in `CALLSHEET_TEST_MODEL`, and a key, if it wants one, in
//! `CALLSHEET_TEST_MODEL_KEY`. What the model says is its own business; that the run comes to a typed end is ours.

use std::env::var;
use std::io::Write as _;
use std::process::Stdio;

use callsheet::cli::exit::Exit;
use callsheet::failure::Class;
use callsheet::run::state::{State, Status};

use crate::announcement::project;
use crate::sweep::{Project, words};

/// Approvals after which the team has had enough of them.
const APPROVALS_MAX: usize = 8;

#[test]
fn the_first_team_comes_to_a_typed_end_over_a_named_server() {
    let Ok(base_url) = var("CALLSHEET_TEST_MODEL_URL") else {
        let line = "NOT RUN: a campaign over a real model: set CALLSHEET_TEST_MODEL_URL to an OpenAI-compatible base URL, \
                    such as http://127.0.0.1:8080/v1, CALLSHEET_TEST_MODEL to a model's name there, and \
                    CALLSHEET_TEST_MODEL_KEY if it wants a key\n";
        return std::io::stderr().write_all(line.as_bytes()).unwrap();
    };
    let name = var("CALLSHEET_TEST_MODEL").expect("CALLSHEET_TEST_MODEL names a model at CALLSHEET_TEST_MODEL_URL");
    let key = var("CALLSHEET_TEST_MODEL_KEY").ok();
    let key_env = if key.is_some() { "key_env = \"CALLSHEET_TEST_MODEL_KEY\"\n" } else { "" };
    let model = format!("named/{name}");
    // A price, so that what it may cost is bounded whatever it is.
    let tables = format!(
        "\n[models.providers.named]\ndialect = \"openai\"\nbase_url = {base_url:?}\n{key_env}\n[models.prices.{model:?}]\n\
         input_usd_per_million = 3.00\noutput_usd_per_million = 15.00\ndated = \"2026-11-01\"\n"
    );
    let project = project(&model, &tables);
    let mut ended = act(&project, &["run", "announcement"], key.as_deref());
    for _ in 0..APPROVALS_MAX {
        let open = project.state().and_then(|(_, state)| state.open_approvals().next().map(|(no, _)| no));
        let Some(no) = open else { break };
        ended = act(&project, &["approve", &no.0.to_string()], key.as_deref());
    }
    let (code, said) = ended;
    let (_, state) = project.state().unwrap_or_else(|| panic!("nothing was started: {said}"));
    assert_eq!(code, Exit::of(&state) as i32, "{said}");
    assert!(is_typed(&state), "{:?}, {:?}\n{said}", state.status(), state.dead);
    let mut err = std::io::stderr();
    let (status, spent) = (state.status().word(), state.ledger.spent);
    writeln!(err, "{model}: {status}, {} steps, {} tokens", spent.steps, spent.tokens).unwrap();
}

/// What it printed to stderr, and its exit code.
fn act(project: &Project, act: &[&str], key: Option<&str>) -> (i32, String) {
    let mut command = project.command(&words(act), None);
    command.envs(key.map(|key| ("CALLSHEET_TEST_MODEL_KEY", key)));
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Over, or at rest with a reason that somebody can do something about; never for a fault of our own.
fn is_typed(state: &State) -> bool {
    let ours = state.dead.values().any(|letter| letter.class == Class::Bug);
    let rests = match state.status() {
        Status::Ended(how) => how != callsheet::run::event::Ending::Bug,
        Status::Stuck => !state.dead.is_empty(),
        Status::Paused => true,
        Status::Running | Status::Waiting => false,
    };
    rests && !ours
}
