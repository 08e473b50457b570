//! The tools of a project: what each declares and finds, and who uses it; and the members of all its teams.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::project::Project;
use crate::actor::examiner::misfits;
use crate::app;
use crate::failure::Failure;
use crate::id::{Digest, EffectId, ToolName};
use crate::tool::{Call, Opened, Tool, Tools};
use crate::topology::fault::Faults;
use crate::topology::plan::{Member, Mode, Role};
use crate::topology::spec::ToolSpec;

/// Who uses which tool.
#[derive(Debug, Default)]
pub struct Users {
    /// Member and topology, by the tool's name.
    pub of: BTreeMap<String, Vec<(String, String)>>,
    /// Topologies of which that cannot be said: they have faults.
    pub faulty: Vec<String>,
}

impl Users {
    /// Whether it is certain that no team uses `tool`.
    pub fn has_none(&self, tool: &ToolName) -> bool {
        self.faulty.is_empty() && !self.of.contains_key(tool.as_str())
    }
}

/// Who uses which tool, in all topologies.
pub fn users(project: &Project) -> Users {
    let mut users = Users::default();
    let members = members(project);
    for (topology, name, member) in &members.all {
        for tool in used(&member.role) {
            users.of.entry(tool.to_string()).or_default().push((name.clone(), topology.clone()));
        }
    }
    Users { faulty: members.faulty, ..users }
}

/// The tools that a member has.
pub fn used(role: &Role) -> &[ToolName] {
    match role {
        Role::Model { tools, .. } => tools,
        Role::Tool { tool, .. } => std::slice::from_ref(tool),
        Role::Person(_) | Role::Rule(_) => &[],
    }
}

/// The members of all teams.
#[derive(Debug, Default)]
pub struct Members {
    /// Topology, name, and what it is there.
    pub all: Vec<(String, String, Member)>,
    /// Topologies of which that cannot be said: they have faults.
    pub faulty: Vec<String>,
}

/// The members of all teams.
pub fn members(project: &Project) -> Members {
    let mut members = Members::default();
    for (topology, checked) in project.check_all(Mode::Rehearsal) {
        match checked {
            Ok(checked) => {
                let team = checked.plan.team.iter();
                members.all.extend(team.map(|(name, is)| (topology.clone(), name.to_string(), is.clone())));
            }
            Err(_) => members.faulty.push(topology),
        }
    }
    members
}

/// A tool, as far as that is known without opening what it uses.
#[derive(Debug)]
pub struct Found {
    /// What it declares.
    pub spec: ToolSpec,
    /// What it reads, a sentence each.
    pub reads: Vec<String>,
    /// What is wrong with that, a sentence each.
    pub faults: Vec<String>,
}

/// What each tool declares and finds.
pub fn found(tools: &Tools) -> Vec<Found> {
    let found = tools.values().map(|tool| {
        let look = tool.look();
        let faults = look.faults.iter().map(ToString::to_string).collect();
        Found { spec: tool.spec().clone(), reads: look.facts, faults }
    });
    found.collect()
}

/// The tools of the project.
///
/// # Errors
/// Every `[tools.NAME]` that its kind does not understand.
pub fn tools(project: &Project) -> Result<Tools, Faults> {
    app::tools(&project.settings)
}

/// Opens what the tools would use: by the tool that tells of it, what is there or why it is not.
pub async fn tried(tools: &Tools) -> Vec<(ToolName, Result<Opened, String>)> {
    app::try_connections(tools).await
}

/// Why a tool gave nothing when it was called by hand.
#[derive(Debug)]
pub enum Uncalled {
    /// It acts on the world, which only an approved effect of a run does.
    ActsOut,
    /// What is wrong with its arguments, a sentence each.
    Args(Vec<String>),
    /// It was called, and failed.
    Failed(Failure),
    /// It was called, and did not answer for so many milliseconds.
    Silent(u64),
}

/// Calls a tool that reads or computes by hand: in no run, and recorded nowhere.
///
/// # Errors
/// Why there is no result.
pub async fn call(tool: &Tool, args: Value) -> Result<Value, Uncalled> {
    let Tool::Callable(callable) = tool else { return Err(Uncalled::ActsOut) };
    let spec = callable.spec();
    let wrong = misfits(&spec.args, &args).unwrap_or_else(|why| vec![why.to_string()]);
    if !wrong.is_empty() {
        return Err(Uncalled::Args(wrong));
    }
    let call = Call { effect: EffectId(Digest::of("callsheet call by hand 1", &[])), args, is_live: true };
    let in_time = tokio::time::timeout(Duration::from_millis(spec.call_timeout_ms), callable.call(call));
    match in_time.await {
        Ok(came) => came.map_err(Uncalled::Failed),
        Err(_) => Err(Uncalled::Silent(spec.call_timeout_ms)),
    }
}
