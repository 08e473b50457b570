//! The port for tools and checks. A tool declares what it is, performs one attempt per call and never retries;
//! whether, when and how often it is called is decided in `run`.

pub mod campaign_qa;
pub mod email;
pub mod files;
pub mod part;
pub mod sink;
pub mod sql;
pub mod stats;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use part::shown::{self, Shown};

use crate::failure::{Class, Failure, Work};
use crate::id::{ArtefactName, EffectId, RunId, Timestamp};
use crate::run::body::{Listed, Receipt};
use crate::topology::spec::ToolSpec;

/// A tool. Inside and reading tools implement `call`; outward tools implement the other three.
pub trait Tool: Send + Sync {
    /// What it declares.
    fn spec(&self) -> &ToolSpec;

    /// Looks at what the tool would read, without an answer: what is there, and what is wrong with it. For `check` and
    /// `doctor`, before a model is paid.
    fn look(&self) -> Look {
        Look::default()
    }

    /// Performs an inside or reading call; the result is what the agent sees.
    fn call(&self, call: Call) -> Work<'_, Value> {
        drop(call);
        Box::pin(async { Err(unsupported(self.spec(), "is an outward tool: it is prepared, approved and performed")) })
    }

    /// Computes what the call would do, without effect: every recipient and every final byte. What it refuses as invalid
    /// says which argument that is about, so that whoever wrote it can be asked again.
    fn prepare(&self, call: Call) -> Work<'_, Vec<Item>> {
        drop(call);
        Box::pin(async { Err(unsupported(self.spec(), "has nothing to prepare")) })
    }

    /// What an item says to whoever gets it: every part of its bytes, for the person who approves them.
    fn shown(&self, item: &Item) -> Vec<Shown> {
        shown::parts(item)
    }

    /// What is wrong with `value` as the argument `arg`, as far as that is known before the call is prepared: told to
    /// whoever writes it. A failure is nobody's fault but the world's, and tells nothing.
    fn foresee(&self, arg: &str, value: Value) -> Work<'_, Vec<String>> {
        let _ = (arg, value);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Performs one approved item, once.
    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        drop(item);
        Box::pin(async { Err(unsupported(self.spec(), "has nothing to perform")) })
    }

    /// For a queryable tool: whether the item was performed.
    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        drop(item);
        Box::pin(async { Err(unsupported(self.spec(), "cannot be asked")) })
    }
}

fn unsupported(spec: &ToolSpec, why: &str) -> Failure {
    Failure::new(Class::Policy, format!("{} {why}", spec.name))
}

/// What a tool would read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What is there, a line each, such as a table with its columns and their types.
    pub facts: Vec<String>,
    /// What is wrong, a line each, with the place and what to write instead.
    pub faults: Vec<String>,
}

/// One call of a tool.
#[derive(Debug, Clone)]
pub struct Call {
    /// The effect that this is an attempt of: the key, and the seed of anything random.
    pub effect: EffectId,
    /// Arguments, valid against the tool's schema.
    pub args: Value,
    /// When the effect was asked for; the only time a tool may put into its bytes.
    pub asked_at: Timestamp,
    /// The run's folder for results, such as `out/12-re-engagement`; made when first written to.
    pub folder: PathBuf,
    /// How bodies that the call carries came to be, shown in what it makes: `scripted`, `computed`, `person`, `model`.
    pub origin: String,
}

/// One thing that an outward tool would do: a slot of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Unique within the manifest, such as a file name.
    pub key: String,
    /// Who or what gets it, for people.
    pub recipient: String,
    /// How many people (or pages) that is.
    pub recipients: u64,
    /// One line on what it is.
    pub title: String,
    /// What the bytes are, such as `message/rfc822`.
    pub media_type: String,
    /// Exactly what would leave.
    pub bytes: Vec<u8>,
    /// What is asked once more when it leaves, so that whoever withdrew meanwhile is left out; approved with the rest.
    pub again: Option<Value>,
}

impl Item {
    /// The item that was listed, with its bytes.
    pub fn listed(listed: &Listed, bytes: Vec<u8>) -> Self {
        let Listed { key, recipient, recipients, title, media_type, again, .. } = listed.clone();
        Self { key, recipient, recipients, title, media_type, bytes, again }
    }
}

/// An item under an unused slot of a permit.
#[derive(Debug, Clone)]
pub struct Approved {
    /// The item's own effect: the key at the sink.
    pub effect: EffectId,
    /// The item, byte for byte as approved.
    pub item: Item,
    /// The folder for what the run makes, unless it is another's.
    pub folder: PathBuf,
    /// Whose act it is.
    pub source: Source,
    /// Until when the attempt may act: looked at again by whoever had to wait for its turn.
    pub deadline: Deadline,
}

/// Whose act it is: what two journals that share a sink are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The journal, by its first run: every copy of it has the same.
    pub journal: RunId,
    /// The run.
    pub run: RunId,
}

/// Until when an attempt may act, by clocks that the sink need not know.
#[derive(Clone)]
pub struct Deadline(Arc<dyn Fn() -> bool + Send + Sync>);

impl Deadline {
    /// The time is up as soon as `passed` says so.
    pub fn new(passed: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(passed))
    }

    /// Refuses to act when the time is up.
    ///
    /// # Errors
    /// [`Class::Transient`]: nothing was done, and another attempt may begin.
    pub fn check(&self) -> Result<(), Failure> {
        if (self.0)() {
            return Err(Failure::new(Class::Transient, "it began too long ago to be performed now"));
        }
        Ok(())
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deadline(passed: {})", (self.0)())
    }
}

/// A rule on an artefact's body. Pure and total: it runs on every version, whoever wrote it.
pub trait Check: Send + Sync {
    /// The name in `checks = [...]`.
    fn name(&self) -> &'static str;

    /// Examines `body`; `desk` holds the artefacts that its writer could read, `settings` what `callsheet.toml` says
    /// under `[checks.NAME]` (an empty object if nothing).
    fn examine(&self, body: &Value, desk: &BTreeMap<ArtefactName, Value>, settings: &Value) -> Vec<Finding>;
}

/// What a check found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// The rule that found it, such as `campaign_qa.unsubscribe`.
    pub rule: String,
    /// JSON pointer into the body.
    pub at: String,
    /// What is wrong and how to mend it, one sentence.
    pub what: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The version is refused; its writer is asked again.
    Must,
    /// The version stands; its readers are told.
    Should,
}
