//! What is said of every event alike: its kind, and who did it.

use super::{Event, PauseReason, Version, Who};
use crate::id::Timestamp;

impl Event {
    /// The record's kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Opened { .. } => "opened",
            Self::Heard { .. } => "heard",
            Self::InputRefused { .. } => "input_refused",
            Self::MessageSent(_) => "message_sent",
            Self::Split { .. } => "split",
            Self::CalledOff { .. } => "called_off",
            Self::TurnBegan { .. } => "turn_began",
            Self::EffectAsked { .. } => "effect_asked",
            Self::EffectBegan { .. } => "effect_began",
            Self::EffectSettled { .. } => "effect_settled",
            Self::EffectFailed { .. } => "effect_failed",
            Self::RetryPlanned { .. } => "retry_planned",
            Self::ModelSwitched { .. } => "model_switched",
            Self::ContextCut { .. } => "context_cut",
            Self::FellInDoubt { .. } => "fell_in_doubt",
            Self::VersionWritten(_) => "version_written",
            Self::AnswerRefused { .. } => "answer_refused",
            Self::TurnEnded { .. } => "turn_ended",
            Self::ApprovalAsked { .. } => "approval_asked",
            Self::ApprovalDecided { .. } => "approval_decided",
            Self::PersonAnswered { .. } => "person_answered",
            Self::Reminded { .. } => "reminded",
            Self::Escalated { .. } => "escalated",
            Self::ApprovalClosed { .. } => "approval_closed",
            Self::EditRefused { .. } => "edit_refused",
            Self::ApprovalOverdue { .. } => "approval_overdue",
            Self::PermitGiven { .. } => "permit_given",
            Self::PermitVoided { .. } => "permit_voided",
            Self::QuestionAsked { .. } => "question_asked",
            Self::QuestionAnswered { .. } => "question_answered",
            Self::Looked { .. } => "looked",
            Self::Assigned { .. } => "assigned",
            Self::CommentMade { .. } => "comment_made",
            Self::CommentReplied { .. } => "comment_replied",
            Self::CommentResolved { .. } => "comment_resolved",
            Self::NoteLeft { .. } => "note_left",
            Self::Followed { .. } => "followed",
            Self::ResultsAttached { .. } => "results_attached",
            Self::AgentFailed { .. } => "agent_failed",
            Self::AgentRestarted { .. } => "agent_restarted",
            Self::DeadLettered { .. } => "dead_lettered",
            Self::DeadLetterAnswered { .. } => "dead_letter_answered",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::BudgetRaised { .. } => "budget_raised",
            Self::CancelAsked { .. } => "cancel_asked",
            Self::Ended { .. } => "ended",
        }
    }

    /// Whether it can come after the end: somebody took the run up to look, was answered, or attached what came of it.
    pub fn may_follow_end(&self) -> bool {
        matches!(
            self,
            Self::Opened { .. } | Self::Heard { .. } | Self::InputRefused { .. } | Self::ResultsAttached { .. }
        )
    }

    /// The person who did it; nobody if the run itself did.
    pub fn by(&self) -> Option<&Who> {
        self.done().map(|(by, _)| by)
    }

    /// The person who did it, and when that was, if it was heard later; nothing if the run itself did it.
    pub fn done(&self) -> Option<(&Who, Option<Timestamp>)> {
        match self {
            Self::ApprovalDecided { by, made_at, .. }
            | Self::PersonAnswered { by, made_at, .. }
            | Self::Looked { by, made_at, .. }
            | Self::Assigned { by, made_at, .. }
            | Self::CommentMade { by, made_at, .. }
            | Self::CommentReplied { by, made_at, .. }
            | Self::CommentResolved { by, made_at, .. }
            | Self::NoteLeft { by, made_at, .. }
            | Self::Followed { by, made_at, .. }
            | Self::ResultsAttached { by, made_at, .. } => Some((by, *made_at)),
            Self::Started { by, .. }
            | Self::QuestionAnswered { by, .. }
            | Self::DeadLetterAnswered { by, .. }
            | Self::Resumed { by }
            | Self::BudgetRaised { by, .. }
            | Self::CancelAsked { by }
            | Self::Paused { why: PauseReason::Asked { by } }
            | Self::VersionWritten(Version { person: Some(by), .. }) => Some((by, None)),
            Self::Opened { .. }
            | Self::Heard { .. }
            | Self::InputRefused { .. }
            | Self::MessageSent(_)
            | Self::Split { .. }
            | Self::CalledOff { .. }
            | Self::TurnBegan { .. }
            | Self::EffectAsked { .. }
            | Self::EffectBegan { .. }
            | Self::EffectSettled { .. }
            | Self::EffectFailed { .. }
            | Self::RetryPlanned { .. }
            | Self::ModelSwitched { .. }
            | Self::ContextCut { .. }
            | Self::FellInDoubt { .. }
            | Self::VersionWritten(Version { person: None, .. })
            | Self::AnswerRefused { .. }
            | Self::TurnEnded { .. }
            | Self::ApprovalAsked { .. }
            | Self::Reminded { .. }
            | Self::Escalated { .. }
            | Self::ApprovalClosed { .. }
            | Self::EditRefused { .. }
            | Self::ApprovalOverdue { .. }
            | Self::PermitGiven { .. }
            | Self::PermitVoided { .. }
            | Self::QuestionAsked { .. }
            | Self::AgentFailed { .. }
            | Self::AgentRestarted { .. }
            | Self::DeadLettered { .. }
            | Self::Paused { why: PauseReason::Budget { .. } | PauseReason::Intensity { .. } }
            | Self::Ended { .. } => None,
        }
    }
}
