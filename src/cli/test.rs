//! `callsheet test`: runs the tests of the rehearsals, in memory, and says which hold.

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, Safe, Tone, out, say, toned};
use super::session::Session;
use crate::service::test::{Difference, test as tested};
use crate::topology::fault::Fault;
use crate::topology::plan::Mode;
use crate::words::error::refusal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topologies to test; all of the project if you name none
    topologies: Vec<String>,
    /// Prints NDJSON: one JSON object for each test, with the steps, calls and tokens that it took
    #[arg(long)]
    json: bool,
}

pub(super) async fn test(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let names = if args.topologies.is_empty() { project.topologies() } else { args.topologies.clone() };
    let (mut holding, mut failed, mut exit) = (0_u64, 0_u64, Exit::Done);
    let mut told: Vec<Fault> = Vec::new();
    for name in names {
        let checked = match project.check_to_start(&name, Mode::Rehearsal, None) {
            Ok(startable) => startable.checked,
            Err(mut faults) => {
                exit = Exit::Input;
                // What several topologies share is told once.
                faults.retain(|fault| !told.contains(fault));
                told.extend(faults.iter().cloned());
                super::check::tell(&name, &faults, args.json);
                continue;
            }
        };
        for test in &checked.tests {
            // What ends one test says nothing of the others.
            let (lines, took) = match tested(project, &checked, test).await {
                Ok(tested) => (tested.differences.iter().flat_map(words).collect(), tested.took),
                Err(error) => (vec![Stop::from(error).text], None),
            };
            if args.json {
                let (test, passed) = (&test.name, lines.is_empty());
                let told =
                    json!({ "topology": name, "test": test, "passed": passed, "differences": lines, "took": took });
                paint::json(&told);
                (holding, failed) = (holding + u64::from(passed), failed + u64::from(!passed));
                continue;
            }
            let title = format!("{name}: {}", test.name);
            if lines.is_empty() {
                holding += 1;
                out(format!("{} {}", toned(Tone::Good, "pass"), Safe(&title)));
                continue;
            }
            failed += 1;
            out(format!("{} {}", toned(Tone::Bad, "FAIL"), Safe(&title)));
            lines.iter().for_each(|line| out(format!("     {}", Safe(line))));
        }
    }
    say(format!("{holding} passed, {failed} failed"));
    Ok(if failed > 0 && exit == Exit::Done { Exit::Failed } else { exit })
}

/// What does not hold, a line each.
fn words(difference: &Difference) -> Vec<String> {
    match difference {
        Difference::Status { found, wanted, dead } => {
            let ended = format!("it ended as {found}, not as {wanted}");
            std::iter::once(ended).chain(dead.iter().cloned()).collect()
        }
        Difference::Path { found, wanted } => {
            vec![format!("it went {}", found.join(" ")), format!("and not  {}", wanted.join(" "))]
        }
        Difference::Asks { found, wanted } => vec![format!("it asked for {found} approvals, not for {wanted}")],
        Difference::Artefact { name, found: Some(found), wanted } => {
            vec![format!("{name} is {found}, and lacks {wanted}")]
        }
        Difference::Artefact { name, found: None, .. } => vec![format!("{name} did not reach the end")],
        Difference::Param { name } => {
            vec![format!("it gives no `{name}`: write params = {{ {name} = ... }} into the test")]
        }
        Difference::Answer { word } => vec![format!("a test cannot answer {word} here")],
        Difference::Refused { why } => vec![refusal(why, None)],
    }
}
