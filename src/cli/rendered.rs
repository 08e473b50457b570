//! What would leave, rendered from its final bytes; and what it rests on. Shared by `review` and the prompt of `run`.

use std::fmt::Write as _;

use serde_json::Value;

use super::changes::change as changed;
use super::comment::tell;
use super::paint::{Block, Field, Safe, Tone, toned};
use super::sheet::takes;
use crate::id::ApprovalNo;
use crate::run::state::Wants;
use crate::run::view::work::sentences;
use crate::run::view::{after_words, count};
use crate::service::change::{Change, edited};
use crate::service::review::{Item, Review, Version, alike};
use crate::service::story::Story;
use crate::tool::part::shown::Shown;
use crate::topology::plan::Plan;
use crate::words;
use crate::words::approval::{came, handed_on, looked, on_it};
use crate::words::described::Described;
use crate::words::origin_word;

/// How far in an object stands that is shown on one line, if it is short.
const DEEP: usize = 6;

/// How long that line may be.
const SHORT_BYTES: usize = 110;

/// Rows of a list that are shown unless all are wanted; the rest is counted.
const ROWS_MAX: usize = 8;

/// How much of an approval is shown.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct How {
    /// All rows of long lists.
    pub(super) whole: bool,
    /// Digests, records, arguments and results.
    pub(super) detail: bool,
}

/// An approval of a run of `plan` as a page of text.
pub(super) fn approval(review: &Review, plan: &Plan, zone: &str, how: How) -> String {
    let no = review.line.approval;
    let mut page = String::new();
    let what = if review.line.wants == Wants::Decision { "Approval" } else { "Question" };
    heading(&mut page, &format!("{what} {no}: {} of {}", review.line.agent, review.line.topology));
    line(&mut page, &words::run(review.line.run, review.line.mode, &review.line.given));
    line(&mut page, &came(review, zone));
    if let Some(progress) = words::progress(review.line.needed, &review.line.approved_by) {
        line(&mut page, &progress);
    }
    on_it(&review.line).into_iter().chain(looked(&review.line, zone)).for_each(|told| line(&mut page, &told));
    if how.detail {
        line(&mut page, &format!("binds {}", review.line.binds));
    }
    changes(&mut page, &review.changes);
    claims(&mut page, review);
    match &review.items {
        Some(items) => {
            let tool = review.tool.as_deref().unwrap_or_default();
            heading(&mut page, &format!("What would leave by {tool}: {}", count(items.len(), "item")));
            review
                .days
                .iter()
                .for_each(|day| line(&mut page, &words::approval::leaves_on(day, review.line.mode, zone)));
            if let Some(hour) = &review.hour {
                line(&mut page, &words::approval::hour(hour));
            }
            if let Some(quiet) = &review.quiet {
                line(&mut page, &words::approval::quiet(quiet));
            }
            let rows_max = if how.whole { usize::MAX } else { ROWS_MAX };
            let mut cut = false;
            for group in alike(items) {
                let shown = if how.whole { group.len() } else { 1 };
                group.iter().take(shown).for_each(|one| cut |= item(&mut page, one, rows_max));
                more(&mut page, &group[shown..], no);
            }
            if cut {
                line(&mut page, &format!("all rows: callsheet review {no} --whole"));
            }
        }
        None => {
            for version in &review.versions {
                heading(&mut page, &title(version, zone, how));
                body(&mut page, plan, version.artefact.as_str(), version.body.as_ref());
            }
        }
    }
    if let Some(sheet) = &review.form {
        heading(&mut page, "What is asked");
        if let Some(said) = &review.said {
            line(&mut page, &said.text);
        }
        page.push_str(&takes(sheet));
    }
    if !review.rules.is_empty() {
        heading(&mut page, "Rules");
        words::rule::lines(&review.rules).iter().for_each(|told| line(&mut page, told));
        if review.open && !review.gates.is_empty() {
            let accepts: Vec<String> = review.gates.iter().map(|rule| format!("--accept {rule}")).collect();
            line(&mut page, &format!("approving it needs: callsheet approve {no} {}", accepts.join(" ")));
        }
    }
    if !review.comments.is_empty() {
        heading(&mut page, "Comments");
        review.comments.iter().for_each(|of| tell(&mut page, of, zone));
    }
    heading(&mut page, "What it rests on");
    sentences(&review.work).iter().for_each(|told| line(&mut page, told));
    evidence(&mut page, review, plan, zone, how);
    page
}

/// The claims, each with the record that it comes from.
fn claims(page: &mut String, review: &Review) {
    if review.claims.is_empty() {
        return;
    }
    heading(page, &count(review.claims.len(), "claim"));
    for cited in &review.claims {
        words::claim::told(cited).iter().for_each(|told| line(page, told));
    }
}

