//! Words of comments: on what they are, how they stand, who settles them.

use crate::service::thread::Comment;

/// On which part of which version a comment is.
pub fn place(comment: &Comment) -> String {
    let part = if comment.at.is_empty() { String::new() } else { format!("{} of ", comment.at) };
    let version = comment.no.map(|no| format!("version {no} of ")).unwrap_or_default();
    format!("{part}{version}{}", comment.artefact)
}

/// How it stands, in a few words.
pub fn state(comment: &Comment) -> String {
    let stands = match (&comment.resolved_by, comment.blocks) {
        (Some(by), _) => format!("resolved by {by}"),
        (None, true) => "open, blocks approval".to_owned(),
        (None, false) => "open".to_owned(),
    };
    if comment.outdated { format!("{stands}, outdated: that part has changed since") } else { stands }
}

/// Who made it.
pub fn author(comment: &Comment) -> &str {
    comment.said.first().map_or("", |remark| &remark.by)
}

/// Who can settle those that stop an approval, in a sentence.
pub fn who_settles(stops: &[&Comment]) -> String {
    let mut authors: Vec<&str> = stops.iter().map(|comment| author(comment)).collect();
    authors.sort_unstable();
    authors.dedup();
    let them = if stops.len() == 1 { "it" } else { "them" };
    format!("{} can resolve {them}, and so can whoever may approve here, saying why", authors.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CommentNo, Digest, Seq, Timestamp};
    use crate::service::thread::Remark;

    fn comment(by: &str) -> Comment {
        let text = Some("Too loud.".to_owned());
        Comment {
            comment: CommentNo(1),
            artefact: "sequence".parse().unwrap(),
            version: Digest([0; 32]),
            no: Some(2),
            at: "/mails/0/subject".to_owned(),
            blocks: true,
            open: true,
            resolved_by: None,
            outdated: false,
            stops: Vec::new(),
            said: vec![Remark { seq: Seq(1), at: Timestamp(0), by: by.to_owned(), text, mentions: Vec::new() }],
        }
    }

    #[test]
    fn a_comment_is_told_with_its_place_and_how_it_stands() {
        let of = comment("ana");
        assert_eq!(place(&of), "/mails/0/subject of version 2 of sequence");
        assert_eq!(state(&of), "open, blocks approval");
        let of = Comment { blocks: false, outdated: true, at: String::new(), no: None, ..of };
        assert_eq!(
            (place(&of).as_str(), state(&of)),
            ("sequence", "open, outdated: that part has changed since".into())
        );
        let of = Comment { open: false, resolved_by: Some("ben".to_owned()), outdated: false, ..of };
        assert_eq!(state(&of), "resolved by ben");
        let check = |by: &[&str], wanted: &str| {
            let all: Vec<Comment> = by.iter().map(|by| comment(by)).collect();
            assert!(who_settles(&all.iter().collect::<Vec<_>>()).starts_with(wanted));
        };
        check(&["ana"], "ana can resolve it,");
        check(&["ben", "ana", "ben"], "ana and ben can resolve them,");
    }
}
