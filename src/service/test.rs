//! The tests of a rehearsal: a run in a journal of its own, decided as the test says, and what does not hold of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::error::Error;
use super::letter::letters;
use super::project::Project;
use super::story::Story;
use crate::actor::answered::outcomes;
use crate::actor::system::{Handle, Progress};
use crate::app::{self, Running};
use crate::clock::{Clock as _, Machine, Moved};
use crate::config::Settings;
use crate::id::{AgentName, ApprovalNo, ArtefactName, Digest, MessageId};
use crate::journal::Query;
use crate::run::event::{Decision, Event, Refusal, Who, Wish};
use crate::run::input::{Brief, Post, Say};
use crate::run::state::{State, Status, Wants};
use crate::run::view::why::paused_text;
use crate::run::view::{Kind, Texts as _};
use crate::topology::check::{Checked, Test};
use crate::topology::plan::{Line, Plan, Recipient};

/// Decisions after which a test is given up.
const DECISIONS_MAX: usize = 50;

/// What does not hold.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Difference {
    /// It ended otherwise.
    Status {
        /// How it ended.
        found: String,
        /// How it was to end.
        wanted: String,
        /// Why messages could not be handled.
        dead: Vec<String>,
    },
    /// It went another way.
    Path {
        /// `agent:outcome`, in order.
        found: Vec<String>,
        /// As it was to go.
        wanted: Vec<String>,
    },
    /// It asked for more approvals, or fewer.
    Asks { found: usize, wanted: u64 },
    /// An artefact lacks something.
    Artefact {
        name: ArtefactName,
        /// As it is; none if it did not reach the end.
        found: Option<Value>,
        /// What it was to have.
        wanted: Value,
    },
    /// The test gives no value for a parameter.
    Param { name: String },
    /// The test answers with what is no decision, or none here.
    Answer { word: String },
    /// The run refuses what the test answers.
    Refused { why: Refusal },
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    /// What does not hold.
    pub differences: Vec<Difference>,
    /// What the run took; none if it did not begin.
    pub took: Option<Took>,
}

/// What a run took. A rehearsal takes the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Took {
    /// Calls of models and tools.
    pub steps: u64,
    /// Of those: of models.
    pub model_calls: u64,
    /// Model calls that waited for each other: the rest ran beside them.
    pub longest_way: u64,
    /// Tokens in and out.
    pub tokens: u64,
    /// Billionths of a dollar that they would have cost.
    pub cost_nano_usd: u64,
    /// How often people were asked.
    pub approvals: u64,
}

/// Runs a test, with its files in a folder that goes with it: what does not hold, and what it took.
///
/// # Errors
/// If it cannot be run.
pub async fn test(project: &Project, checked: &Checked, test: &Test) -> Result<Tested, Error> {
    let mut brief = Brief::new();
    for (name, param) in &checked.plan.params {
        let Some(value) = test.params.get(name).or(param.default.as_ref()) else {
            let differences = vec![Difference::Param { name: name.clone() }];
            return Ok(Tested { differences, took: None });
        };
        brief.insert(name.clone(), value.clone());
    }
    let scratch = Scratch::new()?;
    // Nobody decides here but the test: whom the project declares is no part of it.
    let mut settings = Settings::clone(&project.settings);
    settings.people = None;
    let clock = Arc::new(Moved::default());
    let running = app::start_in_memory(&settings, scratch.0.clone(), Arc::<Moved>::clone(&clock)).await?;
    let plan = Plan { single_person: true, ..checked.plan.clone() };
    let handle = running.system.run(&plan, &brief, tester(1)).await?;
    let store = Arc::clone(&running.system.ports().store);
    let row = store.runs(&Query { id: Some(handle.run), ..Query::default() })?.pop().ok_or(Error::NothingYet)?;
    let mut story = Story::open(store, row)?;
    let decided = decide_all(&running, &clock, &handle, &mut story, test).await;
    running.stop().await;
    let differences = match decided? {
        Some(wrong) => vec![wrong],
        None => differences(&story, test)?,
    };
    Ok(Tested { differences, took: Some(took(story.anew()?)?) })
}

