//! A command that was typed without what it is about: what there is to name, and the command with the first of it.

use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::session::{Common, Session};
use crate::app;
use crate::service::list::{self, Open};
use crate::topology::check::check;
use crate::topology::plan::{Mode, Role};

/// What to say where `error` is that a name or a number is missing in what was typed, and nothing else; none if it is
/// another one.
pub(super) fn named(error: &clap::Error, line: clap::Command) -> Option<String> {
    let lacks = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(lacks))) => lacks,
        _ => return None,
    };
    // What stands around it, such as --project, counts although the line is not whole.
    let matches = line.ignore_errors(true).try_get_matches().ok()?;
    let command = matches.subcommand_name()?;
    let session = Session::open(&Common::from_arg_matches(&matches).ok()?).ok()?;
    if let Some(number) = lacks.iter().find(|lack| *lack == "<NUMBER>") {
        return Some(waiting(&session, command, number.trim_matches(['<', '>'])));
    }
    match lacks.first()?.as_str() {
        "<TOPOLOGY>" => {
            Some(choice(command, "the name of a topology", &session.project.topologies(), "callsheet new topology"))
        }
        "<AGENT>" => Some(choice(command, "the name of an agent", &models(&session), "callsheet new agent")),
        _ => None,
    }
}

fn choice(command: &str, what: &str, names: &[String], makes: &str) -> String {
    match names.first() {
        None => format!("callsheet {command} needs {what}, and there is none yet: {makes} NAME"),
        Some(first) => format!(
            "callsheet {command} needs {what}; there are: {}\nsuch as: callsheet {command} {first}",
            names.join(", ")
        ),
    }
}

/// The members that are models, of all teams without faults.
fn models(session: &Session) -> Vec<String> {
    let Ok(around) = app::surroundings(&session.settings, Mode::Rehearsal) else { return vec![] };
    let teams = session.project.topologies();
    let checked = teams.iter().filter_map(|name| check(name, &session.settings.folder(), &around).ok());
    let mut names: Vec<String> = checked
        .flat_map(|checked| checked.plan.team)
        .filter(|(_, member)| matches!(member.role, Role::Model { .. }))
        .map(|(name, _)| name.to_string())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What waits for a person: approvals, or for `settle` questions.
fn waiting(session: &Session, command: &str, what: &str) -> String {
    let is_settled = command == "settle";
    let line = |open: &Open| match open {
        Open::Approval(asked) if !is_settled => {
            let about: Vec<&str> = asked.about.iter().map(|name| name.as_str()).collect();
            let line = &asked.line;
            Some((line.approval, format!("run {} of {}, {}", line.run, line.topology, about.join(", "))))
        }
        Open::Question { question, run, topology } if is_settled => {
            Some((*question, format!("run {run} of {topology}: did it happen?")))
        }
        _ => None,
    };
    let open: Vec<_> = list::open(&session.project).unwrap_or_default().iter().filter_map(line).collect();
    let of = if is_settled { "a question" } else { "an approval" };
    let what = what.to_lowercase();
    let Some((first, _)) = open.first() else {
        return format!(
            "callsheet {command} needs the {what} of {of}, and none waits; callsheet approvals lists what does"
        );
    };
    let lines: Vec<String> = open.iter().map(|(no, about)| format!("{no}  {about}")).collect();
    let answer = if is_settled { " --happened" } else { "" };
    format!(
        "callsheet {command} needs the {what} of {of}; open now:\n{}\nsuch as: callsheet {command} {first}{answer}",
        lines.join("\n")
    )
}
