//! What came of a run, as people attached it, and the form that attaches more.

use maud::{Markup, html};

use super::super::parts::text;
use super::look::Look;
use crate::run::body::Table;
use crate::run::view::count;
use crate::service::attached::Attached;
use crate::topology::plan::Mode;
use crate::words::time::date_time;

/// Rows of a table that are shown.
const ROWS_SHOWN: usize = 50;

/// The last table, those before it in a fold, and a form; nothing of a rehearsal, of which nothing can come.
pub(super) fn results(look: &Look<'_>) -> Markup {
    let run = look.at_a_glance;
    html! {
        @if run.mode == Mode::Live {
            h2.section { "What came of it" }
            @match run.attached.split_first() {
                None => p.muted { "Nobody has attached results yet." },
                Some((last, before)) => {
                    (table(look, last))
                    @if !before.is_empty() {
                        details {
                            summary { (count(before.len(), "earlier version")) }
                            @for one in before { (table(look, one)) }
                        }
                    }
                }
            }
            details {
                summary { "Attach results" }
                form.note method="post" action=(format!("/runs/{}/say", run.run)) {
                    (look.person.key())
                    input type="hidden" name="what" value="results";
                    label for="results-file" { "File, such as opens.csv" }
                    input id="results-file" name="file" value="results.csv" required;
                    label for="results-text" { "What is in it: a line with the names of the columns, then a line for each mail, variant or segment" }
                    textarea id="results-text" name="text" rows="6" required {}
                    button.button { "Attach" }
                }
            }
        }
    }
}

fn table(look: &Look<'_>, one: &Attached) -> Markup {
    let at = date_time(one.at, look.site.zone());
    html! {
        p.muted {
            "Version " (one.version) ", by " (text(&one.by)) ", " (at)
            @match &one.table {
                None => ": its text was erased",
                Some(table) => { ", from " (text(&table.file)) ", " (count(table.rows.len(), "row")) ", SHA-256 " code { (table.sha256.short()) } }
            }
        }
        @if let Some(table) = &one.table { (rows(table)) }
    }
}

fn rows(table: &Table) -> Markup {
    html! {
        div.panel.scroll tabindex="0" role="region" aria-label="results" {
            table.data.wide {
                thead { tr { @for column in &table.columns { th scope="col" { (text(column)) } } } }
                tbody {
                    @for row in table.rows.iter().take(ROWS_SHOWN) {
                        tr {
                            @for cell in row {
                                td.n[cell.is_number()] {
                                    @match cell.as_str() {
                                        Some(words) => (text(words)),
                                        None => @if !cell.is_null() { (cell.to_string()) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if table.rows.len() > ROWS_SHOWN {
            p.muted { "and " (count(table.rows.len() - ROWS_SHOWN, "row")) " more; the interface for programs has all of them" }
        }
    }
}
