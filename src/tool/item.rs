//! What tools are given and what they give: calls and orders, items as they are approved and performed, and what a look finds.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wrong::Wrong;
use crate::failure::{Class, Failure};
use crate::id::{EffectId, RunId, Timestamp};
use crate::run::body::Listed;

/// What a tool would read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What is there, a line each, such as a table with its columns and their types.
    pub facts: Vec<String>,
    /// What is wrong with it, or with what its settings say of it.
    pub faults: Vec<Wrong>,
}

/// What was found when a connection was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// What is there.
    pub text: String,
    /// What works, and somebody should look at.
    pub remarks: Vec<String>,
}

impl Opened {
    /// All of it as one text.
    pub fn whole(self) -> String {
        std::iter::once(self.text).chain(self.remarks).collect::<Vec<_>>().join("; ")
    }
}

impl From<String> for Opened {
    fn from(text: String) -> Self {
        Self { text, remarks: Vec::new() }
    }
}

/// One call of a tool that reads or computes.
#[derive(Debug, Clone)]
pub struct Call {
    /// The effect that this is an attempt of.
    pub effect: EffectId,
    /// Arguments, valid against the tool's schema.
    pub args: Value,
    /// Whether models run where it is called: where none does, no provider of models is asked anything.
    pub is_live: bool,
}

/// What an outward tool is to prepare.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The effect that asks for it: the seed of anything random.
    pub effect: EffectId,
    /// The run: the seed of what is to stay the same, however often the run prepares it.
    pub run: RunId,
    /// Arguments, valid against the tool's schema.
    pub args: Value,
    /// When it was asked for; the only time a tool may put into its bytes.
    pub asked_at: Timestamp,
    /// How bodies that it carries came to be, shown in what it makes: `scripted`, `computed`, `person`, `model`.
    pub origin: String,
}

/// One thing that an outward tool would do: a slot of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Unique within the manifest, such as a file name.
    pub key: String,
    /// Who or what gets it, for people.
    pub recipient: String,
    /// How many people or places that is.
    pub recipients: u64,
    /// One line on what it is.
    pub title: String,
    /// What the bytes are, such as `message/rfc822`.
    pub media_type: String,
    /// Exactly what would leave.
    pub bytes: Vec<u8>,
    /// How long after the approval it leaves; nothing if it leaves at once.
    pub after_ms: u64,
    /// What is asked once more when it leaves, so that whoever withdrew meanwhile is left out; approved with the rest.
    pub again: Option<Value>,
}

impl Item {
    /// The item that was listed, with its bytes.
    pub fn listed(listed: &Listed, bytes: Vec<u8>) -> Self {
        let Listed { key, recipient, recipients, title, media_type, after_ms, again, .. } = listed.clone();
        Self { key, recipient, recipients, title, media_type, bytes, after_ms, again }
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
    /// True where no model runs: a draft is made, and nobody is reached.
    pub draft: bool,
    /// When the attempt was made.
    pub at: Timestamp,
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
