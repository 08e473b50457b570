//! What a run starts from: a topology that was checked, its parameters, and who starts it. Everything that can be wrong is
//! found here, before anything is made or paid for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::error::{Error, ParamFault};
use super::project::{Project, Startable};
use crate::app;
use crate::run::event::Who;
use crate::run::input::Brief;
use crate::topology::check::Checked;
use crate::topology::fault::Faults;
use crate::topology::plan::{Mode, Param, ParamKind, Plan};
use crate::topology::recording::Recording;

/// Who speaks for the agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voice {
    /// The models that are named; the script, if none is.
    Named,
    /// The script.
    Script,
    /// The recording in this file.
    Recording(PathBuf),
}

/// A run that can start.
#[derive(Debug)]
pub struct Start {
    /// What was checked.
    pub plan: Plan,
    /// Its parameters.
    pub brief: Brief,
    /// Who starts it.
    pub by: Who,
    /// What is wrong with data and queries that it does not use.
    pub elsewhere: Faults,
}

impl Start {
    /// A run of `topology` with these parameters, by `who`.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn of(
        project: &Project,
        topology: &str,
        voice: &Voice,
        params: &BTreeMap<String, String>,
        who: Who,
    ) -> Result<Self, Error> {
        let start = Self::by_trigger(project, topology, voice, params, who)?;
        Ok(Self { by: project.declared(start.by)?, ..start })
    }

    /// The same for a trigger, which is nobody and needs not be declared: what its run does needs the same approvals.
    ///
    /// # Errors
    /// As [`Start::of`].
    pub fn by_trigger(
        project: &Project,
        topology: &str,
        voice: &Voice,
        params: &BTreeMap<String, String>,
        by: Who,
    ) -> Result<Self, Error> {
        let recording = match voice {
            Voice::Recording(path) => Some(recording_of(path, topology)?),
            Voice::Named | Voice::Script => None,
        };
        let mode = match voice {
            Voice::Recording(_) => Mode::Replay,
            // A rehearsal because that is asked for, or because nothing names a model; never as a fallback.
            Voice::Script => Mode::Rehearsal,
            Voice::Named => project.settings.mode(),
        };
        let startable = project.check_to_start(topology, mode, recording.clone());
        let Startable { checked, elsewhere, unset } = startable.map_err(Error::Faulty)?;
        checked.by_itself().map_err(Error::Faulty)?;
        let Checked { plan, .. } = checked;
        let recorded = recording.map(|recording| recording.brief.clone()).unwrap_or_default();
        let brief = brief(&plan, params, recorded).map_err(Error::Param)?;
        app::reachable(&project.settings, &plan).map_err(Error::Unreachable)?;
        if !unset.is_empty() {
            return Err(Error::Unreachable(format!("nothing was started\n{}", unset.join("\n"))));
        }
        Ok(Self { plan, brief, by, elsewhere })
    }
}

/// Parameters that a program gives as JSON, as people would type them.
pub fn texts(params: BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    params.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// The recording in `path`, if it is one of `topology`.
fn recording_of(path: &Path, topology: &str) -> Result<Arc<Recording>, Error> {
    let recording = app::read_recording(path).map_err(Error::Recording)?;
    if recording.topology != topology {
        return Err(Error::RecordingOf { path: path.to_owned(), topology: recording.topology });
    }
    Ok(Arc::new(recording))
}

/// The run's parameters: those given, typed; for the others what was recorded, or their defaults.
fn brief(plan: &Plan, given: &BTreeMap<String, String>, mut recorded: Brief) -> Result<Brief, ParamFault> {
    if let Some(name) = given.keys().find(|name| !plan.params.contains_key(*name)) {
        let known = plan.params.keys().cloned().collect();
        return Err(ParamFault::Unknown { name: name.clone(), topology: plan.name.clone(), known });
    }
    let mut brief = Brief::new();
    for (name, param) in &plan.params {
        let value = match given.get(name) {
            Some(text) => typed(param, text).filter(|value| param.bounds.take(value)).ok_or_else(|| {
                ParamFault::Unfit { name: name.clone(), text: text.clone(), param: Box::new(param.clone()) }
            })?,
            None => recorded.remove(name).or_else(|| param.default.clone()).ok_or_else(|| ParamFault::Missing {
                name: name.clone(),
                topology: plan.name.clone(),
                param: Box::new(param.clone()),
            })?,
        };
        brief.insert(name.clone(), value);
    }
    Ok(brief)
}

fn typed(param: &Param, text: &str) -> Option<Value> {
    match param.kind {
        ParamKind::String => Some(Value::from(text)),
        ParamKind::Integer => text.parse::<i64>().ok().map(Value::from),
        ParamKind::Number => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from),
        ParamKind::Boolean => text.parse::<bool>().ok().map(Value::from),
    }
}
