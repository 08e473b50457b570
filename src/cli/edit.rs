//! `callsheet edit`: a person's own version of a draft, as TOML in their editor; it is checked and approved anew.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::decide::changed;
use super::exit::{Exit, Stop};
use super::paint::{is_terminal, say};
use super::session::Session;
use crate::id::ApprovalNo;
use crate::service::edit::Edit;

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
    let (project, no) = (&session.project, ApprovalNo(args.number));
    project.declared(project.who())?;
    let mut story = project.read(project.run_of_approval(no)?)?;
    let edit = Edit::of(&story, no, args.artefact.as_deref()).inspect_err(|error| changed(&story, no, error))?;
    // What they wrote before and could not be prepared is not lost: it is where they go on.
    let refused = edit.refused.as_ref();
    let mut begin = refused.and_then(|(body, faults)| Some(with_faults(faults, &as_toml(body).ok()?)));
    let examine = |text: &str| -> Result<Value, String> {
        let value: Value = toml::from_str(text).map_err(|error| error.to_string())?;
        let faults = edit.faults(&value);
        if faults.is_empty() { Ok(value) } else { Err(faults.join("\n")) }
    };
    loop {
        let body = match &args.file {
            Some(file) => {
                let unread = |error| Stop::input(format!("{}: {error}", file.display()));
                examine(&crate::file::text(file, VERSION_BYTES_MAX).map_err(unread)?).map_err(Stop::input)?
            }
            None => in_editor(&session.settings.editor, &edit.before, begin.take(), &examine)?,
        };
        if body == edit.before {
            say("nothing changed; the approval stands as it was");
            return Ok(Exit::Waiting);
        }
        let exit = session.act(&mut story, edit.say(body.clone())).await?;
        let Some(why) = edit.came_back(&story, &body) else { return Ok(exit) };
        if args.file.is_some() {
            return Err(Stop::input(format!("approval {no} is open again, as it was: {why}")));
        }
        begin = Some(with_faults(&why, &as_toml(&body)?));
    }
}

/// A version as it is shown in the editor, with what is wrong with it on top.
fn with_faults(faults: &str, text: &str) -> String {
    let faults: String = faults.lines().map(|fault| format!("# ! {fault}\n")).collect();
    format!("{faults}{text}")
}

/// Longest edited version.
const VERSION_BYTES_MAX: u64 = 16 << 20;

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
