//! The triggers that there are: what fires each, when that is next, and what its last firing came to.

use serde::Serialize;

use super::due::Times;
use super::fire::id;
use crate::id::{RunId, RunNo, Timestamp, as_iso, as_iso_if_known};
use crate::journal::{Came, Firing, Firings};
use crate::service::error::Error;
use crate::service::project::Project;
use crate::topology::check;
use crate::topology::trigger::{Missed, Overlap, Trigger, When};

/// A trigger.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Line {
    /// What it is called: `TOPOLOGY.NAME`.
    pub trigger: String,
    /// What it starts runs of.
    pub topology: String,
    /// What fires it; nothing as long as it has faults.
    pub when: Option<Fires>,
    /// What becomes of a firing while the run that it started last is not over.
    pub overlap: Option<Overlap>,
    /// When it fires next, if times fire it, and a server runs then.
    #[serde(serialize_with = "as_iso_if_known")]
    #[schemars(with = "Option<crate::id::Iso>")]
    pub next_at: Option<Timestamp>,
    /// What keeps it from being fired: the variable of its key is not set.
    pub unset: Option<String>,
    /// Its last firing.
    pub last: Option<Last>,
}

/// What fires a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fires {
    /// The times of a pattern.
    Cron {
        /// Minute, hour, day of the month, month, day of the week.
        pattern: String,
        /// The zone of its times.
        zone: String,
        /// What becomes of times at which no server ran.
        missed: Missed,
    },
    /// The end of a run of this topology that is done.
    After(String),
    /// A signed request to this address of the server.
    Webhook(String),
}

/// A firing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Last {
    /// When it was due.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub due_at: Timestamp,
    /// When that was noted.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub at: Timestamp,
    /// What it came to: `started`, `skipped`, `waits` or `failed`.
    pub came: &'static str,
    /// The run that it started, or waits for.
    pub run: Option<RunNo>,
    /// Why it started none.
    pub why: Option<String>,
}

impl Last {
    fn of(project: &Project, firing: Firing) -> Result<Self, Error> {
        let no = |run: RunId| -> Result<Option<RunNo>, Error> { Ok(project.known(run)?.map(|row| row.no)) };
        let (came, run, why) = match firing.came {
            Came::Started(run) => ("started", no(run)?, None),
            Came::Waits(run) => ("waits", no(run)?, None),
            Came::Skipped(why) => ("skipped", None, Some(why)),
            Came::Failed(why) => ("failed", None, Some(why)),
        };
        Ok(Self { due_at: firing.due_at, at: firing.at, came, run, why })
    }
}

/// The triggers of a project, by topology and in the order of their files; `now` is the time.
///
/// # Errors
/// If the journal cannot be read.
pub fn triggers(project: &Project, now: Timestamp) -> Result<Vec<Line>, Error> {
    let store = match project.store() {
        Ok(store) => Some(store),
        Err(Error::NothingYet) => None,
        Err(error) => return Err(error),
    };
    let mut lines = Vec::new();
    for topology in project.topologies() {
        let (triggers, broken) = check::triggers(&topology, &project.settings.folder());
        lines.extend(triggers.iter().map(|trigger| line(project, &topology, trigger, now)));
        let nothing = |name: &String| Line {
            trigger: id(&topology, name),
            topology: topology.clone(),
            when: None,
            overlap: None,
            next_at: None,
            unset: None,
            last: None,
        };
        lines.extend(broken.iter().map(nothing));
    }
    for line in &mut lines {
        let query = Firings { trigger: Some(line.trigger.clone()), limit: 1, ..Firings::default() };
        if let Some(store) = &store {
            let last = store.firings(&query)?.pop();
            line.last = last.map(|firing| Last::of(project, firing)).transpose()?;
        }
    }
    Ok(lines)
}

fn line(project: &Project, topology: &str, trigger: &Trigger, now: Timestamp) -> Line {
    let zone = &project.settings.timezone;
    let (when, next_at, unset) = match &trigger.when {
        When::Cron { pattern, missed } => {
            let fires = Fires::Cron { pattern: pattern.clone(), zone: zone.clone(), missed: *missed };
            (fires, Times::of(pattern, zone).and_then(|times| times.next(now)), None)
        }
        When::After(before) => (Fires::After(before.clone()), None, None),
        When::Webhook { key_env } => {
            let unset = project.settings.secret(key_env).is_none().then(|| key_env.clone());
            (Fires::Webhook(format!("/hooks/{topology}/{}", trigger.name)), None, unset)
        }
    };
    Line {
        trigger: id(topology, &trigger.name),
        topology: topology.to_owned(),
        when: Some(when),
        overlap: Some(trigger.overlap),
        next_at,
        unset,
        last: None,
    }
}
