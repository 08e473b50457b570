//! The port for tools and checks. A tool declares what it is, makes one attempt when it is asked to and never retries;
//! whether, when and how often it is asked is decided in `run`.

pub mod campaign_qa;
pub mod check;
pub mod documents;
pub mod email;
pub mod embedder;
pub mod files;
pub mod guard;
pub mod history;
pub mod http;
mod item;
pub mod kind;
pub mod mcp;
pub mod open;
pub mod part;
pub mod postgres;
pub mod sink;
pub mod sources;
pub mod sql;
pub mod stats;
pub mod webhook;
mod wrong;

pub use wrong::Wrong;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub use check::{Check, Finding, Level, Read, Sight};
pub use item::{Approved, Call, Deadline, Intent, Item, Look, Opened, Source};
use part::shown::{self, Shown};

use crate::failure::{Class, Failure, Work};
use crate::id::ToolName;
use crate::run::body::Receipt;
use crate::topology::check::Queries;
use crate::topology::spec::ToolSpec;

/// Tools by name.
pub type Tools = BTreeMap<ToolName, Tool>;

/// A tool, by what can be done with it.
#[derive(Clone)]
pub enum Tool {
    /// It reads or computes: it is called, and what it returns is what the caller sees.
    Callable(Arc<dyn Callable>),
    /// It acts on the world: what it would do is prepared, approved by a person, and then performed.
    Outward(Arc<dyn Outward>),
}

impl Tool {
    /// A tool that is called.
    pub fn callable(tool: impl Callable + 'static) -> Self {
        Self::Callable(Arc::new(tool))
    }

    /// A tool that acts on the world.
    pub fn outward(tool: impl Outward + 'static) -> Self {
        Self::Outward(Arc::new(tool))
    }

    /// What it declares.
    pub fn spec(&self) -> &ToolSpec {
        self.declared().spec()
    }

    /// As [`Declared::look`].
    pub fn look(&self) -> Look {
        self.declared().look()
    }

    /// As [`Declared::queries`].
    pub fn queries(&self) -> Queries {
        self.declared().queries()
    }

    /// As [`Declared::example`].
    pub fn example(&self) -> Option<Value> {
        self.declared().example()
    }

    /// As [`Declared::open`].
    pub fn open(&self) -> Option<Work<'_, Opened>> {
        self.declared().open()
    }

    /// As [`Declared::unset`].
    pub fn unset(&self) -> Vec<String> {
        self.declared().unset()
    }

    fn declared(&self) -> &dyn Declared {
        match self {
            Self::Callable(tool) => tool.as_ref(),
            Self::Outward(tool) => tool.as_ref(),
        }
    }
}

/// What every tool says of itself.
pub trait Declared: Send + Sync {
    /// What it declares. Only what is outward declares that it acts out.
    fn spec(&self) -> &ToolSpec;

    /// Looks at what the tool would read, without an answer: what is there, and what is wrong with it. For `check` and
    /// `doctor`, before a model is paid.
    fn look(&self) -> Look {
        Look::default()
    }

    /// Opens what it would use, for `doctor`: what is there, in words. None for what opens nothing beyond what [`look`]
    /// looks at, and for all but one of the tools that share a connection.
    ///
    /// [`look`]: Declared::look
    fn open(&self) -> Option<Work<'_, Opened>> {
        None
    }

    /// The variables of the environment without which no call can be made and that are not set: for a run that is about to
    /// start. `check` and `doctor` need none of them.
    fn unset(&self) -> Vec<String> {
        Vec::new()
    }

    /// The named queries that it answers, each with what it takes, and with what it gives as far as the data can be read.
    fn queries(&self) -> Queries {
        Queries::new()
    }

    /// The arguments of a call that works, where what its arguments accept does not say them.
    fn example(&self) -> Option<Value> {
        None
    }
}

/// What reads or computes.
pub trait Callable: Declared {
    /// Makes one call; the result is what the caller sees. Dropping the work ends it.
    fn call(&self, call: Call) -> Work<'_, Value>;
}

/// What acts on the world.
pub trait Outward: Declared {
    /// Computes what the call would do, without effect: every recipient and every final byte. What it refuses as invalid
    /// says which argument that is about, so that whoever wrote it can be asked again.
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>>;

    /// What an item says to whoever gets it: every part of its bytes, for the person who approves them.
    fn shown(&self, item: &Item) -> Vec<Shown> {
        shown::parts(item)
    }

    /// What is wrong with `call.args` as the argument `arg`, as far as that is known before anything is prepared: told to
    /// whoever writes it. A failure is nobody's fault but the world's, and tells nothing.
    fn foresee(&self, arg: &str, call: Call) -> Work<'_, Vec<String>> {
        let _ = (arg, call);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Performs one approved item, once.
    fn perform(&self, item: Approved) -> Work<'_, Receipt>;

    /// For what is queryable: the receipt, if it is known that the item was performed. It is asked before every attempt, the first
    /// one too.
    fn already(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        self.query(item)
    }

    /// For what is queryable: whether the item was performed. A failure leaves the question to a person.
    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        drop(item);
        let why = format!("{} cannot be asked", self.spec().name);
        Box::pin(async { Err(Failure::new(Class::Policy, why)) })
    }
}
