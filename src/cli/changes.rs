//! What changed between two versions of an artefact, as lines of a terminal.

use super::paint::{Safe, Tone, toned};
use crate::service::change::{Change, Part};
use crate::words::difference::{self, Piece};

/// What changed in an artefact: a line on what is compared, then each part that differs.
pub(super) fn change(change: &Change) -> Vec<String> {
    let mut lines = vec![format!("\n{}", toned(Tone::Strong, Safe(&crate::words::change(change))))];
    if change.parts.is_empty() {
        lines.push("  nothing".to_owned());
    }
    lines.extend(change.parts.iter().flat_map(part));
    lines
}

fn part(part: &Part) -> Vec<String> {
    let mut lines = vec![format!("  {}", Safe(&format!("{}:", crate::words::part(part))))];
    lines.extend(difference::lines(part).iter().map(|pieces| format!("    {}", line(pieces))));
    lines
}

/// A line that went or came as a whole has a mark before it; words within one stand in brackets.
fn line(pieces: &[Piece]) -> String {
    match pieces {
        [Piece::Gone(text)] => toned(Tone::Bad, format!("- {}", Safe(text))),
        [Piece::New(text)] => toned(Tone::Good, format!("+ {}", Safe(text))),
        pieces => pieces.iter().map(within).collect(),
    }
}

fn within(piece: &Piece) -> String {
    match piece {
        Piece::Same(text) => Safe(text).to_string(),
        Piece::Gone(text) => toned(Tone::Bad, format!("[-{}-]", Safe(text))),
        Piece::New(text) => toned(Tone::Good, format!("{{+{}+}}", Safe(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.split('\u{1b}')
            .enumerate()
            .map(|(nth, part)| if nth == 0 { part } else { part.split_once('m').unwrap().1 })
            .collect()
    }

    #[test]
    fn a_difference_is_read_word_by_word() {
        let check = |before: Option<&str>, now: Option<&str>, wanted: &[&str]| {
            let path = vec!["mails".to_owned(), "1".to_owned()];
            let of = Part { path, before: before.map(str::to_owned), now: now.map(str::to_owned) };
            let lines: Vec<String> = part(&of).iter().map(|line| plain(line)).collect();
            assert_eq!(lines[0], "  mails 1:");
            assert_eq!(lines[1..], *wanted);
        };
        check(Some("15 % off all ferns"), Some("15 % off all plants"), &["    15 % off all [-ferns-]{+plants+}"]);
        check(Some("a b c d e f"), Some("a x y d e f"), &["    a [-b c-]{+x y+} d e f"]);
        check(Some("one two three"), Some("one two three four"), &["    one two three{+ four+}"]);
        check(Some("old words"), Some("all is new here"), &["    - old words", "    + all is new here"]);
        check(None, Some("new\nlines"), &["    + new", "    + lines"]);
        check(Some("gone"), None, &["    - gone"]);
        check(
            Some("first line\nthe second line stays\nthe third line goes\n\nall of this"),
            Some("first line\nthe second line stays\nthe third line went\n\nis another thing"),
            &["    the third line [-goes-]{+went+}", "    - all of this", "    + is another thing"],
        );
    }
}
