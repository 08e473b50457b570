//! Bodies that are written at one place and read at others: what an outward member would do, what came of it, why something
//! failed. Their JSON stays readable for years: a field that comes later is left out while it says nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::{Failure, Usage};
use crate::id::{AgentName, Digest, ToolName};
use crate::run::later::is_at_once;

/// All that an outward member would do, as a person approves it: the body that a manifest binds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Who would do it.
    pub member: AgentName,
    /// By which tool.
    pub tool: ToolName,
    /// Each thing, in the order of the manifest's slots.
    pub items: Vec<Listed>,
}

/// One thing that would leave; its bytes are a body of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Unique within the list, such as a file name.
    pub key: String,
    /// Who or what gets it, for people.
    pub recipient: String,
    /// How many people (or pages) that is.
    pub recipients: u64,
    /// One line on what it is.
    pub title: String,
    /// What the bytes are, such as `message/rfc822`.
    pub media_type: String,
    /// The bytes.
    pub digest: Digest,
    /// How many bytes there are.
    pub bytes: u32,
    /// How long after the decision it leaves.
    #[serde(default, skip_serializing_if = "is_at_once")]
    pub after_ms: u64,
    /// What is asked once more when it leaves, so that whoever withdrew meanwhile is left out; approved with the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Value>,
}

/// What one rule of a declared check came to over one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Applied {
    /// The rule, such as `house.discount`.
    pub rule: String,
    /// Its version, as its file counts.
    pub version: u32,
    /// Over the rule as it was pinned: two rules that differ differ in it, whatever their versions say.
    pub sha256: String,
    /// Over what: an artefact, or something that would leave.
    pub of: String,
    /// What follows if it does not hold: `block`, `repair`, `gate` or `warn`.
    pub on_fail: String,
    /// What it found, a sentence each; nothing if it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
}

/// What performing one thing came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Where it is now, or what the sink said: a path below the project, an id.
    pub place: String,
    /// If it is a file: SHA-256 of what was really written, as `sha256sum` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Recipients that were approved, had withdrawn when it left, and were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// Recipients whom the other system refused for good; nothing left for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// Recipients who have had as much as they may have in so short a time, and were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<String>,
    /// What else people should know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

impl Receipt {
    /// One that says where it is, and nothing else.
    pub fn at(place: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            sha256: None,
            dropped: Vec::new(),
            refused: Vec::new(),
            over: Vec::new(),
            remark: None,
        }
    }
}

/// What came of a run, as a person attached it: a table, and the file that it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The name of the file.
    pub file: String,
    /// SHA-256 of the file, as `sha256sum` prints it.
    pub sha256: Digest,
    /// How the file was read where that is not plain, as `callsheet data inspect` prints it: `delimiter = ";"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_as: Vec<String>,
    /// The names of the columns, in their order.
    pub columns: Vec<String>,
    /// The rows, each with a value for each column: a text, a number, true, false, or null where there is none.
    pub rows: Vec<Vec<Value>>,
}

/// Most columns of an attached table.
const COLUMNS_MAX: usize = 500;
/// Most rows.
const ROWS_MAX: usize = 10_000;
/// Most bytes of its JSON.
pub const TABLE_BYTES_MAX: usize = 4 << 20;
/// Most characters of the name of a file, or of a column.
const NAME_CHARS_MAX: usize = 200;

impl Table {
    /// What is wrong with it, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let is_name = |name: &str| {
            let chars = name.chars().count();
            (1..=NAME_CHARS_MAX).contains(&chars) && !name.chars().any(char::is_control)
        };
        if !is_name(&self.file) {
            faults.push(format!(
                "the file has no usable name: 1 to {NAME_CHARS_MAX} characters, none of them a control character"
            ));
        }
        let (columns, rows) = (self.columns.len(), self.rows.len());
        if !(1..=COLUMNS_MAX).contains(&columns) {
            faults.push(format!("it has {columns} columns: 1 to {COLUMNS_MAX} are kept"));
        }
        if !(1..=ROWS_MAX).contains(&rows) {
            faults
                .push(format!("it has {rows} rows: 1 to {ROWS_MAX} are kept; attach sums by mail, variant or segment"));
        }
        let named = self.columns.iter().enumerate();
        faults.extend(
            named
                .filter(|(_, name)| !is_name(name))
                .map(|(place, _)| format!("column {} has no usable name", place + 1))
                .take(1),
        );
        let mut names: Vec<&String> = self.columns.iter().collect();
        names.sort();
        faults.extend(
            names.windows(2).find(|two| two[0] == two[1]).map(|two| format!("two columns are named {:?}", two[0])),
        );
        let numbered = || self.rows.iter().enumerate();
        let ragged = numbered().find(|(_, row)| row.len() != columns);
        faults.extend(ragged.map(|(place, row)| {
            format!("row {} has {} values, and there are {columns} columns", place + 1, row.len())
        }));
        let nested = numbered().find(|(_, row)| row.iter().any(|cell| cell.is_array() || cell.is_object()));
        faults.extend(
            nested.map(|(place, _)| format!("row {} has a list or an object in place of one value", place + 1)),
        );
        faults
    }
}

/// What a person remarks on a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// On which part of it, as a JSON pointer; empty for all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// In words.
    pub text: String,
}

/// Why something failed: what its head does not need to branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReport {
    /// What went wrong, for people and models.
    pub error: String,
    /// What the attempt used, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How long to wait at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// True if a whole request went out and no whole answer came back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// True if what a replay was asked differs from what was recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drifted: bool,
}

impl FailureReport {
    /// One that says what went wrong, and nothing else.
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), usage: None, retry_after_ms: None, lost: false, drifted: false }
    }

    /// The report that `body` is, if it is one.
    pub fn read(body: &Value) -> Option<Self> {
        // A list would be taken for the fields in their order.
        body.is_object().then(|| Self::deserialize(body).ok()).flatten()
    }
}

impl From<&Failure> for FailureReport {
    fn from(failure: &Failure) -> Self {
        let Failure { usage, retry_after_ms, lost, drifted, .. } = *failure;
        Self { usage, retry_after_ms, lost, drifted, ..Self::new(&failure.reason) }
    }
}

/// What stands in place of the result of a call that was not performed because the turn made it before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// What its model is told.
    pub same_as_before: String,
}

/// Whether `body` is what a tool returned, and not why it returned nothing.
pub fn is_result(body: &Value) -> bool {
    !body.is_object() || (FailureReport::read(body).is_none() && Repeated::deserialize(body).is_err())
}