/// What the run of a story that nobody has read yet took.
fn took(mut story: Story) -> Result<Took, Error> {
    let mut took = Took::default();
    // Model calls that came before each message, and those within its turn.
    let (mut before, mut within): (BTreeMap<MessageId, u64>, BTreeMap<MessageId, u64>) = Default::default();
    for news in story.news()? {
        if let Event::EffectAsked { message, wish: Wish::Model { .. }, .. } = &news.fact.is {
            took.model_calls += 1;
            *within.entry(*message).or_default() += 1;
        }
        if let Event::MessageSent(message) = &news.fact.is {
            let arrived = message.joins.iter().flat_map(|joins| &joins.arrived).map(|arrival| arrival.message);
            let after = |of: &MessageId| before.get(of).unwrap_or(&0) + within.get(of).unwrap_or(&0);
            let way = message.cause.iter().chain(&arrived.collect::<Vec<_>>()).map(after).max().unwrap_or(0);
            took.longest_way = took.longest_way.max(way);
            before.insert(message.id, way);
        }
    }
    let state = story.state();
    let spent = state.ledger.spent;
    (took.steps, took.tokens, took.cost_nano_usd) = (spent.steps, spent.tokens, spent.cost.0);
    took.approvals = state.approvals.len() as u64;
    Ok(took)
}

/// The person who decides, or another one, where several have to approve.
fn tester(nth: usize) -> Who {
    let name = if nth == 1 { "test".to_owned() } else { format!("test {nth}") };
    Who { name, how: "claimed".to_owned(), groups: Vec::new(), undeclared: false, via: None }
}

/// Answers what is asked, as the test says; then approves.
async fn decide_all(
    running: &Running,
    clock: &Moved,
    handle: &Handle,
    story: &mut Story,
    test: &Test,
) -> Result<Option<Difference>, Error> {
    let mut progress = handle.progress();
    let mut decisions = test.decisions.iter();
    let mut answered = BTreeMap::new();
    for _ in 0..DECISIONS_MAX {
        settle(&mut progress, story).await?;
        let Some((no, binds)) = open(story.state()).filter(|_| story.state().status() == Status::Waiting) else {
            return Ok(None);
        };
        let wants = story.state().approvals.get(&no).map_or(Wants::Decision, |approval| approval.wants);
        let usual = if wants == Wants::Decision { "approve" } else { "answer" };
        let word = decisions.next().map_or(usual, String::as_str);
        let said = match (word, wants) {
            ("expire", _) => match expire(running, clock, (handle, &mut progress), story, no).await? {
                true => continue,
                false => None,
            },
            (word, Wants::Decision) => decision(word).map(|decision| {
                let comment = format!("{}, says the test", decision.word());
                Say::Decide { approval: no, binds, decision, comment }
            }),
            (word, Wants::Form | Wants::Sentence) => answer(story, no, binds, word, &mut answered),
        };
        let Some(said) = said else { return Ok(Some(Difference::Answer { word: word.to_owned() })) };
        if let Some(refused) = post(running, (handle, &mut progress), story, no, said).await? {
            return Ok(Some(refused));
        }
    }
    Ok(None)
}

fn decision(word: &str) -> Option<Decision> {
    let all = [Decision::Approve, Decision::RequestChanges, Decision::Reject];
    all.into_iter().find(|decision| decision.word() == word)
}

/// What the script's next line for whoever is asked says, or that with the outcome `word`; the last one repeats.
fn answer(
    story: &Story,
    no: ApprovalNo,
    binds: Digest,
    word: &str,
    answered: &mut BTreeMap<AgentName, usize>,
) -> Option<Say> {
    let state = story.state();
    let asked = state.approvals.get(&no)?;
    let lines = state.plan.script.as_ref()?.lines.get(&asked.agent)?;
    let outcomes = outcomes(&state.plan, &asked.agent, asked.wants);
    let of = |line: &Line| match &line.outcome {
        Some(outcome) => outcomes.iter().find(|of| of.as_str() == outcome).cloned(),
        None => outcomes.first().filter(|_| outcomes.len() == 1).cloned(),
    };
    let fitting = lines.iter().filter_map(|line| Some((line, of(line)?)));
    let fitting: Vec<_> = fitting.filter(|(_, outcome)| word == "answer" || outcome.as_str() == word).collect();
    let nth = answered.entry(asked.agent.clone()).or_default();
    let (line, outcome) = fitting.get(*nth).or(fitting.last())?;
    *nth += 1;
    let writes = if asked.wants == Wants::Form { line.writes.clone() } else { BTreeMap::new() };
    Some(Say::Respond { approval: no, binds, outcome: outcome.clone(), writes, comment: line.note.clone() })
}

type Progressing = watch::Receiver<Progress>;

