//! `callsheet review`: what would leave, to whom, on what evidence.

use super::exit::{Exit, Stop};
use super::paint::{Block, out, say};
use super::rendered;
use super::session::Session;
use super::story::{Story, mark_mode};
use crate::id::ApprovalNo;
use crate::run::state::Fate;
use crate::run::view::error_text;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The approval's number
    number: u64,
    /// All rows of long lists, such as every recipient
    #[arg(long)]
    whole: bool,
}

pub(super) fn review(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let store = session.store()?;
    let row = session.row_of_approval(store.as_ref(), args.number)?;
    let mut story = Story::open(store, row.id, session.zone())?;
    let entries: Vec<_> = story.news()?.into_iter().filter_map(|(_, entry)| entry).collect();
    let no = ApprovalNo(args.number);
    let state = story.view.state();
    if let Some(effect) = state.questions.get(&no) {
        let id = effect.0.short();
        out(format!("Question {no}: effect {id} of run {} began, and nobody knows whether it happened.", row.no));
        if let Some(why) = state.effects.get(effect).and_then(|effect| effect.why) {
            out(Block(&error_text(&story.texts(), why)));
        }
        say(format!("look at the sink, then: callsheet settle {no} --happened (or --did-not)"));
        return Ok(Exit::Done);
    }
    mark_mode(&state.plan);
    out(rendered::approval(session, &story, &entries, no, args.whole)?);
    if state.approvals.get(&no).is_some_and(|approval| approval.fate.is_none()) {
        say(format!("callsheet approve {no} | request-changes {no} -m TEXT | edit {no} | reject {no} -m TEXT"));
    } else if let Some(Fate::Edited(Some(by))) = state.approvals.get(&no).and_then(|a| a.fate.clone()) {
        say(format!("callsheet review {by}"));
    }
    Ok(Exit::Done)
}
