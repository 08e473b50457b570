//! Who looked at what waits: noted when somebody opens it, once over each channel. It decides nothing, and stops nobody.

use super::error::Error;
use super::project::Project;
use super::story::Story;
use crate::app;
use crate::id::ApprovalNo;
use crate::run::event::Who;
use crate::run::input::{Post, Say};
use crate::run::state::{Approval, State, Wants};

/// What is posted to note that `who` looks at an approval; nothing if it does not wait, they have looked, or nobody knows them.
pub fn look(project: &Project, story: &Story, no: ApprovalNo, who: &Who) -> Option<Post> {
    let approval = story.state().approvals.get(&no).filter(|approval| approval.fate.is_none())?;
    let by = project.declared(who.clone()).ok().filter(|who| !approval.has_looked(who))?;
    Some(Post { by, say: Say::Look { approval: no, binds: approval.binds } })
}

/// To whom what waits can be handed: people who may say something to it, and the groups that are asked.
pub fn may_take(project: &Project, state: &State, approval: &Approval) -> Vec<String> {
    let declared = project.settings.people.iter().flatten();
    let may = |(name, groups): &(&String, &Vec<String>)| {
        let (name, groups) = ((*name).clone(), (*groups).clone());
        let who = Who { name, how: "named".to_owned(), groups, undeclared: false, via: None };
        match approval.wants {
            Wants::Decision => state.may_approve(approval, &who),
            Wants::Form | Wants::Sentence => state.is_asked(approval, |of| who.is(of)),
        }
    };
    let people = declared.filter(may).map(|(name, _)| name.clone());
    let asked = state.person(&approval.agent).into_iter().flat_map(|person| &person.who);
    let groups = asked.chain(&approval.escalated_to).filter(|who| who.starts_with("group:")).cloned();
    people.chain(groups).collect()
}

/// Notes it in the journal, for the run to hear when it goes on.
///
/// # Errors
/// If the journal cannot be written.
pub fn note(project: &Project, story: &Story, post: &Post) -> Result<(), Error> {
    Ok(app::post(&project.settings, story.row.id, post)?)
}
