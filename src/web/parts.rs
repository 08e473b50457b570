//! Small parts of pages: texts of others, states, values, money, a mail's parts.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use crate::id::{Seq, thousands};
use crate::markdown::{self, Form};
use crate::run::event::Origin;
use crate::service::ledger::Cited;
use crate::text::characters;
use crate::tool::part::shown::Shown;
use crate::topology::pointer::below;
use crate::words::claim;
use crate::words::described::Described;
use crate::words::difference::Piece;
use crate::words::origin_word;

/// The headers of a mail that its readers see.
const FIRST: [&str; 6] = ["From", "To", "Cc", "Reply-To", "Subject", "Date"];

/// Rows of a list that stand open; the rest is one press away.
const ROWS_OPEN: usize = 12;

/// Text that somebody wrote. What would show nothing, or change the order of what shows, stands there by its number.
pub(super) fn text(text: &str) -> Markup {
    if crate::text::first_hidden(text).is_none() {
        return html! { (text) };
    }
    let mut runs: Vec<Result<String, char>> = Vec::new();
    for (c, is_hidden) in characters(text) {
        match runs.last_mut() {
            _ if is_hidden => runs.push(Err(c)),
            Some(Ok(run)) => run.push(c),
            _ => runs.push(Ok(c.to_string())),
        }
    }
    html! {
        @for run in runs {
            @match run {
                Ok(run) => (run),
                Err(c) => span.unseen title="a character that shows nothing" {
                    (format!("U+{:04X}", u32::from(c)))
                },
            }
        }
    }
}

/// A sentence in which names of the files stand between backticks.
pub(super) fn sentence(of: &str) -> Markup {
    if !of.matches('`').count().is_multiple_of(2) {
        return text(of);
    }
    html! {
        @for (nth, part) in of.split('`').enumerate() {
            @if nth % 2 == 1 { code { (text(part)) } } @else { (text(part)) }
        }
    }
}

/// Text in which digests stand by their first digits.
pub(super) fn digests(of: &str) -> Markup {
    const WHOLE: usize = "sha256:".len() + 64;
    html! {
        @for (nth, part) in of.split(' ').enumerate() {
            @if nth > 0 { " " }
            @if part.starts_with("sha256:") && part.len() == WHOLE {
                code.digest title=(part) { (&part["sha256:".len()..][..8]) }
            }
            @else { (text(part)) }
        }
    }
}

/// Where all of a record is shown.
pub(super) fn address(run: u64, record: Seq) -> String {
    format!("/runs/{run}/messages?record={record}")
}

/// Claims, each number and quote a link to the record of the call that it comes from, if it comes from one.
pub(super) fn claims(all: &[Cited], run: u64) -> Markup {
    html! {
        ul.plain.claims {
            @for cited in all {
                li {
                    @if cited.what.is_empty() { (text(&cited.says)) } @else if !cited.says.is_empty() {
                        (text(&claim::lead(cited)))
                    }
                    @match cited.record {
                        Some(record) if !cited.what.is_empty() => a.source href=(address(run, record)) { (text(&cited.what)) },
                        _ => (text(&cited.what)),
                    }
                    p.small.muted {
                        "from "
                        @match cited.record {
                            Some(record) => a href=(address(run, record)) { (text(&claim::source(cited))) },
                            None => (text(&claim::source(cited))),
                        }
                    }
                }
            }
        }
    }
}

/// Where the numbers and quotes of these claims lead, by where they stand in their artefact.
pub(super) fn sources(all: &[Cited], run: u64) -> BTreeMap<String, String> {
    let of = |cited: &Cited| {
        let to = cited.record.map(|record| address(run, record));
        to.map(|to| ["number", "quote"].map(|key| (format!("{}/{key}", cited.at), to.clone())))
    };
    all.iter().filter_map(of).flatten().collect()
}

/// The tone of a state: its colour repeats what its word says.
pub(super) fn tone(state: &str) -> &'static str {
    match state {
        "running" | "working" | "queued" => "working",
        "waiting" => "waiting",
        "done" => "done",
        "failed" | "stuck" | "bug" | "rejected" | "stopped" | "interrupted" => "failed",
        "paused" => "paused",
        _ => "idle",
    }
}

