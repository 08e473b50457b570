//! `callsheet test`: runs the tests of the rehearsals, in memory, and says which hold.

use super::exit::{Exit, Stop};
use super::paint::{Safe, Tone, out, say, toned};
use super::session::Session;
use crate::service::test::{Difference, test as differences};
use crate::topology::fault::Fault;
use crate::topology::plan::Mode;
use crate::words::error::refusal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topologies to test; all of the project if you name none
    topologies: Vec<String>,
}

pub(super) async fn test(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let names = if args.topologies.is_empty() { project.topologies() } else { args.topologies.clone() };
    let (mut passed, mut failed, mut exit) = (0, 0, Exit::Done);
    let mut told: Vec<Fault> = Vec::new();
    for name in names {
        let checked = match project.check_to_start(&name, Mode::Rehearsal, None) {
            Ok((checked, _)) => checked,
            Err(mut faults) => {
                exit = Exit::Input;
                // What several topologies share is told once.
                faults.retain(|fault| !told.contains(fault));
                told.extend(faults.iter().cloned());
                super::check::tell(&name, &faults, false);
                continue;
            }
        };
        for test in &checked.tests {
            // What ends one test says nothing of the others.
            let lines = match differences(project, &checked, test).await {
                Ok(differences) => differences.iter().flat_map(words).collect(),
                Err(error) => vec![Stop::from(error).text],
            };
            let title = format!("{name}: {}", test.name);
            if lines.is_empty() {
                passed += 1;
                out(format!("{} {}", toned(Tone::Good, "pass"), Safe(&title)));
                continue;
            }
            failed += 1;
            out(format!("{} {}", toned(Tone::Bad, "FAIL"), Safe(&title)));
            lines.iter().for_each(|line| out(format!("     {}", Safe(line))));
        }
    }
    say(format!("{passed} passed, {failed} failed"));
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