/// An item as its tool shows it; whether rows were left out.
fn item(page: &mut String, item: &Item, rows_max: usize) -> bool {
    let title = format!("{}  {}", item.key, item.title);
    let _ = writeln!(page, "\n{}", toned(Tone::Strong, Safe(&title)));
    let is_counted = item.recipients == 0 || item.recipient.contains(&item.recipients.to_string());
    let reaches = if is_counted {
        String::new()
    } else {
        format!(" ({})", count(usize::try_from(item.recipients).unwrap_or(usize::MAX), "recipient"))
    };
    line(page, &format!("to {}{reaches}", item.recipient));
    if item.after_ms > 0 {
        line(page, &format!("leaves {}", after_words(item.after_ms)));
    }
    if let Some(question) = &item.again {
        line(page, "when it leaves, its list is read once more, and whoever is no longer on it is left out");
        line(page, &format!("it is read with {question}"));
    }
    let Some(parts) = &item.parts else {
        line(page, "(erased)");
        return false;
    };
    let mut cut = false;
    parts.iter().for_each(|part| cut |= content(page, part, rows_max));
    cut
}

/// The recipients of what is like the item above, but for what is each one's own.
fn more(page: &mut String, items: &[Item], no: ApprovalNo) {
    if items.is_empty() {
        return;
    }
    let named: Vec<&str> = items.iter().take(ROWS_MAX).map(|item| item.recipient.as_str()).collect();
    let rest =
        if items.len() > named.len() { format!(" and {} more", items.len() - named.len()) } else { String::new() };
    let what = "the same with their own words filled in, one each, to";
    let _ = writeln!(page, "\n{}", toned(Tone::Strong, format!("{} more like it", items.len())));
    line(page, &format!("{what} {}{rest}", named.join(", ")));
    line(page, &format!("each of them: callsheet review {no} --whole"));
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

/// A version of `artefact`, key by key, in the order of its schema.
pub(super) fn body(page: &mut String, plan: &Plan, artefact: &str, version: Option<&Value>) {
    match version {
        Some(value) => fields(page, value, 2, Described::artefact(plan, artefact)),
        None => line(page, "(erased)"),
    }
}

fn fields(page: &mut String, value: &Value, indent: usize, shape: Described<'_>) {
    let pad = " ".repeat(indent);
    let one = |page: &mut String, label: &str, value: &Value, shape: Described<'_>| match value {
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
                let _ = writeln!(page, "{}", format!("{pad}  | {}", Safe(line)).trim_end());
            });
        }
        Value::String(text) => drop(writeln!(page, "{pad}{} {}", Safe(label), Safe(text))),
        other => drop(writeln!(page, "{pad}{} {other}", Safe(label))),
    };
    match value {
        Value::Object(map) => {
            let fields = shape.in_order(map).into_iter();
            fields.for_each(|(key, value)| one(page, &format!("{key}:"), value, shape.field(key)));
        }
        Value::Array(list) => list.iter().for_each(|value| one(page, "-", value, shape.items())),
        other => one(page, "", other, shape),
    }
}

/// What changed, artefact by artefact.
fn changes(page: &mut String, changes: &[Change]) {
    changes.iter().flat_map(changed).for_each(|line| {
        let _ = writeln!(page, "{line}");
    });
}

/// What changed between an approval and the one that replaced it.
pub(super) fn difference(story: &Story, old: ApprovalNo, new: ApprovalNo) -> String {
    let mut page = String::new();
    changes(&mut page, &edited(story, old, new));
    page
}

/// The findings and facts on the desk, the calls that made them, the latest words of those who reviewed it.
fn evidence(page: &mut String, review: &Review, plan: &Plan, zone: &str, how: How) {
    for version in review.versions.iter().filter(|_| review.items.is_some()) {
        let by = version.by.as_ref();
        let by = by.map_or_else(String::new, |(writer, origin)| format!(", by {writer}  [{}]", origin_word(*origin)));
        let _ = writeln!(page, "{}{by}", toned(Tone::Strong, title(version, zone, how)));
        body(page, plan, version.artefact.as_str(), version.body.as_ref());
    }
    for remark in &review.remarks {
        line(page, &format!("remark on {}: {}", remark.artefact, remark.what));
    }
    for call in &review.calls {
        line(page, &format!("{} called {}: {}", call.from, call.word, call.text));
        if let Some(detail) = call.detail.as_ref().filter(|_| how.detail) {
            line(page, &format!("  record {}: {detail}", call.seq));
        }
    }
    if let Some(said) = &review.said {
        line(page, &handed_on(said));
    }
    if let Some(wanted) = &review.wanted {
        line(page, &words::approval::wanted(wanted));
    }
}

/// A version by number and time.
fn title(version: &Version, zone: &str, how: How) -> String {
    let artefact = &version.artefact;
    let name = match (version.no, version.written_at) {
        (Some(no), Some(at)) => words::version(artefact.as_str(), no, at, zone),
        _ => artefact.to_string(),
    };
    let labels = version.labels.told();
    if how.detail { format!("{name}, {}{labels}", version.digest.short()) } else { name }
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
