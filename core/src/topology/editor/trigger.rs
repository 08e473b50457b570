//! `[triggers]` of a topology, for editors.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::topology::trigger::{Missed, Overlap, Period};

/// What starts runs of a topology while `callsheet serve` runs: one of `cron`, `after` and `webhook`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The times at which it fires, in the project's time zone: minute, hour, day of the month, month, day of the week, such as
    /// "0 9 * * MON".
    pub cron: Option<String>,
    /// The topology whose runs it follows: it fires when one of them is done.
    pub after: Option<String>,
    /// Whether signed requests to /hooks/TOPOLOGY/NAME fire it.
    pub webhook: Option<bool>,
    /// The environment variable that holds the key with which those requests are signed.
    pub key_env: Option<String>,
    /// What becomes of times at which no server ran: one run, "once", or none, "skip". "once" unless it is written.
    pub missed: Option<Missed>,
    /// What becomes of a firing while the run that it started last is not over: it waits, it is dropped ("skip"), or it starts
    /// all the same. "wait" unless it is written.
    pub overlap: Option<Overlap>,
    /// Where the values of parameters come from, by parameter.
    #[serde(default)]
    pub params: BTreeMap<String, Given>,
}

/// Where the value of a parameter comes from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Given {
    /// The last whole one before it fires.
    Last(Last),
    /// The one in which it fires.
    This(This),
    /// What came.
    From(From),
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// true or false.
    Boolean(bool),
}

/// The last whole one before it fires.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// Which part of the calendar: "2026-11-26", "2026-W47", "2026-10", "2026-Q3", "2025".
    pub last: Period,
}

/// The one in which it fires.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct This {
    /// Which part of the calendar: "2026-11-27", "2026-W48", "2026-11", "2026-Q4", "2026".
    pub this: Period,
}

/// What came.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// A JSON pointer into the body of the request, or into what reached the end of the run before: "/plan/topic".
    pub from: String,
}
