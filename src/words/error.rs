//! Why something cannot be done, in words, with what to do instead.

use super::thread::{author, place, who_settles};
use crate::actor::{history, system};
use crate::app;
use crate::id::{AgentName, ArtefactName, RunNo};
use crate::journal;
use crate::run::event::{Refusal, Who};
use crate::service::error::{Error, ParamFault, Untried};
use crate::service::thread::Comment;
use crate::topology::fault::{Faults, nearest};
use crate::topology::plan::{Param, ParamKind};

/// Why something cannot be done; may quote hostile text.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// In words.
    pub text: String,
    /// Whether something else has to be asked for; else something failed.
    pub is_input: bool,
    /// The faults of files that it is about, which the text has in words.
    pub faults: Faults,
}

impl Told {
    fn input(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_input: true, faults: Faults::default() }
    }

    fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_input: false, faults: Faults::default() }
    }
}

impl From<journal::Error> for Told {
    fn from(error: journal::Error) -> Self {
        use journal::Error::{
            Broken, Conflict, Damaged, Ended, Full, Malformed, Newer, Owned, ReadOnly, UnknownRun, Unreadable,
        };
        match &error {
            UnknownRun => Self::input("there is no such run; `callsheet runs` lists them"),
            Owned { .. } => {
                Self::input(format!("{error}; wait for it, or take it over with `--take-over` if it is stuck"))
            }
            Newer { .. } | Unreadable(_) => Self::input(error.to_string()),
            Damaged(_) => Self::failed(format!("{error}; `callsheet audit verify` says where")),
            Conflict(_) => Self::failed(format!("{error}: another process drives it now")),
            Full | ReadOnly | Ended | Malformed(_) | Broken(_) => Self::failed(error.to_string()),
        }
    }
}

