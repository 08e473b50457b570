//! What people are told of what waits: one sentence in names of the project, and a link. Nothing that a model, a
//! tool or a person wrote is in it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::journal::RunRow;
use crate::run::waits::{Wait, What};
use crate::words;

/// Something that people are told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Notice {
    /// The same whenever the same is told: whoever hears it twice knows.
    pub(super) id: String,
    /// What waits, in a sentence.
    pub(super) text: String,
    /// Where on the page.
    pub(super) link: String,
    /// The run's number.
    run: u64,
    /// Its campaign.
    topology: String,
    /// What waits, and for whom, as the lists of runs have it.
    #[serde(flatten)]
    pub(super) wait: Wait,
}

/// As it goes out.
pub(super) struct Told {
    /// The same whenever the same is told.
    pub(super) id: String,
    pub(super) text: String,
    pub(super) link: String,
    /// All of it, for programs.
    pub(super) whole: Value,
}

impl Notice {
    /// What is told of `wait` in the run of `row`; `page` is how links to the page begin.
    pub(super) fn of(row: &RunRow, wait: &Wait, page: &str) -> Self {
        let (text, path) = told(row, wait);
        let id = format!("{} {}", row.id, serde_json::to_string(wait).unwrap_or_default());
        Self {
            id,
            text,
            link: format!("{}{path}", page.trim_end_matches('/')),
            run: row.no.0,
            topology: row.topology.clone(),
            wait: wait.clone(),
        }
    }

    pub(super) fn told(&self) -> Told {
        Told { id: self.id.clone(), text: self.text.clone(), link: self.link.clone(), whole: json!(self) }
    }
}

/// Many at once as one, for people.
pub(super) fn together(notices: &[Arc<Notice>], page: &str) -> Option<Told> {
    let first = notices.first()?;
    let text = format!("{} things to look at, the first of them: {}", notices.len(), first.text);
    let ids: Vec<&str> = notices.iter().map(|notice| notice.id.as_str()).collect();
    let whole = notices.iter().map(|notice| json!(**notice)).collect();
    Some(Told { id: ids.join("\n"), text, link: page.to_owned(), whole })
}

/// The sentence, and where on the page that is.
fn told(row: &RunRow, wait: &Wait) -> (String, String) {
    let (run, of) = (row.no, &row.topology);
    let who = || whom(&wait.who);
    let asked = |thing: &str, no, reminded: u32, overdue: bool| {
        let waits = match (overdue, reminded) {
            (true, _) => "is overdue, and waits",
            (false, 0) => "waits",
            (false, _) => "still waits",
        };
        (format!("{thing} {no} of {of} (run {run}) {waits} for {}", who()), format!("/approvals/{no}"))
    };
    let supervision = format!("/runs/{run}/supervision");
    match &wait.what {
        What::Approval { no, reminded, overdue } => asked("Approval", no, *reminded, *overdue),
        What::Answer { no, reminded, overdue } => asked("Question", no, *reminded, *overdue),
        What::Doubt { no } => {
            let text =
                format!("Question {no} of {of} (run {run}): did something that was begun happen? Somebody has to say");
            (text, format!("/approvals/{no}"))
        }
        What::Mention { comment, .. } => {
            let text = format!("Comment {comment} on {of} (run {run}) names {}", who());
            (text, format!("/runs/{run}/drafts#comment-{comment}"))
        }
        What::Limit { limit, .. } => {
            let what = words::limit(*limit, false);
            (format!("Run {run} of {of} is paused: its limit of {what} is reached"), format!("/runs/{run}/budget"))
        }
        What::Failing { agent, .. } => {
            (format!("Run {run} of {of} is paused: {agent} failed again and again"), supervision)
        }
        What::Over { status } => {
            let how = match status.as_str() {
                "failed" => "failed",
                "stopped" => "was stopped by its budget",
                "bug" => "was ended by a fault of callsheet itself",
                "rejected" => "was rejected",
                "cancelled" => "was cancelled",
                _ => "is done",
            };
            (format!("Run {run} of {of} {how}"), format!("/runs/{run}"))
        }
        What::Stuck { .. } => {
            (format!("Run {run} of {of} is stuck with a message that nobody could handle"), supervision)
        }
    }
}

fn whom(who: &[String]) -> String {
    let one = |who: &String| match who.strip_prefix("group:") {
        Some(group) => format!("the group {group}"),
        None => who.clone(),
    };
    if who.is_empty() { "somebody".to_owned() } else { who.iter().map(one).collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ApprovalNo, CommentNo, Epoch, MessageId, RunId, RunNo, Seq, Timestamp};
    use crate::journal::Summary;
    use crate::run::event::Limit;

    #[test]
    fn each_wait_is_a_sentence_and_leads_to_where_something_can_be_done() {
        let row = RunRow {
            id: RunId(uuid::Uuid::nil()),
            no: RunNo(4),
            topology: "launch".to_owned(),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            last: Seq(9),
            epoch: Epoch(1),
            owner: None,
            posted: 0,
            summary: Summary::default(),
        };
        let check = |what: What, who: &[&str], text: &str, path: &str| {
            let wait = Wait { what, who: who.iter().map(|who| (*who).to_owned()).collect() };
            let notice = Notice::of(&row, &wait, "https://page.example/");
            assert_eq!((notice.text.as_str(), notice.link.as_str()), (text, &*format!("https://page.example{path}")));
        };
        let (no, agent) = (ApprovalNo(7), "critic".parse().unwrap());
        let approval = |reminded, overdue| What::Approval { no, reminded, overdue };
        check(approval(0, false), &[], "Approval 7 of launch (run 4) waits for somebody", "/approvals/7");
        check(approval(1, false), &["ana"], "Approval 7 of launch (run 4) still waits for ana", "/approvals/7");
        let late = "Approval 7 of launch (run 4) is overdue, and waits for ana, the group legal";
        check(approval(1, true), &["ana", "group:legal"], late, "/approvals/7");
        let answer = What::Answer { no, reminded: 0, overdue: false };
        check(answer, &["ben"], "Question 7 of launch (run 4) waits for ben", "/approvals/7");
        let doubt = "Question 7 of launch (run 4): did something that was begun happen? Somebody has to say";
        check(What::Doubt { no }, &[], doubt, "/approvals/7");
        let mention = What::Mention { comment: CommentNo(2), remark: 1 };
        check(mention, &["ana"], "Comment c2 on launch (run 4) names ana", "/runs/4/drafts#comment-c2");
        let limit = What::Limit { limit: Limit::Tokens, at: 9 };
        check(limit, &[], "Run 4 of launch is paused: its limit of tokens is reached", "/runs/4/budget");
        let failing = "Run 4 of launch is paused: critic failed again and again";
        check(What::Failing { agent, restarts: 3 }, &[], failing, "/runs/4/supervision");
        let over = |status: &str| What::Over { status: status.to_owned() };
        check(over("failed"), &[], "Run 4 of launch failed", "/runs/4");
        check(over("done"), &["ana"], "Run 4 of launch is done", "/runs/4");
        let stuck = "Run 4 of launch is stuck with a message that nobody could handle";
        check(What::Stuck { message: MessageId(3) }, &[], stuck, "/runs/4/supervision");
    }
}
