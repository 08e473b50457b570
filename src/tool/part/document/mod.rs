//! What the text of a document says, part by part, as the marks of its form divide it. Where the text comes from is left to
//! the kinds.

pub mod part;

use self::part::{Line, Part, Unit, parts};
use super::page;

/// Text without marks.
pub fn plain(text: &str) -> Vec<Part> {
    parts(numbered(text).map(|(number, line)| (number, Line::Text(line.to_owned()))), Unit::Line)
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// Markdown: a part begins at each heading.
pub fn markdown(text: &str) -> Vec<Part> {
    let mut fence: Option<&str> = None;
    let lines = numbered(text).map(|(number, line)| {
        let bare = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => {
                let level = line.bytes().take_while(|byte| *byte == b'#').count();
                if (1..=6).contains(&level) && line[level..].starts_with([' ', '\t']) {
                    let title = line[level..].trim().trim_end_matches('#').trim_end();
                    return (number, Line::Heading(level, title.to_owned()));
                }
            }
            _ => {}
        }
        (number, Line::Text(line.to_owned()))
    });
    parts(lines, Unit::Line)
}

/// A page of the web: cut where its headings are, so that each place is a line of the file itself.
pub fn html(text: &str) -> Vec<Part> {
    let lower = text.to_ascii_lowercase();
    let is_heading = |at: &usize| {
        let rest = &lower.as_bytes()[at + 2..];
        matches!(rest, [b'1'..=b'6', b'>' | b' ' | b'\t' | b'\n' | b'\r', ..])
    };
    let mut cuts: Vec<usize> = lower.match_indices("<h").map(|(at, _)| at).filter(is_heading).collect();
    cuts.push(text.len());
    let (mut lines, mut from, mut number) = (Vec::new(), 0, 1);
    for to in cuts {
        let (piece, small) = (&text[from..to], &lower[from..to]);
        // What is before the first heading has none.
        let (heading, rest) = match small.find("</h").filter(|_| from > 0 || small.starts_with("<h1")) {
            Some(end) if small.starts_with("<h") => (Some(&piece[..end]), &piece[end..]),
            _ => (None, piece),
        };
        if let Some(heading) = heading {
            let level = usize::from(small.as_bytes()[2].saturating_sub(b'0'));
            lines.push((number, Line::Heading(level, page::plain(heading))));
        }
        lines.extend(page::plain(rest).lines().map(|line| (number, Line::Text(line.to_owned()))));
        number += piece.bytes().filter(|byte| *byte == b'\n').count();
        from = to;
    }
    parts(lines, Unit::Line)
}
