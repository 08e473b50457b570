//! What a check is given beside the topology's name, and the tests that it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::id::{ArtefactName, ToolName};
use crate::topology::fault::Place;
use crate::topology::plan::{Mode, ModelSpec, ParamKind};
use crate::topology::recording::Recording;
use crate::topology::spec::ToolSpec;

/// The files of a project.
pub trait Files {
    /// The bytes of the file at `path`, below the root with `/`; no more than one byte past
    /// [`crate::topology::raw::walk::FILE_BYTES_MAX`] of a larger one.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;

    /// The names in a folder, for suggestions only.
    fn names(&self, folder: &str) -> Vec<String> {
        let _ = folder;
        vec![]
    }
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It lies outside the project.
    #[error("it lies outside the project's folder")]
    Outside,
    /// The system refuses.
    #[error("{0}")]
    Refused(String),
}

/// What topologies refer to and files of the project do not define.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Every tool there is.
    pub tools: BTreeMap<ToolName, ToolSpec>,
    /// Every check there is, with its settings (an empty object if none).
    pub checks: BTreeMap<String, Value>,
    /// What is known of the checks that the project declares itself.
    pub guards: Guards,
    /// Models by alias; `default` is one if there is a default.
    pub models: BTreeMap<String, ModelSpec>,
    /// Models that have no price and are not declared free.
    pub unpriced: BTreeSet<String>,
    /// Models of which nobody says where they are: what is wrong, what to do, and where a file names them.
    pub nowhere: BTreeMap<String, (String, String, Option<Place>)>,
    /// Whether models run.
    pub mode: Mode,
    /// What is replayed, if `mode` is replay.
    pub recording: Option<Arc<Recording>>,
    /// True if the project has no `[people]`.
    pub single_person: bool,
    /// Groups by person.
    pub people: BTreeMap<String, Vec<String>>,
    /// Named queries by the tool that answers them.
    pub queries: BTreeMap<ToolName, Queries>,
    /// Connections of tools of which something is wrong, which is told: nothing is known of their tools.
    pub broken: BTreeSet<String>,
    /// Whether the project's file could not be read, which is told: nothing is known of its connections, models and people.
    pub unread: bool,
}

impl Surroundings {
    /// A project without tools, checks, models and people.
    pub fn nothing(mode: Mode) -> Self {
        Self {
            tools: BTreeMap::new(),
            checks: BTreeMap::new(),
            guards: Guards::default(),
            models: BTreeMap::new(),
            unpriced: BTreeSet::new(),
            nowhere: BTreeMap::new(),
            mode,
            recording: None,
            single_person: true,
            people: BTreeMap::new(),
            queries: BTreeMap::new(),
            broken: BTreeSet::new(),
            unread: false,
        }
    }
}

/// Checks that a project declares itself.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    /// Those whose rules hold for what a tool would do.
    pub leaving: BTreeMap<ToolName, Vec<String>>,
    /// Those that may leave it to a person.
    pub gates: BTreeSet<String>,
}

/// Named queries, by name.
pub type Queries = BTreeMap<String, NamedQuery>;

/// What is known of a named query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NamedQuery {
    /// The types of its arguments.
    pub args: BTreeMap<String, ParamKind>,
    /// JSON Schema of its results, if its data can be read.
    pub result: Option<Value>,
}

/// A rehearsal's test: a run, and what it must come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// The run's parameters.
    pub params: BTreeMap<String, Value>,
    /// What persons answer, in order (`approve`, `request_changes`, `reject`, `expire`); then all approve.
    pub decisions: Vec<String>,
    /// How the run ends.
    pub status: String,
    /// The expected `agent:outcome`s in order; empty expects nothing.
    pub path: Vec<String>,
    /// Parts that artefacts must have at the end.
    pub artefacts: BTreeMap<ArtefactName, Value>,
    /// How many approvals are asked for.
    pub asks: Option<u64>,
}
