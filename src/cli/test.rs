//! `callsheet test`: runs the tests of the rehearsals, in memory, and says which hold.

use super::exit::{Exit, Stop};
use super::paint::{Safe, Tone, out, say, toned};
use super::session::Session;
use crate::service::error::Error;
use crate::service::test::{Difference, test as differences};
use crate::topology::check::Test;
use crate::topology::plan::Mode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Topologies; the default is all of the project
    topologies: Vec<String>,
}

pub(super) async fn test(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let names = if args.topologies.is_empty() { project.topologies() } else { args.topologies.clone() };
    let (mut passed, mut failed) = (0, 0);
    for name in names {
        let checked = project.check(&name, Mode::Rehearsal).map_err(Error::Faulty)?;
        for test in &checked.tests {
            let differences = differences(project, &checked, test).await?;
            let title = format!("{name}: {}", test.name);
            if differences.is_empty() {
                passed += 1;
                out(format!("{} {}", toned(Tone::Good, "pass"), Safe(&title)));
                continue;
            }
            failed += 1;
            let mut lines = Vec::new();
            for difference in &differences {
                lines.extend(words(test, difference)?);
            }
            out(format!("{} {}", toned(Tone::Bad, "FAIL"), Safe(&title)));
            lines.iter().for_each(|line| out(format!("     {}", Safe(line))));
        }
    }
    say(format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// What does not hold, a line each; an error if the test itself is wrong.
fn words(test: &Test, difference: &Difference) -> Result<Vec<String>, Stop> {
    Ok(match difference {
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
        Difference::Param { name } => return Err(Stop::input(format!("{}: it gives no {name}", test.name))),
        Difference::Answer { word } => {
            return Err(Stop::input(format!("{}: a test cannot answer {word}", test.name)));
        }
    })
}
