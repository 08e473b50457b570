//! `callsheet edit`: a person's own version of a draft, as TOML in their editor; it is checked and approved anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::decide::bound;
use super::exit::{Exit, Stop};
use super::paint::{is_terminal, say};
use super::session::Session;
use super::story::Story;
use crate::actor::lift::Examiner;
use crate::app;
use crate::id::{ApprovalNo, ArtefactName};
use crate::journal::RunRow;
use crate::run::input::Say;
use crate::run::state::Approval;
use crate::run::view::{Texts, error_text};
use crate::topology::plan::Role;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The approval's number
    number: u64,
    /// Which artefact; needed if the approval is about several that can be edited
    #[arg(long, value_name = "NAME")]
    artefact: Option<String>,
    /// The new version as TOML, instead of an editor
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn edit(session: &Session, args: Args) -> Result<Exit, Stop> {
    session.declared()?;
    let store = session.store()?;
    let row = session.row_of_approval(store.as_ref(), args.number)?;
    let mut story = Story::open(store, row.id, session.zone())?;
    story.news()?;
    let no = ApprovalNo(args.number);
    let binds = bound(&story, no)?;
    let state = story.view.state();
    let approval = state.approvals.get(&no).ok_or_else(|| Stop::input("there is no such approval"))?;
    let artefact = choose(&story, approval, args.artefact.as_deref())?;
    let texts = story.texts();
    let read = |name: &ArtefactName| approval.desk.get(name).and_then(|digest| texts.value(*digest));
    // What they wrote before and could not be prepared is not lost: it is where they go on.
    let mut begin = approval.refused.as_ref().filter(|refused| refused.artefact == artefact).and_then(|refused| {
        Some(with_faults(&error_text(&texts, refused.problems), &as_toml(&texts.value(refused.version)?).ok()?))
    });
    let before = read(&artefact).ok_or_else(|| Stop::failed(format!("{artefact} was erased")))?;
    let others: BTreeMap<ArtefactName, Value> =
        approval.desk.keys().filter(|name| **name != artefact).filter_map(|n| Some((n.clone(), read(n)?))).collect();
    let examiner = Examiner::new(&state.plan, &app::checks()).map_err(Stop::failed)?;
    let examine = |text: &str| -> Result<Value, String> {
        let value: Value = toml::from_str(text).map_err(|error| error.to_string())?;
        let verdict = examiner.examine(&artefact, &value, &others);
        if verdict.problems.is_empty() { Ok(value) } else { Err(verdict.problems.join("\n")) }
    };
    loop {
        let body = match &args.file {
            Some(file) => {
                let unread = |error| Stop::input(format!("{}: {error}", file.display()));
                examine(&crate::file::text(file, VERSION_BYTES_MAX).map_err(unread)?).map_err(Stop::input)?
            }
            None => in_editor(&session.settings.editor, &before, begin.take(), &examine)?,
        };
        if body == before {
            say("nothing changed; the approval stands as it was");
            return Ok(Exit::Waiting);
        }
        let post = Say::Edit { approval: no, binds, artefact: artefact.clone(), body: body.clone() };
        let exit = session.act(&row, post).await?;
        let Some(why) = refused(session, &row, no, &body)? else { return Ok(exit) };
        if args.file.is_some() {
            return Err(Stop::input(format!("approval {no} is open again, as it was: {why}")));
        }
        begin = Some(with_faults(&why, &as_toml(&body)?));
    }
}

/// Why `body`, put in place of a version, could not be prepared, if that is what came of it.
fn refused(session: &Session, row: &RunRow, no: ApprovalNo, body: &Value) -> Result<Option<String>, Stop> {
    let mut story = Story::open(session.store()?, row.id, session.zone())?;
    story.news()?;
    let texts = story.texts();
    let approval = story.view.state().approvals.get(&no).filter(|approval| approval.fate.is_none());
    let refused = approval.and_then(|approval| approval.refused.as_ref());
    let refused = refused.filter(|refused| texts.value(refused.version).as_ref() == Some(body));
    Ok(refused.map(|refused| error_text(&texts, refused.problems)))
}

/// A version as it is shown in the editor, with what is wrong with it on top.
fn with_faults(faults: &str, text: &str) -> String {
    let faults: String = faults.lines().map(|fault| format!("# ! {fault}\n")).collect();
    format!("{faults}{text}")
}

/// Longest edited version.
const VERSION_BYTES_MAX: u64 = 16 << 20;

fn choose(story: &Story, approval: &Approval, named: Option<&str>) -> Result<ArtefactName, Stop> {
    let member = story.view.state().plan.team.get(&approval.agent);
    let Some(Role::Person(person)) = member.map(|member| &member.role) else {
        return Err(Stop::input("there is nothing to edit"));
    };
    let list: Vec<&str> = person.approves.iter().map(ArtefactName::as_str).collect();
    let list = list.join(", ");
    match (named, person.approves.as_slice()) {
        (Some(named), approves) => approves
            .iter()
            .find(|name| name.as_str() == named)
            .cloned()
            .ok_or_else(|| Stop::input(format!("--artefact {named}: this approval is about {list}"))),
        (None, [first, ..]) => Ok(first.clone()),
        (None, []) => Err(Stop::input("this approval is about no artefact that can be edited")),
    }
}

/// Opens the version in the person's editor, again with the faults on top until it is right or left as it was.
fn in_editor(
    editor: &str,
    before: &Value,
    begin: Option<String>,
    examine: &dyn Fn(&str) -> Result<Value, String>,
) -> Result<Value, Stop> {
    if !is_terminal() {
        return Err(Stop::input("there is no terminal for an editor: give the new version with --file FILE"));
    }
    let folder = std::env::temp_dir().join(format!("callsheet-edit-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("version.toml");
    let mut text = begin.map_or_else(|| as_toml(before), Ok)?;
    loop {
        std::fs::write(&file, &text)?;
        let mut words = editor.split_whitespace();
        let program = words.next().unwrap_or("vi");
        let status = Command::new(program).args(words).arg(&file).status();
        let status = status.map_err(|error| Stop::input(format!("the editor {editor} cannot be started: {error}")))?;
        let saved = crate::file::text(&file, VERSION_BYTES_MAX)?;
        if !status.success() || saved == text {
            std::fs::remove_dir_all(&folder)?;
            return if saved == text && text.starts_with('#') {
                Err(Stop::input("left with faults in it; the approval stands as it was"))
            } else {
                Ok(before.clone())
            };
        }
        let plain: String = saved.lines().skip_while(|line| line.starts_with("# ! ")).collect::<Vec<_>>().join("\n");
        match examine(&plain) {
            Ok(value) => {
                std::fs::remove_dir_all(&folder)?;
                return Ok(value);
            }
            Err(faults) => text = with_faults(&faults, &format!("{plain}\n")),
        }
    }
}

/// A body as TOML with multi-line strings; keys without a value are left out, TOML has no null.
fn as_toml(body: &Value) -> Result<String, Stop> {
    fn without_null(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let kept = map.iter().filter(|(_, value)| !value.is_null());
                Value::Object(kept.map(|(key, value)| (key.clone(), without_null(value))).collect())
            }
            Value::Array(list) => Value::Array(list.iter().map(without_null).collect()),
            other => other.clone(),
        }
    }
    toml::to_string_pretty(&without_null(body)).map_err(|error| Stop::failed(error.to_string()))
}
