//! A run as a story: its durable records, read as they come, folded once into what people see. Whoever follows a run, shows
//! it, decides on it and then drives it goes on with the same story, so that nothing is read twice.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::Value;

use super::error::Error;
use crate::actor::history::{self, Bodies, Loaded};
use crate::id::{Digest, Epoch, Seq};
use crate::journal::{Record, RunRow, Store};
use crate::run::event::{Event, Fact, Message};
use crate::run::fold::Illegal;
use crate::run::state::State;
use crate::run::view::{Entry, View};
use crate::topology::plan::Recipient;

/// A reader of one run.
pub struct Story {
    store: Arc<dyn Store>,
    /// The run's row, as it was when the story was opened.
    pub row: RunRow,
    /// What people see so far.
    pub view: View,
    /// The messages that reached `end` so far.
    pub results: Vec<Entry>,
    /// The pinned plan's digest.
    pub plan: Digest,
    plan_json: Vec<u8>,
    seq: Seq,
}

/// Has a story take in a record.
type Take<'a> = dyn FnMut(&mut Story, Record, Fact, &Bodies) -> Result<(), Illegal> + 'a;

/// One record of a run, and what people see of it.
#[derive(Debug, Clone)]
pub struct News {
    /// As the journal has it.
    pub record: Record,
    /// What it says.
    pub fact: Fact,
    /// What people see of it, if anything.
    pub entry: Option<Entry>,
}

/// The form of a record and of what people see of it.
#[derive(JsonSchema)]
#[schemars(rename = "Record")]
#[expect(dead_code, reason = "News is written so")]
struct Written {
    /// Its place in the run's journal, from 1.
    seq: Seq,
    /// Under which ownership it was written.
    epoch: Epoch,
    /// What the journal has.
    fact: Fact,
    /// What people see of it, if anything.
    entry: Option<Entry>,
}

impl JsonSchema for News {
    fn schema_name() -> Cow<'static, str> {
        Written::schema_name()
    }

    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        Written::json_schema(schemas)
    }
}

impl Serialize for News {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let head: Value = serde_json::from_slice(&self.record.head.json).unwrap_or(Value::Null);
        let mut news = serializer.serialize_struct("News", 4)?;
        news.serialize_field("seq", &self.record.seq)?;
        news.serialize_field("epoch", &self.record.epoch)?;
        news.serialize_field("fact", &head)?;
        news.serialize_field("entry", &self.entry)?;
        news.end()
    }
}

impl Story {
    /// Opens the story of a run at its beginning.
    ///
    /// # Errors
    /// If the run cannot be read.
    pub fn open(store: Arc<dyn Store>, row: RunRow) -> Result<Self, Error> {
        let (digest, plan_json, plan) = history::pinned_plan(store.as_ref(), row.id)?;
        let view = View::new(State::new(row.id, Arc::new(plan)));
        Ok(Self { store, row, view, results: Vec::new(), plan: digest, plan_json, seq: Seq(0) })
    }

    /// The story of the same run, at its beginning.
    ///
    /// # Errors
    /// If the run cannot be read.
    pub fn anew(&self) -> Result<Self, Error> {
        Self::open(Arc::clone(&self.store), self.row.clone())
    }

    /// What its records come to so far.
    pub fn state(&self) -> &State {
        self.view.state()
    }

    /// The last record that was read.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The texts of this run.
    pub fn texts(&self) -> Bodies {
        Bodies::new(Arc::clone(&self.store), self.row.id)
    }

    /// What happened since the last call.
    ///
    /// # Errors
    /// If the records cannot be read or replayed.
    pub fn news(&mut self) -> Result<Vec<News>, Error> {
        let mut news = Vec::new();
        self.go_on(&mut |story, record, fact, texts| {
            let entry = story.view.take(record.seq, &fact, texts)?;
            story.results.extend(entry.iter().filter(|entry| entry.to.as_deref() == Some("end")).cloned());
            news.push(News { record, fact, entry });
            Ok(())
        })?;
        Ok(news)
    }

    /// Reads on, for whoever wants to know where the run stands and not how it came there: nearly no text is read.
    ///
    /// # Errors
    /// As [`Story::news`].
    pub fn catch_up(&mut self) -> Result<(), Error> {
        self.go_on(&mut |story, record, fact, texts| {
            if matches!(&fact.is, Event::MessageSent(Message { to: Recipient::End, .. })) {
                story.results.extend(story.view.take(record.seq, &fact, texts)?);
                return Ok(());
            }
            story.view.pass(record.seq, &fact, texts)
        })
    }

    fn go_on(&mut self, take: &mut Take<'_>) -> Result<(), Error> {
        let (store, texts) = (Arc::clone(&self.store), self.texts());
        history::follow(store.as_ref(), self.row.id, self.seq, &mut |record, fact| {
            let seq = record.seq;
            take(self, record, fact, &texts).map_err(|illegal| history::Misread::from(illegal).at(seq))?;
            self.seq = seq;
            Ok(())
        })?;
        Ok(())
    }

    /// Reads on in `store`, which is over the same journal.
    pub(super) fn read_in(&mut self, store: Arc<dyn Store>) {
        self.store = store;
    }

    /// As far as it was read: an owner goes on from there.
    pub(super) fn loaded(&self) -> Loaded {
        Loaded {
            no: self.row.no,
            digest: self.plan,
            plan_json: self.plan_json.clone(),
            state: self.state().clone(),
            seq: self.seq,
        }
    }
}
