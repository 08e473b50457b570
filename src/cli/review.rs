//! `callsheet review`: what would leave, to whom, on what evidence.

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, Block, out, say};
use super::rendered;
use super::session::Session;
use super::story::{Story, mark_mode};
use crate::id::{ApprovalNo, RunNo};
use crate::run::state::Fate;
use crate::run::view::why::reason_text;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The approval's number
    number: u64,
    /// All rows of long lists, such as every recipient
    #[arg(long)]
    whole: bool,
    /// As one JSON object: what is bound, and who did what for it
    #[arg(long, conflicts_with = "whole")]
    json: bool,
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
            out(Block(&reason_text(state, &story.texts(), why)));
        }
        say(format!("look at the sink, then: callsheet settle {no} --happened (or --did-not)"));
        return Ok(Exit::Done);
    }
    if args.json {
        return json(&story, row.no, no);
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

/// What an approval binds, and the work that led to it.
fn json(story: &Story, run: RunNo, no: ApprovalNo) -> Result<Exit, Stop> {
    let state = story.view.state();
    let approval = state.approvals.get(&no).ok_or_else(|| Stop::input(format!("there is no approval {no}")))?;
    let manifest = approval.manifest.as_ref();
    paint::json(&json!({
        "approval": no, "run": run, "topology": state.plan.name, "agent": approval.agent, "binds": approval.binds,
        "asked_at": approval.asked_at, "expires_at": approval.expires_at, "open": approval.fate.is_none(),
        "desk": approval.desk, "items": manifest.map(|manifest| &manifest.items),
        "work": story.view.work(approval.message, &story.texts()),
    }));
    Ok(Exit::Done)
}
