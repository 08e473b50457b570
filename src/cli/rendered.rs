//! What would leave, rendered from its final bytes; and what it rests on. Shared by `review` and the prompt of `run`.

use std::fmt::Write as _;

use serde_json::Value;

use super::exit::Stop;
use super::paint::{Block, Field, Safe, Tone, toned};
use super::session::Session;
use super::story::{Bodies, Story, date_time, origin_word};
use crate::app;
use crate::id::{ApprovalNo, Digest, ToolName};
use crate::run::event::{Decision, Manifest};
use crate::run::state::{Approval, Fate, State};
use crate::run::view::work::sentences;
use crate::run::view::{Entry, Kind, Texts, count, note};
use crate::tool::Item;
use crate::tool::part::shown::{self, Shown};

/// How far in an object stands that is shown on one line, if it is short.
const DEEP: usize = 6;

/// How long that line may be.
const SHORT_BYTES: usize = 110;

/// Rows of a list that are shown unless all are wanted; the rest is counted.
const ROWS_MAX: usize = 8;

/// An approval as a page of text; lists are cut unless the `whole` is wanted.
///
/// # Errors
/// If there is no such approval in this run.
pub(super) fn approval(
    session: &Session,
    story: &Story,
    entries: &[Entry],
    no: ApprovalNo,
    whole: bool,
) -> Result<String, Stop> {
    let state = story.view.state();
    let approval = state.approvals.get(&no).ok_or_else(|| Stop::input(format!("there is no approval {no}")))?;
    let texts = story.texts();
    let mut page = String::new();
    heading(&mut page, &format!("Approval {no}: {} of {}", approval.agent, state.plan.name));
    line(&mut page, &fate(approval, session.zone()));
    line(&mut page, &format!("binds {}", approval.binds));
    match &approval.manifest {
        Some(manifest) => {
            let rows_max = if whole { usize::MAX } else { ROWS_MAX };
            if items(&mut page, session, manifest, &texts, rows_max) {
                line(&mut page, &format!("all rows: callsheet review {no} --whole"));
            }
        }
        None => versions(&mut page, approval, state, &texts),
    }
    heading(&mut page, "What it rests on");
    sentences(&story.view.work(approval.message, &texts)).iter().for_each(|told| line(&mut page, told));
    evidence(&mut page, story, approval, entries, &texts);
    Ok(page)
}

fn fate(approval: &Approval, zone: &str) -> String {
    match &approval.fate {
        None => format!("open until {}", date_time(approval.expires_at, zone)),
        Some(Fate::Decided(by, decision)) => format!("decided by {}: {}", Safe(&by.name), word(*decision)),
        Some(Fate::Edited(Some(by))) => format!("replaced by {by}"),
        Some(Fate::Edited(None)) => "edited; its new approval is being prepared".to_owned(),
        Some(Fate::Lapsed) => "closed without a decision".to_owned(),
    }
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "approved",
        Decision::RequestChanges => "changes requested",
        Decision::Reject => "rejected",
    }
}

/// Each item of `manifest` as its tool shows it; whether rows were left out.
fn items(page: &mut String, session: &Session, manifest: &Manifest, texts: &Bodies, rows_max: usize) -> bool {
    let list = texts.value(manifest.body.digest).unwrap_or(Value::Null);
    let tool = list.get("tool").and_then(Value::as_str).unwrap_or_default();
    heading(page, &format!("What would leave by {tool}: {}", count(manifest.items.len(), "item")));
    // A tool that is there no longer leaves what its bytes say by themselves.
    let known = app::tools(&session.settings).unwrap_or_default();
    let known = tool.parse().ok().and_then(|name: ToolName| known.get(&name).cloned());
    let mut cut = false;
    for (slot, head) in manifest.items.iter().enumerate() {
        let listed = list.pointer(&format!("/items/{slot}")).cloned().unwrap_or(Value::Null);
        let text = |key: &str| listed.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let title = format!("{}  {}", text("key"), text("title"));
        let _ = writeln!(page, "\n{}", toned(Tone::Strong, Safe(&title)));
        line(page, &format!("to {} (reaches {})", text("recipient"), head.recipients));
        let again = listed.get("again").cloned();
        if let Some(question) = &again {
            line(page, &format!("asked again when it leaves, and whom it no longer gives is dropped: {question}"));
        }
        let Some(bytes) = texts.bytes(head.digest) else {
            line(page, "(erased)");
            continue;
        };
        let item = Item {
            key: text("key"),
            recipient: text("recipient"),
            recipients: head.recipients,
            title: text("title"),
            media_type: text("media_type"),
            again,
            bytes,
        };
        let parts = known.as_ref().map_or_else(|| shown::parts(&item), |tool| tool.shown(&item));
        parts.iter().for_each(|part| cut |= content(page, part, rows_max));
    }
    cut
}