/// Waits until the run needs somebody or is over. What the journal says may be ahead of what is told of it.
async fn settle(progress: &mut Progressing, story: &mut Story) -> Result<(), Error> {
    loop {
        let gone = progress.borrow_and_update().gone.is_some();
        story.catch_up()?;
        if gone || story.state().status() != Status::Running || progress.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Lets the time of an approval pass, without waiting; false if it has passed before, and the approval waits on.
async fn expire(
    running: &Running,
    clock: &Moved,
    (handle, progress): (&Handle, &mut Progressing),
    story: &mut Story,
    no: ApprovalNo,
) -> Result<bool, Error> {
    let of = |story: &Story| story.state().approvals.get(&no).map(|a| (a.expires_at, a.fate.is_some(), a.overdue));
    let Some((expires_at, _, false)) = of(story) else { return Ok(false) };
    clock.advance(expires_at.ms_since(clock.now()).saturating_add(1));
    running.system.wake(handle.run);
    while of(story).is_some_and(|(_, over, overdue)| !over && !overdue) && progress.changed().await.is_ok() {
        story.catch_up()?;
    }
    Ok(true)
}

/// Says something to what is asked, and waits until that is heard; what the run refuses is no answer.
async fn post(
    running: &Running,
    (handle, progress): (&Handle, &mut Progressing),
    story: &mut Story,
    no: ApprovalNo,
    say: Say,
) -> Result<Option<Difference>, Error> {
    let approved = |story: &Story| story.state().approvals.get(&no).map_or(0, |a| a.approved_by.len());
    let before = approved(story);
    let post = Post { by: tester(before + 1), say };
    let id = running.system.ports().clock.id();
    running.system.post(handle.run, id, &post).await?;
    let decided = |story: &Story| story.state().approvals.get(&no).is_none_or(|a| a.fate.is_some());
    while !decided(story) && approved(story) == before && progress.changed().await.is_ok() {
        for news in story.news()? {
            if let Event::InputRefused { post, why, .. } = &news.fact.is
                && *post == id
            {
                return Ok(Some(Difference::Refused { why: why.clone() }));
            }
        }
    }
    Ok(None)
}

fn open(state: &State) -> Option<(ApprovalNo, Digest)> {
    state.open_approvals().next().map(|(no, approval)| (no, approval.binds))
}

fn differences(story: &Story, test: &Test) -> Result<Vec<Difference>, Error> {
    let (state, texts) = (story.state(), story.texts());
    let mut differences = Vec::new();
    let status = state.status().word();
    if status != test.status {
        let dead = letters(story).into_iter().map(|letter| letter.reason);
        // A pause says which limit; what used it up went wrong before.
        let paused = paused_text(state, &texts);
        let before = if paused.is_some() { trouble(story.anew()?)? } else { None };
        let dead = dead.chain(paused).chain(before).collect();
        differences.push(Difference::Status { found: status.to_owned(), wanted: test.status.clone(), dead });
    }
    let path = story.view.path();
    if !test.path.is_empty() && path != test.path {
        differences.push(Difference::Path { found: path, wanted: test.path.clone() });
    }
    if let Some(wanted) = test.asks.filter(|asks| *asks != state.approvals.len() as u64) {
        differences.push(Difference::Asks { found: state.approvals.len(), wanted });
    }
    let to_end = story.view.messages().filter(|message| message.to == Recipient::End).last();
    for (name, wanted) in &test.artefacts {
        let held = to_end.and_then(|message| message.desk.get(name));
        let found = held.and_then(|held| texts.held(held));
        if !found.as_ref().is_some_and(|found| has(found, wanted)) {
            differences.push(Difference::Artefact { name: name.clone(), found, wanted: wanted.clone() });
        }
    }
    Ok(differences)
}

/// What went wrong last in the run of a story that nobody has read yet.
fn trouble(mut story: Story) -> Result<Option<String>, Error> {
    let entries = story.news()?.into_iter().filter_map(|news| news.entry);
    Ok(entries.filter(|entry| entry.kind == Kind::Trouble).last().map(|entry| entry.text))
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
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one, among the system's own.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn new() -> Result<Self, Error> {
        let folder = std::env::temp_dir().join(format!("callsheet-test-{}", Machine.id()));
        std::fs::create_dir_all(&folder).map_err(|why| Error::Unmade { path: folder.clone(), why })?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind lies in the system's own scratch folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
