//! `callsheet edit`: a person's own version of a draft, as TOML in their editor; it is checked and approved anew.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::decide::changed;
use super::exit::{Exit, Stop};
use super::paint::{is_terminal, say};
use super::session::Session;
use crate::clock::{Clock as _, Machine};
use crate::file::words;
use crate::id::ApprovalNo;
use crate::service::edit::Edit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The approval's number
    number: u64,
    /// Which artefact; you need it if you can edit several
    #[arg(long, value_name = "NAME")]
    artefact: Option<String>,
    /// Takes the new version from this TOML file and opens no editor
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What is said where the person left everything as it was.
pub(super) const UNCHANGED: &str = "nothing changed; the approval stands as it was";

pub(super) async fn edit(session: &Session, args: Args) -> Result<Exit, Stop> {
    let (project, no) = (&session.project, ApprovalNo(args.number));
    project.declared(project.who())?;
    let mut story = project.read(project.run_of_approval(no)?)?;
    let mut edit = Edit::of(&story, no, args.artefact.as_deref()).inspect_err(|error| changed(&story, no, error))?;
    for _ in 0..OPENED_MAX {
        let body = match &args.file {
            Some(file) => {
                let unread = |why| Stop::input(format!("{} cannot be read: {}", file.display(), words(&why)));
                let text = crate::file::text(file, VERSION_BYTES_MAX).map_err(unread)?;
                Some(examined(&edit, &text).map_err(Stop::input)?).filter(|body| *body != edit.before)
            }
            None => in_editor(&session.settings.editor, &edit)
                .await
                .map_err(|stop| Stop { text: format!("{}; approval {no} is as it was", stop.text), ..stop })?,
        };
        let Some(body) = body else {
            say(UNCHANGED);
            return Ok(Exit::Waiting);
        };
        let exit = session.act(&mut story, edit.say(body.clone())).await?;
        let Some(why) = edit.came_back(&story, &body) else { return Ok(exit) };
        if args.file.is_some() {
            return Err(Stop::input(format!("approval {no} is open again, as it was: {why}")));
        }
        edit.refused = Some((body, why));
    }
    Err(Stop::input(format!("approval {no} is open again, as it was: {OPENED_MAX} versions were refused")))
}

/// The body that a text is, if nothing is wrong with it.
fn examined(edit: &Edit, text: &str) -> Result<Value, String> {
    // `show --artefact --json` prints it as JSON, so that is taken, too.
    let value: Value = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))?,
        false => toml::from_str(text).map_err(|error| error.to_string())?,
    };
    let faults = edit.faults(&value);
    if faults.is_empty() { Ok(value) } else { Err(faults.join("\n")) }
}

/// A version as it is shown in the editor, with what is wrong with it on top.
fn with_faults(faults: &str, text: &str) -> String {
    let faults: String = faults.lines().map(|fault| format!("# ! {fault}\n")).collect();
    format!("{faults}{text}")
}

/// How often a version with faults is opened again.
const OPENED_MAX: usize = 10;

/// Longest edited version.
const VERSION_BYTES_MAX: u64 = 16 << 20;