/// A part as a person reads it; whether rows were left out.
fn content(page: &mut String, part: &Shown, rows_max: usize) -> bool {
    match part {
        Shown::Field { name, value } => {
            let _ = writeln!(page, "  {}: {}", Field(name), Field(value));
        }
        Shown::Text { name, text } => {
            if !name.is_empty() {
                let _ = writeln!(page, "  {}", toned(Tone::Faint, format!("{}:", Safe(name))));
            }
            block(page, text);
        }
        Shown::Rows(rows) => {
            rows.iter().take(rows_max).for_each(|row| line(page, row));
            if rows.len() > rows_max {
                line(page, &format!("... {} more rows", rows.len() - rows_max));
            }
            return rows.len() > rows_max;
        }
        Shown::File { name, media_type, bytes, sha256 } => {
            line(page, &format!("file {name}: {media_type}, {bytes} bytes, sha256:{sha256}"));
        }
    }
    false
}

fn versions(page: &mut String, approval: &Approval, state: &State, texts: &Bodies) {
    for (name, digest) in &approval.desk {
        heading(page, &format!("{name} {}", digest.short()));
        body(page, state, name.as_str(), *digest, texts);
    }
}

/// A version of `artefact`, key by key, in the order in which its schema requires them.
pub(super) fn body(page: &mut String, state: &State, artefact: &str, digest: Digest, texts: &Bodies) {
    let schema = state.plan.artefacts.get(artefact).and_then(|of| state.plan.schemas.get(&of.schema));
    match texts.value(digest) {
        Some(value) => fields(page, &value, 2, Shape { root: schema, at: schema }),
        None => line(page, "(erased)"),
    }
}

/// A place in a schema, as far as it is known.
#[derive(Clone, Copy)]
struct Shape<'s> {
    root: Option<&'s Value>,
    at: Option<&'s Value>,
}

impl<'s> Shape<'s> {
    fn of(self, key: &str) -> Self {
        self.to(|at| at.get("properties")?.get(key))
    }

    fn items(self) -> Self {
        self.to(|at| at.get("items"))
    }

    fn to(self, step: impl Fn(&'s Value) -> Option<&'s Value>) -> Self {
        let at = self.at.and_then(step);
        let target = at.and_then(|at| at.get("$ref")?.as_str()?.strip_prefix('#'));
        let referred = target.and_then(|target| self.root?.pointer(target));
        Self { at: referred.or(at), ..self }
    }

    /// Where `key` stands among its siblings.
    fn place(self, key: &str) -> usize {
        let required = self.at.and_then(|at| at.get("required")?.as_array());
        required.and_then(|keys| keys.iter().position(|known| known == key)).unwrap_or(usize::MAX)
    }
}

fn fields(page: &mut String, value: &Value, indent: usize, shape: Shape<'_>) {
    let pad = " ".repeat(indent);
    let one = |page: &mut String, label: &str, value: &Value, shape: Shape<'_>| match value {
        Value::Object(_) if indent >= DEEP && value.to_string().len() <= SHORT_BYTES => {
            let _ = writeln!(page, "{pad}{} {}", Safe(label), Safe(&value.to_string()));
        }
        Value::Object(_) | Value::Array(_) => {
            let _ = writeln!(page, "{pad}{}", Safe(label));
            fields(page, value, indent + 2, shape);
        }
        Value::String(text) if text.contains('\n') => {
            let _ = writeln!(page, "{pad}{}", Safe(label));
            text.lines().for_each(|line| {
                let _ = writeln!(page, "{pad}  {}", Safe(line));
            });
        }
        Value::String(text) => drop(writeln!(page, "{pad}{} {}", Safe(label), Safe(text))),
        other => drop(writeln!(page, "{pad}{} {other}", Safe(label))),
    };
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| shape.place(key));
            keys.into_iter().for_each(|(key, value)| one(page, &format!("{key}:"), value, shape.of(key)));
        }
        Value::Array(list) => list.iter().for_each(|value| one(page, "-", value, shape.items())),
        other => one(page, "", other, shape),
    }
}

