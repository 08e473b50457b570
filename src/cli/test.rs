//! `callsheet test`: runs the tests of the rehearsals, in memory, and says which hold.

use std::sync::Arc;

use serde_json::Value;

use super::exit::{Exit, Stop};
use super::paint::{Safe, Tone, out, say, toned};
use super::session::Session;
use super::story::Story;
use crate::actor::system::Handle;
use crate::app::{self, Running};
use crate::clock::{Clock as _, Machine};
use crate::id::{ApprovalNo, Digest};
use crate::run::event::{Decision, Who};
use crate::run::input::{Brief, Post, Say};
use crate::run::state::{State, Status};
use crate::run::view::Texts as _;
use crate::topology::check::{Checked, Test};
use crate::topology::plan::{Mode, Plan, Recipient};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Topologies; the default is all of the project
    topologies: Vec<String>,
}

/// Decisions after which a test is given up.
const DECISIONS_MAX: usize = 50;

pub(super) async fn test(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let names = if args.topologies.is_empty() { session.topologies() } else { args.topologies.clone() };
    let (mut passed, mut failed) = (0, 0);
    for name in names {
        let checked = session.check(&name, Mode::Rehearsal).map_err(|faults| super::check::refuse(&faults))?;
        for test in &checked.tests {
            let problems = one(session, &checked, test).await?;
            let title = format!("{name}: {}", test.name);
            if problems.is_empty() {
                passed += 1;
                out(format!("{} {}", toned(Tone::Good, "pass"), Safe(&title)));
            } else {
                failed += 1;
                out(format!("{} {}", toned(Tone::Bad, "FAIL"), Safe(&title)));
                problems.iter().for_each(|problem| out(format!("     {}", Safe(problem))));
            }
        }
    }
    say(format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// One test in a journal of its own, with its files in a folder that goes with it; what does not hold.
async fn one(session: &Session, checked: &Checked, test: &Test) -> Result<Vec<String>, Stop> {
    let scratch = Scratch::new()?;
    // Nobody decides here but the test: whom the project declares is no part of it.
    let mut settings = session.settings.clone();
    settings.people = None;
    let running = app::start_in_memory(&settings, scratch.0.clone()).await?;
    let mut brief = Brief::new();
    for (name, param) in &checked.plan.params {
        let value = test.params.get(name).or(param.default.as_ref()).cloned();
        brief.insert(name.clone(), value.ok_or_else(|| Stop::input(format!("{}: it gives no {name}", test.name)))?);
    }
    let plan = Plan { single_person: true, ..checked.plan.clone() };
    let handle = running.system.run(&plan, &brief, tester(1)).await?;
    let mut story = Story::open(Arc::clone(&running.system.ports().store), handle.run, session.zone())?;
    decide_all(&running, &handle, &mut story, test).await?;
    let problems = differences(&story, test);
    running.stop().await;
    Ok(problems)
}

/// The person who decides, or another one, where several have to approve.
fn tester(nth: usize) -> Who {
    let name = if nth == 1 { "test".to_owned() } else { format!("test {nth}") };
    Who { name, how: "claimed".to_owned(), groups: Vec::new(), undeclared: false }
}

/// Answers what is asked, as the test says; then approves.
async fn decide_all(running: &Running, handle: &Handle, story: &mut Story, test: &Test) -> Result<(), Stop> {
    let mut progress = handle.progress();
    let mut decisions = test.decisions.iter();
    for _ in 0..DECISIONS_MAX {
        let settled = progress.wait_for(|now| now.status != Status::Running || now.gone.is_some()).await;
        let status = settled.map_or(Status::Stuck, |now| now.status);
        story.news()?;
        let Some((no, binds)) = open(story.view.state()) else { return Ok(()) };
        if status != Status::Waiting {
            return Ok(());
        }
        let word = decisions.next().map_or("approve", String::as_str);
        let decision = match word {
            "approve" => Decision::Approve,
            "request_changes" => Decision::RequestChanges,
            "reject" => Decision::Reject,
            other => return Err(Stop::input(format!("{}: a test cannot answer {other}", test.name))),
        };
        let comment = format!("{word}, says the test");
        let approved = |story: &Story| story.view.state().approvals.get(&no).map_or(0, |a| a.approved_by.len());
        let before = approved(story);
        let post = Post { by: tester(before + 1), say: Say::Decide { approval: no, binds, decision, comment } };
        running.system.post(handle.run, running.system.ports().clock.id(), &post).await?;
        let decided = |story: &Story| story.view.state().approvals.get(&no).is_none_or(|a| a.fate.is_some());
        while !decided(story) && approved(story) == before && progress.changed().await.is_ok() {
            story.news()?;
        }
    }
    Ok(())
}

fn open(state: &State) -> Option<(ApprovalNo, Digest)> {
    state.open_approvals().next().map(|(no, approval)| (no, approval.binds))
}

fn differences(story: &Story, test: &Test) -> Vec<String> {
    let state = story.view.state();
    let mut problems = Vec::new();
    let status = state.status().word();
    if status != test.status {
        problems.push(format!("it ended as {status}, not as {}", test.status));
        let dead = state.dead.values().map(|letter| crate::run::view::why::letter_text(state, &story.texts(), letter));
        problems.extend(dead);
    }
    let path: Vec<String> = story
        .view
        .messages()
        .filter_map(|message| Some(format!("{}:{}", message.from.as_ref()?, message.outcome)))
        .collect();
    if !test.path.is_empty() && path != test.path {
        problems.push(format!("it went {}", path.join(" ")));
        problems.push(format!("and not  {}", test.path.join(" ")));
    }
    if let Some(asks) = test.asks.filter(|asks| *asks != state.approvals.len() as u64) {
        problems.push(format!("it asked for {} approvals, not for {asks}", state.approvals.len()));
    }
    let texts = story.texts();
    let to_end = story.view.messages().filter(|message| message.to == Recipient::End).last();
    for (name, wanted) in &test.artefacts {
        let digest = to_end.and_then(|message| message.desk.get(name));
        match digest.and_then(|digest| texts.value(*digest)) {
            Some(found) if has(&found, wanted) => {}
            Some(found) => problems.push(format!("{name} is {found}, and lacks {wanted}")),
            None => problems.push(format!("{name} did not reach the end")),
        }
    }
    problems
}

/// Whether `found` has all that `wanted` says.
fn has(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|of| has(of, value)))
        }
        _ => found == wanted,
    }
}

/// A folder that goes when the test ends.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Result<Self, Stop> {
        let folder = std::env::temp_dir().join(format!("callsheet-test-{}", Machine.id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind lies in the system's own scratch folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
