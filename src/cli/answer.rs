//! `callsheet answer`: what a person says to a question: an outcome, what they fill in, a sentence. It is taken from the command
//! line, from a file, or, on a terminal, asked for field by field; what is wrong with it is told, and nothing typed is lost.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::exit::{Exit, Stop};
use super::fill::{Writes, chosen, fill, put, value};
use super::paint::{is_terminal, out, say};
use super::rendered::{self, How};
use super::session::Session;
use super::sheet::takes;
use super::typed::Typed;
use crate::id::{ApprovalNo, ArtefactName};
use crate::service::form::{Form, Sheet};
use crate::service::review::review;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The question's number
    number: u64,
    /// What is filled in: a field and its value, such as audience=lapsed; with several artefacts, terms.audience=lapsed
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// The outcome; needed if there are several
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// What is filled in, as TOML; with several artefacts, a table for each
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The answer to an agent's question, or a remark beside what is filled in; agents read it
    #[arg(short, long, default_value = "")]
    message: String,
}

/// Largest file.
const FILE_BYTES_MAX: u64 = 16 << 20;

pub(super) async fn answer(session: &Session, args: Args) -> Result<Exit, Stop> {
    let (project, no) = (&session.project, ApprovalNo(args.number));
    project.declared(project.who())?;
    let mut story = project.read(project.run_of_approval(no)?)?;
    let form = Form::of(&story, no)?;
    let is_typed = !args.fields.is_empty() || args.file.is_some() || args.outcome.is_some() || !args.message.is_empty();
    if !is_typed && is_terminal() {
        let review = review(project, &story, no, &project.who())?;
        out(rendered::approval(&review, &story.state().plan, session.zone(), How::default()));
        let mut typed = Typed::open();
        let filled = tokio::select! {
            filled = fill(&mut typed, &form) => filled,
            _ = tokio::signal::ctrl_c() => return Err(Stop::of(Exit::Interrupted, "")),
        };
        let Some(say_what) = filled else {
            say(format!("no more input: it stays as it is. Answer with: callsheet answer {no}"));
            return Ok(Exit::Waiting);
        };
        return session.act(&mut story, say_what).await;
    }
    let outcome = chosen(&form.sheet, args.outcome.as_deref())?;
    let writes = written(&form.sheet, &args)?;
    if form.sheet.is_sentence && args.message.trim().is_empty() {
        return Err(Stop::input(format!("say the answer: callsheet answer {no} -m \"...\"")));
    }
    let faults = form.faults(&outcome, &writes);
    if !faults.is_empty() {
        return Err(Stop::input(format!("{}\n{}", faults.join("\n"), takes(&form.sheet).trim_end())));
    }
    session.act(&mut story, form.say(outcome, writes, args.message)).await
}

/// What the file and the fields say.
fn written(sheet: &Sheet, args: &Args) -> Result<Writes, Stop> {
    let mut writes = Writes::new();
    if let Some(file) = &args.file {
        let unread = |why: String| Stop::input(format!("{}: {why}", file.display()));
        let text = crate::file::text(file, FILE_BYTES_MAX).map_err(|why| unread(why.to_string()))?;
        let value: Value = toml::from_str(&text).map_err(|why| unread(why.to_string()))?;
        match sheet.writes.keys().collect::<Vec<_>>().as_slice() {
            [only] => drop(writes.insert((*only).clone(), value)),
            _ => {
                for (name, body) in value.as_object().cloned().unwrap_or_default() {
                    writes.insert(artefact(sheet, &name).map_err(Stop::input)?, body);
                }
            }
        }
    }
    for pair in &args.fields {
        let (path, text) = pair
            .split_once('=')
            .ok_or_else(|| Stop::input(format!("{pair}: it is given as FIELD=VALUE\n{}", takes(sheet).trim_end())))?;
        let (name, keys) = place(sheet, path).map_err(Stop::input)?;
        let schema = keys.iter().fold(sheet.writes.get(&name), |at, key| at?.get("properties")?.get(key));
        put(writes.entry(name).or_insert_with(|| Value::Object(Map::new())), &keys, value(schema, text));
    }
    Ok(writes)
}

fn artefact(sheet: &Sheet, name: &str) -> Result<ArtefactName, String> {
    let known = sheet.writes.keys().find(|known| known.as_str() == name).cloned();
    known.ok_or_else(|| format!("{name} is not filled in here\n{}", takes(sheet).trim_end()))
}

/// The artefact and the keys that a path means; of one artefact its name may be left out.
fn place(sheet: &Sheet, path: &str) -> Result<(ArtefactName, Vec<String>), String> {
    let keys: Vec<String> = path.split('.').map(str::to_owned).collect();
    match sheet.writes.keys().collect::<Vec<_>>().as_slice() {
        [only] if keys.first().is_none_or(|first| first != only.as_str()) => Ok(((*only).clone(), keys)),
        _ => Ok((artefact(sheet, keys.first().map_or("", String::as_str))?, keys[1..].to_vec())),
    }
}
