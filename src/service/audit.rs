//! What an auditor asks: whether the journal and what it rests on are what was written, and where it stands.

use serde::Serialize;

use super::error::Error;
use super::project::Project;
use crate::actor::evidence::{self, Evidence};
use crate::id::RunNo;
use crate::journal::audit::{self, Checkpoint, Verified};

/// What holds.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// Of the chain.
    pub chain: Verified,
    /// Of plans, manifests and delivered files.
    pub evidence: Evidence,
}

/// Verifies one run or all, against checkpoints that were exported before.
///
/// # Errors
/// What does not hold.
pub fn verify(project: &Project, run: Option<RunNo>, checkpoints: &[Checkpoint]) -> Result<Audit, Error> {
    let chain = chain(project, run, checkpoints)?;
    let mut evidence = Evidence::default();
    for head in &chain.heads {
        let one = evidence::verify(project.store()?.as_ref(), head.run, &project.settings.root)?;
        evidence.manifests += one.manifests;
        evidence.files += one.files;
        evidence.differing.extend(one.differing);
    }
    Ok(Audit { chain, evidence })
}

/// Verifies the chain alone, of one run or of all.
///
/// # Errors
/// What does not hold.
pub fn chain(project: &Project, run: Option<RunNo>, checkpoints: &[Checkpoint]) -> Result<Verified, Error> {
    let store = project.store()?;
    let Some(no) = run else { return Ok(audit::verify_all(store.as_ref(), checkpoints)?) };
    let row = project.run(Some(no))?;
    Ok(match checkpoints.iter().find(|checkpoint| checkpoint.run == row.id) {
        Some(checkpoint) => audit::verify_against(store.as_ref(), checkpoint)?,
        None => audit::verify(store.as_ref(), row.id)?,
    })
}

/// Where one run or all stand, verified: to be kept where the journal's owner cannot change it.
///
/// # Errors
/// What does not hold.
pub fn checkpoints(project: &Project, run: Option<RunNo>) -> Result<Vec<Checkpoint>, Error> {
    Ok(chain(project, run, &[])?.heads)
}
