//! A comment on a version with all that was answered, as data.

use serde::Serialize;

use crate::id::{ApprovalNo, ArtefactName, CommentNo, Digest, Seq, Timestamp, as_iso};

/// A comment, with what was answered.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Comment {
    /// Its number within the run.
    pub comment: CommentNo,
    /// On which artefact.
    pub artefact: ArtefactName,
    /// On which version of it.
    pub version: Digest,
    /// Which version that is, from 1; none if that is not known any more.
    pub no: Option<usize>,
    /// On which part, as a JSON pointer; empty for all of it.
    pub at: String,
    /// Whether it stops approvals of that while it is open.
    pub blocks: bool,
    /// Whether nobody has settled it.
    pub open: bool,
    /// Who has.
    pub resolved_by: Option<String>,
    /// True if the part says something else in the newest version that was made of it.
    pub outdated: bool,
    /// Open approvals that it stops.
    pub stops: Vec<ApprovalNo>,
    /// What was said: the comment, its answers, last why it was settled.
    pub said: Vec<Remark>,
}

/// Something that was said in a comment.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Remark {
    /// Its record.
    pub seq: Seq,
    /// When it was said.
    #[serde(serialize_with = "as_iso")]
    #[schemars(with = "crate::id::Iso")]
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// In words; none if it was settled without any, or erased.
    pub text: Option<String>,
    /// Whom it names, of the people who were declared then.
    pub mentions: Vec<String>,
}