/// Opens the version in the person's editor, again with the faults on top until it is right or left as it was: none
/// then.
pub(super) async fn in_editor(editor: &str, edit: &Edit) -> Result<Option<Value>, Stop> {
    if !is_terminal() {
        return Err(Stop::input("there is no terminal for an editor: give the new version with --file FILE"));
    }
    // A new one each time: what was kept of another edit stays where it was said to be.
    let folder = std::env::temp_dir().join(format!("callsheet-edit-{}", Machine.id()));
    let file = folder.join("version.toml");
    let unwritten =
        |why: std::io::Error| Stop::failed(format!("{} cannot be written: {}", file.display(), words(&why)));
    std::fs::create_dir_all(&folder).map_err(unwritten)?;
    let mut text = begun(edit)?;
    let mut written = Vec::new();
    loop {
        std::fs::write(&file, &text).map_err(unwritten)?;
        let ended = opened(editor, &file).await;
        let saved = crate::file::text(&file, VERSION_BYTES_MAX);
        let is_saved = saved.as_ref().is_ok_and(|saved| *saved != text);
        if let Err(stop) = ended {
            // What they wrote is theirs, and an editor that is left to itself goes on there.
            if !is_saved && stop.exit != Exit::Interrupted {
                remove(&folder);
            }
            let kept = format!("{}; what you saved is in {}", stop.text, file.display());
            return Err(Stop { text: if is_saved { kept } else { stop.text }, ..stop });
        }
        let unread = |why: std::io::Error| Stop::failed(format!("{} cannot be read: {}", file.display(), words(&why)));
        let saved = saved.map_err(unread)?;
        let plain: String = saved.lines().skip_while(|line| line.starts_with("# ! ")).collect::<Vec<_>>().join("\n");
        let examined = if is_saved { examined(edit, &plain) } else { Ok(edit.before.clone()) };
        let kept = || format!("your version is kept in {}", file.display());
        match examined {
            Ok(_) if !is_saved && text.starts_with('#') => {
                return Err(Stop::input(format!("left with faults in it; {}", kept())));
            }
            Ok(value) if edit.refused.as_ref().is_some_and(|(refused, _)| *refused == value) => {
                return Err(Stop::input(format!("the same version as the one that was refused; {}", kept())));
            }
            Ok(value) => {
                remove(&folder);
                return Ok(Some(value).filter(|value| *value != edit.before));
            }
            // An editor that writes by itself writes the same again, or never comes to an end.
            Err(faults) if written.contains(&plain) || written.len() + 1 == OPENED_MAX => {
                let often = if written.contains(&plain) { "the same faults again" } else { "faults each time" };
                return Err(Stop::input(format!("{faults}\nthe editor left {often}; {}", kept())));
            }
            Err(faults) => {
                text = with_faults(&faults, &format!("{plain}\n"));
                written.push(plain);
            }
        }
    }
}

/// Takes a folder away that nobody needs any more.
fn remove(folder: &Path) {
    // What is left behind lies in the system's own scratch folder.
    let _ = std::fs::remove_dir_all(folder);
}

/// What the editor begins with: what they wrote before and could not be prepared is not lost.
fn begun(edit: &Edit) -> Result<String, Stop> {
    match &edit.refused {
        Some((body, faults)) => Ok(with_faults(faults, &as_toml(body)?)),
        None => as_toml(&edit.before),
    }
}

/// Opens `file` in the editor and waits for its end. The shell splits what the environment says, as for every program
/// that opens an editor: `code --wait`, and quotes around a path with blanks.
async fn opened(editor: &str, file: &Path) -> Result<(), Stop> {
    // Listened to from here on: Ctrl-C is the editor's, and may not end this before the editor has ended.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(editor).arg(file);
    let (to, ended) = oneshot::channel();
    std::thread::spawn(move || drop(to.send(command.status())));
    let mut ended = std::pin::pin!(ended);
    let mut is_asked = false;
    let status = loop {
        tokio::select! {
            status = &mut ended => break status.map_err(|_| Stop::failed("nobody waits for the editor"))??,
            _ = interrupts.recv() => {
                if is_asked {
                    let text = format!("the editor {editor} did not end and is left to itself");
                    return Err(Stop::of(Exit::Interrupted, text));
                }
                say("waiting for the editor to end; Ctrl-C once more leaves it to itself");
                is_asked = true;
            }
        }
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(130), _) | (_, Some(SIGINT)) => {
            Err(Stop::of(Exit::Interrupted, format!("the editor {editor} was interrupted")))
        }
        (Some(126 | 127), _) => Err(Stop::input(format!(
            "the editor {editor} cannot be started: VISUAL or EDITOR names one, with its arguments, such as \"code --wait\""
        ))),
        (Some(code), _) => Err(Stop::failed(format!("the editor {editor} failed with exit code {code}"))),
        (None, signal) => Err(Stop::failed(format!("the editor {editor} was ended by signal {}", signal.unwrap_or(0)))),
    }
}

/// The signal of Ctrl-C, as a process's end names it.
const SIGINT: i32 = rustix::process::Signal::INT.as_raw();

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