/// A state as a word with its sign.
pub(super) fn state(state: &str, said: &str) -> Markup {
    let sign = match tone(state) {
        "working" => "\u{25B8}",
        "waiting" => "\u{25CB}",
        "done" => "\u{2713}",
        "failed" => "!",
        "paused" => "\u{2016}",
        _ => "\u{2013}",
    };
    html! {
        span class=(format!("state tone-{}", tone(state))) {
            span aria-hidden="true" { (sign) } " " (text(said))
        }
    }
}

/// An outcome, or another word of the files.
pub(super) fn word(word: &str) -> Markup {
    html! { code.word { (text(word)) } }
}

/// Where words come from.
pub(super) fn origin(origin: Option<Origin>) -> Markup {
    html! { @if let Some(origin) = origin { span.origin { (origin_word(origin)) } } }
}

/// How much of a limit is used.
pub(super) fn meter(spent: u64, reserved: u64, limit: Option<u64>) -> Markup {
    let Some(limit) = limit.filter(|limit| *limit > 0) else { return html! {} };
    let part = |amount: u64| (u128::from(amount) * 100 / u128::from(limit)).min(100);
    let (used, set_aside) = (part(spent), part(spent.saturating_add(reserved)));
    html! {
        svg.meter viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
            rect.track x="0" y="0" width="100" height="4" {}
            rect.set-aside x="0" y="0" width=(set_aside) height="4" {}
            rect class=(if used >= 90 { "spent hot" } else { "spent" }) x="0" y="0" width=(used) height="4" {}
        }
    }
}

/// A value, key by key in the order of its schema; a list of like objects as a table.
pub(super) fn value(of: &Value, described: Described<'_>) -> Markup {
    Linked { to: &BTreeMap::new(), described }.value(of, "")
}

/// A value whose parts lead elsewhere.
pub(super) struct Linked<'l> {
    /// Addresses, by the JSON pointers of the numbers and words that lead there.
    pub(super) to: &'l BTreeMap<String, String>,
    /// What its schema says of the whole of it.
    pub(super) described: Described<'l>,
}

