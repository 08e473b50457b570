//! What waits in a run for people, and for whom: by names of the project alone, so that it can be told outside.

use serde::{Deserialize, Serialize};

use super::event::{Ending, Limit, PauseReason};
use super::state::{Approval, State, Status, Wants};
use crate::id::{AgentName, ApprovalNo, CommentNo, MessageId};

/// Something that waits for people. What is told again, since it still waits or waits for somebody else by now, is
/// another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Wait {
    /// What it is.
    #[serde(flatten)]
    pub what: What,
    /// For whom: `NAME` or `group:NAME`; empty means anyone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<String>,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "what")]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum What {
    /// A decision, of which people were reminded so often; its time may be up.
    Approval { no: ApprovalNo, reminded: u32, overdue: bool },
    /// An answer, of which people were reminded so often; its time may be up.
    Answer { no: ApprovalNo, reminded: u32, overdue: bool },
    /// What somebody knows: whether an act happened.
    Doubt { no: ApprovalNo },
    /// An open comment of which this remark, counted from 1, names people.
    Mention { comment: CommentNo, remark: u32 },
    /// The run is paused, since this limit, which is so high, is reached.
    Limit { limit: Limit, at: u64 },
    /// The run is paused, since this agent failed so often.
    Failing { agent: AgentName, restarts: u32 },
    /// The run is stuck with a message that nobody could handle.
    Stuck { message: MessageId },
    /// The run is over, in this word of [`Status::word`].
    Over { status: String },
}

impl State {
    /// What waits for people now. A run that a person paused waits for nobody.
    pub fn waits(&self) -> Vec<Wait> {
        let anyone = |what| Wait { what, who: Vec::new() };
        let mut waits: Vec<Wait> = self.open_approvals().map(|(no, approval)| self.asked(no, approval)).collect();
        waits.extend(self.questions.keys().map(|no| anyone(What::Doubt { no: *no })));
        for (no, comment) in self.comments.iter().filter(|(_, comment)| comment.is_open()) {
            let named = |(remark, who): (&u32, &Vec<String>)| Wait {
                what: What::Mention { comment: *no, remark: *remark },
                who: who.clone(),
            };
            waits.extend(comment.named.iter().map(named));
        }
        match &self.paused {
            Some(PauseReason::Budget { what, limit, .. }) => {
                waits.push(anyone(What::Limit { limit: *what, at: *limit }));
            }
            Some(PauseReason::Intensity { agent, restarts }) => {
                waits.push(anyone(What::Failing { agent: agent.clone(), restarts: *restarts }));
            }
            Some(PauseReason::Asked { .. }) | None => {}
        }
        waits.extend(self.told_of_end());
        if self.status() == Status::Stuck {
            waits.extend(self.dead.keys().map(|message| anyone(What::Stuck { message: *message })));
        }
        waits
    }

    /// The end, for whoever follows; one that nobody wanted is told to anyone.
    fn told_of_end(&self) -> Option<Wait> {
        let Status::Ended(how) = self.status() else { return None };
        let is_unwanted = matches!(how, Ending::Failed | Ending::Stopped | Ending::Bug);
        let who: Vec<String> = self.followers.iter().filter(|_| !is_unwanted).cloned().collect();
        let status = self.status().word().to_owned();
        (is_unwanted || !who.is_empty()).then_some(Wait { what: What::Over { status }, who })
    }

    fn asked(&self, no: ApprovalNo, approval: &Approval) -> Wait {
        let (reminded, overdue) = (approval.reminded.0, approval.overdue);
        let asked = || {
            let person = self.person(&approval.agent).map(|person| person.who.clone()).unwrap_or_default();
            let told = approval.escalated_to.iter().filter(|_| !person.is_empty()).cloned().collect();
            [person, told].concat()
        };
        Wait {
            what: match approval.wants {
                Wants::Decision => What::Approval { no, reminded, overdue },
                Wants::Form | Wants::Sentence => What::Answer { no, reminded, overdue },
            },
            who: approval.assigned_to.clone().filter(|_| approval.handed_on).map_or_else(asked, |to| vec![to]),
        }
    }
}
