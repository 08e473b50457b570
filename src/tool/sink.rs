//! The `sink` kind, for tests and demonstrations: `NAME.deliver` notes each item in a record of its own, with whatever
//! repeat class it is given. It reaches nobody.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::open::{Ground, Open};
use super::part::args::{invalid, permanent, read};
use super::part::disk::Machine;
use super::part::duration::Milliseconds;
use super::part::outbox::blocking;
use super::part::record::{self, Line, Record, not_written};
use super::part::{Error, beneath, tool_name};
use super::{Approved, Declared, Intent, Item, Outward, Tool};
use crate::failure::Work;
use crate::failure::{Class, Failure};
use crate::file::words;
use crate::run::body::Receipt;
use crate::topology::spec::{Connection, Repeat, ToolSpec};

/// What `[tools.NAME]` says for `kind = "sink"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What a second execution does; `once` unless it says otherwise.
    #[serde(default)]
    pub repeat: Repeat,
    /// Its record, below the project: a line of JSON for each execution.
    #[serde(default = "record")]
    pub record: String,
    /// Whether a rehearsal performs it.
    #[serde(default = "drafts")]
    pub drafts: bool,
    /// Longest time of one call.
    #[serde(default = "call_timeout")]
    pub call_timeout: Milliseconds,
}

fn record() -> String {
    "sink.jsonl".to_owned()
}

fn drafts() -> bool {
    true
}

fn call_timeout() -> Milliseconds {
    Milliseconds(10_000)
}

const ITEMS_MAX: usize = 10_000;

fn spec(name: &str, config: &Config) -> Result<ToolSpec, Error> {
    beneath::plain(&config.record).map_err(|why| Error::new(name, why.to_string()).of("record"))?;
    if config.repeat == Repeat::Pure {
        let what = "a sink has an effect: repeat is { class = \"once\" }, queryable or idempotent";
        return Err(Error::new(name, what).of("repeat"));
    }
    let args = json!({
        "type": "object",
        "properties": { "items": { "description": "one item, or a list of items" } },
        "required": ["items"],
        "additionalProperties": false,
    });
    let place = Connection::new(Config::KIND, [("record", config.record.as_str())]);
    let description = "Notes each item in a record. For tests: it reaches nobody.";
    let spec = ToolSpec::outward(tool_name(name, "deliver")?, description, args, config.repeat, place);
    Ok(ToolSpec { call_timeout_ms: config.call_timeout.0, drafts: config.drafts, ..spec })
}

impl Open for Config {
    const KIND: &'static str = "sink";

    /// The record is made by the first item.
    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
        let record = Arc::new(Mutex::new(ground.records.join(&self.record)));
        Ok(vec![Tool::outward(Sink { spec: spec(name, &self)?, record, shown: self.record })])
    }
}

struct Sink {
    spec: ToolSpec,
    /// One writer at a time.
    record: Arc<Mutex<PathBuf>>,
    shown: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    items: Value,
}

impl Declared for Sink {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }
}

impl Outward for Sink {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        Box::pin(async move {
            let args: Args = read(self.spec.name.as_str(), intent.args)?;
            let bodies = match args.items {
                Value::Array(list) => list,
                one => vec![one],
            };
            if bodies.is_empty() || bodies.len() > ITEMS_MAX {
                return Err(invalid(format!("there are {} items: 1 to {ITEMS_MAX} are taken", bodies.len())));
            }
            Ok(bodies.iter().enumerate().map(|(place, body)| item(place + 1, body)).collect())
        })
    }

    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        Box::pin(async move {
            let record = Arc::clone(&self.record).lock_owned().await;
            let (repeat, receipt, shown) = (self.spec.repeat, self.receipt(&item), self.shown.clone());
            blocking(move || note(&record, &shown, repeat, &item).map(|()| receipt)).await
        })
    }

    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        Box::pin(async move {
            if self.spec.repeat != Repeat::Queryable {
                return Err(Failure::new(Class::Policy, format!("{} cannot be asked", self.spec.name)));
            }
            let record = Arc::clone(&self.record).lock_owned().await;
            let receipt = self.receipt(&item);
            blocking(move || Ok(noted(&record, &item)?.then_some(receipt))).await
        })
    }
}

impl Sink {
    fn receipt(&self, item: &Approved) -> Receipt {
        Receipt::at(format!("{}#{}", self.shown, item.item.key))
    }
}

/// Appends the item's line, if the record is this journal's.
fn note(path: &Path, shown: &str, repeat: Repeat, item: &Approved) -> Result<(), Failure> {
    let failed = |why| not_written(path, &why);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut record = Record::take(path, &item.deadline)?;
    let other = record::find(path, |line: Line| line.journal).map_err(unreadable)?;
    if let Some(other) = other.filter(|other| *other != item.source.journal) {
        return Err(permanent(format!(
            "{shown} is the record of another journal, the one that begins with run {other}; this one begins with run {}. Name another record under [tools], or move that one away",
            item.source.journal
        )));
    }
    if matches!(repeat, Repeat::Idempotent { .. }) && noted(path, item)? {
        return Ok(());
    }
    // Whoever waited for the record may have waited too long.
    item.deadline.check()?;
    record.append(&Machine, &Line::of(item)).map_err(|why| match why.kind() {
        ErrorKind::PermissionDenied | ErrorKind::IsADirectory | ErrorKind::ReadOnlyFilesystem => failed(why),
        // The line may have reached the disk or not.
        _ => {
            Failure::new(Class::InDoubt, format!("{}: the record cannot be added to: {}", path.display(), words(&why)))
        }
    })
}

fn noted(path: &Path, item: &Approved) -> Result<bool, Failure> {
    Ok(!record::about(path, item.effect).map_err(unreadable)?.is_empty())
}

fn unreadable(why: std::io::Error) -> Failure {
    permanent(format!("the record cannot be read: {}", words(&why)))
}

fn item(number: usize, body: &Value) -> Item {
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    Item {
        key: format!("item-{number:03}"),
        recipient: text("to").unwrap_or_else(|| "the sink".to_owned()),
        recipients: 1,
        title: text("title").unwrap_or_else(|| format!("item {number}")),
        media_type: "application/json".to_owned(),
        bytes: body.to_string().into_bytes(),
        after_ms: 0,
        again: None,
    }
}