impl Linked<'_> {
    /// As [`value()`], of what stands `at` this pointer.
    pub(super) fn value(&self, of: &Value, at: &str) -> Markup {
        let below = |key: &str| below(at, key);
        let shown = match of {
            Value::Null => html! { span.muted { "none" } },
            Value::String(words) => html! { span.prose-text { (text(words)) } },
            Value::Array(items) if items.is_empty() => html! { span.muted { "empty" } },
            Value::Array(items) => match columns(items, self.described.part(at).items()) {
                Some(columns) => self.table(items, &columns, at),
                None => html! {
                    ol.items { @for (nth, item) in items.iter().enumerate() { li { (self.value(item, &below(&nth.to_string()))) } } }
                },
            },
            Value::Object(fields) => html! {
                dl.fields {
                    @for (name, field) in self.described.part(at).in_order(fields) {
                        dt { (text(name)) } dd { (self.value(field, &below(name))) }
                    }
                }
            },
            other => html! { span.n { (other.to_string()) } },
        };
        match self.to.get(at) {
            Some(to) => html! { a.source href=(to) title="opens the call that it comes from" { (shown) } },
            None => shown,
        }
    }

    fn table(&self, items: &[Value], columns: &[&String], at: &str) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label="table" {
                table.data {
                    thead { tr { @for column in columns { th scope="col" { (text(column)) } } } }
                    tbody {
                        @for (nth, item) in items.iter().enumerate() {
                            tr {
                                @for column in columns {
                                    @let at = below(&below(at, &nth.to_string()), column);
                                    td class=[item[*column].is_number().then_some("n")] {
                                        (self.value(&item[*column], &at))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The keys of items that all have the same, with nothing below them.
fn columns<'v>(items: &'v [Value], described: Described<'_>) -> Option<Vec<&'v String>> {
    let names = items.first()?.as_object()?;
    let first: Vec<&String> = described.in_order(names).into_iter().map(|(name, _)| name).collect();
    let is_like = |item: &Value| {
        let Some(item) = item.as_object() else { return false };
        let is_flat = |field: &Value| match field {
            Value::String(text) => text.len() <= 80,
            other => !other.is_array() && !other.is_object(),
        };
        item.keys().eq(names.keys()) && item.values().all(is_flat)
    };
    (items.len() > 1 && first.len() > 1 && first.len() <= 8 && items.iter().all(is_like)).then_some(first)
}

/// All that an item's bytes show: every header, every part.
pub(super) fn item(parts: &[Shown]) -> Markup {
    let field = |part: &Shown| match part {
        Shown::Field { name, value } => Some((name.clone(), value.clone())),
        _ => None,
    };
    let (first, more): (Vec<_>, Vec<_>) =
        parts.iter().filter_map(field).partition(|(name, _)| FIRST.contains(&name.as_str()));
    let others = parts.iter().filter(|part| !matches!(part, Shown::Field { .. }));
    html! {
        @if !first.is_empty() || !more.is_empty() {
            div.pad {
                (fields(&first))
                @if !more.is_empty() {
                    details { summary.small { "all other headers (" (more.len()) ")" } (fields(&more)) }
                }
            }
        }
        @for part in others { (content(part)) }
    }
}

/// Markdown as its readers will see it, beside the very text. Nothing in it leads anywhere.
pub(super) fn preview(name: &str, source: &str) -> Markup {
    html! {
        details.preview {
            summary {
                "Preview" @if !name.is_empty() { " of " (text(name)) }
                span.muted { ": as readers may see it. What you sign is the text itself." }
            }
            div.rendered { (PreEscaped(markdown::html(source, Form::Preview))) }
        }
    }
}

/// The texts of a value that are marked up, each with where it stands.
pub(super) fn marked_up<'v>(of: &'v Value, at: &str) -> Vec<(String, &'v str)> {
    match of {
        Value::String(words) if markdown::is_marked_up(words) => vec![(at.to_owned(), words)],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(nth, item)| marked_up(item, &below(at, &nth.to_string()))).collect()
        }
        Value::Object(fields) => fields.iter().flat_map(|(name, field)| marked_up(field, &below(at, name))).collect(),
        _ => Vec::new(),
    }
}

fn fields(of: &[(String, String)]) -> Markup {
    html! { dl.fields { @for (name, value) in of { dt { (text(name)) } dd { (text(value)) } } } }
}

fn content(part: &Shown) -> Markup {
    match part {
        Shown::Field { name, value } => html! { p { (text(name)) ": " (text(value)) } },
        Shown::Text { name, text: words } => html! {
            section.paper {
                @if !name.is_empty() { h4 { (text(name)) } }
                div.prose-text { (text(words)) }
            }
        },
        Shown::Rows(rows) => html! {
            div.pad {
                ul.rows { @for row in rows.iter().take(ROWS_OPEN) { li { (text(row)) } } }
                @if rows.len() > ROWS_OPEN {
                    details {
                        summary { "all " (rows.len()) " rows" }
                        ul.rows { @for row in rows.iter().skip(ROWS_OPEN) { li { (text(row)) } } }
                    }
                }
            }
        },
        Shown::File { name, media_type, bytes, sha256 } => html! {
            p.pad.small {
                "file " (text(name)) ", " (text(media_type)) ", " (thousands(*bytes as u64)) " bytes "
                code.digest { "sha256:" (sha256) }
            }
        },
    }
}

/// A line with what went and came in it.
pub(super) fn difference(lines: &[Vec<Piece>]) -> Markup {
    html! {
        @for line in lines {
            p.change {
                @for piece in line {
                    @match piece {
                        Piece::Same(words) => (text(words)),
                        Piece::Gone(words) => del { (text(words)) },
                        Piece::New(words) => ins { (text(words)) },
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text_and_nothing_else() {
        let check = |words: &str, wanted: &str| assert_eq!(text(words).into_string(), wanted);
        check("3 < 4 & \"so\"", "3 &lt; 4 &amp; &quot;so&quot;");
        check("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
        check("a\u{202E}b", "a<span class=\"unseen\" title=\"a character that shows nothing\">U+202E</span>b");
        check("\u{1b}[31m", "<span class=\"unseen\" title=\"a character that shows nothing\">U+001B</span>[31m");
    }
}
