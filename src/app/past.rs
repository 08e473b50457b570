//! The past of a project as its `history` tools read it, from the journal that its runs are in.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::actor::history::{self, Bodies, Misread};
use crate::failure::{Class, Failure};
use crate::id::{RunId, RunNo, Seq, Timestamp, as_iso};
use crate::journal::{self, Query, RunRow, Store};
use crate::run::body::Table;
use crate::run::note::Attached;
use crate::run::state::State;
use crate::run::view::{Entry, Kind, Texts, View, note, read};
use crate::tool::history::{Past, Wanted};
use crate::tool::part::args::invalid;
use crate::topology::plan::Mode;

/// Runs that a list looks through.
const RUNS_MAX: usize = 100_000;
/// Most bytes of one artefact that are told of a run.
const ARTEFACT_BYTES_MAX: usize = 32 << 10;
/// Most bytes of all of them.
const ARTEFACTS_BYTES_MAX: usize = 128 << 10;
/// Most bytes of the rows that were attached to a run and are told.
const TABLES_BYTES_MAX: usize = 64 << 10;
/// Tables that were attached to a run and are told: the last ones.
const TABLES_MAX: usize = 5;
/// Decisions that are told of a run, and as many things that left: the last ones.
const TOLD_MAX: usize = 100;

/// A past that is read from a journal, or from none where nothing runs.
pub(super) struct Journal(pub(super) Option<Arc<dyn Store>>);

impl Past for Journal {
    fn runs(&self, wanted: &Wanted, most: usize) -> Result<Vec<Value>, Failure> {
        let Some(store) = &self.0 else { return Ok(Vec::new()) };
        let query = Query { limit: RUNS_MAX, ..Query::default() };
        let rows = store.runs(&query).map_err(|why| unread(&why))?;
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        let rows =
            rows.iter().filter(|row| is(&wanted.topology, &row.topology) && is(&wanted.status, &row.summary.status));
        rows.take(most).map(|row| told(store, row).map(Value::Object)).collect()
    }

    fn result(&self, run: u64) -> Result<Value, Failure> {
        let there_is_none = || invalid(format!("there is no run {run}"));
        let store = self.0.as_ref().ok_or_else(there_is_none)?;
        let no = RunNo(run);
        let rows = store.runs(&Query { no: Some(no), ..Query::default() }).map_err(|why| unread(&why))?;
        let row = rows.first().ok_or_else(there_is_none)?;
        let mut told = told(store, row)?;
        let (view, entries) = viewed(store, row.id).map_err(|why| Failure::new(Class::Permanent, why.to_string()))?;
        told.insert("results".to_owned(), results(view.state(), &Bodies::new(Arc::clone(store), row.id)));
        told.insert("decisions".to_owned(), said(&entries, Kind::Person));
        told.insert("left".to_owned(), said(&entries, Kind::Item));
        told.insert("attached".to_owned(), attached(view.state(), &Bodies::new(Arc::clone(store), row.id)));
        Ok(Value::Object(told))
    }
}

fn unread(why: &journal::Error) -> Failure {
    Failure::new(Class::Transient, format!("the journal cannot be read: {why}"))
}

/// A run, as a list tells of it; no run is folded for that.
fn told(store: &Arc<dyn Store>, row: &RunRow) -> Result<Map<String, Value>, Failure> {
    let start = history::started(store.as_ref(), row.id);
    let start = start.map_err(|why| Failure::new(Class::Permanent, why.to_string()))?;
    let params = Bodies::new(Arc::clone(store), row.id).value(start.brief).filter(Value::is_object);
    let summary = &row.summary;
    let told = json!({
        "run": row.no, "topology": row.topology, "status": summary.status, "rehearsal": start.mode != Mode::Live,
        "params": params.unwrap_or_else(|| json!({})), "began": iso(row.created_at), "changed": iso(row.updated_at),
        "steps": summary.steps, "tokens": summary.tokens, "usd": summary.nano_usd as f64 / 1e9,
        "waiting_for": summary.waiting_for,
    });
    Ok(told.as_object().cloned().unwrap_or_default())
}

fn iso(at: Timestamp) -> Value {
    as_iso(&at, serde_json::value::Serializer).unwrap_or_default()
}

fn viewed(store: &Arc<dyn Store>, run: RunId) -> Result<(View, Vec<Entry>), history::Error> {
    let (_, _, plan) = history::pinned_plan(store.as_ref(), run)?;
    let mut view = View::new(State::new(run, Arc::new(plan)));
    let (texts, mut entries) = (Bodies::new(Arc::clone(store), run), Vec::new());
    history::follow(store.as_ref(), run, Seq(0), &mut |record, fact| {
        let entry = view.take(record.seq, &fact, &texts);
        entries.extend(entry.map_err(|illegal| Misread::from(illegal).at(record.seq))?);
        Ok(())
    })?;
    Ok((view, entries))
}

/// What people did, or what left, in order.
fn said(entries: &[Entry], kind: Kind) -> Value {
    let of = entries.iter().filter(|entry| entry.kind == kind).collect::<Vec<_>>();
    let last = &of[of.len().saturating_sub(TOLD_MAX)..];
    let told = last
        .iter()
        .map(|entry| json!({ "at": iso(entry.at), "from": entry.from, "what": entry.word, "text": entry.text }));
    told.collect()
}

/// What people attached that came of it, the last one first, with as many rows as there is room for.
fn attached(state: &State, texts: &Bodies) -> Value {
    let mut left = TABLES_BYTES_MAX;
    let mut one = |(place, of): (usize, &Attached)| {
        let Table { file, columns, rows, .. } = read(texts, of.table)?;
        let objects = rows.iter().map(|row| columns.iter().cloned().zip(row.iter().cloned()).collect::<Map<_, _>>());
        let mut told = Vec::new();
        for row in objects.map(Value::Object) {
            let bytes = row.to_string().len();
            if bytes > left {
                break;
            }
            left -= bytes;
            told.push(row);
        }
        Some(json!({
            "version": place + 1, "at": iso(of.at), "by": of.by, "file": file, "columns": columns, "rows": told,
            "row_count": rows.len(),
        }))
    };
    let last = state.attached.iter().enumerate().rev().take(TABLES_MAX);
    last.filter_map(&mut one).collect()
}

/// What reached the end, with what was on its desk.
fn results(state: &State, texts: &Bodies) -> Value {
    let mut left = ARTEFACTS_BYTES_MAX;
    let result = |message: &crate::run::event::Message| {
        let mut artefacts = Map::new();
        for (name, held) in &message.desk {
            let body = texts.held(held).unwrap_or_default();
            let bytes = body.to_string().len();
            let fits = bytes <= ARTEFACT_BYTES_MAX.min(left);
            left -= if fits { bytes } else { 0 };
            artefacts.insert(name.to_string(), if fits { body } else { Value::Null });
        }
        json!({
            "from": message.from, "outcome": message.outcome, "note": note(texts, message.note), "artefacts": artefacts,
        })
    };
    state.results.iter().map(result).collect()
}
