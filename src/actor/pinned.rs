//! A plan as runs pin it, with what is made of it once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::examiner::{Examiner, Unmade};
use crate::id::{AgentName, ArtefactName, Digest};
use crate::model::prompt::Offers;
use crate::tool::Check;
use crate::topology::plan::{Plan, Section};

/// A plan as runs pin it, shared by all runs of it.
pub struct Pinned {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What its members are offered to call.
    pub offers: Arc<Offers>,
    /// By which runs name it.
    pub digest: Digest,
    /// Its schemas and checks, compiled.
    pub examiner: Examiner,
    /// It as the members of teams within it see it.
    teams: BTreeMap<AgentName, Self>,
}

/// A plan as one member sees it.
pub(super) struct Seen<'p> {
    /// What they see: all of it, or their own team.
    pub(super) pinned: &'p Pinned,
    /// The member's name in that.
    pub(super) agent: AgentName,
    whole: &'p Plan,
    team: Option<&'p AgentName>,
}

impl Pinned {
    /// Compiles what `plan` names.
    ///
    /// # Errors
    /// If a schema or a check of the plan is not to be had.
    pub fn new(plan: Plan, digest: Digest, checks: &[Arc<dyn Check>]) -> Result<Self, Unmade> {
        let of = |name: &AgentName| Ok((name.clone(), Self::new(plan.seen_by(name), digest, checks)?));
        let teams = plan.teams.0.keys().map(of).collect::<Result<_, _>>()?;
        let examiner = Examiner::new(&plan, checks)?;
        Ok(Self { plan: Arc::new(plan), offers: Arc::default(), digest, examiner, teams })
    }

    /// It as `agent` sees it.
    pub(super) fn seen_by(&self, agent: &AgentName) -> Seen<'_> {
        let found = self.plan.teams.innermost(agent).and_then(|team| self.teams.get_key_value(team));
        let (team, pinned) = found.map_or((None, self), |(team, pinned)| (Some(team), pinned));
        Seen { pinned, agent: self.plan.teams.member_in(team, agent), whole: &self.plan, team }
    }
}

impl Seen<'_> {
    /// The name by which everybody calls what the member calls so.
    pub(super) fn artefact(&self, own: &ArtefactName) -> ArtefactName {
        let out = |own: &ArtefactName| self.whole.teams.artefact_out(self.team, own);
        let section = self.pinned.plan.section(own);
        section.and_then(|of| Section::name(&out(&of.of), &of.at)).unwrap_or_else(|| out(own))
    }

    /// The name by which everybody calls whom the member calls so.
    pub(super) fn member(&self, own: &AgentName) -> AgentName {
        self.team.map_or_else(|| own.clone(), |team| self.whole.member_out(team, own))
    }
}