/// What changed between an approval and the one that replaced it, artefact by artefact.
pub(super) fn difference(story: &Story, old: ApprovalNo, new: ApprovalNo) -> String {
    let (state, texts) = (story.view.state(), story.texts());
    let (Some(old), Some(new)) = (state.approvals.get(&old), state.approvals.get(&new)) else { return String::new() };
    let mut page = String::new();
    for (name, now) in &new.desk {
        let Some(before) = old.desk.get(name).filter(|before| *before != now) else { continue };
        let text = |digest: Digest| {
            let mut text = String::new();
            body(&mut text, state, name.as_str(), digest, &texts);
            text
        };
        let (before, now) = (text(*before), text(*now));
        heading(&mut page, &format!("{name}: what changed"));
        for change in similar::TextDiff::from_lines(&before, &now).iter_all_changes() {
            let (mark, tone) = match change.tag() {
                similar::ChangeTag::Delete => ('-', Tone::Bad),
                similar::ChangeTag::Insert => ('+', Tone::Good),
                similar::ChangeTag::Equal => continue,
            };
            let _ = writeln!(page, "{}", toned(tone, format!("{mark} {}", Safe(change.value().trim_end()))));
        }
    }
    page
}

/// The findings and facts on the desk, the calls that made them, the latest words of those who reviewed it.
fn evidence(page: &mut String, story: &Story, approval: &Approval, entries: &[Entry], texts: &Bodies) {
    let state = story.view.state();
    let outward = approval.manifest.as_ref().map(|manifest| &manifest.desk);
    for (name, digest) in approval.desk.iter().filter(|(name, _)| outward.is_none_or(|of| !of.contains_key(*name))) {
        if approval.manifest.is_none() {
            break;
        }
        let version = state.versions.get(digest);
        let by = version.map_or_else(String::new, |v| format!(" by {} [{}]", v.writer, origin_word(v.origin)));
        let _ = writeln!(page, "{}{by}", toned(Tone::Strong, format!("{name} {}", digest.short())));
        body(page, state, name.as_str(), *digest, texts);
    }
    for (name, digest) in &approval.desk {
        let findings = state.versions.get(digest).and_then(|version| version.findings);
        for finding in
            findings.and_then(|found| texts.value(found.digest)).and_then(|v| v.as_array().cloned()).unwrap_or_default()
        {
            let what = finding.get("what").and_then(Value::as_str).unwrap_or_default();
            line(page, &format!("remark on {name}: {what}"));
        }
    }
    for call in entries.iter().filter(|entry| entry.kind == Kind::Call) {
        line(page, &format!("record {}: {} called {}: {}", call.seq, call.from, call.word, call.text));
    }
    if let Some(message) = story.view.message(approval.message) {
        let from = message.from.as_ref().map_or_else(|| "start".to_owned(), ToString::to_string);
        line(page, &format!("{from} says: {}", note(texts, message.note)));
    }
}

fn heading(page: &mut String, text: &str) {
    let _ = writeln!(page, "\n{}", toned(Tone::Strong, Safe(text)));
}

fn line(page: &mut String, text: &str) {
    let _ = writeln!(page, "  {}", Safe(text));
}

fn block(page: &mut String, text: &str) {
    let text = Block(text).to_string();
    text.trim_end().lines().for_each(|line| {
        let _ = writeln!(page, "  | {line}");
    });
}