impl From<system::Error> for Told {
    fn from(error: system::Error) -> Self {
        match error {
            system::Error::Journal(error) => error.into(),
            system::Error::History(error) => error.into(),
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<history::Error> for Told {
    fn from(error: history::Error) -> Self {
        match error {
            history::Error::Journal(error) => error.into(),
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<system::Gone> for Told {
    fn from(gone: system::Gone) -> Self {
        match gone {
            system::Gone::Journal(error) => error.into(),
            system::Gone::Bug(why) => {
                Self::failed(format!("callsheet broke a rule of its own: {why}; the journal has the evidence"))
            }
            system::Gone::Parked => {
                Self::failed("this process let the run go while it waited; callsheet resume takes it up")
            }
        }
    }
}

impl From<app::Error> for Told {
    fn from(error: app::Error) -> Self {
        match error {
            app::Error::Journal(error) => error.into(),
            app::Error::System(error) => error.into(),
            other @ (app::Error::Faults(_) | app::Error::Environment(_)) => Self::input(other.to_string()),
        }
    }
}

impl From<Error> for Told {
    fn from(error: Error) -> Self {
        match error {
            Error::NothingYet => Self::input("nothing has run here yet; `callsheet run TOPOLOGY` starts a run"),
            Error::UnknownRun { no, newest } => {
                let newest = newest.map_or_else(String::new, |newest| format!("; the newest is run {newest}"));
                Self::input(format!("there is no run {no}{newest}; `callsheet runs` lists them"))
            }
            Error::Unknown { what, name, known } => Self::input(unknown(what, &name, &known)),
            Error::UnknownApproval(no) => {
                Self::input(format!("there is no approval {no}; `callsheet approvals` lists what waits"))
            }
            Error::NoApproval(no) => Self::input(format!(
                "no approval with the number {no} waits; `callsheet approvals` lists those that do"
            )),
            Error::Closed { why, open, .. } => {
                let open: Vec<String> = open.iter().map(|no| format!("callsheet review {no}")).collect();
                let is_listed = matches!(why, Refusal::AlreadyDecided { .. }) && !open.is_empty();
                let open = if is_listed { format!("; open now: {}", open.join(", ")) } else { String::new() };
                Self::input(format!("{}{open}", refusal(&why, None)))
            }
            Error::Stranger { who, known } => Self::input(stranger(&who, &known)),
            Error::Refused { why, faults } => Self::input(refusal(&why, faults.as_deref())),
            Error::Blocked { run, comments } => Self::input(blocked(run, &comments)),
            Error::Remark(faults) | Error::NoTable(faults) => Self::input(faults.join("\n")),
            Error::Unanswered => Self::failed(
                "the process that drives the run did not answer; what you said is kept, and the run hears it as soon as it can",
            ),
            Error::NotAbout { named: Some(named), approves } => {
                let list: Vec<&str> = approves.iter().map(|name| name.as_str()).collect();
                Self::input(format!("--artefact {named}: this approval is about {}", list.join(", ")))
            }
            Error::NotAbout { named: None, .. } => Self::input("this approval is about no artefact that can be edited"),
            Error::NoArtefact { named, known } => Self::input(format!(
                "the run has no artefact {named}{}\nit has: {}",
                meant(&named, &known),
                known.join(", ")
            )),
            Error::NoVersion { artefact, version, last } => {
                let has = if last == 1 { "version 1 only".to_owned() } else { format!("versions 1 to {last}") };
                Self::input(format!("{artefact} has no version {version}; it has {has}"))
            }
            Error::Faulty(faults) => {
                Self { faults: faults.clone(), ..Self::input(format!("nothing was started\n{}", faults.render(false))) }
            }
            Error::RecordingOf { path, topology } => {
                let path = path.display();
                Self::input(format!("{path} is a recording of {topology}: callsheet run {topology} --replay {path}"))
            }
            Error::Param(fault) => Self::input(param(&fault)),
            Error::Untried { agent, why } => Self::input(untried(&agent, &why)),
            Error::Gone(gone) => gone.into(),
            Error::Journal(error) => error.into(),
            Error::History(error) => error.into(),
            Error::System(error) => error.into(),
            Error::App(error) => error.into(),
            Error::Unmade { .. } | Error::Erased(_) | Error::Rules(_) => Self::failed(error.to_string()),
            Error::Over { .. } | Error::NothingToEdit | Error::Unreachable(_) | Error::Recording(_) => {
                Self::input(error.to_string())
            }
        }
    }
}

/// Why `agent` cannot be tried, and what to do.
fn untried(agent: &AgentName, why: &Untried) -> String {
    match why {
        Untried::NoModel => {
            format!("{agent} is neither a model nor a rule: a person or a tool is tried by running its team")
        }
        Untried::Reads(missing) => {
            let names: Vec<&str> = missing.iter().map(ArtefactName::as_str).collect();
            let given: Vec<String> = missing.iter().map(|name| format!("--artefact {name}=FILE")).collect();
            format!("{agent} reads {}: give what is on its desk with {}", names.join(" and "), given.join(" "))
        }
        Untried::GetsTheBrief => format!("nobody hands on to {agent}: it gets the brief, and no artefact"),
    }
}

/// That there is no `what` of this name, the one that may be meant, and all that there are.
fn unknown(what: &str, name: &str, known: &[String]) -> String {
    let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("there is no {what} {name}{}\nthere are: {list}", meant(name, known))
}

/// The name that is near, as a question.
fn meant(name: &str, known: &[String]) -> String {
    let near = nearest(name, known.iter().map(String::as_str));
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Why `who` may do nothing here, and who may.
fn stranger(who: &Who, known: &[String]) -> String {
    let folded = who.name.trim().to_lowercase();
    let same = known.iter().map(String::as_str).find(|name| *name == folded);
    let meant = same.or_else(|| nearest(&who.name, known.iter().map(String::as_str)));
    let meant = meant.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    format!(
        "`{}` is not one of the people that callsheet.toml declares ({}){meant}\nsay who you are with --as NAME, or add \
         yourself under [people]",
        who.name,
        known.join(", ")
    )
}

/// Which comments stop an approval, and who can settle them.
fn blocked(run: RunNo, comments: &[Comment]) -> String {
    let one = |of: &Comment| {
        let said = of.said.first().and_then(|remark| remark.text.as_deref()).unwrap_or_default();
        format!("  {} of {} on {}: {said}", of.comment, author(of), place(of))
    };
    let list: Vec<String> = comments.iter().map(one).collect();
    let first = comments.first().map_or_else(|| "c1".to_owned(), |of| of.comment.to_string());
    let stop = if comments.len() == 1 { "an open comment blocks" } else { "open comments block" };
    format!(
        "{stop} this approval:\n{}\n{}: callsheet resolve {run} {first} -m \"...\"",
        list.join("\n"),
        who_settles(&comments.iter().collect::<Vec<_>>())
    )
}

/// A refusal in words, with what to do; `faults` is what is wrong with what was written.
pub fn refusal(why: &Refusal, faults: Option<&str>) -> String {
    match why {
        Refusal::UnknownApproval => {
            "there is no such approval or question; `callsheet approvals` lists what waits".to_owned()
        }
        Refusal::AlreadyDecided { by, decision } => format!("{by} decided before: {}", decision.word()),
        Refusal::AlreadyAnswered { by, outcome } => format!("{by} answered before: {outcome}"),
        Refusal::WantsAnswer => "an answer is wanted here, and no decision: callsheet answer".to_owned(),
        Refusal::WantsDecision => {
            "a decision is wanted here, and no answer: callsheet approve, request-changes, edit or reject".to_owned()
        }
        Refusal::UnknownOutcome => "whoever is asked does not have that outcome; review it again".to_owned(),
        Refusal::FaultyAnswer { .. } => format!("the answer has faults:\n{}", faults.unwrap_or_default()),
        Refusal::AlreadyApproved => "you approved it already; somebody else has to approve it too".to_owned(),
        Refusal::Replaced { by: Some(by) } => {
            format!("replaced by {by}: the content was edited; `callsheet review {by}`")
        }
        Refusal::Replaced { by: None } => "the content was edited; its new approval is being prepared".to_owned(),
        Refusal::ContentChanged => {
            "the digest in `binds` is not that of what this approval shows: it was not copied from here, or the \
             content has changed since you saw it; review it again"
                .to_owned()
        }
        Refusal::Closed => "nobody can decide it any more: its time was up, or the run ended".to_owned(),
        Refusal::NotAllowed => "you may not decide this: the agent's file names who may (`who`)".to_owned(),
        Refusal::NotDeclared { name } => {
            format!("`{name}` is not one of the people that callsheet.toml declares; say who you are with --as NAME")
        }
        Refusal::StarterMayNot => "whoever started the run may not approve here; somebody else has to".to_owned(),
        Refusal::Unaccepted { rules } => {
            let rules = rules.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            format!("it does not hold what {rules} says: whoever approves it has to accept that by name")
        }
        Refusal::NotTheirs => "this approval is not about that artefact".to_owned(),
        Refusal::FaultyEdit { .. } => format!("the edited version has faults:\n{}", faults.unwrap_or_default()),
        Refusal::NotTheirsToDecide { to } => format!("{to} may not decide this, so it cannot be handed to them"),
        Refusal::Blocked { .. } => "open comments block it; `callsheet comments` lists them".to_owned(),
        Refusal::UnknownComment => "there is no such comment; `callsheet comments` lists them".to_owned(),
        Refusal::AlreadyResolved { by } => format!("{by} has resolved it"),
        Refusal::NotYoursToResolve { by } => {
            format!("only {by}, who made it, and whoever may approve what it is on can resolve it")
        }
        Refusal::SayWhy => "it is not your comment: say why it is settled".to_owned(),
        Refusal::UnknownVersion => {
            "another version has taken that one's place; look at it, and comment on it".to_owned()
        }
        Refusal::Rehearsed => {
            "the run is a rehearsal: nothing left it, so nothing can have come of it; results are attached to live runs"
                .to_owned()
        }
        Refusal::FaultyResults { .. } => format!("the table cannot be kept:\n{}", faults.unwrap_or_default()),
        Refusal::FaultyComment { .. } | Refusal::FaultyNote { .. } => faults.unwrap_or_default().to_owned(),
        Refusal::ReadsNoNotes { to } => format!("{to} reads no notes: it is no model of this run"),
        Refusal::UnknownDeadLetter => "there is no such dead letter; `callsheet dead-letters` lists them".to_owned(),
        Refusal::NothingToDo => "there is nothing to do: the run is in that state already".to_owned(),
        Refusal::RaiseTooLow => "a new limit has to be above the one in force".to_owned(),
        Refusal::RunOver => "the run is over".to_owned(),
        Refusal::Unreadable => {
            "the run could not read what you posted; does another version of callsheet drive it?".to_owned()
        }
    }
}

/// What is wrong with a parameter, and how it is given.
fn param(fault: &ParamFault) -> String {
    match fault {
        ParamFault::Unknown { name, topology, known } => {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("-p {name}: {topology} has no such parameter; it has: {known}")
        }
        ParamFault::Missing { name, topology, param } => {
            format!("{topology} needs -p {name}=...: {}{}", taken(param), meaning(param))
        }
        ParamFault::Unfit { name, text, param } => {
            format!("-p {name}={text}: {name} takes {}{}", taken(param), meaning(param))
        }
    }
}

/// What a parameter takes.
fn taken(param: &Param) -> String {
    let kind = match param.kind {
        ParamKind::String => "a text",
        ParamKind::Integer => "a whole number",
        ParamKind::Number => "a number",
        ParamKind::Boolean => "true or false",
    };
    param.bounds.words().map_or_else(|| kind.to_owned(), |bounds| format!("{kind}, {bounds}"))
}

/// What it means, in brackets, if its file says so.
fn meaning(param: &Param) -> String {
    if param.description.is_empty() { String::new() } else { format!(" ({})", param.description) }
}
